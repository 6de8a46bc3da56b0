//! What claims to come from the payment provider (security S-29, S-30): only what it signed just now
//! is believed, and even then only that there is news.

use payment::test_provider::{SIGNATURE_HEADER, sign};
use serde_json::{Value, json};
use std::time::Duration;

use crate::support::provider::WEBHOOK_SECRET;
use crate::support::shopper::text;
use crate::support::{Answer, Engine, World, everywhere};

everywhere!(
    a_webhook_that_the_provider_did_not_sign_just_now_is_not_believed,
    a_webhook_is_news_once,
    a_signed_webhook_proves_nothing_by_itself,
    coming_back_from_the_provider_proves_nothing,
);

/// A webhook that says that a payment is paid.
fn paid(id: &str, payment: &Value) -> Value {
    let known = payment["operations"][0]["reference"].as_str();
    json!({
        "id": id, "type": "payment.captured", "created_at": "2026-11-22T12:00:00Z",
        "payment": known.unwrap_or("tp_whichever"),
        "shop_payment": payment["id"],
        "amount": { "amount_minor": 1_490, "currency": "EUR" },
    })
}

impl World {
    async fn webhook(&self, body: &str, signature: Option<&str>) -> Answer {
        let mut request = self.post("/payments/webhooks/test").text(body);
        request = request.header("content-type", "application/json");
        if let Some(signature) = signature {
            request = request.header(SIGNATURE_HEADER, signature);
        }
        request.send().await
    }
}

async fn a_webhook_that_the_provider_did_not_sign_just_now_is_not_believed(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let id = ada.place("card", "action").await;
    ada.is_sent_to(&id).await;
    let body = paid("evt_forged", &world.payment(&id).await).to_string();
    let now = world.time.now();
    let good = sign(WEBHOOK_SECRET, now, &body);
    let stale = sign(WEBHOOK_SECRET, now.minus(Duration::from_secs(400)), &body);
    let early = sign(WEBHOOK_SECRET, now.plus(Duration::from_secs(400)), &body);
    let other = sign("another secret altogether, not ours", now, &body);
    for signature in
        [None, Some(""), Some("t=1,v1=00"), Some(&*stale), Some(&*early), Some(&*other)]
    {
        let answer = world.webhook(&body, signature).await;
        assert_eq!(answer.problem(), "401 signature-invalid", "{signature:?}");
    }
    let altered = body.replace("1490", "1491");
    assert_eq!(world.webhook(&altered, Some(&good)).await.problem(), "401 signature-invalid");
    let elsewhere = world.post("/payments/webhooks/nobody").text(&*body);
    let elsewhere = elsewhere.header(SIGNATURE_HEADER, &good).send().await;
    assert!(elsewhere.status == 404 || elsewhere.status == 401, "{elsewhere:?}");
    world.rests().await;
    assert_eq!(ada.order(&id).await["status"], "pending");
    world.close().await;
}

async fn a_webhook_is_news_once(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let order = ada.place("card_auto", "ok").await;
    ada.waits_for(&order, "confirmed").await;
    let body = paid("evt_again", &world.payment(&order).await).to_string();
    for _ in 0..3 {
        let signature = sign(WEBHOOK_SECRET, world.time.now(), &body);
        assert_eq!(world.webhook(&body, Some(&signature)).await.status, 200);
    }
    world.rests().await;
    assert_eq!(world.ledger_in_balance().await, 1_490);
    let unknown = json!({
        "id": "evt_unknown", "type": "payment.captured", "created_at": "2026-11-22T12:00:00Z",
        "payment": "tp_of_nobody", "shop_payment": "01970000-0000-7000-8000-000000000000",
        "amount": { "amount_minor": 1_490, "currency": "EUR" },
    })
    .to_string();
    let signature = sign(WEBHOOK_SECRET, world.time.now(), &unknown);
    assert_eq!(world.webhook(&unknown, Some(&signature)).await.status, 202, "kept for a person");
    for (id, amount, currency) in [("evt_more", 1_491, "EUR"), ("evt_yen", 1_490, "JPY")] {
        let mut wrong = paid(id, &world.payment(&order).await);
        wrong["amount"] = json!({ "amount_minor": amount, "currency": currency });
        let wrong = wrong.to_string();
        let signature = sign(WEBHOOK_SECRET, world.time.now(), &wrong);
        assert_eq!(
            world.webhook(&wrong, Some(&signature)).await.status,
            202,
            "{amount} {currency}"
        );
    }
    world.rests().await;
    assert_eq!(world.ledger_in_balance().await, 1_490);
    world.close().await;
}

async fn a_signed_webhook_proves_nothing_by_itself(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let id = ada.place("card", "action").await;
    ada.is_sent_to(&id).await;
    // Whoever has stolen the secret still has not paid: the provider is asked, and says so.
    let body = paid("evt_stolen", &world.payment(&id).await).to_string();
    let signature = sign(WEBHOOK_SECRET, world.time.now(), &body);
    assert!(world.webhook(&body, Some(&signature)).await.status.is_success());
    let asked = async || world.asked_of_provider("create").len();
    world.until_eq(asked, 1).await;
    world.rests().await;
    let order = ada.order(&id).await;
    assert_eq!(
        (text(&order["status"]), text(&order["payment_status"])),
        ("pending".into(), "none".into())
    );
    assert_eq!(world.ledger_in_balance().await, 0);
    world.close().await;
}

async fn coming_back_from_the_provider_proves_nothing(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let id = ada.place("card", "action").await;
    ada.is_sent_to(&id).await;
    let payment = text(&world.payment(&id).await["id"]);
    for query in ["", "?status=paid", "?status=paid&next=//evil.example"] {
        let back = world.get(&format!("/payments/{payment}/return{query}")).send().await;
        assert!(!back.status.is_server_error(), "{back:?}");
        let to = back.header("location");
        assert!(to.is_empty() || to.starts_with('/') && !to.starts_with("//"), "{to}");
    }
    world.rests().await;
    assert_eq!(ada.order(&id).await["status"], "pending");
    world.close().await;
}
