//! What a provider's answer means for a payment: the same for the answer to a call, to the
//! question what became of it, and to the question a webhook or a returning browser leads to.

use std::time::Duration;

use contracts::{Money, OperationId, ShipmentId};
use uuid::Uuid;

use super::stray::refused_stray;
use super::{
    Event, Held, Intent, Method, Moment, Operation, OperationKind, OperationStatus, Payment,
    Portion, Reply, StrayNews,
};

/// The code of an operation that was given up because the provider had never heard of it.
pub(super) const NEVER_ARRIVED: &str = "never_arrived";

/// An operation may be sent again under its key while the provider still knows the key: a day,
/// less a margin for clocks and queues.
pub const KEY_LIFE: Duration = Duration::from_secs(20 * 3600);

/// An authorisation nobody wants any more is given up sooner.
const UNWANTED_LIFE: Duration = Duration::from_secs(600);

/// And only after so many questions, for which it takes ten minutes from the first unknown answer.
const UNWANTED_ASKS: u32 = 5;

/// Nothing waits without a deadline: what is unknown for this long is for a person.
const UNKNOWN_LIFE: Duration = Duration::from_secs(72 * 3600);

impl Payment {
    /// What follows directly from a provider's answer.
    pub(super) fn answer(&self, id: OperationId, reply: &Reply, moment: Moment) -> Vec<Event> {
        if let Some(operation) = self.operation.as_ref().filter(|operation| operation.id == id) {
            if let Some(stray) = self.stray_of(operation) {
                return vec![self.stray_answer(operation, stray, reply, moment)];
            }
            return match &operation.kind {
                OperationKind::Authorise { method, .. } => {
                    self.authorise_answer(operation, method, reply, moment)
                }
                OperationKind::Capture { shipment } => {
                    self.capture_answer(operation, *shipment, reply, moment)
                }
                OperationKind::Void => self.void_answer(operation, reply, moment),
                OperationKind::Refund { refund } => {
                    self.refund_answer(operation, *refund, reply, moment)
                }
            };
        }
        if let Some(attempt) = self.waiting_attempt().filter(|attempt| attempt.id == id)
            && let OperationKind::Authorise { method, .. } = &attempt.kind
        {
            // While it is being given up, the answer to that decides: it comes later.
            return match self.operation {
                Some(_) => Vec::new(),
                None => self.authorise_answer(attempt, method, reply, moment),
            };
        }
        self.late_answer(id, reply, moment)
    }

    /// What follows when the provider has never heard of an operation.
    pub(super) fn never_arrived(&self, id: OperationId, moment: Moment) -> Vec<Event> {
        let Some(operation) = self.open_operation().filter(|operation| operation.id == id) else {
            return Vec::new();
        };
        let asks = match operation.status {
            // The call may still be on its way: only its own answer counts.
            OperationStatus::Requested
                if self.operation.is_some()
                    && moment.at.since(operation.requested_at) < KEY_LIFE =>
            {
                return Vec::new();
            }
            OperationStatus::Requested => 0,
            OperationStatus::Unknown { asks } => asks,
        };
        let age = moment.at.since(operation.requested_at);
        let stray = self.stray_of(operation);
        let give_up = |code: &str| match &operation.kind {
            OperationKind::Void | OperationKind::Refund { .. } if stray.is_some() => {
                refused_stray(operation, code)
            }
            OperationKind::Void if self.lets_the_rest_go() => {
                Event::RestGivenUp { by: id, refused: Some(code.to_owned()) }
            }
            OperationKind::Authorise { .. } => self.declined(id, code),
            OperationKind::Capture { shipment } => {
                Event::CaptureFailed { by: id, shipment_id: *shipment, code: code.to_owned() }
            }
            OperationKind::Void => Event::VoidFailed { by: id, code: code.to_owned() },
            OperationKind::Refund { refund } => {
                Event::RefundFailed { by: id, refund_id: *refund, code: code.to_owned() }
            }
        };
        let begins = matches!(operation.kind, OperationKind::Authorise { .. });
        if self.operation.is_none() {
            return vec![give_up(NEVER_ARRIVED)];
        }
        if begins && !self.is_open() {
            // Time alone says little: the call may have waited here and left only now.
            return vec![if age < UNWANTED_LIFE || asks < UNWANTED_ASKS {
                unknown(operation, "the provider has not heard of it", asks, moment)
            } else {
                give_up(NEVER_ARRIVED)
            }];
        }
        vec![if age < KEY_LIFE { Event::Resent { operation: id } } else { give_up(NEVER_ARRIVED) }]
    }

