//! A contradiction that a person settles by what the provider says now.
//!
//! Of an order that has ended its account is taken over, and what it still holds goes back. Of one
//! that stands it is taken over where it is as it should be; otherwise the person is told what it
//! says, and what to do.

use super::command::Account;
use super::{
    Bill, Clearing, Event, Held, Intent, OrderStanding, ParcelState, Payment, Portion, RefundState,
    Refusal,
};

impl Payment {
    pub(super) fn settle(&self, account: &Account, bill: &Bill) -> Result<Vec<Event>, Refusal> {
        let Intent::Conflicted { held, .. } = &self.intent else {
            return Err(Refusal::NotConflicted(self.status()));
        };
        if self.operation.is_some() {
            return Err(Refusal::Busy);
        }
        let misfit =
            |why: String| Refusal::AccountDoesNotFit { account: Box::new(account.clone()), why };
        let Some(held) = held else {
            return Err(misfit("nothing of it is known here".to_owned()));
        };
        let known = held.reference == account.reference
            && account.authorised.currency == self.currency
            && account.captured_minor >= held.captured_minor
            && account.refunded_minor >= held.refunded_minor
            && account.refunded_minor <= account.captured_minor;
        if !known {
            let ours = format!(
                "here {} was taken and {} given back, in {}",
                held.captured_minor,
                held.refunded_minor,
                self.currency.code()
            );
            return Err(misfit(ours));
        }
        let authorised_minor = account.authorised.amount_minor.max(account.captured_minor);
        let settled = Held { authorised_minor, ..held.clone() };
        let taken_minor = account.captured_minor - held.captured_minor;
        let returned_minor = account.refunded_minor - held.refunded_minor;
        let mut events = vec![Event::Settled { held: settled.clone() }];
        if self.is_open() {
            if authorised_minor < self.owed_minor() || account.captured_minor > self.total_minor {
                let owed = contracts::Money::new(self.owed_minor(), self.currency);
                let why = format!("{owed} is owed; cancel the order, and everything goes back");
                return Err(misfit(why));
            }
            events.extend(self.taken_since(&settled, taken_minor, bill).map_err(misfit)?);
            events.extend(self.returned_since(returned_minor).map_err(misfit)?);
        } else {
            events.extend((taken_minor > 0).then_some(Event::Captured {
                by: None,
                reference: None,
                amount_minor: taken_minor,
                portion: Portion::Everything,
                shipment_id: None,
            }));
            events.extend((returned_minor > 0).then_some(Event::Refunded {
                by: None,
                refund_id: None,
                reference: None,
                amount_minor: returned_minor,
            }));
        }
        Ok(events)
    }

    /// What the provider took and we did not hear of: the money of the parcel that is next.
    fn taken_since(
        &self,
        held: &Held,
        taken_minor: i64,
        bill: &Bill,
    ) -> Result<Option<Event>, String> {
        if taken_minor == 0 {
            return Ok(None);
        }
        let next = self.parcels.iter().position(|parcel| match parcel.state {
            ParcelState::Wanted | ParcelState::Refused { .. } => true,
            ParcelState::Taken { .. } => false,
        });
        let wished_minor = match next {
            Some(index) => self.wished_minor(held, bill, index).unwrap_or(0),
            None => self.owed_minor() - held.captured_minor,
        };
        if taken_minor != wished_minor {
            return Err(format!("{taken_minor} was taken since, and {wished_minor} was to be"));
        }
        let everything = next.is_none() || !held.method.multi_capture;
        Ok(Some(Event::Captured {
            by: None,
            reference: None,
            amount_minor: taken_minor,
            portion: if everything { Portion::Everything } else { Portion::Parcel },
            shipment_id: next.and_then(|index| self.parcels.get(index)).map(|p| p.shipment_id),
        }))
    }

    /// What the provider gave back and we did not hear of: a refund that was granted.
    fn returned_since(&self, returned_minor: i64) -> Result<Option<Event>, String> {
        if returned_minor == 0 {
            return Ok(None);
        }
        let granted = self.refunds.iter().find(|refund| match refund.state {
            RefundState::Wanted | RefundState::Refused { .. } => {
                refund.amount_minor == returned_minor
            }
            RefundState::Done => false,
        });
        let granted =
            granted.ok_or_else(|| format!("no refund of {returned_minor} was granted"))?;
        Ok(Some(Event::Refunded {
            by: None,
            refund_id: Some(granted.refund_id),
            reference: None,
            amount_minor: returned_minor,
        }))
    }

    pub(super) fn settled(&mut self, held: &Held) {
        if let OrderStanding::Ended { clearing, .. } = &mut self.order {
            *clearing = Clearing::Going;
        }
        self.intent = if held.authorised_minor == 0 {
            Intent::Voided { held: Some(held.clone()) }
        } else {
            self.placed(held.clone())
        };
    }
}
