//! What the order knows of its parcels, and what follows from it.

use std::collections::{BTreeMap, BTreeSet};

use contracts::{LineId, ShipmentId, events::LineQuantity};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::units::{self, Pieces};
use super::{Agreed, Event, Life, Order, Standing};

/// A parcel, as far as the order has heard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    /// How far it has come.
    pub step: ParcelStep,
    /// Pieces that left the house in it, by line.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left: BTreeMap<LineId, i64>,
    /// The news of short picks already reckoned with, by their position in its history.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub short_picks: BTreeSet<i64>,
    /// Who carries it and under which number, once it has left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking: Option<(String, String)>,
}

/// How far a parcel has come. A later step is never undone by late news of an earlier one, and
/// what has left cannot have been cancelled.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ParcelStep {
    /// To be packed.
    Created,
    /// Packed.
    Packed,
    /// May leave.
    Ready,
    /// Will not leave.
    Cancelled,
    /// Has left.
    Dispatched,
    /// Has arrived.
    Delivered,
}

/// What the warehouse says of a parcel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParcelNews {
    /// It is to be packed.
    Created,
    /// Less was found than there was to be.
    ShortPicked {
        /// What will not come.
        missing: Vec<LineQuantity>,
        /// Whether nothing is left in it.
        cancelled: bool,
    },
    /// It is packed.
    Packed,
    /// It may leave.
    Ready,
    /// It has left.
    Dispatched {
        /// What is in it.
        lines: Vec<LineQuantity>,
        /// Who carries it.
        carrier: String,
        /// The carrier's number for it.
        tracking: String,
    },
    /// It has arrived.
    Delivered {
        /// What was in it.
        lines: Vec<LineQuantity>,
    },
    /// It will not leave.
    Cancelled,
}

/// How much of an order has left and arrived.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FulfilmentStatus {
    /// Nothing has left.
    None,
    /// Some pieces have left.
    Partial,
    /// All pieces that were to come have left.
    Fulfilled,
    /// All pieces that were to come have arrived.
    Delivered,
}

impl FulfilmentStatus {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Partial => "partial",
            Self::Fulfilled => "fulfilled",
            Self::Delivered => "delivered",
        }
    }

    /// Derived from where the pieces are.
    pub fn of(agreed: &Agreed, standing: &Standing) -> Self {
        let mut all = Pieces::default();
        for line in &agreed.lines {
            let pieces = units::pieces(line, standing);
            all.ordered += pieces.ordered - pieces.cancelled;
            all.left += pieces.left;
            all.arrived += pieces.arrived;
        }
        if all.left == 0 {
            Self::None
        } else if all.arrived >= all.ordered {
            Self::Delivered
        } else if all.left >= all.ordered {
            Self::Fulfilled
        } else {
            Self::Partial
        }
    }
}

/// News of a parcel: noted in every state, and a short pick reduces what is still to come.
pub fn hear(order: &Order, shipment_id: ShipmentId, version: i64, news: ParcelNews) -> Vec<Event> {
    let missing = missing_in(&news);
    let noted = Event::ParcelNoted { shipment_id, version, news };
    if !order.is_news(&noted) {
        return vec![];
    }
    let mut events = vec![noted];
    match &order.standing.life {
        Life::Confirmed { .. } | Life::OnHold { .. } => {
            let off = units::take_off(&order.agreed, &order.standing, &missing);
            if !off.lines.is_empty() {
                let owed = order.standing.owed_minor.saturating_sub(units::gross(&off.amounts));
                events.push(Event::Reduced {
                    lines: off.lines,
                    amounts: off.amounts,
                    owed_minor: owed.max(0),
                    reason: "not found when the parcel was picked".to_owned(),
                });
            }
        }
        // Parcels exist only between confirmation and end; whatever else is heard is only noted.
        Life::Pending { .. }
        | Life::Failed { .. }
        | Life::Expired
        | Life::Cancelled { .. }
        | Life::Completed => {}
    }
    events
}

fn missing_in(news: &ParcelNews) -> Vec<(LineId, i64)> {
    match news {
        ParcelNews::ShortPicked { missing, .. } => {
            missing.iter().map(|line| (line.line_id, line.quantity)).collect()
        }
        ParcelNews::Created
        | ParcelNews::Packed
        | ParcelNews::Ready
        | ParcelNews::Dispatched { .. }
        | ParcelNews::Delivered { .. }
        | ParcelNews::Cancelled => vec![],
    }
}

/// Takes note of `news`.
pub(super) fn note(
    parcels: &mut BTreeMap<ShipmentId, Parcel>,
    shipment_id: ShipmentId,
    version: i64,
    news: &ParcelNews,
) {
    let parcel = parcels.entry(shipment_id).or_insert_with(|| Parcel {
        step: ParcelStep::Created,
        left: BTreeMap::new(),
        short_picks: BTreeSet::new(),
        tracking: None,
    });
    let step = match news {
        ParcelNews::Created | ParcelNews::ShortPicked { cancelled: false, .. } => {
            ParcelStep::Created
        }
        ParcelNews::ShortPicked { cancelled: true, .. } | ParcelNews::Cancelled => {
            ParcelStep::Cancelled
        }
        ParcelNews::Packed => ParcelStep::Packed,
        ParcelNews::Ready => ParcelStep::Ready,
        ParcelNews::Dispatched { .. } => ParcelStep::Dispatched,
        ParcelNews::Delivered { .. } => ParcelStep::Delivered,
    };
    parcel.step = parcel.step.max(step);
    match news {
        ParcelNews::ShortPicked { .. } => {
            parcel.short_picks.insert(version);
        }
        ParcelNews::Dispatched { lines, carrier, tracking } => {
            parcel.left = quantities(lines);
            parcel.tracking = Some((carrier.clone(), tracking.clone()));
        }
        ParcelNews::Delivered { lines } => parcel.left = quantities(lines),
        ParcelNews::Created | ParcelNews::Packed | ParcelNews::Ready | ParcelNews::Cancelled => {}
    }
}

fn quantities(lines: &[LineQuantity]) -> BTreeMap<LineId, i64> {
    let mut sums = BTreeMap::new();
    for line in lines {
        *sums.entry(line.line_id).or_insert(0) += line.quantity.max(0);
    }
    sums
}
