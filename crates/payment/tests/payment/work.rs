//! How much work a batch costs: it must not grow with the number of orders where it need not.

use contracts::events::StockReserved;
use payment::PaymentService;
use platform::db::Work;
use platform::service::Host;
use platform::testing;

use crate::shop::{Shop, shops};

const ORDERS: usize = 100;

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
