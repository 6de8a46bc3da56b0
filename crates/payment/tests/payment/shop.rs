//! A shop around the payment service: what other services would say, a provider, and clients.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use contracts::events::{
    Address, Buyer, ChosenMethod, LineQuantity, OrderCancelled, OrderExpired, OrderPlaced,
    PlacedLine, PlacedShipping, ShipmentPacked, StockReserved, TaxMode, Taxed,
};
use contracts::{Currency, LineId, Money, OrderId, Payload, Rate, ShipmentId};
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use payment::config::{BankAccount, Config};
use payment::test_provider::{Bank, Call, Direct};
use payment::{PaymentService, Providers};
use platform::clock::Clock;
use platform::db::Db;
use platform::http::{HttpContext, Limits};
use platform::service::{Host, Hosted};
use platform::tasks::CancellationToken;
use platform::testing;
use serde_json::Value;
use tower::ServiceExt;

pub const SECRET: &str = "whsec_9f3c1b7a5d2e4f6081a2b3c4";

/// One payment service and everything around it.
pub struct Shop {
    pub db: Db,
    pub clock: Clock,
    pub bank: Arc<Mutex<Bank>>,
    pub host: Arc<Hosted<PaymentService>>,
    pub app: Router,
}

/// An order as the tests know it.
#[derive(Clone)]
pub struct Placed {
    pub id: OrderId,
    pub token: String,
    pub event: OrderPlaced,
}

fn config() -> Config {
    let (holder, iban) = ("Tea & Sons".to_owned(), "DE02120300000000202051".to_owned());
    Config { bank: Some(BankAccount { holder, iban, bic: None }), ..Config::default() }
}

/// A shop on each engine, with the test provider in the same process.
pub async fn shops() -> Vec<Shop> {
    let clock = Clock::standing_at(testing::NOON);
    let mut shops = Vec::new();
    for db in testing::databases::<PaymentService>(&clock).await {
        let bank = Arc::new(Mutex::new(Bank::new()));
        let direct = Direct::new(Arc::clone(&bank), clock.clone(), SECRET);
        let providers: Providers = [("test".to_owned(), Arc::new(direct) as Arc<_>)].into();
        shops.push(Shop::new(db, providers, bank));
    }
    shops
}

pub fn taxed(gross_minor: i64) -> Taxed {
    let rate = Rate(rust_decimal::Decimal::new(19, 2));
    let tax_minor = rate.included_in(gross_minor);
    Taxed { net_minor: gross_minor - tax_minor, tax_minor, gross_minor, rate, zero_reason: None }
}

pub fn eur(amount_minor: i64) -> Money {
    Money::new(amount_minor, Currency::EUR)
}

impl Shop {
    pub fn new(db: Db, providers: Providers, bank: Arc<Mutex<Bank>>) -> Self {
        let service = Arc::new(PaymentService::with_providers(db.clone(), config(), providers));
        let (router, _) = payment::routes(Arc::clone(&service)).split_for_parts();
        let settings = HttpContext::test_settings(Limits::default());
        let clock = db.clock().clone();
        let context =
            HttpContext::new(settings, db.ids().clone(), clock.clone(), CancellationToken::new());
        let app = platform::http::app(Router::new().nest("/api/v1", router), context);
        Self { host: Hosted::new(service), app, clock, bank, db }
    }

    /// An order as it would be placed: three teas for 10.00, two cups for 20.00, postage for 5.00.
    pub fn order(&self, method: &str, token: &str) -> Placed {
        let (bearer, access_hash) = platform::http::auth::new_guest_token(self.db.ids());
        let id = self.db.ids().id();
        let line = |name: &str, quantity: i64, gross_minor: i64| PlacedLine {
            line_id: self.db.ids().id(),
            sku: name.parse().unwrap(),
            name: name.to_owned(),
            quantity,
            requires_shipping: true,
            unit_price_minor: gross_minor / quantity,
            discount_minor: 0,
            amount: taxed(gross_minor),
        };
        let event = OrderPlaced {
            order_id: id,
            number: format!("K-{}", &id.to_string()[24..]),
            cart_id: self.db.ids().id(),
            access_hash,
            buyer: Buyer {
                email: "ada@example.org".to_owned(),
                language: "en".to_owned(),
                billing: None,
            },
            currency: Currency::EUR,
            lines: vec![line("TEA", 3, 1_000), line("CUP", 2, 2_000)],
            shipping: Some(PlacedShipping {
                method: "post".to_owned(),
                name: "Post".to_owned(),
                address: address(),
                amounts: vec![taxed(500)],
            }),
            tax_mode: TaxMode::Included,
            taxes: vec![taxed(3_500)],
            total: eur(3_500),
            payment_method: ChosenMethod { code: method.to_owned(), token: Some(token.to_owned()) },
            terms_version: "1".to_owned(),
            placed_at: self.clock.now(),
            deadline: self.clock.now().plus(Duration::from_secs(1_800)),
        };
        Placed { id, token: bearer, event }
    }

