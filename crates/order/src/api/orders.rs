//! Orders over HTTP: placing, looking, cancelling.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use contracts::{CartId, ChosenMethodInput, MoneyInput, OrderId};
use http::{HeaderMap, HeaderName, StatusCode, header};
use platform::http::extract::{Json, Path};
use platform::http::{IdempotencyKey, Problem, RequestContext};
use platform::kernel::idempotency::Request;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::carts::token_hash;
use super::views::{OrderView, waits_for};
use super::{CLERKS, READERS, access, find};
use crate::Orders;
use crate::domain::contact::{Wrong, check_text};
use crate::domain::{Command, Status, Waiting};
use crate::error::Error;
use crate::orders::{Access, CommandOrder};
use crate::placing::{Agreement, PlaceOrder, Placing};
use crate::store::orders::ShownOrder;

/// What the customer agrees to. It obliges to pay.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "expected_total": { "amount_minor": 1285, "currency": "EUR" },
    "payment_method": { "code": "card", "token": "ok" },
    "terms_version": "2026-01",
}))]
pub struct PlaceOrderBody {
    /// The total they saw: `totals.total_minor` of the cart, and its currency.
    expected_total: MoneyInput,
    /// How they mean to pay.
    payment_method: ChosenMethodInput,
    /// The version of the terms they accept: `terms_version` of the cart.
    #[schema(max_length = 40)]
    terms_version: String,
}

/// Why an order is cancelled.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelBody {
    /// In the customer's or the clerk's words.
    #[schema(max_length = 500)]
    reason: Option<String>,
}

/// An answer about an order: its status, where it is, what it is.
type OrderAnswer = (StatusCode, [(HeaderName, String); 1], Json<OrderView>);

/// Places an order from a cart.
///
/// With `Prefer: wait=N` the answer comes when the order has settled or N seconds have passed; 202
/// means that it has not settled yet. A cart has one living order: placing again answers with it.
#[utoipa::path(post, path = "/carts/{id}/order", tag = "orders",
    params(("id" = CartId, Path), ("Idempotency-Key" = String, Header),
        ("Prefer" = Option<String>, Header, description = "`wait=N`, in seconds")),
    request_body = PlaceOrderBody, security(("guest" = [])),
    responses((status = 200, description = "It has settled", body = OrderView),
        (status = 202, description = "It is accepted", body = OrderView),
        (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub async fn place(
    State(service): State<Arc<Orders>>,
    Path(cart_id): Path<CartId>,
    context: RequestContext,
    key: IdempotencyKey,
    headers: HeaderMap,
    Json(body): Json<PlaceOrderBody>,
) -> Result<OrderAnswer, Error> {
    let access_hash = token_hash(&context.principal)?;
    check_method(&body)?;
    let operation = format!("POST /carts/{cart_id}/order");
    let request = Request::new(&context.principal.scope(), key.as_str(), &operation, &body);
    let PlaceOrderBody { expected_total, payment_method, terms_version } = body;
    let placing = service
        .db
        .write(PlaceOrder {
            shop: Arc::clone(&service.shop),
            cart_id,
            access_hash: access_hash.clone(),
            agreement: Agreement {
                expected_total: expected_total.0,
                payment_method: payment_method.0,
                terms_version,
            },
            request,
            cause: context.cause(cart_id.to_string()),
        })
        .await??;
    let wait = wait(&headers).min(service.shop.longest_wait());
    let (order_id, access) = (placing.order_id(), Access::Token(access_hash));
    let shown = match placing {
        Placing::Now(shown) if wait.is_zero() => *shown,
        Placing::Now(_) | Placing::Before(_) => settle(&service, order_id, &access, wait).await?,
    };
    let status = if is_settled(&shown) { StatusCode::OK } else { StatusCode::ACCEPTED };
    let location = (header::LOCATION, format!("/api/v1/orders/{order_id}"));
    let view = OrderView::new(shown, &access);
    Ok((status, [location], Json(view)))
}

/// Shows an order.
#[utoipa::path(get, path = "/orders/{id}", tag = "orders", params(("id" = OrderId, Path)),
    security(("guest" = []), ("staff" = [])),
    responses((status = 200, body = OrderView), (status = 404, body = Problem)))]
pub async fn look(
    State(service): State<Arc<Orders>>,
    Path(id): Path<OrderId>,
    context: RequestContext,
) -> Result<Json<OrderView>, Error> {
    let access = access(&context.principal, READERS)?;
    let shown = find(&service, id, &access).await?;
    Ok(Json(OrderView::new(shown, &access)))
}

