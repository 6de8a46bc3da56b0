//! The payment of one order: its states, and what is true in each.

use std::collections::BTreeMap;

use contracts::events::{LineQuantity, PaymentTerms, Taxed};
use contracts::{Currency, LineId, OrderId, PaymentId, ShipmentId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Method, Operation, OperationStatus};

/// What is owed for one order, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Its id.
    pub id: PaymentId,
    /// The order.
    pub order_id: OrderId,
    /// The currency of every amount here.
    pub currency: Currency,
    /// What was owed when the order was placed, in minor units.
    pub total_minor: i64,
    /// Until when another method may be tried.
    pub deadline: Timestamp,
    /// Whether the order still stands.
    pub order: OrderStanding,
    /// Where the money is.
    pub intent: Intent,
    /// How the customer means to pay.
    pub choice: Choice,
    /// How often a provider has said no.
    pub declines: i64,
    /// The operation under way. There is never more than one.
    pub operation: Option<Operation>,
    /// What has been packed, in the order in which we heard of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parcels: Vec<Parcel>,
    /// Why the provider refused what the parcels left over, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest_refused: Option<String>,
    /// What is to be given back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refunds: Vec<Refund>,
    /// What will not be delivered and is no longer owed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reductions: Vec<Reduction>,
    /// Operations that were given up because the provider had never heard of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given_up: Vec<Operation>,
    /// What people have received by hand, in the order in which they noted it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub receipts: Vec<Receipt>,
    /// When the money of the method comes that the order was placed with: its deadline goes by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed_terms: Option<PaymentTerms>,
    /// How many attempts to pay have been begun.
    #[serde(default)]
    pub attempts: i64,
    /// Money at a provider beside what is held: attempts that had been given up and took place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strays: Vec<Stray>,
    /// The end of a guarantee that staff have been told of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_told: Option<Timestamp>,
}

/// Whether the order still stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum OrderStanding {
    /// It does, as far as we know.
    Open,
    /// It is over: nothing may be kept.
    Ended {
        /// How it ended.
        how: EndReason,
        /// How giving everything back goes.
        clearing: Clearing,
    },
}

/// How an order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// It could not be served.
    Failed,
    /// Its deadline passed.
    Expired,
    /// Somebody cancelled it.
    Cancelled,
}

/// How giving everything back goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "clearing", rename_all = "snake_case")]
pub enum Clearing {
    /// By itself.
    Going,
    /// The provider refuses: a person has to look, and may try again.
    Stuck {
        /// Why, in the provider's code.
        code: String,
    },
}

/// Where the money is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Intent {
    /// The order is known, its goods are not held yet.
    Noted,
    /// Another way to pay is wanted.
    RequiresMethod {
        /// Why the last one did not do.
        declined: String,
    },
    /// A provider is being asked for the money.
    Processing,
    /// The shopper has to do something with the provider.
    RequiresAction {
        /// The authorisation that waits for it.
        attempt: Operation,
        /// The provider's payment.
        reference: String,
        /// Where the shopper does it.
        url: String,
        /// Until when.
        expires_at: Timestamp,
    },
    /// The customer transfers the money; a person matches it.
    AwaitingTransfer,
    /// Nothing has to be paid before the goods leave.
    NotRequired {
        /// When it is paid, if anything is owed.
        terms: PaymentTerms,
    },
    /// The money is guaranteed.
    Authorised {
        /// By whom, how much.
        held: Held,
    },
    /// Part of it is taken.
    PartlyCaptured {
        /// By whom, how much.
        held: Held,
    },
    /// All that is owed, or all that can be, is taken.
    Captured {
        /// By whom, how much.
        held: Held,
    },
    /// The customer has been declined too often.
    Failed {
        /// Why the last time.
        declined: String,
    },
    /// Given up; what was taken has gone back.
    Voided {
        /// What there had been, if anything.
        held: Option<Held>,
    },
    /// The order's deadline passed without money.
    Expired,
    /// The provider's account contradicts ours: a person has to look.
    Conflicted {
        /// What does not fit.
        reason: String,
        /// What the provider holds, as far as it can be reckoned with.
        held: Option<Held>,
    },
}

/// Money at a provider, or in the till.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The way it was paid.
    pub method: Method,
    /// The provider's payment, or where a person noted it.
    pub reference: String,
    /// How much is guaranteed, in minor units.
    pub authorised_minor: i64,
    /// How much of it has been taken.
    pub captured_minor: i64,
    /// How much of that has gone back.
    pub refunded_minor: i64,
    /// When the guarantee ends.
    pub expires_at: Timestamp,
}

