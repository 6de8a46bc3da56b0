//! Each promise is seen broken, and a sound shop is left in peace.

use contracts::{Currency, Id, OrderId, Timestamp};
use uuid::Uuid;

use super::{always, at_rest, for_people};
use crate::facts::{
    Backlog, Claim, ClaimState, Document, Facts, Journal, Message, MoneyState, Operation,
    OperationKind, OperationState, Order, OrderState, Parcel, ParcelState, Payment, Shelf,
};

fn id<K>(n: u128) -> Id<K> {
    Id::from_uuid(Uuid::from_u128(n))
}

const ORDER: u128 = 1;

fn order(state: OrderState) -> Order {
    Order {
        id: id(ORDER),
        cart_id: Uuid::from_u128(2),
        state,
        cancel_asked: false,
        placed_at: Timestamp::EPOCH,
        deadline: Timestamp::from_micros(10),
        currency: Currency::EUR,
        total_minor: 500,
        due_minor: 500,
        captured_minor: 500,
        granted_minor: 0,
        refunded_minor: 0,
        lines: vec![],
    }
}

/// One confirmed order of two pieces, paid, invoiced and sent.
fn sound() -> Facts {
    let order_id: OrderId = id(ORDER);
    Facts {
        now: Some(Timestamp::from_micros(20)),
        orders: vec![order(OrderState::Confirmed)],
        claims: vec![Claim {
            order_id,
            state: ClaimState::Fulfilling,
            expires_at: None,
            promises: vec![("A".parse().unwrap(), "main".to_owned(), 2)],
        }],
        shelves: vec![Shelf {
            sku: "A".parse().unwrap(),
            place: "main".to_owned(),
            on_hand: 3,
            reserved: 2,
            backorder_limit: 0,
            ledger_on_hand: 3,
        }],
        parcels: vec![Parcel {
            id: id(3),
            order_id,
            state: ParcelState::Dispatched,
            lines: vec![],
        }],
        payments: vec![Payment {
            id: id(4),
            order_id,
            currency: Currency::EUR,
            total_minor: 500,
            owed_minor: 500,
            state: MoneyState::Held,
            authorised_minor: 500,
            captured_minor: 500,
            refunded_minor: 0,
            by_hand: false,
            awaits_transfer: false,
            to_pay_out: vec![],
            is_busy: false,
            is_stuck: false,
            order_ended: false,
            holds_guarantee: false,
        }],
        operations: vec![capture(5)],
        journals: vec![Journal {
            id: "j1".to_owned(),
            entries: vec![("cash".into(), "EUR".into(), 500), ("sales".into(), "EUR".into(), -500)],
        }],
        documents: vec![document(1)],
        messages: vec![Message {
            id: id(7),
            order_id,
            about: "confirmed".to_owned(),
            is_sent: true,
            is_mailed: true,
        }],
        backlog: vec![],
    }
}

fn capture(n: u128) -> Operation {
    Operation {
        id: id(n),
        payment_id: id(4),
        kind: OperationKind::Capture,
        purpose: Some(Uuid::from_u128(3)),
        amount_minor: 500,
        state: OperationState::Succeeded,
    }
}

fn document(sequence: i64) -> Document {
    Document {
        series: "INV".to_owned(),
        year: 2026,
        sequence,
        number: format!("INV-2026-{sequence:06}"),
        order_id: id(ORDER),
        total_minor: 500,
        chain_fault: None,
    }
}

/// The promises broken by a shop that is sound but for `spoil`.
fn broken(spoil: impl FnOnce(&mut Facts)) -> Vec<&'static str> {
    let mut facts = sound();
    spoil(&mut facts);
    let mut promises: Vec<_> = at_rest(&facts).into_iter().map(|found| found.promise).collect();
    promises.dedup();
    promises
}

#[test]
fn a_sound_shop_breaks_no_promise() {
    assert_eq!(always(&sound()), []);
    assert_eq!(at_rest(&sound()), []);
    assert_eq!(at_rest(&Facts::default()), []);
}

#[test]
fn overselling_is_seen_on_the_counter_and_between_counter_claims_and_ledger() {
    assert!(broken(|facts| facts.shelves[0].on_hand = 1).contains(&"P1"));
    assert_eq!(broken(|facts| facts.shelves[0].reserved = 1), ["P1"]);
    assert_eq!(broken(|facts| facts.shelves[0].ledger_on_hand = 4), ["P1"]);
    assert_eq!(broken(|facts| facts.shelves.clear()), ["P1"]);
}

