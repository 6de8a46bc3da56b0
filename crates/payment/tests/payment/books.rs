//! Invoices, their chain, and the ledger.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use payment::audit::{Chain, Documents, Journals, ReadAudit};
use payment::domain::document::Series;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::shop::{Placed, Shop, shops};

#[tokio::test]
async fn numbers_have_no_gaps_even_when_many_are_issued_at_once() {
    for shop in shops().await {
        let mut orders = Vec::new();
        for _ in 0..12 {
            orders.push(shop.placed("card_auto", "ok").await);
        }
        for order in &orders {
            shop.reserve(order).await;
        }
        shop.settle().await;
        assert_eq!(shop.db.read(Chain(Series::Invoice)).await.unwrap(), []);
        let invoices = shop.staff_sees("/invoices?limit=1").await;
        assert_eq!(invoices["items"][0]["number"], "INV-2026-000012");
    }
}

/// Staff collects the cash of all these orders at once; says how many of them were told that it worked.
async fn collect_at_once(shop: &Shop, orders: &[Placed], key: impl Fn(usize) -> String) -> usize {
    let collect = orders.iter().enumerate().map(|(place, order)| {
        let path = format!("/payments/{}/collect", order.id);
        let key = key(place);
        async move {
            let amount = serde_json::json!({"amount_minor": 3_500, "currency": "EUR"});
            let body = serde_json::json!({"amount": amount, "reference": "r"});
            shop.post(&path, Some("kst_test_support"), &key, &body).await.0.as_u16()
        }
    });
    let answers = futures_util::future::join_all(collect).await;
    answers.iter().filter(|status| **status == 200).count()
}

#[tokio::test]
async fn those_who_issue_at_once_take_turns_and_who_is_refused_leaves_no_gap() {
    for shop in shops().await {
        let mut orders = Vec::new();
        for _ in 0..8 {
            orders.push(shop.paid("on_delivery", "").await);
        }
        // One key for eight orders: seven requests are refused after they had a number.
        assert_eq!(collect_at_once(&shop, &orders, |_| "same-key".to_owned()).await, 1);
        let invoices = shop.staff_sees("/invoices").await;
        assert_eq!(invoices["items"].as_array().unwrap().len(), 1);
        // What was collected already is collected, and so says the repeat.
        let made = collect_at_once(&shop, &orders, |place| format!("key-{place}")).await;
        assert_eq!(made, 8);
        assert_eq!(shop.db.read(Chain(Series::Invoice)).await.unwrap(), []);
        let invoices = shop.staff_sees("/invoices").await;
        assert_eq!(invoices["items"].as_array().unwrap().len(), 8);
        assert_eq!(invoices["items"][0]["number"], "INV-2026-000008");
    }
}

#[tokio::test]
async fn a_guest_prints_the_own_invoice() {
    for shop in shops().await {
        let (order, other) = (shop.paid("card", "ok").await, shop.paid("card", "ok").await);
        shop.pack(&order, [3, 2]).await;
        let path = format!("/invoices?order_id={}", order.id);
        let (status, body) = shop.get(&path, Some(&order.token)).await;
        assert_eq!(status.as_u16(), 200);
        let list: serde_json::Value = serde_json::from_str(&body).unwrap();
        let id = list["items"][0]["id"].as_str().unwrap();
        let page = format!("/invoices/{id}/html");
        let (status, html) = shop.get(&page, Some(&order.token)).await;
        assert_eq!(status.as_u16(), 200);
        for wanted in ["INV-2026-000001", "Ada Byron", "High Street 2", "35.00 EUR", "5.59 EUR"] {
            assert!(html.contains(wanted), "{wanted} is not in {html}");
        }
        for bearer in [None, Some(other.token.as_str())] {
            assert_eq!(shop.get(&page, bearer).await.0.as_u16(), 404);
            assert_eq!(shop.get(&path, bearer).await.0.as_u16(), 404);
        }
        let (status, _) = shop.get(&format!("/credit-notes/{id}"), Some(&order.token)).await;
        assert_eq!(status.as_u16(), 404);
    }
}

#[tokio::test]
async fn an_invoice_may_load_its_own_style_and_nothing_else() {
    for shop in shops().await {
        let order = shop.paid("card", "ok").await;
        shop.pack(&order, [3, 2]).await;
        let invoices = shop.staff_sees("/invoices").await;
        let page = format!("/invoices/{}/html", invoices["items"][0]["id"].as_str().unwrap());
        let (_, html) = shop.get(&page, Some(&order.token)).await;
        let style = html.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
        assert!(style.contains("@media print"), "{html}");
        let named = format!("style-src 'sha256-{}'", STANDARD.encode(Sha256::digest(style)));
        let policy = shop.policy_of(&page, &order.token).await;
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        assert!(policy.contains(&named), "{policy} does not allow {named}");
    }
}

