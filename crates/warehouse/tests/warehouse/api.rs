//! What the HTTP interface answers, to whom.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::shop::{Call, Shop, WAREHOUSE};

const SUPPORT: Option<&str> = Some("kst_test_support");

fn code(body: &Value) -> &str {
    body["type"].as_str().unwrap_or_default().trim_start_matches("/problems/")
}

#[tokio::test]
async fn everybody_may_know_what_is_left_and_only_staff_where_it_is() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A/1", 5)]).await;
        let order = shop.order(&[("A/1", 2)]);
        shop.hears(&order, order.placed(&shop)).await;
        let path = "/stock/A%2F1";
        let call = Call { method: "GET", path, token: None, key: None, body: None };
        let (status, body) = shop.call(call).await;
        assert_eq!((status, body), (StatusCode::OK, json!({ "sku": "A/1", "available": 3 })));
        let (_, body) = shop.get(path).await;
        let counters = json!({ "sku": "A/1", "place": "main", "on_hand": 5, "reserved": 2,
            "backorder_limit": 0, "available": 3 });
        assert_eq!(body["places"], json!([counters]));
        assert_eq!(shop.get("/stock/B").await.0, StatusCode::NOT_FOUND);
        assert_eq!(shop.get("/stock/a%20b").await.0, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn only_the_warehouse_changes_stock_and_parcels() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 5)]).await;
        let (_, parcel) = shop.confirmed(&[("A", 1)]).await;
        let receipt = json!({ "quantity": 1 });
        let posts = [
            ("/stock/A/receipts".to_owned(), receipt.clone()),
            ("/stock/receipts".to_owned(), json!({ "items": [{ "sku": "A", "quantity": 1 }] })),
            ("/stock/A/adjustments".to_owned(), json!({ "delta": 1, "reason": "found" })),
            (format!("/shipments/{parcel}/pack"), json!({})),
            (format!("/shipments/{parcel}/split"), json!({ "lines": [] })),
            (format!("/shipments/{parcel}/dispatch"), json!({ "carrier": "x", "tracking": "y" })),
            (format!("/shipments/{parcel}/deliver"), json!(null)),
        ];
        for (path, body) in &posts {
            for (token, expected) in [
                (None, "unauthenticated"),
                (SUPPORT, "forbidden"),
                (Some("kct_guest_token"), "forbidden"),
            ] {
                let (method, body) = ("POST", Some(body.clone()));
                let call = Call { method, path, token, key: Some("k"), body };
                let (_, body) = shop.call(call).await;
                assert_eq!(code(&body), expected, "{path} {body}");
            }
        }
        for path in ["/stock", "/stock/A/movements", "/shipments"] {
            let call = Call { method: "GET", path, token: None, key: None, body: None };
            assert_eq!(shop.call(call).await.0, StatusCode::UNAUTHORIZED, "{path}");
        }
        assert_eq!(shop.shelf("A").await, (5, 1));
    }
}

#[tokio::test]
async fn the_same_receipt_sent_twice_comes_in_once() {
    for shop in Shop::everywhere().await {
        let send = |quantity: i64| {
            shop.call(Call {
                method: "POST",
                path: "/stock/A/receipts",
                token: WAREHOUSE,
                key: Some("delivery-7"),
                body: Some(json!({ "quantity": quantity, "note": "delivery 7" })),
            })
        };
        let all = futures_util::future::join_all((0..10).map(|_| send(3))).await;
        assert!(
            all.iter().all(|(status, body)| *status == StatusCode::CREATED && *body == all[0].1)
        );
        assert_eq!(shop.shelf("A").await, (3, 0));
        let (status, body) = send(4).await;
        assert_eq!((status.as_u16(), code(&body)), (422, "idempotency-key-reused"));
        let (_, list) = shop.get("/stock/A/movements").await;
        assert_eq!(list["items"], json!([all[0].1]));
        shop.is_sound().await;
    }
}

