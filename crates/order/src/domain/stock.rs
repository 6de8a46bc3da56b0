//! The warehouse's answers, and the deadline.
//!
//! The warehouse allocates only once money is authorised or the terms allow paying later, so an
//! allocation confirms an order even where no news of the payment has been heard yet. An order
//! that has ended gets no answer here: the warehouse releases by itself when it hears of the end.

use contracts::events::ReleaseReason;

use super::{CancelAsk, Event, Life, Order, money};

/// The goods belong to the order. What was heard of its payment meanwhile may stop it at once.
pub fn allocated(order: &Order) -> Vec<Event> {
    match &order.standing.life {
        Life::Pending { .. } => {
            let holds = money::open_holds(&order.standing).into_iter();
            let holds = holds.map(|why| Event::PutOnHold { why });
            std::iter::once(Event::Confirmed).chain(holds).collect()
        }
        // Repeated, or too late: whoever ended the order has told the warehouse.
        Life::Confirmed { .. }
        | Life::OnHold { .. }
        | Life::Completed
        | Life::Failed { .. }
        | Life::Expired
        | Life::Cancelled { .. } => vec![],
    }
}

/// The goods cannot be had.
pub fn rejected(order: &Order, reason: String) -> Vec<Event> {
    match &order.standing.life {
        Life::Pending { .. } => vec![Event::Failed { reason }],
        // A rejection that comes after an allocation is an older one: what is allocated stays so.
        Life::Confirmed { .. }
        | Life::OnHold { .. }
        | Life::Completed
        | Life::Failed { .. }
        | Life::Expired
        | Life::Cancelled { .. } => vec![],
    }
}

/// The goods are free again.
pub fn released(order: &Order, reason: ReleaseReason) -> Vec<Event> {
    match reason {
        // The hold may be taken again while the order waits for money; the deadline ends that.
        ReleaseReason::HoldExpired | ReleaseReason::OrderEnded => vec![],
        ReleaseReason::Cancelled => match &order.standing.life {
            Life::Confirmed { cancel: CancelAsk::Asked { reason, .. } }
            | Life::OnHold { cancel: CancelAsk::Asked { reason, .. }, .. } => {
                vec![Event::Cancelled { reason: reason.clone() }]
            }
            Life::Confirmed { cancel: CancelAsk::NotAsked }
            | Life::OnHold { cancel: CancelAsk::NotAsked, .. }
            | Life::Pending { .. }
            | Life::Failed { .. }
            | Life::Expired
            | Life::Cancelled { .. }
            | Life::Completed => vec![],
        },
    }
}

/// A parcel has left: the order goes on.
pub fn cancel_refused(order: &Order) -> Vec<Event> {
    if order.standing.life.cancel_asked() { vec![Event::CancelDenied] } else { vec![] }
}

/// Time is up for an order that still waits.
pub fn pass_deadline(order: &Order) -> Vec<Event> {
    match &order.standing.life {
        Life::Pending { .. } => vec![Event::Expired],
        Life::Confirmed { .. }
        | Life::OnHold { .. }
        | Life::Completed
        | Life::Failed { .. }
        | Life::Expired
        | Life::Cancelled { .. } => vec![],
    }
}
