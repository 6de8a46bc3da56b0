//! Payments and their operations.

use contracts::{OperationId, PaymentId, Timestamp};
use platform::db::{Expect, FromRow, Json, Result, Row, Tx};
use platform::params;
use uuid::Uuid;

use crate::domain::document::Person;
use crate::domain::{Bill, NeedsPerson, Payment};

pub(super) const LOAD: &str =
    "SELECT id, version, state, bill, person, access_hash, created_at FROM payments WHERE id = $1";

pub(super) const INSERT: &str = "INSERT INTO payments (id, version, status, order_number, access_hash, currency, \
    owed_minor, authorised_minor, captured_minor, refunded_minor, unknown, waits_since, ends_at, state, bill, person, created_at, needs_person) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) ON CONFLICT (id) DO NOTHING";

pub(super) const UPDATE: &str = "UPDATE payments SET version = $3, status = $4, owed_minor = $5, authorised_minor = $6, \
    captured_minor = $7, refunded_minor = $8, unknown = $9, waits_since = $10, ends_at = $11, state = $12, needs_person = $13 \
    WHERE id = $1 AND version = $2";

pub(super) const MAY_SEE: &str = "SELECT id FROM payments WHERE id = $1 AND access_hash = $2";

pub(super) const LIST: &str = "SELECT id, version, state, bill, person, access_hash, created_at FROM payments \
    WHERE id < $1 ORDER BY id DESC LIMIT $2";

pub(super) const LIST_BY_STATUS: &str = "SELECT id, version, state, bill, person, access_hash, created_at FROM payments \
    WHERE id < $1 AND status = $3 ORDER BY id DESC LIMIT $2";

pub(super) const LIST_FOR_PEOPLE: &str = "SELECT id, version, state, bill, person, access_hash, created_at FROM payments \
    WHERE id < $1 AND needs_person IS NOT NULL AND ($3 = '' OR status = $3) ORDER BY id DESC LIMIT $2";

pub(super) const PAYMENTS_SINCE: &str = "SELECT id, version, state, bill, person, access_hash, created_at FROM payments \
    WHERE id > $1 ORDER BY id LIMIT $2";

pub(super) const WAITING: &str = "SELECT id FROM payments WHERE waits_since IS NOT NULL AND waits_since < $1 \
    ORDER BY waits_since, id LIMIT $2";

pub(super) const ENDING: &str = "SELECT id FROM payments WHERE ends_at IS NOT NULL AND ends_at < $1 \
    ORDER BY ends_at, id LIMIT $2";

pub(super) const COUNT_UNKNOWN: &str =
    "SELECT count(*) FROM payments WHERE waits_since IS NOT NULL AND unknown";

pub(super) const COUNT_FOR_PEOPLE: &str = "SELECT needs_person, count(*) FROM payments WHERE needs_person IS NOT NULL \
    GROUP BY needs_person ORDER BY needs_person LIMIT 20";

pub(super) const INSERT_OPERATION: &str = "INSERT INTO payment_operations (id, payment_id, kind, provider, status, amount_minor, \
    about, reference, code, requested_at, settled_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

pub(super) const OPERATIONS_OF: &str = "SELECT id, payment_id, kind, provider, status, amount_minor, about, reference, code, \
    requested_at, settled_at FROM payment_operations WHERE payment_id = $1 ORDER BY id LIMIT 200";

pub(super) const OPERATIONS_SINCE: &str = "SELECT id, payment_id, kind, provider, status, amount_minor, about, reference, code, \
    requested_at, settled_at FROM payment_operations WHERE id > $1 ORDER BY id LIMIT $2";

/// The greatest id there can be: lists begin below it.
const LAST: Uuid = Uuid::max();

/// A payment as it is kept.
#[derive(Debug, Clone)]
pub struct Stored {
    /// What it is.
    pub payment: Payment,
    /// What its order owes.
    pub bill: Bill,
    /// Who is billed.
    pub person: Person,
    /// Hash of the secret that opens it to a guest.
    pub access_hash: String,
    /// Its position in its history; 0 before it is kept.
    pub version: i64,
    /// When it was noted.
    pub created_at: Timestamp,
}

