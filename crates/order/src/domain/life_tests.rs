//! The life of an order, told as stories, and its laws.

use contracts::{ShipmentId, events::ReleaseReason};
use proptest::prelude::*;
use uuid::Uuid;

use super::examples::*;
use super::*;

fn names(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(Event::name).collect()
}

fn told(order: &Order, command: Command) -> Vec<&'static str> {
    names(&order.decide(command).expect("not refused"))
}

fn story(commands: impl IntoIterator<Item = Command>) -> Order {
    commands.into_iter().fold(pending(), after)
}

fn status(order: &Order) -> Status {
    order.standing.life.status()
}

#[test]
fn an_order_that_is_paid_packed_and_delivered_is_completed() {
    let order = story([
        payment(1, PaymentNews::Authorised { amount_minor: TOTAL }),
        Command::HearStockAllocated,
        parcel(1, ParcelNews::Created),
        parcel(2, ParcelNews::Packed),
        captured(2, TOTAL),
        parcel(3, ParcelNews::Ready),
        dispatched(4),
    ]);
    assert_eq!(status(&order), Status::Confirmed);
    assert_eq!(FulfilmentStatus::of(&order.agreed, &order.standing), FulfilmentStatus::Fulfilled);
    assert_eq!(PaymentStatus::of(&order.standing), PaymentStatus::Charged);
    assert_eq!(told(&order, delivered(5)), ["noted", "completed"]);
}

#[test]
fn money_that_comes_after_delivery_completes_the_order() {
    let order = story([Command::HearStockAllocated, dispatched(4), delivered(5)]);
    assert_eq!(status(&order), Status::Confirmed);
    assert_eq!(told(&order, captured(2, TOTAL)), ["noted", "completed"]);
}

#[test]
fn an_allocation_confirms_even_before_news_of_the_payment() {
    assert_eq!(told(&pending(), Command::HearStockAllocated), ["confirmed"]);
}

#[test]
fn an_allocation_that_loses_to_the_deadline_changes_nothing() {
    let order = story([Command::PassDeadline]);
    assert_eq!(told(&order, Command::HearStockAllocated), Vec::<&str>::new());
    assert_eq!(told(&order, captured(1, TOTAL)), ["noted"]);
}

#[test]
fn the_last_decline_fails_the_order_and_an_old_one_does_not() {
    let decline = |version, attempts_left| {
        payment(version, PaymentNews::Declined { reason: "no".to_owned(), attempts_left })
    };
    let order = story([decline(1, 4)]);
    assert_eq!(status(&order), Status::Pending);
    assert_eq!(told(&order, decline(5, 0)), ["noted", "failed"]);
    let paid = story([payment(6, PaymentNews::Authorised { amount_minor: TOTAL })]);
    assert_eq!(told(&paid, decline(5, 0)), Vec::<&str>::new());
}

#[test]
fn a_cancel_of_a_confirmed_order_waits_for_the_warehouse() {
    let cancel = Command::Cancel { reason: "changed my mind".to_owned() };
    let asked = after(confirmed(), cancel.clone());
    assert!(asked.standing.life.cancel_asked());
    assert_eq!(told(&asked, cancel), Vec::<&str>::new());
    let back = Command::HearStockReleased { reason: ReleaseReason::Cancelled };
    assert_eq!(told(&asked, back), ["cancelled"]);
    let refused = after(asked, Command::HearCancelRefused { reason: "gone".to_owned() });
    assert_eq!(refused.standing.life, confirmed().standing.life);
}

#[test]
fn delivery_of_an_order_whose_cancel_was_refused_completes_it() {
    let cancel = Command::Cancel { reason: "changed my mind".to_owned() };
    let commands = [Command::HearStockAllocated, cancel, captured(2, TOTAL), delivered(5)];
    let order = story(commands);
    assert_eq!(status(&order), Status::Confirmed);
    let refused = Command::HearCancelRefused { reason: "gone".to_owned() };
    assert_eq!(told(&order, refused), ["cancel denied", "completed"]);
}

#[test]
fn money_that_does_not_come_stops_the_order_until_it_does() {
    let failed =
        PaymentNews::CaptureFailed { shipment_id: Some(PARCEL), reason: "expired".to_owned() };
    let held = after(confirmed(), payment(3, failed.clone()));
    assert_eq!(status(&held), Status::OnHold);
    let other = PaymentNews::Captured {
        shipment_id: Some(ShipmentId::from_uuid(Uuid::from_u128(71))),
        captured_minor: 100,
        refunded_minor: 0,
    };
    assert_eq!(told(&held, payment(4, other)), ["noted"]);
    assert_eq!(told(&held, captured(5, TOTAL)), ["noted", "resumed"]);
    let paid = after(confirmed(), captured(5, TOTAL));
    assert_eq!(told(&paid, payment(3, failed)), ["noted"]);
}

