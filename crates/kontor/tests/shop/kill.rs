//! Fifty times killed in mid-work: what was acknowledged is there, once, and comes to its end.
//!
//! The program runs on disk with fsync, under load by shoppers who ask again until they are
//! answered, and by clerks. An outside ledger notes what was acknowledged. `kill -9` comes at random
//! moments, also while the program starts; the provider lives on, as providers do, and its own account
//! is held against the shop's.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Method;
use platform::clock::Clock;
use platform::tasks::Tasks;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::support::Answer;
use crate::support::program::{Client, Failure, Place, STAFF};
use crate::support::provider::{self, Kept};
use crate::support::shopper::{address, text};
use crate::support::world::product;

const KILLS: usize = 50;
const SHOPPERS: u64 = 6;
const SEED: u64 = 20_261_122;
/// One kill in so many comes while the program starts, or recovers from the one before.
const AT_START: usize = 3;
/// Ready again within this.
const READY: Duration = Duration::from_secs(2);

/// What the outside knows: under which key which order was acknowledged, from which cart, and which
/// cancellations were.
#[derive(Default)]
pub struct Ledger {
    pub acknowledged: Mutex<BTreeMap<String, (String, String)>>,
    cancelled: Mutex<BTreeSet<String>>,
    wishes: AtomicU64,
}

/// Somebody outside who talks to the shop and does not give up.
struct Outside {
    shop: SocketAddr,
    client: Option<Client>,
    over: Arc<AtomicBool>,
}

