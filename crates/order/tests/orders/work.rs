//! How much work each use case is for the database: no statement more for a row more.

use axum::body::Body;
use contracts::events::{
    LineQuantity, PaymentAuthorized, ReleaseReason, ShipmentDelivered, ShipmentDispatched,
    StockAllocated, StockReleased, StockReserved,
};
use contracts::{Payload, Timestamp};
use http::{Request, StatusCode};
use order::Orders;
use order::store::STATEMENTS;
use platform::clock::Clock;
use platform::db::{Result, Tx, Unit, Work};
use platform::service::Host;
use platform::testing;
use serde_json::{Value, json};
use uuid::Uuid;

use super::shop::{
    BOOK, CANDLE, Placed, Shop, address, captured, eur, payment_id, request, shipment_id, shops,
};

const SUPPORT: &str = "kst_test_support";

#[tokio::test]
async fn every_statement_is_understood_by_both_engines() {
    for db in testing::databases::<Orders>(&Clock::standing_at(testing::NOON)).await {
        db.prepare(STATEMENTS).await.unwrap();
    }
}

/// What SQLite would do for a statement.
struct Plan(&'static str);

impl Unit for Plan {
    type Out = String;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<String> {
        let all =
            [tx.id::<Uuid>().uuid().into(), 10_i64.into(), "a".into(), "b".into(), "c".into()];
        let count = (1..=5).filter(|n| self.0.contains(&format!("${n}"))).count();
        let sql = format!("EXPLAIN QUERY PLAN {}", self.0);
        let steps: Vec<(i64, i64, i64, String)> = tx.fetch_all(&sql, &all[..count]).await?;
        Ok(steps.into_iter().map(|(.., step)| step).collect::<Vec<_>>().join("; "))
    }
}

#[tokio::test]
async fn whatever_staff_look_for_is_found_by_an_index() {
    let db = testing::on_sqlite::<Orders>(&Clock::standing_at(testing::NOON));
    let lists = STATEMENTS.iter().filter(|sql| sql.contains("ORDER BY id DESC"));
    let mut plans = Vec::new();
    for sql in lists {
        plans.push(db.read(Plan(sql)).await.unwrap());
    }
    let wanted =
        ["sqlite_autoindex_orders_1", "orders_status", "orders_buyer", "sqlite_autoindex_orders_2"];
    assert_eq!(plans.len(), wanted.len(), "{plans:?}");
    for (plan, index) in plans.iter().zip(wanted) {
        assert!(plan.starts_with("SEARCH orders USING INDEX "), "{plan}");
        assert!(plan.contains(index), "{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
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
        // The first cart of a day sees to it that old ones are swept.
        shop.post("/carts", "", json!({})).await;
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

/// What it costs to do as asked.
async fn cost(shop: &Shop, asked: Request<Body>) -> (u64, u64, u64) {
    let before = shop.db.work();
    let answer = shop.send(asked).await;
    assert!(answer.status.is_success(), "{:?}", answer.json);
    done(shop, before)
}

/// What it costs to hear news of an order.
async fn hearing(shop: &Shop, order: &Placed, news: impl Into<Payload>) -> (u64, u64, u64) {
    let before = shop.db.work();
    shop.tell(order, news).await;
    done(shop, before)
}

#[tokio::test]
async fn each_thing_that_becomes_of_an_order_costs_so_many_statements_and_rows() {
    for shop in shops().await {
        let ask = |order: &Placed, what: &str, token: &str, body: Option<Value>| {
            request("POST", &format!("/orders/{}/{what}", order.id), token, body)
        };
        let pending = shop.placed().await;
        let cancel = ask(&pending, "cancel", &pending.token, Some(json!({})));
        assert_eq!(cost(&shop, cancel).await, (9, 5, 1));

        let order = shop.confirmed().await;
        let why = Some(json!({ "reason": "somebody has to look" }));
        assert_eq!(cost(&shop, ask(&order, "hold", SUPPORT, why)).await, (5, 3, 1));
        assert_eq!(cost(&shop, ask(&order, "resume", SUPPORT, None)).await, (5, 3, 1));
        assert_eq!(hearing(&shop, &order, captured(&order, 5_630)).await, (5, 3, 1));
        let shown = shop.order(&order).await;
        let line = |line: &Value| LineQuantity {
            line_id: line["line_id"].as_str().unwrap().parse().unwrap(),
            sku: line["sku"].as_str().unwrap().parse().unwrap(),
            quantity: line["quantity"].as_i64().unwrap(),
        };
        let lines: Vec<_> = shown["lines"].as_array().unwrap().iter().map(line).collect();
        let (shipment_id, order_id) = (shipment_id(), order.id);
        let dispatched = ShipmentDispatched {
            shipment_id,
            order_id,
            lines: lines.clone(),
            carrier: "Courier".to_owned(),
            tracking: "T-1".to_owned(),
        };
        assert_eq!(hearing(&shop, &order, dispatched).await, (5, 3, 1));
        let delivered = ShipmentDelivered { shipment_id, order_id, lines };
        assert_eq!(hearing(&shop, &order, delivered).await, (6, 4, 1));
        let goodwill = json!({ "amount_minor": 1_000, "reason": "sorry" });
        let mut refund = ask(&order, "refunds", SUPPORT, Some(goodwill));
        refund.headers_mut().insert("idempotency-key", "k".parse().unwrap());
        assert_eq!(cost(&shop, refund).await, (7, 4, 1));

        let order = shop.confirmed().await;
        let cancel = ask(&order, "cancel", &order.token, Some(json!({})));
        assert_eq!(cost(&shop, cancel).await, (7, 4, 1));
        let released = StockReleased { order_id: order.id, reason: ReleaseReason::Cancelled };
        assert_eq!(hearing(&shop, &order, released).await, (9, 6, 1));
    }
}

#[tokio::test]
async fn a_page_of_twenty_orders_takes_as_many_statements_as_a_page_of_one() {
    for shop in shops().await {
        let mut orders = Vec::new();
        for _ in 0..20 {
            orders.push(shop.placed().await);
        }
        for list in ["/orders?", "/orders?status=pending&", "/orders?email=ada@example.org&"] {
            for items in [1, 20] {
                let before = shop.db.work();
                let page = shop.get(&format!("{list}limit={items}"), SUPPORT).await;
                assert_eq!(done(&shop, before), (1, 0, 0), "{list}");
                assert_eq!(page.json["items"].as_array().unwrap().len(), items);
            }
        }
        let (page, guest) = (format!("/orders/{}", orders[0].id), orders[0].token.as_str());
        let looks = [
            (page.clone(), guest, (1, 0, 0)),
            (page.clone(), SUPPORT, (1, 0, 0)),
            (format!("{page}/timeline"), guest, (2, 0, 0)),
            (format!("{page}/timeline"), SUPPORT, (1, 0, 0)),
            (format!("/carts/{}", orders[0].cart_id), guest, (3, 0, 0)),
        ];
        for (path, token, expected) in looks {
            assert_eq!(cost(&shop, request("GET", &path, token, None)).await, expected, "{path}");
        }
    }
}
