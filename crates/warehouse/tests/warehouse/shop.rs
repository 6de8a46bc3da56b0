//! A warehouse with its HTTP interface, and words for what happens to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use contracts::events::{
    Buyer, ChosenMethod, OrderConfirmed, OrderPlaced, PaymentAuthorized, PaymentCaptured,
    PlacedLine, StockChanged, TaxMode, Taxed,
};
use contracts::{
    Currency, EventData, Id, LineId, Money, OrderId, Payload, PaymentId, Rate, ShipmentId, Sku,
};
use http_body_util::BodyExt;
use platform::clock::Clock;
use platform::db::Db;
use platform::http::{self, HttpContext, Limits};
use platform::redis::Redis;
use platform::service::{Host, Hosted};
use platform::tasks::CancellationToken;
use platform::testing;
use serde_json::{Value, json};
use tower::ServiceExt;
use warehouse::domain::Place;
use warehouse::{Config, Warehouse, store};

pub const WAREHOUSE: Option<&str> = Some("kst_test_warehouse");

pub struct Shop {
    pub db: Db,
    pub clock: Clock,
    pub host: Arc<Hosted<Warehouse>>,
    pub api: utoipa::openapi::OpenApi,
    app: Router,
    version: AtomicI64,
}

/// An order, as the tests speak of it.
#[derive(Clone)]
pub struct Order {
    pub id: OrderId,
    pub lines: Vec<(LineId, Sku, i64)>,
    pub method: &'static str,
    pub ships: bool,
}

impl Order {
    pub fn line(&self, index: usize) -> LineId {
        self.lines[index].0
    }

    pub fn placed(&self, shop: &Shop) -> OrderPlaced {
        let zero = Taxed {
            net_minor: 0,
            tax_minor: 0,
            gross_minor: 0,
            rate: Rate::ZERO,
            zero_reason: None,
        };
        let line = |(line_id, sku, quantity): &(LineId, Sku, i64)| PlacedLine {
            line_id: *line_id,
            sku: sku.clone(),
            name: sku.to_string(),
            quantity: *quantity,
            requires_shipping: self.ships,
            unit_price_minor: 0,
            discount_minor: 0,
            amount: zero,
        };
        OrderPlaced {
            order_id: self.id,
            number: "K-1".into(),
            cart_id: shop.db.ids().id(),
            access_hash: String::new(),
            buyer: Buyer { email: "a@example.org".into(), language: "en".into(), billing: None },
            currency: Currency::EUR,
            lines: self.lines.iter().map(line).collect(),
            shipping: None,
            tax_mode: TaxMode::Included,
            taxes: vec![],
            total: eur(100),
            payment_method: ChosenMethod { code: self.method.into(), token: None },
            terms_version: "1".into(),
            placed_at: shop.clock.now(),
            deadline: shop.clock.now().plus(Duration::from_secs(1800)),
        }
    }

    pub fn authorised(&self) -> PaymentAuthorized {
        PaymentAuthorized { payment_id: payment(), order_id: self.id, amount: eur(100) }
    }

    pub fn captured(&self, total: i64, shipment_id: Option<ShipmentId>) -> PaymentCaptured {
        PaymentCaptured {
            payment_id: payment(),
            order_id: self.id,
            shipment_id,
            amount: eur(total),
            captured_total: eur(total),
            refunded_total: eur(0),
        }
    }

    pub fn confirmed(&self) -> OrderConfirmed {
        OrderConfirmed { order_id: self.id }
    }
}

pub fn eur(amount: i64) -> Money {
    Money::new(amount, Currency::EUR)
}

pub fn payment() -> PaymentId {
    Id::from_uuid(uuid::Uuid::from_u128(1))
}

/// What is to be sent over HTTP.
pub struct Call<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub token: Option<&'a str>,
    pub key: Option<&'a str>,
    pub body: Option<Value>,
}

impl Shop {
    /// An empty warehouse on each engine.
    pub async fn everywhere() -> Vec<Self> {
        Self::everywhere_with(Config::default()).await
    }

