//! Money that comes and goes as it should.

use contracts::events::{LineQuantity, OrderReduced, RefundGranted};
use serde_json::json;

use crate::shop::{eur, shops, taxed};

#[tokio::test]
async fn an_order_is_authorised_when_its_goods_are_held_and_paid_when_it_is_packed() {
    for shop in shops().await {
        let order = shop.placed("card", "ok").await;
        assert_eq!(shop.status(&order).await, "noted");
        shop.reserve(&order).await;
        shop.settle().await;
        assert_eq!(shop.said().await, ["payment.authorized"]);
        shop.pack(&order, [3, 2]).await;
        assert_eq!(shop.said().await, ["payment.authorized", "payment.captured", "invoice.issued"]);
        let view = shop.staff_sees(&format!("/payments/{}", order.id)).await;
        assert_eq!(view["status"], "captured");
        assert_eq!(view["captured"]["amount_minor"], 3_500);
        let kinds: Vec<&str> = view["operations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|operation| operation["kind"].as_str().unwrap())
            .collect();
        assert_eq!(kinds, ["authorise", "capture"]);
    }
}

#[tokio::test]
async fn each_parcel_is_paid_and_invoiced_for_itself() {
    for shop in shops().await {
        let order = shop.paid("card", "ok").await;
        shop.pack(&order, [1, 1]).await;
        assert_eq!(shop.status(&order).await, "partly_captured");
        shop.pack(&order, [2, 1]).await;
        assert_eq!(shop.status(&order).await, "captured");
        let invoices = shop.staff_sees(&format!("/invoices?order_id={}", order.id)).await;
        let totals: Vec<i64> = invoices["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|invoice| invoice["gross_minor"].as_i64().unwrap())
            .collect();
        assert_eq!(totals, [334 + 1_000 + 500, 666 + 1_000]);
    }
}

#[tokio::test]
async fn without_multi_capture_everything_is_taken_with_the_first_parcel() {
    for shop in shops().await {
        let order = shop.paid("card_single", "ok").await;
        shop.pack(&order, [1, 0]).await;
        shop.pack(&order, [2, 2]).await;
        assert_eq!(shop.said().await, ["payment.authorized", "payment.captured", "invoice.issued"]);
    }
}

#[tokio::test]
async fn automatic_capture_pays_at_once_and_a_cancelled_order_gets_it_all_back() {
    for shop in shops().await {
        let order = shop.paid("card_auto", "ok").await;
        assert_eq!(shop.said().await, ["payment.captured", "invoice.issued"]);
        shop.cancel(&order).await;
        assert_eq!(
            shop.said().await[2..],
            ["payment.refunded".to_owned(), "credit_note.issued".to_owned()]
        );
        let balance = shop.staff_sees("/ledger/balance").await;
        for account in balance["balances"].as_array().unwrap() {
            let expected = match account["account"].as_str().unwrap() {
                "receivable" | "provider" | "vat" => 0,
                "refunds" => 2_941,
                "revenue" => -2_521,
                "shipping_revenue" => -420,
                other => panic!("{other}"),
            };
            assert_eq!(account["amount_minor"], expected, "{account}");
        }
    }
}

#[tokio::test]
async fn nothing_is_asked_for_where_nothing_is_owed() {
    for shop in shops().await {
        let mut order = shop.order("card", "ok");
        order.event.total = eur(0);
        shop.hear(order.id, 1, order.event.clone()).await;
        shop.reserve(&order).await;
        shop.settle().await;
        assert_eq!(shop.said().await, ["payment.not_required"]);
    }
}

#[tokio::test]
async fn a_granted_refund_goes_back_once_with_a_credit_note_for_its_invoice() {
    for shop in shops().await {
        let order = shop.paid("card", "ok").await;
        shop.pack(&order, [3, 2]).await;
        let granted = RefundGranted {
            order_id: order.id,
            refund_id: shop.db.ids().uuid(),
            amounts: vec![taxed(700)],
            total: eur(700),
            line_id: Some(order.line(0)),
            reason: "broken".to_owned(),
        };
        for version in [30, 31] {
            shop.hear(order.id, version, granted.clone()).await;
            shop.settle().await;
        }
        assert_eq!(
            shop.said().await[3..],
            ["payment.refunded".to_owned(), "credit_note.issued".to_owned()]
        );
        let notes = shop.staff_sees("/credit-notes").await;
        assert_eq!(notes["items"][0]["number"], "CRN-2026-000001");
        assert_eq!(notes["items"][0]["corrects"]["number"], "INV-2026-000001");
        assert_eq!(notes["items"][0]["gross_minor"], 700);
    }
}

#[tokio::test]
async fn what_was_not_found_when_packing_is_not_paid() {
    for shop in shops().await {
        let order = shop.paid("card", "ok").await;
        let reduced = OrderReduced {
            order_id: order.id,
            lines: vec![LineQuantity {
                line_id: order.line(1),
                sku: "CUP".parse().unwrap(),
                quantity: 1,
            }],
            amounts: vec![taxed(1_000)],
            owed: eur(2_500),
            reason: "short pick".to_owned(),
        };
        shop.hear(order.id, 5, reduced).await;
        shop.pack(&order, [3, 1]).await;
        let view = shop.staff_sees(&format!("/payments/{}", order.id)).await;
        assert_eq!(view["captured"]["amount_minor"], 2_500);
        assert_eq!(view["status"], "captured");
    }
}

#[tokio::test]
async fn a_declined_customer_pays_with_another_card() {
    for shop in shops().await {
        let order = shop.paid("card", "decline").await;
        assert_eq!(shop.said().await, ["payment.declined"]);
        let path = format!("/payments/{}/method", order.id);
        let body = json!({"code": "card", "token": "ok"});
        let (status, view) = shop.post(&path, Some(&order.token), "k1", &body).await;
        assert_eq!((status.as_u16(), &view["status"]), (200, &json!("processing")));
        shop.settle().await;
        assert_eq!(shop.said().await, ["payment.declined", "payment.authorized"]);
        // The same request again is the same answer, and nothing is tried twice.
        let (status, view) = shop.post(&path, Some(&order.token), "k1", &body).await;
        assert_eq!((status.as_u16(), &view["status"]), (200, &json!("authorised")));
        let (status, problem) = shop.post(&path, Some(&order.token), "k2", &body).await;
        assert_eq!((status.as_u16(), &problem["type"]), (409, &json!("/problems/state-conflict")));
        let other = json!({"code": "card", "token": "other"});
        let (status, problem) = shop.post(&path, Some(&order.token), "k1", &other).await;
        let reused = json!("/problems/idempotency-key-reused");
        assert_eq!((status.as_u16(), &problem["type"]), (422, &reused));
    }
}

#[tokio::test]
async fn five_declines_are_enough() {
    for shop in shops().await {
        let order = shop.paid("card", "decline").await;
        let path = format!("/payments/{}/method", order.id);
        for attempt in 2..=5 {
            let body = json!({"code": "card", "token": "decline_insufficient_funds"});
            let key = format!("k{attempt}");
            let (status, _) = shop.post(&path, Some(&order.token), &key, &body).await;
            assert_eq!(status.as_u16(), 200);
            shop.settle().await;
        }
        assert_eq!(shop.status(&order).await, "failed");
        let body = json!({"code": "card", "token": "ok"});
        let (status, _) = shop.post(&path, Some(&order.token), "k6", &body).await;
        assert_eq!(status.as_u16(), 409);
        assert_eq!(shop.bank.lock().unwrap().all().len(), 5);
    }
}

#[tokio::test]
async fn cash_at_the_door_is_noted_by_staff_and_invoiced() {
    for shop in shops().await {
        let order = shop.paid("on_delivery", "").await;
        assert_eq!(shop.said().await, ["payment.not_required"]);
        shop.pack(&order, [3, 2]).await;
        let path = format!("/payments/{}/collect", order.id);
        let cash = |amount: i64| json!({"amount": {"amount_minor": amount, "currency": "EUR"}, "reference": "R 7"});
        let (status, _) = shop.post(&path, Some("kst_test_support"), "k1", &cash(3_499)).await;
        assert_eq!(status.as_u16(), 422);
        let (status, view) = shop.post(&path, Some("kst_test_support"), "k2", &cash(3_500)).await;
        assert_eq!((status.as_u16(), &view["status"]), (200, &json!("captured")));
        shop.post(&path, Some("kst_test_support"), "k2", &cash(3_500)).await;
        assert_eq!(
            shop.said().await,
            ["payment.not_required", "payment.captured", "invoice.issued"]
        );
    }
}

fn transferred(amount: i64, reference: &str) -> serde_json::Value {
    let amount = json!({"amount_minor": amount, "currency": "EUR"});
    json!({"amount": amount, "reference": reference, "differs": true})
}

#[tokio::test]
async fn staff_are_shown_what_they_have_to_pay_out_of_a_cancelled_order() {
    for shop in shops().await {
        let order = shop.paid("transfer", "").await;
        let collect = format!("/payments/{}/collect", order.id);
        shop.post(&collect, Some("kst_test_support"), "k1", &transferred(3_500, "1")).await;
        let waiting = shop.staff_sees("/payments?needs_person=true").await;
        assert_eq!(waiting["items"], json!([]));
        shop.cancel(&order).await;
        let waiting = shop.staff_sees("/payments?needs_person=true&status=captured").await;
        let view = &waiting["items"][0];
        assert_eq!(
            (&view["ended"], &view["needs_person"]),
            (&json!("cancelled"), &json!("pay_out"))
        );
        assert_eq!(view["to_pay_out"]["amount_minor"], 3_500);
        let counted = shop.db.read(payment::audit::PaymentsForPeople).await.unwrap();
        assert_eq!(counted, [("pay_out".to_owned(), 1)]);
        let (_, guests) = shop.get(&format!("/payments/{}", order.id), Some(&order.token)).await;
        assert!(!guests.contains("needs_person") && guests.contains("cancelled"), "{guests}");
        let pay_out = format!("/payments/{}/pay-out", order.id);
        let (status, view) = shop.post(&pay_out, Some("kst_test_support"), "k2", &json!({})).await;
        assert_eq!((status.as_u16(), &view["refunded"]["amount_minor"]), (200, &json!(3_500)));
        let waiting = shop.staff_sees("/payments?needs_person=true").await;
        assert_eq!(waiting["items"], json!([]));
    }
}

#[tokio::test]
async fn a_transfer_may_come_in_parts_and_be_more_and_its_excess_is_not_credited() {
    for shop in shops().await {
        let order = shop.paid("transfer", "").await;
        let payment = format!("/payments/{}", order.id);
        let (_, seen) = shop.get(&payment, Some(&order.token)).await;
        let seen: serde_json::Value = serde_json::from_str(&seen).unwrap();
        let wanted = &seen["transfer"];
        assert_eq!(wanted["account"]["iban"], "DE02120300000000202051");
        assert_eq!(
            (&wanted["amount"], &wanted["reference"]),
            (&seen["owed"], &seen["order_number"])
        );
        let collect = format!("{payment}/collect");
        let staff = Some("kst_test_support");
        let (_, view) = shop.post(&collect, staff, "k1", &transferred(3_000, "1")).await;
        assert_eq!(view["transfer"]["amount"]["amount_minor"], 500, "the rest");
        assert_eq!(view["status"], "partly_captured");
        let (_, view) = shop.post(&collect, staff, "k2", &transferred(600, "2")).await;
        assert_eq!(
            (&view["status"], &view["captured"]["amount_minor"], &view["transfer"]),
            (&json!("captured"), &json!(3_600), &json!(null))
        );
        let granted = RefundGranted {
            order_id: order.id,
            refund_id: shop.db.ids().uuid(),
            amounts: vec![taxed(100)],
            total: eur(100),
            line_id: None,
            reason: "paid too much".to_owned(),
        };
        shop.hear(order.id, 30, granted.clone()).await;
        let pay_out = format!("/payments/{}/pay-out", order.id);
        let body = json!({"refund_id": granted.refund_id});
        let (status, _) = shop.post(&pay_out, staff, "k3", &body).await;
        assert_eq!(status.as_u16(), 200);
        let said = ["payment.captured", "payment.captured", "invoice.issued", "payment.refunded"];
        assert_eq!(shop.said().await, said);
        let invoices = shop.staff_sees(&format!("/invoices?order_id={}", order.id)).await;
        assert_eq!(invoices["items"][0]["gross_minor"], 3_500);
    }
}

#[tokio::test]
async fn a_declined_customer_is_told_that_a_transfer_takes_too_long() {
    for shop in shops().await {
        let order = shop.paid("card", "decline").await;
        let path = format!("/payments/{}/method", order.id);
        let body = json!({"code": "transfer"});
        let (status, problem) = shop.post(&path, Some(&order.token), "k1", &body).await;
        assert_eq!((status.as_u16(), &problem["type"]), (409, &json!("/problems/state-conflict")));
        assert!(problem["detail"].as_str().unwrap().contains("transfer"), "{problem}");
        assert_eq!(shop.status(&order).await, "requires_method");
    }
}

#[tokio::test]
async fn staff_who_settle_a_contradiction_are_told_what_the_provider_says() {
    for shop in shops().await {
        let order = shop.paid("card", "wrong_amount").await;
        assert_eq!(shop.status(&order).await, "conflicted");
        let path = format!("/payments/{}/settle", order.id);
        let staff = Some("kst_test_support");
        let (status, problem) = shop.post(&path, staff, "k1", &json!({})).await;
        assert_eq!(status.as_u16(), 409);
        let found = problem["detail"].as_str().unwrap();
        assert!(
            found.contains("34.99 EUR is guaranteed") && found.contains("35.00 EUR"),
            "{found}"
        );
        let waiting = shop.staff_sees("/payments?needs_person=true").await;
        assert_eq!(waiting["items"][0]["needs_person"], "conflicted");
        // Cancelled, everything goes back, and nothing contradicts any more.
        shop.cancel(&order).await;
        let waiting = shop.staff_sees("/payments?needs_person=true").await;
        assert_eq!(
            (waiting["items"].clone(), shop.status(&order).await),
            (json!([]), "voided".to_owned())
        );
        let (status, problem) = shop.post(&path, staff, "k2", &json!({})).await;
        assert_eq!(status.as_u16(), 409);
        assert!(problem["detail"].as_str().unwrap().contains("nothing contradicts"), "{problem}");
        let guest = shop.post(&path, Some(&order.token), "k3", &json!({})).await;
        assert_eq!(guest.0.as_u16(), 403);
    }
}

#[tokio::test]
async fn staff_are_told_once_of_each_authorisation_that_ends_however_many_ended_long_ago() {
    for shop in shops().await {
        let order = shop.paid("card", "ok").await;
        let told = || async {
            let waiting = shop.staff_sees("/payments?needs_person=true").await;
            waiting["items"].as_array().unwrap().len()
        };
        shop.later(5 * 86_400).await;
        assert_eq!(told().await, 0);
        shop.later(86_400 + 7_200).await;
        assert_eq!(told().await, 1);
        let version = shop.staff_sees(&format!("/payments/{}", order.id)).await["version"].clone();
        shop.later(10 * 86_400).await;
        let later = shop.staff_sees(&format!("/payments/{}", order.id)).await;
        assert_eq!(
            (&later["version"], &later["needs_person"]),
            (&version, &json!("guarantee_ends"))
        );
    }
}
