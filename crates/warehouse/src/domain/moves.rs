//! What an event of a claim does to the shelves: the only place where promises and goods move
//! because of an order.

use contracts::{ShipmentId, Sku, events::SkuQuantity};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::claim::{Claim, Event};
use super::parcel::{Parcel, ParcelEvent, per_sku};
use super::shelf::Place;
use super::shelves::{Piece, Shelves};

/// Why goods moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MovementKind {
    /// They came in.
    Received,
    /// They left in a parcel.
    Shipped,
    /// They were handed out without a parcel.
    HandedOut,
    /// A count differed from the books.
    Adjusted,
    /// They were not found when a parcel was packed.
    ShortPicked,
}

impl MovementKind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Received, Self::Shipped, Self::HandedOut, Self::Adjusted, Self::ShortPicked];

    /// As it is written in the ledger.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Shipped => "shipped",
            Self::HandedOut => "handed_out",
            Self::Adjusted => "adjusted",
            Self::ShortPicked => "short_picked",
        }
    }
}

/// Goods that moved: one row of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Movement {
    /// Why.
    pub kind: MovementKind,
    /// Pieces more, or, when negative, fewer.
    pub quantity: i64,
}

/// A change of one shelf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Of which unit.
    pub sku: Sku,
    /// Where.
    pub place: Place,
    /// Pieces more promised, or, when negative, fewer.
    pub reserved: i64,
    /// Pieces more in packed parcels, or, when negative, fewer.
    pub packed: i64,
    /// Goods that moved with it, if any did.
    pub goods: Option<Movement>,
}

impl Move {
    /// Pieces more on hand, or, when negative, fewer.
    pub fn on_hand(&self) -> i64 {
        self.goods.map_or(0, |goods| goods.quantity)
    }
}

impl Claim {
    /// What `event`, about to happen to this claim, does to the shelves.
    pub fn moves(&self, event: &Event, shelves: &Shelves) -> Vec<Move> {
        match event {
            Event::Held { goods, .. } => promise(goods, 1),
            Event::Allocated { held_again, .. } => promise(held_again, 1),
            Event::Lapsed => promise(self.goods(), -1),
            // A claim with parcels gives its goods back parcel by parcel.
            Event::Released { .. } => promise(self.goods(), -1),
            Event::Confirmed { handed_out, .. } => hand_out(handed_out),
            Event::Parcel { id, event } => self
                .parcel(*id)
                .map_or_else(Vec::new, |parcel| parcel_moves(parcel, event, shelves)),
            Event::Voided
            | Event::Rejected { .. }
            | Event::Forgotten
            | Event::HoldExtended { .. }
            | Event::FundsNoted { .. }
            | Event::StandingNoted { .. }
            | Event::OwedNoted { .. }
            | Event::NothingHere
            | Event::CancelRefused => Vec::new(),
        }
    }

    /// The goods set aside that are not in a parcel yet.
    pub fn goods(&self) -> &[Piece] {
        match self {
            Self::Held { goods, .. } | Self::Allocated { goods, .. } => goods,
            Self::Unheard
            | Self::Void
            | Self::Lapsed { .. }
            | Self::Fulfilling { .. }
            | Self::Rejected
            | Self::Released { .. } => &[],
        }
    }

    /// What this claim contributes to the promises of each shelf: its goods, and its parcels that
    /// have neither left nor been cancelled.
    pub fn promises(&self) -> Vec<(Sku, Place, i64)> {
        let goods = self.goods().iter().map(|p| (p.sku.clone(), p.place.clone(), p.quantity));
        let parcels = self.parcels().iter().filter(|parcel| parcel.is_here()).flat_map(|parcel| {
            parcel.lines.iter().map(|l| (l.sku.clone(), parcel.place.clone(), l.quantity))
        });
        goods.chain(parcels).collect()
    }

    /// One of its parcels.
    pub fn parcel(&self, id: ShipmentId) -> Option<&Parcel> {
        self.parcels().iter().find(|parcel| parcel.id == id)
    }
}

fn promise(goods: &[Piece], sign: i64) -> Vec<Move> {
    goods
        .iter()
        .map(|piece| Move {
            sku: piece.sku.clone(),
            place: piece.place.clone(),
            reserved: sign * piece.quantity,
            packed: 0,
            goods: None,
        })
        .collect()
}

/// What is handed out was there: confirming waits until it is.
fn hand_out(goods: &[Piece]) -> Vec<Move> {
    let moved = |piece: &Piece| Move {
        sku: piece.sku.clone(),
        place: piece.place.clone(),
        reserved: -piece.quantity,
        packed: 0,
        goods: Some(Movement { kind: MovementKind::HandedOut, quantity: -piece.quantity }),
    };
    goods.iter().map(moved).collect()
}

fn parcel_moves(parcel: &Parcel, event: &ParcelEvent, shelves: &Shelves) -> Vec<Move> {
    let with = |sku: Sku, reserved: i64, packed: i64, goods: Option<Movement>| Move {
        sku,
        place: parcel.place.clone(),
        reserved,
        packed,
        goods,
    };
    let contents = || per_sku(parcel.lines.iter()).into_iter();
    // Parcels that were packed before shelves counted them are in no count.
    let unpacked = |sku: &Sku, quantity: i64| {
        if parcel.is_packed() { -quantity.min(shelves.get(sku, &parcel.place).packed) } else { 0 }
    };
    match event {
        ParcelEvent::Packed { .. } => {
            contents().map(|SkuQuantity { sku, quantity }| with(sku, 0, quantity, None)).collect()
        }
        ParcelEvent::Dispatched { .. } => contents()
            .map(|SkuQuantity { sku, quantity }| {
                let left = Movement { kind: MovementKind::Shipped, quantity: -quantity };
                let packed = unpacked(&sku, quantity);
                with(sku, -quantity, packed, Some(left))
            })
            .collect(),
        ParcelEvent::Cancelled { .. } => contents()
            .map(|SkuQuantity { sku, quantity }| {
                let packed = unpacked(&sku, quantity);
                with(sku, -quantity, packed, None)
            })
            .collect(),
        ParcelEvent::ShortPicked { missing, written_off, .. } => per_sku(missing.iter())
            .into_iter()
            .map(|SkuQuantity { sku, quantity }| {
                let gone = written_off.iter().find(|gone| gone.sku == sku).map(|gone| Movement {
                    kind: MovementKind::ShortPicked,
                    quantity: -gone.quantity,
                });
                with(sku, -quantity, 0, gone)
            })
            .collect(),
        ParcelEvent::SplitOff { .. }
        | ParcelEvent::Ready { .. }
        | ParcelEvent::Delivered { .. } => Vec::new(),
    }
}
