//! Looks at the shop between the steps: the shared invariants, and what only somebody outside can
//! know: which orders were accepted, what things cost, what the provider has really moved.

use std::collections::{BTreeMap, BTreeSet};

use audit::facts::{Journal, MoneyState, OrderState};
use audit::{Facts, Violation};
use contracts::{MessageId, PaymentId};
use uuid::Uuid;

use crate::provider::{Account, Standing};

/// What somebody outside knows.
#[derive(Debug, Default)]
pub struct Auditor {
    /// Accepted orders: the key each was accepted under, and the total agreed to.
    accepted: BTreeMap<String, i64>,
    keys: BTreeMap<String, String>,
    /// What each unit has ever cost.
    prices: BTreeMap<String, BTreeSet<i64>>,
    /// Journals seen before: they never change and never go.
    journals: BTreeMap<Uuid, Journal>,
    broken: Vec<Violation>,
}

impl Auditor {
    /// A unit costs so much from now on.
    pub fn costs(&mut self, sku: &str, price_minor: i64) {
        self.prices.entry(sku.to_owned()).or_default().insert(price_minor);
    }

    /// The shop has accepted an order.
    pub fn accepted(&mut self, key: String, order: String, total: i64) {
        let before = self.keys.entry(key.clone()).or_insert_with(|| order.clone());
        if *before != order {
            self.broken
                .push(violation("P11", format!("key {key} made {before}, and then {order}")));
        }
        // Placing again from the same cart answers with the order there is.
        self.accepted.entry(order).or_insert(total);
    }

    /// How many orders were accepted.
    pub fn accepted_orders(&self) -> usize {
        self.accepted.len()
    }

    /// Everything that is wrong now, at rest or in the midst of things.
    /// By the accounts of the provider, and the mails that were taken.
    pub fn judge(
        &mut self,
        facts: &Facts,
        accounts: &[Account],
        mails: &BTreeMap<MessageId, u64>,
        at_rest: bool,
    ) -> Vec<Violation> {
        let mut found = if at_rest { audit::at_rest(facts) } else { audit::always(facts) };
        found.append(&mut self.broken);
        self.nothing_accepted_is_lost(facts, &mut found);
        self.totals_are_those_of_the_shop(facts, &mut found);
        self.journals_stay(facts, &mut found);
        nothing_is_charged_twice(facts, accounts, &mut found);
        what_is_mailed_has_arrived(facts, mails, &mut found);
        if at_rest {
            the_provider_agrees(facts, accounts, &mut found);
        }
        found
    }

    fn nothing_accepted_is_lost(&self, facts: &Facts, found: &mut Vec<Violation>) {
        let known: BTreeMap<String, i64> =
            facts.orders.iter().map(|order| (order.id.to_string(), order.total_minor)).collect();
        for (order, total) in &self.accepted {
            match known.get(order) {
                None => found.push(violation("P2", format!("accepted order {order} is lost"))),
                Some(there) if there != total => {
                    let what = format!("order {order} was agreed at {total} and comes to {there}");
                    found.push(violation("P13", what));
                }
                Some(_) => {}
            }
        }
    }

    /// Every line of every order costs what its unit cost at some time, and what is beyond the
    /// lines is shipping: nothing, or what the one way to ship costs.
    fn totals_are_those_of_the_shop(&self, facts: &Facts, found: &mut Vec<Violation>) {
        for order in &facts.orders {
            let goods: i64 = order.lines.iter().map(|line| line.gross_minor).sum();
            for line in &order.lines {
                let fair = line.quantity > 0
                    && self.prices.get(line.sku.as_str()).is_some_and(|prices| {
                        prices.iter().any(|price| price * line.quantity == line.gross_minor)
                    });
                if !fair {
                    let what = format!(
                        "order {}: {} of {} for {}",
                        order.id, line.quantity, line.sku, line.gross_minor
                    );
                    found.push(violation("P13", what));
                }
            }
            let shipping = order.total_minor - goods;
            if ![0, 490, 690, 1_490].contains(&shipping) {
                let what = format!("order {}: {shipping} beyond the lines", order.id);
                found.push(violation("P13", what));
            }
        }
    }

    fn journals_stay(&mut self, facts: &Facts, found: &mut Vec<Violation>) {
        let now: BTreeMap<Uuid, &Journal> =
            facts.journals.iter().map(|journal| (journal.id, journal)).collect();
        for (id, journal) in &self.journals {
            if now.get(id) != Some(&journal) {
                found.push(violation("P6", format!("journal {id} was changed or is gone")));
            }
        }
        for journal in &facts.journals {
            self.journals.entry(journal.id).or_insert_with(|| journal.clone());
        }
    }
}

fn violation(promise: &'static str, what: String) -> Violation {
    Violation::new(promise, "", what, "find the bug")
}

/// No message counts as sent that the mail server never took.
fn what_is_mailed_has_arrived(
    facts: &Facts,
    mails: &BTreeMap<MessageId, u64>,
    found: &mut Vec<Violation>,
) {
    for message in &facts.messages {
        if message.is_mailed && !mails.contains_key(&message.id) {
            let what = format!("order {}: {} never arrived", message.order_id, message.stage);
            found.push(violation("P8", what));
        }
    }
}

/// By the provider's own account, no order ever costs more than its total.
fn nothing_is_charged_twice(facts: &Facts, accounts: &[Account], found: &mut Vec<Violation>) {
    let kept = kept_by_payment(accounts);
    for payment in &facts.payments {
        let kept = kept.get(&payment.id).copied().unwrap_or(0);
        if kept > payment.total_minor {
            let what = format!(
                "order {}: the provider has taken {kept} for {}",
                payment.order_id, payment.total_minor
            );
            found.push(violation("P4", what));
        }
    }
}

/// At rest both sides have the same account, and nothing is guaranteed that nobody knows of.
fn the_provider_agrees(facts: &Facts, accounts: &[Account], found: &mut Vec<Violation>) {
    let kept = kept_by_payment(accounts);
    let states: BTreeMap<_, OrderState> =
        facts.orders.iter().map(|order| (order.id, order.state)).collect();
    for payment in &facts.payments {
        if payment.state == MoneyState::Conflicted || payment.is_stuck {
            continue;
        }
        let mut of_this = accounts.iter().filter(|account| account.payment_id == payment.id);
        let has_provider = of_this.clone().next().is_some();
        let theirs = kept.get(&payment.id).copied().unwrap_or(0);
        let ours = payment.captured_minor - payment.refunded_minor;
        if has_provider && !payment.by_hand && theirs != ours {
            let what = format!(
                "order {}: {theirs} at the provider, {ours} in the books",
                payment.order_id
            );
            found.push(violation("P4", what));
        }
        let is_off = states.get(&payment.order_id).is_some_and(|state| state.is_off());
        let open = of_this.find(|account| {
            let untaken = account.amount.amount_minor - account.captured_minor;
            account.standing == Standing::Authorised && untaken > 0 && account.captured_minor == 0
        });
        if let (true, Some(account)) = (is_off, open) {
            let what = format!(
                "order {} is off, and {} are still guaranteed as {}",
                payment.order_id, account.amount, account.reference
            );
            found.push(violation("P5", what));
        }
    }
}

fn kept_by_payment(accounts: &[Account]) -> BTreeMap<PaymentId, i64> {
    let mut kept = BTreeMap::new();
    for account in accounts {
        *kept.entry(account.payment_id).or_insert(0) += account.kept_minor();
    }
    kept
}
