//! What goes to the test provider and comes from it.

use contracts::{Money, Timestamp};
use serde::{Deserialize, Serialize};

use crate::domain::{Account, Reply};
use crate::provider::Asked;

/// A request that changes something. What was asked is kept in the journal in this form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case", deny_unknown_fields)]
pub enum Call {
    /// Begin a payment.
    Create {
        /// The idempotency key.
        key: String,
        /// How much.
        amount: Money,
        /// What is to happen.
        token: String,
        /// Whether to take the money at once.
        automatic: bool,
        /// Where the shopper goes afterwards.
        return_url: String,
        /// What the shop calls the payment.
        shop_payment: String,
    },
    /// Take money.
    Capture {
        /// The idempotency key.
        key: String,
        /// Of which payment.
        payment: String,
        /// How much.
        amount: Money,
    },
    /// Give a payment up.
    Void {
        /// The idempotency key.
        key: String,
        /// Which payment.
        payment: String,
    },
    /// Give money back.
    Refund {
        /// The idempotency key.
        key: String,
        /// Of which payment.
        payment: String,
        /// How much.
        amount: Money,
    },
    /// The shopper agrees.
    Confirm {
        /// To which payment.
        payment: String,
    },
    /// The shopper does not.
    Refuse {
        /// Which payment.
        payment: String,
    },
}

/// What the provider answers, and how badly the line is to behave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The payment, where there is one.
    pub view: Option<View>,
    /// What is wrong, in one word.
    pub error: Option<String>,
    /// What goes wrong on the way.
    #[serde(skip)]
    pub fault: Option<Fault>,
}

/// What goes wrong between the provider and whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The answer never comes.
    NoAnswer,
    /// An error comes in its place.
    ServerError,
    /// It takes its time.
    Slow,
}

/// A payment as the provider sees it, and the operation that was asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// The provider's id.
    pub payment: String,
    /// How it stands.
    pub state: State,
    /// How much is guaranteed.
    pub amount: Money,
    /// Whether it was to be taken at once.
    pub automatic: bool,
    /// How much is taken, in minor units.
    pub captured_minor: i64,
    /// How much went back, in minor units.
    pub refunded_minor: i64,
    /// Why it was declined.
    pub decline: Option<String>,
    /// Where the shopper agrees.
    pub url: Option<String>,
    /// Until when.
    pub expires_at: Option<Timestamp>,
    /// The operation.
    pub operation: Option<Outcome>,
}

/// How a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The shopper has to agree.
    RequiresAction,
    /// The money is guaranteed.
    Authorised,
    /// Some or all is taken.
    Captured,
    /// It is given up.
    Voided,
    /// No.
    Declined,
}

/// What came of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Its idempotency key.
    pub key: String,
    /// What it was.
    pub kind: OperationKind,
    /// The provider's name for it.
    pub reference: String,
    /// How much.
    pub amount: Money,
    /// Why not, if it was refused.
    pub declined: Option<String>,
}

/// What an operation was to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// Begin a payment.
    Create,
    /// Take money.
    Capture,
    /// Give it up.
    Void,
    /// Give it back.
    Refund,
}

/// A webhook's body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Unique; the same on every delivery.
    pub id: String,
    /// What happened: `payment.authorised`.
    pub r#type: String,
    /// When.
    pub created_at: Timestamp,
    /// The provider's payment.
    pub payment: String,
    /// What the shop calls it.
    pub shop_payment: String,
    /// How much.
    pub amount: Money,
}

impl View {
    /// What it means for the operation that was asked.
    pub fn reply(&self, asked: Asked) -> Reply {
        let reference = self.payment.clone();
        match asked {
            Asked::Authorise => match self.state {
                State::RequiresAction => Reply::ActionRequired {
                    reference,
                    url: self.url.clone().unwrap_or_default(),
                    expires_at: self.expires_at.unwrap_or(Timestamp::EPOCH),
                },
                State::Captured if self.automatic => Reply::Captured {
                    capture: reference.clone(),
                    amount: Money::new(self.captured_minor, self.amount.currency),
                    reference,
                },
                State::Authorised | State::Captured => {
                    Reply::Authorised { reference, amount: self.amount }
                }
                State::Voided => Reply::Voided { reference },
                State::Declined => {
                    Reply::Declined { code: self.decline.clone().unwrap_or_default() }
                }
            },
            Asked::Capture | Asked::Void | Asked::Refund => self.reply_to_act(asked),
        }
    }

    /// How the whole payment stands.
    pub fn account(&self) -> Account {
        let authorised = match self.state {
            State::Authorised | State::Captured => self.amount,
            State::RequiresAction | State::Voided | State::Declined => {
                Money::zero(self.amount.currency)
            }
        };
        Account {
            reference: self.payment.clone(),
            authorised,
            captured_minor: self.captured_minor,
            refunded_minor: self.refunded_minor,
        }
    }

    fn reply_to_act(&self, asked: Asked) -> Reply {
        let Some(outcome) = &self.operation else {
            return Reply::Unknown { why: "the provider named no operation".to_owned() };
        };
        let reference = self.payment.clone();
        match &outcome.declined {
            Some(_) if asked == Asked::Void && self.captured_minor > 0 => Reply::Captured {
                capture: reference.clone(),
                amount: Money::new(self.captured_minor, self.amount.currency),
                reference,
            },
            Some(code) => Reply::Declined { code: code.clone() },
            None => match asked {
                Asked::Authorise | Asked::Capture => Reply::Captured {
                    reference,
                    capture: outcome.reference.clone(),
                    amount: outcome.amount,
                },
                Asked::Void => Reply::Voided { reference },
                Asked::Refund => {
                    Reply::Refunded { reference: outcome.reference.clone(), amount: outcome.amount }
                }
            },
        }
    }
}

impl Call {
    /// Its idempotency key, where it has one.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Create { key, .. }
            | Self::Capture { key, .. }
            | Self::Void { key, .. }
            | Self::Refund { key, .. } => Some(key),
            Self::Confirm { .. } | Self::Refuse { .. } => None,
        }
    }
}
