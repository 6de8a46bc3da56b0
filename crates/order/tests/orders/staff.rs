//! What staff do, and what others may not.

use http::StatusCode;
use order::Config;
use platform::clock::Clock;
use serde_json::{Value, json};

use super::shop::{Answer, Placed, Shop, captured, request, shops, shops_at};

const SUPPORT: &str = "kst_test_support";

async fn refund(shop: &Shop, order: &Placed, token: &str, key: &str, body: Value) -> Answer {
    let mut request = request("POST", &format!("/orders/{}/refunds", order.id), token, Some(body));
    request.headers_mut().insert("idempotency-key", key.parse().unwrap());
    shop.send(request).await
}

fn code(answer: &Answer) -> &str {
    answer.json["type"].as_str().unwrap_or("").trim_start_matches("/problems/")
}

#[tokio::test]
async fn staff_list_orders_page_by_page_and_by_what_they_look_for() {
    for shop in shops().await {
        let mut placed = Vec::new();
        for _ in 0..3 {
            placed.push(shop.placed().await);
        }
        let confirmed = shop.confirmed().await;
        let ids = |answer: &Answer| -> Vec<String> {
            let items = answer.json["items"].as_array().unwrap();
            items.iter().map(|order| order["id"].as_str().unwrap().to_owned()).collect()
        };
        let first = shop.get("/orders?limit=3", SUPPORT).await;
        assert_eq!(first.status, StatusCode::OK, "{:?}", first.json);
        assert_eq!(
            ids(&first),
            [confirmed.id, placed[2].id, placed[1].id].map(|id| id.to_string())
        );
        let cursor = first.json["next_cursor"].as_str().unwrap();
        let second = shop.get(&format!("/orders?limit=3&cursor={cursor}"), SUPPORT).await;
        assert_eq!(ids(&second), [placed[0].id.to_string()]);
        let foreign = shop.get(&format!("/orders?status=pending&cursor={cursor}"), SUPPORT).await;
        assert_eq!(foreign.status, StatusCode::UNPROCESSABLE_ENTITY);

        let found = shop.get("/orders?status=confirmed", SUPPORT).await;
        assert_eq!(ids(&found), [confirmed.id.to_string()]);
        let number = shop.order(&placed[0]).await["number"].as_str().unwrap().to_owned();
        let found = shop.get(&format!("/orders?number={number}"), SUPPORT).await;
        assert_eq!(ids(&found), [placed[0].id.to_string()]);
        let all =
            [&confirmed, &placed[2], &placed[1], &placed[0]].map(|order| order.id.to_string());
        let found = shop.get("/orders?email=ADA@Example.org", SUPPORT).await;
        assert_eq!(ids(&found), all);
        let found = shop.get("/orders?email=ada@example.org&status=confirmed", SUPPORT).await;
        assert_eq!(ids(&found), all[..1]);
        let path = format!("/orders?number={number}&status=confirmed");
        assert_eq!(ids(&shop.get(&path, SUPPORT).await), Vec::<String>::new());
        let found = shop.get("/orders?email=eve@example.org", SUPPORT).await;
        assert_eq!(ids(&found), Vec::<String>::new());
        for bad in ["limit=0", "limit=101", "limit=x", "status=paid", "cursor=x", "customer_id=1"] {
            let answer = shop.get(&format!("/orders?{bad}"), SUPPORT).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{bad}");
        }
    }
}

#[tokio::test]
async fn who_may_do_what_with_an_order() {
    for shop in shops().await {
        let (order, other) = (shop.confirmed().await, shop.cart().await);
        let path = |end: &str| format!("/orders/{}{end}", order.id);
        let tokens = [
            "",
            order.token.as_str(),
            other.token.as_str(),
            "kst_test_catalogue",
            "kst_test_warehouse",
            SUPPORT,
        ];
        // Nobody, the buyer, another buyer, catalogue, warehouse, support.
        let expected = [
            ("GET", path(""), None, [404, 200, 404, 403, 200, 200]),
            ("GET", path("/timeline"), None, [404, 200, 404, 403, 200, 200]),
            ("GET", "/orders".to_owned(), None, [401, 403, 403, 403, 200, 200]),
            ("POST", path("/hold"), Some(json!({ "reason": "x" })), [401, 403, 403, 403, 403, 200]),
            ("POST", path("/resume"), None, [401, 403, 403, 403, 403, 200]),
            ("POST", path("/cancel"), Some(json!({})), [404, 202, 404, 403, 403, 202]),
        ];
        for (method, path, body, statuses) in expected {
            for (token, status) in tokens.iter().zip(statuses) {
                let answer = shop.send(request(method, &path, token, body.clone())).await;
                assert_eq!(answer.status.as_u16(), status, "{method} {path} {token}");
            }
        }
        for (token, status) in tokens.iter().zip([401, 403, 403, 403, 403, 409]) {
            let body = json!({ "amount_minor": 1, "reason": "x" });
            let answer = refund(&shop, &order, token, "k", body).await;
            assert_eq!(answer.status.as_u16(), status, "{token}");
        }
    }
}

