//! The payment after an event. Never refuses: what happened, happened.

use super::answer::NEVER_ARRIVED;
use super::{
    Clearing, EndReason, Event, Held, Intent, Operation, OperationKind, OperationStatus,
    OrderStanding, ParcelState, Payment, Portion, RefundState,
};

impl Payment {
    /// The payment after `event`.
    #[must_use]
    pub fn apply(mut self, event: &Event) -> Self {
        match event {
            Event::Requested { operation } => self.requested(operation),
            Event::Resent { .. } | Event::Asked { .. } => {}
            Event::WentUnknown { operation, .. } | Event::StillWaiting { operation, .. } => {
                self.asked_again(*operation);
            }
            Event::ActionRequired { by, reference, url, expires_at, .. } => {
                if let Some(attempt) = self.take(*by) {
                    self.intent = Intent::RequiresAction {
                        attempt,
                        reference: reference.clone(),
                        url: url.clone(),
                        expires_at: *expires_at,
                    };
                }
            }
            Event::Authorised { by, held } => {
                self.take(*by);
                self.intent = Intent::Authorised { held: held.clone() };
            }
            Event::Charged { by, too_late, held } => {
                self.take(*by);
                if let Some(void) = too_late {
                    self.take(*void);
                }
                self.choice.tried = true;
                self.intent = Intent::Captured { held: held.clone() };
            }
            Event::Declined { by, code, attempts_left } => {
                self.give_up_if_never_arrived(*by, code);
                self.choice.tried = true;
                self.declines += 1;
                self.attempts += i64::from(by.is_none());
                let declined = code.clone();
                self.intent = if *attempts_left > 0 {
                    Intent::RequiresMethod { declined }
                } else {
                    Intent::Failed { declined }
                };
            }
            Event::Captured { by, amount_minor, portion, shipment_id, .. } => {
                self.take_if(*by);
                self.captured(*amount_minor, *portion, *shipment_id);
            }
            Event::CaptureFailed { by, shipment_id, code } => {
                self.give_up_if_never_arrived(Some(*by), code);
                match shipment_id {
                    None => self.rest_refused = Some(code.clone()),
                    Some(_) => {
                        self.set_parcel(*shipment_id, ParcelState::Refused { code: code.clone() })
                    }
                }
            }
            Event::Voided { by, .. } => {
                self.take(*by);
                self.intent = match self.held().cloned() {
                    Some(held) => Intent::Voided { held: Some(held) },
                    None => self.closed(),
                };
            }
            Event::AttemptAbandoned { by, .. } => {
                self.take(*by);
                self.intent = Intent::RequiresMethod { declined: "replaced".to_owned() };
            }
            Event::VoidFailed { by, code } => {
                self.give_up_if_never_arrived(Some(*by), code);
                self.choice.tried = true;
                self.stick(code);
            }
            Event::Refunded { by, refund_id, amount_minor, .. } => {
                self.take_if(*by);
                if let Some(held) = self.held_mut() {
                    held.refunded_minor += amount_minor;
                }
                self.set_refund(*refund_id, &RefundState::Done);
            }
            Event::RefundFailed { by, refund_id, code } => {
                self.give_up_if_never_arrived(Some(*by), code);
                match refund_id {
                    None => self.stick(code),
                    Some(_) => {
                        self.set_refund(*refund_id, &RefundState::Refused { code: code.clone() });
                    }
                }
            }
            Event::Conflicted { by, reason, held } => self.conflicted(*by, reason, held.as_ref()),
            Event::MethodChosen { choice } => self.choice = choice.clone(),
            Event::TransferAwaited => {
                self.choice.tried = true;
                self.intent = Intent::AwaitingTransfer;
            }
            Event::NotRequired { terms } => {
                self.choice.tried = true;
                self.intent = Intent::NotRequired { terms: *terms };
            }
            Event::Collected { receipt, held } => {
                self.receipts.push(receipt.clone());
                self.intent = self.placed(held.clone());
            }
            Event::ParcelNoted { parcel } => self.parcels.push(parcel.clone()),
            Event::RefundNoted { refund } => self.refunds.push(refund.clone()),
            Event::Reduced(reduction) => {
                self.reductions.push(reduction.clone());
                self.place();
            }
            Event::OrderEnded { how } => {
                self.order = OrderStanding::Ended { how: *how, clearing: Clearing::Going };
            }
            Event::Closed => self.intent = self.closed(),
            Event::RetryOrdered => self.retry_all(),
            Event::FoundTaken { by, held, .. } => {
                self.take(*by);
                match &mut self.intent {
                    Intent::Conflicted { held: known, .. } => *known = Some(held.clone()),
                    Intent::Noted
                    | Intent::RequiresMethod { .. }
                    | Intent::Processing
                    | Intent::RequiresAction { .. }
                    | Intent::AwaitingTransfer
                    | Intent::NotRequired { .. }
                    | Intent::Authorised { .. }
                    | Intent::PartlyCaptured { .. }
                    | Intent::Captured { .. }
                    | Intent::Failed { .. }
                    | Intent::Voided { .. }
                    | Intent::Expired => self.intent = self.placed(held.clone()),
                }
            }
            Event::RestGivenUp { by, .. } => {
                self.take(*by);
                if let Some(held) = self.held_mut() {
                    held.authorised_minor = held.captured_minor;
                }
                self.place();
            }
            Event::Stray { by, reference, news } => self.note_stray(*by, reference, news),
            Event::Settled { held } => self.settled(held),
            Event::EndTold { ends_at } => self.end_told = Some(*ends_at),
        }
        self
    }

