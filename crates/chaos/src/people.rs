//! People who use the shop all the while: shoppers who ask again until they are answered, and clerks.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bench::client::{Answer, Client, Failure};
use bench::told::STAFF;
use contracts::Timestamp;
use http::Method;
use platform::clock::Clock;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// How many units are on sale.
pub const UNITS: u64 = 20;
/// Of the last one there are few.
pub const FEW: i64 = 300;
/// Of the others there are enough.
pub const MANY: i64 = 1_000_000;
/// A client that hears nothing for so long asks again.
const PATIENCE: Duration = Duration::from_secs(20);

/// The unit with this number.
pub fn sku(number: u64) -> String {
    format!("S{number:02}")
}

/// An order that was acknowledged, as the outside knows it.
#[derive(Debug, Clone)]
pub struct Noted {
    /// Its id.
    pub order: String,
    /// Its cart.
    pub cart: String,
    /// The unit that was bought.
    pub sku: u64,
    /// What the provider was told to do.
    pub token: &'static str,
    /// What the shopper agreed to pay, in minor units.
    pub total_minor: Option<i64>,
}

/// What the outside knows.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Under the key by which each was acknowledged.
    pub acknowledged: Mutex<BTreeMap<String, Noted>>,
    /// Orders whose cancellation was acknowledged.
    pub cancelled: Mutex<BTreeSet<String>>,
    /// What was answered as nobody should be.
    pub surprises: Mutex<Vec<String>>,
    /// How many orders were asked for.
    pub wishes: AtomicU64,
    /// How many were acknowledged.
    pub orders: AtomicU64,
    /// How many were placed again under their key, after they were acknowledged.
    pub agains: AtomicU64,
    /// When the last one was acknowledged.
    pub last: Mutex<Option<Timestamp>>,
    /// How many requests were not answered, or with the shop's trouble, and asked again.
    pub repeats: AtomicU64,
    /// Whether everybody is to go home.
    pub over: AtomicBool,
}

impl Ledger {
    fn surprise(&self, what: String) {
        let mut surprises = self.surprises.lock().unwrap_or_else(PoisonError::into_inner);
        if surprises.len() < 50 {
            surprises.push(what);
        }
    }

    /// How many orders were acknowledged.
    pub fn count(&self) -> u64 {
        self.orders.load(Ordering::Relaxed)
    }
}

/// Where the shop is found.
#[derive(Debug, Clone)]
pub struct Doors {
    /// The gateways.
    pub gateways: Vec<SocketAddr>,
    /// The provider.
    pub provider: SocketAddr,
}

/// Somebody outside who talks to the shop and does not give up.
pub struct Outside {
    doors: Doors,
    turn: usize,
    client: Option<Client>,
    ledger: Arc<Ledger>,
}

impl Outside {
    /// Somebody who has not asked anything yet.
    pub fn new(doors: &Doors, ledger: &Arc<Ledger>, turn: usize) -> Self {
        Self { doors: doors.clone(), turn, client: None, ledger: Arc::clone(ledger) }
    }

