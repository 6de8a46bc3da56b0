//! The life of an order as other services and its customer see it.

use std::time::Duration;

use contracts::events::{
    CancelRefused, LineQuantity, OrderReduced, PaymentAuthorized, PaymentCaptureFailed,
    PaymentCaptured, PaymentDeclined, PaymentRefunded, RefundGranted, ReleaseReason,
    ShipmentDelivered, ShipmentDispatched, ShipmentShortPicked, StockAllocated, StockReleased,
    StockReserved,
};
use contracts::{EventData, Timestamp};
use http::StatusCode;
use order::audit::{Audit, StuckOrders};
use order::domain::Status;
use platform::testing;
use serde_json::{Value, json};

use super::shop::{Placed, Shop, captured, eur, not_required, payment_id, shipment_id, shops};

async fn lines(shop: &Shop, order: &Placed) -> Vec<LineQuantity> {
    let shown = shop.order(order).await;
    let lines = shown["lines"].as_array().unwrap().iter();
    let line = |line: &Value| LineQuantity {
        line_id: line["line_id"].as_str().unwrap().parse().unwrap(),
        sku: line["sku"].as_str().unwrap().parse().unwrap(),
        quantity: line["quantity"].as_i64().unwrap(),
    };
    lines.map(line).collect()
}

fn dispatched(order: &Placed, lines: Vec<LineQuantity>) -> ShipmentDispatched {
    ShipmentDispatched {
        shipment_id: shipment_id(),
        order_id: order.id,
        lines,
        carrier: "Courier".to_owned(),
        tracking: "T-1".to_owned(),
    }
}

fn delivered(order: &Placed, lines: Vec<LineQuantity>) -> ShipmentDelivered {
    ShipmentDelivered { shipment_id: shipment_id(), order_id: order.id, lines }
}

async fn cancel(shop: &Shop, order: &Placed, token: &str) -> super::shop::Answer {
    shop.post(&format!("/orders/{}/cancel", order.id), token, json!({ "reason": "no more" })).await
}

#[tokio::test]
async fn an_order_goes_from_placed_to_completed() {
    for shop in shops().await {
        let order = shop.placed().await;
        let expires_at = Timestamp::from_micros(0);
        shop.tell(&order, StockReserved { order_id: order.id, expires_at }).await;
        let (payment_id, order_id) = (payment_id(), order.id);
        let amount = eur(5_630);
        shop.tell(&order, PaymentAuthorized { payment_id, order_id, amount }).await;
        assert_eq!(shop.order(&order).await["payment_status"], "authorised");
        shop.tell(&order, StockAllocated { order_id }).await;
        assert_eq!(shop.status(&order).await, "confirmed");
        shop.tell_at(&order, 2, captured(&order, 5_630)).await;
        let parts = lines(&shop, &order).await;
        shop.tell(&order, dispatched(&order, parts.clone())).await;
        let shown = shop.order(&order).await;
        assert_eq!(shown["fulfilment_status"], "fulfilled");
        assert_eq!(shown["payment_status"], "charged");
        assert_eq!(shown["parcels"][0]["tracking"], "T-1");
        assert_eq!(shown["lines"][0]["dispatched"], 3);
        shop.tell(&order, delivered(&order, parts)).await;
        assert_eq!(shop.status(&order).await, "completed");
        let said = shop.said().await;
        assert_eq!(said, ["order.placed.v1", "order.confirmed.v1", "order.completed.v1"]);
        let versions: Vec<_> =
            testing::published(&shop.db).await.iter().map(|event| event.version).collect();
        assert_eq!(versions, [1, 2, 3]);
    }
}

#[tokio::test]
async fn an_order_nobody_pays_expires_at_its_deadline_and_its_cart_opens() {
    for shop in shops().await {
        let order = shop.placed().await;
        shop.pass(Duration::from_secs(30 * 60 - 1)).await;
        assert_eq!(shop.status(&order).await, "pending");
        shop.pass(Duration::from_secs(1)).await;
        assert_eq!(shop.status(&order).await, "expired");
        let cart = shop.get(&format!("/carts/{}", order.cart_id), &order.token).await.json;
        assert_eq!(cart["reopened_because"], "the order was not paid in time");
        // Late money and late goods change nothing: payment and warehouse give them back.
        shop.tell(&order, captured(&order, 5_630)).await;
        shop.tell(&order, StockAllocated { order_id: order.id }).await;
        assert_eq!(shop.status(&order).await, "expired");
        assert_eq!(shop.said().await, ["order.placed.v1", "order.expired.v1"]);
    }
}

