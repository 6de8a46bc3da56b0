//! From what other services say to what is asked of a payment.

use std::time::Duration;

use contracts::events::{OrderPlaced, OrderReduced, RefundGranted, ShipmentPacked};
use contracts::{Envelope, OrderId, Payload, PaymentId, Timestamp};
use platform::db::{Result, Tx};
use platform::service::{Delivery, Occasion, Verdict};

use crate::config::Config;
use crate::domain::document::Person;
use crate::domain::{Bill, Command, EndReason, Payment, Reduction, Refusal};
use crate::handlers::{self, ASK, Ask, Does, NotDone};
use crate::store::{self, Stored};

/// The timer that looks for what has been forgotten.
pub(crate) const SWEEP: &str = "payment.sweep";

/// How long an operation may be under way before somebody asks.
const PATIENCE: Duration = Duration::from_secs(900);

/// How long before an authorisation ends staff are told.
const NOTICE: Duration = Duration::from_secs(86_400);

/// How many payments one sweep looks at.
const SWEPT: i64 = 500;

/// How long what providers' webhooks said is kept.
const WEBHOOKS_KEPT: Duration = Duration::from_secs(90 * 86_400);

/// The beginning of the month in which the day before was: until then everything is committed.
fn month_before(now: Timestamp) -> Timestamp {
    let yesterday = now.minus(Duration::from_secs(86_400));
    let days = u64::try_from(yesterday.date_in("UTC").day()).unwrap_or(1).saturating_sub(1);
    let midnight = yesterday.micros().div_euclid(DAY_MICROS).saturating_mul(DAY_MICROS);
    Timestamp::from_micros(midnight).minus(Duration::from_secs(days * 86_400))
}

const DAY_MICROS: i64 = 86_400_000_000;

/// A payment has the id of its order: there is exactly one.
pub(crate) const fn payment_of(order_id: OrderId) -> PaymentId {
    PaymentId::from_uuid(order_id.uuid())
}

/// Reacts to a batch.
pub(crate) async fn react(
    tx: &mut Tx<'_>,
    config: &Config,
    batch: &[Delivery],
) -> Result<Vec<Verdict>> {
    let mut asks = Vec::with_capacity(batch.len());
    let mut verdicts = Vec::with_capacity(batch.len());
    for delivery in batch {
        let meaning = match &delivery.occasion {
            Occasion::Event(event) => of_event(tx, config, event),
            Occasion::Timer { name, .. } if name == SWEEP => {
                asks.extend(sweep(tx, delivery).await?);
                verdicts.push(Ok(Verdict::Done));
                continue;
            }
            Occasion::Timer { name, subject } => of_timer(name, subject),
        };
        match meaning {
            Some((payment_id, does)) => {
                verdicts.push(Err(asks.len()));
                asks.push(Ask { payment_id, does, cause: delivery.cause().clone() });
            }
            None => {
                let what = "this is not what the payment service listens to";
                verdicts.push(Ok(Verdict::Failed(what.to_owned())));
            }
        }
    }
    let done = handlers::handle(tx, config, &asks).await?;
    let verdict = |given: std::result::Result<Verdict, usize>| match given {
        Ok(verdict) => verdict,
        Err(place) => done.get(place).map_or(Verdict::Done, verdict_of),
    };
    Ok(verdicts.into_iter().map(verdict).collect())
}

fn verdict_of(done: &std::result::Result<(), NotDone>) -> Verdict {
    match done {
        Ok(()) => Verdict::Done,
        Err(early @ (NotDone::NotKnown | NotDone::Refused(Refusal::NotAuthorised(_)))) => {
            Verdict::NotYet(early.to_string())
        }
        Err(NotDone::Refused(refusal)) => Verdict::Failed(refusal.to_string()),
    }
}

fn of_timer(name: &str, subject: &str) -> Option<(PaymentId, Does)> {
    let payment_id = subject.parse().ok()?;
    (name == ASK).then_some((payment_id, Does::Command(Command::Ask)))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "REACTIONS lists what comes here")]
