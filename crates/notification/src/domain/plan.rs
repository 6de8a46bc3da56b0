//! Which event makes which message. Each event of the list makes at most one; a repeat of the same
//! event makes the same one, which the store keeps once by (order, stage, part).

use contracts::events::{LineQuantity, Payload};
use contracts::{Envelope, Money, OrderId, Timestamp};
use serde::{Deserialize, Serialize};

use super::stage::Stage;

/// A message to be sent about an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telling {
    /// About which order.
    pub order_id: OrderId,
    /// What it is about.
    pub stage: Stage,
    /// Which of several of the kind: a parcel's id, an invoice's. Empty where there is only one.
    pub part: String,
    /// What the event says that the message should.
    pub facts: Facts,
}

/// What an event says that a message should. Which of these are there follows from the stage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Why. Never what somebody has typed: that was written for somebody else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    /// Where the customer does what has to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How many more times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts_left: Option<i64>,
    /// How much it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// A document's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// Who carries the parcel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    /// The carrier's number for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking: Option<String>,
    /// Which units, and how many of each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pieces: Vec<Pieces>,
}

/// A reason that customers are told, in their language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// There are not enough of the goods.
    SoldOut,
    /// Goods that should have been there were not found.
    NotFound,
    /// Part of the order has left the house.
    HasLeft,
}

impl Why {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::SoldOut, Self::NotFound, Self::HasLeft];

    /// Its name among the texts.
    pub const fn key(self) -> &'static str {
        match self {
            Self::SoldOut => "why.sold_out",
            Self::NotFound => "why.not_found",
            Self::HasLeft => "why.has_left",
        }
    }
}

/// Some pieces of one unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pieces {
    /// Of what.
    pub sku: String,
    /// How many.
    pub quantity: i64,
}

/// The message an event makes, or none.
pub fn plan(event: &Envelope) -> Option<Telling> {
    payload(&event.payload, event.version)
}

/// `version` tells apart events that may happen to an order several times and carry no id of their
/// own: it is the event's place in its aggregate.
fn payload(payload: &Payload, version: i64) -> Option<Telling> {
    let nth = || version.to_string();
    let once = String::new;
    let (order_id, stage, part, facts) = match payload {
        Payload::OrderPlaced(e) => (e.order_id, Stage::OrderPlaced, once(), Facts::default()),
        Payload::OrderConfirmed(e) => (e.order_id, Stage::OrderConfirmed, once(), Facts::default()),
        Payload::OrderFailed(e) => (e.order_id, Stage::OrderFailed, once(), because(Why::SoldOut)),
        Payload::OrderExpired(e) => (e.order_id, Stage::OrderExpired, once(), Facts::default()),
        // Its reason is the customer's own, or what staff wrote for each other.
        Payload::OrderCancelled(e) => (e.order_id, Stage::OrderCancelled, once(), Facts::default()),
        Payload::CancelRefused(e) => {
            (e.order_id, Stage::CancelRefused, nth(), because(Why::HasLeft))
        }
        Payload::OrderReduced(e) => {
            let facts =
                Facts { amount: Some(e.owed), pieces: pieces(&e.lines), ..because(Why::NotFound) };
            (e.order_id, Stage::OrderReduced, nth(), facts)
        }
        Payload::PaymentActionRequired(e) => {
            let (url, until) = (Some(e.url.clone()), Some(e.expires_at));
            let facts = Facts { url, until, ..Facts::default() };
            (e.order_id, Stage::PaymentActionRequired, nth(), facts)
        }
        Payload::PaymentDeclined(e) => {
            let facts = Facts { attempts_left: Some(e.attempts_left), ..Facts::default() };
            (e.order_id, Stage::PaymentDeclined, nth(), facts)
        }
        Payload::PaymentRefunded(e) => (e.order_id, Stage::PaymentRefunded, nth(), about(e.amount)),
        Payload::InvoiceIssued(e) => {
            let facts = Facts { document: Some(e.number.clone()), ..about(e.total) };
            (e.order_id, Stage::InvoiceIssued, e.invoice_id.to_string(), facts)
        }
        Payload::CreditNoteIssued(e) => {
            let facts = Facts { document: Some(e.number.clone()), ..about(e.total) };
            (e.order_id, Stage::CreditNoteIssued, e.credit_note_id.to_string(), facts)
        }
        Payload::ShipmentDispatched(e) => {
            let facts = Facts {
                carrier: Some(e.carrier.clone()),
                tracking: Some(e.tracking.clone()),
                pieces: pieces(&e.lines),
                ..Facts::default()
            };
            (e.order_id, Stage::ShipmentDispatched, e.shipment_id.to_string(), facts)
        }
        Payload::ShipmentDelivered(e) => {
            let facts = Facts { pieces: pieces(&e.lines), ..Facts::default() };
            (e.order_id, Stage::ShipmentDelivered, e.shipment_id.to_string(), facts)
        }
        // The house's own business: none of it is news to the customer by itself.
        Payload::ProductPublished(_)
        | Payload::ProductWithdrawn(_)
        | Payload::OrderCancelRequested(_)
        | Payload::OrderPutOnHold(_)
        | Payload::OrderResumed(_)
        | Payload::OrderCompleted(_)
        | Payload::RefundGranted(_)
        | Payload::StockReserved(_)
        | Payload::StockRejected(_)
        | Payload::StockAllocated(_)
        | Payload::StockReleased(_)
        | Payload::StockChanged(_)
        | Payload::ShipmentCreated(_)
        | Payload::ShipmentShortPicked(_)
        | Payload::ShipmentPacked(_)
        | Payload::ShipmentReady(_)
        | Payload::ShipmentCancelled(_)
        | Payload::PaymentNotRequired(_)
        | Payload::PaymentAuthorized(_)
        | Payload::PaymentCaptured(_)
        | Payload::PaymentCaptureFailed(_)
        | Payload::PaymentVoided(_)
        | Payload::PaymentConflicted(_)
        | Payload::MessageSent(_)
        | Payload::CustomerRegistered(_)
        | Payload::CustomerUpdated(_)
        | Payload::CustomerErased(_) => return None,
    };
    Some(Telling { order_id, stage, part, facts })
}

