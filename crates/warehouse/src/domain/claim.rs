//! One order as the warehouse sees it: its states, what can be asked of it, and what happens to it.
//! What may happen when is decided in `decide`.

use contracts::{
    Money, ShipmentId, Timestamp,
    events::{LineQuantity, ReleaseReason, SkuQuantity},
};
use serde::{Deserialize, Serialize};

use super::file::{Funds, MoneyNews, OrderFile, Standing};
use super::parcel::{Parcel, ParcelCommand, ParcelEvent};
use super::shelves::Piece;

/// What an order has to do with the goods of the house.
///
/// Parcels are kept beside it (`parcels`), because they are looked for by themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Claim {
    /// Nothing was heard of this order.
    #[default]
    Unheard,
    /// The order ended before its placing was heard of: nothing will ever be held for it.
    Void,
    /// Goods are held, for a time.
    Held {
        /// What is known of the order.
        file: Box<OrderFile>,
        /// What is held.
        goods: Vec<Piece>,
        /// Until when.
        expires_at: Timestamp,
    },
    /// The hold ran out. Money may still come.
    Lapsed {
        /// What is known of the order.
        file: Box<OrderFile>,
    },
    /// The goods belong to the order, which is yet to be confirmed.
    Allocated {
        /// What is known of the order.
        file: Box<OrderFile>,
        /// What is allocated.
        goods: Vec<Piece>,
    },
    /// The order is confirmed: its goods are in parcels, here or gone.
    Fulfilling {
        /// What is known of the order.
        file: Box<OrderFile>,
        /// What needed no parcel and was handed out.
        handed_out: Vec<Piece>,
        /// Its parcels.
        #[serde(skip)]
        parcels: Vec<Parcel>,
    },
    /// The goods could not be had. Final.
    Rejected,
    /// The order has no goods here any more. Final.
    Released {
        /// Why.
        reason: ReleaseReason,
        /// Its parcels, cancelled.
        #[serde(skip)]
        parcels: Vec<Parcel>,
    },
}

/// What can be asked of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Hold the goods of an order that was placed.
    Hold {
        /// What is known of it.
        file: Box<OrderFile>,
        /// Until when to hold them.
        expires_at: Timestamp,
    },
    /// Hold the goods longer.
    Extend {
        /// Until when; the file's limit applies.
        until: Timestamp,
    },
    /// Give back what is held too long.
    Lapse,
    /// Take note of money, and allocate or let leave what it allows.
    NoteMoney(MoneyNews),
    /// Take note of what is owed now.
    NoteOwed(Money),
    /// Make parcels of a confirmed order.
    Confirm {
        /// The id of the first parcel; further ones are derived from it.
        first_parcel: ShipmentId,
    },
    /// Let nothing leave.
    PutOnHold {
        /// The version of the order event.
        version: i64,
    },
    /// Go on.
    Resume {
        /// The version of the order event.
        version: i64,
    },
    /// Give back what is held: the order is over.
    End,
    /// Take back what has not left, or refuse.
    TakeBack,
    /// Do something with a parcel.
    Parcel {
        /// Which.
        id: ShipmentId,
        /// What.
        command: ParcelCommand,
    },
}

/// What happened to a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The order ended before it was known.
    Voided,
    /// Its goods are held.
    Held {
        /// What is known of the order.
        file: Box<OrderFile>,
        /// What is held.
        goods: Vec<Piece>,
        /// Until when.
        expires_at: Timestamp,
    },
    /// Its goods cannot be had.
    Rejected {
        /// What is missing, and how many pieces of it there still are.
        missing: Vec<SkuQuantity>,
    },
    /// The hold lasts longer.
    HoldExtended {
        /// Until when.
        until: Timestamp,
    },
    /// The hold ran out.
    Lapsed,
    /// An order whose hold had run out is over: late money will find nothing.
    Forgotten,
    /// More is known of its money.
    FundsNoted {
        /// All that is known.
        funds: Funds,
    },
    /// What is owed has changed.
    OwedNoted {
        /// What is owed.
        owed: Money,
    },
    /// Whether it goes on has changed.
    StandingNoted {
        /// How it stands.
        standing: Standing,
    },
    /// Its goods belong to it.
    Allocated {
        /// What had to be held again for that, because the hold had run out.
        held_again: Vec<Piece>,
    },
    /// It is confirmed.
    Confirmed {
        /// Its parcels.
        parcels: Vec<Parcel>,
        /// What needs no parcel.
        handed_out: Vec<Piece>,
    },
    /// What was set aside and has not left is free again.
    Released {
        /// Why.
        reason: ReleaseReason,
    },
    /// Asked for, it turns out that nothing of it is here any more, or ever was.
    NothingHere,
    /// It cannot be taken back any more.
    CancelRefused,
    /// Something happened to one of its parcels.
    Parcel {
        /// Which.
        id: ShipmentId,
        /// What.
        event: ParcelEvent,
    },
}

impl Claim {
    /// How many parcels an order can have: all of them are read whenever it is worked on.
    pub const PARCELS_MAX: usize = 500;

