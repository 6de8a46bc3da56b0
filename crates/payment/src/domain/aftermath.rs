//! What an event leaves in the books: which operation it settles, which money it moves, what is to
//! be invoiced and what to be credited. It follows from the payment before and after the event.

use contracts::events::Taxed;
use contracts::{OperationId, ShipmentId};
use uuid::Uuid;

use super::bill::Charge;
use super::ledger::Journal;
use super::{Bill, Event, Operation, OperationKind, Payment, Portion, StrayNews};

/// What an event leaves in the books.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Aftermath {
    /// Operations that are settled by it.
    pub settled: Vec<Settled>,
    /// Money that moved, and by which operation.
    pub moved: Vec<(Option<OperationId>, Journal)>,
    /// What is to be invoiced, and for which parcel.
    pub charge: Option<(Charge, Option<ShipmentId>)>,
    /// What is to be credited where it was invoiced.
    pub credit: Option<Credit>,
}

/// An operation whose outcome is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Which.
    pub operation: Operation,
    /// What the provider calls it, if it took place; why not, if it did not.
    pub outcome: Result<Option<String>, String>,
}

/// Money that went back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credit {
    /// How much, in minor units.
    pub amount_minor: i64,
    /// The same by rate, as far as it was said.
    pub amounts: Vec<Taxed>,
    /// What is kept afterwards, in minor units: no less than that stays invoiced.
    pub kept_minor: i64,
    /// Why.
    pub reason: String,
}

impl Settled {
    /// The parcel or the refund that the operation was for.
    pub fn about(&self) -> Option<Uuid> {
        match self.operation.kind {
            OperationKind::Authorise { .. } | OperationKind::Void => None,
            OperationKind::Capture { shipment } => shipment.map(ShipmentId::uuid),
            OperationKind::Refund { refund } => refund,
        }
    }
}

/// What `event` leaves in the books.
pub fn aftermath(event: &Event, before: &Payment, after: &Payment, bill: &Bill) -> Aftermath {
    let (by, settled) = settled(event, before);
    let by_hand = after.held().is_some_and(|held| held.is_by_hand());
    let taken_minor = after.captured_minor() - before.captured_minor();
    let returned_minor = after.refunded_minor() - before.refunded_minor();
    let (stray_before, stray_after) = (before.stray_sums(), after.stray_sums());
    let money_in = [
        Journal::money_in(taken_minor, by_hand),
        Journal::money_in(stray_after.0 - stray_before.0, false),
    ];
    let money_out = [
        Journal::money_out(returned_minor, by_hand),
        Journal::money_out(stray_after.1 - stray_before.1, false),
    ];
    let moved = money_in.into_iter().chain(money_out).flatten();
    Aftermath {
        settled,
        moved: moved.map(|journal| (by, journal)).collect(),
        // Nothing is supplied under an order that has ended: late money only comes and goes.
        charge: charge(event, before, after, bill).filter(|_| after.is_open()),
        credit: credit(event, before, after),
    }
}

