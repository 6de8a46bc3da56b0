//! Timelines, as a list and as they grow.

use std::time::Duration;

use contracts::events::{MessageSent, PaymentDeclined, StockAllocated, StockReserved};
use contracts::{MessageId, Timestamp};
use http::StatusCode;
use http_body_util::BodyExt;
use order::Config;
use platform::clock::Clock;
use serde_json::{Value, json};
use uuid::Uuid;

use super::shop::{payment_id, request, shops, shops_at};

fn events(timeline: &Value) -> Vec<(i64, &str, &str)> {
    let entries = timeline["entries"].as_array().unwrap().iter();
    entries
        .map(|entry| {
            let text = |key: &str| entry[key].as_str().unwrap();
            (entry["version"].as_i64().unwrap(), text("event"), text("actor"))
        })
        .collect()
}

#[tokio::test]
async fn everything_said_about_an_order_is_in_its_timeline_with_its_cause() {
    for shop in shops().await {
        let order = shop.placed().await;
        let order_id = order.id;
        let expires_at = Timestamp::from_micros(0);
        shop.tell(&order, StockReserved { order_id, expires_at }).await;
        shop.tell(&order, StockAllocated { order_id }).await;
        let message_id = MessageId::from_uuid(Uuid::from_u128(1));
        let (template, channel) = ("order_confirmed".to_owned(), "email".to_owned());
        shop.tell(&order, MessageSent { message_id, order_id, template, channel }).await;

        let path = format!("/orders/{order_id}/timeline");
        let timeline = shop.get(&path, &order.token).await;
        assert_eq!(timeline.status, StatusCode::OK, "{:?}", timeline.json);
        assert_eq!(
            events(&timeline.json),
            [
                (1, "order.placed.v1", "customer"),
                (2, "stock.reserved.v1", "service:warehouse"),
                (3, "stock.allocated.v1", "service:warehouse"),
                (4, "order.confirmed.v1", "service:order"),
                (5, "message.sent.v1", "service:notification"),
            ]
        );
        let entries = timeline.json["entries"].as_array().unwrap();
        assert_eq!(entries[3]["caused_by"], entries[2]["event_id"]);
        assert_eq!(entries[4]["detail"], "order_confirmed by email");
        let later = shop.get(&format!("{path}?after=3"), &order.token).await;
        assert_eq!(events(&later.json), events(&timeline.json)[3..]);
        assert_eq!(shop.order(&order).await["timeline_version"], 5);
        let bad = shop.get(&format!("{path}?after=-1"), &order.token).await;
        assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
}

#[tokio::test]
async fn whoever_follows_an_order_hears_what_happens_from_where_they_were() {
    for shop in shops_at(Clock::system(), Config::default()).await {
        let order = shop.placed().await;
        let mut follow =
            request("GET", &format!("/orders/{}/events", order.id), &order.token, None);
        follow.headers_mut().insert("last-event-id", "1".parse().unwrap());
        let response = shop.open_stream(follow).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut body = response.into_body();
        let happen = shop.tell(&order, StockAllocated { order_id: order.id });
        let read = async {
            let mut text = String::new();
            while !text.contains("order.confirmed.v1") {
                let frame = body.frame().await.unwrap().unwrap();
                text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
            }
            text
        };
        let limited = tokio::time::timeout(Duration::from_secs(20), read);
        let ((), text) = futures_util::future::join(happen, limited).await;
        let text = text.unwrap();
        let ids: Vec<_> = text.lines().filter(|line| line.starts_with("id:")).collect();
        assert_eq!(ids, ["id: 2", "id: 3"]);
        assert!(text.contains("event: stock.allocated.v1"), "{text}");
        let data = text.lines().rfind(|line| line.starts_with("data:")).unwrap();
        let entry: Value = serde_json::from_str(data.trim_start_matches("data:").trim()).unwrap();
        assert_eq!((&entry["version"], &entry["event"]), (&json!(3), &json!("order.confirmed.v1")));
    }
}

#[tokio::test]
async fn a_stream_ends_some_minutes_after_the_order() {
    for shop in shops().await {
        let order = shop.placed().await;
        let follow = request("GET", &format!("/orders/{}/events", order.id), &order.token, None);
        let response = shop.open_stream(follow).await;
        shop.tell(
            &order,
            PaymentDeclined {
                payment_id: payment_id(),
                order_id: order.id,
                reason: "no".to_owned(),
                attempts_left: 0,
            },
        )
        .await;
        let read = async {
            let mut body = response.into_body();
            let mut text = String::new();
            while let Some(frame) = body.frame().await {
                text.push_str(std::str::from_utf8(frame.unwrap().data_ref().unwrap()).unwrap());
                if text.contains("order.failed.v1") {
                    shop.clock.set(shop.clock.now().plus(Duration::from_secs(180)));
                }
            }
            text
        };
        let text = tokio::time::timeout(Duration::from_secs(20), read).await.expect("it ends");
        assert!(text.contains("order.failed.v1"), "{text}");
    }
}

#[tokio::test]
async fn no_more_than_eight_can_follow_an_order_at_once() {
    for shop in shops().await {
        let order = shop.placed().await;
        let follow = || request("GET", &format!("/orders/{}/events", order.id), &order.token, None);
        let mut streams = Vec::new();
        for _ in 0..8 {
            streams.push(shop.open_stream(follow()).await);
        }
        assert_eq!(shop.send(follow()).await.status, StatusCode::SERVICE_UNAVAILABLE);
        streams.pop();
        assert_eq!(shop.open_stream(follow()).await.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_last_event_id_that_is_none_is_refused() {
    for shop in shops().await {
        let order = shop.placed().await;
        let mut follow =
            request("GET", &format!("/orders/{}/events", order.id), &order.token, None);
        follow.headers_mut().insert("last-event-id", "x".parse().unwrap());
        assert_eq!(shop.send(follow).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
}

#[tokio::test]
async fn what_is_heard_at_once_is_numbered_one_after_the_other() {
    for shop in shops().await {
        for round in 0..10 {
            let order = shop.placed().await;
            let order_id = order.id;
            let expires_at = Timestamp::from_micros(0);
            let message_id = MessageId::from_uuid(Uuid::from_u128(round));
            let (template, channel) = ("order_placed".to_owned(), "email".to_owned());
            // One of these leads to two entries, the others to one each.
            tokio::join!(
                shop.tell(&order, StockReserved { order_id, expires_at }),
                shop.tell(&order, StockAllocated { order_id }),
                shop.tell(&order, MessageSent { message_id, order_id, template, channel }),
            );
            let path = format!("/orders/{order_id}/timeline");
            let timeline = shop.get(&path, &order.token).await.json;
            let versions: Vec<i64> = events(&timeline).into_iter().map(|(n, ..)| n).collect();
            assert_eq!(versions, [1, 2, 3, 4, 5], "{timeline}");
        }
    }
}
