//! Placing an order: once, at the price that was seen, and watched while it settles.

use std::collections::BTreeSet;

use futures_util::StreamExt;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::shopper::text;
use crate::support::world::product;
use crate::support::{Engine, Shopper, World, everywhere};

everywhere!(
    a_double_click_places_one_order,
    a_key_is_for_one_request_of_one_shopper,
    a_price_that_changed_meanwhile_is_told_and_not_charged,
    who_prefers_to_wait_gets_the_settled_order,
    who_follows_an_order_misses_nothing_and_hears_nothing_twice,
    an_order_needs_everything_it_needs,
    a_cart_that_became_an_order_does_not_change,
);

async fn a_double_click_places_one_order(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let agreement = ada.agreement("card", "ok").await;
    let same = (0..25).map(|_| ada.try_to_place("double-click", &agreement));
    let other_keys: Vec<String> = (0..5).map(|n| format!("reload-{n}")).collect();
    let other = other_keys.iter().map(|key| ada.try_to_place(key, &agreement));
    let (same, other) = futures_util::future::join(join_all(same), join_all(other)).await;
    let answers = same.iter().chain(&other);
    let ids: BTreeSet<String> = answers
        .map(|answer| {
            assert!(answer.status.is_success(), "{answer:?}");
            text(&answer.json()["id"])
        })
        .collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let id = ids.first().unwrap();
    ada.waits_for(id, "confirmed").await;
    world.rests().await;
    assert_eq!(world.stock("A").await, (10, 1));
    assert_eq!(world.asked_of_provider("create").len(), 1);
    let list = world.get("/orders?limit=100").staff("support").send().await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    world.close().await;
}

async fn a_key_is_for_one_request_of_one_shopper(engine: Engine) {
    let world = World::open(engine).await;
    let (ada, bob) = (world.shopper(&[("A", 1)]).await, world.shopper(&[("B", 1)]).await);
    let agreement = ada.agreement("card", "ok").await;
    let placed = ada.try_to_place("the-key", &agreement).await;
    assert!(placed.status.is_success(), "{placed:?}");
    let mut another = agreement.clone();
    another["payment_method"]["token"] = json!("action");
    assert_eq!(ada.try_to_place("the-key", &another).await.problem(), "422 idempotency-key-reused");
    let his = bob.try_to_place("the-key", &bob.agreement("card", "ok").await).await;
    assert_ne!(his.json()["id"], placed.json()["id"], "a key of one shopper tells another nothing");
    let path = format!("/carts/{}/order", ada.cart);
    let without = world.post(&path).guest(&ada.token).json(agreement.clone()).send().await;
    assert_eq!(without.problem(), "400 idempotency-key-missing");
    let long = ada.try_to_place(&"k".repeat(300), &agreement).await;
    assert_eq!(long.problem(), "400 idempotency-key-invalid");
    let strange = ada.try_to_place("kéy", &agreement).await;
    assert_eq!(strange.problem(), "400 idempotency-key-invalid");
    // A refusal is not kept: the same key may try again.
    let eve = world.shopper(&[("C", 1)]).await;
    let mut wrong = eve.agreement("card", "ok").await;
    let right = wrong.clone();
    wrong["expected_total"]["amount_minor"] = json!(1);
    assert_eq!(eve.try_to_place("k", &wrong).await.problem(), "409 price-changed");
    assert!(eve.try_to_place("k", &right).await.status.is_success());
    world.close().await;
}

async fn a_price_that_changed_meanwhile_is_told_and_not_charged(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 2)]).await;
    let seen = ada.agreement("card", "ok").await;
    let dearer = product("A", "Red candle", 1_100, "standard", true).to_string();
    let import = world.post("/products/import").staff("catalogue");
    import.header("content-type", "application/x-ndjson").text(dearer).send().await.expect(200);
    let total = async || ada.look_at_cart().await["totals"]["total_minor"].as_i64();
    world.until_eq(total, Some(2 * 1_100 + 490)).await;
    let refused = ada.try_to_place("k", &seen).await;
    assert_eq!(refused.problem(), "409 price-changed");
    let now = json!({ "amount_minor": 2_690, "currency": "EUR" });
    assert_eq!(refused.json()["total"], now);
    let id = ada.place("card", "ok").await;
    ada.waits_for(&id, "confirmed").await;
    assert_eq!(world.asked_of_provider("create")[0]["amount"], now);
    world.close().await;
}

async fn who_prefers_to_wait_gets_the_settled_order(engine: Engine) {
    let world = World::open_before_the_provider(engine, |_| {}).await;
    let place = async |shopper: &Shopper<'_>, method: &str, wait: &str| {
        let agreement = shopper.agreement(method, "ok").await;
        let path = format!("/carts/{}/order", shopper.cart);
        let request = world.post(&path).guest(&shopper.token).fresh_key().header("prefer", wait);
        request.json(agreement).send().await
    };
    let ada = world.shopper(&[("A", 1)]).await;
    let placed = place(&ada, "on_delivery", "wait=20").await;
    assert_eq!(placed.expect(200)["status"], "confirmed");
    // Without an answer from the provider there is nothing to wait for any longer.
    let bob = world.shopper(&[("A", 1)]).await;
    let placed = place(&bob, "card", "wait=1").await;
    assert_eq!(placed.expect(202)["status"], "pending");
    let id = text(&placed.json()["id"]);
    assert_eq!(placed.header("location"), format!("/api/v1/orders/{id}"));
    world.start_provider();
    bob.waits_for(&id, "confirmed").await;
    world.close().await;
}

