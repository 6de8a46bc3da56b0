//! Money that comes after the goods were given away, or after the order has ended.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::shopper::text;
use crate::support::{Engine, Shopper, World, on_both_engines};

on_both_engines!(
    money_after_the_hold_has_run_out_gets_the_goods_if_they_are_still_there,
    money_after_the_hold_has_run_out_goes_back_if_the_goods_are_gone,
    a_guarantee_that_comes_after_the_deadline_is_given_up_by_itself,
    money_that_comes_after_the_deadline_goes_back_by_itself,
    money_that_comes_after_a_cancellation_goes_back_by_itself,
);

/// An order that is placed and held, and whose payment the provider has not answered yet.
async fn unanswered<'a>(world: &'a World, method: &str) -> (Shopper<'a>, String) {
    let ada = world.shopper(&[("A", 10)]).await;
    let id = ada.place(method, "ok").await;
    ada.waits_to_hear(&id, "stock.reserved.v1").await;
    let under_way = async || text(&world.payment(&id).await["status"]);
    world.until_eq(under_way, "processing".to_owned()).await;
    (ada, id)
}

/// Whatever was tried, it was one payment.
fn one_payment(world: &World) {
    let calls = world.asked_of_provider("create");
    let keys: BTreeSet<String> = calls.iter().map(|call| text(&call["key"])).collect();
    assert_eq!(keys.len(), 1, "{calls:?}");
}

async fn money_after_the_hold_has_run_out_gets_the_goods_if_they_are_still_there(engine: Engine) {
    let world = World::open_before_the_provider(engine, |_| {}).await;
    let (ada, id) = unanswered(&world, "card").await;
    ada.minutes_pass(16);
    ada.waits_to_hear(&id, "stock.released.v1").await;
    assert_eq!(world.stock("A").await, (10, 0));
    world.start_provider();
    ada.waits_until(&id, &json!({ "status": "confirmed", "payment_status": "authorised" })).await;
    assert_eq!(world.stock("A").await, (10, 10));
    one_payment(&world);
    world.close().await;
}

async fn money_after_the_hold_has_run_out_goes_back_if_the_goods_are_gone(engine: Engine) {
    let world = World::open_before_the_provider(engine, |_| {}).await;
    let (ada, id) = unanswered(&world, "card_auto").await;
    ada.minutes_pass(16);
    ada.waits_to_hear(&id, "stock.released.v1").await;
    let bob = world.shopper(&[("A", 1)]).await;
    let other = bob.place("on_delivery", "none").await;
    bob.waits_for(&other, "confirmed").await;
    world.start_provider();
    let wanted = json!({
        "status": "failed", "reason": "only 9 of A are left", "payment_status": "refunded",
        "money": { "captured_minor": 10_000, "refunded_minor": 10_000 },
    });
    ada.waits_until(&id, &wanted).await;
    one_payment(&world);
    assert_eq!(world.ledger_in_balance().await, 0);
    assert_eq!(world.stock("A").await, (10, 1));
    world.close().await;
}

async fn a_guarantee_that_comes_after_the_deadline_is_given_up_by_itself(engine: Engine) {
    let world = World::open_before_the_provider(engine, |_| {}).await;
    let (ada, id) = unanswered(&world, "card").await;
    ada.minutes_pass(31);
    ada.waits_for(&id, "expired").await;
    world.start_provider();
    ada.waits_until(&id, &json!({ "status": "expired", "payment_status": "voided" })).await;
    one_payment(&world);
    assert_eq!(world.asked_of_provider("void").len(), 1);
    world.close().await;
}

async fn money_that_comes_after_the_deadline_goes_back_by_itself(engine: Engine) {
    let world = World::open_before_the_provider(engine, |_| {}).await;
    let (ada, id) = unanswered(&world, "card_auto").await;
    ada.minutes_pass(31);
    ada.waits_for(&id, "expired").await;
    world.start_provider();
    let wanted = json!({ "status": "expired", "money": { "refunded_minor": 10_000 } });
    ada.waits_until(&id, &wanted).await;
    one_payment(&world);
    world.rests().await;
    let told = world.mails_about(&id).await;
    assert!(told.contains(&"payment_refunded".to_owned()), "{told:?}");
    assert_eq!(world.ledger_in_balance().await, 0);
    world.close().await;
}

async fn money_that_comes_after_a_cancellation_goes_back_by_itself(engine: Engine) {
    let world = World::open_before_the_provider(engine, |_| {}).await;
    let (ada, id) = unanswered(&world, "card_auto").await;
    assert_eq!(ada.cancel(&id).await.expect(200)["status"], "cancelled");
    world.start_provider();
    let wanted = json!({ "status": "cancelled", "money": { "refunded_minor": 10_000 } });
    ada.waits_until(&id, &wanted).await;
    one_payment(&world);
    assert_eq!(world.stock("A").await, (10, 0));
    world.close().await;
}
