//! What an event leads to outside this transaction: calls to providers, and when to ask again.

use contracts::{Currency, PaymentId};
use platform::cause::Cause;
use platform::db::Tx;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::{Event, Operation, Payment};

/// The timer that asks a provider what became of an operation.
pub const ASK: &str = "payment.ask";

/// The effect that asks a provider what became of an operation.
pub const QUERY: &str = "query";

/// What an effect is asked with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asking {
    /// Of which payment.
    pub payment_id: PaymentId,
    /// In which currency.
    pub currency: Currency,
    /// Which operation.
    pub operation: Operation,
}

/// Asks for what follows from an event, given the payment after it.
pub(super) fn up(tx: &mut Tx<'_>, event: &Event, after: &Payment, cause: &Cause) {
    match event {
        // The operation's id is the effect's id and the provider's key.
        Event::Requested { operation } => {
            effect(tx, operation.id.uuid(), operation.kind.name(), operation, after, cause);
        }
        Event::Resent { operation } => {
            let operation = after.open_operation().filter(|open| open.id == *operation);
            if let Some(operation) = operation.cloned() {
                let id = tx.id::<()>().uuid();
                effect(tx, id, operation.kind.name(), &operation, after, cause);
            }
        }
        Event::Asked { operation } => {
            let operation = after.in_doubt().find(|doubted| doubted.id == *operation);
            if let Some(operation) = operation.cloned() {
                // While one question waits, another is the same: a returning browser costs no more.
                // One that was parked keeps nobody from asking for longer than ten minutes.
                let while_it_waits = tx.now().micros().div_euclid(600_000_000).to_be_bytes();
                let id = Uuid::new_v5(&operation.id.uuid(), &while_it_waits);
                effect(tx, id, QUERY, &operation, after, cause);
            }
        }
        Event::WentUnknown { ask_at, .. }
        | Event::StillWaiting { ask_at, .. }
        | Event::ActionRequired { ask_at, .. } => {
            tx.set_timer(ASK, &after.id.to_string(), *ask_at, cause);
        }
        Event::Authorised { .. }
        | Event::Charged { .. }
        | Event::Declined { .. }
        | Event::Captured { .. }
        | Event::CaptureFailed { .. }
        | Event::Voided { .. }
        | Event::AttemptAbandoned { .. }
        | Event::VoidFailed { .. }
        | Event::Refunded { .. }
        | Event::RefundFailed { .. }
        | Event::Conflicted { .. }
        | Event::MethodChosen { .. }
        | Event::TransferAwaited
        | Event::NotRequired { .. }
        | Event::Collected { .. }
        | Event::FoundTaken { .. }
        | Event::RestGivenUp { .. }
        | Event::Stray { .. }
        | Event::Settled { .. }
        | Event::EndTold { .. }
        | Event::ParcelNoted { .. }
        | Event::RefundNoted { .. }
        | Event::Reduced(_)
        | Event::OrderEnded { .. }
        | Event::Closed
        | Event::RetryOrdered => {}
    }
}

fn effect(
    tx: &mut Tx<'_>,
    id: Uuid,
    name: &'static str,
    operation: &Operation,
    payment: &Payment,
    cause: &Cause,
) {
    let asking =
        Asking { payment_id: payment.id, currency: payment.currency, operation: operation.clone() };
    // Strings, numbers and ids always have a JSON text.
    tx.request_effect(name, id, serde_json::to_string(&asking).unwrap_or_default(), cause);
}
