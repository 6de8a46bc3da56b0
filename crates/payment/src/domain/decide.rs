//! What a command changes. What follows from it by itself is in `next`.

use contracts::Money;
use contracts::events::LineQuantity;
use uuid::Uuid;

use super::{
    Bill, Choice, Clearing, Command, Event, Held, Intent, Moment, OrderStanding, Parcel,
    ParcelLine, ParcelState, Payment, Refund, RefundState, Refusal,
};

impl Payment {
    /// What `command` would change, and everything that follows from it until an answer from
    /// outside is needed. `Ok([])` means "already so": a repeat, or a message that came late.
    ///
    /// # Errors
    /// [`Refusal`], naming the fact that stands against it.
    pub fn decide(
        &self,
        command: &Command,
        bill: &Bill,
        moment: Moment,
    ) -> Result<Vec<Event>, Refusal> {
        let mut events = self.first(command, moment)?;
        if events.is_empty() && !matches!(command, Command::Begin) {
            return Ok(events);
        }
        let mut state = events.iter().fold(self.clone(), Self::apply);
        if matches!(command, Command::Begin) && matches!(state.intent, Intent::Noted) {
            events.extend(state.begin(bill, moment));
            state = events.iter().fold(self.clone(), Self::apply);
        }
        while let Some(event) = state.next(bill, moment) {
            state = state.apply(&event);
            events.push(event);
        }
        Ok(events)
    }

