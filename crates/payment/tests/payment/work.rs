//! How much work a batch costs: it must not grow with the number of orders where it need not.

use contracts::events::{
    LineQuantity, OrderCancelled, PlacedLine, RefundGranted, ShipmentPacked, StockReserved,
};
use contracts::{OrderId, Payload};
use payment::PaymentService;
use platform::db::Work;
use platform::service::Host;
use platform::testing;
use serde_json::json;

use crate::shop::{Shop, eur, shops, taxed};

const ORDERS: usize = 100;

const SUPPORT: &str = "kst_test_support";

#[tokio::test]
async fn every_statement_is_understood_by_both_engines() {
    for shop in shops().await {
        shop.db.prepare(payment::store::STATEMENTS).await.unwrap();
    }
}

#[test]
fn the_books_are_only_ever_added_to() {
    for statement in payment::store::STATEMENTS {
        let books =
            ["payment_journals", "payment_postings", "payment_documents", "payment_operations"];
        let changes = statement.starts_with("UPDATE") || statement.starts_with("DELETE");
        assert!(!changes || books.iter().all(|table| !statement.contains(table)), "{statement}");
    }
}

async fn until_authorised(shop: &Shop) -> Work {
    let orders: Vec<_> = (0..ORDERS).map(|_| shop.order("card", "ok")).collect();
    let placed = orders
        .iter()
        .map(|order| testing::event(&shop.db, order.id.to_string(), 1, order.event.clone()))
        .collect();
    let reserved = orders
        .iter()
        .map(|order| {
            let expires_at = order.event.deadline;
            let reserved = StockReserved { order_id: order.id, expires_at };
            testing::event(&shop.db, order.id.to_string(), 1, reserved)
        })
        .collect();
    let before = shop.db.work();
    shop.host.deliver(placed).await.unwrap();
    shop.host.deliver(reserved).await.unwrap();
    let tasks = shop.host.claim_effects(256).await.unwrap();
    assert_eq!(tasks.len(), ORDERS);
    let mut done = Vec::new();
    for task in tasks {
        let performed = shop.host.perform(&task).await;
        done.push((task, performed));
    }
    shop.host.record(done).await.unwrap();
    let work = shop.db.work().since(before);
    assert_eq!(shop.said().await.len(), ORDERS);
    work
}

#[tokio::test]
async fn a_hundred_orders_are_authorised_in_few_rows_each_and_few_round_trips_in_all() {
    for shop in shops().await {
        let work = until_authorised(&shop).await;
        let orders = ORDERS as u64;
        // Eight rows each: the payment three times, its operation, what is said, and the effect
        // asked for, claimed and done. Delivered by hand, two inbox rows besides; the sweep once.
        assert!(work.rows_written <= 10 * orders + 4, "{work:?} for {orders} orders");
        assert!(work.statements <= 16 * orders + 10, "{work:?} for {orders} orders");
        // Within one file there is nothing to wait for.
        if shop.db.sqlite().is_none() {
            assert!(work.round_trips <= 24, "{work:?} for {orders} orders");
        }
    }
}

#[tokio::test]
async fn what_it_says_and_hears_is_what_it_declares() {
    use platform::service::Service;
    let heard = <PaymentService as Service>::REACTIONS;
    assert_eq!(heard.len(), 8);
    for shop in shops().await {
        let order = shop.paid("card", "ok").await;
        shop.pack(&order, [3, 2]).await;
        for event in testing::published(&shop.db).await {
            assert!(PaymentService::PUBLISHES.contains(&event.payload.kind()));
        }
    }
}

/// Statements, rows written and units committed since.
fn done(shop: &Shop, before: Work) -> (u64, u64, u64) {
    let Work { statements, rows_written, commits, .. } = shop.db.work().since(before);
    (statements, rows_written, commits)
}

/// What it costs to hear something of an order.
async fn hearing(shop: &Shop, id: OrderId, payload: impl Into<Payload>) -> (u64, u64, u64) {
    let before = shop.db.work();
    shop.hear(id, 1, payload).await;
    done(shop, before)
}

/// What it costs to ask the provider for what is wanted of it, and to note its answer.
async fn asking(shop: &Shop) -> (u64, u64, u64) {
    let before = shop.db.work();
    let task = shop.host.claim_effects(1).await.unwrap().remove(0);
    let performed = shop.host.perform(&task).await;
    shop.host.record(vec![(task, performed)]).await.unwrap();
    done(shop, before)
}

