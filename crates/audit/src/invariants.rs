//! What must hold. Each function is one promise; [`always`] and [`at_rest`] are the lists.

mod documents;
mod life;
mod money;
mod people;
mod stock;

#[cfg(test)]
mod tests;

use std::fmt;

use crate::facts::Facts;

/// A promise that is broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Which promise, by its number: `P1`.
    pub promise: &'static str,
    /// What is wrong.
    pub what: String,
    /// What a person can do about it.
    pub mend: &'static str,
}

impl Violation {
    pub(crate) fn new(promise: &'static str, what: String, mend: &'static str) -> Self {
        Self { promise, what, mend }
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
    money::sums_stay_in_bounds(facts, &mut found);
    money::one_capture_for_each_parcel(facts, &mut found);
    money::one_operation_at_a_time(facts, &mut found);
    money::journals_sum_to_zero(facts, &mut found);
    money::the_server_s_price_is_charged(facts, &mut found);
    money::no_parcel_leaves_before_its_money(facts, &mut found);
    life::one_live_order_for_each_cart(facts, &mut found);
    life::a_message_is_written_once(facts, &mut found);
    documents::numbers_have_no_gap(facts, &mut found);
    documents::chains_hold(facts, &mut found);
    documents::no_more_is_invoiced_than_taken(facts, &mut found);
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
    life::nothing_is_stuck(facts, &mut found);
    life::the_backlog_is_empty(facts, &mut found);
    life::what_ended_holds_no_goods(facts, &mut found);
    life::what_is_confirmed_has_its_goods(facts, &mut found);
    money::what_ended_keeps_no_money(facts, &mut found);
    money::what_is_confirmed_is_paid_for(facts, &mut found);
    money::order_and_payment_agree(facts, &mut found);
    life::messages_are_sent(facts, &mut found);
    found
}
