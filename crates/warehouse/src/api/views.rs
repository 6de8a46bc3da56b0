//! What the warehouse shows.

use contracts::{OrderId, ShipmentId, Sku, Timestamp, events::LineQuantity};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::{MovementKind, ParcelState, Place, Shelf};
use crate::store::{MovementRow, ParcelRow, StockRow};

/// How much of a unit there is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Stock)]
pub struct StockView {
    /// The unit.
    pub(super) sku: Sku,
    /// Pieces that can be promised, over all places.
    pub(super) available: i64,
    /// The counters at each place, for staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) places: Option<Vec<ShelfView>>,
}

/// The counters of one unit at one place.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StockAtPlace)]
pub struct ShelfView {
    /// The unit.
    pub(super) sku: Sku,
    /// Where.
    pub(super) place: Place,
    /// Pieces that are there.
    on_hand: i64,
    /// Pieces held for or allocated to orders and not yet gone.
    reserved: i64,
    /// How many pieces may be promised beyond those that are there.
    backorder_limit: i64,
    /// Pieces that can still be promised.
    available: i64,
}

impl From<StockRow> for ShelfView {
    fn from(row: StockRow) -> Self {
        let Shelf { on_hand, reserved, backorder_limit, packed: _ } = row.shelf;
        let available = row.shelf.available();
        Self { sku: row.sku, place: row.place, on_hand, reserved, backorder_limit, available }
    }
}

/// Goods that moved: one row of the ledger.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = StockMovement)]
pub struct MovementView {
    /// The row.
    #[schema(value_type = String, format = Uuid)]
    pub(super) id: Uuid,
    /// What moved.
    pub(super) sku: Sku,
    /// Where.
    pub(super) place: Place,
    /// Why.
    pub(super) kind: MovementKind,
    /// Pieces more, or, when negative, fewer.
    pub(super) quantity: i64,
    /// For which order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) order_id: Option<OrderId>,
    /// What whoever did it noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) note: Option<String>,
    /// Who did it.
    pub(super) actor: String,
    /// When.
    pub(super) moved_at: Timestamp,
}

impl From<MovementRow> for MovementView {
    fn from(row: MovementRow) -> Self {
        Self {
            id: row.id,
            sku: row.sku,
            place: row.place,
            kind: row.kind,
            quantity: row.quantity,
            order_id: row.order_id,
            note: row.note,
            actor: row.actor,
            moved_at: row.moved_at,
        }
    }
}

/// How far a parcel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ShipmentStatus)]
pub enum ParcelStatus {
    /// To be packed.
    Created,
    /// Packed, and waits for its money.
    Packed,
    /// It may leave.
    Ready,
    /// It has left.
    Dispatched,
    /// It has arrived.
    Delivered,
    /// It will not leave.
    Cancelled,
}

impl ParcelStatus {
    /// As it is stored.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Packed => "packed",
            Self::Ready => "ready",
            Self::Dispatched => "dispatched",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A parcel.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Shipment)]
pub struct ParcelView {
    /// The parcel.
    pub(super) id: ShipmentId,
    /// For which order.
    order_id: OrderId,
    /// Where it is packed.
    place: Place,
    /// How far it is.
    status: ParcelStatus,
    /// What goes into it, or is in it.
    lines: Vec<LineQuantity>,
    /// When it was created.
    created_at: Timestamp,
    /// When it was packed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    packed_at: Option<Timestamp>,
    /// Since when it may leave.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ready_at: Option<Timestamp>,
    /// When it left.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    dispatched_at: Option<Timestamp>,
    /// When it arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    delivered_at: Option<Timestamp>,
    /// When it was cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cancelled_at: Option<Timestamp>,
    /// Who carries it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    carrier: Option<String>,
    /// The carrier's number for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    tracking: Option<String>,
}

impl From<ParcelRow> for ParcelView {
    fn from(ParcelRow { order_id, parcel }: ParcelRow) -> Self {
        let view = Self {
            id: parcel.id,
            order_id,
            place: parcel.place,
            status: ParcelStatus::Created,
            lines: parcel.lines,
            created_at: parcel.created_at,
            packed_at: None,
            ready_at: None,
            dispatched_at: None,
            delivered_at: None,
            cancelled_at: None,
            carrier: None,
            tracking: None,
        };
        match parcel.state {
            ParcelState::Created => view,
            ParcelState::Packed { packed_at } => {
                Self { status: ParcelStatus::Packed, packed_at: Some(packed_at), ..view }
            }
            ParcelState::Ready { packed_at, ready_at } => Self {
                status: ParcelStatus::Ready,
                packed_at: Some(packed_at),
                ready_at: Some(ready_at),
                ..view
            },
            ParcelState::Dispatched { packed_at, dispatched_at, carrier, tracking } => Self {
                status: ParcelStatus::Dispatched,
                packed_at: Some(packed_at),
                dispatched_at: Some(dispatched_at),
                carrier: Some(carrier),
                tracking: Some(tracking),
                ..view
            },
            ParcelState::Delivered {
                packed_at,
                dispatched_at,
                delivered_at,
                carrier,
                tracking,
            } => Self {
                status: ParcelStatus::Delivered,
                packed_at: Some(packed_at),
                dispatched_at: Some(dispatched_at),
                delivered_at: Some(delivered_at),
                carrier: Some(carrier),
                tracking: Some(tracking),
                ..view
            },
            ParcelState::Cancelled { cancelled_at } => {
                Self { status: ParcelStatus::Cancelled, cancelled_at: Some(cancelled_at), ..view }
            }
        }
    }
}