    /// Asks until there is an answer that is not the shop's trouble; nothing, when it is all over.
    pub async fn insist(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Option<Answer> {
        let mut pause = 20;
        loop {
            let body = body.map(Value::to_string);
            let asked = self.once(method.clone(), path, headers, body);
            if let Ok(Ok(answer)) = tokio::time::timeout(PATIENCE, asked).await
                && !answer.status.is_server_error()
                && answer.status != 429
            {
                return Some(answer);
            }
            if self.ledger.over.load(Ordering::Relaxed) {
                return None;
            }
            self.ledger.repeats.fetch_add(1, Ordering::Relaxed);
            // The other gateway may know better.
            self.turn += 1;
            Clock::system().sleep(Duration::from_millis(pause)).await;
            pause = (pause * 2).min(500);
        }
    }

    async fn once(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Result<Answer, Failure> {
        let gateway = self.doors.gateways[self.turn % self.doors.gateways.len()];
        // A connection is kept only if its answer was heard to the end and is no trouble.
        let mut client = match self.client.take() {
            Some(client) => client,
            None => Client::connect(gateway).await?,
        };
        let answer = client.send(method, path, headers, body).await?;
        if !answer.status.is_server_error() {
            self.client = Some(client);
        }
        Ok(answer)
    }

    /// As [`Outside::insist`], and the answer is a document.
    async fn document(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Option<Value> {
        loop {
            let answer = self.insist(method.clone(), path, headers, body).await?;
            if answer.status.is_success() {
                return Some(answer.json());
            }
            self.ledger.surprise(told(path, &answer));
            if self.ledger.over.load(Ordering::Relaxed) {
                return None;
            }
            Clock::system().sleep(Duration::from_millis(100)).await;
        }
    }
}

fn told(path: &str, answer: &Answer) -> String {
    let body: String = String::from_utf8_lossy(&answer.body).chars().take(300).collect();
    format!("{path}: {} {body}", answer.status)
}

/// A JSON text; empty if it is none.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// An order that was acknowledged.
#[derive(Debug)]
pub struct Bought {
    /// Its id.
    pub order: String,
    /// What opens it.
    pub bearer: String,
}

/// What is bought, and how it is paid.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    sku: u64,
    quantity: u64,
    method: &'static str,
    token: &'static str,
    again: bool,
}

/// What the probe buys: there is enough of it, and it is paid at once.
pub const PLAIN: Wish = Wish { sku: 0, quantity: 1, method: "card", token: "ok", again: false };

/// Buys something; it is acknowledged, or all is over.
pub async fn buy(outside: &mut Outside, key: &str, wish: Wish) -> Option<Bought> {
    let cart = json!({
        "lines": [{ "sku": sku(wish.sku), "quantity": wish.quantity }],
        "email": format!("{key}@example.org"), "shipping_method": "standard",
        "shipping_address": {
            "name": "Ada Lovelace", "street": "Hafenstrasse 1", "postal_code": "20457",
            "city": "Hamburg", "country": "DE",
        },
    });
    let cart = outside.document(Method::POST, "/api/v1/carts", &[], Some(&cart)).await?;
    let order = json!({
        "expected_total": { "amount_minor": cart["totals"]["total_minor"], "currency": "EUR" },
        "payment_method": { "code": wish.method, "token": wish.token },
        "terms_version": cart["terms_version"],
    });
    let bearer = format!("Bearer {}", text(&cart["token"]));
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
    let path = format!("/api/v1/carts/{}/order", text(&cart["id"]));
    outside.ledger.wishes.fetch_add(1, Ordering::Relaxed);
    let placed = outside.document(Method::POST, &path, &headers, Some(&order)).await?;
    let id = text(&placed["id"]);
    let ledger = Arc::clone(&outside.ledger);
    let total_minor = cart["totals"]["total_minor"].as_i64();
    let cart = text(&cart["id"]);
    let entry = Noted { order: id.clone(), cart, sku: wish.sku, token: wish.token, total_minor };
    ledger
        .acknowledged
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(key.to_owned(), entry);
    ledger.orders.fetch_add(1, Ordering::Relaxed);
    *ledger.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Clock::system().now());
    if wish.again {
        // Asked again, whenever that is, the answer is the same order.
        let again = outside.document(Method::POST, &path, &headers, Some(&order)).await?;
        ledger.agains.fetch_add(1, Ordering::Relaxed);
        if text(&again["id"]) != id {
            ledger.surprise(format!("P11: under key {key} there are {id} and {}", again["id"]));
        }
    }
    Some(Bought { order: id, bearer })
}

/// Looks at an order until it is as wanted; nothing, when it is all over.
pub async fn until(
    outside: &mut Outside,
    bought: &Bought,
    done: impl Fn(&Value) -> bool,
) -> Option<Value> {
    let path = format!("/api/v1/orders/{}", bought.order);
    let headers = [("authorization", bought.bearer.as_str())];
    loop {
        let order = outside.document(Method::GET, &path, &headers, None).await?;
        if done(&order) {
            return Some(order);
        }
        Clock::system().sleep(Duration::from_millis(100)).await;
        if outside.ledger.over.load(Ordering::Relaxed) {
            return None;
        }
    }
}

const MEANS: [&str; 12] = [
    "ok",
    "ok",
    "ok",
    "ok",
    "ok",
    "error_after",
    "timeout_after",
    "decline",
    "capture_fails_once",
    "action",
    "webhook_repeat",
    "webhook_reorder",
];

/// Buys one thing after another until it is all over.
async fn shop_on(mut outside: Outside, seed: u64, shopper: u64, pause: Duration) {
    let mut random = StdRng::seed_from_u64(seed ^ (shopper << 32));
    for n in 0_u64.. {
        let over = outside.ledger.over.load(Ordering::Relaxed);
        if over || visit(&mut outside, &mut random, &format!("{shopper}-{n}")).await.is_none() {
            return;
        }
        Clock::system().sleep(pause).await;
    }
}

async fn visit(outside: &mut Outside, random: &mut StdRng, key: &str) -> Option<()> {
    let wish = Wish {
        sku: random.random_range(0..UNITS),
        quantity: random.random_range(1..=3),
        method: ["card", "card", "card_auto", "on_delivery"][random.random_range(0..4)],
        token: MEANS[random.random_range(0..MEANS.len())],
        again: random.random_range(0..10) == 0,
    };
    let bought = buy(outside, key, wish).await?;
    if wish.token == "action" && wish.method != "on_delivery" {
        let settled = |order: &Value| {
            order["payment_waits_for"]["for"] == "action" || order["status"] != "pending"
        };
        let order = until(outside, &bought, settled).await?;
        if let Some(url) = order["payment_waits_for"]["url"].as_str() {
            let does = if random.random_range(0..4) == 0 { "refuse" } else { "confirm" };
            at_the_provider(outside, url, does).await;
        }
    }
    match random.random_range(0..10) {
        0 | 1 => {
            let path = format!("/api/v1/orders/{}/cancel", bought.order);
            let headers = [("authorization", bought.bearer.as_str())];
            let answer = outside.insist(Method::POST, &path, &headers, Some(&json!({}))).await?;
            if answer.status == 200 && answer.json()["status"] == "cancelled" {
                let mut cancelled =
                    outside.ledger.cancelled.lock().unwrap_or_else(PoisonError::into_inner);
                cancelled.insert(bought.order);
            }
        }
        // Who waits for the end of it slows the rest down no more than people do.
        2..=5 => {
            let settled = |order: &Value| {
                order["status"] != "pending" || order["payment_waits_for"]["for"] == "method"
            };
            until(outside, &bought, settled).await?;
        }
        _ => {}
    }
    Some(())
}

/// The shopper at the provider's page. If it does not work out, they leave it at that.
async fn at_the_provider(outside: &Outside, url: &str, does: &str) {
    let provider = outside.doors.provider;
    let Some(path) = url.strip_prefix(&format!("http://{provider}")) else {
        outside.ledger.surprise(format!("sent to {url} to pay"));
        return;
    };
    let asked = async {
        let mut client = Client::connect(provider).await?;
        client.send(Method::POST, &format!("{path}/{does}"), &[], None).await
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(answer)) if answer.status.is_redirection() => {}
        Ok(Ok(answer)) => outside.ledger.surprise(told(url, &answer)),
        Ok(Err(_)) | Err(_) => {}
    }
}

