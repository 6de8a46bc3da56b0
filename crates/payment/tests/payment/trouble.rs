//! Providers that do not answer, messages that come late, customers who change their mind.

use std::sync::Arc;

use contracts::events::StockReserved;
use payment::Providers;
use payment::audit::UnknownPayments;
use serde_json::json;

use crate::shop::{Shop, shops};

#[tokio::test]
async fn an_answer_that_was_lost_is_asked_for_and_nothing_is_tried_twice() {
    for shop in shops().await {
        for token in ["timeout_after", "error_after"] {
            let order = shop.paid("card", token).await;
            let view = shop.staff_sees(&format!("/payments/{}", order.id)).await;
            assert_eq!((&view["status"], &view["unknown"]), (&json!("processing"), &json!(true)));
            assert_eq!(shop.db.read(UnknownPayments).await.unwrap(), 1);
            shop.later(6).await;
            assert_eq!(shop.status(&order).await, "authorised");
        }
        assert_eq!(shop.bank.lock().unwrap().all().len(), 2);
        assert_eq!(shop.said().await, ["payment.authorized", "payment.authorized"]);
    }
}

#[tokio::test]
async fn without_its_provider_nobody_says_that_a_payment_was_declined() {
    for shop in shops().await {
        // The answer was lost, and then the provider is left out of the configuration.
        let order = shop.paid("card", "timeout_after").await;
        let bank = Arc::clone(&shop.bank);
        let bare = Shop::new(shop.db.clone(), Providers::new(), Arc::clone(&bank));
        bare.later(6).await;
        assert_eq!(bare.said().await, [] as [&str; 0]);
        let view = bare.staff_sees(&format!("/payments/{}", order.id)).await;
        assert_eq!((&view["status"], &view["unknown"]), (&json!("processing"), &json!(true)));
        let new = bare.paid("card", "ok").await;
        assert_eq!(bare.status(&new).await, "processing");
        assert_eq!(bare.said().await, [] as [&str; 0]);
    }
}

#[tokio::test]
async fn a_call_that_was_lost_is_made_again_under_its_own_key() {
    for shop in shops().await {
        let order = shop.paid("card", "timeout_before").await;
        assert_eq!(shop.bank.lock().unwrap().all().len(), 0);
        shop.later(6).await;
        assert_eq!(shop.status(&order).await, "authorised");
        assert_eq!(shop.bank.lock().unwrap().all().len(), 1);
    }
}

#[tokio::test]
async fn money_that_comes_after_the_order_has_ended_is_given_up() {
    for shop in shops().await {
        let order = shop.paid("card", "timeout_after").await;
        shop.cancel(&order).await;
        shop.later(6).await;
        assert_eq!(shop.status(&order).await, "voided");
        assert_eq!(shop.said().await, ["payment.authorized", "payment.voided"]);
    }
}

#[tokio::test]
async fn a_late_charge_goes_back_without_an_invoice() {
    for shop in shops().await {
        let order = shop.paid("card_auto", "timeout_after").await;
        shop.expire(&order).await;
        shop.later(6).await;
        assert_eq!(shop.said().await, ["payment.captured", "payment.refunded"]);
        assert_eq!(shop.staff_sees("/invoices").await["items"], json!([]));
        let balance = shop.staff_sees("/ledger/balance").await;
        for account in balance["balances"].as_array().unwrap() {
            assert_eq!(account["amount_minor"], 0, "{account}");
        }
    }
}

#[tokio::test]
async fn goods_held_before_the_order_is_heard_of_wait_for_it() {
    for shop in shops().await {
        let order = shop.order("card", "ok");
        let expires_at = order.event.deadline;
        shop.hear(order.id, 1, StockReserved { order_id: order.id, expires_at }).await;
        assert!(shop.said().await.is_empty());
        shop.hear(order.id, 1, order.event.clone()).await;
        shop.later(60).await;
        assert_eq!(shop.said().await, ["payment.authorized"]);
    }
}

#[tokio::test]
async fn an_order_that_ended_before_its_goods_were_held_is_never_charged() {
    for shop in shops().await {
        let order = shop.placed("card", "ok").await;
        shop.expire(&order).await;
        shop.reserve(&order).await;
        shop.settle().await;
        assert!(shop.said().await.is_empty());
        assert_eq!(shop.status(&order).await, "expired");
        assert!(shop.bank.lock().unwrap().all().is_empty());
    }
}

