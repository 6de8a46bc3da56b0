//! HTTP in, HTTP out: what was written to customers, for staff.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use contracts::{Actor, MessageId, OrderId, Timestamp};
use platform::http::extract::{Json, Path, Query};
use platform::http::{
    CursorText, Cursors, IdempotencyKey, Limit, List, Problem, RequestContext, Role, Staff,
};
use platform::kernel::idempotency::Request;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::domain::{Stage, Status};
use crate::handlers::Resend;
use crate::store::{self, Letter, LetterById};
use crate::{Error, Notifications};

/// The routes, below `/api/v1`.
pub fn routes(service: Arc<Notifications>) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(read))
        .routes(routes!(resend))
        .with_state(service)
}

/// A message to a customer.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageView {
    /// Its id.
    id: MessageId,
    /// About which order.
    order_id: OrderId,
    /// The order's number.
    order_number: String,
    /// What it is about.
    stage: Stage,
    /// To whom it goes.
    recipient: String,
    /// Where it is on its way.
    status: Status,
    /// Why it cannot be delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Which copy: 0 is the one the event made, others were sent by staff.
    copy: i64,
    /// On whose behalf: `service:notification`, or a member of staff for a further copy.
    actor: Actor,
    /// When it was made.
    created_at: Timestamp,
    /// When it was sent, or found undeliverable.
    #[serde(skip_serializing_if = "Option::is_none")]
    settled_at: Option<Timestamp>,
}

impl From<Letter> for MessageView {
    fn from(letter: Letter) -> Self {
        Self {
            id: letter.id,
            order_id: letter.order_id,
            order_number: letter.brief.number,
            stage: letter.stage,
            recipient: letter.brief.email,
            status: letter.status,
            reason: letter.reason,
            copy: letter.copy,
            actor: letter.actor,
            created_at: letter.created_at,
            settled_at: letter.settled_at,
        }
    }
}

/// A message with what it says, written out with the templates of today.
#[derive(Debug, Serialize, ToSchema)]
pub struct WholeMessage {
    /// What is known of it.
    message: MessageView,
    /// The mail's headers.
    headers: Vec<HeaderView>,
    /// Its subject.
    subject: String,
    /// Its plain text.
    text: String,
    /// Its HTML.
    html: String,
}

/// A header of a mail.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeaderView {
    /// Its name.
    name: String,
    /// Its value, as it is sent.
    value: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListMessages {
    /// Only those about this order.
    #[param(inline)]
    order_id: Option<OrderId>,
    /// How many.
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(inline)]
    cursor: Option<CursorText>,
}

/// Messages to customers, the newest first.
#[utoipa::path(get, path = "/messages", tag = "messages", params(ListMessages), security(("staff" = [])),
    responses((status = 200, body = List<MessageView>), (status = 401, body = Problem),
              (status = 403, body = Problem), (status = 422, body = Problem)))]
async fn list(
    State(service): State<Arc<Notifications>>,
    staff: Staff,
    cursors: Cursors,
    Query(query): Query<ListMessages>,
) -> Result<Json<List<MessageView>>, Error> {
    staff.require(&[Role::Support])?;
    let of_order = query.order_id.map(|id| id.to_string()).unwrap_or_default();
    let scope = format!("messages:{of_order}");
    let before = cursors.open(&scope, query.cursor.as_ref())?;
    let page = store::Page { before, order_id: query.order_id, limit: query.limit.and_one() };
    let rows = service.db.read(page).await?;
    let page = List::of(rows, query.limit, |last| cursors.seal(&scope, &last.id));
    Ok(Json(page.map(MessageView::from)))
}

/// One message, with what it says.
#[utoipa::path(get, path = "/messages/{id}", tag = "messages", params(("id" = MessageId, Path)), security(("staff" = [])),
    responses((status = 200, body = WholeMessage), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn read(
    State(service): State<Arc<Notifications>>,
    staff: Staff,
    Path(id): Path<MessageId>,
) -> Result<Json<WholeMessage>, Error> {
    staff.require(&[Role::Support])?;
    let letter = service.db.read(LetterById(id)).await?.ok_or(Error::NotFound)?;
    let (mail, rendered) = service.mail_of(&letter)?;
    Ok(Json(WholeMessage {
        message: letter.into(),
        headers: headers(&mail.message.headers().to_string()),
        subject: rendered.subject,
        text: rendered.text,
        html: rendered.html,
    }))
}

/// Sends a message again: a further copy of one that was sent or could not be delivered, or the
/// message itself where its sending was given up after days.
#[utoipa::path(post, path = "/messages/{id}/resend", tag = "messages",
    params(("id" = MessageId, Path), ("Idempotency-Key" = String, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$")),
    security(("staff" = [])),
    responses((status = 202, body = MessageView), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
              (status = 422, body = Problem)))]
async fn resend(
    State(service): State<Arc<Notifications>>,
    staff: Staff,
    Path(id): Path<MessageId>,
    context: RequestContext,
    key: IdempotencyKey,
) -> Result<(StatusCode, Json<MessageView>), Error> {
    staff.require(&[Role::Support])?;
    let operation = "POST /messages/{id}/resend";
    let request = Request::new(&context.principal.scope(), key.as_str(), operation, &id);
    let unit = Resend { id, request, cause: context.cause(id.to_string()) };
    let copy = service.db.write(unit).await??;
    Ok((StatusCode::ACCEPTED, Json(copy.into())))
}

/// The lines of a header section; a folded one is one.
fn headers(section: &str) -> Vec<HeaderView> {
    let unfolded = section.replace("\r\n ", " ").replace("\r\n\t", " ");
    let lines = unfolded.lines().filter_map(|line| line.split_once(": "));
    lines
        .map(|(name, value)| HeaderView { name: name.to_owned(), value: value.to_owned() })
        .collect()
}
