//! What `kontor doctor` and the simulation look at: everything this service knows, page by page,
//! and the check of the chains of documents. It changes nothing.

use contracts::PaymentId;
use platform::db::{Json, Result, Tx, Unit};
use uuid::Uuid;

use crate::domain::document::{ChainFault, Link, Series, verify};
use crate::store::{self, DocumentRow, JournalRow, OperationRow, PostingRow, Stored, TrialRow};

/// How many rows are read at a time.
const PAGE: i64 = 1_000;

/// Everything at one time, on one consistent view. For shops small enough to be looked at whole:
/// the simulation's, and `doctor`'s.
#[derive(Debug, Clone, Copy)]
pub struct ReadAudit;

/// Everything this service knows, but for personal blocks and webhooks.
#[derive(Debug, Clone, Default)]
pub struct Audit {
    /// Payments, each with the operation under way, in the order of their ids.
    pub payments: Vec<Stored>,
    /// Operations that are settled, in the order of their ids.
    pub operations: Vec<OperationRow>,
    /// Journals, in the order in which they were booked.
    pub journals: Vec<JournalRow>,
    /// Their postings.
    pub postings: Vec<PostingRow>,
    /// Invoices and then credit notes, each in the order of their numbers.
    pub documents: Vec<DocumentRow>,
}

impl Unit for ReadAudit {
    type Out = Audit;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Audit> {
        let mut audit = Audit::default();
        loop {
            let after = audit.payments.last().map(|last| last.payment.id.uuid());
            let page = store::payments_since(tx, after.unwrap_or_default(), PAGE).await?;
            if page.is_empty() {
                break;
            }
            audit.payments.extend(page);
        }
        loop {
            let after = audit.operations.last().map(|last| last.id.uuid());
            let page = store::operations_since(tx, after.unwrap_or_default(), PAGE).await?;
            if page.is_empty() {
                break;
            }
            audit.operations.extend(page);
        }
        loop {
            let after = audit.journals.last().map(|last| last.id);
            let page = store::journals_after(tx, after.unwrap_or_default(), PAGE).await?;
            if page.is_empty() {
                break;
            }
            audit.postings.extend(store::postings_of(tx, &page).await?);
            audit.journals.extend(page);
        }
        for series in [Series::Invoice, Series::CreditNote] {
            let mut above = (0, 0);
            loop {
                let page = store::documents_since(tx, series, above, PAGE).await?;
                let Some(last) = page.last() else { break };
                above = (last.year, last.sequence);
                audit.documents.extend(page);
            }
        }
        Ok(audit)
    }
}

/// Payments in the order of their ids, above one.
#[derive(Debug, Clone, Copy)]
pub struct Payments {
    /// Above this id; the nil id for the first page.
    pub after: Uuid,
    /// How many.
    pub limit: i64,
}

impl Unit for Payments {
    type Out = Vec<Stored>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        store::payments_since(tx, self.after, self.limit).await
    }
}

/// Settled operations in the order of their ids, above one.
#[derive(Debug, Clone, Copy)]
pub struct Operations {
    /// Above this id; the nil id for the first page.
    pub after: Uuid,
    /// How many.
    pub limit: i64,
}

impl Unit for Operations {
    type Out = Vec<OperationRow>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        store::operations_since(tx, self.after, self.limit).await
    }
}

/// Journals with their postings in the order of their ids, above one.
#[derive(Debug, Clone, Copy)]
pub struct Journals {
    /// Above this id; the nil id for the first page.
    pub after: Uuid,
    /// How many.
    pub limit: i64,
}

impl Unit for Journals {
    type Out = Vec<(JournalRow, Vec<PostingRow>)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let rows = store::journals_after(tx, self.after, self.limit).await?;
        let mut postings = store::postings_of(tx, &rows).await?;
        let with_own = |row: JournalRow| {
            let own = postings.extract_if(.., |posting| posting.journal_id == row.id).collect();
            (row, own)
        };
        Ok(rows.into_iter().map(with_own).collect())
    }
}

/// How many payments wait for an answer that nobody knows: a figure to watch.
#[derive(Debug, Clone, Copy)]
pub struct UnknownPayments;

impl Unit for UnknownPayments {
    type Out = i64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<i64> {
        store::count_unknown(tx).await
    }
}

/// How many payments wait for a person, by what is to be seen to: a figure to watch.
#[derive(Debug, Clone, Copy)]
pub struct PaymentsForPeople;

impl Unit for PaymentsForPeople {
    type Out = Vec<(String, i64)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        store::count_for_people(tx).await
    }
}

/// The balance of every account in every currency.
#[derive(Debug, Clone, Copy)]
pub struct TrialBalance;

impl Unit for TrialBalance {
    type Out = Vec<TrialRow>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        store::trial_balance(tx).await
    }
}

/// The documents of one payment.
#[derive(Debug, Clone, Copy)]
pub struct Documents(pub PaymentId);

impl Unit for Documents {
    type Out = Vec<DocumentRow>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        store::documents_of(tx, &[self.0]).await
    }
}

/// What is wrong with a whole series of documents.
#[derive(Debug, Clone, Copy)]
pub struct Chain(pub Series);

impl Unit for Chain {
    type Out = Vec<ChainFault>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let mut links: Vec<Link> = Vec::new();
        let mut above = (0, 0);
        loop {
            let rows = store::documents_since(tx, self.0, above, 500).await?;
            let Some(last) = rows.last() else { return Ok(verify(&links)) };
            above = (last.year, last.sequence);
            let ids: Vec<Uuid> = rows.iter().map(|row| row.document.id).collect();
            let persons = store::persons_of(tx, &ids).await?;
            links.extend(rows.into_iter().map(|row| {
                let id = row.document.id;
                let own = persons.iter().find(|(document_id, ..)| *document_id == id);
                Link {
                    number: row.number,
                    year: row.year,
                    sequence: row.sequence,
                    text: row.text,
                    hash: row.hash,
                    person: own.map(|(_, salt, Json(person))| (salt.clone(), person.clone())),
                }
            }));
        }
    }
}
