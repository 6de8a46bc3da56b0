//! What goes wrong outside: goods that are gone, money that does not come, a provider that does
//! not answer, or says what cannot be.

use serde_json::{Value, json};

use crate::support::shopper::text;
use crate::support::{Engine, World, everywhere, on_both_engines};

everywhere!(
    an_order_for_what_is_sold_out_fails_and_its_cart_opens_again,
    the_last_piece_is_sold_once,
    money_that_does_not_come_keeps_the_parcel_in_the_house_until_it_does,
    money_that_never_comes_leaves_the_order_on_hold_until_it_is_cancelled,
    webhooks_that_repeat_or_overtake_each_other_change_nothing,
);

on_both_engines!(
    a_payment_that_never_arrived_is_sent_again_under_its_own_key,
    a_payment_whose_answer_was_lost_is_found_and_charged_once,
    a_provider_that_breaks_after_taking_the_money_is_asked_what_it_did,
    a_provider_that_guarantees_another_amount_stops_the_order,
);

async fn an_order_for_what_is_sold_out_fails_and_its_cart_opens_again(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 5), ("B", 11)]).await;
    let id = ada.place("card", "ok").await;
    let order = ada.waits_for(&id, "failed").await;
    assert_eq!(order["reason"], "only 10 of B are left");
    world.rests().await;
    assert_eq!((world.stock("A").await, world.stock("B").await), ((10, 0), (10, 0)));
    assert!(world.asked_of_provider("create").is_empty(), "nobody asks for money for nothing");
    let cart = ada.look_at_cart().await;
    assert_eq!(cart["reopened_because"], "only 10 of B are left");
    assert_eq!(world.mails_about(&id).await, ["order_failed", "order_placed"]);
    // The shopper takes fewer.
    let path = format!("/carts/{}/lines/B", ada.cart);
    let body = json!({ "quantity": 10 });
    world.put(&path).guest(&ada.token).json(body).send().await.expect(200);
    let other = ada.place("card", "ok").await;
    ada.waits_for(&other, "confirmed").await;
    world.close().await;
}

async fn the_last_piece_is_sold_once(engine: Engine) {
    let world = World::open(engine).await;
    world.adjust("A", -9).await;
    let mut shoppers = Vec::new();
    for _ in 0..8 {
        shoppers.push(world.shopper(&[("A", 1)]).await);
    }
    let placed = shoppers.iter().map(|shopper| shopper.place("card", "ok"));
    let ids = futures_util::future::join_all(placed).await;
    world.rests().await;
    let mut ends = Vec::new();
    for (shopper, id) in shoppers.iter().zip(&ids) {
        let order = shopper.order(id).await;
        ends.push((text(&order["status"]), order["reason"].to_string()));
    }
    ends.sort();
    assert_eq!(ends[0].0, "confirmed", "{ends:?}");
    assert!(ends[1..].iter().all(|(end, _)| end == "failed"), "{ends:?}");
    assert_eq!(world.stock("A").await, (1, 1));
    world.close().await;
}

async fn money_that_does_not_come_keeps_the_parcel_in_the_house_until_it_does(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let id = ada.place("card", "capture_fails_once").await;
    ada.waits_for(&id, "confirmed").await;
    let parcel = world.first_parcel(&id).await.id;
    world.pack(&parcel).await;
    let held = ada.waits_for(&id, "on_hold").await;
    assert!(text(&held["reason"]).contains("capture_declined"), "{held}");
    assert_eq!(world.try_to_dispatch(&parcel).await.problem(), "409 state-conflict");
    world.rests().await;
    assert!(world.invoices(&id).await.is_empty());
    let retry = world.post(&format!("/payments/{id}/retry")).staff("support").fresh_key();
    assert!(retry.send().await.status.is_success());
    ada.waits_until(&id, &json!({ "status": "confirmed", "payment_status": "charged" })).await;
    world.dispatch(&parcel).await;
    world.deliver(&parcel).await;
    ada.waits_for(&id, "completed").await;
    let captures = world.asked_of_provider("capture");
    assert_eq!(captures.len(), 2);
    assert_ne!(captures[0]["key"], captures[1]["key"], "after a definite no, a new key");
    assert_eq!(world.ledger_in_balance().await, 1_490);
    world.close().await;
}

