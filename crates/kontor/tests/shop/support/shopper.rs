//! Somebody who buys: a cart, an order, and what they can see of it.

use std::time::Duration;

use serde_json::{Value, json};

use super::ask::Answer;
use super::world::World;

/// A shopper with a cart.
pub struct Shopper<'a> {
    pub world: &'a World,
    pub cart: String,
    pub token: String,
    pub email: String,
}

/// Where parcels go unless the test says otherwise.
pub fn address() -> Value {
    json!({
        "name": "Ada Lovelace", "street": "Hafenstraße 1", "postal_code": "20457",
        "city": "Hamburg", "country": "DE",
    })
}

impl World {
    /// A shopper with these pieces in their cart and everything filled in.
    pub async fn shopper(&self, lines: &[(&str, i64)]) -> Shopper<'_> {
        let lines: Vec<Value> =
            lines.iter().map(|(sku, n)| json!({ "sku": sku, "quantity": n })).collect();
        let email = format!("{}@example.org", self.shop.ids.uuid().simple());
        let cart = self
            .post("/carts")
            .json(json!({
                "lines": lines, "email": email, "shipping_address": address(),
                "shipping_method": "standard",
            }))
            .send()
            .await
            .expect(201);
        let (cart, token) = (text(&cart["id"]), text(&cart["token"]));
        Shopper { world: self, cart, token, email }
    }
}

impl Shopper<'_> {
    pub async fn look_at_cart(&self) -> Value {
        self.world.get(&format!("/carts/{}", self.cart)).guest(&self.token).send().await.expect(200)
    }

    /// What the shopper agrees to: the cart's total, by a method and one of the provider's tokens.
    pub async fn agreement(&self, method: &str, token: &str) -> Value {
        let cart = self.look_at_cart().await;
        json!({
            "expected_total": { "amount_minor": cart["totals"]["total_minor"], "currency": "EUR" },
            "payment_method": { "code": method, "token": token },
            "terms_version": cart["terms_version"],
        })
    }

    pub async fn try_to_place(&self, key: &str, agreement: &Value) -> Answer {
        let path = format!("/carts/{}/order", self.cart);
        self.world.post(&path).guest(&self.token).key(key).json(agreement.clone()).send().await
    }

    /// Places the order; answers its id.
    pub async fn place(&self, method: &str, token: &str) -> String {
        let agreement = self.agreement(method, token).await;
        let key = self.world.shop.ids.uuid().to_string();
        let placed = self.try_to_place(&key, &agreement).await;
        assert!(placed.status.is_success(), "{placed:?}");
        text(&placed.json()["id"])
    }

    pub async fn order(&self, id: &str) -> Value {
        self.world.get(&format!("/orders/{id}")).guest(&self.token).send().await.expect(200)
    }

    /// Waits until the order has this status; answers the order.
    pub async fn waits_for(&self, id: &str, status: &str) -> Value {
        self.waits_until(id, &json!({ "status": status })).await
    }

    /// Waits until the order says all that `wanted` says.
    pub async fn waits_until(&self, id: &str, wanted: &Value) -> Value {
        self.world.until_order(async || self.order(id).await, wanted).await
    }

    pub async fn cancel(&self, id: &str) -> Answer {
        let path = format!("/orders/{id}/cancel");
        let body = json!({ "reason": "changed my mind" });
        self.world.post(&path).guest(&self.token).json(body).send().await
    }

    /// Chooses another way to pay.
    pub async fn pays_by(&self, id: &str, method: &str, token: &str) -> Answer {
        let path = format!("/payments/{id}/method");
        let body = json!({ "code": method, "token": token });
        self.world.post(&path).guest(&self.token).fresh_key().json(body).send().await
    }

    /// Where the provider wants the shopper to go, once it does.
    pub async fn is_sent_to(&self, id: &str) -> String {
        let wanted = json!({ "payment_waits_for": { "for": "action" } });
        let order = self.waits_until(id, &wanted).await;
        text(&order["payment_waits_for"]["url"])
    }

    /// The names of everything that has been said about the order, in the order in which the order
    /// service heard of it.
    pub async fn timeline(&self, id: &str) -> Vec<String> {
        self.entries(id).await.iter().map(|entry| text(&entry["event"])).collect()
    }

    pub async fn entries(&self, id: &str) -> Vec<Value> {
        let path = format!("/orders/{id}/timeline");
        let page = self.world.get(&path).guest(&self.token).send().await.expect(200);
        page["entries"].as_array().unwrap().clone()
    }

    /// Waits until something has been said about the order.
    pub async fn waits_to_hear(&self, id: &str, event: &str) {
        let what = format!("{event} is said");
        self.world
            .until(&what, async || {
                self.timeline(id).await.iter().any(|said| said == event).then_some(())
            })
            .await;
    }

    /// Lets so many minutes pass.
    pub fn minutes_pass(&self, minutes: u64) {
        self.world.time.pass(Duration::from_secs(60 * minutes));
    }
}

impl World {
    /// Waits until what is looked at says all that `wanted` says.
    pub async fn until_order(&self, look: impl AsyncFn() -> Value, wanted: &Value) -> Value {
        let found = self.until_eq(
            async || {
                let order = look().await;
                let said = pick(&order, wanted);
                if said == *wanted { Ok(()) } else { Err(order.to_string()) }
            },
            Ok(()),
        );
        found.await;
        look().await
    }
}

/// Of `whole`, what `like` speaks of.
pub fn pick(whole: &Value, like: &Value) -> Value {
    match like {
        Value::Object(fields) => {
            fields.iter().map(|(name, like)| (name.clone(), pick(&whole[name], like))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            whole.clone()
        }
    }
}

/// A JSON text.
#[track_caller]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
