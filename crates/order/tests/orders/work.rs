//! How much work each use case is for the database: no statement more for a row more.

use contracts::events::{PaymentAuthorized, StockAllocated, StockReserved};
use contracts::{Payload, Timestamp};
use http::StatusCode;
use order::Orders;
use order::store::STATEMENTS;
use platform::clock::Clock;
use platform::db::Work;
use platform::service::Host;
use platform::testing;
use serde_json::json;

use super::shop::{BOOK, CANDLE, Placed, Shop, address, eur, payment_id, shops};

#[tokio::test]
async fn every_statement_is_understood_by_both_engines() {
    for db in testing::databases::<Orders>(&Clock::standing_at(testing::NOON)).await {
        db.prepare(STATEMENTS).await.unwrap();
    }
}

/// Work without the bookkeeping of the tests themselves.
fn done(shop: &Shop, before: Work) -> (u64, u64, u64) {
    let Work { statements, rows_written, commits, .. } = shop.db.work().since(before);
    (statements, rows_written, commits)
}

#[tokio::test]
async fn an_order_of_two_lines_costs_so_many_statements_and_rows() {
    for shop in shops().await {
        let before = shop.db.work();
        let lines = json!([{ "sku": CANDLE, "quantity": 1 }, { "sku": BOOK, "quantity": 1 }]);
        let opened = shop.post("/carts", "", json!({ "lines": lines })).await.json;
        // Two offers and the cart.
        assert_eq!(done(&shop, before), (3, 1, 1));

        let before = shop.db.work();
        let contact = json!({
            "email": "ada@example.org",
            "shipping_address": address(),
            "shipping_method": "standard",
        });
        let token = opened["token"].as_str().unwrap();
        let path = format!("/carts/{}", opened["id"].as_str().unwrap());
        let ready = shop.patch(&path, token, contact).await.json;
        // The cart, two offers, the cart.
        assert_eq!(done(&shop, before), (4, 1, 1));

        let before = shop.db.work();
        let cart = super::shop::OpenCart {
            id: opened["id"].as_str().unwrap().to_owned(),
            token: token.to_owned(),
            total_minor: ready["totals"]["total_minor"].as_i64().unwrap(),
        };
        assert_eq!(shop.place(&cart, "k").await.status, StatusCode::ACCEPTED);
        // Key, cart, two offers; cart, order, timeline, key, timer, event.
        let (statements, rows, commits) = done(&shop, before);
        assert_eq!((statements, rows, commits), (10, 6, 1));
    }
}

#[tokio::test]
async fn a_batch_costs_the_same_for_each_order_however_large_it_is() {
    for shop in shops().await {
        let mut orders = Vec::new();
        for _ in 0..100 {
            orders.push(shop.placed().await);
        }
        let batch = |news: fn(&Placed) -> Payload| {
            let event =
                |order: &Placed| testing::event(&shop.db, order.id.to_string(), 1, news(order));
            orders.iter().map(event).collect::<Vec<_>>()
        };
        let reserved = batch(|order| {
            let expires_at = Timestamp::from_micros(0);
            StockReserved { order_id: order.id, expires_at }.into()
        });
        let paid_and_allocated = {
            let mut events = batch(|order| {
                let amount = eur(5_630);
                PaymentAuthorized { payment_id: payment_id(), order_id: order.id, amount }.into()
            });
            events.extend(batch(|order| StockAllocated { order_id: order.id }.into()));
            events
        };
        let kernel = |events: usize| u64::try_from(events * 2).unwrap();
        let count = async |events: Vec<std::sync::Arc<contracts::Envelope>>| {
            let handled = kernel(events.len());
            let before = shop.db.work();
            shop.host.deliver(events).await.unwrap();
            let (statements, rows, commits) = done(&shop, before);
            (
                statements - handled,
                rows - handled / 2,
                commits,
                shop.db.work().since(before).round_trips,
            )
        };
        // Statements share a wait only where there is a server to wait for.
        let most = |pipelined: u64| if shop.db.sqlite().is_some() { u64::MAX } else { pipelined };
        // For each: the order is read, its timeline written. The kernel reads and writes its inbox.
        let (statements, rows, commits, round_trips) = count(reserved).await;
        assert_eq!((statements, rows, commits), (200, 100, 1));
        assert!(round_trips <= most(8), "{round_trips}");
        // Two events for each: read once, written once; timeline, event and timer once.
        let (statements, rows, commits, round_trips) = count(paid_and_allocated).await;
        assert_eq!((statements, rows, commits), (500, 400, 1));
        assert!(round_trips <= most(10), "{round_trips}");
        assert_eq!(shop.status(&orders[99]).await, "confirmed");
    }
}