    /// An empty warehouse on each engine, each with a clock of its own that stands at noon.
    pub async fn everywhere_with(config: Config) -> Vec<Self> {
        let clock = || Clock::standing_at(testing::NOON);
        let sqlite = testing::on_sqlite::<Warehouse>(&clock());
        let postgres = testing::on_postgres::<Warehouse>(&clock()).await;
        [sqlite, postgres].map(|db| Self::on(db, &config, None)).into()
    }

    /// An instance of it.
    pub fn on(db: Db, config: &Config, redis: Option<Redis>) -> Self {
        let clock = db.clock().clone();
        let service = Arc::new(Warehouse::new(db.clone(), config.clone(), redis));
        let host = Hosted::new(Arc::clone(&service));
        let settings = HttpContext::test_settings(Limits::default());
        let stopping = CancellationToken::new();
        let context = HttpContext::new(settings, db.ids().clone(), clock.clone(), stopping);
        let (router, api) = warehouse::routes(service).split_for_parts();
        let app = http::app(router, context);
        Self { db, clock, host, api, app, version: AtomicI64::new(0) }
    }

    /// Goods of each unit come in.
    pub async fn stock(&self, goods: &[(&str, i64)]) {
        for chunk in goods.chunks(500) {
            let items: Vec<Value> = chunk
                .iter()
                .map(|(sku, quantity)| json!({ "sku": sku, "quantity": quantity }))
                .collect();
            let (status, body) = self.post("/stock/receipts", json!({ "items": items })).await;
            assert_eq!(status, StatusCode::CREATED, "{body}");
        }
        self.settle().await;
    }

    /// An order of these goods, not placed yet.
    pub fn order(&self, lines: &[(&str, i64)]) -> Order {
        let line =
            |(name, quantity): &(&str, i64)| (self.db.ids().id(), name.parse().unwrap(), *quantity);
        let lines = lines.iter().map(line).collect();
        Order { id: self.db.ids().id(), lines, method: "card", ships: true }
    }

    /// An order of these goods, placed, paid for and confirmed, with its one parcel.
    pub async fn confirmed(&self, lines: &[(&str, i64)]) -> (Order, ShipmentId) {
        let order = self.order(lines);
        self.hears(&order, order.placed(self)).await;
        self.hears(&order, order.authorised()).await;
        self.hears(&order, order.confirmed()).await;
        let parcels = self.parcels(&order).await;
        let id = parcels[0]["id"].as_str().unwrap().parse().unwrap();
        (order, id)
    }

    /// Something is said about an order.
    pub async fn hears(&self, order: &Order, payload: impl Into<Payload>) {
        self.hears_all(vec![(order, payload.into())]).await;
    }

    /// Many things are said, and come in one batch.
    pub async fn hears_all(&self, all: Vec<(&Order, Payload)>) {
        let event = |(order, payload): (&Order, Payload)| {
            let version = self.version.fetch_add(1, Ordering::Relaxed) + 1;
            testing::event(&self.db, order.id.to_string(), version, payload)
        };
        self.host.deliver(all.into_iter().map(event).collect()).await.unwrap();
    }

    pub async fn wait(&self, span: Duration) {
        self.clock.set(self.clock.now().plus(span));
        self.settle().await;
    }

    pub async fn settle(&self) {
        testing::settle(self.host.as_ref()).await;
    }

