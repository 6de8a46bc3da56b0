//! What a command changes. What follows from it by itself is in `next`.

use contracts::events::{LineQuantity, PaymentTerms};

use super::{
    Bill, Choice, Command, Event, Intent, Moment, OrderStanding, Parcel, ParcelLine, ParcelState,
    Payment, Refund, RefundState, Refusal,
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
        let mut events = self.first(command, bill, moment)?;
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

    fn first(&self, command: &Command, bill: &Bill, moment: Moment) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Begin => Ok(Vec::new()),
            Command::ChooseMethod { method, token } => {
                let choice = Choice {
                    code: method.code.clone(),
                    token: token.clone(),
                    method: Some(method.clone()),
                    tried: false,
                };
                self.choose(choice, bill, moment)
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
            Command::Collect { amount, reference, differs } => {
                self.collect(*amount, reference, *differs)
            }
            Command::PayOut { refund_id } => self.pay_out(*refund_id),
            Command::Retry => self.retry(),
            Command::Settle { account } => self.settle(account, bill),
            Command::TellEnd => Ok(self.tell_end()),
        }
    }

    fn choose(&self, choice: Choice, bill: &Bill, moment: Moment) -> Result<Vec<Event>, Refusal> {
        if !self.is_open() {
            return Err(Refusal::OrderEnded);
        }
        if moment.at > self.deadline {
            return Err(Refusal::DeadlinePassed);
        }
        match &self.intent {
            Intent::Noted | Intent::RequiresMethod { .. } | Intent::AwaitingTransfer => {
                self.allows(&choice, bill)?;
                Ok(vec![Event::MethodChosen { choice }])
            }
            // What waits for the shopper is given up first, and only one change at a time.
            Intent::RequiresAction { .. } if self.operation.is_none() => {
                self.allows(&choice, bill)?;
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

    /// Whether there is time, leave and occasion for another way to pay.
    fn allows(&self, choice: &Choice, bill: &Bill) -> Result<(), Refusal> {
        let Some(method) = &choice.method else { return Ok(()) };
        let late = method.terms == PaymentTerms::Transfer
            && self.placed_terms != Some(PaymentTerms::Transfer);
        if late {
            Err(Refusal::TransferTakesLonger)
        } else if method.terms == PaymentTerms::OnDelivery && !bill.ships() {
            Err(Refusal::NothingIsDelivered)
        } else if method.provider.is_some() && self.attempts_left() == 0 {
            Err(Refusal::NoAttemptLeft)
        } else {
            Ok(())
        }
    }

    /// Once for each guarantee.
    fn tell_end(&self) -> Vec<Event> {
        let ends_at = self.guarantee_ends_at().filter(|ends_at| self.end_told != Some(*ends_at));
        ends_at.map(|ends_at| Event::EndTold { ends_at }).into_iter().collect()
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

    fn retry(&self) -> Result<Vec<Event>, Refusal> {
        if self.was_refused() {
            Ok(vec![Event::RetryOrdered])
        } else {
            Err(Refusal::NothingToRetry)
        }
    }
}