fn money_failed(version: i64, parcel: u128) -> Command {
    let shipment_id = Some(ShipmentId::from_uuid(Uuid::from_u128(parcel)));
    payment(version, PaymentNews::CaptureFailed { shipment_id, reason: "expired".to_owned() })
}

fn money_came(version: i64, parcel: u128, captured_minor: i64) -> Command {
    let shipment_id = Some(ShipmentId::from_uuid(Uuid::from_u128(parcel)));
    payment(version, PaymentNews::Captured { shipment_id, captured_minor, refunded_minor: 0 })
}

fn reason(order: &Order) -> String {
    order.standing.life.reason().unwrap_or_default()
}

#[test]
fn staff_hold_an_order_that_waits_for_money_and_the_money_does_not_let_it_go() {
    let look = Command::PutOnHold { reason: "a look".to_owned() };
    let held = after(after(confirmed(), money_failed(3, 1)), look.clone());
    assert_eq!(reason(&held), "a look; the payment did not arrive: expired");
    assert_eq!(told(&held, look), Vec::<&str>::new());
    assert_eq!(told(&held, money_came(4, 1, 100)), ["noted", "hold eased"]);
    let paid = after(held, money_came(4, 1, 100));
    assert_eq!((status(&paid), reason(&paid)), (Status::OnHold, "a look".to_owned()));
    assert_eq!(paid.standing.life.reason_for_customer(), None);
    assert_eq!(told(&paid, Command::Resume { refund_id: REFUND }), ["resumed"]);
}

#[test]
fn money_for_one_parcel_does_not_let_an_order_go_that_waits_for_two() {
    let held = [money_failed(3, 1), money_failed(4, 2)].into_iter().fold(confirmed(), after);
    let one = after(held, money_came(5, 1, 100));
    assert_eq!(status(&one), Status::OnHold);
    assert_eq!(told(&one, money_came(6, 2, 200)), ["noted", "resumed"]);
}

#[test]
fn a_failure_heard_late_holds_the_order_unless_that_money_has_come() {
    let other = after(confirmed(), money_came(5, 2, 100));
    assert_eq!(told(&other, money_failed(3, 1)), ["noted", "put on hold"]);
    assert_eq!(told(&other, money_failed(3, 2)), ["noted"]);
}

#[test]
fn a_failure_that_staff_have_seen_holds_no_more_and_a_newer_one_does() {
    let resume = Command::Resume { refund_id: REFUND };
    let seen = [money_failed(4, 1), resume].into_iter().fold(confirmed(), after);
    assert_eq!(told(&seen, money_failed(3, 1)), ["noted"]);
    assert_eq!(told(&seen, money_failed(5, 1)), ["noted", "put on hold"]);
}

#[test]
fn a_conflict_heard_while_pending_stops_the_order_once_it_is_confirmed() {
    let conflict = payment(2, PaymentNews::Conflicted { reason: "wrong amount".to_owned() });
    let pending = story([conflict]);
    assert_eq!(status(&pending), Status::Pending);
    assert_eq!(told(&pending, Command::HearStockAllocated), ["confirmed", "put on hold"]);
    let held = after(pending, Command::HearStockAllocated);
    assert_eq!(reason(&held), "the payment needs checking: wrong amount");
}

#[test]
fn a_person_who_has_looked_ends_a_conflict_and_what_was_paid_too_much_goes_back() {
    let conflict = payment(3, PaymentNews::Conflicted { reason: "wrong amount".to_owned() });
    let held = [captured(2, TOTAL + 500), conflict].into_iter().fold(confirmed(), after);
    assert_eq!(held.standing.granted_minor(), 500, "before anybody knew of the conflict");
    let more = after(held, captured(4, TOTAL + 700));
    assert_eq!(more.standing.granted_minor(), 500, "nobody knows whose money that is");
    let resume = Command::Resume { refund_id: Uuid::from_u128(91) };
    assert_eq!(told(&more, resume.clone()), ["resumed", "refund granted"]);
    let resumed = after(more, resume);
    assert_eq!(resumed.standing.payment.conflict, None);
    assert_eq!(resumed.standing.granted_minor(), 700);
}

