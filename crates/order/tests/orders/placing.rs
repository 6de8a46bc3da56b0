//! Placing orders over HTTP.

use std::time::Duration;

use contracts::events::{PaymentDeclined, StockAllocated, StockRejected};
use contracts::{EventData, events::OrderPlaced};
use http::StatusCode;
use order::Config;
use platform::clock::Clock;
use platform::testing;
use serde_json::{Value, json};

use super::shop::{
    BOOK, CANDLE, OpenCart, SONG, Shop, address, agreement, payment_id, place_request, shops,
    shops_at,
};

fn code(answer: &Value) -> &str {
    answer["type"].as_str().unwrap_or("").trim_start_matches("/problems/")
}

#[tokio::test]
async fn a_placed_order_is_said_with_all_it_needs_and_shown_to_its_buyer() {
    for shop in shops().await {
        let cart = shop.cart().await;
        let order = shop.placed_from(&cart).await;
        let published = testing::published(&shop.db).await;
        let event = published.last().unwrap();
        assert_eq!((event.subject.as_str(), event.version), (order.id.to_string().as_str(), 1));
        assert_eq!(event.correlation, order.id.to_string());
        assert!(event.trace.is_some());
        let placed = OrderPlaced::of(&event.payload).unwrap();
        assert_eq!(placed.total.amount_minor, 5_630);
        assert_eq!(placed.lines.len(), 2);
        let parts = placed
            .lines
            .iter()
            .map(|line| line.amount)
            .chain(placed.shipping.iter().flat_map(|shipping| shipping.amounts.clone()));
        assert_eq!(parts.map(|part| part.gross_minor).sum::<i64>(), 5_630);
        assert_eq!(placed.deadline, testing::NOON.plus(Duration::from_secs(30 * 60)));
        assert_eq!(placed.buyer.billing.as_ref().unwrap().city, "Hamburg");
        assert_eq!(placed.payment_method.token.as_deref(), Some("ok"));

        let shown = shop.order(&order).await;
        assert_eq!(shown["status"], "pending");
        assert_eq!(shown["number"], placed.number.as_str());
        assert_eq!(shown["money"]["due_minor"], 5_630);
        assert!(!shown.to_string().contains("\"ok\""), "the provider's token is nobody's business");
        let cart = shop.get(&format!("/carts/{}", cart.id), &cart.token).await;
        assert_eq!(cart.json["order_id"], order.id.to_string());
    }
}

