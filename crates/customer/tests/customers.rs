//! The customer service through its events and its HTTP routes, on both engines.
#![allow(clippy::unwrap_used, reason = "in a test, what cannot be is a failure")]

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use contracts::events::OrderPlaced;
use contracts::{EventData, OrderId};
use customer::{Customers, routes, store};
use http_body_util::BodyExt;
use platform::clock::Clock;
use platform::db::{Db, Work};
use platform::http::HttpContext;
use platform::service::{Host, Hosted};
use platform::testing;
use serde_json::{Value, json};
use tower::ServiceExt;

struct Shop {
    db: Db,
    host: Arc<Hosted<Customers>>,
    app: Router,
}

async fn shops() -> Vec<Shop> {
    let clock = Clock::standing_at(testing::NOON);
    let databases = testing::databases::<Customers>(&clock).await;
    databases
        .into_iter()
        .map(|db| {
            let service = Arc::new(Customers::new(db.clone()));
            let (router, _) = routes(Arc::clone(&service)).split_for_parts();
            let app = platform::http::app(router, HttpContext::for_test());
            Shop { db, host: Hosted::new(service), app }
        })
        .collect()
}

impl Shop {
    /// An order of `email`, placed so many seconds after noon.
    async fn order(&self, email: &str, street: &str, second: i64) {
        self.orders(&[(email, street, second)]).await;
    }

    async fn orders(&self, orders: &[(&str, &str, i64)]) {
        let events = orders.iter().map(|(email, street, second)| {
            let id: OrderId = self.db.ids().id();
            testing::event(&self.db, id.to_string(), 1, placed(id, email, street, *second))
        });
        self.host.deliver(events.collect()).await.unwrap();
    }

