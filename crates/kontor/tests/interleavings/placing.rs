//! P11: the same wish twice is one order, and no change of a cart is lost.

use serde_json::json;

use crate::meeting::{Stops, every_meeting};
use crate::till::{BOOK, CANDLE, Till, ask};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_double_click_makes_one_order_and_gets_the_same_answer_twice() {
    let till = Till::open().await;
    every_meeting("the same key", Stops::Both, 100, async |meeting| {
        let cart = till.cart().await;
        let (click, again) = (cart.order("ok", &cart.id), cart.order("ok", &cart.id));
        let (one, other) = meeting.of(&till.db, |db| ask(click, db), |db| ask(again, db)).await;
        assert_eq!((one.outcome(), other.outcome()), ("202".into(), "202".into()));
        assert_eq!(one.json, other.json);
        let id = one.json["id"].as_str().unwrap();
        assert_eq!(till.orders(&cart).await, [format!("{id} pending {}", cart.total_minor)]);
        assert_eq!(till.times_said(&cart).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_used_for_two_wishes_at_once_fulfils_one_and_refuses_the_other() {
    let till = Till::open().await;
    every_meeting("the same key with another body", Stops::First, 15, async |meeting| {
        let cart = till.cart().await;
        let (wish, another) = (cart.order("ok", &cart.id), cart.order("declined", &cart.id));
        let (one, other) = meeting.of(&till.db, |db| ask(wish, db), |db| ask(another, db)).await;
        let mut outcomes = [one.outcome(), other.outcome()];
        outcomes.sort();
        assert_eq!(outcomes, ["202", "422 idempotency-key-reused"]);
        let won = if one.status == 202 { one } else { other };
        let id = won.json["id"].as_str().unwrap();
        assert_eq!(till.orders(&cart).await, [format!("{id} pending {}", cart.total_minor)]);
        assert_eq!(till.times_said(&cart).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cart_ordered_twice_under_two_keys_is_one_order() {
    let till = Till::open().await;
    every_meeting("two keys", Stops::First, 15, async |meeting| {
        let cart = till.cart().await;
        let (first, second) = (cart.order("ok", "first"), cart.order("ok", "second"));
        let (one, other) = meeting.of(&till.db, |db| ask(first, db), |db| ask(second, db)).await;
        assert_eq!((one.outcome(), other.outcome()), ("202".into(), "202".into()));
        assert_eq!(one.json["id"], other.json["id"]);
        let id = one.json["id"].as_str().unwrap();
        assert_eq!(till.orders(&cart).await, [format!("{id} pending {}", cart.total_minor)]);
        assert_eq!(till.times_said(&cart).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_changes_of_one_cart_at_once_are_both_made() {
    let till = Till::open().await;
    every_meeting("two patches", Stops::Both, 30, async |meeting| {
        let cart = till.cart().await;
        let (email, language) =
            (json!({ "email": "grace@example.org" }), json!({ "language": "fr" }));
        let (first, second) = (cart.patch(&email), cart.patch(&language));
        let (one, other) = meeting.of(&till.db, |db| ask(first, db), |db| ask(second, db)).await;
        assert_eq!((one.outcome(), other.outcome()), ("200".into(), "200".into()));
        let seen = till.seen(&cart).await;
        assert_eq!((&seen["email"], &seen["language"]), (&email["email"], &language["language"]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_things_put_into_one_cart_at_once_are_both_in_it() {
    let till = Till::open().await;
    every_meeting("two lines", Stops::Both, 30, async |meeting| {
        let cart = till.cart().await;
        let (first, second) = (cart.put(CANDLE, 5), cart.put(BOOK, 1));
        let (one, other) = meeting.of(&till.db, |db| ask(first, db), |db| ask(second, db)).await;
        assert_eq!((one.outcome(), other.outcome()), ("200".into(), "200".into()));
        let seen = till.seen(&cart).await;
        let lines = seen["lines"].as_array().unwrap().iter();
        let lines: Vec<_> = lines
            .map(|line| (line["sku"].as_str().unwrap(), line["quantity"].as_i64().unwrap()))
            .collect();
        assert_eq!(lines, [(CANDLE, 5), (BOOK, 1)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cart_that_changes_while_it_is_ordered_is_ordered_as_agreed_or_not_at_all() {
    let till = Till::open().await;
    every_meeting("order against change", Stops::Both, 60, async |meeting| {
        let cart = till.cart().await;
        let (order, more) = (cart.order("ok", &cart.id), cart.put(CANDLE, 3));
        let (ordered, changed) =
            meeting.of(&till.db, |db| ask(order, db), |db| ask(more, db)).await;
        let outcomes = [ordered.outcome(), changed.outcome()];
        let orders = till.orders(&cart).await;
        if ordered.status == 202 {
            assert_eq!(outcomes, ["202", "409 state-conflict"]);
            let id = ordered.json["id"].as_str().unwrap();
            assert_eq!(orders, [format!("{id} pending {}", cart.total_minor)]);
        } else {
            assert_eq!(outcomes, ["409 price-changed", "200"]);
            assert_eq!(orders, Vec::<String>::new());
        }
        assert_eq!(till.times_said(&cart).await, orders.len());
    })
    .await;
}
