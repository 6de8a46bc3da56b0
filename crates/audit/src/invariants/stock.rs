//! P1: what is promised is there.

use std::collections::BTreeMap;

use contracts::{LineId, OrderId};

use super::Violation;
use crate::facts::{Facts, ParcelState, Shelf};

fn about(shelf: &Shelf) -> String {
    format!("{} at {}", shelf.sku, shelf.place)
}

/// Count the shelf, and correct the books.
fn count(shelf: &Shelf) -> String {
    format!(
        "count the shelf, then POST /api/v1/stock/{}/adjustments with the difference",
        shelf.sku
    )
}

pub(super) fn never_oversold(facts: &Facts, found: &mut Vec<Violation>) {
    for shelf in &facts.shelves {
        let limit = shelf.on_hand.saturating_add(shelf.backorder_limit);
        if shelf.on_hand < 0 || shelf.reserved < 0 || shelf.reserved > limit {
            let what = format!(
                "{}: {} on hand, {} promised, {} more allowed",
                about(shelf),
                shelf.on_hand,
                shelf.reserved,
                shelf.backorder_limit
            );
            let mend = format!(
                "{}; or PUT /api/v1/stock/{}/backorder to promise what is to come",
                count(shelf),
                shelf.sku
            );
            found.push(Violation::new("P1", about(shelf), what, mend));
        }
    }
}

pub(super) fn promises_sum_up(facts: &Facts, found: &mut Vec<Violation>) {
    let mut recorded: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for (sku, place, pieces) in facts.claims.iter().flat_map(|claim| &claim.promises) {
        *recorded.entry((sku.as_str(), place.as_str())).or_default() += pieces;
    }
    for shelf in &facts.shelves {
        let sum = recorded.remove(&(shelf.sku.as_str(), shelf.place.as_str())).unwrap_or(0);
        if sum != shelf.reserved {
            let what = format!(
                "{}: {} promised by the counter, {sum} by the orders",
                about(shelf),
                shelf.reserved
            );
            let mend = format!(
                "stop the shop and set the counter: UPDATE warehouse_stock SET reserved = {sum} WHERE \
                 sku = '{}' AND place = '{}'; report it, this is a bug",
                shelf.sku, shelf.place
            );
            found.push(Violation::new("P1", about(shelf), what, mend));
        }
    }
    for ((sku, place), pieces) in recorded {
        if pieces != 0 {
            let what = format!("{sku} at {place}: {pieces} promised, and there is no such shelf");
            let mend = format!("POST /api/v1/stock/{sku}/receipts with what is there");
            found.push(Violation::new("P1", format!("{sku} at {place}"), what, mend));
        }
    }
}

pub(super) fn ledger_sums_up(facts: &Facts, found: &mut Vec<Violation>) {
    for shelf in &facts.shelves {
        if shelf.on_hand != shelf.ledger_on_hand {
            let what = format!(
                "{}: {} on hand by the counter, {} by the ledger",
                about(shelf),
                shelf.on_hand,
                shelf.ledger_on_hand
            );
            let mend = format!(
                "count the shelf; stop the shop and set the counter to what the ledger says: UPDATE \
                 warehouse_stock SET on_hand = {} WHERE sku = '{}' AND place = '{}'; then POST \
                 /api/v1/stock/{}/adjustments with what the count differs by",
                shelf.ledger_on_hand, shelf.sku, shelf.place, shelf.sku
            );
            found.push(Violation::new("P1", about(shelf), what, mend));
        }
    }
}

pub(super) fn no_more_is_packed_than_was_ordered(facts: &Facts, found: &mut Vec<Violation>) {
    let mut packed: BTreeMap<(OrderId, LineId), i64> = BTreeMap::new();
    for parcel in facts.parcels.iter().filter(|parcel| parcel.state != ParcelState::Cancelled) {
        for (line, pieces) in &parcel.lines {
            *packed.entry((parcel.order_id, *line)).or_default() += pieces;
        }
    }
    for order in &facts.orders {
        for line in &order.lines {
            let pieces = packed.get(&(order.id, line.id)).copied().unwrap_or(0);
            if pieces > line.quantity {
                let what = format!(
                    "order {}: {pieces} pieces of {} are in its parcels, and {} were ordered",
                    order.id, line.sku, line.quantity
                );
                let mend =
                    "do not send what is too many, or ask for it back; report it, this is a bug";
                found.push(Violation::new("P1", format!("{} {}", order.id, line.id), what, mend));
            }
        }
    }
}
