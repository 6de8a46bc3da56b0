//! What guests and staff do with payments.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use contracts::events::ChosenMethod;
use contracts::{ChosenMethodInput, Currency, Money, MoneyInput, PaymentId};
use platform::cause::Cause;
use platform::db::{Result as DbResult, Tx, Unit};
use platform::http::extract::{Json, Path};
use platform::http::{IdempotencyKey, Principal, Problem, RequestContext, Staff};
use platform::kernel::idempotency::{Known, Request};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::access::{Access, KEEPERS};
use super::fields::{no_card_number, words};
use super::payments::view;
use super::views::PaymentView;
use crate::config::Config;
use crate::domain::{Account, Command, Status};
use crate::handlers::{self, Ask, Does, NotDone};
use crate::provider::Look;
use crate::store;
use crate::{Error, PaymentService};

/// Money that a person has received.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Collection {
    /// How much came.
    amount: MoneyInput,
    /// Where it is noted: the carrier's receipt, a line of a statement.
    #[schema(min_length = 1, max_length = 200)]
    reference: String,
    /// Whether it is meant to differ from what is due: part of it, more than it, or money that came
    /// after the order had ended. Without this only exactly what is due is taken.
    #[serde(default)]
    differs: bool,
}

/// Money that a person has given back.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PayingOut {
    /// Which refund; none when the order has ended and everything went back.
    #[serde(default)]
    refund_id: Option<Uuid>,
}

/// Pays with another method, while the payment waits for one.
#[utoipa::path(post, path = "/payments/{id}/method", tag = "payments",
    params(("id" = PaymentId, Path), ("Idempotency-Key" = String, Header)), request_body = ChosenMethodInput,
    security(("staff" = []), ("guest" = [])),
    responses((status = 200, body = PaymentView), (status = 400, body = Problem), (status = 404, body = Problem),
              (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn choose_method(
    State(service): State<Arc<PaymentService>>,
    Path(id): Path<PaymentId>,
    context: RequestContext,
    key: IdempotencyKey,
    Json(body): Json<ChosenMethodInput>,
) -> Result<Json<PaymentView>, Error> {
    let access = Access::of(&context.principal)?;
    let ChosenMethod { code, token } = body.0.clone();
    let method = service.config.method(&code);
    let method =
        method.ok_or_else(|| Problem::validation("/code", "should be a method we have"))?;
    if let Some(token) = &token {
        words("/token", token, 200)?;
        no_card_number("/token", token)?;
    }
    let command = Command::ChooseMethod { method, token };
    let request = asked(&context.principal, &key, "method", id, &body);
    carry_out(&service, id, access, command, request, context.cause(id.to_string())).await
}

/// Notes money that came by hand: cash at the door, a transfer found on a statement.
#[utoipa::path(post, path = "/payments/{id}/collect", tag = "payments",
    params(("id" = PaymentId, Path), ("Idempotency-Key" = String, Header)), request_body = Collection,
    security(("staff" = [])),
    responses((status = 200, body = PaymentView), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
              (status = 422, body = Problem)))]
pub(super) async fn collect(
    State(service): State<Arc<PaymentService>>,
    Path(id): Path<PaymentId>,
    staff: Staff,
    context: RequestContext,
    key: IdempotencyKey,
    Json(body): Json<Collection>,
) -> Result<Json<PaymentView>, Error> {
    staff.require(KEEPERS)?;
    let reference = words("/reference", &body.reference, 200)?;
    let command = Command::Collect { amount: body.amount.0, reference, differs: body.differs };
    let request = asked(&context.principal, &key, "collect", id, &body);
    carry_out(&service, id, Access::Staff, command, request, context.cause(id.to_string())).await
}

/// Notes money that was given back by hand.
#[utoipa::path(post, path = "/payments/{id}/pay-out", tag = "payments",
    params(("id" = PaymentId, Path), ("Idempotency-Key" = String, Header)), request_body = PayingOut,
    security(("staff" = [])),
    responses((status = 200, body = PaymentView), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
              (status = 422, body = Problem)))]
pub(super) async fn pay_out(
    State(service): State<Arc<PaymentService>>,
    Path(id): Path<PaymentId>,
    staff: Staff,
    context: RequestContext,
    key: IdempotencyKey,
    Json(body): Json<PayingOut>,
) -> Result<Json<PaymentView>, Error> {
    staff.require(KEEPERS)?;
    let command = Command::PayOut { refund_id: body.refund_id };
    let request = asked(&context.principal, &key, "pay-out", id, &body);
    carry_out(&service, id, Access::Staff, command, request, context.cause(id.to_string())).await
}

