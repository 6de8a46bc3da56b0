//! P3, P7, P8, P10, P11: every order gets somewhere, once, and nothing waits for ever.

use std::collections::{BTreeMap, BTreeSet};

use contracts::OrderId;

use super::Violation;
use crate::facts::{Backlog, Claim, ClaimState, Facts, OrderState, ParcelState};

pub(super) fn one_live_order_for_each_cart(facts: &Facts, found: &mut Vec<Violation>) {
    let mut carts = BTreeMap::new();
    for order in facts.orders.iter().filter(|order| !order.state.is_off()) {
        if let Some(other) = carts.insert(order.cart_id, order.id) {
            let what = format!("orders {other} and {} came from one cart", order.id);
            let mend = format!("cancel one of them: POST /api/v1/orders/{}/cancel", order.id);
            found.push(Violation::new("P11", order.id, what, mend));
        }
    }
}

/// P2: what others know of, the order service has accepted, and so must have. It is read last: whatever
/// anybody has heard of is there by then.
pub fn orders_nobody_took(facts: &Facts) -> Vec<Violation> {
    let orders: BTreeSet<OrderId> = facts.orders.iter().map(|order| order.id).collect();
    let mut known: BTreeMap<OrderId, BTreeSet<&str>> = BTreeMap::new();
    let claims = facts.claims.iter().map(|claim| (claim.order_id, "warehouse"));
    let payments = facts.payments.iter().map(|payment| (payment.order_id, "payment"));
    let messages = facts.messages.iter().map(|message| (message.order_id, "notification"));
    for (order, service) in claims.chain(payments).chain(messages) {
        if !orders.contains(&order) {
            known.entry(order).or_default().insert(service);
        }
    }
    let violation = |(order, services): (OrderId, BTreeSet<&str>)| {
        let services: Vec<&str> = services.into_iter().collect();
        let services = services.join(", ");
        let what = format!("order {order}: {services} know of it, and the order service does not");
        let mend = format!(
            "if the order service was restored from a backup, place it anew with the customer; what is held \
             and was paid for the old one: GET /api/v1/payments/{order}, /api/v1/shipments?order_id={order}"
        );
        Violation::new("P2", order, what, mend)
    };
    known.into_iter().map(violation).collect()
}

/// Each stage of an order is told once by itself; only a person orders a further copy.
pub(super) fn a_stage_is_told_once(facts: &Facts, found: &mut Vec<Violation>) {
    let mut told = BTreeSet::new();
    for message in facts.messages.iter().filter(|message| !message.is_ordered_copy) {
        if !told.insert((message.order_id, message.stage, &message.part)) {
            let what = format!("order {}: {} is told twice", message.order_id, message.stage);
            let mend = "report it with both messages (GET /api/v1/messages), this is a bug";
            found.push(Violation::new("P8", message.id, what, mend));
        }
    }
}

/// What has become of an order, its parcels and its documents, the customer has been told.
pub(super) fn every_stage_is_told(facts: &Facts, found: &mut Vec<Violation>) {
    let told: BTreeSet<(OrderId, &str, &str)> = facts
        .messages
        .iter()
        .map(|message| (message.order_id, message.stage, message.part.as_str()))
        .collect();
    let mut due: Vec<(OrderId, &str, String)> = Vec::new();
    for order in &facts.orders {
        let state = match order.state {
            OrderState::Pending => None,
            OrderState::Confirmed | OrderState::OnHold | OrderState::Completed => {
                Some("order_confirmed")
            }
            OrderState::Failed => Some("order_failed"),
            OrderState::Expired => Some("order_expired"),
            OrderState::Cancelled => Some("order_cancelled"),
        };
        let stages = state.into_iter().chain(["order_placed"]);
        due.extend(stages.map(|stage| (order.id, stage, String::new())));
    }
    let looked_at: BTreeSet<OrderId> = facts.orders.iter().map(|order| order.id).collect();
    for parcel in facts.parcels.iter().filter(|parcel| looked_at.contains(&parcel.order_id)) {
        if parcel.state.has_left() {
            due.push((parcel.order_id, "shipment_dispatched", parcel.id.to_string()));
        }
        if parcel.state == ParcelState::Delivered {
            due.push((parcel.order_id, "shipment_delivered", parcel.id.to_string()));
        }
    }
    for document in facts.documents.iter().filter(|one| looked_at.contains(&one.order_id)) {
        let stage = if document.series == "INV" { "invoice_issued" } else { "credit_note_issued" };
        due.push((document.order_id, stage, document.id.to_string()));
    }
    for (order, stage, part) in due {
        if !told.contains(&(order, stage, part.as_str())) {
            let what = format!("order {order}: the customer was never told of {stage} {part}");
            let mend = "look for it with `kontor parked list notification`, then `kontor parked \
                        redrive notification ID`";
            found.push(Violation::new("P7", format!("{order} {stage} {part}"), what, mend));
        }
    }
}

