//! What the order service hears, as commands of its own.
//!
//! Everything said about an order goes into its timeline; some of it is a command besides. An
//! event about an order that does not exist fails and is parked: the order's row was committed
//! before anybody could hear of it.

use contracts::{
    Envelope, EventData, OrderId, Payload,
    events::{
        CancelRefused, CreditNoteIssued, InvoiceIssued, MessageSent, PaymentActionRequired,
        PaymentAuthorized, PaymentCaptureFailed, PaymentCaptured, PaymentConflicted,
        PaymentDeclined, PaymentNotRequired, PaymentRefunded, PaymentVoided, ProductPublished,
        ProductWithdrawn, ShipmentCancelled, ShipmentCreated, ShipmentDelivered,
        ShipmentDispatched, ShipmentPacked, ShipmentReady, ShipmentShortPicked, StockAllocated,
        StockRejected, StockReleased, StockReserved,
    },
};
use platform::db::{Result, Tx};
use platform::service::{Delivery, Occasion, Reaction, Verdict};
use uuid::Uuid;

use crate::domain::{Command, ParcelNews, PaymentNews};
use crate::handlers::{self, Asked, Outcome};
use crate::offers::NewestOffers;
use crate::shop::Shop;
use crate::store::offers;
use crate::sweep;
use crate::timeline::Entry;

/// Every event the service listens to.
pub const REACTIONS: &[Reaction] = &[
    on::<ProductPublished>("keeps what is offered, unless it knows something newer"),
    on::<ProductWithdrawn>("no longer offers it"),
    on::<StockReserved>("notes it in the timeline"),
    on::<StockRejected>("fails a pending order; its cart reopens"),
    on::<StockAllocated>("confirms a pending order"),
    on::<StockReleased>("cancels an order of which that was asked"),
    on::<CancelRefused>("lets an order go on of which the cancellation was asked"),
    on::<ShipmentCreated>("notes the parcel"),
    on::<ShipmentShortPicked>("reduces the order; gives back what was paid too much"),
    on::<ShipmentPacked>("notes the parcel's progress"),
    on::<ShipmentReady>("notes the parcel's progress"),
    on::<ShipmentDispatched>("reckons the fulfilment status"),
    on::<ShipmentDelivered>("reckons the fulfilment status; completes a settled order"),
    on::<ShipmentCancelled>("notes the parcel's end"),
    on::<PaymentNotRequired>("notes the terms"),
    on::<PaymentActionRequired>("shows the shopper where to go"),
    on::<PaymentAuthorized>("reckons the payment status"),
    on::<PaymentDeclined>("asks for another method; fails a pending order after the last attempt"),
    on::<PaymentCaptured>(
        "reckons the payment status; ends a hold for money; completes what is delivered",
    ),
    on::<PaymentCaptureFailed>("puts a confirmed order on hold"),
    on::<PaymentVoided>("reckons the payment status"),
    on::<PaymentRefunded>("reckons the payment status; completes what is delivered and settled"),
    on::<PaymentConflicted>("puts a confirmed order on hold"),
    on::<InvoiceIssued>("notes it in the timeline"),
    on::<CreditNoteIssued>("notes it in the timeline"),
    on::<MessageSent>("notes it in the timeline"),
];

const fn on<E: EventData>(does: &'static str) -> Reaction {
    Reaction { on: E::KIND, does }
}

/// What a delivery is about.
enum Concern {
    /// A product: it goes to the offers.
    Product,
    /// An order.
    Order(Box<Asked>),
    /// Carts that nobody has touched for long.
    OldCarts,
    /// Nothing that this service knows: a bug in whoever sent it.
    Nothing(String),
}

