//! One request to a payment provider, and the ways to pay that lead to one.

use contracts::events::PaymentTerms;
use contracts::{OperationId, ShipmentId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// When a provider is to take the money it has authorised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CaptureMode {
    /// At once.
    Automatic,
    /// When a parcel is packed.
    OnShip,
}

/// A way to pay, as it was when it was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Method {
    /// Its code, as the order names it.
    pub code: String,
    /// When its money comes.
    pub terms: PaymentTerms,
    /// Who moves the money; none where people do.
    pub provider: Option<String>,
    /// When the money is taken.
    pub capture: CaptureMode,
    /// Whether an authorisation may be captured in several parts.
    pub multi_capture: bool,
    /// How long an authorisation lives, in days.
    pub authorisation_days: u32,
}

/// A request to a provider that is on its way, or whose answer is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Its id, and the idempotency key under which the provider gets it.
    pub id: OperationId,
    /// What is asked.
    pub kind: OperationKind,
    /// How much, in minor units. For a void, what is given up.
    pub amount_minor: i64,
    /// Of whom.
    pub provider: String,
    /// On which payment of the provider; none for an authorisation, which begins one.
    pub reference: Option<String>,
    /// When it was first sent off.
    pub requested_at: Timestamp,
    /// How it stands.
    pub status: OperationStatus,
}

/// What a provider is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OperationKind {
    /// Guarantee the money, or take it at once.
    Authorise {
        /// The way to pay.
        method: Method,
        /// The provider's token for the shopper's means of payment.
        token: Option<String>,
    },
    /// Take guaranteed money.
    Capture {
        /// For which parcel; none for a remainder.
        shipment: Option<ShipmentId>,
    },
    /// Give up what is guaranteed or begun.
    Void,
    /// Give money back.
    Refund {
        /// By which decision; none when the order has ended and everything goes back.
        refund: Option<Uuid>,
    },
}

impl OperationKind {
    /// Its name in the store and in messages.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Authorise { .. } => "authorise",
            Self::Capture { .. } => "capture",
            Self::Void => "void",
            Self::Refund { .. } => "refund",
        }
    }
}

/// How an operation stands while it is not settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum OperationStatus {
    /// The provider is being asked.
    Requested,
    /// The provider has been asked, and nobody knows what came of it.
    Unknown {
        /// How often we asked since.
        asks: u32,
    },
}

impl OperationStatus {
    /// How often the provider has been asked what became of it.
    pub const fn asks(self) -> u32 {
        match self {
            Self::Requested => 0,
            Self::Unknown { asks } => asks,
        }
    }
}
