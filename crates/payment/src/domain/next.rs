//! What a payment does by itself: the next step from where it stands towards where it should be.
//!
//! There is no queue of things to do. What should be (parcels paid, refunds made, nothing kept of
//! an order that has ended) is part of the state, and whenever no operation is under way the next
//! one follows from it. So a message that comes early, late or twice leads to the same end.

use contracts::OperationId;
use contracts::events::PaymentTerms;

use super::{
    Bill, CaptureMode, Clearing, Event, Held, Intent, Method, Moment, Operation, OperationKind,
    OperationStatus, OrderStanding, ParcelState, Payment, Portion, RefundState,
};

impl Payment {
    /// The next step, if one can be taken without hearing from outside.
    pub(super) fn next(&self, bill: &Bill, moment: Moment) -> Option<Event> {
        if self.operation.is_some() {
            return None;
        }
        if let Some(event) = self.next_stray(moment) {
            return Some(event);
        }
        match &self.order {
            OrderStanding::Open => self.next_of_open(bill, moment),
            OrderStanding::Ended { clearing: Clearing::Stuck { .. }, .. } => None,
            OrderStanding::Ended { clearing: Clearing::Going, .. } => self.next_of_ended(moment),
        }
    }

    /// The first step towards the money: what the chosen way to pay asks for.
    pub(super) fn begin(&self, bill: &Bill, moment: Moment) -> Option<Event> {
        if !self.is_open() || self.choice.tried {
            return None;
        }
        let attempts_left = self.left_after_decline(false);
        let unknown =
            Event::Declined { by: None, code: "method_unknown".to_owned(), attempts_left };
        let owed_minor = self.owed_minor();
        let Some(method) = &self.choice.method else {
            let nothing = Event::NotRequired { terms: PaymentTerms::Prepaid };
            return Some(if owed_minor == 0 { nothing } else { unknown });
        };
        if owed_minor == 0 {
            return Some(Event::NotRequired { terms: method.terms });
        }
        Some(match (method.terms, &method.provider) {
            (PaymentTerms::OnDelivery | PaymentTerms::OnAccount, _) => {
                Event::NotRequired { terms: method.terms }
            }
            (PaymentTerms::Transfer, _) => Event::TransferAwaited,
            (PaymentTerms::Prepaid, None) => unknown,
            (PaymentTerms::Prepaid, Some(provider)) => {
                // What needs no parcel is delivered on confirmation: its money is taken at once.
                let capture = if bill.ships() { method.capture } else { CaptureMode::Automatic };
                let method = Method { capture, ..method.clone() };
                let token = self.choice.token.clone();
                let kind = OperationKind::Authorise { method, token };
                request(moment, kind, owed_minor, provider, None)
            }
        })
    }

    fn next_of_open(&self, bill: &Bill, moment: Moment) -> Option<Event> {
        match &self.intent {
            Intent::RequiresMethod { .. } | Intent::AwaitingTransfer => self.begin(bill, moment),
            Intent::RequiresAction { attempt, reference, .. } => (!self.choice.tried).then(|| {
                let amount = attempt.amount_minor;
                request(moment, OperationKind::Void, amount, &attempt.provider, Some(reference))
            }),
            Intent::Authorised { held }
            | Intent::PartlyCaptured { held }
            | Intent::Captured { held } => self
                .next_capture(held, bill, moment)
                .or_else(|| self.next_rest(held, bill, moment))
                .or_else(|| self.next_refund(held, moment))
                .or_else(|| self.next_release(held, moment)),
            Intent::Noted
            | Intent::Processing
            | Intent::NotRequired { .. }
            | Intent::Failed { .. }
            | Intent::Voided { .. }
            | Intent::Expired
            | Intent::Conflicted { .. } => None,
        }
    }

    fn next_of_ended(&self, moment: Moment) -> Option<Event> {
        let give_back = |held: &Held, stopped: bool| {
            let provider = held.method.provider.as_ref()?;
            let reference = Some(&held.reference);
            if held.kept_minor() > 0 {
                let kind = OperationKind::Refund { refund: None };
                Some(request(moment, kind, held.kept_minor(), provider, reference))
            } else if held.capturable_minor() > 0 || (stopped && held.captured_minor == 0) {
                let rest = held.capturable_minor();
                Some(request(moment, OperationKind::Void, rest, provider, reference))
            } else {
                None
            }
        };
        match &self.intent {
            Intent::Noted
            | Intent::RequiresMethod { .. }
            | Intent::AwaitingTransfer
            | Intent::NotRequired { .. } => Some(Event::Closed),
            Intent::RequiresAction { attempt, reference, .. } => {
                let amount = attempt.amount_minor;
                let provider = &attempt.provider;
                Some(request(moment, OperationKind::Void, amount, provider, Some(reference)))
            }
            Intent::Authorised { held }
            | Intent::PartlyCaptured { held }
            | Intent::Captured { held } => give_back(held, false),
            // A person still has to look, but nothing of an order that has ended stays behind.
            Intent::Conflicted { held, .. } => give_back(held.as_ref()?, true),
            Intent::Processing
            | Intent::Failed { .. }
            | Intent::Voided { .. }
            | Intent::Expired => None,
        }
    }