    async fn get(&self, path: &str, token: Option<&str>) -> (StatusCode, Value) {
        let mut request = Request::get(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Body::empty()).unwrap();
        let response = self.app.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn support(&self, path: &str) -> Value {
        let (status, body) = self.get(path, Some("kst_test_support")).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    }
}

fn placed(order_id: OrderId, email: &str, street: &str, second: i64) -> OrderPlaced {
    let at = format!("2026-11-22T12:00:{second:02}Z");
    serde_json::from_value(json!({
        "order_id": order_id, "number": "K-1", "cart_id": order_id, "access_hash": "",
        "buyer": {"email": email, "language": "en"}, "currency": "EUR", "lines": [],
        "shipping": {"method": "standard", "name": "Parcel", "amounts": [], "address": {
            "name": "Anna", "street": street, "city": "Bonn", "country": "DE"}},
        "tax_mode": "included", "taxes": [], "total": {"amount_minor": 0, "currency": "EUR"},
        "payment_method": {"code": "card"}, "terms_version": "1", "placed_at": at, "deadline": at,
    }))
    .unwrap()
}

#[tokio::test]
async fn every_statement_is_taken_by_both_engines() {
    for shop in shops().await {
        shop.db.prepare(store::STATEMENTS).await.unwrap();
    }
}

#[tokio::test]
async fn a_guest_is_known_once_however_often_and_however_spelt_they_buy() {
    for shop in shops().await {
        shop.order("Anna@Example.org", "A 1", 1).await;
        shop.order("anna@example.org", "A 1", 2).await;
        shop.order(" ANNA@example.org ", "B 2", 3).await;
        let registered = "customer.registered.v1";
        // The spelling changed, and then the spelling and the address did.
        let expected = [registered, "customer.updated.v1", "customer.updated.v1"];
        assert_eq!(testing::said(&shop.db).await, expected);
        let all = shop.support("/customers").await;
        assert_eq!(all["items"].as_array().unwrap().len(), 1);
        let contact = &all["items"][0]["contact"];
        assert_eq!(contact["email"], "ANNA@example.org");
        assert_eq!(contact["addresses"][0]["address"]["street"], "B 2");
        assert_eq!(contact["addresses"].as_array().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn what_others_are_told_carries_no_personal_data() {
    for shop in shops().await {
        shop.order("anna@example.org", "Secret Street 1", 1).await;
        shop.order("anna@example.org", "Secret Street 2", 2).await;
        for event in testing::published(&shop.db).await {
            let text = event.to_json();
            assert!(!text.contains("anna@") && !text.contains("Secret"), "{text}");
        }
    }
}

#[tokio::test]
async fn orders_of_one_person_in_one_batch_are_heard_one_after_the_other() {
    for shop in shops().await {
        let before = shop.db.work();
        shop.orders(&[
            ("a@x.example", "A 1", 1),
            ("b@x.example", "B 1", 2),
            ("a@x.example", "A 2", 3),
        ])
        .await;
        let work = shop.db.work().since(before);
        let all = shop.support("/customers").await;
        assert_eq!(all["items"].as_array().unwrap().len(), 2);
        assert_eq!(testing::said(&shop.db).await.len(), 3);
        assert_eq!(work.commits, 1);
        // Two people, three events, and that three events were handled.
        assert_eq!(work.rows_written, 2 + 3 + 3);
        // Three selects, two inserts; the kernel's own are three to find and three to remember what
        // was handled, and three to publish. Nothing grows with the number of people known.
        assert_eq!(work.statements, 2 + 2 + 3 + 3 + 3);
    }
}

#[tokio::test]
async fn staff_find_a_person_by_their_address_and_page_through_all() {
    for shop in shops().await {
        for n in 0..5 {
            shop.order(&format!("c{n}@x.example"), "A 1", n).await;
        }
        let one = shop.support("/customers?email=C3%40X.example").await;
        assert_eq!(one["items"][0]["contact"]["email"], "c3@x.example");
        assert_eq!(one["items"].as_array().unwrap().len(), 1);
        let id = one["items"][0]["id"].as_str().unwrap();
        assert_eq!(shop.support(&format!("/customers/{id}")).await, one["items"][0]);

        let mut seen = Vec::new();
        let mut path = "/customers?limit=2".to_owned();
        loop {
            let page = shop.support(&path).await;
            let emails = page["items"].as_array().unwrap().iter();
            seen.extend(emails.map(|c| c["contact"]["email"].as_str().unwrap().to_owned()));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/customers?limit=2&cursor={cursor}");
        }
        let expected: Vec<String> = (0..5).rev().map(|n| format!("c{n}@x.example")).collect();
        assert_eq!(seen, expected);
    }
}

#[tokio::test]
async fn nobody_but_support_learns_who_a_person_is() {
    let guest = format!("kct_{}", "0".repeat(64));
    for shop in shops().await {
        shop.order("anna@example.org", "A 1", 1).await;
        let id = shop.support("/customers").await["items"][0]["id"].as_str().unwrap().to_owned();
        for path in ["/customers".to_owned(), format!("/customers/{id}")] {
            for (token, expected) in [
                (None, 401),
                (Some(guest.as_str()), 403),
                (Some("kst_test_warehouse"), 403),
                (Some("kst_test_admin"), 200),
            ] {
                let (status, body) = shop.get(&path, token).await;
                assert_eq!(status.as_u16(), expected, "{path} {token:?} {body}");
            }
        }
        let nobody = "/customers/00000000-0000-7000-8000-000000000000";
        let (status, body) = shop.get(nobody, Some("kst_test_support")).await;
        assert_eq!((status, &body["type"]), (StatusCode::NOT_FOUND, &json!("/problems/not-found")));
        assert_eq!(shop.get("/customers?x=1", Some("kst_test_support")).await.0.as_u16(), 422);
    }
}

#[test]
fn the_events_it_says_are_its_own() {
    use platform::service::Service;
    for kind in Customers::PUBLISHES {
        assert_eq!(kind.source, Customers::SOURCE);
    }
    assert_eq!(Customers::REACTIONS[0].on, OrderPlaced::KIND);
}

/// Statements, rows written and units committed since.
fn done(shop: &Shop, before: Work) -> (u64, u64, u64) {
    let Work { statements, rows_written, commits, .. } = shop.db.work().since(before);
    (statements, rows_written, commits)
}

#[tokio::test]
async fn a_page_of_twenty_people_takes_as_many_statements_as_a_page_of_one() {
    for shop in shops().await {
        for n in 0..20 {
            shop.order(&format!("c{n}@x.example"), "A 1", n).await;
        }
        let mut id = String::new();
        for items in [1, 20] {
            let before = shop.db.work();
            let page = shop.support(&format!("/customers?limit={items}")).await;
            assert_eq!(done(&shop, before), (1, 0, 0));
            assert_eq!(page["items"].as_array().unwrap().len(), items);
            page["items"][0]["id"].as_str().unwrap().clone_into(&mut id);
        }
        for path in [format!("/customers/{id}"), "/customers?email=c3@x.example".to_owned()] {
            let before = shop.db.work();
            shop.support(&path).await;
            assert_eq!(done(&shop, before), (1, 0, 0), "{path}");
        }
    }
}
