//! Webhooks and returning browsers: news, never proof.

use http::Method;
use payment::test_provider::{SIGNATURE_HEADER, Webhook, sign};
use serde_json::json;

use crate::shop::{Placed, SECRET, Shop, shops};

const PATH: &str = "/payments/webhooks/test";

async fn send(shop: &Shop, body: &str, signature: &str) -> (u16, String) {
    let headers = [(SIGNATURE_HEADER, signature)];
    let (status, text) = shop.send(Method::POST, PATH, None, &headers, Some(body)).await;
    (status.as_u16(), text)
}

async fn deliver(shop: &Shop, webhook: &Webhook) -> (u16, String) {
    let body = serde_json::to_string(webhook).unwrap();
    let signature = sign(SECRET, shop.clock.now(), &body);
    send(shop, &body, &signature).await
}

fn told(shop: &Shop) -> Vec<Webhook> {
    shop.bank.lock().unwrap().take_webhooks()
}

async fn waiting(shop: &Shop) -> Placed {
    let order = shop.paid("card", "action").await;
    shop.clock.set(shop.clock.now().plus(std::time::Duration::from_secs(20)));
    order
}

#[tokio::test]
async fn news_from_the_provider_is_checked_with_the_provider() {
    for shop in shops().await {
        let order = waiting(&shop).await;
        shop.shopper_decides(true);
        let webhook = told(&shop).remove(0);
        let answers = [deliver(&shop, &webhook).await, deliver(&shop, &webhook).await];
        assert_eq!(answers[0], (200, json!({"outcome": "asked"}).to_string()));
        assert_eq!(answers[1], (200, json!({"outcome": "nothing_new"}).to_string()));
        shop.settle().await;
        assert_eq!(shop.status(&order).await, "authorised");
        assert_eq!(shop.said().await, ["payment.action_required", "payment.authorized"]);
    }
}

#[tokio::test]
async fn a_webhook_that_lies_changes_nothing() {
    for shop in shops().await {
        let order = waiting(&shop).await;
        shop.shopper_decides(false);
        let mut webhook = told(&shop).remove(0);
        webhook.r#type = "payment.authorised".to_owned();
        deliver(&shop, &webhook).await;
        shop.settle().await;
        assert_eq!(shop.status(&order).await, "requires_method");
    }
}

#[tokio::test]
async fn a_webhook_that_nobody_signed_just_so_just_now_is_refused() {
    for shop in shops().await {
        waiting(&shop).await;
        shop.shopper_decides(true);
        let body = serde_json::to_string(&told(&shop)[0]).unwrap();
        let now = shop.clock.now();
        let good = sign(SECRET, now, &body);
        let old = sign(SECRET, now.minus(std::time::Duration::from_secs(301)), &body);
        let other = sign("another secret of somebody", now, &body);
        let altered = body.replace("authorised", "authoriseD");
        for (body, signature) in
            [(&body, &other), (&body, &old), (&altered, &good), (&body, &String::new())]
        {
            let (status, problem) = send(&shop, body, signature).await;
            assert_eq!(status, 401, "{problem}");
            assert!(problem.contains("/problems/signature-invalid"), "{problem}");
        }
        let (status, _) = shop.send(Method::POST, PATH, None, &[], Some(&body)).await;
        assert_eq!(status.as_u16(), 401);
        let path = "/payments/webhooks/nobody";
        let (status, _) = shop.send(Method::POST, path, None, &[], Some(&body)).await;
        assert_eq!(status.as_u16(), 404);
        assert_eq!(send(&shop, &body, &good).await.0, 200);
    }
}

#[tokio::test]
async fn a_webhook_that_does_not_fit_is_kept_for_a_person() {
    for shop in shops().await {
        let order = waiting(&shop).await;
        shop.shopper_decides(true);
        let webhook = told(&shop).remove(0);
        let unknown = Webhook {
            id: "evt_1".to_owned(),
            shop_payment: shop.db.ids().uuid().to_string(),
            ..webhook.clone()
        };
        let mut cheap = Webhook { id: "evt_2".to_owned(), ..webhook.clone() };
        cheap.amount.amount_minor = 1;
        let mut dollars = Webhook { id: "evt_3".to_owned(), ..webhook };
        dollars.amount.currency = contracts::Currency::USD;
        for odd in [unknown, cheap, dollars] {
            let answer = deliver(&shop, &odd).await;
            assert_eq!(answer, (202, json!({"outcome": "quarantined"}).to_string()));
        }
        let mut seen = Vec::new();
        let mut next = "/payments/webhooks/quarantine?limit=2".to_owned();
        loop {
            let page = shop.staff_sees(&next).await;
            seen.extend(page["items"].as_array().unwrap().iter().map(|i| i["event_id"].clone()));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            next = format!("/payments/webhooks/quarantine?limit=2&cursor={cursor}");
        }
        assert_eq!(seen, ["evt_3", "evt_2", "evt_1"]);
        let path = "/payments/webhooks/quarantine";
        assert_eq!(shop.get(path, Some(&order.token)).await.0.as_u16(), 403);
        // Asked all the same, the provider tells the truth.
        shop.settle().await;
        assert_eq!(shop.status(&order).await, "authorised");
    }
}

#[tokio::test]
async fn repeated_and_reordered_webhooks_change_nothing_twice() {
    for shop in shops().await {
        for token in ["webhook_repeat", "webhook_reorder"] {
            let order = shop.paid("card", token).await;
            for webhook in told(&shop) {
                assert_eq!(deliver(&shop, &webhook).await.0, 200);
            }
            shop.settle().await;
            assert_eq!(shop.status(&order).await, "authorised");
        }
        assert_eq!(shop.said().await, ["payment.authorized", "payment.authorized"]);
    }
}

#[tokio::test]
async fn a_browser_that_comes_back_proves_nothing() {
    for shop in shops().await {
        let order = waiting(&shop).await;
        let path = format!("/payments/{}/return?status=paid", order.id);
        assert_eq!(shop.get(&path, None).await.0.as_u16(), 303);
        shop.settle().await;
        assert_eq!(shop.status(&order).await, "requires_action");
        shop.clock.set(shop.clock.now().plus(std::time::Duration::from_secs(2)));
        shop.shopper_decides(true);
        shop.get(&path, None).await;
        shop.settle().await;
        assert_eq!(shop.status(&order).await, "authorised");
        let nobody = format!("/payments/{}/return", shop.db.ids().uuid());
        assert_eq!(shop.get(&nobody, None).await.0.as_u16(), 404);
    }
}

#[tokio::test]
async fn what_webhooks_said_is_removed_after_ninety_days() {
    for shop in shops().await {
        waiting(&shop).await;
        shop.shopper_decides(true);
        let mut odd = told(&shop).remove(0);
        odd.amount.amount_minor = 1;
        deliver(&shop, &odd).await;
        shop.later(89 * 86_400).await;
        let kept = shop.staff_sees("/payments/webhooks/quarantine").await;
        assert_eq!(kept["items"].as_array().unwrap().len(), 1);
        shop.later(2 * 86_400).await;
        let kept = shop.staff_sees("/payments/webhooks/quarantine").await;
        assert_eq!(kept["items"], json!([]));
    }
}
