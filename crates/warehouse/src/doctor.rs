//! Whether the books are right: the warehouse's share of the shop's promises, as a pure function
//! over everything that is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use contracts::{OrderId, Sku, Timestamp};

use crate::domain::{Claim, Place};
use crate::store::Audit;

/// How long after its end a hold may still be there before somebody should look at the sweeper.
pub const SWEPT_WITHIN: Duration = Duration::from_secs(300);

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The counters of a shelf are impossible: more is promised than may be.
    Oversold {
        /// Of which unit.
        sku: Sku,
        /// Where.
        place: Place,
    },
    /// A shelf promises another number of pieces than orders hold.
    PromisesDiffer {
        /// Of which unit.
        sku: Sku,
        /// Where.
        place: Place,
        /// What the shelf says.
        counted: i64,
        /// What the orders' claims add up to.
        held: i64,
    },
    /// A shelf has another number of pieces than came and went.
    LedgerDiffers {
        /// Of which unit.
        sku: Sku,
        /// Where.
        place: Place,
        /// What the shelf says.
        counted: i64,
        /// What the ledger adds up to.
        moved: i64,
    },
    /// A hold ended long ago and is still there.
    HoldOverdue {
        /// Whose.
        order_id: OrderId,
        /// When it ended.
        expired_at: Timestamp,
    },
    /// An order has more pieces of a line in its parcels than it ordered.
    ParcelsExceedOrder {
        /// Whose.
        order_id: OrderId,
    },
}

impl Finding {
    /// What can be done about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Oversold { .. } => {
                "count the shelf, then post an adjustment or raise its backorder limit"
            }
            Self::PromisesDiffer { .. } => {
                "stop the warehouse and set `reserved` to what orders hold; report it, this is a bug"
            }
            Self::LedgerDiffers { .. } => {
                "count the shelf and post an adjustment; report it, this is a bug"
            }
            Self::HoldOverdue { .. } => {
                "look whether the warehouse runs and whether `hold.sweep` is parked; redrive it"
            }
            Self::ParcelsExceedOrder { .. } => {
                "stop the parcels of this order; report it, this is a bug"
            }
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Oversold { sku, place } => write!(f, "{sku} at {place} is oversold"),
            Self::PromisesDiffer { sku, place, counted, held } => {
                write!(f, "{sku} at {place} has {counted} pieces reserved, and orders hold {held}")
            }
            Self::LedgerDiffers { sku, place, counted, moved } => {
                write!(
                    f,
                    "{sku} at {place} has {counted} pieces on hand, and the ledger says {moved}"
                )
            }
            Self::HoldOverdue { order_id, expired_at } => {
                write!(f, "the hold of order {order_id} ended at {expired_at} and is still there")
            }
            Self::ParcelsExceedOrder { order_id } => {
                write!(f, "order {order_id} has more in its parcels than was ordered")
            }
        }
    }
}

/// Everything that is wrong, at a time.
pub fn examine(audit: &Audit, now: Timestamp) -> Vec<Finding> {
    let mut findings = counters(audit);
    for row in &audit.claims {
        let overdue = row.claim.expires_at().filter(|at| at.plus(SWEPT_WITHIN) < now);
        if let Some(expired_at) = overdue {
            findings.push(Finding::HoldOverdue { order_id: row.order_id, expired_at });
        }
        if exceeds(&row.claim) {
            findings.push(Finding::ParcelsExceedOrder { order_id: row.order_id });
        }
    }
    findings
}

fn counters(audit: &Audit) -> Vec<Finding> {
    let mut held: BTreeMap<(Sku, Place), i64> = BTreeMap::new();
    for (sku, place, quantity) in audit.claims.iter().flat_map(|row| row.claim.promises()) {
        *held.entry((sku, place)).or_default() += quantity;
    }
    let mut moved: BTreeMap<(Sku, Place), i64> = BTreeMap::new();
    for row in &audit.ledger {
        *moved.entry((row.sku.clone(), row.place.clone())).or_default() += row.on_hand;
    }
    let mut shelves = BTreeMap::new();
    for row in &audit.shelves {
        shelves.insert((row.sku.clone(), row.place.clone()), row.shelf);
    }
    let keys: BTreeSet<&(Sku, Place)> =
        shelves.keys().chain(held.keys()).chain(moved.keys()).collect();
    let mut findings = Vec::new();
    for key in keys {
        let (sku, place) = key.clone();
        let shelf = shelves.get(key).copied().unwrap_or_default();
        let held = held.get(key).copied().unwrap_or(0);
        let moved = moved.get(key).copied().unwrap_or(0);
        if !shelf.is_sound() {
            findings.push(Finding::Oversold { sku: sku.clone(), place: place.clone() });
        }
        if shelf.reserved != held {
            let counted = shelf.reserved;
            let (sku, place) = (sku.clone(), place.clone());
            findings.push(Finding::PromisesDiffer { sku, place, counted, held });
        }
        if shelf.on_hand != moved {
            let counted = shelf.on_hand;
            findings.push(Finding::LedgerDiffers { sku, place, counted, moved });
        }
    }
    findings
}

fn exceeds(claim: &Claim) -> bool {
    let Some(file) = claim.file() else { return false };
    file.lines.iter().any(|line| {
        let packed = claim
            .parcels()
            .iter()
            .filter(|parcel| parcel.is_here() || parcel.has_left())
            .flat_map(|parcel| &parcel.lines)
            .filter(|packed| packed.line_id == line.line_id);
        packed.map(|packed| packed.quantity).sum::<i64>() > line.quantity
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Shelf;
    use crate::store::{LedgerRow, ShelfRow};

    fn books(on_hand: i64, reserved: i64, moved: i64) -> Audit {
        let sku: Sku = "A".parse().unwrap();
        let place = Place::main();
        let shelf = Shelf { on_hand, reserved, backorder_limit: 0 };
        Audit {
            shelves: vec![ShelfRow { sku: sku.clone(), place: place.clone(), shelf }],
            ledger: vec![LedgerRow { sku, place, on_hand: moved }],
            claims: vec![],
        }
    }

    #[test]
    fn books_that_agree_raise_no_finding() {
        assert_eq!(examine(&books(5, 0, 5), Timestamp::EPOCH), []);
    }

    #[test]
    fn each_counter_that_is_off_is_found() {
        let names = |audit: &Audit| {
            let findings = examine(audit, Timestamp::EPOCH);
            findings.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            names(&books(5, 0, 4)),
            ["A at main has 5 pieces on hand, and the ledger says 4"]
        );
        assert_eq!(names(&books(5, 2, 5)), ["A at main has 2 pieces reserved, and orders hold 0"]);
        assert_eq!(names(&books(5, 6, 5)).len(), 2);
    }
}
