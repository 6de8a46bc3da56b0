//! What customers and staff ask of an order.

use contracts::{LineId, events::Taxed};
use uuid::Uuid;

use super::event::RefundKind;
use super::{AgreedLine, CancelAsk, Event, HoldReason, Life, Order, Refusal, units};

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

/// Nothing waits for ever: the warehouse may be asked again until it answers.
pub fn ask_again(order: &Order) -> Vec<Event> {
    match &order.standing.life {
        Life::Confirmed { cancel } | Life::OnHold { cancel, .. } => match cancel {
            CancelAsk::Asked { reason, .. } => {
                vec![Event::CancelRequestedAgain { reason: reason.clone() }]
            }
            CancelAsk::NotAsked => vec![],
        },
        Life::Pending { .. }
        | Life::Failed { .. }
        | Life::Expired
        | Life::Cancelled { .. }
        | Life::Completed => vec![],
    }
}

/// Holding what is not confirmed would keep nothing in the house: nothing can leave yet.
pub fn put_on_hold(order: &Order, reason: String) -> Result<Vec<Event>, Refusal> {
    match &order.standing.life {
        Life::Pending { .. } => Err(Refusal::NotConfirmedYet),
        Life::Confirmed { .. } => Ok(vec![Event::PutOnHold { why: HoldReason::Staff { reason } }]),
        Life::OnHold { reasons, .. } => {
            let why = HoldReason::Staff { reason };
            if reasons.contains(&why) { Ok(vec![]) } else { Ok(vec![Event::PutOnHold { why }]) }
        }
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

/// Money can be given back as far as it is there and not promised back already, and for a line no
/// more than the line cost.
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
        None => left_to_give(order),
        Some(wanted) => {
            let line = order.agreed.lines.iter().find(|line| line.line_id == wanted);
            left_of_line(order, line.ok_or(Refusal::NoSuchLine)?)
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

/// What of the whole order is still paid for, by rate: neither taken off nor given back.
fn left_to_give(order: &Order) -> Vec<Taxed> {
    let standing = &order.standing;
    let gone = standing.taken_off.iter().copied().chain(standing.refunded(RefundKind::Goodwill));
    units::less(&order.agreed.amounts_by_rate(), &units::by_rate(gone))
}

/// What of a line is still paid for; no more than is left at its rate of the whole order.
fn left_of_line(order: &Order, line: &AgreedLine) -> Vec<Taxed> {
    let pieces = units::pieces(line, &order.standing);
    let coming = pieces.ordered - pieces.cancelled;
    let agreed = units::cost_of_pieces(&line.amount, line.quantity, 0, coming);
    let given = order.standing.refunds.values();
    let given = given.filter(|refund| refund.line_id == Some(line.line_id));
    let given = units::by_rate(given.flat_map(|refund| &refund.amounts).copied());
    units::at_most(&units::less(&[agreed], &given), &left_to_give(order))
}

fn ended(order: &Order) -> Refusal {
    Refusal::Ended(order.standing.life.status())
}
