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
    assert_eq!(told(&paid, payment(3, failed)), Vec::<&str>::new());
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
            // Said twice is said once.
            prop_assert_eq!(&after(order.clone(), command), &order);
        }
    }
}

/// Each delivery brings a refund id of its own.
fn fresh_refund(mut command: Command, n: usize) -> Command {
    if let Command::HearParcel { refund_id, .. } | Command::HearPayment { refund_id, .. } =
        &mut command
    {
        *refund_id = Uuid::from_u128(1_000 + n as u128);
    }
    command
}
