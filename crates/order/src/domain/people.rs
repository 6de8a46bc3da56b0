//! What customers and staff ask of an order.

use contracts::LineId;
use uuid::Uuid;

use super::event::RefundKind;
use super::{CancelAsk, Event, HoldReason, Life, Order, Refusal, units};

/// A pending order is off at once; of a confirmed one the warehouse is asked.
pub fn cancel(order: &Order, reason: String) -> Result<Vec<Event>, Refusal> {
    match &order.standing.life {
        Life::Pending { .. } => Ok(vec![Event::Cancelled { reason }]),
        Life::Confirmed { cancel } | Life::OnHold { cancel, .. } => match cancel {
            CancelAsk::Asked { .. } => Ok(vec![]),
            CancelAsk::NotAsked if units::something_has_left(&order.agreed, &order.standing) => {
                Err(Refusal::AlreadyLeft)
            }
            CancelAsk::NotAsked => Ok(vec![Event::CancelRequested { reason }]),
        },
        Life::Cancelled { .. } => Ok(vec![]),
        Life::Failed { .. } | Life::Expired | Life::Completed => Err(ended(order)),
    }
}

/// Holding what is not confirmed would keep nothing in the house: nothing can leave yet.
pub fn put_on_hold(order: &Order, reason: String) -> Result<Vec<Event>, Refusal> {
    match &order.standing.life {
        Life::Pending { .. } => Err(Refusal::NotConfirmedYet),
        Life::Confirmed { .. } => Ok(vec![Event::PutOnHold { why: HoldReason::Staff { reason } }]),
        Life::OnHold { .. } => Ok(vec![]),
        Life::Failed { .. } | Life::Expired | Life::Cancelled { .. } | Life::Completed => {
            Err(ended(order))
        }
    }
}

/// Staff may let any held order go on; the warehouse still lets nothing leave without its money.
pub fn resume(order: &Order) -> Result<Vec<Event>, Refusal> {
    match &order.standing.life {
        Life::Pending { .. } => Err(Refusal::NotConfirmedYet),
        Life::Confirmed { .. } => Ok(vec![]),
        Life::OnHold { .. } => Ok(vec![Event::Resumed]),
        Life::Failed { .. } | Life::Expired | Life::Cancelled { .. } | Life::Completed => {
            Err(ended(order))
        }
    }
}

/// Money can be given back as far as it is there and not promised back already.
pub fn grant_refund(
    order: &Order,
    refund_id: Uuid,
    amount_minor: i64,
    line_id: Option<LineId>,
    reason: String,
) -> Result<Vec<Event>, Refusal> {
    if order.standing.refunds.contains_key(&refund_id) {
        return Ok(vec![]);
    }
    match &order.standing.life {
        Life::Pending { .. } => return Err(Refusal::NotConfirmedYet),
        Life::Failed { .. } | Life::Expired | Life::Cancelled { .. } => {
            return Err(Refusal::MoneyReturnsItself(order.standing.life.status()));
        }
        Life::Confirmed { .. } | Life::OnHold { .. } | Life::Completed => {}
    }
    if amount_minor <= 0 {
        return Err(Refusal::RefundOfNothing);
    }
    let basis = match line_id {
        None => order.agreed.amounts_by_rate(),
        Some(wanted) => {
            let line = order.agreed.lines.iter().find(|line| line.line_id == wanted);
            vec![line.ok_or(Refusal::NoSuchLine)?.amount]
        }
    };
    let most = order.standing.kept_minor().min(units::gross(&basis)).max(0);
    if amount_minor > most {
        let available = units::money(&order.agreed, most);
        return Err(Refusal::RefundExceedsCapture { available });
    }
    Ok(vec![Event::RefundGranted {
        refund_id,
        kind: RefundKind::Goodwill,
        amounts: units::spread(amount_minor, &basis),
        total_minor: amount_minor,
        line_id,
        reason,
    }])
}

fn ended(order: &Order) -> Refusal {
    Refusal::Ended(order.standing.life.status())
}