/// Cancels an order, or asks the warehouse whether it still can be.
///
/// A pending order is cancelled at once. A confirmed one shows `cancel_asked` until the warehouse
/// has answered.
#[utoipa::path(post, path = "/orders/{id}/cancel", tag = "orders", params(("id" = OrderId, Path)),
    request_body = Option<CancelBody>, security(("guest" = []), ("staff" = [])),
    responses((status = 200, description = "It is cancelled", body = OrderView),
        (status = 202, description = "The warehouse is asked", body = OrderView),
        (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub async fn cancel(
    State(service): State<Arc<Orders>>,
    Path(id): Path<OrderId>,
    context: RequestContext,
    body: Option<Json<CancelBody>>,
) -> Result<(StatusCode, Json<OrderView>), Error> {
    let access = access(&context.principal, CLERKS)?;
    let said = body.and_then(|Json(body)| body.reason);
    let reason = said.unwrap_or_else(|| match &access {
        Access::Token(_) => "cancelled by the customer".to_owned(),
        Access::Staff => "cancelled by the shop".to_owned(),
    });
    check_reason(&reason)?;
    let command = Command::Cancel { reason };
    let shown = carry_out(&service, id, &access, command, &context).await?;
    let status = match shown.standing.life.status() {
        Status::Cancelled => StatusCode::OK,
        Status::Pending
        | Status::Confirmed
        | Status::OnHold
        | Status::Failed
        | Status::Expired
        | Status::Completed => StatusCode::ACCEPTED,
    };
    Ok((status, Json(OrderView::new(shown, &access))))
}

/// Carries out a command on one order.
pub(super) async fn carry_out(
    service: &Orders,
    id: OrderId,
    access: &Access,
    command: Command,
    context: &RequestContext,
) -> Result<ShownOrder, Error> {
    let cause = context.cause(id.to_string());
    let unit = CommandOrder { id, access: access.clone(), command, cause };
    service.db.write(unit).await?
}

/// A reason is a line of a sensible length.
pub(super) fn check_reason(reason: &str) -> Result<(), Error> {
    check_text(reason, 1, 500).map_err(|why| Error::wrong("/reason", why))
}

fn check_method(body: &PlaceOrderBody) -> Result<(), Error> {
    let token = body.payment_method.0.token.as_deref().unwrap_or("-");
    let fields = [
        ("/payment_method/code", body.payment_method.0.code.as_str(), 40),
        ("/payment_method/token", token, 200),
        ("/terms_version", body.terms_version.as_str(), 40),
    ];
    let wrong = fields.into_iter().filter_map(|(field, text, max)| {
        let why = check_text(text, 1, max).err()?;
        Some(Wrong { field: field.to_owned(), why })
    });
    let wrong: Vec<_> = wrong.collect();
    if wrong.is_empty() { Ok(()) } else { Err(Error::Wrong(wrong)) }
}

/// Waits until an order has settled, at most so long.
async fn settle(
    service: &Orders,
    id: OrderId,
    access: &Access,
    wait: Duration,
) -> Result<ShownOrder, Error> {
    let clock = service.db.clock();
    let until = clock.now().plus(wait);
    let mut watch = service.db.watch(id.uuid(), Duration::from_millis(500));
    loop {
        let shown = find(service, id, access).await?;
        if is_settled(&shown) || clock.now() >= until {
            return Ok(shown);
        }
        watch.changed(until).await;
    }
}

/// Whether waiting longer is pointless: it is decided, or it is the customer's turn.
fn is_settled(shown: &ShownOrder) -> bool {
    let life = &shown.standing.life;
    life.status() != Status::Pending
        || waits_for(life, &shown.standing.payment.waiting) != Waiting::Nothing
}

/// How long the client prefers to wait (RFC 7240). What cannot be read is no preference.
fn wait(headers: &HeaderMap) -> Duration {
    let prefers = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let seconds = prefers
        .flat_map(|value| value.split([',', ';']))
        .filter_map(|preference| preference.trim().split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("wait"))
        .and_then(|(_, seconds)| seconds.trim().parse().ok());
    Duration::from_secs(seconds.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preference_to_wait_is_found_among_others() {
        let prefer = |value: &'static str| {
            let value = http::HeaderValue::from_static(value);
            wait(&HeaderMap::from_iter([(HeaderName::from_static("prefer"), value)])).as_secs()
        };
        assert_eq!(prefer("wait=10"), 10);
        assert_eq!(prefer("respond-async, Wait = 7"), 7);
        for none in ["", "wait", "wait=-1", "wait=x", "waiting=3"] {
            assert_eq!(prefer(none), 0, "{none}");
        }
    }
}
