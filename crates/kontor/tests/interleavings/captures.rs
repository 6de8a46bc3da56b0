//! P4: money is taken once for each parcel, and no more goes back than was taken.

use crate::meeting::{Stops, every_meeting};
use crate::till::{Till, ask, refund};
use crate::vault::{TOTAL_MINOR, Vault};

/// What is said of an order that is paid when it is packed whole.
const PAID: [&str; 3] = ["payment.authorized", "payment.captured", "invoice.issued"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_capture_noted_by_two_who_thought_it_theirs_is_noted_once() {
    let vault = Vault::empty().await;
    every_meeting("a stale lease", Stops::First, 20, async |meeting| {
        let order = vault.asked("ok").await;
        vault.hears(vault.packed(&order, [3, 2])).await;
        let first = vault.called().await;
        // So long that the first counts as lost, and another takes it over.
        vault.wait(121);
        let second = vault.called().await;
        let (one, other) = meeting
            .of(&vault.db, |db| vault.record(db, first), |db| vault.record(db, second))
            .await;
        one.unwrap();
        other.unwrap();
        vault.settle().await;
        assert_eq!(vault.money(&order).await, [(TOTAL_MINOR, 0); 2]);
        assert_eq!(vault.times("capture", &order).await, 1);
        assert_eq!(vault.said(&order).await, PAID);
        vault.is_sound().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_capture_taken_over_from_one_who_is_only_slow_is_made_and_noted_once() {
    let vault = Vault::empty().await;
    every_meeting("a slow one", Stops::First, 30, async |meeting| {
        let order = vault.asked("ok").await;
        vault.hears(vault.packed(&order, [3, 2])).await;
        let slow = vault.called().await;
        vault.wait(121);
        let (one, other) =
            meeting.of(&vault.db, |db| vault.record(db, slow), |db| vault.take_over(db)).await;
        one.unwrap();
        other.unwrap();
        vault.settle().await;
        assert_eq!(vault.money(&order).await, [(TOTAL_MINOR, 0); 2]);
        assert_eq!(vault.times("capture", &order).await, 1);
        assert_eq!(vault.said(&order).await, PAID);
        vault.is_sound().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_look_for_work_at_once_do_not_take_the_same() {
    let vault = Vault::empty().await;
    every_meeting("two claims", Stops::Both, 6, async |meeting| {
        let order = vault.asked("ok").await;
        vault.hears(vault.packed(&order, [3, 2])).await;
        let (one, other) = meeting.of(&vault.db, |db| vault.claim(db), |db| vault.claim(db)).await;
        assert_eq!(one.unwrap().len() + other.unwrap().len(), 1);
        // Whoever took it is gone; another does it.
        vault.wait(121);
        vault.settle().await;
        assert_eq!(vault.money(&order).await, [(TOTAL_MINOR, 0); 2]);
        vault.is_sound().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_packed_while_it_is_cancelled_keeps_no_money() {
    let vault = Vault::empty().await;
    every_meeting("packed against cancelled", Stops::Both, 20, async |meeting| {
        let order = vault.asked("ok").await;
        let (packed, cancelled) = (vault.packed(&order, [3, 2]), vault.cancelled(&order));
        let (one, other) = meeting
            .of(&vault.db, |db| vault.deliver(db, packed), |db| vault.deliver(db, cancelled))
            .await;
        one.unwrap();
        other.unwrap();
        vault.settle().await;
        let [ours, theirs] = vault.money(&order).await;
        assert_eq!((ours.0, ours), (ours.1, theirs));
        assert!(!vault.is_guaranteed(&order));
        vault.is_sound().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_taken_while_its_order_is_cancelled_goes_back() {
    let vault = Vault::empty().await;
    every_meeting("captured against cancelled", Stops::First, 20, async |meeting| {
        let order = vault.asked("ok").await;
        vault.hears(vault.packed(&order, [3, 2])).await;
        let (done, cancelled) = (vault.called().await, vault.cancelled(&order));
        let (one, other) = meeting
            .of(&vault.db, |db| vault.record(db, done), |db| vault.deliver(db, cancelled))
            .await;
        one.unwrap();
        other.unwrap();
        vault.settle().await;
        assert_eq!(vault.money(&order).await, [(TOTAL_MINOR, TOTAL_MINOR); 2]);
        assert_eq!(vault.times("capture", &order).await, 1);
        assert_eq!(vault.times("refund", &order).await, 1);
        vault.is_sound().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guarantee_whose_answer_is_lost_is_found_once_when_the_news_comes_meanwhile() {
    let vault = Vault::empty().await;
    every_meeting("webhook against guarantee", Stops::First, 8, async |meeting| {
        // The provider does it, and its answer is lost.
        let order = vault.reserved("timeout_after").await;
        let done = vault.called().await;
        let webhook = vault.webhooks().pop().unwrap();
        let (recorded, told) =
            meeting.of(&vault.db, |db| vault.record(db, done), |db| vault.told(db, &webhook)).await;
        recorded.unwrap();
        assert_eq!(told.status, 200, "{told:?}");
        vault.settle().await;
        vault.wait(600);
        vault.settle().await;
        assert_eq!(vault.said(&order).await, ["payment.authorized"]);
        assert!(vault.is_guaranteed(&order));
        vault.is_sound().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn news_of_a_capture_that_overtakes_the_answer_is_said_once() {
    let vault = Vault::empty().await;
    every_meeting("webhook against capture", Stops::First, 20, async |meeting| {
        let order = vault.asked("webhook_repeat").await;
        let webhook = vault.webhook_of_capture();
        vault.hears(vault.packed(&order, [3, 2])).await;
        let done = vault.called().await;
        let (recorded, told) =
            meeting.of(&vault.db, |db| vault.record(db, done), |db| vault.told(db, &webhook)).await;
        recorded.unwrap();
        assert_eq!(told.status, 200, "{told:?}");
        vault.settle().await;
        assert_eq!(vault.money(&order).await, [(TOTAL_MINOR, 0); 2]);
        assert_eq!(vault.times("capture", &order).await, 1);
        assert_eq!(vault.said(&order).await, PAID);
        vault.is_sound().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_comes_twice_at_once_is_news_once() {
    let vault = Vault::empty().await;
    every_meeting("a webhook twice", Stops::First, 10, async |meeting| {
        let order = vault.asked("webhook_repeat").await;
        let webhook = vault.webhook_of_capture();
        vault.hears(vault.packed(&order, [3, 2])).await;
        let done = vault.called().await;
        let (one, other) = meeting
            .of(&vault.db, |db| vault.told(db, &webhook), |db| vault.told(db, &webhook))
            .await;
        let mut outcomes = [one, other].map(|answer| answer.json["outcome"].to_string());
        outcomes.sort();
        assert_eq!(outcomes, ["\"asked\"", "\"nothing_new\""]);
        vault.record(vault.db.clone(), done).await.unwrap();
        vault.settle().await;
        assert_eq!(vault.money(&order).await, [(TOTAL_MINOR, 0); 2]);
        assert_eq!(vault.said(&order).await, PAID);
        vault.is_sound().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_refunds_at_once_give_back_no_more_than_was_taken() {
    let vault = Vault::empty().await;
    for (amount_minor, back_minor) in [(2_000, 2_000), (1_500, 3_000)] {
        every_meeting("two refunds", Stops::First, 10, async |meeting| {
            let order = vault.paid().await;
            let refund = || vault.granted(&order, amount_minor);
            let (first, second) = (refund(), refund());
            let (one, other) = meeting
                .of(&vault.db, |db| vault.deliver(db, first), |db| vault.deliver(db, second))
                .await;
            one.unwrap();
            other.unwrap();
            vault.settle().await;
            assert_eq!(vault.money(&order).await, [(TOTAL_MINOR, back_minor); 2]);
            vault.is_sound().await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_parcels_of_one_order_packed_at_once_are_paid_for_once_each() {
    let vault = Vault::empty().await;
    every_meeting("two parcels", Stops::Both, 20, async |meeting| {
        let order = vault.asked("ok").await;
        let (teas, cups) = (vault.packed(&order, [3, 0]), vault.packed(&order, [0, 2]));
        let (one, other) =
            meeting.of(&vault.db, |db| vault.deliver(db, teas), |db| vault.deliver(db, cups)).await;
        one.unwrap();
        other.unwrap();
        vault.settle().await;
        assert_eq!(vault.money(&order).await, [(TOTAL_MINOR, 0); 2]);
        assert_eq!(vault.times("capture", &order).await, 2);
        let said = vault.said(&order).await;
        assert_eq!(said.iter().filter(|said| *said == "invoice.issued").count(), 2);
        vault.is_sound().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_invoices_issued_at_once_have_two_numbers_and_no_gap() {
    let vault = Vault::empty().await;
    every_meeting("two invoices", Stops::First, 20, async |meeting| {
        let mut orders = Vec::new();
        let mut done = Vec::new();
        for _ in 0..2 {
            let order = vault.asked("ok").await;
            vault.hears(vault.packed(&order, [3, 2])).await;
            done.push(vault.called().await);
            orders.push(order);
        }
        let (second, first) = (done.pop().unwrap(), done.pop().unwrap());
        let (one, other) = meeting
            .of(&vault.db, |db| vault.record(db, first), |db| vault.record(db, second))
            .await;
        one.unwrap();
        other.unwrap();
        vault.settle().await;
        for order in &orders {
            assert_eq!(vault.money(order).await, [(TOTAL_MINOR, 0); 2]);
            assert_eq!(vault.said(order).await, PAID);
        }
        vault.is_sound().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_clerks_who_give_money_back_at_once_do_not_give_more_than_there_is() {
    let till = Till::open().await;
    every_meeting("two clerks", Stops::First, 10, async |meeting| {
        let (order_id, paid_minor) = till.paid().await;
        let most = |key: &str| refund(order_id, paid_minor - 1, &format!("{order_id}-{key}"));
        let (first, second) = (most("a"), most("b"));
        let (one, other) = meeting.of(&till.db, |db| ask(first, db), |db| ask(second, db)).await;
        let mut outcomes = [one.outcome(), other.outcome()];
        outcomes.sort();
        assert_eq!(outcomes, ["201", "409 refund-exceeds-capture"]);
        assert_eq!(till.refunds_granted(order_id).await, 1);
    })
    .await;
}