#[test]
fn money_taken_twice_or_beyond_bounds_is_seen() {
    assert_eq!(broken(|facts| facts.operations.push(capture(6))), ["P4"]);
    assert!(broken(|facts| facts.payments[0].captured_minor = 501).contains(&"P4"));
    assert!(broken(|facts| facts.payments[0].refunded_minor = 501).contains(&"P4"));
    assert!(broken(|facts| facts.payments[0].total_minor = 499).contains(&"P13"));
}

#[test]
fn a_journal_that_does_not_balance_or_is_there_twice_is_seen() {
    assert_eq!(broken(|facts| facts.journals[0].entries[0].2 = 1), ["P6"]);
    assert_eq!(broken(|facts| facts.journals.push(facts.journals[0].clone())), ["P6"]);
}

#[test]
fn a_gap_in_the_numbers_a_broken_chain_and_an_unpaid_invoice_are_seen() {
    assert_eq!(broken(|facts| facts.documents[0].sequence = 2), ["P6"]);
    assert_eq!(broken(|facts| facts.documents[0].chain_fault = Some("cut".into())), ["P6"]);
    assert_eq!(broken(|facts| facts.documents.push(document(2))), ["P13"]);
}

#[test]
fn what_ended_must_keep_neither_goods_nor_money() {
    let ended = |facts: &mut Facts| {
        facts.orders[0].state = OrderState::Cancelled;
        facts.payments[0].order_ended = true;
    };
    assert_eq!(broken(ended), ["P5"]);
    let cleared = |facts: &mut Facts| {
        ended(facts);
        facts.claims[0].state = ClaimState::Released;
        facts.claims[0].promises.clear();
        facts.shelves[0].reserved = 0;
        facts.payments[0].refunded_minor = 500;
        facts.orders[0].refunded_minor = 500;
    };
    assert_eq!(broken(cleared), [] as [&str; 0]);
}

#[test]
fn a_parcel_that_left_unpaid_and_an_order_confirmed_without_goods_are_seen() {
    let unpaid = |facts: &mut Facts| {
        facts.payments[0].captured_minor = 0;
        facts.orders[0].captured_minor = 0;
        facts.documents.clear();
    };
    assert_eq!(broken(unpaid), ["P5"]);
    assert!(broken(|facts| facts.claims[0].state = ClaimState::Held).contains(&"P5"));
}

#[test]
fn an_order_that_waits_past_its_deadline_and_a_backlog_are_seen() {
    assert_eq!(broken(|facts| facts.orders[0].state = OrderState::Pending), ["P3"]);
    assert_eq!(broken(|facts| facts.orders[0].cancel_asked = true), ["P3"]);
    let backlog = |state: &str| Backlog {
        service: "order".into(),
        kind: "event".into(),
        state: state.into(),
        count: 1,
        why: String::new(),
    };
    assert_eq!(broken(|facts| facts.backlog.push(backlog("parked"))), ["P10"]);
    assert_eq!(broken(|facts| facts.backlog.push(backlog("waiting"))), ["P7"]);
}

#[test]
fn one_cart_makes_one_order_and_one_stage_one_message() {
    let again = |facts: &mut Facts| {
        let mut other = order(OrderState::Pending);
        other.id = id(9);
        other.captured_minor = 0;
        other.deadline = Timestamp::from_micros(30);
        facts.orders.push(other);
    };
    assert!(broken(again).contains(&"P11"));
    assert_eq!(broken(|facts| facts.messages.push(facts.messages[0].clone())), ["P8"]);
    assert_eq!(broken(|facts| facts.messages[0].is_sent = false), ["P3"]);
}

#[test]
fn two_accounts_of_one_order_that_differ_are_seen() {
    assert_eq!(broken(|facts| facts.orders[0].captured_minor = 400), ["P8"]);
    assert_eq!(broken(|facts| facts.orders[0].granted_minor = 100), ["P5"]);
    assert!(broken(|facts| facts.payments.clear()).contains(&"P7"));
}

#[test]
fn cash_of_a_cancelled_order_is_for_a_person_to_pay_out() {
    let mut facts = sound();
    assert_eq!(for_people(&facts), []);
    facts.payments[0].by_hand = true;
    facts.payments[0].order_ended = true;
    facts.payments[0].to_pay_out = vec![None];
    let found = for_people(&facts);
    assert!(found[0].what.contains("a person must pay out"), "{found:?}");
    assert!(found[0].what.contains("500 EUR"), "{found:?}");
}

#[test]
fn more_than_is_owed_may_come_by_hand_and_from_nobody_else() {
    let mut facts = sound();
    facts.payments[0].captured_minor = 600;
    facts.payments[0].authorised_minor = 600;
    assert!(always(&facts).iter().any(|found| found.promise == "P4"));
    facts.payments[0].by_hand = true;
    assert!(always(&facts).iter().all(|found| found.promise != "P4"));
}
