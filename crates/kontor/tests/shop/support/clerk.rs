//! Staff at work: goods come in, parcels are packed, leave and arrive; money is collected.

use serde_json::{Value, json};

use super::ask::Answer;
use super::shopper::text;
use super::world::World;

impl World {
    /// Takes in goods.
    pub async fn receive(&self, sku: &str, quantity: i64) {
        let path = format!("/stock/{sku}/receipts");
        let body = json!({ "quantity": quantity, "note": "opening stock" });
        self.post(&path).staff("warehouse").fresh_key().json(body).send().await.expect(201);
    }

    /// Corrects the books.
    pub async fn adjust(&self, sku: &str, delta: i64) {
        let path = format!("/stock/{sku}/adjustments");
        let body = json!({ "delta": delta, "reason": "counted" });
        self.post(&path).staff("warehouse").fresh_key().json(body).send().await.expect(201);
    }

    /// On hand and reserved.
    pub async fn stock(&self, sku: &str) -> (i64, i64) {
        let stock = self.get(&format!("/stock/{sku}")).staff("warehouse").send().await.expect(200);
        let sum = |field: &str| -> i64 {
            let places = stock["places"].as_array().unwrap();
            places.iter().map(|place| place[field].as_i64().unwrap()).sum()
        };
        (sum("on_hand"), sum("reserved"))
    }

    /// The order's parcels, the oldest first.
    pub async fn parcels(&self, order: &str) -> Vec<Value> {
        let path = format!("/shipments?order_id={order}");
        let list = self.get(&path).staff("warehouse").send().await.expect(200);
        let mut parcels = list["items"].as_array().unwrap().clone();
        parcels.reverse();
        parcels
    }

    /// The first parcel of an order, once there is one.
    pub async fn first_parcel(&self, order: &str) -> Parcel {
        let parcel = self
            .until("there is a parcel", async || self.parcels(order).await.into_iter().next())
            .await;
        Parcel { id: text(&parcel["id"]), lines: parcel["lines"].clone() }
    }

    async fn at_work(&self, parcel: &str, what: &str, body: Value) -> Answer {
        let path = format!("/shipments/{parcel}/{what}");
        self.post(&path).staff("warehouse").fresh_key().json(body).send().await
    }

    pub async fn pack(&self, parcel: &str) -> Value {
        self.at_work(parcel, "pack", json!({})).await.expect(200)
    }

    /// Packs what was found: `missing` are pairs of line and quantity.
    pub async fn pack_without(&self, parcel: &str, missing: &[(&str, i64)]) -> Value {
        let missing = pieces(missing);
        self.at_work(parcel, "pack", json!({ "missing": missing })).await.expect(200)
    }

    /// Puts some of a parcel into another; answers with that one's id.
    pub async fn split(&self, parcel: &str, lines: &[(&str, i64)]) -> String {
        let lines = pieces(lines);
        text(&self.at_work(parcel, "split", json!({ "lines": lines })).await.expect(200)["id"])
    }

    /// Gives a parcel to its carrier, if it may leave.
    pub async fn try_to_dispatch(&self, parcel: &str) -> Answer {
        let body = json!({ "carrier": "DHL", "tracking": format!("T-{parcel}") });
        self.at_work(parcel, "dispatch", body).await
    }

    /// Gives a parcel to its carrier as soon as it may leave.
    pub async fn dispatch(&self, parcel: &str) {
        self.until("the parcel may leave", async || {
            self.try_to_dispatch(parcel).await.status.is_success().then_some(())
        })
        .await;
    }

    pub async fn deliver(&self, parcel: &str) {
        let path = format!("/shipments/{parcel}/deliver");
        self.post(&path).staff("warehouse").fresh_key().send().await.expect(200);
    }

    /// Packs, hands over and delivers the only parcel of an order.
    pub async fn fulfil(&self, order: &str) {
        let parcel = self.first_parcel(order).await.id;
        self.pack(&parcel).await;
        self.dispatch(&parcel).await;
        self.deliver(&parcel).await;
    }

    /// The order as staff see it.
    pub async fn order(&self, id: &str) -> Value {
        self.get(&format!("/orders/{id}")).staff("support").send().await.expect(200)
    }

    /// The payment of an order, once payment has heard of it.
    pub async fn payment(&self, order: &str) -> Value {
        let path = format!("/payments/{order}");
        self.until("there is a payment", async || {
            let payment = self.get(&path).staff("support").send().await;
            (payment.status == 200).then(|| payment.json())
        })
        .await
    }

    /// The stages of which the customer of an order has been told, in the order of the alphabet.
    pub async fn mails_about(&self, order: &str) -> Vec<String> {
        let path = format!("/messages?order_id={order}&limit=100");
        let list = self.get(&path).staff("support").send().await.expect(200);
        let items = list["items"].as_array().unwrap();
        let sent = items.iter().filter(|message| message["status"] == "sent");
        let mut stages: Vec<String> = sent.map(|message| text(&message["stage"])).collect();
        stages.sort();
        stages
    }
}

/// A parcel as the warehouse shows it.
pub struct Parcel {
    pub id: String,
    pub lines: Value,
}

impl Parcel {
    /// The line that holds pieces of a unit.
    pub fn line(&self, sku: &str) -> String {
        let lines = self.lines.as_array().unwrap();
        text(&lines.iter().find(|line| line["sku"] == sku).unwrap()["line_id"])
    }
}

fn pieces(lines: &[(&str, i64)]) -> Vec<Value> {
    lines.iter().map(|(line, n)| json!({ "line_id": line, "quantity": n })).collect()
}
