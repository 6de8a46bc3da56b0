//! Providers' webhooks. A webhook is news, not proof: it is kept word for word, and the provider is
//! asked how the payment stands.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use contracts::{Money, PaymentId, Timestamp};
use platform::cause::Cause;
use platform::db::{Result as DbResult, Tx, Unit};
use platform::http::extract::{Json, Path, Query, RawBody};
use platform::http::{CursorText, Cursors, Limit, List, Problem, RequestContext, Staff};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::access::KEEPERS;

use crate::config::Config;
use crate::domain::{Command, Payment};
use crate::handlers::{self, Ask, Does};
use crate::provider::{SignatureError, WebhookEvent};
use crate::store::{self, Place, QuarantinedRow, WebhookRow};
use crate::{Error, PaymentService};

/// What became of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reception {
    /// The provider is asked about it.
    Asked,
    /// It says nothing that was not known.
    NothingNew,
    /// It does not fit what we know: it is kept for a person.
    Quarantined,
}

/// The answer to a webhook.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Received {
    /// What became of it.
    outcome: Reception,
}

/// Takes a provider's webhook. Its signature is checked over the body as it came.
#[utoipa::path(post, path = "/payments/webhooks/{provider}", tag = "payments",
    params(("provider" = String, Path)), request_body(content = String, content_type = "application/json"),
    responses((status = 200, body = Received), (status = 202, body = Received),
              (status = 401, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn take(
    State(service): State<Arc<PaymentService>>,
    Path(provider): Path<String>,
    context: RequestContext,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<(StatusCode, Json<Received>), Error> {
    let reader = service.providers.get(&provider).ok_or(Error::NotFound)?;
    let body = String::from_utf8(body.into()).map_err(|_| SignatureError::Unreadable)?;
    let event = reader.read_webhook(&headers, &body, context.now())?;
    let story = event.payment_id.map_or_else(|| event.id.clone(), |id| id.to_string());
    let config = Arc::clone(&service.config);
    let unit = Take { config, provider, event, body, cause: context.cause(story) };
    let outcome = service.db.write(unit).await?;
    let status = match outcome {
        Reception::Asked | Reception::NothingNew => StatusCode::OK,
        Reception::Quarantined => StatusCode::ACCEPTED,
    };
    Ok((status, Json(Received { outcome })))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuarantined {
    /// How many.
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(inline)]
    cursor: Option<CursorText>,
}

/// A webhook that does not fit what we know.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct QuarantinedView {
    /// Whose.
    provider: String,
    /// The provider's id for it.
    event_id: String,
    /// What happened, in the provider's word.
    kind: String,
    /// Which payment it is about, as far as we know.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>)]
    payment_id: Option<PaymentId>,
    /// What does not fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// What it said, word for word.
    body: String,
    /// When it came.
    received_at: Timestamp,
}

/// Webhooks that were signed and do not fit what we know, the latest first. They are removed after
/// 90 days, as all webhooks are.
#[utoipa::path(get, path = "/payments/webhooks/quarantine", tag = "payments", params(ListQuarantined),
    security(("staff" = [])),
    responses((status = 200, body = List<QuarantinedView>), (status = 401, body = Problem),
              (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn quarantine(
    State(service): State<Arc<PaymentService>>,
    staff: Staff,
    cursors: Cursors,
    Query(query): Query<ListQuarantined>,
) -> Result<Json<List<QuarantinedView>>, Error> {
    staff.require(KEEPERS)?;
    let below: Option<Place> = cursors.open("quarantine", query.cursor.as_ref())?;
    let page = Quarantined { below, limit: query.limit.and_one() };
    let rows = service.db.read(page).await?;
    let page = List::of(rows, query.limit, |last| {
        let place: Place = (last.received_at, last.provider.clone(), last.event_id.clone());
        cursors.seal("quarantine", &place)
    });
    Ok(Json(page.map(|row| QuarantinedView {
        provider: row.provider,
        event_id: row.event_id,
        kind: row.kind,
        payment_id: row.payment_id,
        why: row.why,
        body: row.body,
        received_at: row.received_at,
    })))
}

struct Quarantined {
    below: Option<Place>,
    limit: i64,
}

impl Unit for Quarantined {
    type Out = Vec<QuarantinedRow>;

    async fn run(&self, tx: &mut Tx<'_>) -> DbResult<Self::Out> {
        store::quarantined(tx, self.below.as_ref(), self.limit).await
    }
}

struct Take {
    config: Arc<Config>,
    provider: String,
    event: WebhookEvent,
    body: String,
    cause: Cause,
}

impl Unit for Take {
    type Out = Reception;

    async fn run(&self, tx: &mut Tx<'_>) -> DbResult<Reception> {
        let found = match self.event.payment_id {
            Some(id) => store::load(tx, &[id]).await?.pop(),
            None => None,
        };
        let payment = found.map(|stored| stored.payment);
        let doubt = match &payment {
            None => Some("it is about no payment of ours"),
            Some(payment) => doubt(payment, &self.event),
        };
        let open = payment.as_ref().is_some_and(|payment| payment.in_doubt().next().is_some());
        let outcome = match (doubt, open) {
            (Some(_), _) => Reception::Quarantined,
            (None, true) => Reception::Asked,
            (None, false) => Reception::NothingNew,
        };
        let row = WebhookRow {
            provider: &self.provider,
            event_id: &self.event.id,
            kind: &self.event.kind,
            payment_id: payment.as_ref().map(|payment| payment.id),
            outcome: match outcome {
                Reception::Asked => "asked",
                Reception::NothingNew => "nothing_new",
                Reception::Quarantined => "quarantined",
            },
            why: doubt,
            body: &self.body,
        };
        if !store::insert_webhook(tx, &row).await? {
            return Ok(Reception::NothingNew);
        }
        if doubt.is_some() {
            metrics::counter!("payment_webhooks_quarantined_total").increment(1);
        }
        // Even what does not fit is a reason to ask.
        if let Some(payment) = payment.filter(|_| open) {
            let does = Does::Command(Command::Ask);
            let ask = Ask { payment_id: payment.id, does, cause: self.cause.clone() };
            handlers::handle(tx, &self.config, &[ask]).await?;
        }
        Ok(outcome)
    }
}

/// What does not fit in a webhook, if anything.
fn doubt(payment: &Payment, event: &WebhookEvent) -> Option<&'static str> {
    let Money { amount_minor, currency } = event.amount?;
    if currency != payment.currency {
        return Some("its currency is not the payment's");
    }
    let held = payment.held().filter(|held| held.reference == event.reference);
    let known = held.map(|held| held.authorised_minor);
    let asked = payment.open_operation().map(|operation| operation.amount_minor);
    let fits = known.or(asked).is_none_or(|expected| expected == amount_minor)
        || amount_minor == payment.total_minor;
    (!fits).then_some("its amount is not the payment's")
}
