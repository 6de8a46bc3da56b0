//! One shopper: a cart with two lines, contact and shipping, the order; three requests, the last
//! of which waits until the order is confirmed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bench::client::{Answer, Client, Failure};
use hdrhistogram::Histogram;
use http::{Method, StatusCode};
use platform::clock::Clock;
use platform::tasks;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::goods::UNITS;
use crate::stopwatch::Stopwatch;

/// Which units shoppers buy and how they pay.
#[derive(Debug, Clone, Copy)]
pub struct Habit {
    /// The one unit that every order takes one of; otherwise two of [`UNITS`].
    pub hot: Option<u64>,
    /// The payment method's code.
    pub method: &'static str,
    /// The provider's token, where the method has one.
    pub token: Option<&'static str>,
}

/// Orders of two lines over a thousand units.
pub const UNIFORM: Habit = Habit { hot: None, method: "card", token: Some("ok") };
/// The same, paid to the carrier.
pub const ON_DELIVERY: Habit = Habit { hot: None, method: "on_delivery", token: None };

/// What goes on in the table about limits so that nobody is sent away who waits for a loaded shop.
pub const PATIENT: &str = r"
in_flight = 4096
deadline_ms = 90000
[order]
wait_max_seconds = 60
";

/// What came of a load.
#[derive(Debug, Default)]
pub struct Tally {
    /// Orders that were confirmed.
    pub confirmed: u64,
    /// Orders that failed for want of stock.
    pub out_of_stock: u64,
    /// Everything else, with the first answer of each kind.
    pub other: Vec<String>,
    /// How long the load ran.
    pub took: Duration,
    /// Microseconds from the request to place (closed loop), or from when it was due (open loop),
    /// to the answer that it is confirmed.
    pub latency: Option<Histogram<u64>>,
}

impl Tally {
    /// Confirmed orders a second.
    pub fn per_second(&self) -> u64 {
        let micros = u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX).max(1);
        self.confirmed * 1_000_000 / micros
    }

    /// Attempts a second, confirmed or out of stock.
    pub fn attempts_per_second(&self) -> u64 {
        let micros = u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX).max(1);
        (self.confirmed + self.out_of_stock) * 1_000_000 / micros
    }

    /// The same, if nothing went wrong: otherwise a figure from it would be worthless.
    ///
    /// # Errors
    /// When anything did.
    pub fn sound(self) -> Result<Self, Failure> {
        let Some(first) = self.other.first() else { return Ok(self) };
        Err(format!("{} requests went wrong, such as: {first}", self.other.len()).into())
    }

    /// The same, if exactly so many were sold.
    ///
    /// # Errors
    /// When more or fewer were.
    pub fn sold_out(self, pieces: u64) -> Result<Self, Failure> {
        if self.confirmed == pieces {
            return Ok(self);
        }
        Err(format!("of {pieces} pieces of one unit {} were sold", self.confirmed).into())
    }

    /// A quantile of the latency, in microseconds.
    pub fn micros_at(&self, percentile: u8) -> u64 {
        self.latency
            .as_ref()
            .map_or(0, |latency| latency.value_at_percentile(f64::from(percentile)))
    }
}

/// The unit with this number.
pub fn sku(number: u64) -> String {
    format!("BENCH-{number:05}")
}

const MINUTE: Duration = Duration::from_secs(60);

enum End {
    Confirmed,
    OutOfStock,
    Other(String),
}

