//! A shop that is stopped in the middle of its work, and one that runs twice.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::shopper::text;
use crate::support::{Engine, Shopper, World, on_both_engines};

on_both_engines!(what_was_under_way_goes_on_after_a_restart);

/// The same person after a restart: all they have kept is their token.
fn later<'a>(world: &'a World, (cart, token): &(String, String)) -> Shopper<'a> {
    Shopper { world, cart: cart.clone(), token: token.clone(), email: String::new() }
}

async fn what_was_under_way_goes_on_after_a_restart(engine: Engine) {
    let mut world = World::open(engine).await;
    let mut orders = Vec::new();
    for (method, token) in [
        ("card", "ok"),
        ("card", "action"),
        ("card_auto", "ok"),
        ("card", "error_after"),
        ("on_delivery", "none"),
        ("card", "capture_fails_once"),
    ] {
        let shopper = world.shopper(&[("A", 1)]).await;
        let id = shopper.place(method, token).await;
        orders.push((id, (shopper.cart, shopper.token)));
        // Whatever has been begun of the orders so far is left as it is.
        world = world.restart().await;
    }
    let (acting, who) = &orders[1];
    let url = later(&world, who).is_sent_to(acting).await;
    world = world.restart().await;
    world.at_the_provider(&url, "confirm").await;
    world.time.pass(std::time::Duration::from_secs(120));
    for (id, who) in &orders {
        later(&world, who).waits_for(id, "confirmed").await;
    }
    for (id, _) in &orders {
        let parcel = world.first_parcel(id).await.id;
        world.pack(&parcel).await;
    }
    world = world.restart().await;
    let (held, who) = &orders[5];
    later(&world, who).waits_for(held, "on_hold").await;
    world = world.restart().await;
    let retry = world.post(&format!("/payments/{held}/retry")).staff("support").fresh_key();
    retry.send().await.expect(200);
    for (id, who) in &orders {
        let parcel = world.first_parcel(id).await.id;
        world.dispatch(&parcel).await;
        world.deliver(&parcel).await;
        let wanted = json!({ "fulfilment_status": "delivered" });
        later(&world, who).waits_until(id, &wanted).await;
    }
    world.rests().await;
    assert_eq!(world.stock("A").await, (4, 0));
    // Five of them are paid by card, each once.
    assert_eq!(world.ledger_in_balance().await, 5 * 1_490);
    for (id, _) in &orders {
        let mut told: BTreeMap<String, usize> = BTreeMap::new();
        for stage in world.mails_about(id).await {
            *told.entry(stage).or_default() += 1;
        }
        assert!(told.values().all(|times| *times == 1), "{told:?}");
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_run_on_the_same_databases_share_the_work() {
    let world = World::open(Engine::PostgresApart).await;
    world.run_another().await;
    world.run_another().await;
    world.receive("A", 100).await;
    let mut shoppers = Vec::new();
    for _ in 0..20 {
        shoppers.push(world.shopper(&[("A", 1), ("B", 1)]).await);
    }
    let placed = shoppers.iter().map(|shopper| shopper.place("card_auto", "ok"));
    let ids = futures_util::future::join_all(placed).await;
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    world.rests().await;
    for (shopper, id) in shoppers.iter().zip(&ids) {
        let order = shopper.order(id).await;
        *ends.entry(text(&order["status"])).or_default() += 1;
        if order["status"] == "confirmed" {
            shopper.waits_until(id, &json!({ "payment_status": "charged" })).await;
            let said = shopper.timeline(id).await;
            for once in ["stock.reserved.v1", "payment.captured.v1", "invoice.issued.v1"] {
                assert_eq!(said.iter().filter(|said| *said == once).count(), 1, "{said:?}");
            }
        }
    }
    // There were ten of B.
    assert_eq!(ends, BTreeMap::from([("confirmed".to_owned(), 10), ("failed".to_owned(), 10)]));
    assert_eq!(world.asked_of_provider("create").len(), 10);
    world.close().await;
}