    pub async fn hear(&self, id: OrderId, version: i64, payload: impl Into<Payload>) {
        let event = testing::event(&self.db, id.to_string(), version, payload);
        self.host.deliver(vec![event]).await.unwrap();
    }

    pub async fn settle(&self) {
        testing::settle(self.host.as_ref()).await;
    }

    pub async fn later(&self, seconds: u64) {
        self.clock.set(self.clock.now().plus(Duration::from_secs(seconds)));
        self.settle().await;
    }

    /// An order is placed; nothing is held yet.
    pub async fn placed(&self, method: &str, token: &str) -> Placed {
        let order = self.order(method, token);
        self.hear(order.id, 1, order.event.clone()).await;
        order
    }

    pub async fn reserve(&self, order: &Placed) {
        let expires_at = order.event.deadline;
        self.hear(order.id, 1, StockReserved { order_id: order.id, expires_at }).await;
    }

    /// An order is placed, its goods are held, and the provider has been asked.
    pub async fn paid(&self, method: &str, token: &str) -> Placed {
        let order = self.placed(method, token).await;
        self.reserve(&order).await;
        self.settle().await;
        order
    }

    pub async fn pack(&self, order: &Placed, pieces: [i64; 2]) -> ShipmentId {
        let shipment_id = self.db.ids().id();
        let lines = order.event.lines.iter().zip(pieces).filter(|(_, quantity)| *quantity > 0);
        let lines = lines
            .map(|(line, quantity)| LineQuantity {
                line_id: line.line_id,
                sku: line.sku.clone(),
                quantity,
            })
            .collect();
        let packed = ShipmentPacked { shipment_id, order_id: order.id, lines };
        self.hear(order.id, 10, packed).await;
        self.settle().await;
        shipment_id
    }

    pub async fn cancel(&self, order: &Placed) {
        let cancelled = OrderCancelled {
            order_id: order.id,
            cart_id: order.event.cart_id,
            reason: "changed my mind".to_owned(),
        };
        self.hear(order.id, 20, cancelled).await;
        self.settle().await;
    }

    pub async fn expire(&self, order: &Placed) {
        let expired = OrderExpired { order_id: order.id, cart_id: order.event.cart_id };
        self.hear(order.id, 21, expired).await;
        self.settle().await;
    }

    /// The shopper agrees, or does not, on the provider's page.
    pub fn shopper_decides(&self, agrees: bool) {
        let mut bank = self.bank.lock().unwrap();
        let waiting = bank.all().into_iter().find(|view| view.url.is_some()).unwrap();
        let payment = waiting.payment;
        let call = if agrees { Call::Confirm { payment } } else { Call::Refuse { payment } };
        bank.call(self.clock.now(), &call);
    }

    /// What the service has said, without `v1` and whose it is: `authorized captured`.
    pub async fn said(&self) -> Vec<String> {
        let said = testing::said(&self.db).await;
        said.iter().map(|name| name.trim_end_matches(".v1").to_owned()).collect()
    }

    pub async fn status(&self, order: &Placed) -> String {
        let view = self.staff_sees(&format!("/payments/{}", order.id)).await;
        view["status"].as_str().unwrap().to_owned()
    }

    pub async fn staff_sees(&self, path: &str) -> Value {
        let (status, body) = self.get(path, Some("kst_test_support")).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    pub async fn get(&self, path: &str, bearer: Option<&str>) -> (StatusCode, String) {
        self.send(Method::GET, path, bearer, &[], None).await
    }

    /// What a page may load, as its headers say.
    pub async fn policy_of(&self, path: &str, bearer: &str) -> String {
        let request = Request::builder()
            .uri(format!("/api/v1{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {bearer}"));
        let answer = self.app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        answer.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned()
    }

    pub async fn post(
        &self,
        path: &str,
        bearer: Option<&str>,
        key: &str,
        body: &Value,
    ) -> (StatusCode, Value) {
        let headers = [("idempotency-key", key)];
        let text = body.to_string();
        let (status, body) = self.send(Method::POST, path, bearer, &headers, Some(&text)).await;
        (status, serde_json::from_str(&body).unwrap_or_default())
    }

    pub async fn send(
        &self,
        method: Method,
        path: &str,
        bearer: Option<&str>,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> (StatusCode, String) {
        let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        if let Some(bearer) = bearer {
            request = request.header(header::AUTHORIZATION, format!("Bearer {bearer}"));
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map_or_else(Body::empty, |text| Body::from(text.to_owned()));
        let answer = self.app.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let status = answer.status();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }
}

impl Placed {
    pub fn line(&self, index: usize) -> LineId {
        self.event.lines[index].line_id
    }
}

fn address() -> Address {
    Address {
        name: "Ada Byron".to_owned(),
        company: None,
        street: "High Street 2".to_owned(),
        extra: None,
        postal_code: "1010".to_owned(),
        city: "Wien".to_owned(),
        region: None,
        country: "AT".to_owned(),
        phone: None,
    }
}