impl Outside {
    /// Asks until there is an answer that is not the shop's trouble; nothing, when it is all over.
    async fn insist(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Option<Answer> {
        loop {
            match self.once(method.clone(), path, headers, body).await {
                Ok(answer) if !answer.status.is_server_error() => return Some(answer),
                Ok(_) | Err(_) if self.over.load(Ordering::Relaxed) => return None,
                Ok(_) | Err(_) => Clock::system().sleep(Duration::from_millis(5)).await,
            }
        }
    }

    async fn once(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Answer, Failure> {
        let mut client = match self.client.take() {
            Some(client) => client,
            None => Client::connect(self.shop).await?,
        };
        let answer = client.send(method, path, headers, body).await?;
        self.client = Some(client);
        Ok(answer)
    }
}

/// Buys one thing after another until it is all over.
async fn shop_on(mut outside: Outside, ledger: Arc<Ledger>, shopper: u64) {
    let mut random = StdRng::seed_from_u64(SEED + shopper);
    for n in 0.. {
        if outside.over.load(Ordering::Relaxed)
            || buy(&mut outside, &ledger, &mut random, shopper, n).await.is_none()
        {
            return;
        }
    }
}

async fn buy(
    outside: &mut Outside,
    ledger: &Ledger,
    random: &mut StdRng,
    shopper: u64,
    n: u64,
) -> Option<()> {
    let sku = format!("S{}", random.random_range(0..20));
    let cart = json!({
        "lines": [{ "sku": sku, "quantity": random.random_range(1..=3) }],
        "email": format!("s{shopper}@example.org"), "shipping_address": address(),
        "shipping_method": "standard",
    })
    .to_string();
    let cart = outside.insist(Method::POST, "/api/v1/carts", &[], &cart).await?.expect(201);
    let method = ["card", "card_auto", "on_delivery"][random.random_range(0..3)];
    let means = ["ok", "ok", "ok", "error_after", "decline", "capture_fails_once"];
    let order = json!({
        "expected_total": { "amount_minor": cart["totals"]["total_minor"], "currency": "EUR" },
        "payment_method": { "code": method, "token": means[random.random_range(0..means.len())] },
        "terms_version": cart["terms_version"],
    })
    .to_string();
    let (bearer, key) = (format!("Bearer {}", text(&cart["token"])), format!("{shopper}-{n}"));
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", key.as_str())];
    let path = format!("/api/v1/carts/{}/order", text(&cart["id"]));
    ledger.wishes.fetch_add(1, Ordering::Relaxed);
    let placed = outside.insist(Method::POST, &path, &headers, &order).await?;
    assert!(placed.status.is_success(), "{placed:?}");
    let id = text(&placed.json()["id"]);
    let entry = (id.clone(), text(&cart["id"]));
    ledger.acknowledged.lock().unwrap().insert(key.clone(), entry);
    match random.random_range(0..10) {
        // Asked again, whenever that is, the answer is the same order.
        0 => {
            let again = outside.insist(Method::POST, &path, &headers, &order).await?;
            assert_eq!(again.json()["id"], id);
        }
        1 | 2 => {
            let path = format!("/api/v1/orders/{id}/cancel");
            let headers = [("authorization", bearer.as_str())];
            let answer = outside.insist(Method::POST, &path, &headers, "{}").await?;
            if answer.status == 200 && answer.json()["status"] == "cancelled" {
                ledger.cancelled.lock().unwrap().insert(id);
            }
        }
        _ => {}
    }
    Some(())
}

/// Packs and hands over whatever there is to do.
async fn work_on(mut outside: Outside) {
    let bearer = format!("Bearer {STAFF}");
    let headers = [("authorization", bearer.as_str())];
    while !outside.over.load(Ordering::Relaxed) {
        for (status, work, body) in [
            ("created", "pack", "{}"),
            ("ready", "dispatch", r#"{"carrier":"DHL","tracking":"1"}"#),
            ("dispatched", "deliver", ""),
        ] {
            let list = format!("/api/v1/shipments?status={status}&limit=5");
            let Some(list) = outside.insist(Method::GET, &list, &headers, "").await else { return };
            for parcel in list.expect(200)["items"].as_array().unwrap() {
                let path = format!("/api/v1/shipments/{}/{work}", text(&parcel["id"]));
                if outside.insist(Method::POST, &path, &headers, body).await.is_none() {
                    return;
                }
            }
        }
        Clock::system().sleep(Duration::from_millis(20)).await;
    }
}

/// Everything that a list of the API holds.
pub async fn all(place: &Place, list: &str) -> Vec<Value> {
    let bearer = format!("Bearer {STAFF}");
    let headers = [("authorization", bearer.as_str())];
    let mut client = Client::connect(place.listen).await.unwrap();
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/{list}?limit=100{cursor}");
        let page = client.send(Method::GET, &path, &headers, "").await.unwrap().expect(200);
        all.extend(page["items"].as_array().unwrap().iter().cloned());
        let Some(next) = page["next_cursor"].as_str() else { return all };
        cursor = format!("&cursor={next}");
    }
}

pub async fn stocked(place: &Place) {
    let lines: Vec<String> = (0..20)
        .map(|n| product(&format!("S{n}"), "A thing", 1_000 + n, "standard", true).to_string())
        .collect();
    let file = place.folder.path().join("products.jsonl");
    std::fs::write(&file, lines.join("\n")).unwrap();
    let imported = place.run(&["import", &file.display().to_string()]);
    assert_eq!(imported.code, 0, "{imported:?}");
    let (running, _) = place.start().await;
    let items: Vec<Value> =
        (0..20).map(|n| json!({ "sku": format!("S{n}"), "quantity": 100_000 })).collect();
    let bearer = format!("Bearer {STAFF}");
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "opening")];
    let body = json!({ "items": items }).to_string();
    let mut client = Client::connect(place.listen).await.unwrap();
    let path = "/api/v1/stock/receipts";
    client.send(Method::POST, path, &headers, &body).await.unwrap().expect(201);
    let mut outside = Outside { shop: place.listen, client: None, over: Arc::default() };
    let line = json!({ "lines": [{ "sku": "S19", "quantity": 1 }] }).to_string();
    loop {
        let cart = outside.insist(Method::POST, "/api/v1/carts", &[], &line).await.unwrap();
        if cart.status == 201 {
            break;
        }
        Clock::system().sleep(Duration::from_millis(20)).await;
    }
    assert!(running.stop().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_times_killed_the_shop_has_lost_nothing_and_doubled_nothing() {
    let place = Place::new().await;
    let provider = open_provider(&place).await;
    stocked(&place).await;
    let (ledger, over) = (Arc::new(Ledger::default()), Arc::new(AtomicBool::new(false)));
    let people = people(&place, &ledger, &over);
    let mut random = StdRng::seed_from_u64(SEED);
    let mut ready = Vec::new();
    for kill in 0..KILLS {
        let (running, span) = if kill % AT_START == 0 {
            (place.launch(), random.random_range(0..100))
        } else {
            let (running, after) = place.start().await;
            ready.push(after);
            (running, random.random_range(20..600))
        };
        Clock::system().sleep(Duration::from_millis(span)).await;
        running.kill();
    }
    let (running, after) = place.start().await;
    ready.push(after);
    // A little more without trouble, so that everybody has had their answer.
    Clock::system().sleep(Duration::from_secs(1)).await;
    over.store(true, Ordering::Relaxed);
    for person in people {
        person.await.unwrap();
    }
    settled(&place).await;
    let orders = all(&place, "orders").await;
    judge(&ledger, &orders);
    judge_money(&place, &orders).await;
    judge_mails(&place, &orders).await;
    let doctor = place.run(&["doctor", "--at-rest"]);
    assert_eq!(doctor.code, 0, "{doctor:?}\n{}", place.log());
    ready.sort();
    let (median, longest) = (ready[ready.len() / 2], ready[ready.len() - 1]);
    let acknowledged = ledger.acknowledged.lock().unwrap().len();
    eprintln!(
        "{KILLS} kills, {acknowledged} orders acknowledged, {} there; ready after {median:?} in \
         the median, {longest:?} at most",
        orders.len(),
    );
    assert!(acknowledged > KILLS, "there was work to lose: {acknowledged}");
    assert!(longest < READY, "{ready:?}");
    assert!(running.stop().await.success());
    provider.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_doctor_who_looks_while_the_shop_is_busy_raises_no_false_alarm() {
    let place = Place::new().await;
    let provider = open_provider(&place).await;
    stocked(&place).await;
    let (ledger, over) = (Arc::new(Ledger::default()), Arc::new(AtomicBool::new(false)));
    let (running, _) = place.start().await;
    let people = people(&place, &ledger, &over);
    for _ in 0..20 {
        let doctor = place.run(&["doctor"]);
        assert_eq!((doctor.code, doctor.out.as_str()), (0, "All promises hold.\n"), "{doctor:?}");
    }
    over.store(true, Ordering::Relaxed);
    for person in people {
        person.await.unwrap();
    }
    let acknowledged = ledger.acknowledged.lock().unwrap().len();
    assert!(acknowledged > 50, "it was not busy: {acknowledged} orders");
    assert!(running.stop().await.success());
    provider.stop().await;
}

/// The provider lives beside the program and outlives it, and writes down what it is asked.
pub async fn open_provider(place: &Place) -> Tasks {
    let tasks = Tasks::new();
    let listener = TcpListener::bind(place.provider).await.unwrap();
    let (folder, clock) = (place.folder.path(), Clock::system());
    provider::start(listener, place.listen, folder, &clock, &tasks);
    tasks
}

/// Shoppers and a clerk, at it until it is over.
pub fn people(place: &Place, ledger: &Arc<Ledger>, over: &Arc<AtomicBool>) -> Vec<JoinHandle<()>> {
    let outside = || Outside { shop: place.listen, client: None, over: Arc::clone(over) };
    let shop_on = |shopper| shop_on(outside(), Arc::clone(ledger), shopper);
    let shoppers = (0..SHOPPERS).map(|shopper| platform::tasks::spawn("shopper", shop_on(shopper)));
    shoppers.chain([platform::tasks::spawn("clerk", work_on(outside()))]).collect()
}

/// In the mailbox there is each mail that counts as sent, and no other; all are about orders that are
/// there. (That a stage is told once is the doctor's to see.)
async fn judge_mails(place: &Place, orders: &[Value]) {
    let messages = all(place, "messages").await;
    let placed: BTreeSet<String> = orders.iter().map(|order| text(&order["id"])).collect();
    assert!(messages.iter().all(|message| placed.contains(&text(&message["order_id"]))));
    let sent = messages.iter().filter(|message| message["status"] == "sent");
    let sent: BTreeSet<String> = sent.map(|message| text(&message["id"])).collect();
    let mailbox = std::fs::read_dir(place.data().join("mail")).unwrap();
    let mailed = mailbox.map(|file| {
        let mail = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let id = mail.lines().find_map(|line| line.strip_prefix("Message-ID: <")).unwrap();
        id.split_once('@').unwrap().0.to_owned()
    });
    let mailed: BTreeSet<String> = mailed.collect();
    assert!(mailed == sent && !sent.is_empty(), "{} mails of {}", mailed.len(), sent.len());
}

/// By the provider's own account, every order has cost what the shop's ledger says, and not more than
/// it came to.
async fn judge_money(place: &Place, orders: &[Value]) {
    let mut booked: BTreeMap<String, Kept> = BTreeMap::new();
    for journal in all(place, "ledger").await {
        for posting in journal["postings"].as_array().unwrap() {
            let minor = posting["amount_minor"].as_i64().unwrap();
            let kept = booked.entry(text(&journal["payment_id"])).or_default();
            if posting["debit"] == "provider" {
                kept.captured_minor += minor;
            } else if posting["credit"] == "provider" {
                kept.refunded_minor += minor;
            }
        }
    }
    let account = provider::account(place.folder.path());
    let moved = |kept: &Kept| *kept != Kept::default();
    let taken: BTreeMap<_, _> = account.iter().filter(|(_, kept)| moved(kept)).collect();
    let said: BTreeMap<_, _> = booked.iter().filter(|(_, kept)| moved(kept)).collect();
    assert_eq!(taken, said, "the provider's account and the shop's");
    assert!(taken.values().any(|kept| kept.refunded_minor > 0), "nothing went back: {taken:?}");
    for order in orders {
        let total = order["money"]["total_minor"].as_i64().unwrap();
        // A payment has the id of its order.
        let kept = account.get(&text(&order["id"])).copied().unwrap_or_default();
        assert!(kept.captured_minor <= total, "{order}: {kept:?} is more than it came to");
        if order["status"] == "cancelled" {
            assert_eq!(kept.captured_minor, kept.refunded_minor, "{order}");
        }
    }
}

/// Waits until the doctor finds nothing under way any more.
pub async fn settled(place: &Place) {
    let real = Clock::system();
    let limit = real.now().plus(Duration::from_secs(60));
    loop {
        let doctor = place.run(&["doctor", "--at-rest"]);
        if doctor.code == 0 {
            return;
        }
        assert!(real.now() < limit, "not settled: {doctor:?}\n{}", place.log());
        real.sleep(Duration::from_millis(200)).await;
    }
}

fn judge(ledger: &Ledger, orders: &[Value]) {
    let there: BTreeMap<String, &Value> =
        orders.iter().map(|order| (text(&order["id"]), order)).collect();
    let acknowledged = ledger.acknowledged.lock().unwrap();
    for (key, (id, cart)) in acknowledged.iter() {
        let order = there.get(id).unwrap_or_else(|| panic!("{id} ({key}) is lost"));
        assert_eq!(order["cart_id"], *cart, "{key}");
    }
    for id in ledger.cancelled.lock().unwrap().iter() {
        assert_eq!(there[id]["status"], "cancelled", "its cancellation was acknowledged");
    }
    // Whoever was not answered may have an order all the same; nobody has two.
    let carts: BTreeSet<String> = orders.iter().map(|order| text(&order["cart_id"])).collect();
    assert_eq!(carts.len(), orders.len(), "a cart has become two orders");
    let wishes = usize::try_from(ledger.wishes.load(Ordering::Relaxed)).unwrap();
    assert!((acknowledged.len()..=wishes).contains(&orders.len()), "{} orders", orders.len());
    let mut states: BTreeMap<String, usize> = BTreeMap::new();
    for order in orders {
        *states.entry(text(&order["status"])).or_default() += 1;
        let waits = text(&order["payment_waits_for"]["for"]);
        // What is still pending waits for the shopper, who was declined, and for nobody else.
        assert!(order["status"] != "pending" || waits == "method", "{order}");
    }
    for state in ["confirmed", "cancelled", "completed"] {
        assert!(states.contains_key(state), "nothing is {state}: {states:?}");
    }
}