impl Held {
    /// What may still be captured. Without multi-capture the provider lets the rest go.
    pub const fn capturable_minor(&self) -> i64 {
        if self.captured_minor == 0 || self.method.multi_capture {
            self.authorised_minor - self.captured_minor
        } else {
            0
        }
    }

    /// Whether people move it, and no provider.
    pub const fn is_by_hand(&self) -> bool {
        self.method.provider.is_none()
    }

    /// What is kept at present.
    pub const fn kept_minor(&self) -> i64 {
        self.captured_minor - self.refunded_minor
    }
}

/// Money at a provider that belongs to nothing: it goes back by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stray {
    /// By whom it is held, how much.
    pub held: Held,
    /// Why the provider will not give it up or back, if it refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// Money that a person has received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Where it is noted: the carrier's receipt, a line of a statement. Each is noted once.
    pub reference: String,
    /// How much, in minor units.
    pub amount_minor: i64,
}

/// How the customer means to pay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The method's code.
    pub code: String,
    /// The provider's token.
    pub token: Option<String>,
    /// The method, if the shop has it.
    pub method: Option<Method>,
    /// Whether it has been tried.
    pub tried: bool,
}

/// A parcel that was packed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    /// Which.
    pub shipment_id: ShipmentId,
    /// What is in it.
    pub lines: Vec<ParcelLine>,
    /// Whether its money has been taken.
    pub state: ParcelState,
}

/// Pieces of a line in a parcel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParcelLine {
    /// Which line.
    pub line_id: LineId,
    /// How many pieces of the line were packed before.
    pub from: i64,
    /// How many pieces.
    pub quantity: i64,
}

/// Whether a parcel's money has been taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ParcelState {
    /// It is to be.
    Wanted,
    /// It has been.
    Taken {
        /// How much.
        amount_minor: i64,
    },
    /// The provider refused.
    Refused {
        /// Why, in the provider's code.
        code: String,
    },
}

/// Money to be given back, by a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// The decision.
    pub refund_id: Uuid,
    /// How much, in minor units.
    pub amount_minor: i64,
    /// The same by rate.
    pub amounts: Vec<Taxed>,
    /// Which line it is for, where it is for one.
    pub line_id: Option<LineId>,
    /// Why.
    pub reason: String,
    /// How far it is.
    pub state: RefundState,
}

/// How far a refund is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RefundState {
    /// It is to be.
    Wanted,
    /// It has been.
    Done,
    /// The provider refused.
    Refused {
        /// Why, in the provider's code.
        code: String,
    },
}

/// Less is owed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reduction {
    /// The position in the order's history: the latest says what is owed.
    pub version: i64,
    /// What will not be delivered.
    pub lines: Vec<LineQuantity>,
    /// What is no longer owed, by rate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amounts: Vec<Taxed>,
    /// What is owed for the whole order from then on, in minor units.
    pub owed_minor: i64,
}

/// A payment's state without its details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PaymentState)]
#[expect(missing_docs, reason = "they are those of Intent")]
pub enum Status {
    Noted,
    RequiresMethod,
    Processing,
    RequiresAction,
    AwaitingTransfer,
    NotRequired,
    Authorised,
    PartlyCaptured,
    Captured,
    Failed,
    Voided,
    Expired,
    Conflicted,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Noted,
        Self::RequiresMethod,
        Self::Processing,
        Self::RequiresAction,
        Self::AwaitingTransfer,
        Self::NotRequired,
        Self::Authorised,
        Self::PartlyCaptured,
        Self::Captured,
        Self::Failed,
        Self::Voided,
        Self::Expired,
        Self::Conflicted,
    ];

    /// Its name in the store, in messages and over HTTP.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Noted => "noted",
            Self::RequiresMethod => "requires_method",
            Self::Processing => "processing",
            Self::RequiresAction => "requires_action",
            Self::AwaitingTransfer => "awaiting_transfer",
            Self::NotRequired => "not_required",
            Self::Authorised => "authorised",
            Self::PartlyCaptured => "partly_captured",
            Self::Captured => "captured",
            Self::Failed => "failed",
            Self::Voided => "voided",
            Self::Expired => "expired",
            Self::Conflicted => "conflicted",
        }
    }
}

/// How many attempts to pay may be begun.
const MAX_ATTEMPTS: i64 = 5;

impl Payment {
    /// A payment for an order that was just placed.
    pub fn noted(
        id: PaymentId,
        placed: &contracts::events::OrderPlaced,
        method: Option<Method>,
    ) -> Self {
        Self {
            id,
            order_id: placed.order_id,
            currency: placed.currency,
            total_minor: placed.total.amount_minor,
            deadline: placed.deadline,
            order: OrderStanding::Open,
            intent: Intent::Noted,
            placed_terms: method.as_ref().map(|method| method.terms),
            choice: Choice {
                code: placed.payment_method.code.clone(),
                token: placed.payment_method.token.clone(),
                method,
                tried: false,
            },
            declines: 0,
            operation: None,
            parcels: Vec::new(),
            rest_refused: None,
            refunds: Vec::new(),
            reductions: Vec::new(),
            given_up: Vec::new(),
            receipts: Vec::new(),
            attempts: 0,
            strays: Vec::new(),
            end_told: None,
        }
    }

