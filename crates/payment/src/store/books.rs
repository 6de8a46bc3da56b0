//! Journals and their postings. They are written once; nothing here changes or removes one.

use contracts::{OperationId, PaymentId, Timestamp};
use platform::db::{Expect, FromRow, Result, Row, Tx};
use platform::params;
use uuid::Uuid;

use crate::domain::ledger::Journal;

pub(super) const INSERT_JOURNAL: &str = "INSERT INTO payment_journals (id, payment_id, kind, currency, operation_id, document_id, booked_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7)";

pub(super) const INSERT_POSTING: &str = "INSERT INTO payment_postings (journal_id, position, debit, credit, amount_minor) \
    VALUES ($1, $2, $3, $4, $5)";

pub(super) const JOURNALS_AFTER: &str = "SELECT id, payment_id, kind, currency, operation_id, document_id, booked_at \
    FROM payment_journals WHERE id > $1 ORDER BY id LIMIT $2";

pub(super) const POSTINGS_OF: &str = "SELECT journal_id, position, debit, credit, amount_minor FROM payment_postings \
    WHERE journal_id = $1 ORDER BY position LIMIT 20";

pub(super) const TRIAL_BALANCE: &str = "SELECT account, currency, CAST(sum(amount_minor) AS bigint) FROM ( \
    SELECT account, currency, amount_minor FROM payment_balances WHERE until_at = $1 \
    UNION ALL \
    SELECT debit AS account, currency, amount_minor FROM payment_postings JOIN payment_journals ON id = journal_id \
    WHERE booked_at >= $1 AND booked_at < $2 \
    UNION ALL \
    SELECT credit AS account, currency, -amount_minor AS amount_minor FROM payment_postings JOIN payment_journals ON id = journal_id \
    WHERE booked_at >= $1 AND booked_at < $2 \
    ) AS entries GROUP BY account, currency ORDER BY account, currency LIMIT 1000";

pub(super) const SUMMED_UNTIL: &str =
    "SELECT until_at FROM payment_balances ORDER BY until_at DESC LIMIT 1";

pub(super) const INSERT_BALANCE: &str = "INSERT INTO payment_balances (until_at, account, currency, amount_minor) \
    VALUES ($1, $2, $3, $4) ON CONFLICT (until_at, account, currency) DO NOTHING";

/// A journal to keep.
#[derive(Debug, Clone)]
pub struct BookedJournal {
    /// Its id.
    pub id: Uuid,
    /// For which payment.
    pub payment_id: PaymentId,
    /// In which currency.
    pub currency: &'static str,
    /// The operation that moved the money, if one did.
    pub operation_id: Option<OperationId>,
    /// The document that books it, if one does.
    pub document_id: Option<Uuid>,
    /// What it moves.
    pub journal: Journal,
}

/// A journal as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalRow {
    /// Its id.
    pub id: Uuid,
    /// For which payment.
    pub payment_id: PaymentId,
    /// What it records.
    pub kind: String,
    /// In which currency.
    pub currency: String,
    /// The operation that moved the money, if one did.
    pub operation_id: Option<OperationId>,
    /// The document that books it, if one does.
    pub document_id: Option<Uuid>,
    /// When.
    pub booked_at: Timestamp,
}

/// A posting as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostingRow {
    /// Of which journal.
    pub journal_id: Uuid,
    /// Where it goes.
    pub debit: String,
    /// Where it comes from.
    pub credit: String,
    /// How much, in minor units.
    pub amount_minor: i64,
}

/// An account's balance: account, currency, debits less credits in minor units.
pub type TrialRow = (String, String, i64);

impl FromRow for JournalRow {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            payment_id: row.get(1)?,
            kind: row.get(2)?,
            currency: row.get(3)?,
            operation_id: row.get(4)?,
            document_id: row.get(5)?,
            booked_at: row.get(6)?,
        })
    }
}

impl FromRow for PostingRow {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            journal_id: row.get(0)?,
            debit: row.get(2)?,
            credit: row.get(3)?,
            amount_minor: row.get(4)?,
        })
    }
}

/// Keeps journals with their postings. One that does not balance is a bug, and keeps nothing.
pub async fn insert_journals(tx: &mut Tx<'_>, journals: &[BookedJournal]) -> Result<()> {
    if let Some(wrong) = journals.iter().find(|booked| !booked.journal.balances()) {
        return Err(super::corrupt("payment_journals", wrong.id, "the journal does not balance"));
    }
    let now = tx.now();
    let rows = journals.iter().map(|booked| {
        params![
            booked.id,
            booked.payment_id,
            booked.journal.kind.name(),
            booked.currency,
            booked.operation_id,
            booked.document_id,
            now,
        ]
    });
    tx.execute_many(INSERT_JOURNAL, rows, Expect::One).await?;
    let rows = journals.iter().flat_map(|booked| {
        (0_i64..).zip(&booked.journal.postings).map(|(position, posting)| {
            params![
                booked.id,
                position,
                posting.debit.name(),
                posting.credit.name(),
                posting.amount_minor,
            ]
        })
    });
    tx.execute_many(INSERT_POSTING, rows, Expect::One).await.map(drop)
}

/// Journals in the order in which they were booked, above `after`.
pub async fn journals_after(tx: &mut Tx<'_>, after: Uuid, limit: i64) -> Result<Vec<JournalRow>> {
    tx.fetch_all(JOURNALS_AFTER, &params![after, limit]).await
}

/// The postings of journals.
pub async fn postings_of(tx: &mut Tx<'_>, journals: &[JournalRow]) -> Result<Vec<PostingRow>> {
    tx.fetch_many(POSTINGS_OF, journals.iter().map(|journal| params![journal.id])).await
}

/// The balance of every account in every currency: what was summed up, and what was booked since.
pub async fn trial_balance(tx: &mut Tx<'_>) -> Result<Vec<TrialRow>> {
    let since = summed_until(tx).await?;
    tx.fetch_all(TRIAL_BALANCE, &params![since, END]).await
}

/// Sums the ledger up to a time, unless that was done. It follows from the journals, so that
/// nothing is lost if it is removed.
pub async fn sum_up(tx: &mut Tx<'_>, until: Timestamp) -> Result<()> {
    let since = summed_until(tx).await?;
    if since >= until {
        return Ok(());
    }
    let sums: Vec<TrialRow> = tx.fetch_all(TRIAL_BALANCE, &params![since, until]).await?;
    let rows =
        sums.iter().map(|(account, currency, minor)| params![until, account, currency, *minor]);
    tx.execute_many(INSERT_BALANCE, rows, Expect::AtMostOne).await.map(drop)
}

/// The end of the year 9999: every journal is booked before it.
const END: Timestamp = Timestamp::from_micros(253_402_300_799_000_000);

async fn summed_until(tx: &mut Tx<'_>) -> Result<Timestamp> {
    let row: Option<(Timestamp,)> = tx.fetch_optional(SUMMED_UNTIL, &params![]).await?;
    Ok(row.map_or(Timestamp::EPOCH, |(until,)| until))
}