#[tokio::test]
async fn each_step_of_the_money_costs_so_many_statements_and_rows() {
    for shop in shops().await {
        // What is heard first in an hour sees to it that the sweep comes.
        shop.placed("card", "ok").await;
        let order = shop.order("card", "ok");
        let (order_id, expires_at) = (order.id, order.event.deadline);
        assert_eq!(hearing(&shop, order_id, order.event.clone()).await, (4, 2, 1));
        let reserved = StockReserved { order_id, expires_at };
        assert_eq!(hearing(&shop, order_id, reserved).await, (5, 3, 1));
        assert_eq!(asking(&shop).await, (8, 5, 2));
        let line = |line: &PlacedLine| LineQuantity {
            line_id: line.line_id,
            sku: line.sku.clone(),
            quantity: line.quantity,
        };
        let lines = order.event.lines.iter().map(line).collect();
        let packed = ShipmentPacked { shipment_id: shop.db.ids().id(), order_id, lines };
        assert_eq!(hearing(&shop, order_id, packed).await, (5, 3, 1));
        assert_eq!(asking(&shop).await, (19, 16, 2));
        let granted = RefundGranted {
            order_id,
            refund_id: shop.db.ids().uuid(),
            amounts: vec![taxed(700)],
            total: eur(700),
            line_id: Some(order.line(0)),
            reason: "broken".to_owned(),
        };
        assert_eq!(hearing(&shop, order_id, granted).await, (5, 3, 1));
        assert_eq!(asking(&shop).await, (19, 15, 2));

        let order = shop.paid("card", "ok").await;
        let (order_id, cart_id) = (order.id, order.event.cart_id);
        let cancelled = OrderCancelled { order_id, cart_id, reason: "no more".to_owned() };
        assert_eq!(hearing(&shop, order_id, cancelled).await, (5, 3, 1));
        assert_eq!(asking(&shop).await, (8, 5, 2));

        let order = shop.paid("on_delivery", "").await;
        let path = format!("/payments/{}/collect", order.id);
        let cash = json!({"amount": {"amount_minor": 3_500, "currency": "EUR"}, "reference": "R"});
        let before = shop.db.work();
        let (status, view) = shop.post(&path, Some(SUPPORT), "k", &cash).await;
        assert_eq!(done(&shop, before), (18, 14, 1));
        assert_eq!(status.as_u16(), 200, "{view}");
    }
}

#[tokio::test]
async fn a_page_of_twenty_takes_as_many_statements_as_a_page_of_one() {
    for shop in shops().await {
        let mut orders = Vec::new();
        for _ in 0..20 {
            let order = shop.paid("card_auto", "ok").await;
            shop.cancel(&order).await;
            orders.push(order);
        }
        for list in ["/payments", "/invoices", "/credit-notes"] {
            for items in [1, 20] {
                let before = shop.db.work();
                let page = shop.staff_sees(&format!("{list}?limit={items}")).await;
                assert_eq!(done(&shop, before), (1, 0, 0), "{list}");
                assert_eq!(page["items"].as_array().unwrap().len(), items);
            }
        }
        // The postings of all journals are read in one go.
        for items in [1, 20] {
            let before = shop.db.work();
            let page = shop.staff_sees(&format!("/ledger?limit={items}")).await;
            assert_eq!(shop.db.work().since(before).round_trips, 2);
            assert_eq!(page["items"].as_array().unwrap().len(), items);
        }
        let (order, guest) = (&orders[0], orders[0].token.as_str());
        let invoices = format!("/invoices?order_id={}", order.id);
        let shown = shop.staff_sees(&invoices).await;
        let invoice = format!("/invoices/{}", shown["items"][0]["id"].as_str().unwrap());
        let payment = format!("/payments/{}", order.id);
        let looks = [
            (payment.as_str(), SUPPORT),
            (payment.as_str(), guest),
            (invoices.as_str(), guest),
            (invoice.as_str(), SUPPORT),
            ("/ledger/balance", SUPPORT),
        ];
        for (path, bearer) in looks {
            let before = shop.db.work();
            let (status, body) = shop.get(path, Some(bearer)).await;
            assert_eq!(done(&shop, before), (2, 0, 0), "{path}");
            assert_eq!(status.as_u16(), 200, "{body}");
        }
    }
}