    fn authorise_answer(
        &self,
        operation: &Operation,
        method: &Method,
        reply: &Reply,
        moment: Moment,
    ) -> Vec<Event> {
        let by = operation.id;
        let waits = matches!(self.intent, Intent::RequiresAction { .. });
        let event = match reply {
            Reply::Authorised { reference, amount } => {
                match self.held_for(operation, method, reference, *amount, false, moment) {
                    Ok(held) => Event::Authorised { by, held },
                    Err(mismatch) => mismatch.stops(by),
                }
            }
            Reply::Captured { reference, amount, .. } => {
                match self.held_for(operation, method, reference, *amount, true, moment) {
                    Ok(held) => Event::Charged { by, too_late: None, held },
                    Err(mismatch) => mismatch.stops(by),
                }
            }
            Reply::ActionRequired { .. } if waits => still_waiting(operation, moment),
            Reply::ActionRequired { reference, url, expires_at } => Event::ActionRequired {
                by,
                reference: reference.clone(),
                url: url.clone(),
                expires_at: *expires_at,
                ask_at: moment.at.plus(backoff(2)),
            },
            Reply::Declined { code } => self.declined(by, code),
            Reply::Voided { .. } => self.declined(by, "voided"),
            Reply::Unknown { .. } if waits => still_waiting(operation, moment),
            Reply::Unknown { why } => self.unknown(operation, why, moment),
            Reply::Refunded { .. } => {
                self.conflict(by, "the provider refunded what was to be paid")
            }
        };
        vec![event]
    }

    fn capture_answer(
        &self,
        operation: &Operation,
        shipment_id: Option<ShipmentId>,
        reply: &Reply,
        moment: Moment,
    ) -> Vec<Event> {
        let by = operation.id;
        let failed = |code: &str| Event::CaptureFailed { by, shipment_id, code: code.to_owned() };
        let multi = self.held().is_some_and(|held| held.method.multi_capture);
        let portion = match shipment_id {
            None if self.parcels.is_empty() => Portion::Everything,
            None => Portion::Rest,
            Some(_) if multi => Portion::Parcel,
            Some(_) => Portion::Everything,
        };
        vec![match reply {
            Reply::Captured { amount, .. } if !self.asked_for(operation, *amount) => {
                self.conflict(by, &format!("captured {amount} by the provider's account"))
            }
            Reply::Captured { capture, .. } => Event::Captured {
                by: Some(by),
                reference: Some(capture.clone()),
                amount_minor: operation.amount_minor,
                portion,
                shipment_id,
            },
            Reply::Declined { code } => failed(code),
            Reply::Voided { .. } => failed("voided"),
            Reply::Unknown { why } => self.unknown(operation, why, moment),
            Reply::Authorised { .. } | Reply::ActionRequired { .. } | Reply::Refunded { .. } => {
                self.conflict(by, "the provider answered a capture with something else")
            }
        }]
    }

    fn void_answer(&self, operation: &Operation, reply: &Reply, moment: Moment) -> Vec<Event> {
        let by = operation.id;
        let waiting = self.waiting_attempt();
        let failed = |code: &str| {
            let ask = waiting.filter(|_| self.is_open());
            let mut events = vec![Event::VoidFailed { by, code: code.to_owned() }];
            events.extend(ask.map(|attempt| Event::Asked { operation: attempt.id }));
            events
        };
        let rest = self.lets_the_rest_go();
        let given_up = |refused: Option<&str>| {
            vec![Event::RestGivenUp { by, refused: refused.map(str::to_owned) }]
        };
        match reply {
            Reply::Voided { .. } if self.keeps_money() => given_up(None),
            Reply::Declined { code } if rest => given_up(Some(code)),
            Reply::Unknown { .. } if rest && is_hopeless(operation, moment) => {
                given_up(Some("unknown"))
            }
            Reply::Voided { .. } => vec![match waiting.filter(|_| self.is_open()) {
                Some(attempt) => Event::AttemptAbandoned { by, attempt: attempt.id },
                None => Event::Voided { by, attempt: waiting.map(|attempt| attempt.id) },
            }],
            // The shopper was faster: the money is there.
            Reply::Captured { reference, amount, .. } => {
                let attempt = waiting.map(|attempt| (attempt, &attempt.kind));
                if let Some((attempt, OperationKind::Authorise { method, .. })) = attempt {
                    match self.held_for(attempt, method, reference, *amount, true, moment) {
                        Ok(held) => {
                            vec![Event::Charged { by: attempt.id, too_late: Some(by), held }]
                        }
                        Err(mismatch) => vec![mismatch.stops(by)],
                    }
                } else {
                    vec![self.found_taken(by, *amount)]
                }
            }
            Reply::Declined { code } => failed(code),
            Reply::Authorised { .. } => failed("still_authorised"),
            Reply::ActionRequired { .. } | Reply::Refunded { .. } => failed("unexpected_answer"),
            Reply::Unknown { why } => vec![self.unknown(operation, why, moment)],
        }
    }

