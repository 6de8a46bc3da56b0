//! When money comes: at the door, at once, never, or where nothing needs a parcel.

use serde_json::{Value, json};

use crate::support::{Engine, World, everywhere};

everywhere!(
    cash_on_delivery_is_collected_after_the_parcel_has_arrived,
    a_card_that_is_charged_at_once_is_paid_before_anything_is_packed,
    what_costs_nothing_needs_no_payment,
    what_needs_no_parcel_is_charged_and_handed_over_on_confirmation,
    a_file_and_a_candle_are_one_order,
    a_refund_of_goodwill_is_credited,
);

async fn cash_on_delivery_is_collected_after_the_parcel_has_arrived(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let agreement = {
        let mut agreement = ada.agreement("on_delivery", "").await;
        agreement["payment_method"] = json!({ "code": "on_delivery" });
        agreement
    };
    let placed = ada.try_to_place("cash", &agreement).await;
    let id = crate::support::shopper::text(&placed.json()["id"]);
    ada.waits_for(&id, "confirmed").await;
    world.fulfil(&id).await;
    let order = ada.waits_until(&id, &json!({ "fulfilment_status": "delivered" })).await;
    assert_eq!(
        (order["status"].as_str(), order["payment_status"].as_str()),
        (Some("confirmed"), Some("none"))
    );
    let owed = json!({ "amount_minor": 1_490, "currency": "EUR" });
    let wrong =
        json!({ "amount": { "amount_minor": 1_000, "currency": "EUR" }, "reference": "R-1" });
    let path = format!("/payments/{id}/collect");
    let asked = |body: Value| world.post(&path).staff("support").fresh_key().json(body).send();
    let refused = asked(wrong).await;
    assert!(refused.status == 409 || refused.status == 422, "{refused:?}");
    asked(json!({ "amount": owed, "reference": "R-1" })).await.expect(200);
    let wanted = json!({
        "status": "completed", "payment_status": "charged", "money": { "captured_minor": 1_490 },
    });
    ada.waits_until(&id, &wanted).await;
    world.until_eq(async || world.invoices(&id).await.len(), 1).await;
    assert!(world.asked_of_provider("create").is_empty());
    assert_eq!(world.ledger_in_balance().await, 1_490);
    world.close().await;
}

async fn a_card_that_is_charged_at_once_is_paid_before_anything_is_packed(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let id = ada.place("card_auto", "ok").await;
    let wanted = json!({
        "status": "confirmed", "payment_status": "charged", "money": { "captured_minor": 1_490 },
    });
    ada.waits_until(&id, &wanted).await;
    world.until_eq(async || world.invoices(&id).await.len(), 1).await;
    world.fulfil(&id).await;
    ada.waits_for(&id, "completed").await;
    assert!(world.asked_of_provider("capture").is_empty());
    world.close().await;
}

async fn what_costs_nothing_needs_no_payment(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("FREE", 1)]).await;
    assert_eq!(ada.look_at_cart().await["totals"]["total_minor"], 0);
    let id = ada.place("card", "ok").await;
    let order = ada.waits_for(&id, "completed").await;
    assert_eq!(order["fulfilment_status"], "delivered");
    world.rests().await;
    assert!(world.asked_of_provider("create").is_empty());
    assert!(world.invoices(&id).await.is_empty());
    assert_eq!(world.mails_about(&id).await, ["order_confirmed", "order_placed"]);
    world.close().await;
}

async fn what_needs_no_parcel_is_charged_and_handed_over_on_confirmation(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("FILE", 2)]).await;
    let id = ada.place("card", "ok").await;
    let wanted = json!({ "status": "completed", "money": { "captured_minor": 900 } });
    ada.waits_until(&id, &wanted).await;
    world.until_eq(async || world.invoices(&id).await.len(), 1).await;
    assert!(world.parcels(&id).await.is_empty());
    world.close().await;
}

async fn a_file_and_a_candle_are_one_order(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("FILE", 1), ("A", 1)]).await;
    let id = ada.place("card", "ok").await;
    ada.waits_for(&id, "confirmed").await;
    let parcel = world.first_parcel(&id).await;
    assert_eq!(parcel.lines.as_array().unwrap().len(), 1, "the file is in no parcel");
    world.fulfil(&id).await;
    let wanted = json!({ "status": "completed", "money": { "captured_minor": 450 + 1_000 + 490 } });
    ada.waits_until(&id, &wanted).await;
    world.close().await;
}

async fn a_refund_of_goodwill_is_credited(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let id = ada.place("card_auto", "ok").await;
    ada.waits_until(&id, &json!({ "status": "confirmed", "payment_status": "charged" })).await;
    let refund = async |amount_minor: i64, key: &str| {
        let body = json!({ "amount_minor": amount_minor, "reason": "a scratch" });
        let path = format!("/orders/{id}/refunds");
        world.post(&path).staff("support").key(key).json(body).send().await
    };
    let granted = refund(300, "goodwill").await.expect(201);
    assert_eq!(refund(300, "goodwill").await.expect(201)["refund_id"], granted["refund_id"]);
    ada.waits_until(&id, &json!({ "money": { "refunded_minor": 300, "due_minor": 1_190 } })).await;
    world.until_eq(async || world.credit_notes(&id).await.len(), 1).await;
    assert_eq!(world.credit_notes(&id).await[0]["gross_minor"], 300);
    assert_eq!(world.asked_of_provider("refund").len(), 1);
    let more = refund(1_191, "too-much").await;
    assert_eq!(more.problem(), "409 refund-exceeds-capture");
    let keys: Vec<String> = (0..20).map(|n| format!("at-once-{n}")).collect();
    // Twenty clerks at once give the rest back once.
    let all = keys.iter().map(|key| refund(1_190, key));
    let all = futures_util::future::join_all(all).await;
    assert_eq!(all.iter().filter(|answer| answer.status == 201).count(), 1, "{all:#?}");
    assert_eq!(world.until_refunded(&id, 1_490).await, 1_490);
    world.fulfil(&id).await;
    ada.waits_for(&id, "completed").await;
    world.close().await;
}

impl World {
    async fn until_refunded(&self, id: &str, minor: i64) -> i64 {
        let look = async || self.order(id).await["money"]["refunded_minor"].as_i64().unwrap();
        self.until_eq(look, minor).await;
        look().await
    }
}
