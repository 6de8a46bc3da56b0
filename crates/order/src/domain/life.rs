//! The states of an order. Each holds what is true in it, and nothing that is not.

use std::collections::BTreeSet;
use std::fmt;

use contracts::{ShipmentId, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// Where an order is in its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Life {
    /// Placed; money or goods are not certain yet.
    Pending {
        /// When it expires.
        deadline: Timestamp,
    },
    /// The shop will deliver.
    Confirmed {
        /// Whether somebody wants it cancelled.
        cancel: CancelAsk,
    },
    /// A person has to look; nothing leaves the house.
    OnHold {
        /// Why, as long as there is any reason.
        #[serde(alias = "why", deserialize_with = "one_or_more")]
        reasons: BTreeSet<HoldReason>,
        /// Whether somebody wants it cancelled.
        cancel: CancelAsk,
    },
    /// It could not be served. Final.
    Failed {
        /// Why, for the customer.
        reason: String,
    },
    /// The deadline passed without money. Final.
    Expired,
    /// It is off. Final.
    Cancelled {
        /// Why.
        reason: String,
    },
    /// Everything is delivered or cancelled, and money is settled. Final.
    Completed,
}

/// Whether a cancellation has been asked of the warehouse, which alone knows what has left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum CancelAsk {
    /// Nobody wants it cancelled, or the warehouse has refused.
    NotAsked,
    /// Asked, not answered yet.
    Asked {
        /// Why.
        reason: String,
        /// How often the warehouse was asked again.
        #[serde(default)]
        again: u32,
    },
}

/// Why an order is on hold: one of the reasons it may have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum HoldReason {
    /// A member of staff wants to look.
    Staff {
        /// What they said.
        reason: String,
    },
    /// Money that was guaranteed did not come. Ends by itself when it does.
    CaptureFailed {
        /// For which parcel.
        shipment_id: Option<ShipmentId>,
        /// Why, in the provider's code.
        reason: String,
    },
    /// The provider's account of the payment contradicts ours.
    Conflict {
        /// What does not fit.
        reason: String,
    },
}

/// An order that was stored when it had one reason only has it still.
fn one_or_more<'de, D: Deserializer<'de>>(input: D) -> Result<BTreeSet<HoldReason>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stored {
        More(BTreeSet<HoldReason>),
        One(HoldReason),
    }
    Ok(match Stored::deserialize(input)? {
        Stored::More(reasons) => reasons,
        Stored::One(reason) => BTreeSet::from([reason]),
    })
}

impl HoldReason {
    /// Whether it is about the same parcel's money as another: the newer one stands for both.
    pub fn is_same_failure(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::CaptureFailed { shipment_id: one, .. },
                Self::CaptureFailed { shipment_id: another, .. },
            ) => one == another,
            (
                Self::CaptureFailed { .. } | Self::Staff { .. } | Self::Conflict { .. },
                Self::CaptureFailed { .. } | Self::Staff { .. } | Self::Conflict { .. },
            ) => false,
        }
    }

    /// Whether a member of staff gave it, in words meant for colleagues.
    pub const fn is_for_staff(&self) -> bool {
        match self {
            Self::Staff { .. } => true,
            Self::CaptureFailed { .. } | Self::Conflict { .. } => false,
        }
    }

    /// In one sentence, for staff and customer.
    pub fn text(&self) -> String {
        match self {
            Self::Staff { reason } => reason.clone(),
            Self::CaptureFailed { reason, .. } => format!("the payment did not arrive: {reason}"),
            Self::Conflict { reason } => format!("the payment needs checking: {reason}"),
        }
    }
}

/// The name of a state of [`Life`], as others see it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = OrderStatus)]
pub enum Status {
    /// Placed; money or goods are not certain yet.
    Pending,
    /// The shop will deliver.
    Confirmed,
    /// A person has to look.
    OnHold,
    /// It could not be served.
    Failed,
    /// The deadline passed without money.
    Expired,
    /// It is off.
    Cancelled,
    /// Delivered and settled.
    Completed,
}

impl Status {
    /// All of them, in the order of a life.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Confirmed,
        Self::OnHold,
        Self::Failed,
        Self::Expired,
        Self::Cancelled,
        Self::Completed,
    ];

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::OnHold => "on_hold",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Completed => "completed",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Life {
    /// The state's name.
    pub const fn status(&self) -> Status {
        match self {
            Self::Pending { .. } => Status::Pending,
            Self::Confirmed { .. } => Status::Confirmed,
            Self::OnHold { .. } => Status::OnHold,
            Self::Failed { .. } => Status::Failed,
            Self::Expired => Status::Expired,
            Self::Cancelled { .. } => Status::Cancelled,
            Self::Completed => Status::Completed,
        }
    }

    /// Whether a cancellation has been asked of the warehouse and not been answered.
    pub const fn cancel_asked(&self) -> bool {
        self.asked_again().is_some()
    }

    /// How often the warehouse was asked again whether the order can be cancelled, while it has
    /// been asked and has not answered.
    pub const fn asked_again(&self) -> Option<u32> {
        match self {
            Self::Confirmed { cancel: CancelAsk::Asked { again, .. } }
            | Self::OnHold { cancel: CancelAsk::Asked { again, .. }, .. } => Some(*again),
            Self::Confirmed { cancel: CancelAsk::NotAsked }
            | Self::OnHold { cancel: CancelAsk::NotAsked, .. }
            | Self::Pending { .. }
            | Self::Failed { .. }
            | Self::Expired
            | Self::Cancelled { .. }
            | Self::Completed => None,
        }
    }

    /// Why it is where it is, where there is a reason worth telling.
    pub fn reason(&self) -> Option<String> {
        self.reason_without(|_| false)
    }

    /// The same for the customer: without what staff have written for colleagues.
    pub fn reason_for_customer(&self) -> Option<String> {
        self.reason_without(HoldReason::is_for_staff)
    }

    fn reason_without(&self, hidden: impl Fn(&HoldReason) -> bool) -> Option<String> {
        match self {
            Self::OnHold { reasons, .. } => {
                let shown = reasons.iter().filter(|why| !hidden(why)).map(HoldReason::text);
                let texts: Vec<String> = shown.collect();
                (!texts.is_empty()).then(|| texts.join("; "))
            }
            Self::Failed { reason } | Self::Cancelled { reason } => Some(reason.clone()),
            Self::Expired => Some("the order was not paid in time".to_owned()),
            Self::Pending { .. } | Self::Confirmed { .. } | Self::Completed => None,
        }
    }

    /// Whether nothing follows it.
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Failed { .. } | Self::Expired | Self::Cancelled { .. } | Self::Completed => true,
            Self::Pending { .. } | Self::Confirmed { .. } | Self::OnHold { .. } => false,
        }
    }

    /// Whether the shop promised to deliver and still does: confirmed, on hold or completed.
    pub const fn is_agreed(&self) -> bool {
        match self {
            Self::Confirmed { .. } | Self::OnHold { .. } | Self::Completed => true,
            Self::Pending { .. } | Self::Failed { .. } | Self::Expired | Self::Cancelled { .. } => {
                false
            }
        }
    }
}
