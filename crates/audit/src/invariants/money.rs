//! P4, P5, P13: what is taken is owed, once, and goes back when it must.

use std::collections::{BTreeMap, BTreeSet};

use contracts::{OperationId, OrderId, PaymentId};
use uuid::Uuid;

use super::Violation;
use crate::facts::{Facts, MoneyState, OperationKind, OperationState, Order, OrderState, Payment};

/// What a person does about money that is not as it must be.
fn ask(order: OrderId) -> String {
    format!(
        "compare GET /api/v1/payments/{order} with the provider's account, and settle the difference \
         there or by POST /api/v1/payments/{order}/pay-out; report it, this is a bug"
    )
}

/// What a person does about a step that the payment does not come to take.
fn go_on(order: OrderId) -> String {
    format!(
        "see that the shop runs and reaches the provider, and `kontor parked list payment`; then POST \
         /api/v1/payments/{order}/retry"
    )
}

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
            let order = payment.order_id;
            let what = format!(
                "the payment of order {order}: {captured_minor} taken and {refunded_minor} given back \
                 of {authorised_minor} guaranteed for {}",
                payment.total_minor
            );
            found.push(Violation::new("P4", order, what, ask(order)));
        }
    }
}

pub(super) fn one_capture_for_each_parcel(facts: &Facts, found: &mut Vec<Violation>) {
    let mut seen: BTreeMap<(PaymentId, OperationKind, Option<Uuid>), i64> = BTreeMap::new();
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
            let order = OrderId::from_uuid(payment.uuid());
            found.push(Violation::new("P4", format!("{payment} {purpose:?}"), what, ask(order)));
        }
    }
}

/// An operation whose outcome is written down is not under way any more: its key would be used again.
pub(super) fn what_is_settled_is_not_open(facts: &Facts, found: &mut Vec<Violation>) {
    let is_open = |state| match state {
        OperationState::Open => true,
        OperationState::Succeeded | OperationState::Failed => false,
    };
    let settled: BTreeSet<OperationId> = facts
        .operations
        .iter()
        .filter(|operation| !is_open(operation.state))
        .map(|operation| operation.id)
        .collect();
    for operation in facts.operations.iter().filter(|operation| is_open(operation.state)) {
        if settled.contains(&operation.id) {
            let payment = operation.payment_id;
            let what = format!(
                "payment {payment}: {:?} {} is settled and still under way",
                operation.kind, operation.id
            );
            let order = OrderId::from_uuid(payment.uuid());
            found.push(Violation::new("P4", operation.id, what, ask(order)));
        }
    }
}

pub(super) fn the_server_s_price_is_charged(facts: &Facts, found: &mut Vec<Violation>) {
    let orders = by_id(facts);
    for payment in &facts.payments {
        let Some(order) = orders.get(&payment.order_id) else { continue };
        if order.total_minor != payment.total_minor || order.currency != payment.currency {
            let what = format!(
                "order {} comes to {} and its payment to {}",
                order.id, order.total_minor, payment.total_minor
            );
            found.push(Violation::new("P13", order.id, what, ask(order.id)));
        }
    }
}

/// A parcel that has left was paid for by a capture of its own, or everything was, or its terms let
/// it leave.
pub(super) fn no_parcel_leaves_before_its_money(facts: &Facts, found: &mut Vec<Violation>) {
    let payments = payments_by_order(facts);
    let captures: BTreeSet<Uuid> = facts
        .operations
        .iter()
        .filter(|operation| {
            operation.kind == OperationKind::Capture && operation.state == OperationState::Succeeded
        })
        .filter_map(|operation| operation.purpose)
        .collect();
    for parcel in facts.parcels.iter().filter(|parcel| parcel.state.has_left()) {
        let paid = payments.get(&parcel.order_id).is_some_and(|payment| {
            let by_itself = payment
                .paid_parcels
                .get(&parcel.id)
                .is_some_and(|minor| *minor == 0 || captures.contains(&parcel.id.uuid()));
            payment.pays_later
                || payment.state == MoneyState::Conflicted
                || payment.captured_minor >= payment.owed_minor
                || by_itself
        });
        if !paid {
            let order = parcel.order_id;
            let what = format!("parcel {} of order {order} left unpaid", parcel.id);
            let mend = format!(
                "claim the money, and note it by POST /api/v1/payments/{order}/collect; or let the \
                 provider be asked again by POST /api/v1/payments/{order}/retry"
            );
            found.push(Violation::new("P5", parcel.id, what, mend));
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
            found.push(Violation::new("P5", order.id, what, go_on(order.id)));
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
            let mend = format!("let nothing leave: POST /api/v1/orders/{}/hold", order.id);
            found.push(Violation::new("P5", order.id, what, mend));
        }
    }
}

pub(super) fn order_and_payment_agree(facts: &Facts, found: &mut Vec<Violation>) {
    let payments = payments_by_order(facts);
    for order in &facts.orders {
        let Some(payment) = payments.get(&order.id) else {
            let what = format!("order {} has no payment", order.id);
            let mend = "`kontor parked list payment`, and `kontor parked redrive payment ID` its \
                        order.placed.v1";
            found.push(Violation::new("P7", order.id, what, mend));
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
            let mend = "`kontor parked list order`, and `kontor parked redrive order ID` the events of \
                        this payment";
            found.push(Violation::new("P8", order.id, what, mend));
        }
        if payment.owed_minor != order.owed_minor && !order.state.is_off() {
            let what = format!(
                "order {}: {} owed by its account, {} by payment's",
                order.id, order.owed_minor, payment.owed_minor
            );
            let mend = "`kontor parked list payment`, and `kontor parked redrive payment ID` what was \
                        said of this order";
            found.push(Violation::new("P9", order.id, what, mend));
        }
        if payment.stray_minor != 0 && !waits_for_a_person(payment) {
            let what = format!(
                "order {}: {} taken beside its payment and not given back",
                order.id, payment.stray_minor
            );
            found.push(Violation::new("P5", order.id, what, go_on(order.id)));
        }
        let owed = order.granted_minor - order.refunded_minor;
        if owed > 0 && !order.state.is_off() && !waits_for_a_person(payment) {
            let what = format!("order {}: {owed} granted and not given back", order.id);
            found.push(Violation::new("P5", order.id, what, go_on(order.id)));
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
