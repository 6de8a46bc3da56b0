//! The books, for staff.

use std::sync::Arc;

use axum::extract::State;
use contracts::{PaymentId, Timestamp};
use platform::db::{Result as DbResult, Tx, Unit};
use platform::http::extract::{Json, Query};
use platform::http::{CursorText, Cursors, Limit, List, Problem, Staff};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::access::KEEPERS;
use crate::store::{self, JournalRow, PostingRow, TrialRow};
use crate::{Error, PaymentService};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListJournals {
    /// How many.
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(inline)]
    cursor: Option<CursorText>,
}

/// One movement of money.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JournalView {
    /// Its id.
    id: Uuid,
    /// For which payment.
    #[schema(value_type = Uuid)]
    payment_id: PaymentId,
    /// What it records.
    kind: String,
    /// In which currency.
    currency: String,
    /// The document that books it, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    document_id: Option<Uuid>,
    /// What it moves: each posting from one account to another.
    postings: Vec<PostingView>,
    /// When.
    booked_at: Timestamp,
}

/// An amount moved from one account to another.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PostingView {
    /// Where it goes.
    debit: String,
    /// Where it comes from.
    credit: String,
    /// How much, in minor units.
    amount_minor: i64,
}

/// An account's balance.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BalanceView {
    /// Which account.
    account: String,
    /// In which currency.
    currency: String,
    /// Debits less credits, in minor units.
    amount_minor: i64,
}

/// The trial balance.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TrialBalance {
    /// Every account in every currency. Over all accounts of a currency they sum to zero.
    balances: Vec<BalanceView>,
}

/// Journals, the oldest first.
#[utoipa::path(get, path = "/ledger", tag = "ledger", params(ListJournals), security(("staff" = [])),
    responses((status = 200, body = List<JournalView>), (status = 401, body = Problem),
              (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn list(
    State(service): State<Arc<PaymentService>>,
    staff: Staff,
    cursors: Cursors,
    Query(query): Query<ListJournals>,
) -> Result<Json<List<JournalView>>, Error> {
    staff.require(KEEPERS)?;
    let after: Option<Uuid> = cursors.open("ledger", query.cursor.as_ref())?;
    let page = Page { after: after.unwrap_or_default(), limit: query.limit.and_one() };
    let rows = service.db.read(page).await?;
    let page = List::of(rows, query.limit, |last| cursors.seal("ledger", &last.id));
    Ok(Json(page))
}

/// What every account holds.
#[utoipa::path(get, path = "/ledger/balance", tag = "ledger", security(("staff" = [])),
    responses((status = 200, body = TrialBalance), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(super) async fn balance(
    State(service): State<Arc<PaymentService>>,
    staff: Staff,
) -> Result<Json<TrialBalance>, Error> {
    staff.require(KEEPERS)?;
    let rows = service.db.read(Trial).await?;
    let view = |(account, currency, amount_minor)| BalanceView { account, currency, amount_minor };
    Ok(Json(TrialBalance { balances: rows.into_iter().map(view).collect() }))
}

struct Page {
    after: Uuid,
    limit: i64,
}

impl Unit for Page {
    type Out = Vec<JournalView>;

    async fn run(&self, tx: &mut Tx<'_>) -> DbResult<Self::Out> {
        let rows = store::journals_after(tx, self.after, self.limit).await?;
        let postings = store::postings_of(tx, &rows).await?;
        Ok(rows.into_iter().map(|row| JournalView::of(row, &postings)).collect())
    }
}

impl JournalView {
    fn of(row: JournalRow, postings: &[PostingRow]) -> Self {
        let own = postings.iter().filter(|posting| posting.journal_id == row.id);
        let view = |posting: &PostingRow| PostingView {
            debit: posting.debit.clone(),
            credit: posting.credit.clone(),
            amount_minor: posting.amount_minor,
        };
        Self {
            id: row.id,
            payment_id: row.payment_id,
            kind: row.kind,
            currency: row.currency,
            document_id: row.document_id,
            postings: own.map(view).collect(),
            booked_at: row.booked_at,
        }
    }
}

struct Trial;

impl Unit for Trial {
    type Out = Vec<TrialRow>;

    async fn run(&self, tx: &mut Tx<'_>) -> DbResult<Self::Out> {
        store::trial_balance(tx).await
    }
}
