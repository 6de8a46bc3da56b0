//! The parts of a shop as processes of their own behind a gateway: together they answer as one, and
//! one that is down takes nothing else with it.

use contracts::Source;
use http::Method;

use crate::support::Answer;
use crate::support::apart::{Apart, clerk};
use crate::support::program::{Client, said};

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
    assert_eq!(get(client, "/api/v1/stock/A").await.expect(200)["on_hand"], 3);

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
            let Some(cursor) = page["next"].as_str() else { break };
            path = format!("/api/v1/products?limit=1&cursor={cursor}");
        }
        assert_eq!(seen, 30);
        instances.push(apart.start(Source::Catalogue, killed).await);
    }
}

#[tokio::test]
async fn a_part_that_is_not_configured_says_what_is_missing() {
    let apart = Apart::new(0).await;
    let refusals: [(&str, &[(&str, &str)], &str); 3] = [
        ("gateway", &[], "gateway.services"),
        ("order", &[("KONTOR_NATS__SERVERS", "[]")], "nats.servers"),
        ("order", &[("KONTOR_HTTP__CURSOR_KEY", "short")], "http.cursor_key"),
    ];
    for (part, variables, key) in refusals {
        let mut command = apart.command(&["run", part]);
        command.envs(variables.iter().copied());
        let refused = said(command.output().unwrap());
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(refused.err.contains(key), "{key} is not in {}", refused.err);
    }
}