fn settled(event: &Event, before: &Payment) -> (Option<OperationId>, Vec<Settled>) {
    let find = |id: OperationId, outcome: Result<Option<String>, String>| {
        let waiting = before.waiting_attempt();
        let found = before.operation.iter().chain(waiting).find(|operation| operation.id == id);
        found.map(|operation| Settled { operation: operation.clone(), outcome })
    };
    let failed = |code: &str| Err(code.to_owned());
    let mut settled = Vec::new();
    let by = match event {
        Event::Authorised { by, held } => {
            settled.extend(find(*by, Ok(Some(held.reference.clone()))));
            Some(*by)
        }
        Event::Charged { by, too_late, held } => {
            settled.extend(find(*by, Ok(Some(held.reference.clone()))));
            settled.extend(too_late.and_then(|void| find(void, failed("captured"))));
            Some(*by)
        }
        Event::Declined { by, code, .. } => {
            settled.extend(by.and_then(|by| find(by, failed(code))));
            *by
        }
        Event::Captured { by, reference, .. } | Event::Refunded { by, reference, .. } => {
            settled.extend(by.and_then(|by| find(by, Ok(reference.clone()))));
            *by
        }
        Event::CaptureFailed { by, code, .. }
        | Event::VoidFailed { by, code }
        | Event::RefundFailed { by, code, .. } => {
            settled.extend(find(*by, failed(code)));
            Some(*by)
        }
        Event::Voided { by, attempt } => {
            settled.extend(find(*by, Ok(None)));
            settled.extend(attempt.and_then(|attempt| find(attempt, failed("voided"))));
            Some(*by)
        }
        Event::AttemptAbandoned { by, attempt } => {
            settled.extend(find(*by, Ok(None)));
            settled.extend(find(*attempt, failed("voided")));
            Some(*by)
        }
        Event::Conflicted { by, reason, .. } => {
            settled.extend(find(*by, failed(reason)));
            // Whatever waited for the shopper waits no longer.
            let waiting = before.waiting_attempt().filter(|attempt| attempt.id != *by);
            settled.extend(waiting.and_then(|attempt| find(attempt.id, failed(reason))));
            Some(*by)
        }
        Event::FoundTaken { by, .. } => {
            settled.extend(find(*by, failed("captured")));
            Some(*by)
        }
        Event::RestGivenUp { by, refused } => {
            settled.extend(find(*by, refused.clone().map_or(Ok(None), Err)));
            Some(*by)
        }
        Event::Stray { by, news, .. } => {
            settled.extend(find(
                *by,
                match news {
                    StrayNews::Found { .. } | StrayNews::GivenUp => Ok(None),
                    StrayNews::Taken { .. } => failed("captured"),
                    StrayNews::Refunded { reference, .. } => Ok(Some(reference.clone())),
                    StrayNews::Refused { code } => failed(code),
                },
            ));
            Some(*by)
        }
        Event::Settled { .. }
        | Event::EndTold { .. }
        | Event::Requested { .. }
        | Event::Resent { .. }
        | Event::WentUnknown { .. }
        | Event::Asked { .. }
        | Event::StillWaiting { .. }
        | Event::ActionRequired { .. }
        | Event::MethodChosen { .. }
        | Event::TransferAwaited
        | Event::NotRequired { .. }
        | Event::Collected { .. }
        | Event::ParcelNoted { .. }
        | Event::RefundNoted { .. }
        | Event::Reduced(_)
        | Event::OrderEnded { .. }
        | Event::Closed
        | Event::RetryOrdered => None,
    };
    (by, settled)
}

fn charge(
    event: &Event,
    before: &Payment,
    after: &Payment,
    bill: &Bill,
) -> Option<(Charge, Option<ShipmentId>)> {
    let otherwise = bill.lines.first().map(|line| &line.amount);
    // What comes by hand in parts is invoiced once, when all of it is there; what comes over it is
    // not a sale.
    if after.is_covered_by_hand() {
        let charge = bill.whole(&after.removed());
        let charge = match after.owed_by_rate(bill) {
            Some(owed) => charge.saying(&owed),
            None => charge.coming_to(after.owed_minor(), otherwise),
        };
        return (!before.is_covered_by_hand()).then_some((charge, None));
    }
    let taken_minor = after.captured_minor() - before.captured_minor();
    if taken_minor <= 0 {
        return None;
    }
    let (charge, shipment_id) = match event {
        Event::Charged { .. } => (bill.whole(&after.removed()), None),
        Event::Captured { portion, shipment_id, .. } => {
            let charge = match portion {
                Portion::Everything => bill.whole(&after.removed()),
                Portion::Parcel => {
                    let place = after
                        .parcels
                        .iter()
                        .position(|parcel| Some(parcel.shipment_id) == *shipment_id)?;
                    bill.parcel(&after.parcels.get(place)?.lines, place == 0)
                }
                Portion::Rest => Charge::default(),
            };
            (charge, *shipment_id)
        }
        Event::Requested { .. }
        | Event::Resent { .. }
        | Event::WentUnknown { .. }
        | Event::Asked { .. }
        | Event::StillWaiting { .. }
        | Event::ActionRequired { .. }
        | Event::Authorised { .. }
        | Event::Declined { .. }
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
        | Event::RetryOrdered => return None,
    };
    let charge = match after.still_to_invoice(event, bill, taken_minor) {
        Some(amounts) if charge.total_minor() != taken_minor => charge.saying(&amounts),
        Some(_) | None => charge.coming_to(taken_minor, otherwise),
    };
    Some((charge, shipment_id))
}

fn credit(event: &Event, before: &Payment, after: &Payment) -> Option<Credit> {
    let Event::Refunded { refund_id, .. } = event else { return None };
    let refund = before.refunds.iter().find(|refund| Some(refund.refund_id) == *refund_id);
    Some(Credit {
        amount_minor: after.refunded_minor() - before.refunded_minor(),
        kept_minor: after.captured_minor() - after.refunded_minor(),
        amounts: refund.map(|refund| refund.amounts.clone()).unwrap_or_default(),
        reason: refund.map_or_else(|| "The order has ended".to_owned(), |r| r.reason.clone()),
    })
}