/// Tries again what the provider refused: captures, refunds, giving up.
#[utoipa::path(post, path = "/payments/{id}/retry", tag = "payments",
    params(("id" = PaymentId, Path), ("Idempotency-Key" = String, Header)), security(("staff" = [])),
    responses((status = 200, body = PaymentView), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn retry(
    State(service): State<Arc<PaymentService>>,
    Path(id): Path<PaymentId>,
    staff: Staff,
    context: RequestContext,
    key: IdempotencyKey,
) -> Result<Json<PaymentView>, Error> {
    staff.require(KEEPERS)?;
    let request = asked(&context.principal, &key, "retry", id, &());
    let cause = context.cause(id.to_string());
    carry_out(&service, id, Access::Staff, Command::Retry, request, cause).await
}

/// Settles a contradiction by what the provider says now: it is asked afresh. What it says is taken
/// over where it is as it should be, and of an order that has ended everything it holds goes back;
/// otherwise the problem says what was found.
#[utoipa::path(post, path = "/payments/{id}/settle", tag = "payments",
    params(("id" = PaymentId, Path), ("Idempotency-Key" = String, Header)), security(("staff" = [])),
    responses((status = 200, body = PaymentView), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
              (status = 503, body = Problem)))]
pub(super) async fn settle(
    State(service): State<Arc<PaymentService>>,
    Path(id): Path<PaymentId>,
    staff: Staff,
    context: RequestContext,
    key: IdempotencyKey,
) -> Result<Json<PaymentView>, Error> {
    staff.require(KEEPERS)?;
    let request = asked(&context.principal, &key, "settle", id, &());
    let cause = context.cause(id.to_string());
    // A repeat of what was settled is answered without asking anybody.
    let contradicts = service.db.read(Contradiction(id)).await?.ok_or(Error::NotFound)?;
    let account = match contradicts {
        None => Account {
            reference: String::new(),
            authorised: Money::zero(Currency::EUR),
            captured_minor: 0,
            refunded_minor: 0,
        },
        Some((provider, reference)) => look(&service, &provider, &reference).await?,
    };
    carry_out(&service, id, Access::Staff, Command::Settle { account }, request, cause).await
}

async fn look(service: &PaymentService, name: &str, reference: &str) -> Result<Account, Problem> {
    let provider = service.providers.get(name);
    let look = match provider {
        Some(provider) => provider.look(reference).await,
        None => Look::Unknown { why: format!("{name} is not configured") },
    };
    match look {
        Look::Account(account) => Ok(account),
        Look::NotThere => {
            let detail = format!("{name} has no payment {reference}.");
            Err(Problem::new(StatusCode::CONFLICT, "state-conflict", detail))
        }
        Look::Unknown { why } => {
            tracing::warn!(provider = name, why, "a provider could not be asked about a payment");
            Err(Problem::unavailable(Duration::from_secs(10)))
        }
    }
}

/// With which provider a payment contradicts, and the provider's name for it; nothing where it does
/// not.
struct Contradiction(PaymentId);

impl Unit for Contradiction {
    type Out = Option<Option<(String, String)>>;

    async fn run(&self, tx: &mut Tx<'_>) -> DbResult<Self::Out> {
        let found = store::load(tx, &[self.0]).await?.pop();
        Ok(found.map(|stored| {
            let contradicts = stored.payment.status() == Status::Conflicted;
            let held = stored.payment.held().filter(|_| contradicts)?;
            Some((held.method.provider.clone()?, held.reference.clone()))
        }))
    }
}

fn asked(
    principal: &Principal,
    key: &IdempotencyKey,
    what: &str,
    id: PaymentId,
    body: &impl Serialize,
) -> Request {
    let operation = format!("POST /payments/{id}/{what}");
    Request::new(&principal.scope(), key.as_str(), &operation, body)
}

async fn carry_out(
    service: &PaymentService,
    id: PaymentId,
    access: Access,
    command: Command,
    request: Request,
    cause: Cause,
) -> Result<Json<PaymentView>, Error> {
    let config = Arc::clone(&service.config);
    let unit = CarryOut { config, id, access, command, request, cause };
    service.db.write(unit).await?.map(Json)
}

struct CarryOut {
    config: Arc<Config>,
    id: PaymentId,
    access: Access,
    command: Command,
    request: Request,
    cause: Cause,
}

/// What an idempotency key is kept with.
#[derive(Debug, Serialize, Deserialize)]
struct Made {
    payment_id: PaymentId,
}

impl Unit for CarryOut {
    type Out = Result<PaymentView, Error>;

    async fn run(&self, tx: &mut Tx<'_>) -> DbResult<Self::Out> {
        if !self.access.opens(tx, self.id).await? {
            return Ok(Err(Error::NotFound));
        }
        match tx.known::<Made>(&self.request).await? {
            Known::OtherBody => return Ok(Err(Error::KeyReused)),
            Known::Made(made) => {
                let seen = view(tx, made.payment_id, &self.access, &self.config).await?;
                return Ok(seen.ok_or(Error::NotFound));
            }
            Known::New => {}
        }
        let ask = Ask {
            payment_id: self.id,
            does: Does::Command(self.command.clone()),
            cause: self.cause.clone(),
        };
        match handlers::handle(tx, &self.config, &[ask]).await?.pop() {
            Some(Ok(())) => {}
            Some(Err(NotDone::NotKnown)) | None => return Ok(Err(Error::NotFound)),
            Some(Err(NotDone::Refused(refusal))) => return Ok(Err(refusal.into())),
        }
        tx.remember(&self.request, &Made { payment_id: self.id }).await?;
        Ok(view(tx, self.id, &self.access, &self.config).await?.ok_or(Error::NotFound))
    }
}