    /// Its state without the details.
    pub const fn status(&self) -> Status {
        match self.intent {
            Intent::Noted => Status::Noted,
            Intent::RequiresMethod { .. } => Status::RequiresMethod,
            Intent::Processing => Status::Processing,
            Intent::RequiresAction { .. } => Status::RequiresAction,
            Intent::AwaitingTransfer => Status::AwaitingTransfer,
            Intent::NotRequired { .. } => Status::NotRequired,
            Intent::Authorised { .. } => Status::Authorised,
            Intent::PartlyCaptured { .. } => Status::PartlyCaptured,
            Intent::Captured { .. } => Status::Captured,
            Intent::Failed { .. } => Status::Failed,
            Intent::Voided { .. } => Status::Voided,
            Intent::Expired => Status::Expired,
            Intent::Conflicted { .. } => Status::Conflicted,
        }
    }

    /// The money there is or has been, if any.
    pub const fn held(&self) -> Option<&Held> {
        match &self.intent {
            Intent::Authorised { held }
            | Intent::PartlyCaptured { held }
            | Intent::Captured { held } => Some(held),
            Intent::Voided { held } | Intent::Conflicted { held, .. } => held.as_ref(),
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

    /// What is owed now, in minor units.
    pub fn owed_minor(&self) -> i64 {
        let latest = self.reductions.iter().max_by_key(|reduction| reduction.version);
        latest.map_or(self.total_minor, |reduction| reduction.owed_minor)
    }

    /// What has been taken, in minor units.
    pub fn captured_minor(&self) -> i64 {
        self.held().map_or(0, |held| held.captured_minor)
    }

    /// What has gone back, in minor units.
    pub fn refunded_minor(&self) -> i64 {
        self.held().map_or(0, |held| held.refunded_minor)
    }

    /// How often another method may still be tried.
    pub fn attempts_left(&self) -> i64 {
        (MAX_ATTEMPTS - self.attempts.max(self.declines)).max(0)
    }

    /// How often another method may be tried once this attempt is declined; one that came to no
    /// request counts as well.
    pub(super) fn left_after_decline(&self, requested: bool) -> i64 {
        let attempts = self.attempts + i64::from(!requested);
        (MAX_ATTEMPTS - attempts.max(self.declines + 1)).max(0)
    }

    /// Whether the order still stands.
    pub const fn is_open(&self) -> bool {
        matches!(self.order, OrderStanding::Open)
    }

    /// Pieces by line that will not be delivered.
    pub fn removed(&self) -> BTreeMap<LineId, i64> {
        let mut removed = BTreeMap::new();
        for line in self.reductions.iter().flat_map(|reduction| &reduction.lines) {
            *removed.entry(line.line_id).or_insert(0) += line.quantity;
        }
        removed
    }

    /// The authorisation that waits for the shopper, if one does.
    pub const fn waiting_attempt(&self) -> Option<&Operation> {
        match &self.intent {
            Intent::RequiresAction { attempt, .. } => Some(attempt),
            Intent::Noted
            | Intent::RequiresMethod { .. }
            | Intent::Processing
            | Intent::AwaitingTransfer
            | Intent::NotRequired { .. }
            | Intent::Authorised { .. }
            | Intent::PartlyCaptured { .. }
            | Intent::Captured { .. }
            | Intent::Failed { .. }
            | Intent::Voided { .. }
            | Intent::Expired
            | Intent::Conflicted { .. } => None,
        }
    }

    /// The operation a provider can be asked about: the one under way, or the one that waits for
    /// the shopper.
    pub const fn open_operation(&self) -> Option<&Operation> {
        match &self.operation {
            Some(operation) => Some(operation),
            None => self.waiting_attempt(),
        }
    }

    /// What a provider may know more of than we do: the operation it has still to answer; and, while
    /// there is none, those it had never heard of.
    pub fn in_doubt(&self) -> impl Iterator<Item = &Operation> {
        let open = self.open_operation();
        open.into_iter().chain(self.given_up.iter().filter(move |_| open.is_none()))
    }

    /// Whether the answer to an operation is not known.
    pub fn is_unknown(&self) -> bool {
        let unknown =
            |operation: &Operation| matches!(operation.status, OperationStatus::Unknown { .. });
        self.operation.as_ref().is_some_and(unknown)
    }
}
