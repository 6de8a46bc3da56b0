//! What the provider knows: every payment it was asked for, and what has moved. It refuses what
//! exceeds, and forgets after a day that it was asked for something under a key, as real ones do:
//! who then asks again under the same key is charged again.

use std::collections::BTreeMap;
use std::time::Duration;

use contracts::{Money, OperationId, PaymentId, Timestamp};
use payment::domain::{CaptureMode, Reply};
use payment::provider::{Act, Asked, Authorise};

use super::Hook;

/// How long a key is known.
const KEY_LIFE: Duration = Duration::from_secs(24 * 3600);
/// How long a shopper may think.
const THINKING: Duration = Duration::from_secs(15 * 60);

/// A call to the provider.
#[derive(Debug, Clone)]
pub(super) enum Call {
    Authorise(Authorise),
    Act(Asked, Act),
}

impl Call {
    pub(super) fn key(&self) -> OperationId {
        match self {
            Self::Authorise(request) => request.key,
            Self::Act(_, request) => request.key,
        }
    }
}

/// How a payment stands with the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The shopper has to agree.
    Waiting {
        /// Until when.
        until: Timestamp,
    },
    /// The money is guaranteed, or what of it was taken was.
    Authorised,
    /// It is given up.
    Voided,
    /// No.
    Declined {
        /// Why.
        code: String,
    },
}

/// A payment, as the provider has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name here.
    pub reference: String,
    /// The shop's payment.
    pub payment_id: PaymentId,
    /// How it stands.
    pub standing: Standing,
    /// How much is or was guaranteed.
    pub amount: Money,
    /// How much was taken.
    pub captured_minor: i64,
    /// How much went back.
    pub refunded_minor: i64,
    automatic: bool,
    token: String,
    refusals: u32,
}

impl Account {
    /// What the shop has of the customer's money.
    pub const fn kept_minor(&self) -> i64 {
        self.captured_minor - self.refunded_minor
    }
}

/// Everything the provider knows.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    accounts: BTreeMap<String, Account>,
    /// What was done under a key, when, and what came of it. Found for ever, honoured for a day.
    done: BTreeMap<OperationId, (Timestamp, String, Reply)>,
    pub(super) news: Vec<Hook>,
    pub(super) forgot: bool,
    said: u64,
}

impl Accounts {
    pub(super) fn all(&self) -> Vec<Account> {
        self.accounts.values().cloned().collect()
    }

    pub(super) fn carry_out(&mut self, now: Timestamp, call: &Call) -> Reply {
        let key = call.key();
        if let Some((since, _, _)) = self.done.get(&key) {
            if now.since(*since) < KEY_LIFE {
                let kind = match call {
                    Call::Authorise(_) => Asked::Authorise,
                    Call::Act(kind, _) => *kind,
                };
                return self.find(now, key, kind).unwrap_or(Reply::Unknown { why: String::new() });
            }
            self.forgot = true;
        }
        match call {
            Call::Authorise(request) => self.authorise(now, request),
            Call::Act(kind, request) => self.act(now, *kind, request),
        }
    }

    fn authorise(&mut self, now: Timestamp, request: &Authorise) -> Reply {
        let token = request.token.clone().unwrap_or_default();
        let automatic = request.capture == CaptureMode::Automatic;
        let standing = match token.as_str() {
            "decline" => Standing::Declined { code: "card_declined".to_owned() },
            "action" => Standing::Waiting { until: now.plus(THINKING) },
            _ => Standing::Authorised,
        };
        let misheard = i64::from(token == "wrong_amount");
        let amount = Money::new(request.amount.amount_minor - misheard, request.amount.currency);
        // A second payment under a key that was forgotten has a name of its own.
        let reference = format!("sim_{}_{}", request.key.uuid().simple(), self.accounts.len());
        let taken = automatic && standing == Standing::Authorised;
        let account = Account {
            reference: reference.clone(),
            payment_id: request.payment_id,
            standing,
            amount,
            captured_minor: if taken { amount.amount_minor } else { 0 },
            refunded_minor: 0,
            automatic,
            token,
            refusals: 0,
        };
        let reply = reply_of(&account);
        self.accounts.insert(reference.clone(), account);
        self.done.insert(request.key, (now, reference.clone(), reply.clone()));
        self.tell(&reference);
        reply
    }

    fn act(&mut self, now: Timestamp, kind: Asked, request: &Act) -> Reply {
        self.expire(now);
        let Some(account) = self.accounts.get_mut(&request.reference) else {
            return Reply::Declined { code: "no_such_payment".to_owned() };
        };
        let name = format!("{kind:?}_{}", request.key.uuid().simple()).to_lowercase();
        let reply = account.act(kind, request.amount, name);
        self.done.insert(request.key, (now, request.reference.clone(), reply.clone()));
        reply
    }