#[tokio::test]
async fn an_order_placed_twice_is_owed_once() {
    for shop in shops().await {
        let order = shop.placed("card", "ok").await;
        shop.hear(order.id, 1, order.event.clone()).await;
        shop.reserve(&order).await;
        shop.reserve(&order).await;
        shop.settle().await;
        assert_eq!(shop.bank.lock().unwrap().all().len(), 1);
        assert_eq!(shop.said().await, ["payment.authorized"]);
    }
}

#[tokio::test]
async fn an_abandoned_action_is_given_up_with_the_order() {
    for shop in shops().await {
        let order = shop.paid("card", "action").await;
        assert_eq!(shop.said().await, ["payment.action_required"]);
        shop.expire(&order).await;
        assert_eq!(shop.status(&order).await, "expired");
        // The shopper comes too late: the provider has let it go.
        let mut bank = shop.bank.lock().unwrap();
        assert!(bank.all().iter().all(|view| view.url.is_none()));
        assert_eq!(bank.take_webhooks().len(), 0);
    }
}

#[tokio::test]
async fn a_shopper_who_thinks_too_long_is_declined() {
    for shop in shops().await {
        let order = shop.paid("card", "action").await;
        for _ in 0..6 {
            shop.later(601).await;
        }
        assert_eq!(shop.status(&order).await, "requires_method");
        assert_eq!(shop.said().await, ["payment.action_required", "payment.declined"]);
    }
}

#[tokio::test]
async fn a_shopper_who_would_rather_pay_otherwise_gives_the_action_up() {
    for shop in shops().await {
        let order = shop.paid("card", "action").await;
        let path = format!("/payments/{}/method", order.id);
        let body = json!({"code": "card_auto", "token": "ok"});
        let (status, _) = shop.post(&path, Some(&order.token), "k1", &body).await;
        assert_eq!(status.as_u16(), 200);
        shop.settle().await;
        assert_eq!(shop.status(&order).await, "captured");
        let states: Vec<i64> =
            shop.bank.lock().unwrap().all().iter().map(|view| view.captured_minor).collect();
        assert_eq!(states, [0, 3_500]);
    }
}

#[tokio::test]
async fn a_refused_capture_is_tried_again_by_staff() {
    for shop in shops().await {
        let order = shop.paid("card", "capture_fails_once").await;
        shop.pack(&order, [3, 2]).await;
        assert_eq!(shop.said().await, ["payment.authorized", "payment.capture_failed"]);
        let path = format!("/payments/{}/retry", order.id);
        let (status, _) = shop.post(&path, Some("kst_test_support"), "k1", &json!({})).await;
        assert_eq!(status.as_u16(), 200);
        shop.settle().await;
        assert_eq!(shop.said().await[2..], ["payment.captured", "invoice.issued"]);
        let (status, _) = shop.post(&path, Some("kst_test_support"), "k2", &json!({})).await;
        assert_eq!(status.as_u16(), 409);
    }
}

#[tokio::test]
async fn a_refund_the_provider_refuses_is_for_a_person() {
    for shop in shops().await {
        let order = shop.paid("card_auto", "refund_fails_once").await;
        shop.cancel(&order).await;
        assert_eq!(shop.said().await[2..], ["payment.conflicted"]);
        let path = format!("/payments/{}/retry", order.id);
        shop.post(&path, Some("kst_test_support"), "k1", &json!({})).await;
        shop.settle().await;
        assert_eq!(shop.said().await[3..], ["payment.refunded", "credit_note.issued"]);
    }
}

#[tokio::test]
async fn a_provider_that_holds_another_amount_stops_the_payment_until_the_order_ends() {
    for shop in shops().await {
        let order = shop.paid("card", "wrong_amount").await;
        assert_eq!(shop.said().await, ["payment.conflicted"]);
        shop.expire(&order).await;
        assert_eq!(shop.status(&order).await, "voided");
    }
}

#[tokio::test]
async fn what_the_kernel_lost_is_found_by_the_sweep() {
    for shop in shops().await {
        let order = shop.placed("card", "ok").await;
        shop.reserve(&order).await;
        // Somebody discards the effect: nobody will ever call the provider.
        let tasks = platform::service::Host::claim_effects(shop.host.as_ref(), 10).await.unwrap();
        assert_eq!(tasks.len(), 1);
        // The lease ends, and the sweep of the next hour finds that the operation waits.
        shop.later(3_700).await;
        shop.later(3_700).await;
        assert_eq!(shop.status(&order).await, "authorised");
    }
}