    fn requested(&mut self, operation: &Operation) {
        match operation.kind {
            OperationKind::Authorise { .. } => {
                self.choice.tried = true;
                self.attempts += 1;
                self.intent = Intent::Processing;
            }
            OperationKind::Capture { .. } | OperationKind::Void | OperationKind::Refund { .. } => {}
        }
        self.operation = Some(operation.clone());
    }

    fn asked_again(&mut self, id: contracts::OperationId) {
        let again = |operation: &mut Operation| {
            if operation.id == id {
                let asks = operation.status.asks().saturating_add(1);
                operation.status = OperationStatus::Unknown { asks };
            }
        };
        self.operation.iter_mut().for_each(again);
        if let Intent::RequiresAction { attempt, .. } = &mut self.intent {
            again(attempt);
        }
    }

    pub(super) fn take(&mut self, id: contracts::OperationId) -> Option<Operation> {
        self.operation.take_if(|operation| operation.id == id)
    }

    fn take_if(&mut self, id: Option<contracts::OperationId>) {
        if let Some(id) = id {
            self.take(id);
        }
    }

    fn give_up_if_never_arrived(&mut self, id: Option<contracts::OperationId>, code: &str) {
        let taken = id.and_then(|id| self.take(id));
        if code == NEVER_ARRIVED {
            let waiting = self.waiting_attempt().filter(|attempt| Some(attempt.id) == id);
            let waiting = waiting.cloned();
            self.given_up.extend(taken.or(waiting));
        }
    }

    fn held_mut(&mut self) -> Option<&mut Held> {
        match &mut self.intent {
            Intent::Authorised { held }
            | Intent::PartlyCaptured { held }
            | Intent::Captured { held } => Some(held),
            Intent::Voided { held } | Intent::Conflicted { held, .. } => held.as_mut(),
            Intent::Noted
            | Intent::RequiresMethod { .. }
            | Intent::Processing
            | Intent::RequiresAction { .. }
            | Intent::AwaitingTransfer
            | Intent::NotRequired { .. }
            | Intent::Failed { .. }
            | Intent::Expired => None,
        }
    }

    fn captured(
        &mut self,
        amount_minor: i64,
        portion: Portion,
        shipment_id: Option<contracts::ShipmentId>,
    ) {
        if let Some(held) = self.held_mut() {
            held.captured_minor += amount_minor;
        }
        self.set_parcel(shipment_id, ParcelState::Taken { amount_minor });
        match portion {
            Portion::Parcel | Portion::Rest => {}
            // The first parcel has paid for all others.
            Portion::Everything => {
                for parcel in &mut self.parcels {
                    match parcel.state {
                        ParcelState::Taken { .. } => {}
                        ParcelState::Wanted | ParcelState::Refused { .. } => {
                            parcel.state = ParcelState::Taken { amount_minor: 0 };
                        }
                    }
                }
            }
        }
        self.place();
    }