#[tokio::test]
async fn a_receipt_needs_a_key_and_sense() {
    for shop in Shop::everywhere().await {
        let path = "/stock/A/receipts";
        let bare = Call {
            method: "POST",
            path,
            token: WAREHOUSE,
            key: None,
            body: Some(json!({ "quantity": 1 })),
        };
        let (status, body) = shop.call(bare).await;
        assert_eq!((status.as_u16(), code(&body)), (400, "idempotency-key-missing"));
        for wrong in [json!(-1), json!(0), json!(1.5), json!("2"), json!(1_000_001), json!(null)] {
            let (status, body) = shop.post(path, json!({ "quantity": wrong })).await;
            assert_eq!((status.as_u16(), code(&body)), (422, "validation-failed"), "{wrong}");
            assert_eq!(body["errors"][0]["pointer"].as_str(), Some("/quantity"));
        }
        let (_, body) = shop.post(path, json!({ "quantity": 1, "on_hand": 9 })).await;
        assert_eq!(code(&body), "unknown-field");
        let (_, body) = shop.post(path, json!({ "quantity": 1, "place": "moon" })).await;
        assert_eq!(
            (code(&body), body["errors"][0]["pointer"].as_str()),
            ("validation-failed", Some("/place"))
        );
        for note in ["a\r\nb".to_owned(), String::new(), "x".repeat(201)] {
            let (_, body) = shop.post(path, json!({ "quantity": 1, "note": note })).await;
            assert_eq!(code(&body), "validation-failed");
        }
        assert_eq!(shop.shelf("A").await, (0, 0));
    }
}

#[tokio::test]
async fn one_wrong_item_keeps_a_whole_delivery_out() {
    for shop in Shop::everywhere().await {
        let items = json!([{ "sku": "A", "quantity": 1 }, { "sku": "B", "quantity": 0 }]);
        let (status, body) = shop.post("/stock/receipts", json!({ "items": items })).await;
        assert_eq!(status.as_u16(), 422);
        assert_eq!(body["errors"][0]["pointer"].as_str(), Some("/items/1/quantity"));
        let many: Vec<Value> =
            (0..501).map(|n| json!({ "sku": format!("S{n}"), "quantity": 1 })).collect();
        let (status, _) = shop.post("/stock/receipts", json!({ "items": many })).await;
        assert_eq!(status.as_u16(), 422);
        assert_eq!(shop.shelf("A").await, (0, 0));
        let twice = json!([{ "sku": "A", "quantity": 1 }, { "sku": "A", "quantity": 2 }]);
        let (status, body) = shop.post("/stock/receipts", json!({ "items": twice })).await;
        assert_eq!((status.as_u16(), body), (201, json!({ "items": 2, "pieces": 3 })));
        assert_eq!(shop.shelf("A").await, (3, 0));
        shop.is_sound().await;
    }
}

#[tokio::test]
async fn what_is_promised_cannot_be_counted_away() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 5)]).await;
        let order = shop.order(&[("A", 4)]);
        shop.hears(&order, order.placed(&shop)).await;
        let path = "/stock/A/adjustments";
        let (status, body) = shop.post(path, json!({ "delta": -2, "reason": "broken" })).await;
        assert_eq!(
            (status.as_u16(), code(&body), body["reserved"].as_i64()),
            (409, "state-conflict", Some(4))
        );
        let (status, body) = shop.post(path, json!({ "delta": -1, "reason": "broken" })).await;
        assert_eq!((status.as_u16(), body["actor"].as_str()), (201, Some("staff:warehouse")));
        assert_eq!(shop.shelf("A").await, (4, 4));
        shop.is_sound().await;
    }
}

#[tokio::test]
async fn pieces_still_to_come_can_be_promised_up_to_a_limit() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 1)]).await;
        let limit = |limit: i64| Call {
            method: "PUT",
            path: "/stock/A/backorder",
            token: WAREHOUSE,
            key: None,
            body: Some(json!({ "limit": limit })),
        };
        let (status, body) = shop.call(limit(2)).await;
        assert_eq!((status.as_u16(), body["available"].as_i64()), (200, Some(3)));
        let (first, second) = (shop.order(&[("A", 3)]), shop.order(&[("A", 1)]));
        shop.hears(&first, first.placed(&shop)).await;
        shop.hears(&second, second.placed(&shop)).await;
        assert_eq!(
            (shop.state_of(&first).await, shop.state_of(&second).await),
            ("held", "rejected")
        );
        assert_eq!(shop.call(limit(1)).await.0, StatusCode::CONFLICT);
        shop.is_sound().await;
    }
}

