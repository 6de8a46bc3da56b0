//! The one place where the order's own events become contracts.

use contracts::{
    Money, Payload,
    events::{
        OrderCancelRequested, OrderCancelled, OrderCompleted, OrderConfirmed, OrderExpired,
        OrderFailed, OrderPutOnHold, OrderReduced, OrderResumed, RefundGranted,
    },
};

use crate::domain::{Agreed, Event};

/// What other services are told of `event`; nothing, where they said it themselves.
pub fn to_contract(agreed: &Agreed, event: &Event) -> Option<Payload> {
    let (order_id, cart_id) = (agreed.order_id, agreed.cart_id);
    let money = |amount_minor| Money::new(amount_minor, agreed.currency);
    Some(match event {
        Event::Confirmed => OrderConfirmed { order_id }.into(),
        Event::Failed { reason } => {
            OrderFailed { order_id, cart_id, reason: reason.clone() }.into()
        }
        Event::Expired => OrderExpired { order_id, cart_id }.into(),
        Event::CancelRequested { reason } | Event::CancelRequestedAgain { reason } => {
            OrderCancelRequested { order_id, reason: reason.clone() }.into()
        }
        Event::Cancelled { reason } => {
            OrderCancelled { order_id, cart_id, reason: reason.clone() }.into()
        }
        Event::PutOnHold { why } => OrderPutOnHold { order_id, reason: why.text() }.into(),
        Event::Resumed => OrderResumed { order_id }.into(),
        Event::Reduced { lines, amounts, owed_minor, reason } => OrderReduced {
            order_id,
            lines: lines.clone(),
            amounts: amounts.clone(),
            owed: money(*owed_minor),
            reason: reason.clone(),
        }
        .into(),
        Event::RefundGranted { refund_id, kind: _, amounts, total_minor, line_id, reason } => {
            RefundGranted {
                order_id,
                refund_id: *refund_id,
                amounts: amounts.clone(),
                total: money(*total_minor),
                line_id: *line_id,
                reason: reason.clone(),
            }
            .into()
        }
        Event::Completed => OrderCompleted { order_id }.into(),
        // The warehouse or payment said it, or nothing follows from it for others.
        Event::CancelDenied
        | Event::HoldEased { .. }
        | Event::PaymentNoted { .. }
        | Event::ParcelNoted { .. } => {
            return None;
        }
    })
}
