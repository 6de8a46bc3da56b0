//! P3, P7, P8, P10, P11: every order gets somewhere, once, and nothing waits for ever.

use std::collections::{BTreeMap, BTreeSet};

use contracts::OrderId;

use super::Violation;
use crate::facts::{Claim, ClaimState, Facts, OrderState};

pub(super) fn one_live_order_for_each_cart(facts: &Facts, found: &mut Vec<Violation>) {
    let mut carts = BTreeMap::new();
    for order in facts.orders.iter().filter(|order| !order.state.is_off()) {
        if let Some(other) = carts.insert(order.cart_id, order.id) {
            let what = format!("orders {other} and {} came from one cart", order.id);
            found.push(Violation::new("P11", what, "cancel one of them"));
        }
    }
}

pub(super) fn a_message_is_written_once(facts: &Facts, found: &mut Vec<Violation>) {
    let mut seen = BTreeSet::new();
    for message in &facts.messages {
        if !seen.insert((message.order_id, &message.about)) {
            let what = format!("order {}: {} was written twice", message.order_id, message.about);
            found.push(Violation::new("P8", what, "apologise"));
        }
    }
}

pub(super) fn messages_are_sent(facts: &Facts, found: &mut Vec<Violation>) {
    for message in facts.messages.iter().filter(|message| !message.is_sent) {
        let what = format!("order {}: {} was never sent", message.order_id, message.about);
        found.push(Violation::new("P3", what, "send it again from the list of messages"));
    }
}

pub(super) fn nothing_is_stuck(facts: &Facts, found: &mut Vec<Violation>) {
    let claims = claims(facts);
    for order in &facts.orders {
        let what = match order.state {
            OrderState::Pending => {
                let overdue = facts.now.is_none_or(|now| now >= order.deadline);
                if !overdue {
                    continue;
                }
                format!("order {} is pending past its deadline", order.id)
            }
            OrderState::Confirmed | OrderState::OnHold if order.cancel_asked => {
                format!("order {} waits for an answer to its cancellation", order.id)
            }
            OrderState::Confirmed
            | OrderState::OnHold
            | OrderState::Failed
            | OrderState::Expired
            | OrderState::Cancelled
            | OrderState::Completed => continue,
        };
        let claim = claims.get(&order.id).map(|claim| claim.state);
        let what = format!("{what} (warehouse: {claim:?})");
        found.push(Violation::new("P3", what, "cancel the order, and look at what is parked"));
    }
}

pub(super) fn the_backlog_is_empty(facts: &Facts, found: &mut Vec<Violation>) {
    for backlog in &facts.backlog {
        let wrong = match (backlog.kind.as_str(), backlog.state.as_str()) {
            (_, "parked") => Some("P10"),
            ("event" | "effect", "waiting") => Some("P7"),
            _ => None,
        };
        if let Some(promise) = wrong.filter(|_| backlog.count > 0) {
            let what = format!(
                "{}: {} {}s are {}: {}",
                backlog.service, backlog.count, backlog.kind, backlog.state, backlog.why
            );
            found.push(Violation::new(promise, what, "look at the dead-letter list"));
        }
    }
}

pub(super) fn what_ended_holds_no_goods(facts: &Facts, found: &mut Vec<Violation>) {
    let claims = claims(facts);
    for order in facts.orders.iter().filter(|order| order.state.is_off()) {
        let Some(claim) = claims.get(&order.id) else { continue };
        let pieces: i64 = claim.promises.iter().map(|(.., pieces)| pieces).sum();
        let live = match claim.state {
            ClaimState::Held | ClaimState::Lapsed | ClaimState::Allocated => true,
            ClaimState::Void
            | ClaimState::Fulfilling
            | ClaimState::Rejected
            | ClaimState::Released => false,
        };
        if pieces != 0 || live {
            let what = format!(
                "order {} is {:?} and the warehouse keeps {pieces} pieces ({:?})",
                order.id, order.state, claim.state
            );
            found.push(Violation::new("P5", what, "release them"));
        }
    }
}

pub(super) fn what_is_confirmed_has_its_goods(facts: &Facts, found: &mut Vec<Violation>) {
    let claims = claims(facts);
    for order in &facts.orders {
        let must = match order.state {
            OrderState::Confirmed | OrderState::OnHold | OrderState::Completed => true,
            OrderState::Pending
            | OrderState::Failed
            | OrderState::Expired
            | OrderState::Cancelled => false,
        };
        let state = claims.get(&order.id).map(|claim| claim.state);
        let has = match state {
            Some(ClaimState::Fulfilling) => true,
            Some(
                ClaimState::Void
                | ClaimState::Held
                | ClaimState::Lapsed
                | ClaimState::Allocated
                | ClaimState::Rejected
                | ClaimState::Released,
            )
            | None => false,
        };
        if must && !has {
            let what =
                format!("order {} is {:?} and its goods are {state:?}", order.id, order.state);
            found.push(Violation::new("P5", what, "look at the warehouse's dead letters"));
        }
    }
}

fn claims(facts: &Facts) -> BTreeMap<OrderId, &Claim> {
    facts.claims.iter().map(|claim| (claim.order_id, claim)).collect()
}