impl FromRow for Stored {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        let Json(payment) = row.get::<Json<Payment>>(2)?;
        let Json(bill) = row.get(3)?;
        let Json(person) = row.get(4)?;
        Ok(Self {
            payment,
            bill,
            person,
            version: row.get(1)?,
            access_hash: row.get(5)?,
            created_at: row.get(6)?,
        })
    }
}

/// An operation that is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationRow {
    /// Its id and key.
    pub id: OperationId,
    /// Of which payment.
    pub payment_id: PaymentId,
    /// What was asked.
    pub kind: String,
    /// Of whom.
    pub provider: String,
    /// Whether it took place.
    pub succeeded: bool,
    /// How much, in minor units.
    pub amount_minor: i64,
    /// The parcel or the refund it was for.
    pub about: Option<Uuid>,
    /// The provider's name for it.
    pub reference: Option<String>,
    /// Why it failed, in the provider's code.
    pub code: Option<String>,
    /// When it was first sent off.
    pub requested_at: Timestamp,
    /// When its outcome was known.
    pub settled_at: Timestamp,
}

impl FromRow for OperationRow {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            payment_id: row.get(1)?,
            kind: row.get(2)?,
            provider: row.get(3)?,
            succeeded: row.get::<String>(4)? == "succeeded",
            amount_minor: row.get(5)?,
            about: row.get(6)?,
            reference: row.get(7)?,
            code: row.get(8)?,
            requested_at: row.get(9)?,
            settled_at: row.get(10)?,
        })
    }
}

/// The payments with these ids, as far as there are any. Ids in order, each once.
pub async fn load(tx: &mut Tx<'_>, ids: &[PaymentId]) -> Result<Vec<Stored>> {
    tx.fetch_many(LOAD, ids.iter().map(|id| params![*id])).await
}

/// Whether the guest with this token's hash may see a payment.
pub async fn may_see(tx: &mut Tx<'_>, id: PaymentId, access_hash: &str) -> Result<bool> {
    let found: Option<(PaymentId,)> = tx.fetch_optional(MAY_SEE, &params![id, access_hash]).await?;
    Ok(found.is_some())
}

/// A page of payments, the latest first, below `before`: all of them, or those for people.
pub async fn listed(
    tx: &mut Tx<'_>,
    before: Option<PaymentId>,
    status: Option<&str>,
    for_people: bool,
    limit: i64,
) -> Result<Vec<Stored>> {
    let before = before.map_or(LAST, PaymentId::uuid);
    if for_people {
        let status = status.unwrap_or_default();
        return tx.fetch_all(LIST_FOR_PEOPLE, &params![before, limit, status]).await;
    }
    match status {
        None => tx.fetch_all(LIST, &params![before, limit]).await,
        Some(status) => tx.fetch_all(LIST_BY_STATUS, &params![before, limit, status]).await,
    }
}

/// Payments in the order of their ids, above `after`.
pub async fn payments_since(tx: &mut Tx<'_>, after: Uuid, limit: i64) -> Result<Vec<Stored>> {
    tx.fetch_all(PAYMENTS_SINCE, &params![after, limit]).await
}

