//! What staff do with orders over HTTP.

use std::sync::Arc;

use axum::extract::State;
use contracts::{LineId, OrderId};
use http::StatusCode;
use platform::http::extract::{Json, Path, Query};
use platform::http::{
    CursorText, Cursors, IdempotencyKey, Limit, List, Problem, RequestContext, Staff,
};
use platform::kernel::idempotency::Request;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::orders::{carry_out, check_reason};
use super::views::OrderView;
use super::{CLERKS, READERS};
use crate::Orders;
use crate::domain::{Command, Status};
use crate::orders::{Access, GrantRefund, ListOrders};
use crate::store::orders::Filter;

/// Which orders to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OrdersQuery {
    /// Only in this state.
    status: Option<Status>,
    /// Only of this buyer.
    email: Option<String>,
    /// Only with this number.
    number: Option<String>,
    /// How many at most.
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
    /// Where the page before ended.
    #[param(inline)]
    cursor: Option<CursorText>,
}

/// Why an order is put on hold.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldBody {
    /// For colleagues; the customer does not see it.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

/// A refund without a return.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefundBody {
    /// How much, in minor units of the order's currency.
    #[schema(minimum = 1)]
    amount_minor: i64,
    /// For which line, where it is for one.
    #[serde(default)]
    line_id: Option<LineId>,
    /// Why.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

/// A refund that was granted. Payment carries it out.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefundView {
    /// The decision.
    refund_id: Uuid,
    /// The order with it.
    order: OrderView,
}

/// Lists orders, newest first.
#[utoipa::path(get, path = "/orders", tag = "orders", params(OrdersQuery), security(("staff" = [])),
    responses((status = 200, body = List<OrderView>), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 422, body = Problem)))]
pub async fn list(
    State(service): State<Arc<Orders>>,
    staff: Staff,
    cursors: Cursors,
    Query(query): Query<OrdersQuery>,
) -> Result<Json<List<OrderView>>, Problem> {
    staff.require(READERS)?;
    let OrdersQuery { status, email, number, limit, cursor } = query;
    let scope = format!("orders {status:?} {email:?} {number:?}");
    let before: Option<OrderId> = cursors.open(&scope, cursor.as_ref())?;
    let filter = Filter { status, email, number };
    let unit = ListOrders { before, filter, limit: limit.and_one() };
    let shown = service.db.read(unit).await.map_err(crate::error::Error::from)?;
    let views = shown.into_iter().map(|shown| OrderView::new(shown, &Access::Staff)).collect();
    Ok(Json(List::of(views, limit, |last: &OrderView| cursors.seal(&scope, &last.id))))
}

/// Puts a confirmed order on hold: nothing leaves the house.
#[utoipa::path(post, path = "/orders/{id}/hold", tag = "orders", params(("id" = OrderId, Path)),
    request_body = HoldBody, security(("staff" = [])),
    responses((status = 200, body = OrderView), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn hold(
    State(service): State<Arc<Orders>>,
    Path(id): Path<OrderId>,
    staff: Staff,
    context: RequestContext,
    Json(body): Json<HoldBody>,
) -> Result<Json<OrderView>, Problem> {
    staff.require(CLERKS)?;
    check_reason(&body.reason)?;
    let command = Command::PutOnHold { reason: body.reason };
    let shown = carry_out(&service, id, &Access::Staff, command, &context).await?;
    Ok(Json(OrderView::new(shown, &Access::Staff)))
}

/// Lets an order that is on hold go on.
#[utoipa::path(post, path = "/orders/{id}/resume", tag = "orders", params(("id" = OrderId, Path)),
    security(("staff" = [])),
    responses((status = 200, body = OrderView), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub async fn resume(
    State(service): State<Arc<Orders>>,
    Path(id): Path<OrderId>,
    staff: Staff,
    context: RequestContext,
) -> Result<Json<OrderView>, Problem> {
    staff.require(CLERKS)?;
    let command = Command::Resume { refund_id: service.db.ids().id::<Uuid>().uuid() };
    let shown = carry_out(&service, id, &Access::Staff, command, &context).await?;
    Ok(Json(OrderView::new(shown, &Access::Staff)))
}

/// Grants a refund without a return: goodwill, a lost parcel.
#[utoipa::path(post, path = "/orders/{id}/refunds", tag = "orders",
    params(("id" = OrderId, Path), ("Idempotency-Key" = String, Header)),
    request_body = RefundBody, security(("staff" = [])),
    responses((status = 201, body = RefundView), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn refund(
    State(service): State<Arc<Orders>>,
    Path(id): Path<OrderId>,
    staff: Staff,
    context: RequestContext,
    key: IdempotencyKey,
    Json(body): Json<RefundBody>,
) -> Result<(StatusCode, Json<RefundView>), Problem> {
    staff.require(CLERKS)?;
    check_reason(&body.reason)?;
    let operation = format!("POST /orders/{id}/refunds");
    let request = Request::new(&context.principal.scope(), key.as_str(), &operation, &body);
    let RefundBody { amount_minor, line_id, reason } = body;
    let cause = context.cause(id.to_string());
    let unit = GrantRefund { id, amount_minor, line_id, reason, request, cause };
    let granted = service.db.write(unit).await.map_err(crate::error::Error::from)?;
    let (refund_id, shown) = granted?;
    let order = OrderView::new(shown, &Access::Staff);
    Ok((StatusCode::CREATED, Json(RefundView { refund_id, order })))
}