#[test]
fn an_order_stored_with_one_reason_and_bare_refunds_is_read_as_before() {
    let json = serde_json::json!({
        "life": {
            "is": "on_hold",
            "why": { "is": "staff", "reason": "a look" },
            "cancel": { "is": "asked", "reason": "changed my mind" },
        },
        "payment": { "version": 3, "captured_minor": 100 },
        "owed_minor": 90,
        "refunds": { "00000000-0000-0000-0000-00000000005a": 10 },
    });
    let standing: Standing = serde_json::from_value(json).unwrap();
    assert_eq!(standing.life.reason().as_deref(), Some("a look"));
    assert_eq!(standing.life.asked_again(), Some(0));
    assert_eq!(standing.kept_minor(), 90);
}

#[test]
fn a_short_pick_before_the_money_lowers_what_is_owed() {
    let events = confirmed().decide(short_pick(2, 1, 0)).unwrap();
    assert_eq!(names(&events), ["noted", "reduced"]);
    let order = confirmed().apply_all(&events);
    assert_eq!(order.standing.owed_minor, TOTAL - 1_000);
    assert_eq!(told(&order, short_pick(2, 1, 0)), Vec::<&str>::new());
    let done = [captured(3, TOTAL - 1_000), dispatched(4)].into_iter().fold(order, after);
    assert_eq!(
        told(&done, parcel(5, ParcelNews::Delivered { lines: some(2, 1) })),
        ["noted", "completed"]
    );
}

#[test]
fn a_short_pick_after_the_money_gives_the_difference_back() {
    let paid = after(confirmed(), captured(2, TOTAL));
    let events = paid.decide(short_pick(2, 0, 1)).unwrap();
    assert_eq!(names(&events), ["noted", "reduced", "refund granted"]);
    let Event::RefundGranted { total_minor, amounts, .. } = &events[2] else { panic!() };
    assert_eq!(*total_minor, 2_140);
    assert_eq!(amounts, &[taxed(2_140, 7)]);
    let order = paid.apply_all(&events);
    assert_eq!(order.standing.kept_minor(), order.standing.due_minor());
}

#[test]
fn money_taken_in_full_after_a_short_pick_goes_back_in_part() {
    let short = after(confirmed(), short_pick(2, 2, 0));
    assert_eq!(told(&short, captured(3, TOTAL)), ["noted", "refund granted"]);
}

#[test]
fn money_that_comes_after_a_short_pick_goes_back_at_the_rate_of_what_was_missing() {
    let given = |order: &Order, command: Command| {
        let events = order.decide(command).unwrap();
        let given = events.into_iter().find_map(|event| {
            if let Event::RefundGranted { amounts, .. } = event { Some(amounts) } else { None }
        });
        given.unwrap()
    };
    let short = after(confirmed(), short_pick(2, 0, 1));
    assert_eq!(given(&short, captured(3, TOTAL)), [taxed(2_140, 7)]);
    // What was missing later goes back at its own rate, too.
    let short = after(short, captured(3, TOTAL));
    let candle = units::cost_of_pieces(&taxed(3_000, 19), 3, 2, 3);
    let missing = parcel(3, ParcelNews::ShortPicked { missing: some(1, 0), cancelled: false });
    assert_eq!(given(&short, fresh_refund(missing, 1)), [candle]);
}

#[test]
fn refunds_for_a_line_never_come_to_more_than_the_line_and_add_up_to_its_tax() {
    let refund = |id, amount_minor, line_id| Command::GrantRefund {
        refund_id: Uuid::from_u128(id),
        amount_minor,
        line_id,
        reason: "sorry".to_owned(),
    };
    let mut order = after(confirmed(), captured(2, TOTAL));
    for (id, amount) in [(1, 333), (2, 334), (3, 1), (4, 1_472)] {
        order = after(order, refund(id, amount, Some(BOOK)));
    }
    assert!(matches!(
        order.decide(refund(5, 1, Some(BOOK))),
        Err(Refusal::RefundExceedsCapture { available }) if available.amount_minor == 0
    ));
    assert_eq!(order.standing.refunded(RefundKind::Goodwill), [taxed(2_140, 7)]);
    // The rest of the order is what is left of it, rate by rate.
    let whole = after(order, refund(6, TOTAL - 2_140, None));
    let given = whole.standing.refunded(RefundKind::Goodwill);
    let sorted = |mut all: Vec<contracts::events::Taxed>| {
        all.sort_by_key(|taxed| taxed.gross_minor);
        all
    };
    assert_eq!(sorted(given), sorted(whole.agreed.amounts_by_rate()));
}

#[test]
fn a_line_of_which_pieces_are_missing_is_refunded_for_the_others_only() {
    let paid = after(confirmed(), captured(2, TOTAL));
    let short = after(paid, short_pick(3, 2, 0));
    let refund = |amount_minor| Command::GrantRefund {
        refund_id: Uuid::from_u128(5),
        amount_minor,
        line_id: Some(CANDLES),
        reason: "sorry".to_owned(),
    };
    assert!(short.decide(refund(1_001)).is_err());
    assert_eq!(told(&short, refund(1_000)), ["refund granted"]);
}