    /// Whether a void is about what nobody needs, under an order that stands.
    fn lets_the_rest_go(&self) -> bool {
        self.is_open() && self.keeps_money()
    }

    fn keeps_money(&self) -> bool {
        self.held().is_some_and(|held| held.kept_minor() > 0)
    }

    /// The provider took what was to be given up: what it took counts, and goes back once the order
    /// has ended.
    fn found_taken(&self, by: OperationId, total: Money) -> Event {
        let reason = "the provider took what was to be given up";
        let more = self.held().filter(|held| {
            total.currency == self.currency && total.amount_minor > held.captured_minor
        });
        let Some(held) = more else { return self.conflict(by, reason) };
        let amount_minor = total.amount_minor - held.captured_minor;
        let held = Held {
            captured_minor: total.amount_minor,
            authorised_minor: held.authorised_minor.max(total.amount_minor),
            ..held.clone()
        };
        match self.is_open() {
            true => Event::Conflicted { by, reason: reason.to_owned(), held: Some(held) },
            false => Event::FoundTaken { by, amount_minor, held },
        }
    }

    fn refund_answer(
        &self,
        operation: &Operation,
        refund_id: Option<Uuid>,
        reply: &Reply,
        moment: Moment,
    ) -> Vec<Event> {
        let by = operation.id;
        vec![match reply {
            Reply::Refunded { amount, .. } if !self.asked_for(operation, *amount) => {
                self.conflict(by, &format!("refunded {amount} by the provider's account"))
            }
            Reply::Refunded { reference, .. } => Event::Refunded {
                by: Some(by),
                refund_id,
                reference: Some(reference.clone()),
                amount_minor: operation.amount_minor,
            },
            Reply::Declined { code } => Event::RefundFailed { by, refund_id, code: code.clone() },
            Reply::Unknown { why } => self.unknown(operation, why, moment),
            Reply::Authorised { .. }
            | Reply::Captured { .. }
            | Reply::Voided { .. }
            | Reply::ActionRequired { .. } => {
                self.conflict(by, "the provider answered a refund with something else")
            }
        }]
    }

    /// An answer to an operation that is settled. It changes nothing, unless one that was given up
    /// as never arrived took place after all: that is for a person, and what is held then is known,
    /// so that nothing of it is kept once the order has ended.
    fn late_answer(&self, id: OperationId, reply: &Reply, moment: Moment) -> Vec<Event> {
        let Some(operation) = self.given_up.iter().find(|operation| operation.id == id) else {
            return Vec::new();
        };
        let reason = "an operation that had been given up took place after all".to_owned();
        let held = match (&operation.kind, reply) {
            (_, Reply::ActionRequired { .. } | Reply::Declined { .. } | Reply::Unknown { .. }) => {
                return Vec::new();
            }
            (
                OperationKind::Authorise { method, .. },
                Reply::Authorised { reference, amount } | Reply::Captured { reference, amount, .. },
            ) => {
                let taken = matches!(reply, Reply::Captured { .. });
                let found = self.held_for(operation, method, reference, *amount, taken, moment);
                let found = found.map_or_else(|mismatch| mismatch.held, Some);
                match found {
                    Some(held) if self.pays_otherwise() => {
                        let (news, reference) = (StrayNews::Found { held }, reference.clone());
                        return vec![Event::Stray { by: id, reference, news }];
                    }
                    found => self.held().cloned().or(found),
                }
            }
            (OperationKind::Capture { .. }, Reply::Captured { amount, .. }) => {
                self.held_after(*amount, Money::zero(self.currency))
            }
            (OperationKind::Refund { .. }, Reply::Refunded { amount, .. }) => {
                self.held_after(Money::zero(self.currency), *amount)
            }
            (
                OperationKind::Authorise { .. }
                | OperationKind::Capture { .. }
                | OperationKind::Void
                | OperationKind::Refund { .. },
                Reply::Authorised { .. }
                | Reply::Captured { .. }
                | Reply::Refunded { .. }
                | Reply::Voided { .. },
            ) => self.held().cloned(),
        };
        vec![Event::Conflicted { by: id, reason, held }]
    }

