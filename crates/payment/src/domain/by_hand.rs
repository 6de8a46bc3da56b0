//! Money that people move: cash at the door, transfers found on a statement, and what they pay out.
//!
//! Money that is in the bank can be noted, whatever it comes to and however late it is: part of what
//! is due leaves the rest due, and what comes over it, or after the end, is to be paid out.

use contracts::Money;
use contracts::events::PaymentTerms;
use uuid::Uuid;

use super::{
    CaptureMode, Event, Held, Intent, Method, OrderStanding, Payment, Receipt, RefundState, Refusal,
};

impl Payment {
    pub(super) fn collect(
        &self,
        amount: Money,
        reference: &str,
        differs: bool,
    ) -> Result<Vec<Event>, Refusal> {
        let known = self.receipts.iter().find(|receipt| receipt.reference == reference);
        if let Some(receipt) = known {
            let noted = Money::new(receipt.amount_minor, self.currency);
            return if noted == amount {
                Ok(Vec::new())
            } else {
                Err(Refusal::ReceiptDiffers { noted })
            };
        }
        if !self.may_collect() {
            return Err(Refusal::NothingToCollect(self.status()));
        }
        let due = Money::new(self.due_by_hand_minor(), self.currency);
        let is_money = amount.currency == self.currency && amount.amount_minor > 0;
        if !is_money || (amount != due && !differs) {
            return Err(Refusal::AmountDiffers { due });
        }
        let before = self.held().map_or(0, |held| held.captured_minor);
        let captured_minor = before.saturating_add(amount.amount_minor);
        let held = Held {
            method: self.held().map_or_else(|| self.method_by_hand(), |held| held.method.clone()),
            reference: self
                .held()
                .map_or_else(|| reference.to_owned(), |held| held.reference.clone()),
            authorised_minor: captured_minor,
            captured_minor,
            refunded_minor: self.refunded_minor(),
            expires_at: self.deadline,
        };
        let receipt =
            Receipt { reference: reference.to_owned(), amount_minor: amount.amount_minor };
        Ok(vec![Event::Collected { receipt, held }])
    }

    /// What people have still to receive, in minor units. Nothing once the order has ended.
    pub fn due_by_hand_minor(&self) -> i64 {
        match self.order {
            OrderStanding::Open => (self.owed_minor() - self.captured_minor()).max(0),
            OrderStanding::Ended { .. } => 0,
        }
    }

    /// Whether all that is owed has been received by hand.
    pub(super) fn is_covered_by_hand(&self) -> bool {
        let held = self.held().filter(|held| held.is_by_hand());
        held.is_some_and(|held| held.captured_minor >= self.owed_minor())
    }

    fn may_collect(&self) -> bool {
        match &self.intent {
            Intent::AwaitingTransfer => true,
            Intent::NotRequired { .. } => self.owed_minor() > 0,
            Intent::Authorised { held }
            | Intent::PartlyCaptured { held }
            | Intent::Captured { held } => held.is_by_hand(),
            // Nothing is waited for any more, and the money came all the same.
            Intent::Failed { .. } | Intent::Expired => !self.is_open(),
            Intent::Voided { held } => {
                !self.is_open() && held.as_ref().is_none_or(Held::is_by_hand)
            }
            // A provider may still have money for it.
            Intent::Noted
            | Intent::RequiresMethod { .. }
            | Intent::Processing
            | Intent::RequiresAction { .. }
            | Intent::Conflicted { .. } => false,
        }
    }

    /// The chosen way to pay with a person in the provider's place.
    fn method_by_hand(&self) -> Method {
        let chosen = self.choice.method.clone().unwrap_or_else(|| Method {
            code: self.choice.code.clone(),
            terms: PaymentTerms::Transfer,
            provider: None,
            capture: CaptureMode::OnShip,
            multi_capture: false,
            authorisation_days: 0,
        });
        Method { provider: None, ..chosen }
    }

    pub(super) fn pay_out(&self, refund_id: Option<Uuid>) -> Result<Vec<Event>, Refusal> {
        let held = self.held().filter(|held| held.is_by_hand());
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
}
