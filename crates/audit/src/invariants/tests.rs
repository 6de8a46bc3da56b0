//! Each promise is seen broken, and a sound shop is left in peace.

use std::time::Duration;

use contracts::{Currency, Id, OrderId, Timestamp};
use uuid::Uuid;

use super::{always, at_rest, for_people, live};
use crate::facts::{
    Account, Backlog, Claim, ClaimState, Document, Facts, Journal, Message, MoneyState, Operation,
    OperationKind, OperationState, Order, OrderLine, OrderState, Parcel, ParcelState, Payment,
    Posting, Shelf,
};

fn id<K>(n: u128) -> Id<K> {
    Id::from_uuid(Uuid::from_u128(n))
}

const ORDER: u128 = 1;
const PARCEL: u128 = 3;
const INVOICE: u128 = 60;

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
        owed_minor: 500,
        due_minor: 500,
        captured_minor: 500,
        granted_minor: 0,
        refunded_minor: 0,
        lines: vec![],
        parcels: [(id(PARCEL), ParcelState::Dispatched)].into(),
        changed_at: Timestamp::EPOCH,
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
            id: id(PARCEL),
            order_id,
            state: ParcelState::Dispatched,
            lines: vec![],
            changed_at: Timestamp::EPOCH,
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
            stray_minor: 0,
            by_hand: false,
            pays_later: false,
            paid_parcels: [(id(PARCEL), 500)].into(),
            awaits_transfer: false,
            to_pay_out: vec![],
            is_busy: false,
            is_stuck: false,
            order_ended: false,
            holds_guarantee: false,
            changed_at: Timestamp::EPOCH,
        }],
        operations: vec![capture(5)],
        journals: vec![
            journal(Some(5), None, Account::Money, Account::Receivable, 500),
            journal(None, Some(INVOICE), Account::Receivable, Account::Sales, 500),
        ],
        documents: vec![document(1)],
        messages: vec![
            message("order_placed", ""),
            message("order_confirmed", ""),
            message("shipment_dispatched", &Uuid::from_u128(PARCEL).to_string()),
            message("invoice_issued", &Uuid::from_u128(INVOICE).to_string()),
        ],
        backlog: vec![],
    }
}

fn journal(
    operation: Option<u128>,
    document: Option<u128>,
    debit: Account,
    credit: Account,
    amount_minor: i64,
) -> Journal {
    Journal {
        id: Uuid::from_u128(80),
        payment_id: id(4),
        currency: "EUR".to_owned(),
        operation_id: operation.map(id),
        document_id: document.map(Uuid::from_u128),
        postings: vec![Posting { debit, credit, amount_minor }],
    }
}

fn message(stage: &'static str, part: &str) -> Message {
    Message {
        id: id(7),
        order_id: id(ORDER),
        stage,
        part: part.to_owned(),
        is_ordered_copy: false,
        created_at: Timestamp::EPOCH,
        is_sent: true,
        is_mailed: true,
    }
}

fn capture(n: u128) -> Operation {
    Operation {
        id: id(n),
        payment_id: id(4),
        kind: OperationKind::Capture,
        purpose: Some(Uuid::from_u128(PARCEL)),
        amount_minor: 500,
        state: OperationState::Succeeded,
    }
}