#[test]
fn an_order_of_which_nothing_was_found_is_cancelled() {
    let events = confirmed().decide(short_pick(2, 3, 1)).unwrap();
    assert_eq!(names(&events), ["noted", "reduced", "cancelled"]);
    assert_eq!(confirmed().apply_all(&events).standing.owed_minor, 0);
}

#[test]
fn goodwill_is_limited_by_the_money_that_is_there() {
    let refund = |id, amount_minor| Command::GrantRefund {
        refund_id: Uuid::from_u128(id),
        amount_minor,
        line_id: None,
        reason: "sorry".to_owned(),
    };
    assert!(matches!(
        confirmed().decide(refund(1, 1)),
        Err(Refusal::RefundExceedsCapture { available }) if available.amount_minor == 0
    ));
    let paid = after(confirmed(), captured(2, TOTAL));
    let once = after(paid, refund(1, TOTAL - 1));
    assert_eq!(told(&once, refund(1, TOTAL - 1)), Vec::<&str>::new());
    assert!(once.decide(refund(2, 2)).is_err());
    assert_eq!(told(&once, refund(2, 1)), ["refund granted"]);
}

#[test]
fn what_needs_no_parcel_is_fulfilled_on_confirmation() {
    let mut agreed = agreed();
    agreed.lines.iter_mut().for_each(|line| line.requires_shipping = false);
    let order = Order::placed(agreed, contracts::Timestamp::EPOCH);
    let paid = after(order, captured(1, TOTAL));
    assert_eq!(told(&paid, Command::HearStockAllocated), ["confirmed", "completed"]);
}

#[test]
fn a_standing_reads_back_as_it_was_written() {
    for (_, order) in orders() {
        let json = serde_json::to_string(&order.standing).unwrap();
        assert_eq!(serde_json::from_str::<Standing>(&json).unwrap(), order.standing, "{json}");
    }
}

fn any_command() -> impl Strategy<Value = Command> {
    let listed = proptest::sample::select(
        commands().into_iter().map(|(_, command)| command).collect::<Vec<_>>(),
    );
    let refund = (0_u128..4, 0_i64..TOTAL).prop_map(|(id, amount_minor)| Command::GrantRefund {
        refund_id: Uuid::from_u128(id),
        amount_minor,
        line_id: (id == 3).then_some(CANDLES),
        reason: "sorry".to_owned(),
    });
    let short = (1_i64..9, 0_i64..4, 0_i64..2).prop_map(|(v, a, b)| short_pick(v, a, b));
    let money = (1_i64..9, 0_i64..=TOTAL).prop_map(|(v, sum)| captured(v, sum));
    prop_oneof![6 => listed, 1 => refund, 2 => short, 2 => money]
}

proptest! {
    #[test]
    fn whatever_happens_the_sums_hold_and_an_end_is_an_end(
        commands in proptest::collection::vec(any_command(), 0..30),
    ) {
        let mut order = pending();
        for (n, command) in commands.into_iter().enumerate() {
            let command = fresh_refund(command, n);
            let before = order.clone();
            order = after(order, command.clone());

            let standing = &order.standing;
            prop_assert!((0..=TOTAL).contains(&standing.owed_minor));
            prop_assert!(standing.kept_minor() >= 0 || standing.payment.refunded_minor > 0);
            for line in &order.agreed.lines {
                let pieces = units::pieces(line, standing);
                prop_assert!(pieces.cancelled + pieces.left <= pieces.ordered);
                prop_assert!(0 <= pieces.arrived && pieces.arrived <= pieces.left);
            }
            let ended = !matches!(
                before.standing.life,
                Life::Pending { .. } | Life::Confirmed { .. } | Life::OnHold { .. }
            );
            if ended {
                prop_assert_eq!(&before.standing.life, &order.standing.life);
            }
            // Said twice is said once; but a timer fires once, and each time it does is another.
            if !matches!(command, Command::AskAgain) {
                prop_assert_eq!(&after(order.clone(), command), &order);
            }
        }
    }
}

/// Each delivery brings a refund id of its own.
fn fresh_refund(mut command: Command, n: usize) -> Command {
    if let Command::HearParcel { refund_id, .. }
    | Command::HearPayment { refund_id, .. }
    | Command::Resume { refund_id } = &mut command
    {
        *refund_id = Uuid::from_u128(1_000 + n as u128);
    }
    command
}
