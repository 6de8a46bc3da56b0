//! Orders that are called off: before and after they are confirmed, and while parcels leave.

use futures_util::future::join;
use serde_json::{Value, json};

use crate::support::{Engine, World, everywhere};

everywhere!(
    a_pending_order_is_off_at_once,
    a_confirmed_order_is_off_when_the_warehouse_has_its_parcels_back,
    an_order_that_was_charged_is_given_its_money_back,
    an_order_of_which_a_parcel_has_left_goes_on,
    a_parcel_of_a_cancelled_order_does_not_leave,
    a_cancellation_and_a_parcel_at_once_end_one_way_or_the_other,
    an_order_on_hold_can_be_cancelled,
);

async fn a_pending_order_is_off_at_once(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 3)]).await;
    let id = ada.place("card", "action").await;
    ada.is_sent_to(&id).await;
    let cancelled = ada.cancel(&id).await.expect(200);
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!(cancelled["reason"], "changed my mind");
    world.rests().await;
    assert_eq!(world.stock("A").await, (10, 0));
    assert_eq!(ada.cancel(&id).await.status, 200, "saying it twice changes nothing");
    assert_eq!(ada.pays_by(&id, "card", "ok").await.problem(), "409 state-conflict");
    let told = world.mails_about(&id).await;
    assert_eq!(told, ["order_cancelled", "order_placed", "payment_action_required"]);
    world.close().await;
}

async fn a_confirmed_order_is_off_when_the_warehouse_has_its_parcels_back(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1), ("B", 2)]).await;
    let id = ada.place("card", "ok").await;
    ada.waits_for(&id, "confirmed").await;
    world.first_parcel(&id).await;
    let asked = ada.cancel(&id).await;
    assert!(asked.status == 202 || asked.status == 200, "{asked:?}");
    ada.waits_until(&id, &json!({ "status": "cancelled", "payment_status": "voided" })).await;
    world.rests().await;
    assert_eq!((world.stock("A").await, world.stock("B").await), ((10, 0), (10, 0)));
    let parcels = world.parcels(&id).await;
    assert!(parcels.iter().all(|parcel| parcel["status"] == "cancelled"), "{parcels:?}");
    assert_eq!(world.asked_of_provider("void").len(), 1);
    assert!(world.invoices(&id).await.is_empty());
    world.close().await;
}

async fn an_order_that_was_charged_is_given_its_money_back(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let id = ada.place("card_auto", "ok").await;
    ada.waits_until(&id, &json!({ "status": "confirmed", "payment_status": "charged" })).await;
    ada.cancel(&id).await;
    let wanted = json!({
        "status": "cancelled", "payment_status": "refunded",
        "money": { "captured_minor": 1_490, "refunded_minor": 1_490 },
    });
    ada.waits_until(&id, &wanted).await;
    world.rests().await;
    let sum = |documents: &[Value]| -> i64 {
        documents.iter().map(|document| document["gross_minor"].as_i64().unwrap()).sum()
    };
    assert_eq!(sum(&world.invoices(&id).await), 1_490);
    assert_eq!(sum(&world.credit_notes(&id).await), 1_490);
    assert_eq!(world.asked_of_provider("refund").len(), 1);
    assert_eq!(world.ledger_in_balance().await, 0);
    let told = world.mails_about(&id).await;
    assert!(told.contains(&"payment_refunded".to_owned()), "{told:?}");
    world.close().await;
}

async fn an_order_of_which_a_parcel_has_left_goes_on(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let id = ada.place("card", "ok").await;
    ada.waits_for(&id, "confirmed").await;
    let parcel = world.first_parcel(&id).await.id;
    world.pack(&parcel).await;
    world.dispatch(&parcel).await;
    // The order may not have heard of the parcel yet: then the warehouse refuses.
    let asked = ada.cancel(&id).await;
    if asked.status == 202 {
        ada.waits_to_hear(&id, "cancel.refused.v1").await;
    } else {
        assert_eq!(asked.problem(), "409 state-conflict");
    }
    ada.waits_until(&id, &json!({ "status": "confirmed", "cancel_asked": false })).await;
    world.deliver(&parcel).await;
    ada.waits_for(&id, "completed").await;
    assert_eq!(ada.cancel(&id).await.problem(), "409 state-conflict");
    world.close().await;
}

async fn a_parcel_of_a_cancelled_order_does_not_leave(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let id = ada.place("card", "ok").await;
    ada.waits_for(&id, "confirmed").await;
    let parcel = world.first_parcel(&id).await.id;
    world.pack(&parcel).await;
    ada.waits_until(&id, &json!({ "payment_status": "charged" })).await;
    ada.cancel(&id).await;
    ada.waits_for(&id, "cancelled").await;
    assert_eq!(world.try_to_dispatch(&parcel).await.problem(), "409 state-conflict");
    let wanted = json!({ "payment_status": "refunded", "money": { "refunded_minor": 1_490 } });
    ada.waits_until(&id, &wanted).await;
    assert_eq!(world.stock("A").await, (10, 0));
    world.close().await;
}

async fn a_cancellation_and_a_parcel_at_once_end_one_way_or_the_other(engine: Engine) {
    let world = World::open(engine).await;
    let mut left = 0;
    for _ in 0..6 {
        let ada = world.shopper(&[("A", 1)]).await;
        let id = ada.place("card", "ok").await;
        ada.waits_for(&id, "confirmed").await;
        let parcel = world.first_parcel(&id).await.id;
        world.pack(&parcel).await;
        ada.waits_to_hear(&id, "shipment.ready.v1").await;
        let (cancelled, dispatched) = join(ada.cancel(&id), world.try_to_dispatch(&parcel)).await;
        world.rests().await;
        let order = ada.order(&id).await;
        if dispatched.status.is_success() {
            assert_eq!(order["status"], "confirmed", "{cancelled:?}");
            assert_eq!(order["cancel_asked"], false);
            left += 1;
        } else {
            assert_eq!(dispatched.problem(), "409 state-conflict");
            assert_eq!(order["status"], "cancelled", "{cancelled:?}");
            assert_eq!(order["payment_status"], "refunded");
        }
    }
    assert_eq!(world.stock("A").await, (10 - left, 0));
    world.close().await;
}

async fn an_order_on_hold_can_be_cancelled(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let id = ada.place("card", "ok").await;
    ada.waits_for(&id, "confirmed").await;
    let body = json!({ "reason": "looks like fraud" });
    world.post(&format!("/orders/{id}/hold")).staff("support").json(body).send().await.expect(200);
    let cancel = world.post(&format!("/orders/{id}/cancel")).staff("support");
    assert!(cancel.json(json!({ "reason": "it was" })).send().await.status.is_success());
    ada.waits_until(&id, &json!({ "status": "cancelled", "payment_status": "voided" })).await;
    world.close().await;
}