pub(super) fn messages_are_sent(facts: &Facts, found: &mut Vec<Violation>) {
    let waits = |created_at| facts.now.is_none_or(|now| now >= created_at);
    let unsent = facts.messages.iter().filter(|message| !message.is_sent);
    for message in unsent.filter(|message| waits(message.created_at)) {
        let what = format!(
            "order {}: {} {} of {} is not sent",
            message.order_id, message.stage, message.part, message.created_at
        );
        let mend = format!(
            "see that the shop runs and reaches the mail server (notification.smtp); if it is parked, \
             `kontor parked redrive notification {}`",
            message.id
        );
        found.push(Violation::new("P3", message.id, what, mend));
    }
}

pub(super) fn nothing_is_stuck(facts: &Facts, found: &mut Vec<Violation>) {
    let claims = claims(facts);
    for order in &facts.orders {
        let (what, mend) = match order.state {
            OrderState::Pending => {
                let overdue = facts.now.is_none_or(|now| now >= order.deadline);
                if !overdue {
                    continue;
                }
                let mend = format!(
                    "see that the shop runs, and `kontor parked list order`; or POST \
                     /api/v1/orders/{}/cancel",
                    order.id
                );
                (format!("order {} is pending past its deadline", order.id), mend)
            }
            OrderState::Confirmed | OrderState::OnHold if order.cancel_asked => {
                let mend =
                    "`kontor parked list warehouse`, and `kontor parked redrive` what is there";
                (
                    format!("order {} waits for an answer to its cancellation", order.id),
                    mend.to_owned(),
                )
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
        found.push(Violation::new("P3", order.id, what, mend));
    }
}

/// No timer is long past its time. `facts.now` is as long ago as one may be late.
pub(super) fn timers_fire(facts: &Facts, found: &mut Vec<Violation>) {
    for backlog in facts.backlog.iter().filter(|backlog| backlog.kind == "timer") {
        let late = facts.now.is_some_and(|now| backlog.since < now);
        if late && backlog.state != "parked" {
            let Backlog { service, since, .. } = backlog;
            let what = format!("{service}: a timer has been due since {since}");
            let mend = "see that the shop runs, and in its log why the timer fails";
            found.push(Violation::new("P3", format!("{service} timers"), what, mend));
        }
    }
}

pub(super) fn the_backlog_is_empty(facts: &Facts, found: &mut Vec<Violation>) {
    for backlog in &facts.backlog {
        let wrong = match (backlog.kind.as_str(), backlog.state.as_str()) {
            (_, "parked") => Some("P10"),
            ("event" | "effect", "waiting" | "trying" | "on the way") => Some("P7"),
            _ => None,
        };
        if let Some(promise) = wrong.filter(|_| backlog.count > 0) {
            let Backlog { service, kind, state, count, since, why } = backlog;
            let what = format!("{service}: {count} {kind}s are {state} since {since} {why}");
            let mend = match state.as_str() {
                "parked" => format!(
                    "`kontor parked list {service}`, then `kontor parked redrive {service} ID` or \
                     `kontor parked discard {service} ID`"
                ),
                "on the way" => format!(
                    "see that {service} and the bus run; if it stays, delete the stream of who said \
                     it: it is made again, and filled from the outbox"
                ),
                _ => "see that the shop runs, and in its log why this is tried again".to_owned(),
            };
            let about = format!("{service} {kind} {state}");
            found.push(Violation::new(promise, about, what.trim_end().to_owned(), mend));
        }
    }
}

const BRING_TO_MIND: &str = "`kontor parked list`, and `kontor parked redrive` what concerns this \
                             order; with nothing there, report it: it is a bug";

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
            found.push(Violation::new("P5", order.id, what, BRING_TO_MIND));
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
            found.push(Violation::new("P5", order.id, what, BRING_TO_MIND));
        }
    }
}

/// P9: in whatever order the news of parcels came, both sides know the same of them in the end.
pub(super) fn order_and_warehouse_agree(facts: &Facts, found: &mut Vec<Violation>) {
    let mut parcels: BTreeMap<OrderId, BTreeMap<_, _>> = BTreeMap::new();
    for parcel in &facts.parcels {
        parcels.entry(parcel.order_id).or_default().insert(parcel.id, parcel.state);
    }
    for order in &facts.orders {
        let theirs = parcels.remove(&order.id).unwrap_or_default();
        if theirs != order.parcels {
            let what = format!(
                "order {}: its parcels are {:?} by its account, {theirs:?} by the warehouse's",
                order.id, order.parcels
            );
            let mend = "`kontor parked list order`, and `kontor parked redrive order ID` the events of \
                        these parcels";
            found.push(Violation::new("P9", order.id, what, mend));
        }
    }
}

fn claims(facts: &Facts) -> BTreeMap<OrderId, &Claim> {
    facts.claims.iter().map(|claim| (claim.order_id, claim)).collect()
}