/// Handles a batch: products first, then all orders together.
///
/// # Errors
/// When the database fails.
pub async fn react(tx: &mut Tx<'_>, shop: &Shop, batch: &[Delivery]) -> Result<Vec<Verdict>> {
    let mut products = NewestOffers::default();
    let mut verdicts: Vec<Option<Verdict>> = Vec::with_capacity(batch.len());
    let (mut asked, mut sweeps) = (Vec::new(), false);
    for delivery in batch {
        verdicts.push(match concern(delivery, &mut products) {
            Concern::Product => Some(Verdict::Done),
            Concern::Order(order) => {
                asked.push(*order);
                None
            }
            Concern::OldCarts => {
                sweeps = true;
                Some(Verdict::Done)
            }
            Concern::Nothing(why) => Some(Verdict::Failed(why)),
        });
    }
    offers::replace(tx, &products.into_products()).await?;
    let mut outcomes = handlers::handle(tx, &asked).await?.into_iter();
    if sweeps {
        sweep::sweep(tx, shop).await?;
    }
    let verdict = |verdict: Option<Verdict>| {
        verdict.unwrap_or_else(|| match outcomes.next() {
            Some(Outcome::Done(_)) => Verdict::Done,
            Some(Outcome::Refused(refusal)) => Verdict::Failed(refusal.to_string()),
            Some(Outcome::Unknown) | None => Verdict::Failed("there is no such order".to_owned()),
        })
    };
    Ok(verdicts.into_iter().map(verdict).collect())
}

fn concern(delivery: &Delivery, products: &mut NewestOffers) -> Concern {
    let (order_id, command, heard) = match &delivery.occasion {
        Occasion::Timer { name, .. } if name == sweep::SWEEP => return Concern::OldCarts,
        Occasion::Timer { name, subject } => match subject.parse() {
            Ok(order_id) if name == handlers::DEADLINE => {
                (order_id, Some(Command::PassDeadline), None)
            }
            Ok(order_id) if name == handlers::CANCEL => (order_id, Some(Command::AskAgain), None),
            Ok(_) | Err(_) => return Concern::Nothing(format!("no timer {name} for {subject}")),
        },
        Occasion::Event(event) => {
            if let Some(product) = ProductPublished::of(&event.payload) {
                products.published(product);
                return Concern::Product;
            }
            if let Some(product) = ProductWithdrawn::of(&event.payload) {
                products.withdrawn(product);
                return Concern::Product;
            }
            match news(&event.payload, event) {
                Some((order_id, command)) => (order_id, command, Some(Entry::heard(event))),
                None => {
                    let kind = event.payload.kind().name;
                    return Concern::Nothing(format!("{kind} is not heard"));
                }
            }
        }
    };
    let cause = delivery.cause().clone().about(order_id.to_string());
    Concern::Order(Box::new(Asked { order_id, command, heard, cause }))
}