#[tokio::test]
async fn every_journal_balances_and_every_document_is_booked() {
    for shop in shops().await {
        let order = shop.paid("card", "ok").await;
        shop.pack(&order, [1, 0]).await;
        shop.pack(&order, [0, 2]).await;
        shop.cancel(&order).await;
        let journals = shop.db.read(Journals { after: Uuid::nil(), limit: 100 }).await.unwrap();
        // Two captures, two invoices, one refund, two credit notes.
        assert_eq!(journals.len(), 7);
        assert!(journals.iter().all(|(_, postings)| !postings.is_empty()));
        let documents = shop.db.read(Documents(payment_id(&order))).await.unwrap();
        let booked: Vec<Uuid> =
            journals.iter().filter_map(|(journal, _)| journal.document_id).collect();
        assert!(documents.iter().all(|row| booked.contains(&row.document.id)));
        let balance = shop.staff_sees("/ledger/balance").await;
        let sum: i64 = balance["balances"]
            .as_array()
            .unwrap()
            .iter()
            .map(|account| account["amount_minor"].as_i64().unwrap())
            .sum();
        assert_eq!(sum, 0);
        assert_eq!(shop.db.read(Chain(Series::CreditNote)).await.unwrap(), []);
        let all = shop.db.read(ReadAudit).await.unwrap();
        let refunded: Vec<i64> =
            all.payments.iter().map(|one| one.payment.refunded_minor()).collect();
        assert_eq!(refunded, [2_834]);
        let counted = (all.operations.len(), all.journals.len(), all.documents.len());
        assert_eq!(counted, (5, 7, 4));
    }
}

fn payment_id(order: &Placed) -> contracts::PaymentId {
    contracts::Id::from_uuid(order.id.uuid())
}

#[tokio::test]
async fn the_invoices_of_an_order_go_page_by_page() {
    for shop in shops().await {
        let order = shop.paid("card", "ok").await;
        for pieces in [[1, 0], [1, 0], [1, 2]] {
            shop.pack(&order, pieces).await;
        }
        let mut numbers = Vec::new();
        let mut next = format!("/invoices?order_id={}&limit=2", order.id);
        loop {
            let page = shop.staff_sees(&next).await;
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= 2);
            numbers.extend(items.iter().map(|item| item["number"].as_str().unwrap().to_owned()));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            next = format!("/invoices?order_id={}&limit=2&cursor={cursor}", order.id);
        }
        assert_eq!(numbers, ["INV-2026-000001", "INV-2026-000002", "INV-2026-000003"]);
    }
}

#[tokio::test]
async fn the_balance_adds_up_only_what_was_booked_since_the_month_began() {
    for shop in shops().await {
        shop.paid("card_auto", "ok").await;
        let before = shop.staff_sees("/ledger/balance").await;
        // A day into the next month the last one is summed up.
        shop.later(40 * 86_400).await;
        let sums: Vec<(String, i64)> = summed_up(&shop).await;
        assert_eq!(sums.len(), before["balances"].as_array().unwrap().len());
        assert_eq!(shop.staff_sees("/ledger/balance").await, before);
        shop.paid("card_auto", "ok").await;
        let after = shop.staff_sees("/ledger/balance").await;
        for (one, two) in
            before["balances"].as_array().unwrap().iter().zip(after["balances"].as_array().unwrap())
        {
            let minor = |view: &serde_json::Value| view["amount_minor"].as_i64().unwrap();
            assert_eq!(minor(two), 2 * minor(one), "{two}");
        }
    }
}

struct SummedUp;

impl platform::db::Unit for SummedUp {
    type Out = Vec<(String, i64)>;

    async fn run(&self, tx: &mut platform::db::Tx<'_>) -> platform::db::Result<Self::Out> {
        const SUMS: &str =
            "SELECT account, amount_minor FROM payment_balances ORDER BY account LIMIT 100";
        tx.fetch_all(SUMS, &platform::params![]).await
    }
}

async fn summed_up(shop: &Shop) -> Vec<(String, i64)> {
    shop.db.read(SummedUp).await.unwrap()
}
