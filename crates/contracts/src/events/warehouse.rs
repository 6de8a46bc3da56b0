//! What the warehouse says.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    OrderId, ShipmentId, Sku, Timestamp,
    events::{LineQuantity, SkuQuantity},
};

/// All lines of an order are held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StockReserved {
    /// The order.
    pub order_id: OrderId,
    /// How long the goods are held.
    pub expires_at: Timestamp,
}

/// The goods cannot be had; nothing is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StockRejected {
    /// The order.
    pub order_id: OrderId,
    /// What is missing and how many pieces of it there still are.
    pub missing: Vec<SkuQuantity>,
}

/// The goods belong to the order now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StockAllocated {
    /// The order.
    pub order_id: OrderId,
}

/// What was held or allocated for an order and has not left is free again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StockReleased {
    /// The order.
    pub order_id: OrderId,
    /// Why.
    pub reason: ReleaseReason,
}

/// Why goods were given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseReason {
    /// The hold ran out.
    HoldExpired,
    /// The order ended before it was confirmed.
    OrderEnded,
    /// A confirmed order was cancelled.
    Cancelled,
}

/// How many pieces of a unit can be sold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StockChanged {
    /// The unit.
    pub sku: Sku,
    /// Pieces that can be promised, over all places.
    pub available: i64,
    /// Its version; an older one never overwrites a newer one.
    pub version: i64,
}

/// An order cannot be cancelled any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CancelRefused {
    /// The order.
    pub order_id: OrderId,
    /// Why.
    pub reason: String,
}

/// A parcel is to be packed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShipmentCreated {
    /// The parcel.
    pub shipment_id: ShipmentId,
    /// For which order.
    pub order_id: OrderId,
    /// What goes into it.
    pub lines: Vec<LineQuantity>,
}

/// Whoever picked the parcel found less than there was to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShipmentShortPicked {
    /// The parcel.
    pub shipment_id: ShipmentId,
    /// For which order.
    pub order_id: OrderId,
    /// What is missing and will not come.
    pub missing: Vec<LineQuantity>,
    /// Whether the parcel, having nothing left in it, is no more.
    pub shipment_cancelled: bool,
}

/// A parcel is packed, and waits for its money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShipmentPacked {
    /// The parcel.
    pub shipment_id: ShipmentId,
    /// For which order.
    pub order_id: OrderId,
    /// What is in it.
    pub lines: Vec<LineQuantity>,
}

/// A parcel may leave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShipmentReady {
    /// The parcel.
    pub shipment_id: ShipmentId,
    /// For which order.
    pub order_id: OrderId,
}

/// A parcel has left the house.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShipmentDispatched {
    /// The parcel.
    pub shipment_id: ShipmentId,
    /// For which order.
    pub order_id: OrderId,
    /// What is in it.
    pub lines: Vec<LineQuantity>,
    /// Who carries it.
    pub carrier: String,
    /// The carrier's number for it.
    pub tracking: String,
}

/// A parcel has arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShipmentDelivered {
    /// The parcel.
    pub shipment_id: ShipmentId,
    /// For which order.
    pub order_id: OrderId,
    /// What was in it.
    pub lines: Vec<LineQuantity>,
}

/// A parcel will not leave; its goods are back on the shelf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShipmentCancelled {
    /// The parcel.
    pub shipment_id: ShipmentId,
    /// For which order.
    pub order_id: OrderId,
}
