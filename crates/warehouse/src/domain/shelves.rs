//! The shelves a decision looks at, and where the goods of an order are taken from.

use std::collections::BTreeMap;

use contracts::{LineId, Sku, events::SkuQuantity};
use serde::{Deserialize, Serialize};

use super::file::OrderLine;
use super::moves::Move;
use super::shelf::{Place, Shelf};

/// Goods set aside: so many pieces of one order line at one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// For which line.
    pub line_id: LineId,
    /// What it is.
    pub sku: Sku,
    /// Where it lies.
    pub place: Place,
    /// How many.
    pub quantity: i64,
    /// Whether it goes into a parcel.
    pub ships: bool,
}

/// The shelves that matter now, as they are after what was decided so far.
#[derive(Debug, Clone, Default)]
pub struct Shelves {
    /// Where goods may be taken from, first choice first.
    places: Vec<Place>,
    shelves: BTreeMap<Sku, BTreeMap<Place, Shelf>>,
}

/// Which pieces are thought of when looking for goods.
#[derive(Clone, Copy)]
enum Reach {
    InStock,
    Backorder,
}

impl Reach {
    fn of(self, shelf: &Shelf) -> i64 {
        match self {
            Self::InStock => shelf.in_stock(),
            Self::Backorder => shelf.available(),
        }
    }
}

impl Shelves {
    /// No shelves yet, at these places, first choice first; none of them twice.
    pub fn at(places: &[Place]) -> Self {
        Self { places: places.to_vec(), shelves: BTreeMap::new() }
    }

    /// Puts a shelf among them.
    pub fn put(&mut self, sku: Sku, place: Place, shelf: Shelf) {
        self.shelves.entry(sku).or_default().insert(place, shelf);
    }

    /// One shelf; an empty one where there is none.
    pub fn get(&self, sku: &Sku, place: &Place) -> Shelf {
        self.shelves.get(sku).and_then(|at| at.get(place)).copied().unwrap_or_default()
    }

    /// Each shelf, by unit and place.
    pub fn iter(&self) -> impl Iterator<Item = (&Sku, &Place, &Shelf)> {
        self.shelves
            .iter()
            .flat_map(|(sku, at)| at.iter().map(move |(place, shelf)| (sku, place, shelf)))
    }

    /// Whether anybody keeps stock of a unit.
    pub fn know(&self, sku: &Sku) -> bool {
        let at = self.shelves.get(sku);
        at.is_some_and(|at| self.places.iter().any(|place| at.contains_key(place)))
    }

    /// How many pieces of a unit can be promised, over all places.
    pub fn available(&self, sku: &Sku) -> i64 {
        self.over_places(sku, Reach::Backorder)
    }

    /// Changes the counters of a shelf. One that is not among these is left alone.
    pub fn apply(&mut self, change: &Move) {
        let at = self.shelves.get_mut(&change.sku);
        let Some(shelf) = at.and_then(|at| at.get_mut(&change.place)) else { return };
        shelf.on_hand = shelf.on_hand.saturating_add(change.on_hand());
        shelf.reserved = shelf.reserved.saturating_add(change.reserved);
    }

    /// Chooses the goods for the lines of an order: all of them or none.
    ///
    /// Demand is summed per unit first. Goods that are there come before goods that are still to
    /// come, one parcel before several, and an earlier place before a later one.
    ///
    /// # Errors
    /// What is missing, each with how many pieces there still are.
    pub fn pick(&self, lines: &[OrderLine]) -> Result<Vec<Piece>, Vec<SkuQuantity>> {
        let wanted = self.demand(lines);
        let missing: Vec<SkuQuantity> = wanted
            .iter()
            .map(|(sku, quantity)| (*sku, *quantity, self.available(sku)))
            .filter(|(_, quantity, available)| available < quantity)
            .map(|(sku, _, available)| SkuQuantity { sku: sku.clone(), quantity: available })
            .collect();
        if !missing.is_empty() {
            return Err(missing);
        }
        let one_place = |reach: Reach| {
            self.places.iter().find(|place| {
                wanted.iter().all(|(sku, quantity)| reach.of(&self.get(sku, place)) >= *quantity)
            })
        };
        let in_stock =
            wanted.iter().all(|(sku, quantity)| self.over_places(sku, Reach::InStock) >= *quantity);
        let (reach, places) = match (one_place(Reach::InStock), in_stock) {
            (Some(place), _) => (Reach::InStock, std::slice::from_ref(place)),
            (None, true) => (Reach::InStock, self.places.as_slice()),
            (None, false) => match one_place(Reach::Backorder) {
                Some(place) => (Reach::Backorder, std::slice::from_ref(place)),
                None => (Reach::Backorder, self.places.as_slice()),
            },
        };
        Ok(self.take(lines, &wanted, reach, places))
    }

