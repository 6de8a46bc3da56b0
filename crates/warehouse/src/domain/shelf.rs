//! One unit at one place: how many pieces there are, how many are promised, how many may be
//! promised beyond that. What moves goods by itself, without an order, is decided here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::moves::{Movement, MovementKind};

/// Where goods are kept: 1 to 32 characters out of `a-z`, `0-9` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[schema(value_type = String, min_length = 1, max_length = 32, pattern = "^[a-z0-9-]{1,32}$", examples("main"))]
pub struct Place(String);

/// Why a text is not a [`Place`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a place has 1 to 32 characters out of a-z 0-9 -")]
pub struct PlaceError;

impl Place {
    /// The place of a shop that has only one.
    pub fn main() -> Self {
        Self("main".to_owned())
    }

    /// The place's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if (1..=32).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(PlaceError)
        }
    }
}
impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The counters of one unit at one place.
///
/// **Invariant.** `0 <= reserved <= on_hand + backorder_limit`, `0 <= packed <= on_hand` and
/// `packed <= reserved`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shelf {
    /// Pieces that are there.
    pub on_hand: i64,
    /// Pieces held for or allocated to orders and not yet gone.
    pub reserved: i64,
    /// How many pieces may be promised beyond those that are there.
    pub backorder_limit: i64,
    /// Pieces, of those that are there, which are in packed parcels.
    pub packed: i64,
}

/// What staff can do to a shelf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShelfCommand {
    /// Goods came in.
    Receive {
        /// How many pieces, at least one.
        quantity: i64,
    },
    /// A count differs from the books.
    Adjust {
        /// Pieces more, or, when negative, fewer.
        delta: i64,
    },
    /// Promise more or less than there is.
    LimitBackorder {
        /// How many pieces beyond those that are there.
        limit: i64,
    },
}

/// What happened to a shelf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShelfEvent {
    /// Goods moved.
    Moved(Movement),
    /// Another number of pieces may be promised beyond those that are there.
    BackorderLimited {
        /// How many.
        limit: i64,
    },
}

/// Why staff cannot do that to a shelf.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShelfRefusal {
    /// The quantity makes no sense.
    #[error("the quantity must be between 1 and {}", Shelf::MOST)]
    NotAQuantity,
    /// There would be more pieces than a shelf can count.
    #[error("there can be at most {} pieces", Shelf::MOST)]
    TooMany,
    /// There are fewer pieces than are to be taken off.
    #[error("only {on_hand} pieces are there")]
    NotThere {
        /// How many there are.
        on_hand: i64,
    },
    /// They are in parcels that are packed.
    #[error("{packed} of the {on_hand} pieces are in packed parcels")]
    Packed {
        /// How many are there.
        on_hand: i64,
        /// How many of them are packed.
        packed: i64,
    },
    /// Orders are waiting for these pieces.
    #[error("{reserved} pieces are promised to orders")]
    Promised {
        /// How many are promised.
        reserved: i64,
    },
}

impl Shelf {
    /// The most pieces a shelf counts.
    pub const MOST: i64 = 1_000_000_000;

    /// Pieces that are there and promised to nobody.
    pub fn in_stock(&self) -> i64 {
        self.on_hand.saturating_sub(self.reserved).max(0)
    }

    /// Pieces that can still be promised.
    pub fn available(&self) -> i64 {
        self.on_hand.saturating_add(self.backorder_limit).saturating_sub(self.reserved).max(0)
    }

    /// Pieces that are there and in no packed parcel.
    pub fn loose(&self) -> i64 {
        self.on_hand.saturating_sub(self.packed).max(0)
    }

    /// Whether the counters are possible.
    pub fn is_sound(&self) -> bool {
        self.on_hand >= 0
            && self.backorder_limit >= 0
            && self.reserved >= 0
            && (0..=self.on_hand.min(self.reserved)).contains(&self.packed)
            && self.reserved <= self.on_hand.saturating_add(self.backorder_limit)
    }

    /// What `command` would change.
    ///
    /// ```
    /// use warehouse::domain::{Shelf, ShelfCommand, ShelfRefusal};
    ///
    /// let shelf = Shelf { on_hand: 5, reserved: 3, ..Shelf::default() };
    /// // Two may be counted away, what is promised may not.
    /// let found = shelf.decide(&ShelfCommand::Adjust { delta: -2 })?;
    /// assert_eq!(found.iter().fold(shelf, Shelf::apply).on_hand, 3);
    /// assert_eq!(
    ///     shelf.decide(&ShelfCommand::Adjust { delta: -3 }),
    ///     Err(ShelfRefusal::Promised { reserved: 3 })
    /// );
    /// # Ok::<(), ShelfRefusal>(())
    /// ```
    ///
    /// # Errors
    /// A [`ShelfRefusal`] where the shelf would promise more than it may, or count nonsense.
    pub fn decide(&self, command: &ShelfCommand) -> Result<Vec<ShelfEvent>, ShelfRefusal> {
        match *command {
            ShelfCommand::Receive { quantity } => {
                if !(1..=Self::MOST).contains(&quantity) {
                    return Err(ShelfRefusal::NotAQuantity);
                }
                self.moved(MovementKind::Received, quantity)
            }
            ShelfCommand::Adjust { delta: 0 } => Ok(Vec::new()),
            ShelfCommand::Adjust { delta } => self.moved(MovementKind::Adjusted, delta),
            ShelfCommand::LimitBackorder { limit } => {
                if !(0..=Self::MOST).contains(&limit) {
                    return Err(ShelfRefusal::TooMany);
                }
                if limit == self.backorder_limit {
                    return Ok(Vec::new());
                }
                if self.reserved > self.on_hand.saturating_add(limit) {
                    return Err(ShelfRefusal::Promised { reserved: self.reserved });
                }
                Ok(vec![ShelfEvent::BackorderLimited { limit }])
            }
        }
    }

