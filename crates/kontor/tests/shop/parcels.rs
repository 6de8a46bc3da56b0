//! Parcels and the money that goes with each: split, short, and charged part by part.

use serde_json::json;

use crate::support::{Engine, World, everywhere};

everywhere!(
    each_parcel_is_charged_when_it_is_packed_and_shipping_once,
    a_method_that_charges_once_charges_all_with_the_first_parcel,
    what_is_not_found_is_neither_sent_nor_charged,
    what_is_not_found_and_was_paid_goes_back,
    an_order_of_which_nothing_is_found_is_off,
    no_parcel_leaves_before_its_money,
);

async fn each_parcel_is_charged_when_it_is_packed_and_shipping_once(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 2), ("B", 1)]).await;
    let id = ada.place("card", "ok").await;
    ada.waits_for(&id, "confirmed").await;
    let first = world.first_parcel(&id).await;
    let second = world.split(&first.id, &[(&first.line("B"), 1)]).await;
    world.pack(&first.id).await;
    world.dispatch(&first.id).await;
    let wanted = json!({
        "status": "confirmed", "payment_status": "partly_charged", "fulfilment_status": "partial",
        "money": { "captured_minor": 2 * 1_000 + 490 },
    });
    ada.waits_until(&id, &wanted).await;
    world.deliver(&first.id).await;
    world.pack(&second).await;
    world.dispatch(&second).await;
    world.deliver(&second).await;
    let wanted = json!({ "status": "completed", "money": { "captured_minor": 3_289 } });
    ada.waits_until(&id, &wanted).await;
    let invoices = world.invoices(&id).await;
    let sums: Vec<i64> = invoices.iter().map(|i| i["gross_minor"].as_i64().unwrap()).collect();
    assert_eq!(sums, [2_490, 799]);
    let captures = world.asked_of_provider("capture");
    let taken: Vec<_> =
        captures.iter().map(|call| call["amount"]["amount_minor"].clone()).collect();
    assert_eq!(taken, [2_490, 799]);
    assert_eq!(world.ledger_in_balance().await, 3_289);
    world.close().await;
}

async fn a_method_that_charges_once_charges_all_with_the_first_parcel(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 2), ("B", 1)]).await;
    let id = ada.place("card_single", "ok").await;
    ada.waits_for(&id, "confirmed").await;
    let first = world.first_parcel(&id).await;
    let second = world.split(&first.id, &[(&first.line("A"), 1)]).await;
    world.pack(&first.id).await;
    world.dispatch(&first.id).await;
    ada.waits_until(&id, &json!({ "money": { "captured_minor": 3_289 } })).await;
    world.pack(&second).await;
    world.dispatch(&second).await;
    world.deliver(&first.id).await;
    world.deliver(&second).await;
    ada.waits_for(&id, "completed").await;
    assert_eq!(world.asked_of_provider("capture").len(), 1);
    let invoices = world.invoices(&id).await;
    assert_eq!(invoices.len(), 1, "{invoices:#?}");
    assert_eq!(invoices[0]["gross_minor"], 3_289);
    world.close().await;
}

async fn what_is_not_found_is_neither_sent_nor_charged(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 2), ("B", 1)]).await;
    let id = ada.place("card", "ok").await;
    ada.waits_for(&id, "confirmed").await;
    let parcel = world.first_parcel(&id).await;
    let packed = world.pack_without(&parcel.id, &[(&parcel.line("A"), 1)]).await;
    assert_eq!(packed["lines"].as_array().unwrap().len(), 2, "{packed}");
    world.dispatch(&parcel.id).await;
    world.deliver(&parcel.id).await;
    let wanted = json!({
        "status": "completed",
        "money": { "total_minor": 3_289, "due_minor": 2_289, "captured_minor": 2_289 },
    });
    let order = ada.waits_until(&id, &wanted).await;
    assert_eq!(order["lines"][0]["cancelled"], 1);
    assert_eq!(order["lines"][0]["delivered"], 1);
    // One was not there, one is gone.
    assert_eq!(world.stock("A").await, (8, 0));
    assert_eq!(world.invoices(&id).await[0]["gross_minor"], 2_289);
    world.rests().await;
    let told = world.mails_about(&id).await;
    assert!(told.contains(&"order_reduced".to_owned()), "{told:?}");
    world.close().await;
}

async fn what_is_not_found_and_was_paid_goes_back(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 2), ("B", 1)]).await;
    let id = ada.place("card_auto", "ok").await;
    let charged = json!({ "status": "confirmed", "money": { "captured_minor": 3_289 } });
    ada.waits_until(&id, &charged).await;
    let parcel = world.first_parcel(&id).await;
    world.pack_without(&parcel.id, &[(&parcel.line("A"), 1)]).await;
    world.dispatch(&parcel.id).await;
    world.deliver(&parcel.id).await;
    let wanted = json!({
        "status": "completed", "payment_status": "partly_refunded",
        "money": { "captured_minor": 3_289, "granted_minor": 1_000, "refunded_minor": 1_000 },
    });
    ada.waits_until(&id, &wanted).await;
    let notes = world.credit_notes(&id).await;
    assert_eq!(notes.len(), 1, "{notes:#?}");
    assert_eq!(notes[0]["gross_minor"], 1_000);
    assert_eq!(world.ledger_in_balance().await, 2_289);
    world.close().await;
}

async fn an_order_of_which_nothing_is_found_is_off(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let id = ada.place("card", "ok").await;
    ada.waits_for(&id, "confirmed").await;
    let parcel = world.first_parcel(&id).await;
    world.pack_without(&parcel.id, &[(&parcel.line("A"), 1)]).await;
    let wanted = json!({ "status": "cancelled", "payment_status": "voided" });
    ada.waits_until(&id, &wanted).await;
    assert_eq!(world.parcels(&id).await[0]["status"], "cancelled");
    assert_eq!(world.stock("A").await, (9, 0));
    assert_eq!(world.invoices(&id).await, Vec::<serde_json::Value>::new());
    world.close().await;
}

async fn no_parcel_leaves_before_its_money(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let id = ada.place("card", "ok").await;
    ada.waits_for(&id, "confirmed").await;
    let parcel = world.first_parcel(&id).await.id;
    assert_eq!(world.try_to_dispatch(&parcel).await.problem(), "409 state-conflict");
    let body = json!({ "reason": "a second look at the address" });
    let hold = world.post(&format!("/orders/{id}/hold")).staff("support").json(body);
    assert_eq!(hold.send().await.expect(200)["status"], "on_hold");
    // What is on hold stays in the house even when it is paid.
    ada.waits_to_hear(&id, "order.put_on_hold.v1").await;
    world.rests().await;
    let path = format!("/shipments/{parcel}/pack");
    let pack = world.post(&path).staff("warehouse").fresh_key().json(json!({})).send().await;
    assert!(pack.status.is_success() || pack.problem() == "409 state-conflict", "{pack:?}");
    world.rests().await;
    assert_eq!(world.try_to_dispatch(&parcel).await.problem(), "409 state-conflict");
    let seen = ada.order(&id).await;
    assert_eq!(seen["reason"], serde_json::Value::Null, "why staff hold it is theirs");
    world.post(&format!("/orders/{id}/resume")).staff("support").send().await.expect(200);
    if !pack.status.is_success() {
        world
            .until("it can be packed", async || {
                let pack = world.post(&path).staff("warehouse").fresh_key().json(json!({}));
                pack.send().await.status.is_success().then_some(())
            })
            .await;
    }
    world.dispatch(&parcel).await;
    world.deliver(&parcel).await;
    ada.waits_for(&id, "completed").await;
    world.close().await;
}