#[tokio::test]
async fn the_deadline_of_a_confirmed_order_is_of_no_account() {
    for shop in shops().await {
        let order = shop.confirmed().await;
        shop.pass(Duration::from_secs(3600)).await;
        assert_eq!(shop.status(&order).await, "confirmed");
        let stuck = StuckOrders { since: shop.clock.now(), limit: 10 };
        assert!(shop.db.read(stuck).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_pending_order_that_waits_past_its_deadline_is_found() {
    for shop in shops().await {
        let order = shop.placed().await;
        shop.clock.set(shop.clock.now().plus(Duration::from_secs(3600)));
        let stuck = StuckOrders { since: shop.clock.now(), limit: 10 };
        let found = shop.db.read(stuck).await.unwrap();
        assert_eq!(found.iter().map(|(id, ..)| *id).collect::<Vec<_>>(), [order.id]);
    }
}

#[tokio::test]
async fn a_pending_order_is_cancelled_at_once_by_its_customer() {
    for shop in shops().await {
        let order = shop.placed().await;
        let answer = cancel(&shop, &order, &order.token).await;
        assert_eq!((answer.status, &answer.json["status"]), (StatusCode::OK, &json!("cancelled")));
        assert_eq!(answer.json["reason"], "no more");
        let again = cancel(&shop, &order, &order.token).await;
        assert_eq!(again.status, StatusCode::OK);
        shop.pass(Duration::from_secs(3600)).await;
        assert_eq!(shop.said().await, ["order.placed.v1", "order.cancelled.v1"]);
    }
}

#[tokio::test]
async fn a_confirmed_order_is_cancelled_when_the_warehouse_has_taken_it_back() {
    for shop in shops().await {
        let order = shop.confirmed().await;
        let asked = cancel(&shop, &order, &order.token).await;
        assert_eq!(asked.status, StatusCode::ACCEPTED);
        assert_eq!(
            (&asked.json["status"], &asked.json["cancel_asked"]),
            (&json!("confirmed"), &json!(true))
        );
        let reason = ReleaseReason::Cancelled;
        shop.tell(&order, StockReleased { order_id: order.id, reason }).await;
        assert_eq!(shop.status(&order).await, "cancelled");
        assert_eq!(shop.said().await.last(), Some(&"order.cancelled.v1"));
    }
}

#[tokio::test]
async fn a_cancel_that_loses_to_the_dispatch_is_refused_by_the_warehouse() {
    for shop in shops().await {
        let order = shop.confirmed().await;
        cancel(&shop, &order, &order.token).await;
        let parts = lines(&shop, &order).await;
        shop.tell(&order, dispatched(&order, parts)).await;
        let reason = "a parcel has left".to_owned();
        shop.tell(&order, CancelRefused { order_id: order.id, reason }).await;
        let shown = shop.order(&order).await;
        assert_eq!(
            (&shown["status"], &shown["cancel_asked"]),
            (&json!("confirmed"), &json!(false))
        );
        let late = cancel(&shop, &order, &order.token).await;
        assert_eq!(late.status, StatusCode::CONFLICT);
        assert_eq!(late.json["type"], "/problems/state-conflict");
    }
}

#[tokio::test]
async fn after_the_last_decline_the_order_has_failed() {
    for shop in shops().await {
        let order = shop.placed().await;
        for (version, attempts_left) in [(1, 1), (2, 0)] {
            let declined = PaymentDeclined {
                payment_id: payment_id(),
                order_id: order.id,
                reason: "do_not_honour".to_owned(),
                attempts_left,
            };
            shop.tell_at(&order, version, declined).await;
        }
        assert_eq!(shop.status(&order).await, "failed");
        assert_eq!(shop.said().await, ["order.placed.v1", "order.failed.v1"]);
    }
}

#[tokio::test]
async fn money_that_does_not_come_holds_the_order_until_it_does() {
    for shop in shops().await {
        let order = shop.confirmed().await;
        let failed = PaymentCaptureFailed {
            payment_id: payment_id(),
            order_id: order.id,
            shipment_id: Some(shipment_id()),
            reason: "expired_card".to_owned(),
        };
        shop.tell_at(&order, 3, failed).await;
        assert_eq!(shop.status(&order).await, "on_hold");
        shop.tell_at(&order, 4, captured(&order, 5_630)).await;
        assert_eq!(shop.status(&order).await, "confirmed");
        assert_eq!(shop.said().await[2..], ["order.put_on_hold.v1", "order.resumed.v1"]);
    }
}

#[tokio::test]
async fn a_short_pick_reduces_the_order_and_gives_the_difference_back_once() {
    for shop in shops().await {
        let order = shop.confirmed().await;
        shop.tell_at(&order, 2, captured(&order, 5_630)).await;
        let parts = lines(&shop, &order).await;
        let missing = vec![LineQuantity { quantity: 2, ..parts[0].clone() }];
        let short = ShipmentShortPicked {
            shipment_id: shipment_id(),
            order_id: order.id,
            missing,
            shipment_cancelled: false,
        };
        shop.tell_at(&order, 2, short.clone()).await;
        shop.tell_at(&order, 2, short).await;
        let published = testing::published(&shop.db).await;
        let reduced: Vec<_> =
            published.iter().filter_map(|event| OrderReduced::of(&event.payload)).collect();
        let refunds: Vec<_> =
            published.iter().filter_map(|event| RefundGranted::of(&event.payload)).collect();
        assert_eq!((reduced.len(), refunds.len()), (1, 1));
        assert_eq!((reduced[0].owed, refunds[0].total), (eur(3_630), eur(2_000)));
        let shown = shop.order(&order).await;
        assert_eq!(shown["lines"][0]["cancelled"], 2);
        assert_eq!(shown["money"]["due_minor"], 3_630);

        let rest = vec![LineQuantity { quantity: 1, ..parts[0].clone() }, parts[1].clone()];
        shop.tell_at(&order, 5, delivered(&order, rest)).await;
        assert_eq!(shop.status(&order).await, "confirmed");
        let refunded = PaymentRefunded {
            payment_id: payment_id(),
            order_id: order.id,
            amount: eur(2_000),
            captured_total: eur(5_630),
            refunded_total: eur(2_000),
        };
        shop.tell_at(&order, 6, refunded).await;
        assert_eq!(shop.status(&order).await, "completed");
    }
}

#[tokio::test]
async fn an_order_on_delivery_is_settled_when_the_cash_is_there() {
    for shop in shops().await {
        let order = shop.confirmed().await;
        shop.tell(&order, not_required(&order)).await;
        let parts = lines(&shop, &order).await;
        shop.tell(&order, delivered(&order, parts)).await;
        assert_eq!(shop.status(&order).await, "confirmed");
        shop.tell_at(&order, 2, captured(&order, 5_630)).await;
        assert_eq!(shop.status(&order).await, "completed");
    }
}

#[tokio::test]
async fn the_same_news_in_any_order_leads_to_the_same_order() {
    for shop in shops().await {
        let mut ends = Vec::new();
        for turn in 0..6 {
            let order = shop.confirmed().await;
            let parts = lines(&shop, &order).await;
            let news: Vec<(i64, contracts::Payload)> = vec![
                (3, captured(&order, 5_630).into()),
                (4, dispatched(&order, parts.clone()).into()),
                (5, delivered(&order, parts).into()),
            ];
            ends.push(end_of(&shop, &order, in_turn(news, turn)).await);
        }
        assert_eq!(ends[0][0], "completed");
        assert!(ends.iter().all(|end| *end == ends[0]), "{ends:?}");
    }
}

#[tokio::test]
async fn money_that_failed_to_come_holds_an_order_in_whatever_order_it_is_heard() {
    for shop in shops().await {
        for (other, wanted) in [(false, "confirmed"), (true, "on_hold")] {
            let mut ends = Vec::new();
            for turn in 0..6 {
                let order = shop.confirmed().await;
                // It came for the parcel it had failed for, or for another one.
                let parcel = |n| contracts::ShipmentId::from_uuid(uuid::Uuid::from_u128(n));
                let paid = |n, total| PaymentCaptured {
                    shipment_id: Some(parcel(n)),
                    ..captured(&order, total)
                };
                let news: Vec<(i64, contracts::Payload)> = vec![
                    (3, failed(&order, parcel(1)).into()),
                    (4, paid(if other { 2 } else { 1 }, 1_000).into()),
                    (5, paid(3, 2_000).into()),
                ];
                ends.push(end_of(&shop, &order, in_turn(news, turn)).await);
            }
            assert_eq!(ends[0][0], wanted);
            assert!(ends.iter().all(|end| *end == ends[0]), "{ends:?}");
        }
    }
}

fn failed(order: &Placed, shipment_id: contracts::ShipmentId) -> PaymentCaptureFailed {
    PaymentCaptureFailed {
        payment_id: payment_id(),
        order_id: order.id,
        shipment_id: Some(shipment_id),
        reason: "expired".to_owned(),
    }
}

/// Three pieces of news in each of their six orders.
fn in_turn<T>(mut news: Vec<T>, turn: usize) -> Vec<T> {
    news.rotate_left(turn % 3);
    if turn >= 3 {
        news.swap(0, 1);
    }
    news
}

/// How an order stands once news has been heard.
async fn end_of(shop: &Shop, order: &Placed, news: Vec<(i64, contracts::Payload)>) -> [Value; 4] {
    for (version, payload) in news {
        shop.tell_at(order, version, payload).await;
    }
    let shown = shop.order(order).await;
    [&shown["status"], &shown["money"], &shown["parcels"], &shown["reason"]].map(Value::clone)
}

#[tokio::test]
async fn a_cancellation_the_warehouse_does_not_answer_is_asked_for_again() {
    for shop in shops().await {
        let order = shop.confirmed().await;
        let path = format!("/orders/{}/cancel", order.id);
        shop.post(&path, &order.token, json!({})).await;
        let asked = async || {
            let said = shop.said().await;
            said.iter().filter(|kind| **kind == "order.cancel_requested.v1").count()
        };
        assert_eq!(asked().await, 1);
        shop.pass(Duration::from_secs(60)).await;
        assert_eq!(asked().await, 2);
        // Twice as long, the second time.
        shop.pass(Duration::from_secs(60)).await;
        assert_eq!(asked().await, 2);
        shop.pass(Duration::from_secs(60)).await;
        assert_eq!(asked().await, 3);
        let (order_id, reason) = (order.id, ReleaseReason::Cancelled);
        shop.tell(&order, StockReleased { order_id, reason }).await;
        assert_eq!(shop.status(&order).await, "cancelled");
        shop.pass(Duration::from_secs(24 * 3600)).await;
        assert_eq!(asked().await, 3);
    }
}

#[tokio::test]
async fn news_of_an_order_that_does_not_exist_fails_and_troubles_no_other() {
    for shop in shops().await {
        let order = shop.placed().await;
        let nobody =
            Placed { id: contracts::OrderId::from_uuid(uuid::Uuid::nil()), ..order.clone() };
        let events = [&nobody, &order].map(|order| {
            let allocated = StockAllocated { order_id: order.id };
            testing::event(&shop.db, order.id.to_string(), 1, allocated)
        });
        platform::service::Host::deliver(shop.host.as_ref(), events.to_vec()).await.unwrap();
        assert_eq!(shop.status(&order).await, "confirmed");
    }
}

#[tokio::test]
async fn the_audit_reads_every_order_as_it_stands() {
    for shop in shops().await {
        let (one, two) = (shop.placed().await, shop.confirmed().await);
        let page = |after| Audit { after, limit: 1 };
        let first = shop.db.read(page(None)).await.unwrap();
        let second = shop.db.read(page(Some(one.id))).await.unwrap();
        assert!(shop.db.read(page(Some(two.id))).await.unwrap().is_empty());
        assert_eq!((first[0].placed.order_id, second[0].placed.order_id), (one.id, two.id));
        assert_eq!(second[0].status, Status::Confirmed);
        assert_eq!(second[0].figures.due_minor, 5_630);
    }
}