    fn moved(&self, kind: MovementKind, quantity: i64) -> Result<Vec<ShelfEvent>, ShelfRefusal> {
        let after = self.on_hand.saturating_add(quantity);
        if after > Self::MOST {
            Err(ShelfRefusal::TooMany)
        } else if after < 0 {
            Err(ShelfRefusal::NotThere { on_hand: self.on_hand })
        } else if quantity < 0 && self.packed > after {
            Err(ShelfRefusal::Packed { on_hand: self.on_hand, packed: self.packed })
        } else if self.reserved > after.saturating_add(self.backorder_limit) {
            Err(ShelfRefusal::Promised { reserved: self.reserved })
        } else {
            Ok(vec![ShelfEvent::Moved(Movement { kind, quantity })])
        }
    }

    /// The shelf after `event`.
    #[must_use]
    pub fn apply(self, event: &ShelfEvent) -> Self {
        match event {
            ShelfEvent::Moved(movement) => {
                Self { on_hand: self.on_hand.saturating_add(movement.quantity), ..self }
            }
            ShelfEvent::BackorderLimited { limit } => Self { backorder_limit: *limit, ..self },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf(on_hand: i64, reserved: i64, backorder_limit: i64) -> Shelf {
        Shelf { on_hand, reserved, backorder_limit, packed: 0 }
    }

    #[test]
    fn what_is_packed_cannot_be_counted_away() {
        let shelf = Shelf { packed: 2, ..shelf(3, 2, 9) };
        assert!(shelf.decide(&ShelfCommand::Adjust { delta: -1 }).is_ok());
        assert_eq!(
            shelf.decide(&ShelfCommand::Adjust { delta: -2 }),
            Err(ShelfRefusal::Packed { on_hand: 3, packed: 2 })
        );
    }

    #[test]
    fn what_is_promised_cannot_be_counted_away() {
        assert_eq!(
            shelf(10, 8, 0).decide(&ShelfCommand::Adjust { delta: -3 }),
            Err(ShelfRefusal::Promised { reserved: 8 })
        );
        assert!(shelf(10, 8, 0).decide(&ShelfCommand::Adjust { delta: -2 }).is_ok());
        assert!(shelf(10, 8, 1).decide(&ShelfCommand::Adjust { delta: -3 }).is_ok());
    }

    #[test]
    fn more_than_there_is_cannot_be_counted_away() {
        assert_eq!(
            shelf(2, 0, 5).decide(&ShelfCommand::Adjust { delta: -3 }),
            Err(ShelfRefusal::NotThere { on_hand: 2 })
        );
    }

    #[test]
    fn a_backorder_limit_in_use_cannot_be_withdrawn() {
        assert_eq!(
            shelf(1, 4, 3).decide(&ShelfCommand::LimitBackorder { limit: 2 }),
            Err(ShelfRefusal::Promised { reserved: 4 })
        );
        assert_eq!(shelf(1, 4, 3).decide(&ShelfCommand::LimitBackorder { limit: 3 }), Ok(vec![]));
    }

    #[test]
    fn quantities_beyond_reason_are_refused() {
        for quantity in [0, -1, i64::MIN, i64::MAX] {
            assert_eq!(
                shelf(0, 0, 0).decide(&ShelfCommand::Receive { quantity }),
                Err(ShelfRefusal::NotAQuantity)
            );
        }
        assert_eq!(
            shelf(Shelf::MOST, 0, 0).decide(&ShelfCommand::Receive { quantity: 1 }),
            Err(ShelfRefusal::TooMany)
        );
        assert_eq!(
            shelf(1, 0, 0).decide(&ShelfCommand::Adjust { delta: i64::MAX }),
            Err(ShelfRefusal::TooMany)
        );
    }

    #[test]
    fn a_place_is_a_plain_word() {
        for bad in ["", "Main", "a b", "ä", &"x".repeat(33)] {
            assert_eq!(bad.parse::<Place>(), Err(PlaceError), "{bad:?}");
        }
        assert_eq!("north-2".parse::<Place>().map(|place| place.to_string()), Ok("north-2".into()));
    }
}
