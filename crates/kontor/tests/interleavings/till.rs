//! The order service with several instances on one PostgreSQL database: two things on sale, carts,
//! and what becomes of them.

use std::sync::Arc;

use contracts::events::{PaymentCaptured, Price, ProductPublished, StockAllocated, Variant};
use contracts::{Currency, Id, Money, OrderId, ProductId};
use order::{Config, Orders};
use platform::clock::Clock;
use platform::db::Db;
use platform::service::{Host, Hosted};
use platform::testing;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::look::{Look, look};
use crate::site::{Answer, Ask};

/// What can be bought.
pub const CANDLE: &str = "CANDLE";
pub const BOOK: &str = "BOOK";

/// The order service's database.
pub struct Till {
    pub db: Db,
}

/// A cart with the token that opens it.
#[derive(Debug, Clone)]
pub struct Cart {
    pub id: String,
    pub token: String,
    pub total_minor: i64,
}

impl Till {
    /// Two things are on sale, and nobody has bought any.
    pub async fn open() -> Self {
        let clock = Clock::standing_at(testing::NOON);
        let db = testing::on_postgres::<Orders>(&clock).await;
        let host = Hosted::new(service(db.clone()));
        for (number, sku, price) in [(1, CANDLE, 1_000), (2, BOOK, 2_140)] {
            let product = product(number, sku, price);
            let news = testing::event(&db, product.product_id.to_string(), 1, product);
            host.deliver(vec![news]).await.unwrap();
        }
        Self { db }
    }

    /// A cart with two candles, ready to be ordered.
    pub async fn cart(&self) -> Cart {
        let body = json!({
            "lines": [{ "sku": CANDLE, "quantity": 2 }],
            "email": "ada@example.org",
            "language": "en",
            "shipping_address": {
                "name": "Ada Lovelace",
                "street": "Hafenstraße 1",
                "postal_code": "20457",
                "city": "Hamburg",
                "country": "DE",
            },
            "shipping_method": "standard",
        });
        let answer = ask(Ask::new("POST", "/carts", &body), self.db.clone()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        Cart {
            id: answer.json["id"].as_str().unwrap().to_owned(),
            token: answer.json["token"].as_str().unwrap().to_owned(),
            total_minor: answer.json["totals"]["total_minor"].as_i64().unwrap(),
        }
    }

    /// An order that is confirmed and paid for: which, and how much.
    pub async fn paid(&self) -> (OrderId, i64) {
        let cart = self.cart().await;
        let answer = ask(cart.order("ok", &cart.id), self.db.clone()).await;
        let order_id: OrderId = answer.json["id"].as_str().unwrap().parse().unwrap();
        let amount = Money::new(cart.total_minor, Currency::EUR);
        let captured = PaymentCaptured {
            payment_id: Id::from_uuid(order_id.uuid()),
            order_id,
            shipment_id: None,
            amount,
            captured_total: amount,
            refunded_total: Money::new(0, Currency::EUR),
        };
        let subject = order_id.to_string();
        let news = vec![
            testing::event(&self.db, subject.clone(), 1, StockAllocated { order_id }),
            testing::event(&self.db, subject, 1, captured),
        ];
        Hosted::new(service(self.db.clone())).deliver(news).await.unwrap();
        (order_id, cart.total_minor)
    }

    /// How many refunds were granted for an order.
    pub async fn refunds_granted(&self, order_id: OrderId) -> usize {
        const GRANTED: Look = Look(
            "SELECT type FROM order_outbox WHERE type = 'refund.granted.v1' \
             AND strpos(event, $1) > 0",
        );
        look(&self.db, GRANTED, &order_id.to_string()).await.len()
    }

    /// What a cart holds now.
    pub async fn seen(&self, cart: &Cart) -> Value {
        let look = Ask::new("GET", format!("/carts/{}", cart.id), &Value::Null).token(&cart.token);
        ask(look, self.db.clone()).await.json
    }

    /// The orders made from a cart: of each, how it stands and what it comes to.
    pub async fn orders(&self, cart: &Cart) -> Vec<String> {
        const ORDERS: Look = Look(
            "SELECT CAST(id AS text) || ' ' || status || ' ' || CAST(total_minor AS text) \
             FROM orders WHERE CAST(cart_id AS text) = $1 ORDER BY id",
        );
        look(&self.db, ORDERS, &cart.id).await
    }

    /// How often an order was said to be placed from a cart.
    pub async fn times_said(&self, cart: &Cart) -> usize {
        const SAID: Look = Look(
            "SELECT type FROM order_outbox WHERE type = 'order.placed.v1' AND strpos(event, $1) > 0",
        );
        look(&self.db, SAID, &cart.id).await.len()
    }
}

impl Cart {
    /// The wish to order what is in it, paying with this token.
    pub fn order(&self, token: &str, key: &str) -> Ask {
        let body = json!({
            "expected_total": { "amount_minor": self.total_minor, "currency": "EUR" },
            "payment_method": { "code": "card", "token": token },
            "terms_version": "2026-01",
        });
        Ask::new("POST", format!("/carts/{}/order", self.id), &body).token(&self.token).key(key)
    }

    /// A change of who buys and where it goes.
    pub fn patch(&self, change: &Value) -> Ask {
        Ask::new("PATCH", format!("/carts/{}", self.id), change).token(&self.token)
    }

    /// So many pieces of something.
    pub fn put(&self, sku: &str, quantity: i64) -> Ask {
        let path = format!("/carts/{}/lines/{sku}", self.id);
        Ask::new("PUT", path, &json!({ "quantity": quantity })).token(&self.token)
    }
}

/// The wish of a member of staff to give money back.
pub fn refund(order_id: OrderId, amount_minor: i64, key: &str) -> Ask {
    let body = json!({ "amount_minor": amount_minor, "reason": "broken" });
    let path = format!("/orders/{order_id}/refunds");
    Ask::new("POST", path, &body).token("kst_test_support").key(key)
}

/// A request to an instance on `db`.
pub async fn ask(ask: Ask, db: Db) -> Answer {
    let (routes, _) = order::routes(service(db.clone())).split_for_parts();
    ask.send(routes, &db).await
}

fn service(db: Db) -> Arc<Orders> {
    Arc::new(Orders::new(db, Config::default()).unwrap())
}

fn product(number: u128, sku: &str, price_minor: i64) -> ProductPublished {
    let price = Price { price: Money::new(price_minor, Currency::EUR), was_minor: None };
    ProductPublished {
        product_id: ProductId::from_uuid(Uuid::from_u128(number)),
        version: 1,
        handle: sku.to_lowercase(),
        name: format!("The {sku}"),
        description: String::new(),
        categories: vec![],
        attributes: [].into(),
        variants: vec![Variant {
            sku: sku.parse().unwrap(),
            options: [].into(),
            tax_class: "standard".to_owned(),
            weight_g: 400,
            requires_shipping: true,
            prices: vec![price],
        }],
    }
}
