//! A payment that does not go through at once: declined, asked about, given up.

use serde_json::json;

use crate::support::shopper::text;
use crate::support::{Engine, World, everywhere, on_both_engines};

everywhere!(
    what_is_declined_can_be_paid_another_way,
    who_is_declined_five_times_has_lost_the_order,
    who_agrees_at_the_provider_has_paid,
    who_refuses_at_the_provider_may_choose_another_way,
    who_is_asked_to_act_may_pay_otherwise_instead,
);

on_both_engines!(who_never_comes_back_from_the_provider_loses_the_order_at_its_deadline);

async fn what_is_declined_can_be_paid_another_way(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let id = ada.place("card", "decline_insufficient_funds").await;
    let wanted = json!({
        "status": "pending",
        "payment_waits_for": { "for": "method", "reason": "insufficient_funds", "attempts_left": 4 },
    });
    ada.waits_until(&id, &wanted).await;
    assert_eq!(world.stock("A").await, (10, 1), "the goods stay held");
    ada.pays_by(&id, "card_auto", "ok").await.expect(200);
    ada.waits_until(&id, &json!({ "status": "confirmed", "payment_status": "charged" })).await;
    world.rests().await;
    let told = world.mails_about(&id).await;
    assert_eq!(told.iter().filter(|stage| *stage == "payment_declined").count(), 1, "{told:?}");
    // Paid is paid.
    let again = ada.pays_by(&id, "card", "ok").await;
    assert_eq!(again.problem(), "409 state-conflict");
    assert_eq!(world.asked_of_provider("create").len(), 2);
    world.close().await;
}

async fn who_is_declined_five_times_has_lost_the_order(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let id = ada.place("card", "decline").await;
    for left in (1..=4).rev() {
        let wanted = json!({ "payment_waits_for": { "attempts_left": left } });
        ada.waits_until(&id, &wanted).await;
        ada.pays_by(&id, "card", "decline").await.expect(200);
    }
    let order = ada.waits_for(&id, "failed").await;
    assert_eq!(order["payment_waits_for"], json!({ "for": "nothing" }));
    world.rests().await;
    assert_eq!(world.stock("A").await, (10, 0));
    let cart = ada.look_at_cart().await;
    assert_eq!(cart["order_id"], serde_json::Value::Null, "the cart is open again");
    assert!(!text(&cart["reopened_because"]).is_empty());
    assert_eq!(ada.pays_by(&id, "card", "ok").await.problem(), "409 state-conflict");
    // The same cart can become another order.
    let other = ada.place("card", "ok").await;
    assert_ne!(other, id);
    ada.waits_for(&other, "confirmed").await;
    world.close().await;
}

async fn who_agrees_at_the_provider_has_paid(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let id = ada.place("card", "action").await;
    let url = ada.is_sent_to(&id).await;
    world.rests_but_for_the_shopper(&id).await;
    world.at_the_provider(&url, "confirm").await;
    ada.waits_until(&id, &json!({ "status": "confirmed", "payment_status": "authorised" })).await;
    world.rests().await;
    let told = world.mails_about(&id).await;
    assert!(told.contains(&"payment_action_required".to_owned()), "{told:?}");
    world.fulfil(&id).await;
    ada.waits_for(&id, "completed").await;
    world.close().await;
}

async fn who_refuses_at_the_provider_may_choose_another_way(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let id = ada.place("card", "action").await;
    let url = ada.is_sent_to(&id).await;
    world.at_the_provider(&url, "refuse").await;
    ada.waits_until(&id, &json!({ "payment_waits_for": { "for": "method" } })).await;
    ada.pays_by(&id, "card", "ok").await.expect(200);
    ada.waits_for(&id, "confirmed").await;
    world.close().await;
}

async fn who_never_comes_back_from_the_provider_loses_the_order_at_its_deadline(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let id = ada.place("card", "action").await;
    ada.is_sent_to(&id).await;
    ada.minutes_pass(29);
    assert_eq!(ada.order(&id).await["status"], "pending");
    ada.minutes_pass(2);
    let order = ada.waits_for(&id, "expired").await;
    assert_eq!(order["payment_waits_for"], json!({ "for": "nothing" }));
    world.rests().await;
    assert_eq!(world.stock("A").await, (10, 0));
    assert_eq!(world.ledger_in_balance().await, 0);
    let told = world.mails_about(&id).await;
    assert!(told.contains(&"order_expired".to_owned()), "{told:?}");
    assert_eq!(ada.look_at_cart().await["order_id"], serde_json::Value::Null);
    world.close().await;
}

async fn who_is_asked_to_act_may_pay_otherwise_instead(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let id = ada.place("card", "action").await;
    ada.is_sent_to(&id).await;
    ada.pays_by(&id, "card", "ok").await.expect(200);
    ada.waits_for(&id, "confirmed").await;
    world.rests().await;
    assert_eq!(world.asked_of_provider("void").len(), 1, "the first attempt is given up");
    world.close().await;
}

impl World {
    /// Nothing is under way but what the shopper has to do.
    async fn rests_but_for_the_shopper(&self, id: &str) {
        let waiting = async || self.payment(id).await["status"].clone();
        self.until_eq(waiting, json!("requires_action")).await;
    }
}
