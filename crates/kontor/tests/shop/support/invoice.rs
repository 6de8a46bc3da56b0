//! What is left on paper: invoices, credit notes, the ledger, mails.

use std::collections::BTreeMap;

use serde_json::Value;

use super::shopper::text;
use super::world::World;

impl World {
    /// The invoices of an order, in the order of their numbers.
    pub async fn invoices(&self, order: &str) -> Vec<Value> {
        self.documents("invoices", order).await
    }

    /// The credit notes of an order, in the order of their numbers.
    pub async fn credit_notes(&self, order: &str) -> Vec<Value> {
        self.documents("credit-notes", order).await
    }

    async fn documents(&self, kind: &str, order: &str) -> Vec<Value> {
        let path = format!("/{kind}?order_id={order}&limit=100");
        let list = self.get(&path).staff("support").send().await.expect(200);
        let mut items = list["items"].as_array().unwrap().clone();
        items.sort_by_key(|document| text(&document["number"]));
        items
    }

    /// An invoice as it is printed.
    pub async fn invoice_page(&self, id: &Value) -> String {
        let path = format!("/invoices/{}/html", text(id));
        let page = self.get(&path).staff("support").send().await;
        assert_eq!(page.status, 200, "{page:?}");
        assert!(page.header("content-type").starts_with("text/html"), "{page:?}");
        page.text
    }

    /// Sees that the books are in balance; answers what is at the provider and in the till.
    pub async fn ledger_in_balance(&self) -> i64 {
        let trial = self.get("/ledger/balance").staff("support").send().await.expect(200);
        let mut sums: BTreeMap<String, i64> = BTreeMap::new();
        let mut held = 0;
        for balance in trial["balances"].as_array().unwrap() {
            let amount = balance["amount_minor"].as_i64().unwrap();
            *sums.entry(text(&balance["currency"])).or_default() += amount;
            if ["provider", "cash"].contains(&text(&balance["account"]).as_str()) {
                held += amount;
            }
        }
        assert!(sums.values().all(|sum| *sum == 0), "{trial}");
        held
    }

    /// Every mail in the mailbox, decoded as far as a search for plain words needs it.
    pub fn mails(&self) -> Vec<String> {
        let mut files: Vec<_> = std::fs::read_dir(self.mailbox())
            .unwrap()
            .map(|file| file.unwrap().path())
            .filter(|path| path.extension().is_some_and(|kind| kind == "eml"))
            .collect();
        files.sort();
        // Soft line breaks of quoted-printable would cut words in two.
        let read = |path| std::fs::read_to_string(path).unwrap().replace("=\r\n", "");
        files.iter().map(read).collect()
    }
}
