//! A shop to test on: the service on each engine, with three things on sale.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use contracts::events::{PaymentTerms, Price, ProductPublished, Variant};
use contracts::{Currency, Money, OrderId, Payload, PaymentId, ProductId, ShipmentId};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use order::{Config, Orders};
use platform::clock::Clock;
use platform::db::Db;
use platform::http::HttpContext;
use platform::service::{Host, Hosted};
use platform::testing;
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

/// A candle at 10.00, taxed at the standard rate.
pub const CANDLE: &str = "CANDLE";
/// A book at 21.40, taxed at the rate for books.
pub const BOOK: &str = "BOOK";
/// A song at 1.00 that needs no parcel.
pub const SONG: &str = "SONG";

/// The service on one engine.
pub struct Shop {
    pub db: Db,
    pub host: Arc<Hosted<Orders>>,
    pub clock: Clock,
    app: Router,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub json: Value,
}

/// A cart with its token.
#[derive(Debug, Clone)]
pub struct OpenCart {
    pub id: String,
    pub token: String,
    pub total_minor: i64,
}

/// A placed order.
#[derive(Debug, Clone)]
pub struct Placed {
    pub id: OrderId,
    pub token: String,
    pub cart_id: String,
}

/// The service on SQLite and on PostgreSQL.
pub async fn shops() -> Vec<Shop> {
    shops_at(Clock::standing_at(testing::NOON), Config::default()).await
}

/// The same with a clock and a configuration.
pub async fn shops_at(clock: Clock, config: Config) -> Vec<Shop> {
    let mut shops = Vec::new();
    for db in testing::databases::<Orders>(&clock).await {
        let service = Arc::new(Orders::new(db.clone(), config.clone()).unwrap());
        let (routes, _) = order::routes(Arc::clone(&service)).split_for_parts();
        let app = Router::new().nest("/api/v1", routes);
        let app = platform::http::app(app, HttpContext::for_test());
        let shop = Shop { db, host: Hosted::new(service), clock: clock.clone(), app };
        shop.publish(1, CANDLE, "standard", 1_000, true).await;
        shop.publish(2, BOOK, "books", 2_140, true).await;
        shop.publish(3, SONG, "standard", 100, false).await;
        shops.push(shop);
    }
    shops
}

/// What the catalogue would say of a product with one variant.
pub fn product(n: u128, sku: &str, class: &str, price: i64, ships: bool) -> ProductPublished {
    let price = Price { price: Money::new(price, Currency::EUR), was_minor: None };
    ProductPublished {
        product_id: ProductId::from_uuid(Uuid::from_u128(n)),
        version: 1,
        handle: sku.to_lowercase(),
        name: format!("The {sku}"),
        description: String::new(),
        categories: vec![],
        attributes: [].into(),
        variants: vec![Variant {
            sku: sku.parse().unwrap(),
            options: [].into(),
            tax_class: class.to_owned(),
            weight_g: 400,
            requires_shipping: ships,
            prices: vec![price],
        }],
    }
}

impl Shop {
    pub async fn publish(&self, n: u128, sku: &str, class: &str, price: i64, ships: bool) {
        self.publish_product(product(n, sku, class, price, ships)).await;
    }

    pub async fn publish_product(&self, product: ProductPublished) {
        let (subject, version) = (product.product_id.to_string(), product.version);
        self.hear(&subject, version, product).await;
    }

    /// Delivers one event of another service, at once.
    pub async fn hear(&self, subject: &str, version: i64, payload: impl Into<Payload>) {
        let event = testing::event(&self.db, subject, version, payload);
        self.host.deliver(vec![event]).await.unwrap();
    }

    /// Delivers news about an order.
    pub async fn tell(&self, order: &Placed, payload: impl Into<Payload>) {
        self.tell_at(order, 1, payload).await;
    }

    /// Delivers news at a version of what it is about.
    pub async fn tell_at(&self, order: &Placed, version: i64, payload: impl Into<Payload>) {
        self.hear(&order.id.to_string(), version, payload).await;
    }

