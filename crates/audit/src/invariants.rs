//! What must hold. Each function is one promise; [`always`], [`at_rest`] and [`live`] are the lists.

mod books;
mod documents;
mod life;
mod money;
mod people;
mod stock;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use contracts::{OrderId, Timestamp};

use crate::facts::Facts;

pub use life::orders_nobody_took;

/// A promise that is broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Which promise, by its number: `P1`.
    pub promise: &'static str,
    /// Of what: two findings of one promise about one thing are the same finding, whatever the figures.
    pub about: String,
    /// What is wrong.
    pub what: String,
    /// What a person can do about it.
    pub mend: String,
}

impl Violation {
    /// A broken promise.
    pub fn new(
        promise: &'static str,
        about: impl fmt::Display,
        what: String,
        mend: impl Into<String>,
    ) -> Self {
        Self { promise, about: about.to_string(), what, mend: mend.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.promise, self.what, self.mend)
    }
}

/// What holds at any time, between any two commits.
pub fn always(facts: &Facts) -> Vec<Violation> {
    let mut found = Vec::new();
    stock::never_oversold(facts, &mut found);
    stock::promises_sum_up(facts, &mut found);
    stock::ledger_sums_up(facts, &mut found);
    stock::no_more_is_packed_than_was_ordered(facts, &mut found);
    money::sums_stay_in_bounds(facts, &mut found);
    money::one_capture_for_each_parcel(facts, &mut found);
    money::what_is_settled_is_not_open(facts, &mut found);
    money::the_server_s_price_is_charged(facts, &mut found);
    money::no_parcel_leaves_before_its_money(facts, &mut found);
    books::the_ledger_says_what_the_payments_say(facts, &mut found);
    books::each_journal_says_what_it_books(facts, &mut found);
    found.append(&mut life::orders_nobody_took(facts));
    life::one_live_order_for_each_cart(facts, &mut found);
    life::a_stage_is_told_once(facts, &mut found);
    documents::numbers_have_no_gap(facts, &mut found);
    documents::chains_hold(facts, &mut found);
    documents::what_is_taken_is_invoiced(facts, &mut found);
    found
}

/// What waits for a person: no promise is broken yet, and none is kept without one.
pub fn for_people(facts: &Facts) -> Vec<Violation> {
    let mut found = Vec::new();
    people::what_is_to_be_paid_out(facts, &mut found);
    found
}

/// What holds once nothing is under way any more: every timer that is due has fired, every effect
/// is recorded, every event handled.
pub fn at_rest(facts: &Facts) -> Vec<Violation> {
    let mut found = always(facts);
    found.append(&mut rest(facts));
    found
}

/// What holds while the shop goes on: what always does; and of what has not changed for `patience`,
/// and was due so long ago, what must hold once nothing is under way.
pub fn live(mut facts: Facts, patience: Duration) -> Vec<Violation> {
    let mut found = always(&facts);
    let Some(now) = facts.now else { return found };
    let since = now.minus(patience);
    let moving = moving(&facts, since);
    facts.orders.retain(|order| !moving.contains(&order.id));
    facts.backlog.retain(|backlog| backlog.state == "parked" || backlog.since <= since);
    facts.now = Some(since);
    life::timers_fire(&facts, &mut found);
    found.append(&mut rest(&facts));
    found
}

fn rest(facts: &Facts) -> Vec<Violation> {
    let mut found = Vec::new();
    life::nothing_is_stuck(facts, &mut found);
    life::the_backlog_is_empty(facts, &mut found);
    life::what_ended_holds_no_goods(facts, &mut found);
    life::what_is_confirmed_has_its_goods(facts, &mut found);
    life::order_and_warehouse_agree(facts, &mut found);
    life::every_stage_is_told(facts, &mut found);
    life::messages_are_sent(facts, &mut found);
    money::what_ended_keeps_no_money(facts, &mut found);
    money::what_is_confirmed_is_paid_for(facts, &mut found);
    money::order_and_payment_agree(facts, &mut found);
    found
}

/// The orders to which something has happened after `since`, as far as any service knows.
fn moving(facts: &Facts, since: Timestamp) -> BTreeSet<OrderId> {
    let orders = facts.orders.iter().map(|order| (order.id, order.changed_at));
    let payments = facts.payments.iter().map(|payment| (payment.order_id, payment.changed_at));
    let parcels = facts.parcels.iter().map(|parcel| (parcel.order_id, parcel.changed_at));
    let changes = orders.chain(payments).chain(parcels);
    changes.filter(|(_, changed_at)| *changed_at > since).map(|(order, _)| order).collect()
}
