//! P1: what is promised is there.

use std::collections::BTreeMap;

use super::Violation;
use crate::facts::Facts;

const RECOUNT: &str = "count the shelf and adjust it";

pub(super) fn never_oversold(facts: &Facts, found: &mut Vec<Violation>) {
    for shelf in &facts.shelves {
        let limit = shelf.on_hand.saturating_add(shelf.backorder_limit);
        if shelf.on_hand < 0 || shelf.reserved < 0 || shelf.reserved > limit {
            let what = format!(
                "{} at {}: {} on hand, {} promised, {} more allowed",
                shelf.sku, shelf.place, shelf.on_hand, shelf.reserved, shelf.backorder_limit
            );
            found.push(Violation::new("P1", what, RECOUNT));
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
                "{} at {}: {} promised by the counter, {sum} by the orders",
                shelf.sku, shelf.place, shelf.reserved
            );
            found.push(Violation::new("P1", what, "rebuild the counter from the claims"));
        }
    }
    for ((sku, place), pieces) in recorded {
        if pieces != 0 {
            let what = format!("{sku} at {place}: {pieces} promised, and there is no such shelf");
            found.push(Violation::new("P1", what, "add the shelf"));
        }
    }
}

pub(super) fn ledger_sums_up(facts: &Facts, found: &mut Vec<Violation>) {
    for shelf in &facts.shelves {
        if shelf.on_hand != shelf.ledger_on_hand {
            let what = format!(
                "{} at {}: {} on hand by the counter, {} by the ledger",
                shelf.sku, shelf.place, shelf.on_hand, shelf.ledger_on_hand
            );
            found.push(Violation::new("P1", what, RECOUNT));
        }
    }
}
