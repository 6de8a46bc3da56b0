//! Who may see and do what.

use http::Method;
use serde_json::json;

use crate::shop::shops;

#[tokio::test]
async fn a_guest_sees_the_payment_of_the_own_order_and_no_other() {
    for shop in shops().await {
        let (mine, other) = (shop.paid("card", "ok").await, shop.paid("card", "ok").await);
        let path = format!("/payments/{}", mine.id);
        let (status, body) = shop.get(&path, Some(&mine.token)).await;
        assert_eq!(status.as_u16(), 200);
        assert!(!body.contains("operations"), "{body}");
        let missing = format!("/payments/{}", shop.db.ids().uuid());
        let without_trace = |body: String| {
            let mut body: serde_json::Value = serde_json::from_str(&body).unwrap();
            body.as_object_mut().unwrap().remove("trace_id");
            body
        };
        let (status, nothing) = shop.get(&missing, Some(&other.token)).await;
        assert_eq!(status.as_u16(), 404);
        let nothing = without_trace(nothing);
        for bearer in [Some(other.token.as_str()), None] {
            let (status, body) = shop.get(&path, bearer).await;
            assert_eq!((status.as_u16(), &without_trace(body)), (404, &nothing));
        }
        let body = json!({"code": "card", "token": "ok"});
        let (status, _) =
            shop.post(&format!("{path}/method"), Some(&other.token), "k", &body).await;
        assert_eq!(status.as_u16(), 404);
    }
}

#[tokio::test]
async fn what_is_for_staff_is_refused_to_others() {
    for shop in shops().await {
        let order = shop.paid("on_delivery", "").await;
        let collect = format!("/payments/{}/collect", order.id);
        let cash = json!({"amount": {"amount_minor": 3_500, "currency": "EUR"}, "reference": "r"});
        for (bearer, expected) in
            [(None, 401), (Some(order.token.as_str()), 403), (Some("kst_test_catalogue"), 403)]
        {
            for path in ["/payments", "/invoices", "/credit-notes", "/ledger", "/ledger/balance"] {
                assert_eq!(shop.get(path, bearer).await.0.as_u16(), expected, "{path}");
            }
            let (status, _) = shop.post(&collect, bearer, "k", &cash).await;
            assert_eq!(status.as_u16(), expected);
        }
        assert_eq!(shop.get("/payments", Some("kst_test_admin")).await.0.as_u16(), 200);
    }
}

#[tokio::test]
async fn requests_that_do_not_fit_are_refused_by_name() {
    for shop in shops().await {
        let order = shop.paid("card", "decline").await;
        let path = format!("/payments/{}/method", order.id);
        for (body, problem) in [
            (json!({"code": "card", "token": "4242424242424242"}), "pan-not-allowed"),
            (json!({"code": "shells"}), "validation-failed"),
            (json!({"code": "card", "price": 1}), "unknown-field"),
            (json!({"code": 5}), "validation-failed"),
            (json!({"code": "card", "token": "a\nb"}), "validation-failed"),
        ] {
            let (status, answer) = shop.post(&path, Some(&order.token), "k", &body).await;
            let kind = format!("/problems/{problem}");
            assert_eq!((status.as_u16(), &answer["type"]), (422, &json!(kind)), "{body}");
        }
        let bearer = Some(order.token.as_str());
        let (status, _) =
            shop.send(Method::POST, &path, bearer, &[], Some(r#"{"code":"card"}"#)).await;
        assert_eq!(status.as_u16(), 400);
        for path in ["/payments?limit=0", "/payments?cursor=x", "/payments?status=rich"] {
            let (status, _) = shop.get(path, Some("kst_test_support")).await;
            assert_eq!(status.as_u16(), 422, "{path}");
        }
    }
}

#[tokio::test]
async fn lists_go_page_by_page() {
    for shop in shops().await {
        for _ in 0..3 {
            shop.paid("card_auto", "ok").await;
        }
        for (path, field) in [("/payments", "id"), ("/invoices", "number"), ("/ledger", "id")] {
            let mut seen = Vec::new();
            let mut next = format!("{path}?limit=2");
            loop {
                let page = shop.staff_sees(&next).await;
                let items = page["items"].as_array().unwrap();
                seen.extend(items.iter().map(|item| item[field].clone()));
                let Some(cursor) = page["next_cursor"].as_str() else { break };
                next = format!("{path}?limit=2&cursor={cursor}");
            }
            let count = seen.len();
            seen.dedup();
            let expected = if path == "/ledger" { 6 } else { 3 };
            assert_eq!((count, seen.len()), (expected, expected), "{path}");
        }
        let voided = shop.staff_sees("/payments?status=voided").await;
        assert_eq!(voided["items"], json!([]));
    }
}
