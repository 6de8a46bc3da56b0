//! From what other services say to what the warehouse is asked.

use std::collections::BTreeSet;

use contracts::events::OrderPlaced;
use contracts::{Envelope, LineId, Money, OrderId, Payload, ShipmentId, Timestamp, kinds};
use platform::db::{Result, Tx};
use platform::planted::{self, Bug};
use platform::service::{Delivery, Occasion, Verdict};

use crate::availability::Availability;
use crate::config::Config;
use crate::domain::{Command, Funds, MoneyNews, OrderFile, OrderLine, Refusal, Standing};
use crate::handlers::{self, ANNOUNCE, Ask, SWEEP};

/// What a delivery is about.
enum Meaning {
    /// An order's claim.
    Claim(OrderId, Command),
    /// Holds that may have run out.
    Sweep,
    /// Changes that were not announced.
    Announce,
    /// Nothing that makes sense, and why.
    Nonsense(String),
}

/// Reacts to a batch: all claims together, then what has to be tidied and told.
pub(crate) async fn react(
    tx: &mut Tx<'_>,
    config: &Config,
    availability: &Availability,
    batch: &[Delivery],
) -> Result<Vec<Verdict>> {
    let meanings: Vec<Meaning> =
        batch.iter().map(|delivery| meaning(tx, config, &delivery.occasion)).collect();
    let mut asks = Vec::with_capacity(batch.len());
    let (mut sweep, mut announce) = (false, false);
    let mut verdicts = Vec::with_capacity(batch.len());
    for (delivery, meaning) in batch.iter().zip(meanings) {
        verdicts.push(match meaning {
            Meaning::Claim(order, command) => {
                asks.push(Ask { order, command, cause: delivery.cause().clone() });
                None
            }
            Meaning::Sweep => {
                sweep = true;
                Some(Verdict::Done)
            }
            Meaning::Announce => {
                announce = true;
                Some(Verdict::Done)
            }
            Meaning::Nonsense(why) => Some(Verdict::Failed(why)),
        });
    }
    if sweep {
        // Behind the others, in the same go: rows are touched once, in the order of their keys.
        asks.extend(handlers::to_sweep(tx).await?);
    }
    let mut outcomes = handlers::handle(tx, config, &asks).await?.into_iter().map(verdict);
    if announce {
        handlers::announce(tx, config, availability).await?;
    }
    let verdicts = verdicts.into_iter().map(|known| known.or_else(|| outcomes.next()));
    Ok(verdicts.map(|verdict| verdict.unwrap_or(Verdict::Done)).collect())
}

fn verdict(outcome: std::result::Result<(), Refusal>) -> Verdict {
    match outcome {
        Ok(()) => Verdict::Done,
        Err(refusal @ (Refusal::NotKnownYet | Refusal::NotThereYet { .. })) => {
            Verdict::NotYet(refusal.to_string())
        }
        Err(
            refusal @ (Refusal::NoSuchParcel
            | Refusal::OrderOnHold
            | Refusal::NotPacked
            | Refusal::NotPaid
            | Refusal::AlreadyPacked
            | Refusal::AlreadyLeft
            | Refusal::NotDispatched
            | Refusal::ParcelCancelled
            | Refusal::TooManyParcels
            | Refusal::NotInParcel { .. }
            | Refusal::NothingToSplit
            | Refusal::NotOnTheShelf { .. }),
        ) => Verdict::Failed(refusal.to_string()),
    }
}

fn meaning(tx: &Tx<'_>, config: &Config, occasion: &Occasion) -> Meaning {
    match occasion {
        Occasion::Event(event) => of_event(tx, config, event),
        Occasion::Timer { name, .. } if name == SWEEP => Meaning::Sweep,
        Occasion::Timer { name, .. } if name == ANNOUNCE => Meaning::Announce,
        Occasion::Timer { name, .. } => Meaning::Nonsense(format!("no timer is called {name}")),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "REACTIONS lists what comes here")]
fn of_event(tx: &Tx<'_>, config: &Config, event: &Envelope) -> Meaning {
    let version = event.version;
    match &event.payload {
        Payload::OrderPlaced(placed) => hold(config, placed, tx.now()),
        Payload::OrderConfirmed(order) => {
            let first_parcel: ShipmentId = tx.id::<kinds::Shipment>();
            Meaning::Claim(order.order_id, Command::Confirm { first_parcel })
        }
        Payload::OrderFailed(order) => Meaning::Claim(order.order_id, Command::End),
        Payload::OrderExpired(order) => Meaning::Claim(order.order_id, Command::End),
        Payload::OrderCancelled(order) => Meaning::Claim(order.order_id, Command::End),
        Payload::OrderCancelRequested(order) => Meaning::Claim(order.order_id, Command::TakeBack),
        Payload::OrderPutOnHold(order) => {
            Meaning::Claim(order.order_id, Command::PutOnHold { version })
        }
        Payload::OrderResumed(order) => Meaning::Claim(order.order_id, Command::Resume { version }),
        Payload::OrderReduced(order) => {
            Meaning::Claim(order.order_id, Command::NoteOwed(order.owed))
        }
        Payload::PaymentActionRequired(payment) => {
            Meaning::Claim(payment.order_id, Command::Extend { until: payment.expires_at })
        }
        Payload::PaymentNotRequired(payment) => {
            let news = MoneyNews::NotRequired { owed: payment.owed, terms: payment.terms };
            Meaning::Claim(payment.order_id, Command::NoteMoney(news))
        }
        Payload::PaymentAuthorized(payment) if planted::is(Bug::ShipsUnpaid) => {
            let news = MoneyNews::Captured { total: payment.amount, parcel: None };
            Meaning::Claim(payment.order_id, Command::NoteMoney(news))
        }
        Payload::PaymentAuthorized(payment) => {
            let news = MoneyNews::Authorised { amount: payment.amount };
            Meaning::Claim(payment.order_id, Command::NoteMoney(news))
        }
        Payload::PaymentCaptured(payment) => {
            let (total, parcel): (Money, _) = (payment.captured_total, payment.shipment_id);
            let news = MoneyNews::Captured { total, parcel };
            Meaning::Claim(payment.order_id, Command::NoteMoney(news))
        }
        other => Meaning::Nonsense(format!("nothing is done about {}", other.kind().name)),
    }
}

fn hold(config: &Config, placed: &OrderPlaced, now: Timestamp) -> Meaning {
    let distinct: BTreeSet<LineId> = placed.lines.iter().map(|line| line.line_id).collect();
    if distinct.len() != placed.lines.len() {
        return Meaning::Nonsense("a line occurs twice".to_owned());
    }
    if placed.lines.iter().any(|line| line.quantity < 1) {
        return Meaning::Nonsense("a line has no pieces".to_owned());
    }
    let (expires_at, hold_at_most) =
        config.hold(&placed.payment_method.code, placed.placed_at, now);
    let lines = placed.lines.iter().map(|line| OrderLine {
        line_id: line.line_id,
        sku: line.sku.clone(),
        quantity: line.quantity,
        requires_shipping: line.requires_shipping,
    });
    let file = OrderFile {
        number: placed.number.clone(),
        lines: lines.collect(),
        owed: placed.total,
        hold_at_most,
        funds: Funds::default(),
        standing: Standing::default(),
    };
    Meaning::Claim(placed.order_id, Command::Hold { file: Box::new(file), expires_at })
}