    /// The state's name, as it is stored and shown.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Unheard => "unheard",
            Self::Void => "void",
            Self::Held { .. } => "held",
            Self::Lapsed { .. } => "lapsed",
            Self::Allocated { .. } => "allocated",
            Self::Fulfilling { .. } => "fulfilling",
            Self::Rejected => "rejected",
            Self::Released { .. } => "released",
        }
    }

    /// Until when goods are held, where they are.
    pub fn expires_at(&self) -> Option<Timestamp> {
        if let Self::Held { expires_at, .. } = self { Some(*expires_at) } else { None }
    }

    /// What is known of the order, while that matters.
    pub fn file(&self) -> Option<&OrderFile> {
        match self {
            Self::Held { file, .. }
            | Self::Lapsed { file }
            | Self::Allocated { file, .. }
            | Self::Fulfilling { file, .. } => Some(file),
            Self::Unheard | Self::Void | Self::Rejected | Self::Released { .. } => None,
        }
    }

    /// Its parcels.
    pub fn parcels(&self) -> &[Parcel] {
        match self {
            Self::Fulfilling { parcels, .. } | Self::Released { parcels, .. } => parcels,
            Self::Unheard
            | Self::Void
            | Self::Held { .. }
            | Self::Lapsed { .. }
            | Self::Allocated { .. }
            | Self::Rejected => &[],
        }
    }

    /// The same claim with its parcels, which are stored beside it.
    #[must_use]
    pub fn with_parcels(self, parcels: Vec<Parcel>) -> Self {
        match self {
            Self::Fulfilling { file, handed_out, .. } => {
                Self::Fulfilling { file, handed_out, parcels }
            }
            Self::Released { reason, .. } => Self::Released { reason, parcels },
            other @ (Self::Unheard
            | Self::Void
            | Self::Held { .. }
            | Self::Lapsed { .. }
            | Self::Allocated { .. }
            | Self::Rejected) => other,
        }
    }

    /// The claim after `event`. Never refuses: what happened, happened.
    #[must_use]
    pub fn apply(self, event: &Event) -> Self {
        match event {
            Event::Voided => Self::Void,
            Event::Held { file, goods, expires_at } => {
                Self::Held { file: file.clone(), goods: goods.clone(), expires_at: *expires_at }
            }
            Event::Rejected { .. } => Self::Rejected,
            Event::Forgotten => {
                Self::Released { reason: ReleaseReason::HoldExpired, parcels: Vec::new() }
            }
            Event::Released { reason } => {
                Self::Released { reason: *reason, parcels: self.parcels().to_vec() }
            }
            Event::FundsNoted { funds } => self.with_file(|file| file.funds = funds.clone()),
            Event::OwedNoted { owed } => self.with_file(|file| file.owed = *owed),
            Event::StandingNoted { standing } => self.with_file(|file| file.standing = *standing),
            Event::CancelRefused | Event::NothingHere => self,
            Event::HoldExtended { until } => self.extended(*until),
            Event::Lapsed => self.lapsed(),
            Event::Allocated { held_again } => self.allocated(held_again),
            Event::Confirmed { parcels, handed_out } => self.confirmed(parcels, handed_out),
            Event::Parcel { id, event } => self.with_parcel(*id, event),
        }
    }

    fn with_file(mut self, change: impl FnOnce(&mut OrderFile)) -> Self {
        match &mut self {
            Self::Held { file, .. }
            | Self::Lapsed { file }
            | Self::Allocated { file, .. }
            | Self::Fulfilling { file, .. } => change(file),
            Self::Unheard | Self::Void | Self::Rejected | Self::Released { .. } => {}
        }
        self
    }

    fn extended(mut self, until: Timestamp) -> Self {
        if let Self::Held { expires_at, .. } = &mut self {
            *expires_at = until;
        }
        self
    }

    fn lapsed(self) -> Self {
        if let Self::Held { file, .. } = self { Self::Lapsed { file } } else { self }
    }

    fn allocated(self, held_again: &[Piece]) -> Self {
        match self {
            Self::Held { file, goods, .. } => Self::Allocated { file, goods },
            Self::Lapsed { file } => Self::Allocated { file, goods: held_again.to_vec() },
            other @ (Self::Unheard
            | Self::Void
            | Self::Allocated { .. }
            | Self::Fulfilling { .. }
            | Self::Rejected
            | Self::Released { .. }) => other,
        }
    }

    fn confirmed(self, parcels: &[Parcel], handed_out: &[Piece]) -> Self {
        if let Self::Allocated { file, .. } = self {
            let (parcels, handed_out) = (parcels.to_vec(), handed_out.to_vec());
            Self::Fulfilling { file, handed_out, parcels }
        } else {
            self
        }
    }

    fn with_parcel(self, id: ShipmentId, event: &ParcelEvent) -> Self {
        let mut parcels: Vec<Parcel> = self
            .parcels()
            .iter()
            .map(
                |parcel| {
                    if parcel.id == id { parcel.clone().apply(event) } else { parcel.clone() }
                },
            )
            .collect();
        if let ParcelEvent::SplitOff { into } = event {
            parcels.push(into.clone());
        }
        self.with_parcels(parcels)
    }
}

/// The pieces of goods as the lines of a parcel: one entry for each order line.
pub(super) fn lines_of<'a>(goods: impl Iterator<Item = &'a Piece>) -> Vec<LineQuantity> {
    let mut lines: Vec<LineQuantity> = Vec::new();
    for piece in goods {
        match lines.iter_mut().find(|line| line.line_id == piece.line_id) {
            Some(line) => line.quantity = line.quantity.saturating_add(piece.quantity),
            None => lines.push(LineQuantity {
                line_id: piece.line_id,
                sku: piece.sku.clone(),
                quantity: piece.quantity,
            }),
        }
    }
    lines
}