/// One whole purchase; `number` decides what is bought.
async fn buy(client: &mut Client, habit: Habit, number: u64) -> Result<End, Failure> {
    let spread = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
    let lines = if let Some(hot) = habit.hot {
        json!([{ "sku": sku(hot), "quantity": 1 }])
    } else {
        let first = spread % UNITS;
        let second = (first + 1 + spread / UNITS % (UNITS - 1)) % UNITS;
        json!([{ "sku": sku(first), "quantity": 1 }, { "sku": sku(second), "quantity": 1 }])
    };
    let cart = json!({ "currency": "EUR", "lines": lines }).to_string();
    let made = client.send(Method::POST, "/api/v1/carts", &[], Some(cart)).await?;
    if made.status != StatusCode::CREATED {
        return Ok(other("cart", &made));
    }
    let made = made.json();
    let (id, token) = (text(&made["id"]), text(&made["token"]));
    let bearer = format!("Bearer {token}");
    let path = format!("/api/v1/carts/{id}");
    let contact = json!({
        "email": format!("shopper{number}@example.com"),
        "shipping_address": {
            "name": "A Shopper", "street": "Deichstrasse 1", "postal_code": "20459",
            "city": "Hamburg", "country": "DE",
        },
        "shipping_method": "standard",
    });
    let headers = [("authorization", bearer.as_str())];
    let priced = client.send(Method::PATCH, &path, &headers, Some(contact.to_string())).await?;
    if priced.status != StatusCode::OK {
        return Ok(other("contact", &priced));
    }
    let priced = priced.json();
    let mut method = json!({ "code": habit.method });
    if let Some(token) = habit.token {
        method["token"] = token.into();
    }
    let order = json!({
        "expected_total": {
            "amount_minor": priced["totals"]["total_minor"], "currency": priced["currency"],
        },
        "payment_method": method,
        "terms_version": priced["terms_version"],
    });
    let headers = [
        ("authorization", bearer.as_str()),
        ("idempotency-key", id.as_str()),
        ("prefer", "wait=60"),
    ];
    let path = format!("{path}/order");
    let placed = client.send(Method::POST, &path, &headers, Some(order.to_string())).await?;
    let status = text(&placed.json()["status"]);
    Ok(match (placed.status.is_success(), status.as_str()) {
        (true, "confirmed" | "completed") => End::Confirmed,
        (true, "failed") => End::OutOfStock,
        _ => other("order", &placed),
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn other(step: &str, answer: &Answer) -> End {
    let body = String::from_utf8_lossy(&answer.body);
    let body: String = body.chars().take(300).collect();
    End::Other(format!("{step}: {} {body}", answer.status))
}

/// Tries to buy until an order is confirmed, from before there is a shop.
///
/// # Errors
/// When none is within a minute.
pub async fn first_confirmed(shop: SocketAddr, first: u64) -> Result<(), Failure> {
    let watch = Stopwatch::start();
    for number in first.. {
        let bought = async { buy(&mut Client::connect(shop).await?, UNIFORM, number).await };
        match bought.await {
            Ok(End::Confirmed) => return Ok(()),
            Ok(End::OutOfStock | End::Other(_)) | Err(_) if watch.elapsed() < MINUTE => {
                Clock::system().sleep(Duration::from_millis(2)).await;
            }
            Ok(End::OutOfStock) => return Err("there is nothing to buy".into()),
            Ok(End::Other(what)) => return Err(what.into()),
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}

/// Buys `count` times with `in_flight` shoppers at once, each starting anew when it is done.
///
/// # Errors
/// When the shop cannot be reached.
pub async fn closed(
    shop: SocketAddr,
    habit: Habit,
    in_flight: u64,
    first: u64,
    count: u64,
) -> Result<Tally, Failure> {
    let next = Arc::new(AtomicU64::new(first));
    let tally = Arc::new(Mutex::new(Tally { latency: Some(histogram()?), ..Tally::default() }));
    let watch = Stopwatch::start();
    let shoppers: Vec<_> = (0..in_flight)
        .map(|_| {
            let (next, tally) = (Arc::clone(&next), Arc::clone(&tally));
            tasks::spawn("shopper", async move {
                let mut client = Client::connect(shop).await?;
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= first + count {
                        return Ok::<(), Failure>(());
                    }
                    let begun = Stopwatch::start();
                    let end = buy(&mut client, habit, number).await?;
                    note(&tally, end, begun.elapsed()).await;
                }
            })
        })
        .collect();
    for shopper in shoppers {
        shopper.await??;
    }
    let mut tally = std::mem::take(&mut *tally.lock().await);
    tally.took = watch.elapsed();
    Ok(tally)
}

/// Buys at a fixed rate, whether the shop keeps up or not; latency counts from when each was due.
///
/// # Errors
/// When the shop cannot be reached.
pub async fn open(
    shop: SocketAddr,
    habit: Habit,
    per_second: u64,
    first: u64,
    lasting: Duration,
) -> Result<Tally, Failure> {
    const SHOPPERS: usize = 512;
    let tally = Arc::new(Mutex::new(Tally { latency: Some(histogram()?), ..Tally::default() }));
    let (due, waiting) = tokio::sync::mpsc::unbounded_channel::<(u64, Duration)>();
    let waiting = Arc::new(Mutex::new(waiting));
    let watch = Stopwatch::start();
    let shoppers: Vec<_> = (0..SHOPPERS)
        .map(|_| {
            let (waiting, tally) = (Arc::clone(&waiting), Arc::clone(&tally));
            tasks::spawn("shopper", async move {
                let mut client = Client::connect(shop).await?;
                loop {
                    let Some((number, due)) = waiting.lock().await.recv().await else {
                        return Ok::<(), Failure>(());
                    };
                    let end = buy(&mut client, habit, number).await?;
                    note(&tally, end, watch.elapsed().saturating_sub(due)).await;
                }
            })
        })
        .collect();
    let clock = Clock::system();
    let total = per_second * lasting.as_secs();
    for number in 0..total {
        let at = Duration::from_micros(number * 1_000_000 / per_second.max(1));
        while let Some(early) = at.checked_sub(watch.elapsed()).filter(|early| !early.is_zero()) {
            clock.sleep(early).await;
        }
        due.send((first + number, at))?;
    }
    drop(due);
    for shopper in shoppers {
        shopper.await??;
    }
    let mut tally = std::mem::take(&mut *tally.lock().await);
    tally.took = watch.elapsed();
    Ok(tally)
}

async fn note(tally: &Mutex<Tally>, end: End, took: Duration) {
    let mut tally = tally.lock().await;
    match end {
        End::Confirmed => {
            tally.confirmed += 1;
            let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            if let Some(latency) = &mut tally.latency {
                latency.saturating_record(micros);
            }
        }
        End::OutOfStock => tally.out_of_stock += 1,
        End::Other(what) => tally.other.push(what),
    }
}

fn histogram() -> Result<Histogram<u64>, Failure> {
    Ok(Histogram::new_with_bounds(1, 120_000_000, 3)?)
}