    /// Lets time pass, and whatever is due happen.
    pub async fn pass(&self, span: Duration) {
        self.clock.set(self.clock.now().plus(span));
        testing::settle(self.host.as_ref()).await;
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let json = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status, headers, json }
    }

    /// The response itself, for streams.
    pub async fn open_stream(&self, request: Request<Body>) -> http::Response<Body> {
        self.app.clone().oneshot(request).await.unwrap()
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.send(request("GET", path, token, None)).await
    }

    pub async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.send(request("POST", path, token, Some(body))).await
    }

    pub async fn patch(&self, path: &str, token: &str, body: Value) -> Answer {
        self.send(request("PATCH", path, token, Some(body))).await
    }

    pub async fn put(&self, path: &str, token: &str, body: Value) -> Answer {
        self.send(request("PUT", path, token, Some(body))).await
    }

    pub async fn delete(&self, path: &str, token: &str) -> Answer {
        self.send(request("DELETE", path, token, None)).await
    }

    /// Opens a cart with three candles and a book, ready to be placed: 56.30.
    pub async fn cart(&self) -> OpenCart {
        let lines = json!([{ "sku": CANDLE, "quantity": 3 }, { "sku": BOOK, "quantity": 1 }]);
        self.cart_of(lines).await
    }

    pub async fn cart_of(&self, lines: Value) -> OpenCart {
        let body = json!({
            "lines": lines,
            "email": "ada@example.org",
            "language": "en",
            "shipping_address": address(),
            "shipping_method": "standard",
        });
        let opened = self.post("/carts", "", body).await;
        assert_eq!(opened.status, StatusCode::CREATED, "{:?}", opened.json);
        OpenCart {
            id: opened.json["id"].as_str().unwrap().to_owned(),
            token: opened.json["token"].as_str().unwrap().to_owned(),
            total_minor: opened.json["totals"]["total_minor"].as_i64().unwrap_or(0),
        }
    }

    pub async fn place(&self, cart: &OpenCart, key: &str) -> Answer {
        self.send(place_request(cart, key, agreement(cart.total_minor))).await
    }

    /// A placed order, pending.
    pub async fn placed(&self) -> Placed {
        let cart = self.cart().await;
        self.placed_from(&cart).await
    }

    pub async fn placed_from(&self, cart: &OpenCart) -> Placed {
        let answer = self.place(cart, &Uuid::from_u128(7).to_string()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{:?}", answer.json);
        let id = answer.json["id"].as_str().unwrap().parse().unwrap();
        Placed { id, token: cart.token.clone(), cart_id: cart.id.clone() }
    }

    /// An order the warehouse has allocated.
    pub async fn confirmed(&self) -> Placed {
        let order = self.placed().await;
        self.tell(&order, contracts::events::StockAllocated { order_id: order.id }).await;
        order
    }

    pub async fn order(&self, order: &Placed) -> Value {
        let answer = self.get(&format!("/orders/{}", order.id), &order.token).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.json);
        answer.json
    }

    pub async fn status(&self, order: &Placed) -> String {
        self.order(order).await["status"].as_str().unwrap().to_owned()
    }

    /// What the service has said about orders, without the first and the noise of the catalogue.
    pub async fn said(&self) -> Vec<&'static str> {
        testing::said(&self.db).await
    }
}

pub fn request(method: &str, path: &str, token: &str, body: Option<Value>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    match body {
        Some(body) => request
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()))
            .unwrap(),
        None => request.body(Body::empty()).unwrap(),
    }
}

pub fn place_request(cart: &OpenCart, key: &str, body: Value) -> Request<Body> {
    let mut request =
        request("POST", &format!("/carts/{}/order", cart.id), &cart.token, Some(body));
    if !key.is_empty() {
        request.headers_mut().insert("idempotency-key", key.parse().unwrap());
    }
    request
}

/// What a customer agrees to who pays by card.
pub fn agreement(total_minor: i64) -> Value {
    json!({
        "expected_total": { "amount_minor": total_minor, "currency": "EUR" },
        "payment_method": { "code": "card", "token": "ok" },
        "terms_version": "2026-01",
    })
}

pub fn address() -> Value {
    json!({
        "name": "Ada Lovelace",
        "street": "Hafenstraße 1",
        "postal_code": "20457",
        "city": "Hamburg",
        "country": "DE",
    })
}

pub fn payment_id() -> PaymentId {
    PaymentId::from_uuid(Uuid::from_u128(50))
}

pub fn shipment_id() -> ShipmentId {
    ShipmentId::from_uuid(Uuid::from_u128(60))
}

pub fn eur(amount_minor: i64) -> Money {
    Money::new(amount_minor, Currency::EUR)
}

/// Money has come, so much in all.
pub fn captured(order: &Placed, total_minor: i64) -> contracts::events::PaymentCaptured {
    contracts::events::PaymentCaptured {
        payment_id: payment_id(),
        order_id: order.id,
        shipment_id: Some(shipment_id()),
        amount: eur(total_minor),
        captured_total: eur(total_minor),
        refunded_total: eur(0),
    }
}

/// Nothing has to be paid before the goods leave.
pub fn not_required(order: &Placed) -> contracts::events::PaymentNotRequired {
    contracts::events::PaymentNotRequired {
        payment_id: payment_id(),
        order_id: order.id,
        owed: eur(0),
        terms: PaymentTerms::OnDelivery,
    }
}