/// The events of a stream as (id, name), until one of that name.
async fn follow(
    shopper: &Shopper<'_>,
    id: &str,
    after: Option<i64>,
    last: &str,
) -> Vec<(i64, String)> {
    let mut request = shopper.world.get(&format!("/orders/{id}/events")).guest(&shopper.token);
    if let Some(after) = after {
        request = request.header("last-event-id", &after.to_string());
    }
    let response = request.begin().await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body().into_data_stream();
    let (mut text, mut seen) = (String::new(), Vec::new());
    let read = async {
        while seen.last().is_none_or(|(_, name)| name != last) {
            let chunk = body.next().await.expect("the stream goes on").unwrap();
            text.push_str(std::str::from_utf8(&chunk).unwrap());
            while let Some((event, rest)) = text.split_once("\n\n") {
                let field = |name: &str| {
                    let line = event.lines().find_map(|line| line.strip_prefix(name));
                    line.unwrap_or_default().trim().to_owned()
                };
                if let Ok(version) = field("id:").parse() {
                    let data: Value = serde_json::from_str(&field("data:")).unwrap();
                    assert_eq!(data["version"], version);
                    seen.push((version, field("event:")));
                }
                text = rest.to_owned();
            }
        }
    };
    tokio::time::timeout(crate::support::world::PATIENCE, read).await.expect("news");
    seen
}

async fn who_follows_an_order_misses_nothing_and_hears_nothing_twice(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let id = ada.place("card", "action").await;
    let first = follow(&ada, &id, None, "payment.action_required.v1").await;
    let url = ada.is_sent_to(&id).await;
    let (second, ()) = futures_util::future::join(
        follow(&ada, &id, first.last().map(|(version, _)| *version), "order.confirmed.v1"),
        world.at_the_provider(&url, "confirm"),
    )
    .await;
    let heard: Vec<i64> = first.iter().chain(&second).map(|(version, _)| *version).collect();
    assert_eq!(heard, (1..).take(heard.len()).collect::<Vec<_>>());
    let again = follow(&ada, &id, None, "order.confirmed.v1").await;
    assert_eq!(again, [first, second].concat(), "who comes late reads the same");
    let path = format!("/orders/{id}/events");
    let nonsense = world.get(&path).guest(&ada.token).header("last-event-id", "x").send().await;
    assert_eq!(nonsense.problem(), "422 validation-failed");
    assert_eq!(world.get(&path).guest("kct_wrong").send().await.problem(), "404 not-found");
    world.close().await;
}

async fn an_order_needs_everything_it_needs(engine: Engine) {
    let world = World::open(engine).await;
    let cart = world.post("/carts").json(json!({})).send().await.expect(201);
    let ada = Shopper {
        world: &world,
        cart: text(&cart["id"]),
        token: text(&cart["token"]),
        email: String::new(),
    };
    let agreement = json!({
        "expected_total": { "amount_minor": 0, "currency": "EUR" },
        "payment_method": { "code": "card", "token": "ok" },
        "terms_version": cart["terms_version"],
    });
    assert_eq!(ada.try_to_place("k", &agreement).await.problem(), "422 cart-incomplete");
    let path = format!("/carts/{}/lines/A", ada.cart);
    world.put(&path).guest(&ada.token).json(json!({ "quantity": 1 })).send().await.expect(200);
    let agreement = ada.agreement("card", "ok").await;
    let lacking = ada.try_to_place("k", &agreement).await;
    assert_eq!(lacking.problem(), "422 cart-incomplete");
    assert_eq!(lacking.json()["needs"], json!(["email", "shipping_address", "shipping_method"]));
    let bob = world.shopper(&[("A", 1)]).await;
    let mut agreement = bob.agreement("card", "ok").await;
    agreement["terms_version"] = json!("1999-01");
    assert_eq!(bob.try_to_place("k", &agreement).await.problem(), "422 terms-outdated");
    let agreement = bob.agreement("beads", "ok").await;
    let refused = bob.try_to_place("k", &agreement).await;
    assert_eq!(
        (refused.problem().as_str(), refused.pointer().as_str()),
        ("422 validation-failed", "/payment_method/code")
    );
    world.close().await;
}

async fn a_cart_that_became_an_order_does_not_change(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let id = ada.place("card", "ok").await;
    let path = format!("/carts/{}/lines/A", ada.cart);
    let more = world.put(&path).guest(&ada.token).json(json!({ "quantity": 5 })).send().await;
    assert_eq!(more.problem(), "409 state-conflict");
    assert_eq!(more.json()["order_id"], id);
    let cart = format!("/carts/{}", ada.cart);
    let body = json!({ "email": "eve@example.org" });
    let changed = world.patch(&cart).guest(&ada.token).json(body).send().await;
    assert_eq!(changed.problem(), "409 state-conflict");
    assert_eq!(ada.order(&id).await["email"], ada.email);
    world.close().await;
}