fn because(why: Why) -> Facts {
    Facts { why: Some(why), ..Facts::default() }
}

fn about(amount: Money) -> Facts {
    Facts { amount: Some(amount), ..Facts::default() }
}

fn pieces(lines: &[LineQuantity]) -> Vec<Pieces> {
    lines.iter().map(|line| Pieces { sku: line.sku.to_string(), quantity: line.quantity }).collect()
}

#[cfg(test)]
mod tests {
    use contracts::events::{
        CancelRefused, OrderCancelled, OrderFailed, PaymentDeclined, ShipmentDispatched,
        StockReserved,
    };
    use contracts::{Id, ShipmentId};
    use uuid::Uuid;

    use super::*;

    fn order() -> OrderId {
        Id::from_uuid(Uuid::from_u128(1))
    }

    fn dispatched(parcel: u128) -> Payload {
        ShipmentDispatched {
            shipment_id: ShipmentId::from_uuid(Uuid::from_u128(parcel)),
            order_id: order(),
            lines: vec![],
            carrier: "DHL".into(),
            tracking: "42".into(),
        }
        .into()
    }

    #[test]
    fn every_parcel_is_told_of_once() {
        let (first, again, other) =
            (payload(&dispatched(1), 4), payload(&dispatched(1), 9), payload(&dispatched(2), 4));
        assert_eq!(first, again);
        assert_ne!(first, other);
    }

    #[test]
    fn each_declined_attempt_is_told_by_itself() {
        let declined = |attempts_left| {
            let payment_id = Id::from_uuid(Uuid::from_u128(2));
            let reason = "insufficient_funds".to_owned();
            PaymentDeclined { payment_id, order_id: order(), reason, attempts_left }.into()
        };
        let (first, second) = (payload(&declined(4), 3), payload(&declined(3), 6));
        assert_ne!(first.unwrap().part, second.unwrap().part);
    }

    #[test]
    fn what_staff_wrote_for_each_other_is_in_no_message() {
        let (order_id, cart_id) = (order(), Id::from_uuid(Uuid::from_u128(3)));
        let reason = || "smells of fraud".to_owned();
        let events: [Payload; 3] = [
            OrderCancelled { order_id, cart_id, reason: reason() }.into(),
            OrderFailed { order_id, cart_id, reason: reason() }.into(),
            CancelRefused { order_id, reason: reason() }.into(),
        ];
        for event in events {
            let told = serde_json::to_string(&payload(&event, 2).unwrap().facts).unwrap();
            assert!(!told.contains("fraud"), "{told}");
        }
    }

    #[test]
    fn the_customer_is_not_told_what_the_house_does_for_itself() {
        let held = StockReserved { order_id: order(), expires_at: Timestamp::EPOCH };
        assert_eq!(payload(&held.into(), 1), None);
    }
}
