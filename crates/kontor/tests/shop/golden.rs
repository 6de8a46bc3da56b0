//! An order from the cart to the doorstep, and everything that is left of it afterwards.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::shopper::text;
use crate::support::{Engine, World, everywhere};

everywhere!(
    an_order_goes_from_the_cart_to_the_doorstep,
    a_trace_goes_through_every_service_and_says_who_did_what,
    the_documents_and_mails_of_an_order_say_what_was_agreed,
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_goes_through_six_databases() {
    an_order_goes_from_the_cart_to_the_doorstep(Engine::PostgresApart).await;
}

async fn an_order_goes_from_the_cart_to_the_doorstep(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 2), ("B", 1)]).await;
    let id = ada.place("card", "ok").await;
    // The allocation may be heard before the authorisation that it followed.
    let wanted = json!({ "status": "confirmed", "payment_status": "authorised" });
    let order = ada.waits_until(&id, &wanted).await;
    assert_eq!(order["money"]["total_minor"], 2 * 1_000 + 799 + 490);
    assert_eq!(world.stock("A").await, (10, 2));
    let parcel = world.first_parcel(&id).await.id;
    world.pack(&parcel).await;
    world.dispatch(&parcel).await;
    let order = ada.waits_until(&id, &json!({ "fulfilment_status": "fulfilled" })).await;
    assert_eq!(order["status"], "confirmed");
    let tracking = &order["parcels"][0];
    assert_eq!(tracking["carrier"], "DHL");
    assert_eq!(tracking["tracking"], format!("T-{parcel}"));
    world.deliver(&parcel).await;
    let wanted = json!({
        "status": "completed", "payment_status": "charged", "fulfilment_status": "delivered",
        "money": {
            "total_minor": 3_289, "due_minor": 3_289, "captured_minor": 3_289,
            "granted_minor": 0, "refunded_minor": 0,
        },
    });
    ada.waits_until(&id, &wanted).await;
    assert_eq!(world.stock("A").await, (8, 0));
    assert_eq!(world.stock("B").await, (9, 0));
    assert_eq!(world.asked_of_provider("create").len(), 1);
    let captured = world.asked_of_provider("capture");
    assert_eq!(captured.len(), 1);
    assert_eq!(captured[0]["amount"]["amount_minor"], 3_289);
    assert_eq!(ada.look_at_cart().await["order_id"], id);
    world.close().await;
}

async fn a_trace_goes_through_every_service_and_says_who_did_what(engine: Engine) {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let agreement = ada.agreement("card", "ok").await;
    let placed = world
        .post(&format!("/carts/{}/order", ada.cart))
        .guest(&ada.token)
        .fresh_key()
        .header("traceparent", &format!("00-{TRACE}-b7ad6b7169203331-01"))
        .json(agreement)
        .send()
        .await;
    let id = text(&placed.json()["id"]);
    ada.waits_for(&id, "confirmed").await;
    world.fulfil(&id).await;
    ada.waits_for(&id, "completed").await;
    ada.waits_to_hear(&id, "invoice.issued.v1").await;
    let mails = async || {
        let entries = ada.entries(&id).await;
        entries.iter().filter(|entry| entry["event"] == "message.sent.v1").count()
    };
    world.until_eq(mails, 5).await;
    let events = [
        "order.placed.v1",
        "stock.reserved.v1",
        "payment.authorized.v1",
        "stock.allocated.v1",
        "order.confirmed.v1",
        "shipment.created.v1",
        "shipment.packed.v1",
        "payment.captured.v1",
        "invoice.issued.v1",
        "shipment.ready.v1",
        "shipment.dispatched.v1",
        "shipment.delivered.v1",
        "order.completed.v1",
    ];
    // Of two instances either may be the later to write down what it has heard.
    for event in events {
        ada.waits_to_hear(&id, event).await;
    }
    let entries = ada.entries(&id).await;
    let said = |event: &str| -> Vec<&Value> {
        entries.iter().filter(|entry| entry["event"] == event).collect()
    };
    for event in events {
        assert_eq!(said(event).len(), 1, "{event} in {entries:#?}");
    }
    let versions: Vec<i64> = entries.iter().map(|e| e["version"].as_i64().unwrap()).collect();
    assert_eq!(versions, (1..).take(entries.len()).collect::<Vec<_>>());
    // Placing sets everything off until somebody packs: one trace.
    for event in ["order.placed.v1", "payment.authorized.v1", "order.confirmed.v1"] {
        assert_eq!(said(event)[0]["trace_id"], TRACE, "{event}");
    }
    // What clerks set off belongs to their requests' traces, and nothing has none.
    let traces: BTreeSet<String> = entries.iter().map(|entry| text(&entry["trace_id"])).collect();
    assert_eq!(traces.len(), 4, "placed, packed, dispatched, delivered: {entries:#?}");
    let actor = |event: &str| text(&said(event)[0]["actor"]);
    assert_eq!(actor("order.placed.v1"), "customer");
    assert_eq!(actor("payment.authorized.v1"), "service:payment");
    assert_eq!(actor("order.confirmed.v1"), "service:order");
    // The customer is not told which clerk; staff are.
    assert_eq!(actor("shipment.packed.v1"), "staff:staff");
    let path = format!("/orders/{id}/timeline");
    let seen = world.get(&path).staff("support").send().await.expect(200);
    let packed = |entry: &&Value| entry["event"] == "shipment.packed.v1";
    let packed = seen["entries"].as_array().unwrap().iter().find(packed).unwrap();
    assert_eq!(packed["actor"], "staff:warehouse");
    world.close().await;
}

async fn the_documents_and_mails_of_an_order_say_what_was_agreed(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1), ("C", 1)]).await;
    let id = ada.place("card", "ok").await;
    let number = text(&ada.waits_for(&id, "confirmed").await["number"]);
    world.fulfil(&id).await;
    ada.waits_for(&id, "completed").await;
    let stages = [
        "invoice_issued",
        "order_confirmed",
        "order_placed",
        "shipment_delivered",
        "shipment_dispatched",
    ];
    world.until_eq(async || world.mails_about(&id).await, stages.map(str::to_owned).to_vec()).await;
    let mails = world.mails();
    assert_eq!(mails.len(), 5);
    for mail in &mails {
        assert!(mail.contains(&format!("To: {}", ada.email)), "{mail}");
        assert!(mail.contains(&number), "{number} is not in {mail}");
    }
    let invoices = world.invoices(&id).await;
    assert_eq!(invoices.len(), 1);
    let invoice = &invoices[0];
    let number = text(&invoice["number"]);
    assert!(number.starts_with("INV-2026-"), "{number}");
    assert_eq!(invoice["gross_minor"], 1_000 + 1_290 + 490);
    let page = world.invoice_page(&invoice["id"]).await;
    for fact in [&number, "Ada Lovelace", "Red candle", "A book", "27.80", "19", "DE000000000"] {
        assert!(page.contains(fact), "{fact} is not on the invoice: {page}");
    }
    assert_eq!(world.ledger_in_balance().await, 2_780);
    world.close().await;
}