    /// Whether there is other money for the order, or a way on to it: what turns up beside it is
    /// given back, and stops nothing.
    fn pays_otherwise(&self) -> bool {
        let chosen = matches!(self.intent, Intent::AwaitingTransfer | Intent::NotRequired { .. });
        self.held().is_some() || self.open_operation().is_some() || (self.is_open() && chosen)
    }

    /// What is held after so much more was taken and given back.
    fn held_after(&self, taken: Money, returned: Money) -> Option<Held> {
        let ours = |amount: Money| {
            if amount.currency == self.currency { amount.amount_minor.max(0) } else { 0 }
        };
        let held = self.held()?;
        let captured_minor = held.captured_minor.saturating_add(ours(taken));
        let refunded_minor = held.refunded_minor.saturating_add(ours(returned));
        Some(Held {
            authorised_minor: held.authorised_minor.max(captured_minor),
            captured_minor,
            refunded_minor: refunded_minor.min(captured_minor),
            ..held.clone()
        })
    }

    fn asked_for(&self, operation: &Operation, amount: Money) -> bool {
        amount == Money::new(operation.amount_minor, self.currency)
    }

    fn held_for(
        &self,
        operation: &Operation,
        method: &Method,
        reference: &str,
        amount: Money,
        taken: bool,
        moment: Moment,
    ) -> Result<Held, Box<Mismatch>> {
        let ours = amount.currency == self.currency;
        let authorised_minor = if ours { amount.amount_minor } else { 0 };
        let life = Duration::from_secs(u64::from(method.authorisation_days) * 86_400);
        let held = Held {
            method: method.clone(),
            reference: reference.to_owned(),
            authorised_minor,
            captured_minor: if taken { authorised_minor } else { 0 },
            refunded_minor: 0,
            expires_at: moment.at.plus(life),
        };
        if self.asked_for(operation, amount) {
            Ok(held)
        } else {
            let asked = Money::new(operation.amount_minor, self.currency);
            Err(Box::new(Mismatch {
                reason: format!("{asked} was asked for and {amount} is held by the provider"),
                held: (ours || !taken).then_some(held),
            }))
        }
    }

    fn declined(&self, by: OperationId, code: &str) -> Event {
        let attempts_left = self.left_after_decline(true);
        Event::Declined { by: Some(by), code: code.to_owned(), attempts_left }
    }

    fn conflict(&self, by: OperationId, reason: &str) -> Event {
        let held = self.held().cloned().or_else(|| self.begun());
        Event::Conflicted { by, reason: reason.to_owned(), held }
    }

    /// What the provider may come to hold of the authorisation that waits for the shopper.
    fn begun(&self) -> Option<Held> {
        let Intent::RequiresAction { attempt, reference, expires_at, .. } = &self.intent else {
            return None;
        };
        let OperationKind::Authorise { method, .. } = &attempt.kind else { return None };
        Some(Held {
            method: method.clone(),
            reference: reference.clone(),
            authorised_minor: attempt.amount_minor,
            captured_minor: 0,
            refunded_minor: 0,
            expires_at: *expires_at,
        })
    }

    fn unknown(&self, operation: &Operation, why: &str, moment: Moment) -> Event {
        if is_hopeless(operation, moment) {
            self.conflict(operation.id, "the provider has given no answer for three days")
        } else {
            unknown(operation, why, operation.status.asks(), moment)
        }
    }
}

/// Whether it is too long unknown to go on asking.
pub(super) fn is_hopeless(operation: &Operation, moment: Moment) -> bool {
    moment.at.since(operation.requested_at) > UNKNOWN_LIFE
}

/// The provider holds something else than what it was asked for.
struct Mismatch {
    reason: String,
    held: Option<Held>,
}

impl Mismatch {
    fn stops(self, by: OperationId) -> Event {
        Event::Conflicted { by, reason: self.reason, held: self.held }
    }
}

pub(super) fn unknown(operation: &Operation, why: &str, asks: u32, moment: Moment) -> Event {
    Event::WentUnknown {
        operation: operation.id,
        why: why.to_owned(),
        ask_at: moment.at.plus(backoff(asks)),
    }
}

fn still_waiting(operation: &Operation, moment: Moment) -> Event {
    let ask_at = moment.at.plus(backoff(operation.status.asks().max(2)));
    Event::StillWaiting { operation: operation.id, ask_at }
}

/// How long to wait before asking again: 5 s, three times as long each time, at most 10 minutes.
fn backoff(asks: u32) -> Duration {
    Duration::from_secs(3_u64.saturating_pow(asks).saturating_mul(5).min(600))
}
