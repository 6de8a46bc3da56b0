//! How much the database is asked to do: no use case may cost more than its rows.

use axum::http::StatusCode;
use contracts::events::{OrderCancelRequested, StockReserved};
use contracts::{Payload, ShipmentId};
use platform::db::Work;
use serde_json::{Value, json};

use super::shop::{Order, Shop};

/// A hundred orders of two lines each, over a thousand units.
fn orders(shop: &Shop) -> Vec<Order> {
    (0..100)
        .map(|n| {
            let (first, second) =
                (format!("S{:03}", n * 7 % 1000), format!("S{:03}", n * 13 % 1000));
            shop.order(&[(&first, 1), (&second, 2)])
        })
        .collect()
}

async fn stocked(shop: &Shop) {
    let names: Vec<String> = (0..1000).map(|n| format!("S{n:03}")).collect();
    let goods: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), 100_000)).collect();
    shop.stock(&goods).await;
}

async fn cost(shop: &Shop, all: Vec<(&Order, Payload)>) -> Work {
    let before = shop.db.work();
    shop.hears_all(all).await;
    shop.db.work().since(before)
}

#[tokio::test]
async fn a_hundred_orders_are_held_and_allocated_in_two_transactions_and_six_rows_each() {
    for shop in Shop::everywhere().await {
        stocked(&shop).await;
        let orders = orders(&shop);
        let on_sqlite = shop.db.sqlite().is_some();
        // What a bus that may repeat itself costs: a row for each event it has handed over.
        let inbox = 100;
        let placed = orders.iter().map(|o| (o, o.placed(&shop).into())).collect();
        let held = cost(&shop, placed).await;
        assert_eq!(shop.payloads::<StockReserved>().await.len(), 100);
        // Claim, two shelves, what is said; and a timer each for the sweeper and the announcer.
        let rows = held.rows_written - inbox;
        assert!(rows <= 100 * 4 + 2, "holding: {held:?}");
        // Besides each row: a look for the inbox, the claim, its shelves and what has expired.
        assert!(held.statements <= held.rows_written + 100 * 4 + 3, "holding: {held:?}");
        assert_eq!(held.commits, 1);
        let authorised = orders.iter().map(|o| (o, o.authorised().into())).collect();
        let allocated = cost(&shop, authorised).await;
        let rows = allocated.rows_written - inbox;
        assert_eq!(rows, 100 * 2, "allocating: {allocated:?}");
        assert!(allocated.statements <= allocated.rows_written + 100 * 2, "{allocated:?}");
        let confirmed = orders.iter().map(|o| (o, o.confirmed().into())).collect();
        let made = cost(&shop, confirmed).await;
        assert_eq!(made.rows_written - inbox, 100 * 3, "making parcels: {made:?}");
        if !on_sqlite {
            // Round trips do not depend on how many orders there are.
            assert!(held.round_trips <= 12, "holding: {held:?}");
            assert!(allocated.round_trips <= 8, "allocating: {allocated:?}");
            assert!(made.round_trips <= 8, "making parcels: {made:?}");
        }
        shop.is_sound().await;
    }
}

#[tokio::test]
async fn one_hot_unit_costs_less_than_many() {
    for shop in Shop::everywhere().await {
        stocked(&shop).await;
        let many = orders(&shop);
        let placed = many.iter().map(|o| (o, o.placed(&shop).into())).collect();
        let uniform = cost(&shop, placed).await;
        let hot: Vec<Order> = (0..100).map(|_| shop.order(&[("S001", 1), ("S002", 1)])).collect();
        let placed = hot.iter().map(|o| (o, o.placed(&shop).into())).collect();
        let hot = cost(&shop, placed).await;
        assert!(hot.statements < uniform.statements, "{hot:?} {uniform:?}");
        assert!(hot.rows_written < uniform.rows_written, "{hot:?} {uniform:?}");
    }
}

