//! The demo shop: what `make run` starts, and the order that the README places in it.

use std::time::Duration;

use http::Method;
use platform::clock::Clock;
use serde_json::{Value, json};

use crate::support::program::{Client, Place, STAFF};
use crate::support::shopper::{address, text};

const README: &str = include_str!("../../../../README.md");
/// The goods of the README's order.
const GOODS: [&str; 2] = ["85123A", "22423"];

/// Asks until the answer is what is wanted.
async fn until(
    client: &mut Client,
    path: &str,
    token: &str,
    done: impl Fn(&Value) -> bool,
) -> Value {
    let bearer = format!("Bearer {token}");
    for _ in 0..2_000 {
        let headers = [("authorization", bearer.as_str())];
        let seen = client.send(Method::GET, path, &headers, "").await.unwrap();
        if seen.status == 200 && done(&seen.json()) {
            return seen.json();
        }
        Clock::system().sleep(Duration::from_millis(10)).await;
    }
    panic!("{path} never came to what was wanted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_order_in_the_demo_shop_can_be_placed_at_once() {
    for sku in GOODS {
        assert!(README.contains(&format!("\"sku\": \"{sku}\"")), "the README orders {sku}");
    }
    let place = Place::for_a_demo().await;
    let running = place.start_demo().await;
    let mut client = Client::connect(place.listen).await.unwrap();
    let (id, token) = buy(&mut client).await;
    send_off(&mut client, &id).await;
    let timeline = format!("/api/v1/orders/{id}/timeline");
    let four_mails = |timeline: &Value| {
        let entries = timeline["entries"].as_array().unwrap().iter();
        entries.filter(|entry| entry["event"] == "message.sent.v1").count() == 4
    };
    until(&mut client, &timeline, &token, four_mails).await;
    assert_eq!(std::fs::read_dir(place.data().join("mail")).unwrap().count(), 4);
    let doctor = place.run(&["doctor"]);
    assert_eq!((doctor.code, doctor.out.as_str()), (0, "All promises hold.\n"), "{doctor:?}");
    assert_eq!(running.stop().await.code(), Some(0));
    // The second start asks for nothing and loads nothing again.
    let (again, ready) = place.start().await;
    assert!(ready < Duration::from_secs(5), "{ready:?}");
    let mut client = Client::connect(place.listen).await.unwrap();
    let path = format!("/api/v1/orders/{id}");
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let seen = client.send(Method::GET, &path, &headers, "").await.unwrap();
    assert_eq!(seen.expect(200)["fulfilment_status"], "fulfilled");
    assert_eq!(again.stop().await.code(), Some(0));
}

/// Buys the README's goods; answers the order and the token that opens it.
async fn buy(client: &mut Client) -> (String, String) {
    let lines: Vec<Value> = GOODS.map(|sku| json!({ "sku": sku, "quantity": 1 })).to_vec();
    let cart = json!({
        "lines": lines, "email": "ada@example.com", "shipping_address": address(),
        "shipping_method": "standard",
    });
    let cart = client.send(Method::POST, "/api/v1/carts", &[], &cart.to_string()).await.unwrap();
    let cart = cart.expect(201);
    let token = text(&cart["token"]);
    let bearer = format!("Bearer {token}");
    let order = json!({
        "expected_total": { "amount_minor": cart["totals"]["total_minor"], "currency": "EUR" },
        "payment_method": { "code": "card", "token": "ok" },
        "terms_version": cart["terms_version"],
    });
    let path = format!("/api/v1/carts/{}/order", text(&cart["id"]));
    let headers = [
        ("authorization", bearer.as_str()),
        ("idempotency-key", "the-first"),
        ("prefer", "wait=10"),
    ];
    let placed = client.send(Method::POST, &path, &headers, &order.to_string()).await.unwrap();
    let placed = placed.expect(200);
    assert_eq!(
        (text(&placed["status"]), text(&placed["payment_status"])),
        ("confirmed".into(), "authorised".into())
    );
    (text(&placed["id"]), token)
}

/// Packs the order's parcel and gives it to the carrier.
async fn send_off(client: &mut Client, order: &str) {
    let parcels = format!("/api/v1/shipments?order_id={order}");
    let there = |list: &Value| list["items"].as_array().is_some_and(|items| !items.is_empty());
    let list = until(client, &parcels, STAFF, there).await;
    let parcel = text(&list["items"][0]["id"]);
    let clerk = format!("Bearer {STAFF}");
    let headers = [("authorization", clerk.as_str())];
    let pack = format!("/api/v1/shipments/{parcel}/pack");
    client.send(Method::POST, &pack, &headers, "{}").await.unwrap().expect(200);
    until(client, &parcels, STAFF, |list| list["items"][0]["status"] == "ready").await;
    let dispatch = format!("/api/v1/shipments/{parcel}/dispatch");
    let body = r#"{"carrier": "DHL", "tracking": "00340434161094042557"}"#;
    client.send(Method::POST, &dispatch, &headers, body).await.unwrap().expect(200);
}
