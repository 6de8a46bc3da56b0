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

/// How many pieces of a unit an order needs.
#[derive(Clone, Copy, Default)]
struct Demand {
    /// In parcels.
    ships: i64,
    /// Without one.
    handed_out: i64,
}

impl Demand {
    fn total(self) -> i64 {
        self.ships.saturating_add(self.handed_out)
    }
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
        shelf.packed = shelf.packed.saturating_add(change.packed);
    }

    /// Chooses the goods for the lines of an order: all of them or none.
    ///
    /// Demand is summed per unit first. Of each unit, goods that are there come before goods that
    /// are still to come; then one parcel before several, and an earlier place before a later one.
    /// What needs no parcel is handed out on confirmation, so it is taken only from what is there.
    ///
    /// # Errors
    /// What is missing, each with how many pieces there still are.
    pub fn pick(&self, lines: &[OrderLine]) -> Result<Vec<Piece>, Vec<SkuQuantity>> {
        let wanted = self.demand(lines);
        let missing: Vec<SkuQuantity> = wanted
            .iter()
            .filter_map(|(sku, demand)| {
                let in_stock = self.over_places(sku, Reach::InStock);
                let available = self.available(sku);
                let quantity = if demand.handed_out > in_stock {
                    in_stock
                } else if demand.total() > available {
                    available
                } else {
                    return None;
                };
                Some(SkuQuantity { sku: (*sku).clone(), quantity })
            })
            .collect();
        if !missing.is_empty() {
            return Err(missing);
        }
        // What is handed out needs no parcel: it is taken first, and the rest is left for those.
        let mut rest = self.only(wanted.keys().copied());
        let mut pieces = rest.take(lines, false, Reach::InStock, &self.places);
        match rest.one_parcel(&wanted) {
            Some(place) => {
                let place = std::slice::from_ref(&place);
                pieces.extend(rest.take(lines, true, Reach::Backorder, place));
            }
            None => {
                pieces.extend(rest.take(lines, true, Reach::InStock, &self.places));
                let still: Vec<OrderLine> = lines.iter().map(|line| open(line, &pieces)).collect();
                pieces.extend(rest.take(&still, true, Reach::Backorder, &self.places));
            }
        }
        Ok(in_order_of(lines, pieces))
    }

    /// The first place from which everything that ships can go in one parcel, without passing over
    /// goods that are there for goods that are still to come.
    fn one_parcel(&self, wanted: &BTreeMap<&Sku, Demand>) -> Option<Place> {
        let fits = |place: &&Place| {
            wanted.iter().all(|(sku, demand)| {
                let shelf = self.get(sku, place);
                let there = self.over_places(sku, Reach::InStock).min(demand.ships);
                shelf.in_stock() >= there && shelf.available() >= demand.ships
            })
        };
        self.places.iter().find(fits).cloned()
    }

    /// The shelves of some units.
    fn only<'a>(&self, skus: impl Iterator<Item = &'a Sku>) -> Self {
        let of = |sku: &Sku| Some((sku.clone(), self.shelves.get(sku)?.clone()));
        Self { places: self.places.clone(), shelves: skus.filter_map(of).collect() }
    }

    /// How many pieces of each unit the lines need from a shelf.
    fn demand<'a>(&self, lines: &'a [OrderLine]) -> BTreeMap<&'a Sku, Demand> {
        let mut wanted: BTreeMap<&Sku, Demand> = BTreeMap::new();
        for line in lines.iter().filter(|line| line.requires_shipping || self.know(&line.sku)) {
            let demand = wanted.entry(&line.sku).or_default();
            let sum =
                if line.requires_shipping { &mut demand.ships } else { &mut demand.handed_out };
            *sum = sum.saturating_add(line.quantity);
        }
        wanted
    }

    /// Deals out what can be reached at some places to the lines that ship, or to those that do
    /// not, in their order, and promises it.
    fn take(
        &mut self,
        lines: &[OrderLine],
        ships: bool,
        reach: Reach,
        places: &[Place],
    ) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for line in lines.iter().filter(|line| line.requires_shipping == ships) {
            let mut open = line.quantity;
            for place in places {
                let at = self.shelves.get_mut(&line.sku).and_then(|at| at.get_mut(place));
                let Some(shelf) = at else { continue };
                let quantity = open.min(reach.of(shelf));
                if quantity > 0 {
                    shelf.reserved = shelf.reserved.saturating_add(quantity);
                    open -= quantity;
                    pieces.push(Piece {
                        line_id: line.line_id,
                        sku: line.sku.clone(),
                        place: place.clone(),
                        quantity,
                        ships,
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

/// The part of a line for which no pieces were found yet.
fn open(line: &OrderLine, pieces: &[Piece]) -> OrderLine {
    let found = pieces.iter().filter(|piece| piece.line_id == line.line_id);
    let found = found.map(|piece| piece.quantity).fold(0, i64::saturating_add);
    OrderLine { quantity: line.quantity.saturating_sub(found), ..line.clone() }
}

/// The pieces by line and place, those of one line at one place together.
fn in_order_of(lines: &[OrderLine], pieces: Vec<Piece>) -> Vec<Piece> {
    let mut sorted: Vec<Piece> = Vec::with_capacity(pieces.len());
    for line in lines {
        for piece in pieces.iter().filter(|piece| piece.line_id == line.line_id) {
            let same =
                |known: &&mut Piece| known.line_id == piece.line_id && known.place == piece.place;
            match sorted.iter_mut().find(same) {
                Some(known) => known.quantity = known.quantity.saturating_add(piece.quantity),
                None => sorted.push(piece.clone()),
            }
        }
    }
    sorted
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
            let shelf =
                Shelf { on_hand: *on_hand, backorder_limit: *backorder_limit, ..Shelf::default() };
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
        assert_eq!(taken(&backorder), [("A", "north", 2), ("A", "south", 2)]);
    }

    #[test]
    fn a_unit_that_is_to_come_lets_no_other_be_taken_from_what_is_to_come() {
        let shelves = shelves(&[("A", "north", 0, 9), ("B", "north", 0, 9), ("B", "south", 5, 0)]);
        let pieces = shelves.pick(&[line(1, "A", 1), line(2, "B", 2)]).unwrap();
        assert_eq!(taken(&pieces), [("A", "north", 1), ("B", "south", 2)]);
    }

    #[test]
    fn what_is_to_come_is_one_parcel_where_nothing_is_there() {
        let shelves = shelves(&[
            ("A", "north", 0, 1),
            ("B", "north", 0, 9),
            ("A", "south", 0, 9),
            ("B", "south", 0, 9),
        ]);
        let pieces = shelves.pick(&[line(1, "A", 2), line(2, "B", 2)]).unwrap();
        assert_eq!(taken(&pieces), [("A", "south", 2), ("B", "south", 2)]);
    }

    #[test]
    fn what_needs_no_parcel_is_only_had_from_what_is_there() {
        let shelves = shelves(&[("X", "north", 2, 9)]);
        let licences = |quantity| OrderLine { requires_shipping: false, ..line(1, "X", quantity) };
        assert_eq!(taken(&shelves.pick(&[licences(2)]).unwrap()), [("X", "north", 2)]);
        let missing = shelves.pick(&[licences(3)]).unwrap_err();
        assert_eq!(missing, vec![SkuQuantity { sku: sku("X"), quantity: 2 }]);
        let both = shelves.pick(&[line(2, "X", 9), licences(2)]).unwrap();
        assert_eq!(taken(&both), [("X", "north", 9), ("X", "north", 2)]);
        assert_eq!(both.iter().map(|piece| piece.ships).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn a_place_the_shop_no_longer_uses_is_not_taken_from() {
        let mut shelves = shelves(&[]);
        shelves.put(sku("A"), place("closed"), Shelf { on_hand: 5, ..Shelf::default() });
        assert!(shelves.pick(&[line(1, "A", 1)]).is_err());
    }
}