/// Payments whose operation has been under way since before a time.
pub async fn waiting(tx: &mut Tx<'_>, before: Timestamp, limit: i64) -> Result<Vec<PaymentId>> {
    let rows: Vec<(PaymentId,)> = tx.fetch_all(WAITING, &params![before, limit]).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Payments whose authorisation ends before a time with money still to be taken.
pub async fn ending(tx: &mut Tx<'_>, before: Timestamp, limit: i64) -> Result<Vec<PaymentId>> {
    let rows: Vec<(PaymentId,)> = tx.fetch_all(ENDING, &params![before, limit]).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// How many payments have an operation of which nobody knows what came of it.
pub async fn count_unknown(tx: &mut Tx<'_>) -> Result<i64> {
    let row: Option<(i64,)> = tx.fetch_optional(COUNT_UNKNOWN, &params![]).await?;
    Ok(row.map_or(0, |(count,)| count))
}

/// How many payments wait for a person, by what is to be seen to.
pub async fn count_for_people(tx: &mut Tx<'_>) -> Result<Vec<(String, i64)>> {
    tx.fetch_all(COUNT_FOR_PEOPLE, &params![]).await
}

/// Keeps new payments, at the versions given. In the order of their ids.
pub async fn insert(tx: &mut Tx<'_>, rows: &[(&Stored, i64)]) -> Result<()> {
    let rows = rows.iter().map(|(stored, version)| {
        let (payment, bill) = (&stored.payment, &stored.bill);
        let figures = Figures::of(payment);
        params![
            payment.id,
            *version,
            payment.status().name(),
            &bill.order_number,
            &stored.access_hash,
            payment.currency.code(),
            payment.owed_minor(),
            figures.authorised_minor,
            payment.captured_minor(),
            payment.refunded_minor(),
            payment.is_unknown(),
            figures.waits_since,
            figures.ends_at,
            Json(payment),
            Json(bill),
            Json(&stored.person),
            stored.created_at,
            payment.needs_person().map(NeedsPerson::name),
        ]
    });
    tx.execute_many(INSERT, rows, Expect::Version).await.map(drop)
}

/// Keeps changed payments, at the versions given. In the order of their ids.
pub async fn update(tx: &mut Tx<'_>, rows: &[(&Stored, i64)]) -> Result<()> {
    let rows = rows.iter().map(|(stored, version)| {
        let payment = &stored.payment;
        let figures = Figures::of(payment);
        params![
            payment.id,
            stored.version,
            *version,
            payment.status().name(),
            payment.owed_minor(),
            figures.authorised_minor,
            payment.captured_minor(),
            payment.refunded_minor(),
            payment.is_unknown(),
            figures.waits_since,
            figures.ends_at,
            Json(payment),
            payment.needs_person().map(NeedsPerson::name),
        ]
    });
    tx.execute_many(UPDATE, rows, Expect::Version).await.map(drop)
}

/// What the columns say beside the state.
struct Figures {
    authorised_minor: i64,
    waits_since: Option<Timestamp>,
    ends_at: Option<Timestamp>,
}

impl Figures {
    fn of(payment: &Payment) -> Self {
        let held = payment.held();
        // Of each guarantee staff are told once.
        let ends_at = payment.guarantee_ends_at().filter(|at| payment.end_told != Some(*at));
        Self {
            authorised_minor: held.map_or(0, |held| held.authorised_minor),
            waits_since: payment.operation.as_ref().map(|operation| operation.requested_at),
            ends_at,
        }
    }
}

/// Keeps operations that are settled.
pub async fn insert_operations(tx: &mut Tx<'_>, rows: &[OperationRow]) -> Result<()> {
    let rows = rows.iter().map(|row| {
        params![
            row.id,
            row.payment_id,
            &row.kind,
            &row.provider,
            if row.succeeded { "succeeded" } else { "failed" },
            row.amount_minor,
            row.about,
            row.reference.as_ref(),
            row.code.as_ref(),
            row.requested_at,
            row.settled_at,
        ]
    });
    tx.execute_many(INSERT_OPERATION, rows, Expect::One).await.map(drop)
}

/// A payment's settled operations, in their order.
pub async fn operations_of(tx: &mut Tx<'_>, id: PaymentId) -> Result<Vec<OperationRow>> {
    tx.fetch_all(OPERATIONS_OF, &params![id]).await
}

/// Settled operations in the order of their ids, above `after`.
pub async fn operations_since(
    tx: &mut Tx<'_>,
    after: Uuid,
    limit: i64,
) -> Result<Vec<OperationRow>> {
    tx.fetch_all(OPERATIONS_SINCE, &params![after, limit]).await
}
