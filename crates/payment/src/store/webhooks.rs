//! What providers' webhooks said.

use contracts::PaymentId;
use platform::db::{Expect, Result, Tx};
use platform::params;

pub(super) const INSERT_WEBHOOK: &str = "INSERT INTO payment_webhooks (provider, event_id, kind, payment_id, outcome, why, body, received_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (provider, event_id) DO NOTHING";

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
