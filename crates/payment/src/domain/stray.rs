//! Money at a provider beside what is held: an attempt that had been given up and took place after
//! all. It belongs to nothing, so it goes back by itself, whether the order stands or not.

use contracts::{Money, OperationId};

use super::answer::{is_hopeless, unknown};
use super::next::request;
use super::{Event, Moment, Operation, OperationKind, Payment, Reply, Stray, StrayNews};

impl Payment {
    /// The next step towards having nothing beside what is held.
    pub(super) fn next_stray(&self, moment: Moment) -> Option<Event> {
        self.strays.iter().filter(|stray| stray.refused.is_none()).find_map(|stray| {
            let held = &stray.held;
            let provider = held.method.provider.as_ref()?;
            let reference = Some(&held.reference);
            if held.kept_minor() > 0 {
                let kind = OperationKind::Refund { refund: None };
                Some(request(moment, kind, held.kept_minor(), provider, reference))
            } else if held.capturable_minor() > 0 {
                let rest = held.capturable_minor();
                Some(request(moment, OperationKind::Void, rest, provider, reference))
            } else {
                None
            }
        })
    }

    /// What an operation is about, if it is about money beside what is held.
    pub(super) fn stray_of(&self, operation: &Operation) -> Option<&Stray> {
        let reference = operation.reference.as_ref()?;
        let stray = self.strays.iter().find(|stray| stray.held.reference == *reference)?;
        let held = self.held().is_some_and(|held| held.reference == *reference);
        (!held).then_some(stray)
    }

    pub(super) fn stray_answer(
        &self,
        operation: &Operation,
        stray: &Stray,
        reply: &Reply,
        moment: Moment,
    ) -> Event {
        let asked = Money::new(operation.amount_minor, self.currency);
        let gives_back = matches!(operation.kind, OperationKind::Refund { .. });
        let news = match reply {
            Reply::Unknown { why } if !is_hopeless(operation, moment) => {
                return unknown(operation, why, operation.status.asks(), moment);
            }
            Reply::Unknown { .. } => return refused_stray(operation, "unknown"),
            Reply::Declined { code } => return refused_stray(operation, code),
            Reply::Voided { .. } if !gives_back => StrayNews::GivenUp,
            Reply::Refunded { reference, amount } if gives_back && *amount == asked => {
                StrayNews::Refunded {
                    reference: reference.clone(),
                    amount_minor: amount.amount_minor,
                }
            }
            Reply::Captured { amount, .. }
                if !gives_back
                    && amount.currency == self.currency
                    && amount.amount_minor > stray.held.captured_minor =>
            {
                StrayNews::Taken { captured_minor: amount.amount_minor }
            }
            Reply::Authorised { .. }
            | Reply::Captured { .. }
            | Reply::Voided { .. }
            | Reply::Refunded { .. }
            | Reply::ActionRequired { .. } => return refused_stray(operation, "unexpected_answer"),
        };
        Event::Stray { by: operation.id, reference: stray.held.reference.clone(), news }
    }

    pub(super) fn note_stray(&mut self, by: OperationId, reference: &str, news: &StrayNews) {
        self.take(by);
        if let StrayNews::Found { held } = news {
            self.given_up.retain(|operation| operation.id != by);
            self.strays.push(Stray { held: held.clone(), refused: None });
            return;
        }
        let stray = self.strays.iter_mut().find(|stray| stray.held.reference == reference);
        let Some(stray) = stray else { return };
        match news {
            StrayNews::Found { .. } => {}
            StrayNews::GivenUp => stray.held.authorised_minor = stray.held.captured_minor,
            StrayNews::Taken { captured_minor } => {
                stray.held.captured_minor = *captured_minor;
                stray.held.authorised_minor = stray.held.authorised_minor.max(*captured_minor);
            }
            StrayNews::Refunded { amount_minor, .. } => {
                stray.held.refunded_minor += amount_minor;
            }
            StrayNews::Refused { code } => stray.refused = Some(code.clone()),
        }
    }

    /// What was taken and what went back beside what is held, in minor units.
    pub fn stray_sums(&self) -> (i64, i64) {
        let held = || self.strays.iter().map(|stray| &stray.held);
        let taken = held().map(|held| held.captured_minor).sum();
        (taken, held().map(|held| held.refunded_minor).sum())
    }
}

pub(super) fn refused_stray(operation: &Operation, code: &str) -> Event {
    Event::Stray {
        by: operation.id,
        reference: operation.reference.clone().unwrap_or_default(),
        news: StrayNews::Refused { code: code.to_owned() },
    }
}
