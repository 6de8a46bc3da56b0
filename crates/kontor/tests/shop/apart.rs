//! The parts of a shop as processes of their own behind a gateway: together they answer as one, and
//! one that is down takes nothing else with it.

use std::time::Duration;

use bench::ports::free_address;
use chaos::Proxy;
use contracts::Source;
use http::Method;
use kontor::config::Postgres;
use platform::clock::Clock;
use platform::config::Credential;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::Answer;
use crate::support::apart::{Apart, clerk};
use crate::support::program::{Client, said};
use crate::support::shopper::{address, text};
use crate::support::world::{PATIENCE, databases};

async fn get(client: &mut Client, path: &str) -> Answer {
    client.send(Method::GET, path, &[clerk()], "").await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_of_seven_processes_answers_as_one() {
    let apart = Apart::new(1).await;
    let (_services, gateway) = (apart.start_all().await, apart.start_gateway().await);
    assert_eq!(apart.import(&["A", "B"]).await["created"], 2);
    let client = &mut apart.client().await;
    for path in ["products", "orders", "shipments", "payments", "messages", "customers"] {
        let answer = get(client, &format!("/api/v1/{path}")).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        for header in ["x-content-type-options", "content-security-policy", "cache-control"] {
            assert_eq!(answer.headers.get_all(header).iter().count(), 1, "{path}: {header}");
        }
    }
    let receipt = r#"{"items": [{"sku": "A", "quantity": 3}]}"#;
    let headers = [clerk(), ("idempotency-key", "receipt-1")];
    let path = "/api/v1/stock/receipts";
    let first = client.send(Method::POST, path, &headers, receipt).await.unwrap();
    assert!(first.status.is_success(), "{first:?}");
    let again = client.send(Method::POST, path, &headers, receipt).await.unwrap();
    assert_eq!(again.text, first.text, "under one key it is done once");
    assert_eq!(get(client, "/api/v1/stock/A").await.expect(200)["available"], 3);

    // What there is, the gateway knows by itself; what is refused is refused as always.
    assert_eq!(get(client, "/api/v1/nothing").await.problem(), "404 not-found");
    assert_eq!(get(client, "/metrics").await.problem(), "404 not-found");
    let wrong = client.send(Method::DELETE, "/api/v1/products", &[], "").await.unwrap();
    assert_eq!(wrong.problem(), "405 method-not-allowed");
    assert!(wrong.header("allow").contains("GET"), "{wrong:?}");
    let unknown = client.send(Method::POST, "/api/v1/carts", &[], r#"{"price": 1}"#).await.unwrap();
    assert_eq!(unknown.problem(), "422 unknown-field");
    let large = format!(r#"{{"language": "{}"}}"#, "x".repeat(2 << 20));
    let large = client.send(Method::POST, "/api/v1/carts", &[], &large).await.unwrap();
    assert_eq!(large.problem(), "413 payload-too-large");
    let client = &mut apart.client().await;
    let described = get(client, "/api/openapi.json").await.expect(200);
    assert!(described["paths"]["/api/v1/payments/{id}"].is_object());
    for page in ["/api", "/problems/answer-lost", "/problems/answer-late"] {
        assert_eq!(get(client, page).await.status, 200, "{page}");
    }
    assert_eq!(gateway.stop().await.code(), Some(0), "{}", apart.log());
}

/// A cart with everything filled in.
pub struct Cart {
    /// Where it becomes an order.
    pub path: String,
    /// The token that opens it, and the order.
    pub token: String,
    /// What its shopper agrees to: to pay at the door.
    pub agreement: String,
}

/// Puts this piece into a cart.
pub async fn cart(apart: &Apart, sku: &str) -> Cart {
    let cart = json!({
        "lines": [{ "sku": sku, "quantity": 1 }], "email": "ada@example.com",
        "shipping_address": address(), "shipping_method": "standard",
    });
    // The order service hears of products when it hears of them.
    let cart = apart.until_made("/api/v1/carts", &cart.to_string()).await;
    let agreement = json!({
        "expected_total": { "amount_minor": cart["totals"]["total_minor"], "currency": "EUR" },
        "payment_method": { "code": "on_delivery" },
        "terms_version": cart["terms_version"],
    });
    let path = format!("/api/v1/carts/{}/order", text(&cart["id"]));
    Cart { path, token: text(&cart["token"]), agreement: agreement.to_string() }
}

/// Puts this piece into a cart and orders it; answers the order's id and the token that opens it.
pub async fn order(apart: &Apart, sku: &str) -> (String, String) {
    let Cart { path, token, agreement } = cart(apart, sku).await;
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "the-first")];
    let mut client = apart.client().await;
    let placed = client.send(Method::POST, &path, &headers, &agreement).await.unwrap();
    assert!(placed.status.is_success(), "{placed:?}");
    (text(&placed.json()["id"]), token)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_followed_through_seven_processes() {
    let apart = Apart::new(1).await;
    let (_services, gateway) = (apart.start_all().await, apart.start_gateway().await);
    apart.import(&["A"]).await;
    let headers = [clerk(), ("idempotency-key", "receipt-1")];
    let receipt = r#"{"items": [{"sku": "A", "quantity": 3}]}"#;
    let client = &mut apart.client().await;
    let received = client.send(Method::POST, "/api/v1/stock/receipts", &headers, receipt).await;
    assert!(received.unwrap().status.is_success());
    let (id, token) = order(&apart, "A").await;
    let mut events = TcpStream::connect(apart.gateway.public).await.unwrap();
    let asked = format!(
        "GET /api/v1/orders/{id}/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    events.write_all(asked.as_bytes()).await.unwrap();
    let told = read_until(&mut events, "order.confirmed.v1").await;
    for event in ["order.placed.v1", "stock.reserved.v1", "stock.allocated.v1"] {
        assert!(told.contains(event), "{event} is not in {told}");
    }
    // A gateway that stops does not leave a stream hanging, nor wait for it.
    assert_eq!(gateway.stop().await.code(), Some(0), "{}", apart.log());
    read_until(&mut events, "0\r\n\r\n").await;
}

/// Reads until this has come.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut bytes = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&bytes).contains(end) {
            let read = stream.read_buf(&mut bytes).await.unwrap();
            assert!(read > 0, "it ended: {}", String::from_utf8_lossy(&bytes));
        }
    };
    let read = tokio::time::timeout(PATIENCE, reading).await;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert!(read.is_ok(), "{end} never came: {text}");
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_down_takes_nothing_else_with_it() {
    let apart = Apart::new(1).await;
    let _gateway = apart.start_gateway().await;
    let client = &mut apart.client().await;
    assert_eq!(get(client, "/api/v1/products").await.problem(), "503 unavailable");
    let _catalogue = apart.start(Source::Catalogue, 0).await;
    apart.until("/api/v1/products", |answer| answer.status == 200).await;
    let down = get(client, "/api/v1/orders").await;
    assert_eq!(down.problem(), "503 unavailable");
    assert!(!down.header("retry-after").is_empty(), "{down:?}");
    let mut inside = Client::connect(apart.gateway.inside).await.unwrap();
    let ready = inside.send(Method::GET, "/readyz", &[], "").await.unwrap();
    assert_eq!(ready.status, 200, "the rest can be had: {ready:?}");
    let figures = inside.send(Method::GET, "/metrics", &[], "").await.unwrap().text;
    for (name, labels) in [
        ("upstream_requests_total", ["service=\"order\"", "outcome=\"unreachable\""]),
        ("upstream_requests_total", ["service=\"catalogue\"", "outcome=\"answered\""]),
    ] {
        let is_it =
            |line: &&str| line.starts_with(name) && labels.iter().all(|label| line.contains(label));
        let line = figures.lines().find(is_it);
        assert!(line.is_some_and(|line| !line.ends_with(" 0")), "{labels:?}: {figures}");
    }
    let orders = apart.start(Source::Order, 0).await;
    apart.until("/api/v1/orders", |answer| answer.status == 200).await;
    orders.kill();
    apart.until("/api/v1/orders", |answer| answer.problem() == "503 unavailable").await;
    let _orders = apart.start(Source::Order, 0).await;
    apart.until("/api/v1/orders", |answer| answer.status == 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_starts_before_its_database_waits_for_it() {
    let postgres = databases("_{service}").await;
    let url = postgres.url.reveal().to_owned();
    let (before, rest) = url.split_once('@').unwrap();
    let (server, after) = rest.split_once('/').unwrap();
    let late = free_address();
    let url = Credential::new(format!("{before}@{late}/{after}"));
    let apart = Apart::reaching(1, Postgres { url, ..postgres });
    let server = server.parse().unwrap();
    let database = async {
        Clock::system().sleep(Duration::from_millis(1_500)).await;
        Proxy::open(late, server).await.unwrap()
    };
    // `start` waits until it is ready.
    let (_customer, _database) = tokio::join!(apart.start(Source::Customer, 0), database);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_instances_either_may_be_killed_and_nobody_notices() {
    let apart = Apart::new(2).await;
    let mut instances =
        vec![apart.start(Source::Catalogue, 0).await, apart.start(Source::Catalogue, 1).await];
    let _gateway = apart.start_gateway().await;
    let skus: Vec<String> = (0..30).map(|number| format!("S{number:02}")).collect();
    let skus: Vec<&str> = skus.iter().map(String::as_str).collect();
    assert_eq!(apart.import(&skus).await["created"], 30);
    let client = &mut apart.client().await;
    for killed in [0, 1] {
        let mut seen = 0;
        let mut path = "/api/v1/products?limit=1".to_owned();
        loop {
            if seen == 10 {
                instances.remove(0).kill();
            }
            let page = get(client, &path).await.expect(200);
            seen += page["items"].as_array().unwrap().len();
            // A cursor of one instance is understood by the other.
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/api/v1/products?limit=1&cursor={cursor}");
        }
        assert_eq!(seen, 30);
        instances.push(apart.start(Source::Catalogue, killed).await);
    }
}

#[tokio::test]
async fn a_part_that_is_not_configured_says_what_is_missing() {
    let apart = Apart::new(0).await;
    for (part, (name, value), key) in [
        ("gateway", ("KONTOR_LOG__FILTER", "error"), "gateway.services"),
        ("order", ("KONTOR_NATS__SERVERS", "[]"), "nats.servers"),
        ("order", ("KONTOR_HTTP__CURSOR_KEY", "short"), "http.cursor_key"),
    ] {
        let mut command = apart.command(&["run", part]);
        command.env(name, value);
        let refused = said(command.output().unwrap());
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(refused.err.contains(key), "{key} is not in {}", refused.err);
    }
}