    fn first(&self, command: &Command, moment: Moment) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Begin => Ok(Vec::new()),
            Command::ChooseMethod { method, token } => {
                let choice = Choice {
                    code: method.code.clone(),
                    token: token.clone(),
                    method: Some(method.clone()),
                    tried: false,
                };
                self.choose(choice, moment)
            }
            Command::Answer { operation, reply } => Ok(self.answer(*operation, reply, moment)),
            Command::NeverArrived { operation } => Ok(self.never_arrived(*operation, moment)),
            Command::Ask => {
                Ok(self.in_doubt().map(|doubted| Event::Asked { operation: doubted.id }).collect())
            }
            Command::Pack { shipment_id, lines } => self.pack(*shipment_id, lines),
            Command::EndOrder { how } => Ok(match self.order {
                OrderStanding::Open => vec![Event::OrderEnded { how: *how }],
                OrderStanding::Ended { .. } => Vec::new(),
            }),
            Command::Reduce(reduction) => {
                let known = self.reductions.iter().any(|r| r.version == reduction.version);
                let moot = known || !self.is_open();
                Ok(if moot { Vec::new() } else { vec![Event::Reduced(reduction.clone())] })
            }
            Command::GrantRefund { refund_id, amount_minor, amounts, line_id, reason } => {
                let known = self.refunds.iter().any(|refund| refund.refund_id == *refund_id);
                let moot = known || !self.is_open() || *amount_minor <= 0;
                let refund = Refund {
                    refund_id: *refund_id,
                    amount_minor: *amount_minor,
                    amounts: amounts.clone(),
                    line_id: *line_id,
                    reason: reason.clone(),
                    state: RefundState::Wanted,
                };
                Ok(if moot { Vec::new() } else { vec![Event::RefundNoted { refund }] })
            }
            Command::Collect { amount, reference } => self.collect(*amount, reference),
            Command::PayOut { refund_id } => self.pay_out(*refund_id),
            Command::Retry => self.retry(),
        }
    }

    fn choose(&self, choice: Choice, moment: Moment) -> Result<Vec<Event>, Refusal> {
        if !self.is_open() {
            return Err(Refusal::OrderEnded);
        }
        if moment.at > self.deadline {
            return Err(Refusal::DeadlinePassed);
        }
        match &self.intent {
            Intent::Noted | Intent::RequiresMethod { .. } | Intent::AwaitingTransfer => {
                Ok(vec![Event::MethodChosen { choice }])
            }
            // What waits for the shopper is given up first, and only one change at a time.
            Intent::RequiresAction { .. } if self.operation.is_none() => {
                Ok(vec![Event::MethodChosen { choice }])
            }
            Intent::RequiresAction { .. }
            | Intent::Processing
            | Intent::NotRequired { .. }
            | Intent::Authorised { .. }
            | Intent::PartlyCaptured { .. }
            | Intent::Captured { .. }
            | Intent::Failed { .. }
            | Intent::Voided { .. }
            | Intent::Expired
            | Intent::Conflicted { .. } => Err(Refusal::NotWaitingForMethod(self.status())),
        }
    }

    fn pack(
        &self,
        shipment_id: contracts::ShipmentId,
        lines: &[LineQuantity],
    ) -> Result<Vec<Event>, Refusal> {
        if self.parcels.iter().any(|parcel| parcel.shipment_id == shipment_id) || !self.is_open() {
            return Ok(Vec::new());
        }
        match &self.intent {
            Intent::Authorised { held }
            | Intent::PartlyCaptured { held }
            | Intent::Captured { held } => {
                if held.capturable_minor() == 0 {
                    return Ok(Vec::new());
                }
                let lines = lines.iter().map(|line| self.packed(line)).collect();
                let parcel = Parcel { shipment_id, lines, state: ParcelState::Wanted };
                Ok(vec![Event::ParcelNoted { parcel }])
            }
            // Paid later, or stopped for a person: the warehouse has been told either way.
            Intent::NotRequired { .. }
            | Intent::Failed { .. }
            | Intent::Voided { .. }
            | Intent::Expired
            | Intent::Conflicted { .. } => Ok(Vec::new()),
            Intent::Noted
            | Intent::RequiresMethod { .. }
            | Intent::Processing
            | Intent::RequiresAction { .. }
            | Intent::AwaitingTransfer => Err(Refusal::NotAuthorised(self.status())),
        }
    }

    fn packed(&self, line: &LineQuantity) -> ParcelLine {
        ParcelLine {
            line_id: line.line_id,
            from: self.packed_before(line.line_id),
            quantity: line.quantity,
        }
    }

    /// How many pieces of a line are in parcels already.
    pub(super) fn packed_before(&self, line_id: contracts::LineId) -> i64 {
        let lines = self.parcels.iter().flat_map(|parcel| &parcel.lines);
        lines.filter(|line| line.line_id == line_id).map(|line| line.quantity).sum()
    }

    fn collect(&self, amount: Money, reference: &str) -> Result<Vec<Event>, Refusal> {
        let owed = Money::new(self.owed_minor(), self.currency);
        let by_hand = |held: &Held| held.method.provider.is_none() && held.reference == reference;
        if self.held().is_some_and(by_hand) {
            return Ok(Vec::new());
        }
        if !self.is_open() {
            return Err(Refusal::OrderEnded);
        }
        let waits = matches!(self.intent, Intent::NotRequired { .. } | Intent::AwaitingTransfer);
        let method = self.choice.method.as_ref().filter(|_| waits && owed.amount_minor > 0);
        let Some(method) = method else {
            return Err(Refusal::NothingToCollect(self.status()));
        };
        if amount != owed {
            return Err(Refusal::AmountDiffers { owed });
        }
        let held = Held {
            method: super::Method { provider: None, ..method.clone() },
            reference: reference.to_owned(),
            authorised_minor: owed.amount_minor,
            captured_minor: owed.amount_minor,
            refunded_minor: 0,
            expires_at: self.deadline,
        };
        Ok(vec![Event::Collected { held }])
    }

    fn pay_out(&self, refund_id: Option<Uuid>) -> Result<Vec<Event>, Refusal> {
        let held = self.held().filter(|held| held.method.provider.is_none());
        let held = held.ok_or(Refusal::NothingToPayOut)?;
        let refunded = |amount_minor| {
            let event = Event::Refunded { by: None, refund_id, reference: None, amount_minor };
            Ok(vec![event])
        };
        let Some(refund_id) = refund_id else {
            return if !self.is_open() && held.kept_minor() > 0 {
                refunded(held.kept_minor())
            } else {
                Err(Refusal::NothingToPayOut)
            };
        };
        let refund = self.refunds.iter().find(|refund| refund.refund_id == refund_id);
        let refund = refund.ok_or(Refusal::NothingToPayOut)?;
        match refund.state {
            RefundState::Done => Ok(Vec::new()),
            RefundState::Wanted | RefundState::Refused { .. } => {
                if refund.amount_minor <= held.kept_minor() {
                    refunded(refund.amount_minor)
                } else {
                    Err(Refusal::NothingToPayOut)
                }
            }
        }
    }

    fn retry(&self) -> Result<Vec<Event>, Refusal> {
        let stuck =
            matches!(self.order, OrderStanding::Ended { clearing: Clearing::Stuck { .. }, .. });
        let parcel = self.parcels.iter().any(|p| matches!(p.state, ParcelState::Refused { .. }));
        let refund = self.refunds.iter().any(|r| matches!(r.state, RefundState::Refused { .. }));
        if stuck || parcel || refund || self.rest_refused.is_some() {
            Ok(vec![Event::RetryOrdered])
        } else {
            Err(Refusal::NothingToRetry)
        }
    }
}