#[tokio::test]
async fn lists_are_read_page_by_page_and_their_cursors_are_their_own() {
    for shop in Shop::everywhere().await {
        let goods: Vec<(String, i64)> = (0..25).map(|n| (format!("S{n:02}"), n + 1)).collect();
        let goods: Vec<(&str, i64)> = goods.iter().map(|(sku, n)| (sku.as_str(), *n)).collect();
        shop.stock(&goods).await;
        let mut seen: Vec<String> = Vec::new();
        let mut path = "/stock?limit=10".to_owned();
        loop {
            let (status, body) = shop.get(&path).await;
            assert_eq!(status, StatusCode::OK, "{body}");
            let items = body["items"].as_array().unwrap();
            seen.extend(items.iter().map(|item| item["sku"].as_str().unwrap().to_owned()));
            let Some(cursor) = body["next_cursor"].as_str() else { break };
            let (_, other) = shop.get(&format!("/stock?low=true&cursor={cursor}")).await;
            assert_eq!(code(&other), "validation-failed");
            path = format!("/stock?limit=10&cursor={cursor}");
        }
        assert_eq!(seen, goods.iter().map(|(sku, _)| *sku).collect::<Vec<_>>());
        let (_, low) = shop.get("/stock?low=true").await;
        assert_eq!(low["items"].as_array().unwrap().len(), 5);
        assert_eq!(code(&shop.get("/stock?limit=0").await.1), "validation-failed");
    }
}

#[tokio::test]
async fn parcels_are_found_by_order_and_by_how_far_they_are() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 50)]).await;
        let mut parcels = Vec::new();
        for _ in 0..3 {
            parcels.push(shop.confirmed(&[("A", 1)]).await);
        }
        shop.work(parcels[1].1, "pack", json!({})).await;
        let ids = |body: Value| -> Vec<String> {
            let items = body["items"].as_array().unwrap().clone();
            items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
        };
        let (_, packed) = shop.get("/shipments?status=packed").await;
        assert_eq!(ids(packed), [parcels[1].1.to_string()]);
        let (_, page) = shop.get("/shipments?limit=2").await;
        let next = page["next_cursor"].as_str().unwrap().to_owned();
        let (_, rest) = shop.get(&format!("/shipments?limit=2&cursor={next}")).await;
        let all: Vec<String> = ids(page).into_iter().chain(ids(rest)).collect();
        let newest_first: Vec<String> =
            parcels.iter().rev().map(|(_, id)| id.to_string()).collect();
        assert_eq!(all, newest_first);
        let (order, parcel) = (parcels[0].0.id, parcels[0].1);
        let (_, none) = shop.get(&format!("/shipments?order_id={order}&status=packed")).await;
        assert_eq!(ids(none), Vec::<String>::new());
        assert_eq!(shop.get(&format!("/shipments/{parcel}")).await.0, StatusCode::OK);
        assert_eq!(shop.get("/shipments/none").await.0, StatusCode::NOT_FOUND);
        assert_eq!(code(&shop.get("/shipments?status=lost").await.1), "validation-failed");
    }
}

#[tokio::test]
async fn a_split_repeated_under_its_key_splits_once() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 5)]).await;
        let (order, parcel) = shop.confirmed(&[("A", 4)]).await;
        let path = format!("/shipments/{parcel}/split");
        let body = json!({ "lines": [{ "line_id": order.line(0), "quantity": 1 }] });
        let split = || {
            let (key, body) = (Some("split-1"), Some(body.clone()));
            shop.call(Call { method: "POST", path: &path, token: WAREHOUSE, key, body })
        };
        let (first, second) = (split().await, split().await);
        assert_eq!((first.0, &first.1), (StatusCode::OK, &second.1));
        assert_eq!(shop.parcels(&order).await.len(), 2);
        let wrong = json!({ "lines": [{ "line_id": order.line(0), "quantity": 9 }] });
        assert_eq!(code(&shop.post(&path, wrong).await.1), "validation-failed");
    }
}

#[tokio::test]
async fn every_route_is_described() {
    let shop = Shop::everywhere().await.remove(0);
    let api = serde_json::to_value(&shop.api).unwrap();
    let mut routes: Vec<String> = Vec::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        routes.extend(item.as_object().unwrap().keys().map(|method| format!("{method} {path}")));
    }
    routes.sort();
    assert_eq!(
        routes,
        [
            "get /shipments",
            "get /shipments/{id}",
            "get /stock",
            "get /stock/{sku}",
            "get /stock/{sku}/movements",
            "post /shipments/{id}/deliver",
            "post /shipments/{id}/dispatch",
            "post /shipments/{id}/pack",
            "post /shipments/{id}/split",
            "post /stock/receipts",
            "post /stock/{sku}/adjustments",
            "post /stock/{sku}/receipts",
            "put /stock/{sku}/backorder",
        ]
    );
    let operations = api["paths"].as_object().unwrap().values().flat_map(|item| {
        item.as_object().unwrap().values().map(|operation| operation["operationId"].to_string())
    });
    let distinct: std::collections::BTreeSet<String> = operations.collect();
    assert_eq!(distinct.len(), routes.len());
}