fn of_event(tx: &Tx<'_>, config: &Config, event: &Envelope) -> Option<(PaymentId, Does)> {
    let end = |order_id: OrderId, how| (order_id, Command::EndOrder { how });
    let (order_id, command) = match &event.payload {
        Payload::OrderPlaced(placed) => {
            let noted = Does::Note(Box::new(noted(tx, config, placed)));
            return Some((payment_of(placed.order_id), noted));
        }
        Payload::StockReserved(reserved) => (reserved.order_id, Command::Begin),
        Payload::ShipmentPacked(packed) => (packed.order_id, pack(packed)),
        Payload::OrderFailed(failed) => end(failed.order_id, EndReason::Failed),
        Payload::OrderExpired(expired) => end(expired.order_id, EndReason::Expired),
        Payload::OrderCancelled(cancelled) => end(cancelled.order_id, EndReason::Cancelled),
        Payload::OrderReduced(reduced) => (reduced.order_id, reduce(reduced, event.version)),
        Payload::RefundGranted(granted) => (granted.order_id, refund(granted)),
        _ => return None,
    };
    Some((payment_of(order_id), Does::Command(command)))
}

fn noted(tx: &Tx<'_>, config: &Config, placed: &OrderPlaced) -> Stored {
    let method = config.method(&placed.payment_method.code);
    let shipped = placed.shipping.as_ref().map(|shipping| shipping.address.clone());
    Stored {
        payment: Payment::noted(payment_of(placed.order_id), placed, method),
        bill: Bill::of(placed),
        person: Person {
            address: placed.buyer.billing.clone().or(shipped),
            email: placed.buyer.email.clone(),
        },
        access_hash: placed.access_hash.clone(),
        version: 0,
        created_at: tx.now(),
    }
}

fn pack(packed: &ShipmentPacked) -> Command {
    Command::Pack { shipment_id: packed.shipment_id, lines: packed.lines.clone() }
}

fn reduce(reduced: &OrderReduced, version: i64) -> Command {
    Command::Reduce(Reduction {
        version,
        lines: reduced.lines.clone(),
        amounts: reduced.amounts.clone(),
        owed_minor: reduced.owed.amount_minor,
    })
}

fn refund(granted: &RefundGranted) -> Command {
    Command::GrantRefund {
        refund_id: granted.refund_id,
        amount_minor: granted.total.amount_minor,
        amounts: granted.amounts.clone(),
        line_id: granted.line_id,
        reason: granted.reason.clone(),
    }
}

/// Asks about operations that have been under way too long, tells of authorisations that end soon,
/// and comes again in an hour.
async fn sweep(tx: &mut Tx<'_>, delivery: &Delivery) -> Result<Vec<Ask>> {
    let now = tx.now();
    let ending = store::ending(tx, now.plus(NOTICE), SWEPT).await?;
    metrics::counter!("payment_authorisations_ending_total")
        .increment(u64::try_from(ending.len()).unwrap_or(0));
    let waiting = store::waiting(tx, now.minus(PATIENCE), SWEPT).await?;
    store::forget_webhooks(tx, now.minus(WEBHOOKS_KEPT), SWEPT).await?;
    store::sum_up(tx, month_before(now)).await?;
    set_sweep(tx, delivery.cause());
    let ask = |(payment_id, command)| Ask {
        payment_id,
        does: Does::Command(command),
        cause: delivery.cause().clone(),
    };
    let waiting = waiting.into_iter().map(|payment_id| (payment_id, Command::Ask));
    let ending = ending.into_iter().map(|payment_id| (payment_id, Command::TellEnd));
    Ok(waiting.chain(ending).map(ask).collect())
}

/// Sets the next sweep: at the next full hour, so that setting it often moves nothing.
pub(crate) fn set_sweep(tx: &mut Tx<'_>, cause: &platform::cause::Cause) {
    let next = hour(tx.now()) + 1;
    let due = Timestamp::from_micros(next.saturating_mul(HOUR_MICROS));
    tx.set_timer(SWEEP, "shop", due, cause);
}

const HOUR_MICROS: i64 = 3_600_000_000;

/// The hour a time is in.
pub(crate) const fn hour(at: Timestamp) -> i64 {
    at.micros().div_euclid(HOUR_MICROS)
}