async fn money_that_never_comes_leaves_the_order_on_hold_until_it_is_cancelled(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let id = ada.place("card", "capture_fails").await;
    ada.waits_for(&id, "confirmed").await;
    let parcel = world.first_parcel(&id).await.id;
    world.pack(&parcel).await;
    ada.waits_for(&id, "on_hold").await;
    ada.cancel(&id).await;
    ada.waits_until(&id, &json!({ "status": "cancelled", "payment_status": "voided" })).await;
    assert_eq!(world.stock("A").await, (10, 0));
    world.close().await;
}

/// A shop that waits a third of a second for its provider.
async fn impatient(engine: Engine) -> World {
    World::open_with(engine, |config| {
        config.payment.test_provider.as_mut().unwrap().timeout_ms = 300;
    })
    .await
}

fn keys(calls: &[Value]) -> Vec<String> {
    let mut keys: Vec<String> = calls.iter().map(|call| text(&call["key"])).collect();
    keys.sort();
    keys.dedup();
    keys
}

async fn a_payment_that_never_arrived_is_sent_again_under_its_own_key(engine: Engine) {
    let world = impatient(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let id = ada.place("card", "timeout_before").await;
    world.until("it is sent", async || world.asked_of_provider("create").pop()).await;
    ada.minutes_pass(2);
    ada.waits_for(&id, "confirmed").await;
    assert_eq!(keys(&world.asked_of_provider("create")).len(), 1);
    assert!(world.asked_of_provider("create").len() >= 2);
    world.fulfil(&id).await;
    ada.waits_for(&id, "completed").await;
    world.close().await;
}

async fn a_payment_whose_answer_was_lost_is_found_and_charged_once(engine: Engine) {
    let world = impatient(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let id = ada.place("card_auto", "timeout_after").await;
    world.until("it is sent", async || world.asked_of_provider("create").pop()).await;
    ada.minutes_pass(2);
    ada.waits_until(&id, &json!({ "status": "confirmed", "payment_status": "charged" })).await;
    assert_eq!(keys(&world.asked_of_provider("create")).len(), 1);
    assert_eq!(world.ledger_in_balance().await, 1_490);
    world.fulfil(&id).await;
    ada.waits_for(&id, "completed").await;
    world.close().await;
}

async fn a_provider_that_breaks_after_taking_the_money_is_asked_what_it_did(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let id = ada.place("card_auto", "error_after").await;
    world.until("it is sent", async || world.asked_of_provider("create").pop()).await;
    ada.minutes_pass(2);
    ada.waits_until(&id, &json!({ "status": "confirmed", "payment_status": "charged" })).await;
    assert_eq!(keys(&world.asked_of_provider("create")).len(), 1);
    world.close().await;
}

async fn webhooks_that_repeat_or_overtake_each_other_change_nothing(engine: Engine) {
    let world = World::open(engine).await;
    for token in ["webhook_repeat", "webhook_reorder"] {
        let ada = world.shopper(&[("A", 1)]).await;
        let id = ada.place("card", token).await;
        ada.waits_for(&id, "confirmed").await;
        world.fulfil(&id).await;
        ada.waits_for(&id, "completed").await;
        world.rests().await;
        let said = ada.timeline(&id).await;
        let once = said.iter().filter(|said| *said == "payment.authorized.v1").count();
        assert_eq!(once, 1, "{said:?}");
    }
    assert_eq!(world.ledger_in_balance().await, 2 * 1_490);
    world.close().await;
}

async fn a_provider_that_guarantees_another_amount_stops_the_order(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let id = ada.place("card", "wrong_amount").await;
    world.until_eq(async || world.payment(&id).await["status"].clone(), json!("conflicted")).await;
    assert_eq!(ada.order(&id).await["status"], "pending", "such money confirms nothing");
    ada.minutes_pass(31);
    ada.waits_for(&id, "expired").await;
    world.rests().await;
    assert_eq!(world.stock("A").await, (10, 0));
    assert_eq!(world.asked_of_provider("void").len(), 1, "nothing stays behind");
    world.close().await;
}
