//! What has happened to an order, in its own words. `crate::said` turns them into contracts.

use contracts::{
    LineId, ShipmentId,
    events::{LineQuantity, Taxed},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{HoldReason, PaymentNews, parcels::ParcelNews};

/// A change of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Stock is allocated: the shop will deliver.
    Confirmed,
    /// It could not be served.
    Failed {
        /// Why, for the customer.
        reason: String,
    },
    /// The deadline passed.
    Expired,
    /// The warehouse is asked to take everything back.
    CancelRequested {
        /// Why.
        reason: String,
    },
    /// The warehouse has not answered, and is asked again.
    CancelRequestedAgain {
        /// Why.
        reason: String,
    },
    /// The warehouse has refused: the order goes on.
    CancelDenied,
    /// It is off.
    Cancelled {
        /// Why.
        reason: String,
    },
    /// A person has to look; it may be for a further reason.
    PutOnHold {
        /// Why.
        why: HoldReason,
    },
    /// One of several reasons to hold it is gone. Not published: nothing leaves yet.
    HoldEased {
        /// Which.
        why: HoldReason,
    },
    /// No reason to hold it is left: it goes on.
    Resumed,
    /// Some pieces will not come: less is owed.
    Reduced {
        /// Which.
        lines: Vec<LineQuantity>,
        /// What is no longer owed, by rate.
        amounts: Vec<Taxed>,
        /// What is owed from now on, in minor units.
        owed_minor: i64,
        /// Why.
        reason: String,
    },
    /// Money is to be given back.
    RefundGranted {
        /// The decision.
        refund_id: Uuid,
        /// Whether it is a gift or settles what was taken too much.
        kind: RefundKind,
        /// How much, by rate.
        amounts: Vec<Taxed>,
        /// How much in all, in minor units.
        total_minor: i64,
        /// For which line, where it is for one.
        line_id: Option<LineId>,
        /// Why.
        reason: String,
    },
    /// Delivered and settled.
    Completed,
    /// News of the payment was taken note of. Not published: payment has said it.
    PaymentNoted {
        /// Its position in the payment's history.
        version: i64,
        /// What.
        news: PaymentNews,
    },
    /// News of a parcel was taken note of. Not published: the warehouse has said it.
    ParcelNoted {
        /// Which parcel.
        shipment_id: ShipmentId,
        /// Its position in the parcel's history.
        version: i64,
        /// What.
        news: ParcelNews,
    },
}

/// Why a refund is granted, as far as the sums go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundKind {
    /// The shop gives it: less is due than was agreed.
    Goodwill,
    /// More was taken than is owed.
    Overpaid,
}

impl Event {
    /// Its name, for the table of transitions.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Failed { .. } => "failed",
            Self::Expired => "expired",
            Self::CancelRequested { .. } => "cancel requested",
            Self::CancelRequestedAgain { .. } => "cancel requested again",
            Self::CancelDenied => "cancel denied",
            Self::Cancelled { .. } => "cancelled",
            Self::PutOnHold { .. } => "put on hold",
            Self::HoldEased { .. } => "hold eased",
            Self::Resumed => "resumed",
            Self::Reduced { .. } => "reduced",
            Self::RefundGranted { .. } => "refund granted",
            Self::Completed => "completed",
            Self::PaymentNoted { .. } | Self::ParcelNoted { .. } => "noted",
        }
    }
}