    /// Moves between authorised, partly captured and captured as the amounts say.
    fn place(&mut self) {
        let held = match &self.intent {
            Intent::Authorised { held }
            | Intent::PartlyCaptured { held }
            | Intent::Captured { held } => held.clone(),
            Intent::Noted
            | Intent::RequiresMethod { .. }
            | Intent::Processing
            | Intent::RequiresAction { .. }
            | Intent::AwaitingTransfer
            | Intent::NotRequired { .. }
            | Intent::Failed { .. }
            | Intent::Voided { .. }
            | Intent::Expired
            | Intent::Conflicted { .. } => return,
        };
        self.intent = self.placed(held);
    }

    /// Where money is, by what of it has been taken.
    pub(super) fn placed(&self, held: Held) -> Intent {
        // What people receive has no guarantee that could be used up: the rest may still come.
        let no_more = held.capturable_minor() == 0 && !held.is_by_hand();
        if held.captured_minor == 0 {
            Intent::Authorised { held }
        } else if held.captured_minor >= self.owed_minor() || no_more {
            Intent::Captured { held }
        } else {
            Intent::PartlyCaptured { held }
        }
    }

    fn conflicted(&mut self, by: contracts::OperationId, reason: &str, held: Option<&Held>) {
        let turned_up = self.given_up.extract_if(.., |operation| operation.id == by).next();
        if let Some(operation) = turned_up {
            self.took_place(&operation);
        }
        let gave_back = self.take(by).is_some_and(|operation| match operation.kind {
            OperationKind::Authorise { .. } | OperationKind::Capture { .. } => false,
            OperationKind::Void | OperationKind::Refund { .. } => true,
        });
        if gave_back {
            self.stick(reason);
        }
        let held = held.cloned().or_else(|| self.held().cloned());
        self.intent = Intent::Conflicted { reason: reason.to_owned(), held };
    }

    /// What was given up and took place after all is not to be done again.
    fn took_place(&mut self, operation: &Operation) {
        match operation.kind {
            OperationKind::Capture { shipment } => {
                let state = ParcelState::Taken { amount_minor: operation.amount_minor };
                self.set_parcel(shipment, state);
            }
            OperationKind::Refund { refund: Some(refund) } => {
                self.set_refund(Some(refund), &RefundState::Done);
            }
            OperationKind::Refund { refund: None }
            | OperationKind::Authorise { .. }
            | OperationKind::Void => {}
        }
    }

    fn set_parcel(&mut self, shipment_id: Option<contracts::ShipmentId>, state: ParcelState) {
        let same = |parcel: &&mut super::Parcel| Some(parcel.shipment_id) == shipment_id;
        if let Some(parcel) = self.parcels.iter_mut().find(same) {
            parcel.state = state;
        }
    }

    fn set_refund(&mut self, refund_id: Option<uuid::Uuid>, state: &RefundState) {
        for refund in &mut self.refunds {
            // With no decision named, everything has gone back.
            if refund_id.is_none_or(|id| id == refund.refund_id) {
                refund.state = state.clone();
            }
        }
    }

    fn stick(&mut self, code: &str) {
        if let OrderStanding::Ended { clearing, .. } = &mut self.order {
            *clearing = Clearing::Stuck { code: code.to_owned() };
        }
    }

    fn retry_all(&mut self) {
        if let OrderStanding::Ended { clearing, .. } = &mut self.order {
            *clearing = Clearing::Going;
        }
        self.rest_refused = None;
        self.strays.iter_mut().for_each(|stray| stray.refused = None);
        for parcel in &mut self.parcels {
            match parcel.state {
                ParcelState::Refused { .. } => parcel.state = ParcelState::Wanted,
                ParcelState::Wanted | ParcelState::Taken { .. } => {}
            }
        }
        for refund in &mut self.refunds {
            match refund.state {
                RefundState::Refused { .. } => refund.state = RefundState::Wanted,
                RefundState::Wanted | RefundState::Done => {}
            }
        }
    }

    /// The end of a payment for which nothing had been guaranteed.
    fn closed(&self) -> Intent {
        match self.order {
            OrderStanding::Ended { how: EndReason::Expired, .. } => Intent::Expired,
            OrderStanding::Ended { how: EndReason::Failed | EndReason::Cancelled, .. }
            | OrderStanding::Open => Intent::Voided { held: None },
        }
    }
}