#[tokio::test]
async fn an_order_that_is_not_there_and_one_that_is_not_yours_look_the_same() {
    for shop in shops().await {
        let (order, other) = (shop.placed().await, shop.cart().await);
        for end in ["", "/timeline", "/events"] {
            let mut theirs = shop.get(&format!("/orders/{}{end}", order.id), &other.token).await;
            let nobody = format!("/orders/00000000-0000-7000-8000-000000000000{end}");
            let mut missing = shop.get(&nobody, &other.token).await;
            theirs.json["trace_id"].take();
            missing.json["trace_id"].take();
            assert_eq!((theirs.status, &theirs.json), (missing.status, &missing.json));
            assert_eq!(theirs.status, StatusCode::NOT_FOUND);
        }
    }
}

#[tokio::test]
async fn a_held_order_says_why_to_staff_only() {
    for shop in shops().await {
        let order = shop.confirmed().await;
        let path = |end: &str| format!("/orders/{}{end}", order.id);
        let held = shop.post(&path("/hold"), SUPPORT, json!({ "reason": "smells of fraud" })).await;
        assert_eq!(
            (&held.json["status"], &held.json["reason"]),
            (&json!("on_hold"), &json!("smells of fraud"))
        );
        let seen = shop.order(&order).await;
        let timeline = shop.get(&path("/timeline"), &order.token).await;
        for shown in [seen.to_string(), timeline.json.to_string()] {
            assert!(!shown.contains("fraud") && !shown.contains("support"), "{shown}");
        }
        let timeline = shop.get(&path("/timeline"), SUPPORT).await;
        let last = timeline.json["entries"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(
            (&last["actor"], &last["detail"]),
            (&json!("staff:support"), &json!("smells of fraud"))
        );
        let resumed = shop.send(request("POST", &path("/resume"), SUPPORT, None)).await;
        assert_eq!(resumed.json["status"], "confirmed");
        let pending = shop.placed().await;
        let early = shop
            .post(&format!("/orders/{}/hold", pending.id), SUPPORT, json!({ "reason": "x" }))
            .await;
        assert_eq!((early.status, code(&early)), (StatusCode::CONFLICT, "state-conflict"));
    }
}

#[tokio::test]
async fn goodwill_is_granted_once_and_never_more_than_was_paid() {
    for shop in shops().await {
        let order = shop.confirmed().await;
        shop.tell_at(&order, 2, captured(&order, 5_630)).await;
        let body = json!({ "amount_minor": 5_000, "reason": "sorry" });
        let granted = refund(&shop, &order, SUPPORT, "k1", body.clone()).await;
        assert_eq!(granted.status, StatusCode::CREATED, "{:?}", granted.json);
        assert_eq!(granted.json["order"]["money"]["granted_minor"], 5_000);
        let repeat = refund(&shop, &order, SUPPORT, "k1", body).await;
        assert_eq!(repeat.json["refund_id"], granted.json["refund_id"]);
        let more =
            refund(&shop, &order, SUPPORT, "k2", json!({ "amount_minor": 631, "reason": "x" }))
                .await;
        assert_eq!((more.status, code(&more)), (StatusCode::CONFLICT, "refund-exceeds-capture"));
        assert_eq!(more.json["available"]["amount_minor"], 630);
        for bad in [json!(0), json!(-5), json!(1.5), json!("1")] {
            let answer =
                refund(&shop, &order, SUPPORT, "k3", json!({ "amount_minor": bad, "reason": "x" }))
                    .await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{bad}");
        }
        let granted = shop.said().await.iter().filter(|kind| **kind == "refund.granted.v1").count();
        assert_eq!(granted, 1);
    }
}

#[tokio::test]
async fn twenty_refunds_at_once_give_no_more_than_was_paid() {
    for shop in shops_at(Clock::system(), Config::default()).await {
        let order = shop.confirmed().await;
        shop.tell_at(&order, 2, captured(&order, 5_630)).await;
        let all = (0..20).map(|n| {
            let (shop, order) = (&shop, &order);
            let body = json!({ "amount_minor": 3_000, "reason": "sorry" });
            async move { refund(shop, order, SUPPORT, &format!("k{n}"), body).await.status }
        });
        let statuses = futures_util::future::join_all(all).await;
        let granted = statuses.iter().filter(|status| **status == StatusCode::CREATED).count();
        let refused = statuses.iter().filter(|status| **status == StatusCode::CONFLICT).count();
        assert_eq!((granted, refused), (1, 19));
    }
}