    /// How many pieces of each unit the lines need from a shelf.
    fn demand<'a>(&self, lines: &'a [OrderLine]) -> BTreeMap<&'a Sku, i64> {
        let mut wanted: BTreeMap<&Sku, i64> = BTreeMap::new();
        for line in lines.iter().filter(|line| line.requires_shipping || self.know(&line.sku)) {
            let sum = wanted.entry(&line.sku).or_default();
            *sum = sum.saturating_add(line.quantity);
        }
        wanted
    }

    /// Deals out what was found to the lines, in their order.
    fn take(
        &self,
        lines: &[OrderLine],
        wanted: &BTreeMap<&Sku, i64>,
        reach: Reach,
        places: &[Place],
    ) -> Vec<Piece> {
        let mut left: BTreeMap<(&Sku, &Place), i64> = BTreeMap::new();
        for sku in wanted.keys() {
            for place in places {
                left.insert((sku, place), reach.of(&self.get(sku, place)));
            }
        }
        let mut pieces = Vec::new();
        for line in lines.iter().filter(|line| wanted.contains_key(&line.sku)) {
            let mut open = line.quantity;
            for place in places {
                let Some(there) = left.get_mut(&(&line.sku, place)) else { continue };
                let quantity = open.min(*there);
                if quantity > 0 {
                    *there -= quantity;
                    open -= quantity;
                    pieces.push(Piece {
                        line_id: line.line_id,
                        sku: line.sku.clone(),
                        place: place.clone(),
                        quantity,
                        ships: line.requires_shipping,
                    });
                }
            }
        }
        pieces
    }

    fn over_places(&self, sku: &Sku, reach: Reach) -> i64 {
        let at = self.places.iter().map(|place| reach.of(&self.get(sku, place)));
        at.fold(0, i64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use contracts::Id;
    use uuid::Uuid;

    use super::*;

    fn sku(name: &str) -> Sku {
        name.parse().unwrap()
    }
    fn place(name: &str) -> Place {
        name.parse().unwrap()
    }
    fn line(number: u128, name: &str, quantity: i64) -> OrderLine {
        OrderLine {
            line_id: Id::from_uuid(Uuid::from_u128(number)),
            sku: sku(name),
            quantity,
            requires_shipping: true,
        }
    }
    fn shelves(rows: &[(&str, &str, i64, i64)]) -> Shelves {
        let mut shelves = Shelves::at(&[place("north"), place("south")]);
        for (name, at, on_hand, backorder_limit) in rows {
            let shelf = Shelf { on_hand: *on_hand, reserved: 0, backorder_limit: *backorder_limit };
            shelves.put(sku(name), place(at), shelf);
        }
        shelves
    }
    fn taken(pieces: &[Piece]) -> Vec<(&str, &str, i64)> {
        pieces.iter().map(|p| (p.sku.as_str(), p.place.as_str(), p.quantity)).collect()
    }

    #[test]
    fn demand_is_summed_per_unit_before_it_is_compared() {
        let shelves = shelves(&[("A", "north", 5, 0)]);
        let missing = shelves.pick(&[line(1, "A", 3), line(2, "A", 3)]).unwrap_err();
        assert_eq!(missing, vec![SkuQuantity { sku: sku("A"), quantity: 5 }]);
        assert!(shelves.pick(&[line(1, "A", 3), line(2, "A", 2)]).is_ok());
    }

    #[test]
    fn quantities_that_overflow_are_missing_and_nothing_wraps() {
        let shelves = shelves(&[("A", "north", 5, 0)]);
        assert!(shelves.pick(&[line(1, "A", i64::MAX), line(2, "A", i64::MAX)]).is_err());
    }

    #[test]
    fn a_unit_nobody_knows_is_missing_with_none_available() {
        let missing = shelves(&[]).pick(&[line(1, "X", 1)]).unwrap_err();
        assert_eq!(missing, vec![SkuQuantity { sku: sku("X"), quantity: 0 }]);
    }

    #[test]
    fn what_needs_no_shipping_is_held_only_where_stock_of_it_is_kept() {
        let service = OrderLine { requires_shipping: false, ..line(1, "X", 3) };
        assert_eq!(shelves(&[]).pick(std::slice::from_ref(&service)), Ok(vec![]));
        let licences = shelves(&[("X", "north", 2, 0)]);
        assert!(licences.pick(std::slice::from_ref(&service)).is_err());
    }

    #[test]
    fn one_parcel_is_better_than_two_even_from_a_later_place() {
        let shelves = shelves(&[("A", "north", 9, 0), ("A", "south", 9, 0), ("B", "south", 1, 0)]);
        let pieces = shelves.pick(&[line(1, "A", 2), line(2, "B", 1)]).unwrap();
        assert_eq!(taken(&pieces), [("A", "south", 2), ("B", "south", 1)]);
    }

    #[test]
    fn goods_that_are_there_come_before_goods_that_are_to_come() {
        let shelves = shelves(&[("A", "north", 1, 9), ("A", "south", 2, 0)]);
        assert_eq!(taken(&shelves.pick(&[line(1, "A", 2)]).unwrap()), [("A", "south", 2)]);
        let split = shelves.pick(&[line(1, "A", 3)]).unwrap();
        assert_eq!(taken(&split), [("A", "north", 1), ("A", "south", 2)]);
        let backorder = shelves.pick(&[line(1, "A", 4)]).unwrap();
        assert_eq!(taken(&backorder), [("A", "north", 4)]);
    }

    #[test]
    fn a_place_the_shop_no_longer_uses_is_not_taken_from() {
        let mut shelves = shelves(&[]);
        shelves.put(
            sku("A"),
            place("closed"),
            Shelf { on_hand: 5, reserved: 0, backorder_limit: 0 },
        );
        assert!(shelves.pick(&[line(1, "A", 1)]).is_err());
    }
}