#[tokio::test]
async fn announcing_a_thousand_units_takes_a_few_transactions() {
    for shop in Shop::everywhere().await {
        let names: Vec<String> = (0..1000).map(|n| format!("S{n:03}")).collect();
        let goods: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), 5)).collect();
        shop.stock(&goods).await;
        let before = shop.db.work();
        shop.wait(std::time::Duration::from_secs(2)).await;
        let work = shop.db.work().since(before);
        let announced = shop.payloads::<contracts::events::StockChanged>().await.len();
        assert_eq!(announced, 1000);
        assert!(work.commits <= 8, "{work:?}");
        // What is said and what was said, for each unit; and the timers.
        assert!(work.rows_written <= 2 * 1000 + 10, "{work:?}");
    }
}

/// Statements, rows written and units committed since.
fn done(shop: &Shop, before: Work) -> (u64, u64, u64) {
    let Work { statements, rows_written, commits, .. } = shop.db.work().since(before);
    (statements, rows_written, commits)
}

/// What it costs when staff does something with a parcel.
async fn doing(shop: &Shop, parcel: ShipmentId, what: &str, body: Value) -> (u64, u64, u64) {
    let before = shop.db.work();
    let (status, body) = shop.work(parcel, what, body).await;
    assert_eq!(status, StatusCode::OK, "{what}: {body}");
    done(shop, before)
}

/// What it costs to hear something of an order.
async fn hearing(shop: &Shop, order: &Order, payload: impl Into<Payload>) -> (u64, u64, u64) {
    let before = shop.db.work();
    shop.hears(order, payload).await;
    done(shop, before)
}

#[tokio::test]
async fn each_step_of_a_parcel_of_two_units_costs_so_many_statements_and_rows() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 5), ("B", 5)]).await;
        let before = shop.db.work();
        let (status, body) = shop.post("/stock/A/receipts", json!({ "quantity": 5 })).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        assert_eq!(done(&shop, before), (6, 4, 1));

        let (order, parcel) = shop.confirmed(&[("A", 2), ("B", 1)]).await;
        let part = json!({ "lines": [{ "line_id": order.line(0), "quantity": 1 }] });
        assert_eq!(doing(&shop, parcel, "split", part).await, (10, 5, 1));
        assert_eq!(doing(&shop, parcel, "pack", json!({})).await, (13, 6, 1));
        let captured = order.captured(100, Some(parcel));
        assert_eq!(hearing(&shop, &order, captured).await, (7, 4, 1));
        let by = json!({ "carrier": "DHL", "tracking": "1" });
        assert_eq!(doing(&shop, parcel, "dispatch", by).await, (15, 8, 1));
        assert_eq!(doing(&shop, parcel, "deliver", json!(null)).await, (9, 4, 1));

        let (order, parcel) = shop.confirmed(&[("A", 2), ("B", 1)]).await;
        let short = json!({ "missing": [{ "line_id": order.line(0), "quantity": 1 }] });
        assert_eq!(doing(&shop, parcel, "pack", short).await, (15, 8, 1));
        let cancel = OrderCancelRequested { order_id: order.id, reason: "no more".into() };
        assert_eq!(hearing(&shop, &order, cancel).await, (13, 8, 1));
        shop.is_sound().await;
    }
}

#[tokio::test]
async fn a_page_of_twenty_takes_as_many_statements_as_a_page_of_one() {
    for shop in Shop::everywhere().await {
        let names: Vec<String> = (0..20).map(|n| format!("S{n:02}")).collect();
        let goods: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), 50)).collect();
        shop.stock(&goods).await;
        shop.stock(&[("S00", 1); 20]).await;
        let (_, parcel) = shop.confirmed(&[("S00", 1), ("S01", 1)]).await;
        for _ in 1..20 {
            shop.confirmed(&[("S00", 1), ("S01", 1)]).await;
        }
        for list in ["/shipments", "/stock", "/stock/S00/movements"] {
            for items in [1, 20] {
                let before = shop.db.work();
                let (status, page) = shop.get(&format!("{list}?limit={items}")).await;
                assert_eq!(done(&shop, before), (1, 0, 0), "{list}");
                assert_eq!(status, StatusCode::OK, "{page}");
                assert_eq!(page["items"].as_array().unwrap().len(), items);
            }
        }
        for path in [format!("/shipments/{parcel}"), "/stock/S00".to_owned()] {
            let before = shop.db.work();
            assert_eq!(shop.get(&path).await.0, StatusCode::OK);
            assert_eq!(done(&shop, before), (1, 0, 0), "{path}");
        }
    }
}
