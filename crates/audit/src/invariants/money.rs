//! P4, P5, P6, P13: what is taken is owed, once, and goes back when it must.

use std::collections::{BTreeMap, BTreeSet};

use contracts::{OrderId, PaymentId};

use super::Violation;
use crate::facts::{Facts, MoneyState, OperationKind, OperationState, Order, OrderState, Payment};

const ASK: &str = "compare with the provider's account";

pub(super) fn sums_stay_in_bounds(facts: &Facts, found: &mut Vec<Violation>) {
    for payment in &facts.payments {
        let Payment { authorised_minor, captured_minor, refunded_minor, .. } = *payment;
        // A conflict may hold whatever the provider says; a person looks at it.
        let conflicted = payment.state == MoneyState::Conflicted;
        let sound = captured_minor >= 0
            && refunded_minor >= 0
            && refunded_minor <= captured_minor
            && (conflicted || captured_minor <= authorised_minor)
            // More may be transferred than is owed: it is paid out.
            && (conflicted || payment.by_hand || captured_minor <= payment.total_minor);
        if !sound {
            let what = format!(
                "the payment of order {}: {captured_minor} taken and {refunded_minor} given back of \
                 {authorised_minor} guaranteed for {}",
                payment.order_id, payment.total_minor
            );
            found.push(Violation::new("P4", what, ASK));
        }
    }
}

pub(super) fn one_capture_for_each_parcel(facts: &Facts, found: &mut Vec<Violation>) {
    let mut seen: BTreeMap<(PaymentId, OperationKind, Option<uuid::Uuid>), i64> = BTreeMap::new();
    for operation in &facts.operations {
        let counts = match operation.kind {
            OperationKind::Capture | OperationKind::Refund => {
                operation.state == OperationState::Succeeded && operation.purpose.is_some()
            }
            OperationKind::Authorise | OperationKind::Void => false,
        };
        if counts {
            *seen.entry((operation.payment_id, operation.kind, operation.purpose)).or_default() +=
                1;
        }
    }
    for ((payment, kind, purpose), times) in seen {
        if times > 1 {
            let what =
                format!("payment {payment}: {kind:?} for {purpose:?} took place {times} times");
            found.push(Violation::new("P4", what, ASK));
        }
    }
}

pub(super) fn one_operation_at_a_time(facts: &Facts, found: &mut Vec<Violation>) {
    let mut open: BTreeMap<PaymentId, i64> = BTreeMap::new();
    for operation in &facts.operations {
        if operation.state == OperationState::Open {
            *open.entry(operation.payment_id).or_default() += 1;
        }
    }
    for (payment, count) in open {
        // One that waits for the shopper may be open while it is being given up.
        if count > 2 {
            let what = format!("payment {payment}: {count} operations at once");
            found.push(Violation::new("P4", what, ASK));
        }
    }
}

pub(super) fn journals_sum_to_zero(facts: &Facts, found: &mut Vec<Violation>) {
    let mut ids = BTreeSet::new();
    for journal in &facts.journals {
        let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
        for (_, currency, amount) in &journal.entries {
            *sums.entry(currency).or_default() += amount;
        }
        for (currency, sum) in sums {
            if sum != 0 {
                let what =
                    format!("journal {}: its entries in {currency} sum to {sum}", journal.id);
                found.push(Violation::new("P6", what, "write a correcting journal"));
            }
        }
        if !ids.insert(&journal.id) {
            let what = format!("journal {} is there twice", journal.id);
            found.push(Violation::new("P6", what, "write a correcting journal"));
        }
    }
}

pub(super) fn the_server_s_price_is_charged(facts: &Facts, found: &mut Vec<Violation>) {
    let orders = by_id(facts);
    for payment in &facts.payments {
        let Some(order) = orders.get(&payment.order_id) else {
            let what = format!(
                "payment {} is for order {}, which is not there",
                payment.id, payment.order_id
            );
            found.push(Violation::new("P2", what, "restore the order from the events"));
            continue;
        };
        if order.total_minor != payment.total_minor || order.currency != payment.currency {
            let what = format!(
                "order {} comes to {} and its payment to {}",
                order.id, order.total_minor, payment.total_minor
            );
            found.push(Violation::new("P13", what, ASK));
        }
    }
}