/// Packs and hands over whatever there is to do.
async fn work_on(mut outside: Outside) {
    let bearer = format!("Bearer {STAFF}");
    let headers = [("authorization", bearer.as_str())];
    while !outside.ledger.over.load(Ordering::Relaxed) {
        for (status, work, body) in [
            ("created", "pack", Some(json!({}))),
            ("ready", "dispatch", Some(json!({ "carrier": "DHL", "tracking": "1" }))),
            ("dispatched", "deliver", None),
        ] {
            let list = format!("/api/v1/shipments?status={status}&limit=10");
            let Some(list) = outside.document(Method::GET, &list, &headers, None).await else {
                return;
            };
            for parcel in list["items"].as_array().into_iter().flatten() {
                let path = format!("/api/v1/shipments/{}/{work}", text(&parcel["id"]));
                // That somebody was quicker, or the parcel was called back, is an answer too.
                if outside.insist(Method::POST, &path, &headers, body.as_ref()).await.is_none() {
                    return;
                }
            }
        }
        Clock::system().sleep(Duration::from_millis(100)).await;
    }
}

/// Shoppers and a clerk, at it until it is over.
pub fn open_doors(
    doors: &Doors,
    ledger: &Arc<Ledger>,
    seed: u64,
    shoppers: u64,
    pause: Duration,
) -> Vec<JoinHandle<()>> {
    let mut people = vec![platform::tasks::spawn("clerk", work_on(Outside::new(doors, ledger, 0)))];
    for (turn, shopper) in (0..shoppers).enumerate() {
        let outside = Outside::new(doors, ledger, turn);
        people.push(platform::tasks::spawn("shopper", shop_on(outside, seed, shopper, pause)));
    }
    people
}

/// Puts everything on sale and takes in its stock.
pub async fn fill(doors: &Doors) -> Result<(), Failure> {
    let ledger = Arc::new(Ledger::default());
    let mut outside = Outside::new(doors, &ledger, 0);
    let lines: Vec<String> = (0..UNITS).map(|number| product(number).to_string()).collect();
    let bearer = format!("Bearer {STAFF}");
    let headers = [("content-type", "application/x-ndjson"), ("authorization", bearer.as_str())];
    let mut client = Client::connect(doors.gateways[0]).await?;
    let path = "/api/v1/products/import";
    let report = client.send_raw(Method::POST, path, &headers, lines.join("\n")).await?;
    if report.json()["created"] != UNITS {
        return Err(told(path, &report).into());
    }
    let stock = |number| if number + 1 == UNITS { FEW } else { MANY };
    let items: Vec<Value> =
        (0..UNITS).map(|number| json!({ "sku": sku(number), "quantity": stock(number) })).collect();
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "opening")];
    let body = json!({ "items": items });
    let path = "/api/v1/stock/receipts";
    let opened = outside.document(Method::POST, path, &headers, Some(&body));
    opened.await.ok_or("no stock was taken in")?;
    // The order service hears of products when it hears of them.
    let clock = Clock::system();
    let end = clock.now().plus(Duration::from_secs(60));
    for number in 0..UNITS {
        let line = json!({ "lines": [{ "sku": sku(number), "quantity": 1 }] });
        loop {
            let cart = outside.insist(Method::POST, "/api/v1/carts", &[], Some(&line)).await;
            if cart.as_ref().is_some_and(|cart| cart.status == 201) {
                break;
            }
            if clock.now() > end {
                return Err(format!("{} is not on sale: {cart:?}", sku(number)).into());
            }
            clock.sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}

fn product(number: u64) -> Value {
    json!({
        "handle": sku(number).to_lowercase(),
        "name": format!("Thing number {number}"),
        "variants": [{
            "sku": sku(number), "tax_class": "standard", "weight_g": 200, "requires_shipping": true,
            "prices": [{ "price": { "amount_minor": 1_000 + number, "currency": "EUR" } }],
        }],
    })
}
