//! An order's timeline: everything that was said about it, by whom, when, and why.

use contracts::{Actor, Envelope, EventId, Payload, Source, Timestamp};
use platform::cause::Cause;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One thing that was said about an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    /// What: the type of the event, such as `order.confirmed.v1`.
    pub event: String,
    /// Which service said it.
    pub source: Source,
    /// When.
    pub at: Timestamp,
    /// On whose behalf.
    pub actor: Actor,
    /// The event's id, where another service said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<EventId>,
    /// The event that led to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caused_by: Option<EventId>,
    /// The trace it belongs to, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// What else there is to say: a reason, a number, a tracking code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Entry {
    /// What another service has said.
    pub fn heard(event: &Envelope) -> Self {
        let kind = event.payload.kind();
        Self {
            event: kind.name.to_owned(),
            source: kind.source,
            at: event.time,
            actor: event.actor.clone(),
            event_id: Some(event.id),
            caused_by: event.causation,
            trace_id: event.trace.map(|trace| format!("{:032x}", trace.trace_id)),
            detail: detail(&event.payload),
        }
    }

    /// What this service says now.
    pub fn said(payload: &Payload, at: Timestamp, cause: &Cause) -> Self {
        let kind = payload.kind();
        Self {
            event: kind.name.to_owned(),
            source: kind.source,
            at,
            actor: cause.actor.clone(),
            event_id: None,
            caused_by: cause.causation,
            trace_id: cause.trace.map(|trace| format!("{:032x}", trace.trace_id)),
            detail: detail(payload),
        }
    }

    /// The same for the customer: staff without their names, and no reasons written for staff.
    #[must_use]
    pub fn for_customer(mut self) -> Self {
        if matches!(self.actor, Actor::Staff(_)) {
            self.actor = Actor::Staff("staff".to_owned());
        }
        if self.event.starts_with("order.put_on_hold.") {
            self.detail = None;
        }
        self
    }
}

/// The part of an event that a reader of the timeline wants to see.
#[expect(clippy::wildcard_enum_match_arm, reason = "most events say enough by their type")]
fn detail(payload: &Payload) -> Option<String> {
    Some(match payload {
        Payload::OrderPlaced(e) => format!("{}, {}", e.number, e.total),
        Payload::OrderFailed(e) => e.reason.clone(),
        Payload::OrderCancelRequested(e) => e.reason.clone(),
        Payload::OrderCancelled(e) => e.reason.clone(),
        Payload::OrderPutOnHold(e) => e.reason.clone(),
        Payload::OrderReduced(e) => format!("{}; now {}", e.reason, e.owed),
        Payload::RefundGranted(e) => format!("{}: {}", e.total, e.reason),
        Payload::CancelRefused(e) => e.reason.clone(),
        Payload::ShipmentDispatched(e) => format!("{} {}", e.carrier, e.tracking),
        Payload::PaymentAuthorized(e) => e.amount.to_string(),
        Payload::PaymentDeclined(e) => e.reason.clone(),
        Payload::PaymentCaptured(e) => e.amount.to_string(),
        Payload::PaymentCaptureFailed(e) => e.reason.clone(),
        Payload::PaymentRefunded(e) => e.amount.to_string(),
        Payload::PaymentConflicted(e) => e.reason.clone(),
        Payload::InvoiceIssued(e) => format!("{}, {}", e.number, e.total),
        Payload::CreditNoteIssued(e) => format!("{}, {}", e.number, e.total),
        Payload::MessageSent(e) => format!("{} by {}", e.template, e.channel),
        _ => return None,
    })
}
