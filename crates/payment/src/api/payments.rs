//! Payments to be seen, and the browser that comes back from a provider.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Redirect;
use contracts::PaymentId;
use platform::cause::Cause;
use platform::db::{Result as DbResult, Tx, Unit};
use platform::http::extract::{Json, Path, Query};
use platform::http::{CursorText, Cursors, Limit, List, Problem, RequestContext, Staff};
use serde::Deserialize;
use utoipa::IntoParams;

use super::access::{Access, KEEPERS};
use super::views::PaymentView;
use crate::config::Config;
use crate::domain::{Command, Status};
use crate::handlers::{self, Ask, Does};
use crate::store::{self, Stored};
use crate::{Error, PaymentService};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListPayments {
    /// Only those that stand so.
    #[param(inline)]
    status: Option<Status>,
    /// Only those that wait for a person.
    #[serde(default)]
    needs_person: bool,
    /// How many.
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(inline)]
    cursor: Option<CursorText>,
}

/// Payments, the newest first.
#[utoipa::path(get, path = "/payments", tag = "payments", params(ListPayments), security(("staff" = [])),
    responses((status = 200, body = List<PaymentView>), (status = 401, body = Problem),
              (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn list(
    State(service): State<Arc<PaymentService>>,
    staff: Staff,
    cursors: Cursors,
    Query(query): Query<ListPayments>,
) -> Result<Json<List<PaymentView>>, Error> {
    staff.require(KEEPERS)?;
    let status = query.status.map(Status::name);
    let for_people = query.needs_person;
    let scope = format!("payments:{}:{for_people}", status.unwrap_or_default());
    let before = cursors.open(&scope, query.cursor.as_ref())?;
    let page = Page { before, status, for_people, limit: query.limit.and_one() };
    let rows = service.db.read(page).await?;
    let page = List::of(rows, query.limit, |last| cursors.seal(&scope, &last.payment.id));
    Ok(Json(page.map(|stored| PaymentView::of(&stored, Vec::new()).for_staff(&stored.payment))))
}

/// The payment of an order: for staff, and for the guest whose token opens the order.
#[utoipa::path(get, path = "/payments/{id}", tag = "payments", params(("id" = PaymentId, Path)),
    security(("staff" = []), ("guest" = [])),
    responses((status = 200, body = PaymentView), (status = 404, body = Problem)))]
pub(super) async fn read(
    State(service): State<Arc<PaymentService>>,
    Path(id): Path<PaymentId>,
    context: RequestContext,
) -> Result<Json<PaymentView>, Error> {
    let access = Access::of(&context.principal)?;
    let view = service.db.read(Show { id, access, config: Arc::clone(&service.config) }).await?;
    view.map(Json).ok_or(Error::NotFound)
}

/// The shopper's browser comes back from the provider. That proves nothing: the provider is asked,
/// and the browser goes on to the shop's page.
#[utoipa::path(get, path = "/payments/{id}/return", tag = "payments", params(("id" = PaymentId, Path)),
    responses((status = 303, description = "To the shop's page about the order"),
              (status = 404, body = Problem)))]
pub(super) async fn come_back(
    State(service): State<Arc<PaymentService>>,
    Path(id): Path<PaymentId>,
    context: RequestContext,
) -> Result<Redirect, Error> {
    // Whoever comes here may be anybody: nothing is written where there is nothing to ask.
    if service.db.read(Waits(id)).await?.ok_or(Error::NotFound)? {
        let (config, cause) = (Arc::clone(&service.config), context.cause(id.to_string()));
        service.db.write(ComeBack { id, config, cause }).await?;
    }
    let page = service.config.after_payment_url.replace("{order_id}", &id.to_string());
    Ok(Redirect::to(&page))
}

struct Page {
    before: Option<PaymentId>,
    status: Option<&'static str>,
    for_people: bool,
    limit: i64,
}

impl Unit for Page {
    type Out = Vec<Stored>;

    async fn run(&self, tx: &mut Tx<'_>) -> DbResult<Vec<Stored>> {
        store::listed(tx, self.before, self.status, self.for_people, self.limit).await
    }
}

struct Show {
    id: PaymentId,
    access: Access,
    config: Arc<Config>,
}

impl Unit for Show {
    type Out = Option<PaymentView>;

    async fn run(&self, tx: &mut Tx<'_>) -> DbResult<Self::Out> {
        if !self.access.opens(tx, self.id).await? {
            return Ok(None);
        }
        view(tx, self.id, &self.access, &self.config).await
    }
}

/// What somebody sees of a payment.
pub(super) async fn view(
    tx: &mut Tx<'_>,
    id: PaymentId,
    access: &Access,
    config: &Config,
) -> DbResult<Option<PaymentView>> {
    let Some(stored) = store::load(tx, &[id]).await?.pop() else { return Ok(None) };
    let view = match access {
        Access::Guest(_) => PaymentView::of(&stored, Vec::new()),
        Access::Staff => {
            let operations = store::operations_of(tx, id).await?;
            PaymentView::of(&stored, operations).for_staff(&stored.payment)
        }
    };
    Ok(Some(view.payable_to(config.bank.as_ref())))
}

/// Whether a payment waits for its provider, if there is such a payment.
struct Waits(PaymentId);

impl Unit for Waits {
    type Out = Option<bool>;

    async fn run(&self, tx: &mut Tx<'_>) -> DbResult<Self::Out> {
        let found = store::load(tx, &[self.0]).await?.pop();
        Ok(found.map(|stored| stored.payment.open_operation().is_some()))
    }
}

struct ComeBack {
    id: PaymentId,
    config: Arc<Config>,
    cause: Cause,
}

impl Unit for ComeBack {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> DbResult<()> {
        let ask = Ask {
            payment_id: self.id,
            does: Does::Command(Command::Ask),
            cause: self.cause.clone(),
        };
        handlers::handle(tx, &self.config, &[ask]).await.map(drop)
    }
}