#[tokio::test]
async fn placing_twice_is_placing_once() {
    for shop in shops().await {
        let cart = shop.cart().await;
        let first = shop.place(&cart, "key-1").await.json;
        let repeat = shop.place(&cart, "key-1").await.json;
        assert_eq!(repeat["id"], first["id"]);
        let other_key = shop.place(&cart, "key-2").await.json;
        assert_eq!(other_key["id"], first["id"]);
        let mut other = agreement(cart.total_minor);
        other["payment_method"] = json!({ "code": "on_delivery" });
        let reused = shop.send(place_request(&cart, "key-1", other)).await;
        assert_eq!(reused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(code(&reused.json), "idempotency-key-reused");
        assert_eq!(shop.said().await, ["order.placed.v1"]);
    }
}

#[tokio::test]
async fn fifty_at_once_place_one_order() {
    for shop in shops_at(Clock::system(), Config::default()).await {
        let cart = shop.cart().await;
        let all = (0..50).map(|n| {
            let (shop, cart) = (&shop, &cart);
            async move { shop.place(cart, &format!("key-{}", n % 2)).await }
        });
        let answers = futures_util::future::join_all(all).await;
        let first = &answers[0].json["id"];
        for answer in &answers {
            assert_eq!(answer.status, StatusCode::ACCEPTED, "{:?}", answer.json);
            assert_eq!(&answer.json["id"], first);
        }
        assert_eq!(shop.said().await, ["order.placed.v1"]);
    }
}

#[tokio::test]
async fn a_key_is_needed_and_must_be_one() {
    for shop in shops().await {
        let cart = shop.cart().await;
        let missing = shop.send(place_request(&cart, "", agreement(cart.total_minor))).await;
        assert_eq!(
            (missing.status, code(&missing.json)),
            (StatusCode::BAD_REQUEST, "idempotency-key-missing")
        );
        let long = shop.place(&cart, &"k".repeat(300)).await;
        assert_eq!(
            (long.status, code(&long.json)),
            (StatusCode::BAD_REQUEST, "idempotency-key-invalid")
        );
        assert!(shop.said().await.is_empty());
    }
}

#[tokio::test]
async fn another_total_than_the_customer_saw_is_not_charged() {
    for shop in shops().await {
        let cart = shop.cart().await;
        shop.publish_product(contracts::events::ProductPublished {
            version: 2,
            ..super::shop::product(2, BOOK, "books", 2_240, true)
        })
        .await;
        let refused = shop.place(&cart, "k").await;
        assert_eq!((refused.status, code(&refused.json)), (StatusCode::CONFLICT, "price-changed"));
        assert_eq!(refused.json["total"], json!({ "amount_minor": 5_730, "currency": "EUR" }));
        let again = OpenCart { total_minor: 5_730, ..cart };
        assert_eq!(shop.place(&again, "k").await.status, StatusCode::ACCEPTED);
    }
}

#[tokio::test]
async fn an_order_needs_everything_that_was_asked_for() {
    for shop in shops().await {
        let cart = shop.cart().await;
        let path = format!("/carts/{}", cart.id);
        let attempt = async |change: fn(&mut Value)| {
            let mut body = agreement(cart.total_minor);
            change(&mut body);
            shop.send(place_request(&cart, "k", body)).await
        };
        let terms = attempt(|body| body["terms_version"] = json!("2020-01")).await;
        assert_eq!(code(&terms.json), "terms-outdated");
        assert_eq!(terms.json["terms_version"], "2026-01");
        let method = attempt(|body| body["payment_method"] = json!({ "code": "shells" })).await;
        assert_eq!(method.json["errors"][0]["pointer"], "/payment_method/code");
        let price = attempt(|body| body["total"] = json!(1)).await;
        assert_eq!(code(&price.json), "unknown-field");
        let currency = attempt(|body| body["expected_total"]["currency"] = json!("USD")).await;
        assert_eq!(code(&currency.json), "price-changed");

        let nobody = json!({ "email": null, "shipping_address": null, "shipping_method": null });
        shop.patch(&path, &cart.token, nobody).await;
        let incomplete = attempt(|_| ()).await;
        assert_eq!(incomplete.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(code(&incomplete.json), "cart-incomplete");
        assert_eq!(
            incomplete.json["needs"],
            json!(["email", "shipping_address", "shipping_method"])
        );
        shop.delete(&format!("{path}/lines/{CANDLE}"), &cart.token).await;
        shop.delete(&format!("{path}/lines/{BOOK}"), &cart.token).await;
        assert_eq!(attempt(|_| ()).await.json["needs"], json!(["lines", "email"]));
        assert!(shop.said().await.is_empty());
    }
}

#[tokio::test]
async fn what_needs_no_parcel_is_taxed_where_the_one_lives_who_is_billed() {
    for shop in shops().await {
        let cart = song(&shop, &json!({})).await;
        let lacking = shop.place(&cart, "k").await;
        assert_eq!(code(&lacking.json), "cart-incomplete");
        assert_eq!(lacking.json["needs"], json!(["billing_address"]));

        let mut home = address();
        home["country"] = json!("HU");
        let body = json!({ "billing_address": home, "shipping_address": address() });
        let shown = shop.patch(&format!("/carts/{}", cart.id), &cart.token, body).await.json;
        // 200 - 200 / 1.27, whatever the rate is where a parcel would go.
        assert_eq!(shown["totals"]["tax_minor"], 43, "{shown}");
        assert_eq!(shop.place(&cart, "k").await.status, StatusCode::ACCEPTED);
    }
}

#[tokio::test]
async fn what_needs_no_parcel_cannot_be_paid_on_delivery() {
    for shop in shops().await {
        let cart = song(&shop, &json!({ "billing_address": address() })).await;
        let shown = shop.get(&format!("/carts/{}", cart.id), &cart.token).await.json;
        let methods = shown["payment_methods"].as_array().unwrap();
        assert!(methods.iter().all(|method| method["terms"] != "on_delivery"), "{methods:?}");
        let mut body = agreement(cart.total_minor);
        body["payment_method"] = json!({ "code": "on_delivery" });
        let refused = shop.send(place_request(&cart, "k", body)).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.json["errors"][0]["pointer"], "/payment_method/code");
        assert!(shop.said().await.is_empty());
    }
}

/// A cart with two songs, and who buys them.
async fn song(shop: &Shop, contact: &Value) -> OpenCart {
    let mut body = json!({ "lines": [{ "sku": SONG, "quantity": 2 }], "email": "ada@example.org" });
    for (key, value) in contact.as_object().unwrap() {
        body[key] = value.clone();
    }
    let opened = shop.post("/carts", "", body).await.json;
    OpenCart {
        id: opened["id"].as_str().unwrap().to_owned(),
        token: opened["token"].as_str().unwrap().to_owned(),
        total_minor: 200,
    }
}

#[tokio::test]
async fn a_cart_that_has_become_an_order_does_not_change() {
    for shop in shops().await {
        let cart = shop.cart().await;
        let order = shop.placed_from(&cart).await;
        let line = format!("/carts/{}/lines/{CANDLE}", cart.id);
        let refused = shop.put(&line, &cart.token, json!({ "quantity": 1 })).await;
        assert_eq!((refused.status, code(&refused.json)), (StatusCode::CONFLICT, "state-conflict"));
        assert_eq!(refused.json["order_id"], order.id.to_string());
    }
}

#[tokio::test]
async fn a_cart_whose_order_failed_opens_again_and_may_become_another() {
    for shop in shops().await {
        let cart = shop.cart().await;
        let order = shop.placed_from(&cart).await;
        let missing = contracts::events::SkuQuantity { sku: BOOK.parse().unwrap(), quantity: 0 };
        shop.tell(&order, StockRejected { order_id: order.id, missing: vec![missing] }).await;
        assert_eq!(shop.status(&order).await, "failed");
        let open = shop.get(&format!("/carts/{}", cart.id), &cart.token).await.json;
        assert_eq!(open["reopened_because"], "BOOK is sold out");
        assert_eq!(open["order_id"], Value::Null);
        let line = format!("/carts/{}/lines/{BOOK}", cart.id);
        assert_eq!(shop.delete(&line, &cart.token).await.status, StatusCode::OK);
        let again = OpenCart { total_minor: 3_490, ..cart };
        let second = shop.place(&again, "another-key").await;
        assert_eq!(second.status, StatusCode::ACCEPTED, "{:?}", second.json);
        assert_ne!(second.json["id"], order.id.to_string());
        assert_eq!(shop.said().await, ["order.placed.v1", "order.failed.v1", "order.placed.v1"]);
    }
}

#[tokio::test]
async fn whoever_prefers_to_wait_is_answered_when_the_order_has_settled() {
    for shop in shops_at(Clock::system(), Config::default()).await {
        for decline in [false, true] {
            let cart = shop.cart().await;
            let mut request = place_request(&cart, "k", agreement(cart.total_minor));
            request.headers_mut().insert("prefer", "wait=20".parse().unwrap());
            let settle = async {
                // The order's id is known to everybody else only by its event.
                let order_id = loop {
                    let said = testing::published(&shop.db).await;
                    let mut placed =
                        said.iter().filter_map(|event| OrderPlaced::of(&event.payload));
                    if let Some(placed) =
                        placed.next_back().filter(|p| p.cart_id.to_string() == cart.id)
                    {
                        break placed.order_id;
                    }
                    tokio::task::yield_now().await;
                };
                if decline {
                    let declined = PaymentDeclined {
                        payment_id: payment_id(),
                        order_id,
                        reason: "insufficient_funds".to_owned(),
                        attempts_left: 4,
                    };
                    shop.hear("p", 1, declined).await;
                } else {
                    shop.hear("s", 1, StockAllocated { order_id }).await;
                }
            };
            let (answer, ()) = futures_util::future::join(shop.send(request), settle).await;
            assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.json);
            if decline {
                assert_eq!(answer.json["status"], "pending");
                assert_eq!(answer.json["payment_waits_for"]["for"], "method");
                assert_eq!(answer.json["payment_waits_for"]["attempts_left"], 4);
            } else {
                assert_eq!(answer.json["status"], "confirmed");
            }
        }
    }
}