    fn next_capture(&self, held: &Held, bill: &Bill, moment: Moment) -> Option<Event> {
        let wanted = |state: &ParcelState| matches!(state, ParcelState::Wanted);
        let index = self.parcels.iter().position(|parcel| wanted(&parcel.state))?;
        let parcel = self.parcels.get(index)?;
        let amount_minor = self.wished_minor(held, bill, index)?;
        let shipment = Some(parcel.shipment_id);
        let provider = held.method.provider.as_ref()?;
        Some(if amount_minor == 0 {
            Event::Captured {
                by: None,
                reference: None,
                amount_minor: 0,
                portion: Portion::Parcel,
                shipment_id: shipment,
            }
        } else {
            let kind = OperationKind::Capture { shipment };
            request(moment, kind, amount_minor, provider, Some(&held.reference))
        })
    }

    /// How much is to be taken for a parcel.
    pub(super) fn wished_minor(&self, held: &Held, bill: &Bill, index: usize) -> Option<i64> {
        let parcel = self.parcels.get(index)?;
        let open_minor = (self.owed_minor() - held.captured_minor).max(0);
        let others_are_taken = self.parcels.iter().enumerate().all(|(position, other)| {
            position == index || matches!(other.state, ParcelState::Taken { .. })
        });
        let wished_minor = if !held.method.multi_capture
            || (others_are_taken && self.all_goods_are_accounted_for(bill))
        {
            open_minor
        } else {
            bill.parcel(&parcel.lines, index == 0).total_minor()
        };
        Some(wished_minor.min(open_minor).min(held.capturable_minor()))
    }

    /// Odd cents between the parcels and what is owed after a reduction that came late; or, where
    /// nothing is left to ship, what needs no parcel.
    fn next_rest(&self, held: &Held, bill: &Bill, moment: Moment) -> Option<Event> {
        let taken = |state: &ParcelState| matches!(state, ParcelState::Taken { .. });
        let provider = held.method.provider.as_ref()?;
        let rest_minor = (self.owed_minor() - held.captured_minor).min(held.capturable_minor());
        let reduced_to_nothing_that_ships = self.parcels.is_empty() && !self.reductions.is_empty();
        let due = rest_minor > 0
            && self.rest_refused.is_none()
            && (!self.parcels.is_empty() || reduced_to_nothing_that_ships)
            && self.parcels.iter().all(|parcel| taken(&parcel.state))
            && self.all_goods_are_accounted_for(bill);
        due.then(|| {
            let kind = OperationKind::Capture { shipment: None };
            request(moment, kind, rest_minor, provider, Some(&held.reference))
        })
    }

    fn next_refund(&self, held: &Held, moment: Moment) -> Option<Event> {
        let provider = held.method.provider.as_ref()?;
        let refund = self.refunds.iter().find(|refund| {
            matches!(refund.state, RefundState::Wanted) && refund.amount_minor <= held.kept_minor()
        })?;
        let kind = OperationKind::Refund { refund: Some(refund.refund_id) };
        Some(request(moment, kind, refund.amount_minor, provider, Some(&held.reference)))
    }

    /// What is guaranteed and no longer needed, because all that is owed is taken.
    fn next_release(&self, held: &Held, moment: Moment) -> Option<Event> {
        let provider = held.method.provider.as_ref()?;
        let spare_minor = held.capturable_minor();
        let paid = held.captured_minor > 0 && held.captured_minor >= self.owed_minor();
        (paid && spare_minor > 0).then(|| {
            let reference = Some(&held.reference);
            request(moment, OperationKind::Void, spare_minor, provider, reference)
        })
    }

    /// Whether every piece that needs a parcel is in one or will not come.
    fn all_goods_are_accounted_for(&self, bill: &Bill) -> bool {
        let removed = self.removed();
        bill.lines.iter().filter(|line| line.requires_shipping).all(|line| {
            let gone = removed.get(&line.line_id).copied().unwrap_or(0);
            self.packed_before(line.line_id) + gone >= line.quantity
        })
    }
}

pub(super) fn request(
    moment: Moment,
    kind: OperationKind,
    amount_minor: i64,
    provider: &str,
    reference: Option<&String>,
) -> Event {
    Event::Requested {
        operation: Operation {
            id: OperationId::from_uuid(moment.operation.uuid()),
            kind,
            amount_minor,
            provider: provider.to_owned(),
            reference: reference.cloned(),
            requested_at: moment.at,
            status: OperationStatus::Requested,
        },
    }
}