    /// What became of an operation.
    pub(super) fn find(&mut self, now: Timestamp, key: OperationId, kind: Asked) -> Option<Reply> {
        self.expire(now);
        let (_, reference, reply) = self.done.get(&key)?;
        Some(match kind {
            Asked::Authorise => reply_of(self.accounts.get(reference)?),
            Asked::Capture | Asked::Void | Asked::Refund => reply.clone(),
        })
    }

    /// Whether something was done under a key so long ago that it would be done again.
    pub(super) fn has_forgotten(&self, now: Timestamp, key: OperationId) -> bool {
        self.done.get(&key).is_some_and(|(since, ..)| now.since(*since) >= KEY_LIFE)
    }

    pub(super) fn decide(&mut self, now: Timestamp, reference: &str, agreed: bool) -> bool {
        self.expire(now);
        let Some(account) = self.accounts.get_mut(reference) else { return false };
        let Standing::Waiting { .. } = account.standing else { return false };
        if agreed {
            account.standing = Standing::Authorised;
            if account.automatic {
                account.captured_minor = account.amount.amount_minor;
            }
        } else {
            account.standing = Standing::Declined { code: "refused_by_shopper".to_owned() };
        }
        self.tell(reference);
        true
    }

    fn expire(&mut self, now: Timestamp) {
        for account in self.accounts.values_mut() {
            if let Standing::Waiting { until } = account.standing
                && now >= until
            {
                account.standing = Standing::Declined { code: "expired".to_owned() };
            }
        }
    }

    fn tell(&mut self, reference: &str) {
        let Some(account) = self.accounts.get(reference) else { return };
        self.said += 1;
        self.news.push(Hook {
            id: format!("evt_{}", self.said),
            payment_id: account.payment_id,
            reference: reference.to_owned(),
            amount: account.amount,
        });
    }
}

impl Account {
    fn act(&mut self, kind: Asked, amount: Money, name: String) -> Reply {
        let declined = |code: &str| Reply::Declined { code: code.to_owned() };
        if amount.currency != self.amount.currency {
            return declined("currency");
        }
        let minor = amount.amount_minor;
        match kind {
            Asked::Authorise => declined("not_an_act"),
            Asked::Capture => {
                let free = self.amount.amount_minor - self.captured_minor;
                if self.standing != Standing::Authorised {
                    return declined("not_authorised");
                }
                if self.refuses("capture_fails") {
                    return declined("capture_declined");
                }
                if minor <= 0 || minor > free {
                    return declined("amount_too_large");
                }
                self.captured_minor += minor;
                Reply::Captured { reference: self.reference.clone(), capture: name, amount }
            }
            Asked::Void => self.give_up(),
            Asked::Refund => {
                if self.refuses("refund_fails") {
                    return declined("refund_declined");
                }
                if minor <= 0 || minor > self.kept_minor() {
                    return declined("amount_too_large");
                }
                self.refunded_minor += minor;
                Reply::Refunded { reference: name, amount }
            }
        }
    }

    fn give_up(&mut self) -> Reply {
        let reference = self.reference.clone();
        if self.captured_minor > 0 && self.captured_minor == self.amount.amount_minor {
            let amount = Money::new(self.captured_minor, self.amount.currency);
            return Reply::Captured { capture: reference.clone(), reference, amount };
        }
        if self.captured_minor > 0 {
            // What is taken stays taken; the rest is let go.
            self.amount.amount_minor = self.captured_minor;
        } else {
            self.standing = Standing::Voided;
        }
        Reply::Voided { reference }
    }

    /// A means of payment that refuses once, and then does not.
    fn refuses(&mut self, token: &str) -> bool {
        self.refusals += 1;
        self.token == token && self.refusals == 1
    }
}

/// What a payment's state means for whoever asked for it.
fn reply_of(account: &Account) -> Reply {
    let reference = account.reference.clone();
    match &account.standing {
        Standing::Waiting { until } => Reply::ActionRequired {
            url: format!("/agree/{reference}"),
            reference,
            expires_at: *until,
        },
        Standing::Authorised if account.automatic => Reply::Captured {
            capture: reference.clone(),
            amount: Money::new(account.captured_minor, account.amount.currency),
            reference,
        },
        Standing::Authorised => Reply::Authorised { reference, amount: account.amount },
        Standing::Voided => Reply::Voided { reference },
        Standing::Declined { code } => Reply::Declined { code: code.clone() },
    }
}