fn document(sequence: i64) -> Document {
    Document {
        id: Uuid::from_u128(INVOICE),
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
fn parcels_with_more_in_them_than_was_ordered_are_seen() {
    let packed = |state, pieces: &[i64]| {
        broken(|facts| {
            let line =
                OrderLine { id: id(70), sku: "A".parse().unwrap(), quantity: 2, gross_minor: 500 };
            facts.orders[0].lines.push(line);
            facts.parcels[0].lines = vec![(id(70), pieces[0])];
            for (n, pieces) in (71..).zip(&pieces[1..]) {
                let other = Parcel {
                    id: id(n),
                    lines: vec![(id(70), *pieces)],
                    state,
                    ..facts.parcels[0].clone()
                };
                facts.parcels.push(other);
            }
        })
    };
    assert!(packed(ParcelState::Created, &[3]).contains(&"P1"));
    assert!(packed(ParcelState::Created, &[1, 2]).contains(&"P1"));
    assert!(!packed(ParcelState::Created, &[1, 1]).contains(&"P1"));
    assert!(!packed(ParcelState::Cancelled, &[2, 2]).contains(&"P1"), "what was unpacked again");
}

#[test]
fn money_taken_twice_or_beyond_bounds_is_seen() {
    assert_eq!(broken(|facts| facts.operations.push(capture(6))), ["P4"]);
    assert!(broken(|facts| facts.payments[0].captured_minor = 501).contains(&"P4"));
    assert!(broken(|facts| facts.payments[0].refunded_minor = 501).contains(&"P4"));
    assert!(broken(|facts| facts.payments[0].total_minor = 499).contains(&"P13"));
}

#[test]
fn an_operation_that_is_settled_and_still_under_way_is_seen() {
    let open = |n| Operation { state: OperationState::Open, ..capture(n) };
    assert_eq!(broken(|facts| facts.operations.push(open(5))), ["P4"]);
    assert_eq!(broken(|facts| facts.operations.push(open(6))), [] as [&str; 0]);
}

#[test]
fn money_that_is_not_booked_or_booked_twice_or_as_something_else_is_seen() {
    assert_eq!(broken(|facts| drop(facts.journals.remove(0))), ["P6"]);
    assert_eq!(broken(|facts| drop(facts.journals.remove(1))), ["P6"]);
    assert_eq!(broken(|facts| facts.journals.push(facts.journals[0].clone())), ["P6"]);
    assert_eq!(broken(|facts| facts.journals[0].currency = "USD".to_owned()), ["P6"]);
    assert_eq!(broken(|facts| facts.journals[0].postings.clear()), ["P6"]);
    assert_eq!(broken(|facts| facts.journals[0].operation_id = Some(id(99))), ["P6"]);
    assert_eq!(broken(|facts| facts.journals[1].document_id = Some(Uuid::nil())), ["P6"]);
    // Two wrongs that add up to a right.
    let shifted = |facts: &mut Facts| {
        facts.journals[0].postings[0].amount_minor = 600;
        let back = journal(None, None, Account::Receivable, Account::Money, 100);
        facts.journals.push(back);
    };
    assert_eq!(broken(shifted), ["P6"]);
}

#[test]
fn a_gap_in_the_numbers_a_broken_chain_and_an_unpaid_invoice_are_seen() {
    assert_eq!(broken(|facts| facts.documents[0].sequence = 2), ["P6"]);
    assert_eq!(broken(|facts| facts.documents[0].chain_fault = Some("cut".into())), ["P6"]);
    assert_eq!(broken(|facts| facts.documents.push(document(2))), ["P6", "P13"]);
    let not_invoiced = |facts: &mut Facts| {
        facts.documents.clear();
        facts.journals.remove(1);
    };
    assert!(broken(not_invoiced).contains(&"P13"));
}

/// The order is cancelled, its goods are free and its money has gone back, by the books as well.
fn cleared(facts: &mut Facts) {
    facts.orders[0].state = OrderState::Cancelled;
    facts.payments[0].order_ended = true;
    facts.claims[0].state = ClaimState::Released;
    facts.claims[0].promises.clear();
    facts.shelves[0].reserved = 0;
    facts.payments[0].refunded_minor = 500;
    facts.orders[0].refunded_minor = 500;
    facts.operations.push(Operation { kind: OperationKind::Refund, purpose: None, ..capture(61) });
    let note = Uuid::from_u128(62);
    let number = "CRN-2026-000001".to_owned();
    facts.documents.push(Document { id: note, series: "CRN".to_owned(), number, ..document(1) });
    facts.journals.extend([
        journal(Some(61), None, Account::Receivable, Account::Money, 500),
        journal(None, Some(62), Account::Sales, Account::Receivable, 500),
    ]);
    facts.messages.push(message("order_cancelled", ""));
    facts.messages.push(message("credit_note_issued", &note.to_string()));
}

#[test]
fn what_ended_must_keep_neither_goods_nor_money() {
    assert_eq!(broken(cleared), [] as [&str; 0]);
    let keeps = |facts: &mut Facts| {
        cleared(facts);
        facts.payments[0].order_ended = false;
    };
    assert_eq!(broken(keeps), ["P5"]);
    let guarantees = |facts: &mut Facts| {
        cleared(facts);
        facts.payments[0].holds_guarantee = true;
    };
    assert_eq!(broken(guarantees), ["P5"]);
    let holds = |facts: &mut Facts| {
        cleared(facts);
        facts.claims[0].state = ClaimState::Held;
    };
    assert_eq!(broken(holds), ["P5"]);
}

#[test]
fn money_that_went_back_and_was_not_credited_is_seen() {
    let uncredited = |facts: &mut Facts| {
        cleared(facts);
        facts.documents.pop();
        facts.journals.pop();
    };
    assert!(broken(uncredited).contains(&"P13"));
}

#[test]
fn a_parcel_leaves_with_a_capture_of_its_own_or_all_the_money_or_terms_that_let_it() {
    let half = |facts: &mut Facts| {
        facts.payments[0].authorised_minor = 1_000;
        facts.payments[0].total_minor = 1_000;
        facts.payments[0].owed_minor = 1_000;
        facts.orders[0].total_minor = 1_000;
        facts.orders[0].owed_minor = 1_000;
    };
    assert_eq!(broken(half), [] as [&str; 0], "paid by a capture of its own");
    let anothers = |facts: &mut Facts| {
        half(facts);
        facts.payments[0].paid_parcels = [(id(33), 500)].into();
    };
    assert_eq!(broken(anothers), ["P5"], "the money is another parcel's");
    let in_name = |facts: &mut Facts| {
        half(facts);
        facts.operations[0].purpose = None;
    };
    assert_eq!(broken(in_name), ["P5"], "it is said to be paid, and no capture was for it");
    let later = |facts: &mut Facts| {
        anothers(facts);
        facts.payments[0].pays_later = true;
    };
    assert_eq!(broken(later), [] as [&str; 0]);
    assert!(broken(|facts| facts.claims[0].state = ClaimState::Held).contains(&"P5"));
}

fn backlog(kind: &str, state: &str, since: i64) -> Backlog {
    Backlog {
        service: "order".into(),
        kind: kind.into(),
        state: state.into(),
        count: 1,
        since: Timestamp::from_micros(since),
        why: String::new(),
    }
}

#[test]
fn an_order_that_waits_past_its_deadline_and_a_backlog_are_seen() {
    assert_eq!(broken(|facts| facts.orders[0].state = OrderState::Pending), ["P3"]);
    assert_eq!(broken(|facts| facts.orders[0].cancel_asked = true), ["P3"]);
    assert_eq!(broken(|facts| facts.backlog.push(backlog("event", "parked", 0))), ["P10"]);
    assert_eq!(broken(|facts| facts.backlog.push(backlog("event", "waiting", 0))), ["P7"]);
    assert_eq!(broken(|facts| facts.backlog.push(backlog("timer", "parked", 0))), ["P10"]);
}

#[test]
fn one_cart_makes_one_order() {
    let again = |facts: &mut Facts| {
        let mut other = order(OrderState::Pending);
        other.id = id(9);
        other.captured_minor = 0;
        other.parcels.clear();
        other.deadline = Timestamp::from_micros(30);
        facts.orders.push(other);
    };
    assert!(broken(again).contains(&"P11"));
}

#[test]
fn each_stage_is_told_once_and_every_stage_is() {
    let copy = |facts: &mut Facts| facts.messages.push(message("order_placed", ""));
    assert_eq!(broken(copy), ["P8"]);
    let ordered = |facts: &mut Facts| {
        facts.messages.push(Message { is_ordered_copy: true, ..message("order_placed", "") });
    };
    assert_eq!(broken(ordered), [] as [&str; 0]);
    for forgotten in 0..4 {
        assert_eq!(broken(|facts| drop(facts.messages.remove(forgotten))), ["P7"]);
    }
    assert_eq!(broken(|facts| facts.messages[0].is_sent = false), ["P3"]);
}

#[test]
fn two_accounts_of_one_order_that_differ_are_seen() {
    assert_eq!(broken(|facts| facts.orders[0].captured_minor = 400), ["P8"]);
    assert_eq!(broken(|facts| facts.orders[0].granted_minor = 100), ["P5"]);
    assert!(broken(|facts| facts.payments.clear()).contains(&"P7"));
    assert_eq!(broken(|facts| facts.orders[0].owed_minor = 400), ["P9"]);
    assert_eq!(broken(|facts| facts.orders[0].parcels.clear()), ["P9"]);
    let behind = |facts: &mut Facts| {
        facts.orders[0].parcels.insert(id(PARCEL), ParcelState::Ready);
    };
    assert_eq!(broken(behind), ["P9"]);
}

#[test]
fn money_that_belongs_to_nothing_must_go_back() {
    let stray = |facts: &mut Facts| {
        facts.payments[0].stray_minor = 40;
        facts.journals.push(journal(None, None, Account::Money, Account::Receivable, 40));
    };
    assert_eq!(broken(stray), ["P5"]);
    assert_eq!(broken(|facts| facts.payments[0].stray_minor = 40), ["P6", "P5"]);
}

#[test]
fn what_comes_by_hand_is_invoiced_once_it_is_all_there_and_no_further() {
    let received = |facts: &mut Facts, captured_minor: i64| {
        facts.payments[0].by_hand = true;
        facts.payments[0].pays_later = true;
        facts.payments[0].captured_minor = captured_minor;
        facts.payments[0].authorised_minor = captured_minor;
        facts.orders[0].captured_minor = captured_minor;
        facts.operations.clear();
        facts.journals[0] =
            journal(None, None, Account::Money, Account::Receivable, captured_minor);
    };
    assert_eq!(broken(|facts| received(facts, 500)), [] as [&str; 0]);
    assert_eq!(broken(|facts| received(facts, 600)), [] as [&str; 0]);
    assert!(broken(|facts| received(facts, 400)).contains(&"P13"));
}

/// What is found in a shop that goes on, at a time, if one may wait for ten seconds.
fn found_live(at_s: i64, spoil: impl FnOnce(&mut Facts)) -> Vec<&'static str> {
    let mut facts = sound();
    facts.now = Some(Timestamp::from_micros(at_s * 1_000_000));
    spoil(&mut facts);
    let found = live(facts, Duration::from_secs(10));
    found.into_iter().map(|found| found.promise).collect()
}

/// Its account, and that of its payment, differ.
fn differs(facts: &mut Facts) {
    facts.orders[0].captured_minor = 400;
}

#[test]
fn while_the_shop_goes_on_what_has_just_changed_may_be_on_its_way() {
    assert_eq!(found_live(9, differs), [] as [&str; 0]);
    assert_eq!(found_live(10, differs), ["P8"]);
    let second = Timestamp::from_micros(1_000_000);
    let changes: [fn(&mut Facts, Timestamp); 3] = [
        |facts, at| facts.orders[0].changed_at = at,
        |facts, at| facts.payments[0].changed_at = at,
        |facts, at| facts.parcels[0].changed_at = at,
    ];
    for change in changes {
        let changed = |facts: &mut Facts| {
            differs(facts);
            change(facts, second);
        };
        assert_eq!(found_live(10, changed), [] as [&str; 0]);
        assert_eq!(found_live(11, changed), ["P8"]);
    }
}

#[test]
fn while_the_shop_goes_on_what_ought_to_have_ended_long_ago_is_seen() {
    let late = |facts: &mut Facts| {
        facts.orders[0].state = OrderState::Pending;
        facts.orders[0].deadline = Timestamp::from_micros(5_000_000);
    };
    assert_eq!(found_live(14, late), [] as [&str; 0]);
    assert_eq!(found_live(15, late), ["P3"]);
    let unsent = |facts: &mut Facts| {
        facts.messages[0].is_sent = false;
        facts.messages[0].created_at = Timestamp::from_micros(5_000_000);
    };
    assert_eq!(found_live(14, unsent), [] as [&str; 0]);
    assert_eq!(found_live(15, unsent), ["P3"]);
    let waits = |facts: &mut Facts| facts.backlog.push(backlog("effect", "waiting", 5_000_000));
    assert_eq!(found_live(14, waits), [] as [&str; 0]);
    assert_eq!(found_live(15, waits), ["P7"]);
    let timer = |facts: &mut Facts| facts.backlog.push(backlog("timer", "waiting", 5_000_000));
    assert_eq!(found_live(15, timer), [] as [&str; 0]);
    assert_eq!(found_live(16, timer), ["P3"]);
    let parked = |facts: &mut Facts| facts.backlog.push(backlog("effect", "parked", 5_000_000));
    assert_eq!(found_live(5, parked), ["P10"]);
}

#[test]
fn what_always_holds_holds_at_once() {
    let unbooked = |facts: &mut Facts| {
        facts.orders[0].changed_at = Timestamp::from_micros(9_000_000);
        facts.journals.clear();
    };
    assert_eq!(found_live(9, unbooked), ["P6"]);
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

#[test]
fn an_order_that_others_know_of_and_the_order_service_does_not_is_seen() {
    let mut facts = sound();
    assert!(super::orders_nobody_took(&facts).is_empty());
    facts.orders.clear();
    let found = always(&facts);
    let lost: Vec<_> = found.iter().filter(|found| found.promise == "P2").collect();
    assert_eq!(lost.len(), 1, "{found:?}");
    assert!(lost[0].what.contains("payment, warehouse"), "{lost:?}");
}
