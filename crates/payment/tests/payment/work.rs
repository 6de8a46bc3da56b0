//! How much work a batch costs: it must not grow with the number of orders where it need not.

use contracts::events::StockReserved;
use payment::PaymentService;
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
        let books = ["payment_journals", "payment_postings", "payment_documents", "payment_operations"];
        let changes = statement.starts_with("UPDATE") || statement.starts_with("DELETE");
        assert!(!changes || books.iter().all(|table| !statement.contains(table)), "{statement}");
    }
}

async fn rows_until_authorised(shop: &Shop) -> (u64, u64) {
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
    println!("placed {:?}", shop.db.work().since(before));
    shop.host.deliver(reserved).await.unwrap();
    println!("reserved {:?}", shop.db.work().since(before));
    let tasks = shop.host.claim_effects(256).await.unwrap();
    println!("claimed {:?}", shop.db.work().since(before));
    assert_eq!(tasks.len(), ORDERS);
    let mut done = Vec::new();
    for task in tasks {
        let performed = shop.host.perform(&task).await;
        done.push((task, performed));
    }
    shop.host.record(done).await.unwrap();
    let work = shop.db.work().since(before);
    println!("recorded {work:?}");
    assert_eq!(shop.said().await.len(), ORDERS);
    (work.rows_written, work.round_trips)
}

#[tokio::test]
async fn a_hundred_orders_are_authorised_in_few_rows_each_and_few_round_trips_in_all() {
    for shop in shops().await {
        let (rows, round_trips) = rows_until_authorised(&shop).await;
        let orders = ORDERS as u64;
        // Delivered by hand, each of the two events also has its inbox row; a file needs none.
        assert!(rows <= 10 * orders + 4, "{rows} rows for {orders} orders");
        assert!(round_trips <= 60, "{round_trips} round trips for {orders} orders");
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