    /// What was said about an order, in short.
    pub async fn said(&self, order: &Order) -> Vec<&'static str> {
        let subject = order.id.to_string();
        let events = testing::published(&self.db).await;
        let about = events.iter().filter(|event| event.subject == subject);
        about.map(|event| event.payload.kind().name.trim_end_matches(".v1")).collect()
    }

    /// The payloads of one type that were said.
    pub async fn payloads<T: EventData + Clone>(&self) -> Vec<T> {
        let events = testing::published(&self.db).await;
        events.iter().filter_map(|event| T::of(&event.payload).cloned()).collect()
    }

    /// What was last announced of a unit, once it is time to.
    pub async fn announced(&self, sku: &str) -> Option<StockChanged> {
        self.wait(Duration::from_secs(2)).await;
        let all = self.payloads::<StockChanged>().await;
        all.into_iter().rfind(|changed| changed.sku.as_str() == sku)
    }

    /// On hand and reserved, at the main place.
    pub async fn shelf(&self, sku: &str) -> (i64, i64) {
        let audit = self.db.read(store::ReadAudit).await.unwrap();
        let main = Place::main();
        let row = audit.shelves.iter().find(|row| row.sku.as_str() == sku && row.place == main);
        row.map_or((0, 0), |row| (row.shelf.on_hand, row.shelf.reserved))
    }

    /// The books agree: counters, holds and ledger.
    pub async fn is_sound(&self) {
        let audit = self.db.read(store::ReadAudit).await.unwrap();
        let (mut held, mut packed) = (BTreeMap::new(), BTreeMap::new());
        for (sku, place, quantity) in audit.claims.iter().flat_map(|row| row.claim.promises()) {
            *held.entry((sku, place)).or_insert(0) += quantity;
        }
        for parcel in audit.claims.iter().flat_map(|row| row.claim.parcels()) {
            for line in parcel.lines.iter().filter(|_| parcel.is_packed()) {
                *packed.entry((line.sku.clone(), parcel.place.clone())).or_insert(0) +=
                    line.quantity;
            }
        }
        let mut moved = BTreeMap::new();
        for row in &audit.ledger {
            moved.insert((row.sku.clone(), row.place.clone()), row.on_hand);
        }
        for row in &audit.shelves {
            let key = (row.sku.clone(), row.place.clone());
            assert!(row.shelf.is_sound(), "{row:?}");
            assert_eq!(row.shelf.reserved, held.remove(&key).unwrap_or(0), "{row:?}");
            assert_eq!(row.shelf.packed, packed.remove(&key).unwrap_or(0), "{row:?}");
            assert_eq!(row.shelf.on_hand, moved.remove(&key).unwrap_or(0), "{row:?}");
        }
        assert!(held.is_empty() && packed.is_empty() && moved.is_empty(), "{held:?} {moved:?}");
    }

    pub async fn state_of(&self, order: &Order) -> &'static str {
        let audit = self.db.read(store::ReadAudit).await.unwrap();
        let row = audit.claims.iter().find(|row| row.order_id == order.id);
        row.map_or("unheard", |row| row.claim.name())
    }

    pub async fn call(&self, call: Call<'_>) -> (StatusCode, Value) {
        let mut request = Request::builder().method(call.method).uri(call.path);
        if let Some(token) = call.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(key) = call.key {
            request = request.header("idempotency-key", key);
        }
        let body = match call.body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        let response = self.app.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        let call = Call { method: "GET", path, token: WAREHOUSE, key: None, body: None };
        self.call(call).await
    }

    /// How many pieces of a unit can be had, as shoppers are told.
    pub async fn told(&self, sku: &str) -> i64 {
        let path = &format!("/stock/{sku}");
        let call = Call { method: "GET", path, token: None, key: None, body: None };
        let (status, body) = self.call(call).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body["available"].as_i64().unwrap()
    }

    /// A post by the warehouse's staff, under a key of its own.
    pub async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        let key = self.db.ids().uuid().to_string();
        let call =
            Call { method: "POST", path, token: WAREHOUSE, key: Some(&key), body: Some(body) };
        self.call(call).await
    }

    pub async fn parcels(&self, order: &Order) -> Vec<Value> {
        let (status, body) = self.get(&format!("/shipments?order_id={}", order.id)).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body["items"].as_array().unwrap().clone()
    }

    /// Staff does something with a parcel.
    pub async fn work(&self, parcel: ShipmentId, what: &str, body: Value) -> (StatusCode, Value) {
        self.post(&format!("/shipments/{parcel}/{what}"), body).await
    }
}