pub(super) fn no_parcel_leaves_before_its_money(facts: &Facts, found: &mut Vec<Violation>) {
    let payments = payments_by_order(facts);
    for parcel in facts.parcels.iter().filter(|parcel| parcel.state.has_left()) {
        let paid = payments.get(&parcel.order_id).is_some_and(|payment| match payment.state {
            MoneyState::Later | MoneyState::Conflicted => true,
            MoneyState::Held | MoneyState::Over => payment.captured_minor > 0,
            MoneyState::Open => false,
        });
        if !paid {
            let what = format!("parcel {} of order {} left unpaid", parcel.id, parcel.order_id);
            found.push(Violation::new("P5", what, "claim the money from the customer"));
        }
    }
}

pub(super) fn what_ended_keeps_no_money(facts: &Facts, found: &mut Vec<Violation>) {
    let payments = payments_by_order(facts);
    for order in facts.orders.iter().filter(|order| order.state.is_off()) {
        let Some(payment) = payments.get(&order.id) else { continue };
        if waits_for_a_person(payment) {
            continue;
        }
        let kept = payment.captured_minor - payment.refunded_minor;
        if kept != 0 || payment.is_busy || payment.holds_guarantee || !payment.order_ended {
            let what = format!(
                "order {} is {:?} and its payment keeps {kept}{}{}{}",
                order.id,
                order.state,
                if payment.holds_guarantee { ", a guarantee" } else { "" },
                if payment.is_busy { ", an operation under way" } else { "" },
                if payment.order_ended { "" } else { ", not knowing of the end" },
            );
            found.push(Violation::new("P5", what, "void or refund it"));
        }
    }
}

pub(super) fn what_is_confirmed_is_paid_for(facts: &Facts, found: &mut Vec<Violation>) {
    let payments = payments_by_order(facts);
    for order in &facts.orders {
        let must = match order.state {
            OrderState::Confirmed | OrderState::Completed => true,
            OrderState::Pending
            | OrderState::OnHold
            | OrderState::Failed
            | OrderState::Expired
            | OrderState::Cancelled => false,
        };
        if !must {
            continue;
        }
        let sure = payments.get(&order.id).is_some_and(|payment| match payment.state {
            MoneyState::Later | MoneyState::Conflicted => true,
            MoneyState::Held => {
                payment.authorised_minor.max(payment.captured_minor) >= payment.owed_minor
            }
            MoneyState::Open | MoneyState::Over => false,
        });
        if !sure {
            let what = format!("order {} is {:?} and its money is not sure", order.id, order.state);
            found.push(Violation::new("P5", what, "put the order on hold"));
        }
    }
}

pub(super) fn order_and_payment_agree(facts: &Facts, found: &mut Vec<Violation>) {
    let payments = payments_by_order(facts);
    for order in &facts.orders {
        let Some(payment) = payments.get(&order.id) else {
            let what = format!("order {} has no payment", order.id);
            found.push(Violation::new("P7", what, "publish the order again"));
            continue;
        };
        let theirs = (payment.captured_minor, payment.refunded_minor);
        if theirs != (order.captured_minor, order.refunded_minor)
            && payment.state != MoneyState::Conflicted
        {
            let what = format!(
                "order {}: {} taken and {} given back by its account, {} and {} by payment's",
                order.id, order.captured_minor, order.refunded_minor, theirs.0, theirs.1
            );
            found.push(Violation::new("P8", what, "publish the payment's events again"));
        }
        let owed = order.granted_minor - order.refunded_minor;
        if owed > 0 && !order.state.is_off() && !waits_for_a_person(payment) {
            let what = format!("order {}: {owed} granted and not given back", order.id);
            found.push(Violation::new("P5", what, "refund it"));
        }
    }
}

/// Whether a person has to act before it can go on: what a provider refused, what contradicts, and
/// cash that has to be handed back.
fn waits_for_a_person(payment: &Payment) -> bool {
    payment.is_stuck || payment.state == MoneyState::Conflicted || !payment.to_pay_out.is_empty()
}

fn by_id(facts: &Facts) -> BTreeMap<OrderId, &Order> {
    facts.orders.iter().map(|order| (order.id, order)).collect()
}

fn payments_by_order(facts: &Facts) -> BTreeMap<OrderId, &Payment> {
    facts.payments.iter().map(|payment| (payment.order_id, payment)).collect()
}
