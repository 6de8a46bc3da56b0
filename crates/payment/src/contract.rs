//! The one place where what happened here becomes what other services hear.

use contracts::events::{
    PaymentActionRequired, PaymentAuthorized, PaymentCaptureFailed, PaymentCaptured,
    PaymentConflicted, PaymentDeclined, PaymentNotRequired, PaymentRefunded, PaymentVoided,
};
use contracts::{Money, Payload, ShipmentId};

use crate::domain::{Event, Payment};

/// What others hear of an event, given the payment after it. Nothing of what is our own business,
/// and nothing about another try when the order is over.
pub fn to_contract(event: &Event, after: &Payment) -> Option<Payload> {
    let (payment_id, order_id) = (after.id, after.order_id);
    let money = |amount_minor| Money::new(amount_minor, after.currency);
    let captured = |amount_minor, shipment_id: Option<ShipmentId>| PaymentCaptured {
        payment_id,
        order_id,
        shipment_id,
        amount: money(amount_minor),
        captured_total: money(after.captured_minor()),
        refunded_total: money(after.refunded_minor()),
    };
    let conflicted = |reason: String| PaymentConflicted { payment_id, order_id, reason };
    Some(match event {
        Event::ActionRequired { url, expires_at, .. } => PaymentActionRequired {
            payment_id,
            order_id,
            url: url.clone(),
            expires_at: *expires_at,
        }
        .into(),
        Event::Authorised { held, .. } => {
            PaymentAuthorized { payment_id, order_id, amount: money(held.authorised_minor) }.into()
        }
        Event::Charged { held, .. } => captured(held.captured_minor, None).into(),
        Event::Collected { receipt, .. } => captured(receipt.amount_minor, None).into(),
        Event::Captured { amount_minor, shipment_id, .. } => {
            captured(*amount_minor, *shipment_id).into()
        }
        Event::Declined { code, attempts_left, .. } if after.is_open() => PaymentDeclined {
            payment_id,
            order_id,
            reason: code.clone(),
            attempts_left: *attempts_left,
        }
        .into(),
        Event::CaptureFailed { shipment_id, code, .. } if after.is_open() => PaymentCaptureFailed {
            payment_id,
            order_id,
            shipment_id: *shipment_id,
            reason: code.clone(),
        }
        .into(),
        Event::Voided { .. } => PaymentVoided { payment_id, order_id }.into(),
        // Where the shopper was sent is no longer the place to go.
        Event::AttemptAbandoned { .. } => PaymentVoided { payment_id, order_id }.into(),
        Event::FoundTaken { amount_minor, .. } => captured(*amount_minor, None).into(),
        Event::Settled { held } if held.captured_minor > 0 => {
            captured(held.captured_minor, None).into()
        }
        Event::Settled { held } if after.is_open() => {
            PaymentAuthorized { payment_id, order_id, amount: money(held.authorised_minor) }.into()
        }
        Event::VoidFailed { code, .. } if !after.is_open() => {
            conflicted(format!("the authorisation could not be given up: {code}")).into()
        }
        Event::Refunded { amount_minor, .. } => PaymentRefunded {
            payment_id,
            order_id,
            amount: money(*amount_minor),
            captured_total: money(after.captured_minor()),
            refunded_total: money(after.refunded_minor()),
        }
        .into(),
        Event::RefundFailed { code, .. } => {
            conflicted(format!("the money could not be given back: {code}")).into()
        }
        Event::Conflicted { reason, .. } => conflicted(reason.clone()).into(),
        Event::NotRequired { terms } => PaymentNotRequired {
            payment_id,
            order_id,
            owed: money(after.owed_minor()),
            terms: *terms,
        }
        .into(),
        Event::Declined { .. }
        | Event::CaptureFailed { .. }
        | Event::VoidFailed { .. }
        | Event::Requested { .. }
        | Event::Resent { .. }
        | Event::WentUnknown { .. }
        | Event::Asked { .. }
        | Event::StillWaiting { .. }
        | Event::Settled { .. }
        | Event::RestGivenUp { .. }
        | Event::Stray { .. }
        | Event::EndTold { .. }
        | Event::MethodChosen { .. }
        | Event::TransferAwaited
        | Event::ParcelNoted { .. }
        | Event::RefundNoted { .. }
        | Event::Reduced(_)
        | Event::OrderEnded { .. }
        | Event::Closed
        | Event::RetryOrdered => return None,
    })
}
