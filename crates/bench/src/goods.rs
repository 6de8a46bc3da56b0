//! A thousand units for sale, and one that everybody wants.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use bench::client::{Client, Failure};
use bench::told::STAFF;
use http::{Method, StatusCode};
use platform::clock::Clock;
use platform::ids::Ids;
use serde_json::json;

use crate::flow::sku;

/// How many units there are enough of, counted from 0.
pub const UNITS: u64 = 1000;
/// A cart may hold so many lines at least.
const CART_LINES: usize = 50;

/// Puts [`UNITS`] into an empty shop, and waits until they can be bought.
///
/// # Errors
/// When it does not take them.
pub async fn fill(shop: SocketAddr) -> Result<(), Failure> {
    let lots: Vec<(u64, u64)> = (0..UNITS).map(|number| (number, 1_000_000)).collect();
    sell(shop, &lots).await
}

/// Offers units, so many pieces of each, and waits until they can be bought.
///
/// # Errors
/// When the shop does not take them.
pub async fn sell(shop: SocketAddr, lots: &[(u64, u64)]) -> Result<(), Failure> {
    let mut products = String::new();
    for (number, _) in lots {
        let line = json!({
            "handle": format!("bench-{number:05}"),
            "name": format!("Thing number {number}"),
            "description": "A thing of medium size that a benchmark buys, with a text of ordinary length beside it.",
            "variants": [{
                "sku": sku(*number), "tax_class": "standard", "weight_g": 250, "requires_shipping": true,
                "prices": [{ "price": { "amount_minor": 1990, "currency": "EUR" } }],
            }],
        });
        writeln!(products, "{line}")?;
    }
    let path = "/api/v1/products/import?publish=true";
    staff(shop, path, "application/x-ndjson", products).await?;
    for some in lots.chunks(500) {
        let items: Vec<_> = some
            .iter()
            .map(|(number, pieces)| json!({ "sku": sku(*number), "quantity": pieces }))
            .collect();
        let body = json!({ "items": items }).to_string();
        staff(shop, "/api/v1/stock/receipts", "application/json", body).await?;
    }
    for some in lots.chunks(CART_LINES) {
        until_sold(shop, some).await?;
    }
    Ok(())
}

async fn staff(shop: SocketAddr, path: &str, kind: &str, body: String) -> Result<(), Failure> {
    let mut client = Client::connect(shop).await?;
    let bearer = format!("Bearer {STAFF}");
    let key = Ids::from_system(Clock::system()).uuid().to_string();
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", kind),
        ("idempotency-key", key.as_str()),
    ];
    let answer = client.send_raw(Method::POST, path, &headers, body).await?;
    if answer.status.is_success() {
        return Ok(());
    }
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    Err(format!("{path}: {} {body}", answer.status).into())
}

/// Waits until these units can be put into a cart: the order service has heard of them.
async fn until_sold(shop: SocketAddr, lots: &[(u64, u64)]) -> Result<(), Failure> {
    let mut client = Client::connect(shop).await?;
    let lines = lots.iter().map(|(number, _)| json!({ "sku": sku(*number), "quantity": 1 }));
    let lines: Vec<_> = lines.collect();
    let cart = json!({ "currency": "EUR", "lines": lines }).to_string();
    for _ in 0..1000 {
        let answer = client.send(Method::POST, "/api/v1/carts", &[], Some(cart.clone())).await?;
        if answer.status == StatusCode::CREATED {
            return Ok(());
        }
        Clock::system().sleep(Duration::from_millis(20)).await;
    }
    Err("the goods do not get into the shop".into())
}