/// The order an event is about, and what it means for it.
#[expect(clippy::wildcard_enum_match_arm, reason = "REACTIONS lists what comes here")]
fn news(payload: &Payload, event: &Envelope) -> Option<(OrderId, Option<Command>)> {
    Some(match payload {
        Payload::StockReserved(e) => (e.order_id, None),
        Payload::StockRejected(e) => {
            (e.order_id, Some(Command::HearStockRejected { reason: rejected(e) }))
        }
        Payload::StockAllocated(e) => (e.order_id, Some(Command::HearStockAllocated)),
        Payload::StockReleased(e) => {
            (e.order_id, Some(Command::HearStockReleased { reason: e.reason }))
        }
        Payload::CancelRefused(e) => {
            (e.order_id, Some(Command::HearCancelRefused { reason: e.reason.clone() }))
        }
        Payload::InvoiceIssued(e) => (e.order_id, None),
        Payload::CreditNoteIssued(e) => (e.order_id, None),
        Payload::MessageSent(e) => (e.order_id, None),
        other => {
            return parcel_news(other, event).or_else(|| payment_news(other, event));
        }
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "REACTIONS lists what comes here")]
fn parcel_news(payload: &Payload, event: &Envelope) -> Option<(OrderId, Option<Command>)> {
    let (order_id, shipment_id, news) = match payload {
        Payload::ShipmentCreated(e) => (e.order_id, e.shipment_id, ParcelNews::Created),
        Payload::ShipmentShortPicked(e) => {
            let (missing, cancelled) = (e.missing.clone(), e.shipment_cancelled);
            (e.order_id, e.shipment_id, ParcelNews::ShortPicked { missing, cancelled })
        }
        Payload::ShipmentPacked(e) => (e.order_id, e.shipment_id, ParcelNews::Packed),
        Payload::ShipmentReady(e) => (e.order_id, e.shipment_id, ParcelNews::Ready),
        Payload::ShipmentDispatched(e) => {
            let (lines, carrier) = (e.lines.clone(), e.carrier.clone());
            let news = ParcelNews::Dispatched { lines, carrier, tracking: e.tracking.clone() };
            (e.order_id, e.shipment_id, news)
        }
        Payload::ShipmentDelivered(e) => {
            (e.order_id, e.shipment_id, ParcelNews::Delivered { lines: e.lines.clone() })
        }
        Payload::ShipmentCancelled(e) => (e.order_id, e.shipment_id, ParcelNews::Cancelled),
        _ => return None,
    };
    let (version, refund_id) = (event.version, refund_for(event));
    Some((order_id, Some(Command::HearParcel { shipment_id, version, news, refund_id })))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "REACTIONS lists what comes here")]
fn payment_news(payload: &Payload, event: &Envelope) -> Option<(OrderId, Option<Command>)> {
    let (order_id, news) = match payload {
        Payload::PaymentNotRequired(e) => (e.order_id, PaymentNews::NotRequired { terms: e.terms }),
        Payload::PaymentActionRequired(e) => {
            let (url, expires_at) = (e.url.clone(), e.expires_at);
            (e.order_id, PaymentNews::ActionRequired { url, expires_at })
        }
        Payload::PaymentAuthorized(e) => {
            (e.order_id, PaymentNews::Authorised { amount_minor: e.amount.amount_minor })
        }
        Payload::PaymentDeclined(e) => {
            let (reason, attempts_left) = (e.reason.clone(), e.attempts_left);
            (e.order_id, PaymentNews::Declined { reason, attempts_left })
        }
        Payload::PaymentCaptured(e) => (
            e.order_id,
            PaymentNews::Captured {
                shipment_id: e.shipment_id,
                captured_minor: e.captured_total.amount_minor,
                refunded_minor: e.refunded_total.amount_minor,
            },
        ),
        Payload::PaymentCaptureFailed(e) => {
            let (shipment_id, reason) = (e.shipment_id, e.reason.clone());
            (e.order_id, PaymentNews::CaptureFailed { shipment_id, reason })
        }
        Payload::PaymentVoided(e) => (e.order_id, PaymentNews::Voided),
        Payload::PaymentRefunded(e) => (
            e.order_id,
            PaymentNews::Refunded {
                captured_minor: e.captured_total.amount_minor,
                refunded_minor: e.refunded_total.amount_minor,
            },
        ),
        Payload::PaymentConflicted(e) => {
            (e.order_id, PaymentNews::Conflicted { reason: e.reason.clone() })
        }
        _ => return None,
    };
    let (version, refund_id) = (event.version, refund_for(event));
    Some((order_id, Some(Command::HearPayment { version, news, refund_id })))
}

/// The id of the refund that an event may lead to: the same whenever it is delivered.
fn refund_for(event: &Envelope) -> Uuid {
    Uuid::new_v5(&event.id.uuid(), b"refund")
}

fn rejected(event: &StockRejected) -> String {
    let missing: Vec<String> = event
        .missing
        .iter()
        .map(|missing| match missing.quantity {
            ..=0 => format!("{} is sold out", missing.sku),
            left => format!("only {left} of {} are left", missing.sku),
        })
        .collect();
    if missing.is_empty() { "the goods are sold out".to_owned() } else { missing.join("; ") }
}
