//! What providers' webhooks said.

use contracts::{PaymentId, Timestamp};
use platform::db::{Expect, FromRow, Result, Row, Tx};
use platform::params;

pub(super) const INSERT_WEBHOOK: &str = "INSERT INTO payment_webhooks (provider, event_id, kind, payment_id, outcome, why, body, received_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (provider, event_id) DO NOTHING";

pub(super) const QUARANTINED: &str = "SELECT provider, event_id, kind, payment_id, why, body, received_at FROM payment_webhooks \
    WHERE outcome = 'quarantined' AND (received_at < $1 OR (received_at = $1 AND (provider < $2 OR (provider = $2 AND event_id < $3)))) \
    ORDER BY received_at DESC, provider DESC, event_id DESC LIMIT $4";

pub(super) const FORGET: &str = "DELETE FROM payment_webhooks WHERE (provider, event_id) IN ( \
    SELECT provider, event_id FROM payment_webhooks WHERE received_at < $1 ORDER BY received_at, provider, event_id LIMIT $2)";

/// A webhook that a person has to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedRow {
    /// Whose.
    pub provider: String,
    /// The provider's id for it.
    pub event_id: String,
    /// What happened, in the provider's word.
    pub kind: String,
    /// Which payment it is about, as far as we know.
    pub payment_id: Option<PaymentId>,
    /// What does not fit.
    pub why: Option<String>,
    /// What it said, word for word.
    pub body: String,
    /// When it came.
    pub received_at: Timestamp,
}

impl FromRow for QuarantinedRow {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            provider: row.get(0)?,
            event_id: row.get(1)?,
            kind: row.get(2)?,
            payment_id: row.get(3)?,
            why: row.get(4)?,
            body: row.get(5)?,
            received_at: row.get(6)?,
        })
    }
}

/// Where in the list a webhook is: when it came, whose it is, its id.
pub type Place = (Timestamp, String, String);

/// Webhooks that do not fit what we know, the latest first, below a place in the list.
pub async fn quarantined(
    tx: &mut Tx<'_>,
    below: Option<&Place>,
    limit: i64,
) -> Result<Vec<QuarantinedRow>> {
    let first = (Timestamp::from_micros(LAST_MICROS), String::new(), String::new());
    let (at, provider, event_id) = below.unwrap_or(&first);
    tx.fetch_all(QUARANTINED, &params![*at, provider, event_id, limit]).await
}

/// The end of the year 9999: every list begins before it.
const LAST_MICROS: i64 = 253_402_300_799_000_000;

/// Removes webhooks that came before a time, so many at once.
pub async fn forget_webhooks(tx: &mut Tx<'_>, before: Timestamp, limit: i64) -> Result<u64> {
    tx.execute(FORGET, &params![before, limit], Expect::Any).await
}

/// A webhook that was believed.
#[derive(Debug, Clone)]
pub struct WebhookRow<'a> {
    /// Whose.
    pub provider: &'a str,
    /// The provider's id for it.
    pub event_id: &'a str,
    /// What happened, in the provider's word.
    pub kind: &'a str,
    /// Which payment it is about, as far as we know.
    pub payment_id: Option<PaymentId>,
    /// What we did: `asked`, `nothing_new` or `quarantined`.
    pub outcome: &'static str,
    /// Why it was quarantined.
    pub why: Option<&'static str>,
    /// What it said, word for word.
    pub body: &'a str,
}

/// Keeps a webhook. Says whether it is the first time that it came.
pub async fn insert_webhook(tx: &mut Tx<'_>, row: &WebhookRow<'_>) -> Result<bool> {
    let now = tx.now();
    let row = params![
        row.provider,
        row.event_id,
        row.kind,
        row.payment_id,
        row.outcome,
        row.why,
        row.body,
        now,
    ];
    Ok(tx.execute(INSERT_WEBHOOK, &row, Expect::AtMostOne).await? == 1)
}
