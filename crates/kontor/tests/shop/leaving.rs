//! Ten thousand clients who leave in the middle of what they asked for, and what they leave behind:
//! nothing but the orders they placed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use contracts::Source;
use futures_util::{StreamExt, stream};
use http::Method;
use platform::clock::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::apart::{Cart, cart, order};
use crate::support::apart::{Apart, Ears, clerk};
use crate::support::program::{Running, STAFF};
use crate::support::world::PATIENCE;

const CLIENTS: usize = 10_000;
const AT_ONCE: usize = 64;
/// Several leave while they order the same cart, some of them at once.
const CARTS: usize = 400;
/// At most eight may follow an order at once, and [`AT_ONCE`] are there at once.
const ORDERS: usize = 40;
/// Connections that a pool had no need of before.
const A_FEW_FILES: usize = 8;

/// In the middle of what they leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Leaving {
    Head,
    Reading,
    Answer,
    Writing,
    Import,
    /// Of the request that places an order, after any of its bytes.
    PlacingCut,
    /// At any time after it was sent.
    Placing,
    /// The same, of somebody who prefers to wait for an order that does not settle.
    Waiting,
    /// Of following an order, at any time: before the stream has begun or later.
    Following,
    /// After the first news.
    News,
}

const LEAVING: [Leaving; 10] = [
    Leaving::Head,
    Leaving::Reading,
    Leaving::Answer,
    Leaving::Writing,
    Leaving::Import,
    Leaving::PlacingCut,
    Leaving::Placing,
    Leaving::Waiting,
    Leaving::Following,
    Leaving::News,
];

/// What they ask for.
struct Asked {
    gateway: SocketAddr,
    carts: Vec<Cart>,
    /// Orders and the tokens that open them.
    orders: Vec<(String, String)>,
}

impl Asked {
    /// What one of them has to say.
    fn request(&self, leaving: Leaving, turn: usize) -> String {
        let post = |path: &str, token: &str, more: &str, body: &str| {
            let length = body.len();
            format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n{more}\
                 content-length: {length}\r\n\r\n{body}"
            )
        };
        let place = |prefer: &str| {
            let Cart { path, token, agreement } = &self.carts[turn % CARTS];
            let key = format!("idempotency-key: {leaving:?}-{turn}");
            let more = format!("content-type: application/json\r\n{key}\r\n{prefer}");
            post(path, token, &more, agreement)
        };
        match leaving {
            Leaving::Head | Leaving::Reading | Leaving::Answer => {
                let limit = 1 + turn % 50;
                format!("GET /api/v1/products?limit={limit} HTTP/1.1\r\nhost: x\r\n\r\n")
            }
            Leaving::Writing => {
                let more = "content-type: application/json\r\n";
                post("/api/v1/carts", STAFF, more, r#"{"language": "de"}"#)
            }
            Leaving::Import => {
                let more = "content-type: application/x-ndjson\r\n";
                post("/api/v1/products/import", STAFF, more, &"x".repeat(100_000))
            }
            Leaving::PlacingCut | Leaving::Placing => place(""),
            Leaving::Waiting => place("prefer: wait=20\r\n"),
            Leaving::Following | Leaving::News => {
                let (order, token) = &self.orders[turn % ORDERS];
                format!(
                    "GET /api/v1/orders/{order}/events HTTP/1.1\r\nhost: x\r\n\
                     authorization: Bearer {token}\r\n\r\n"
                )
            }
        }
    }

    /// One of them; answers what they left, if they got as far as that.
    async fn leave(&self, number: usize) -> Option<Leaving> {
        let leaving = LEAVING[number % LEAVING.len()];
        let turn = number / LEAVING.len();
        let left = tokio::time::timeout(PATIENCE, self.say_and_go(leaving, turn)).await;
        left.ok()?.ok()?.then_some(leaving)
    }

    async fn say_and_go(&self, leaving: Leaving, turn: usize) -> std::io::Result<bool> {
        let request = self.request(leaving, turn);
        let said = match leaving {
            Leaving::Head => request.len() / 2,
            Leaving::Import => 5_000,
            Leaving::PlacingCut => 1 + anywhere(turn, request.len() - 1),
            Leaving::Reading
            | Leaving::Answer
            | Leaving::Writing
            | Leaving::Placing
            | Leaving::Waiting
            | Leaving::Following
            | Leaving::News => request.len(),
        };
        let mut stream = TcpStream::connect(self.gateway).await?;
        stream.set_nodelay(true)?;
        stream.write_all(&request.as_bytes()[..said]).await?;
        match leaving {
            Leaving::Head
            | Leaving::Reading
            | Leaving::Writing
            | Leaving::Import
            | Leaving::PlacingCut => Ok(true),
            Leaving::Answer => {
                let mut first = [0; 64];
                stream.read_exact(&mut first).await?;
                Ok(first.starts_with(b"HTTP/1.1 200 "))
            }
            Leaving::Placing | Leaving::Waiting | Leaving::Following => {
                let wait = Duration::from_micros(anywhere(turn, 100_000).try_into().unwrap());
                Clock::system().sleep(wait).await;
                Ok(true)
            }
            Leaving::News => {
                let mut read = Vec::new();
                while !String::from_utf8_lossy(&read).contains("event: order.placed.v1") {
                    if stream.read_buf(&mut read).await? == 0 {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }
}

/// One of so many places, another one each turn, spread as evenly as may be.
fn anywhere(turn: usize, places: usize) -> usize {
    turn * 7_919 % places
}

/// Waits until all that is connected to a process is who asks for the figure.
async fn until_alone(ears: Ears, what: &str) {
    let alone = async {
        while ears.figure("http_connections").await != Some(1) {
            Clock::system().sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, alone).await.unwrap_or_else(|_| panic!("{what} is not alone"));
}

/// Waits until a process has hardly more files open than it had.
async fn until_closed(process: &Running, before: usize) {
    let closed = async {
        while process.open_files() > before + A_FEW_FILES {
            Clock::system().sleep(Duration::from_millis(20)).await;
        }
    };
    let is_closed = tokio::time::timeout(PATIENCE, closed).await.is_ok();
    assert!(is_closed, "{} files are open, of {before} before", process.open_files());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_clients_who_leave_in_the_middle_leave_nothing_behind() {
    let apart = Apart::new(1).await;
    // Without a warehouse orders do not settle: who waits for that, waits.
    let parts = [
        apart.start(Source::Catalogue, 0).await,
        apart.start(Source::Order, 0).await,
        apart.start_gateway().await,
    ];
    assert_eq!(apart.import(&["A", "B", "C"]).await["created"], 3);
    let mut asked = Asked { gateway: apart.gateway.public, carts: Vec::new(), orders: Vec::new() };
    for _ in 0..CARTS {
        asked.carts.push(cart(&apart, "A").await);
    }
    for _ in 0..ORDERS {
        asked.orders.push(order(&apart, "A").await);
    }
    let files = parts.each_ref().map(Running::open_files);

    let all = stream::iter(0..CLIENTS).map(|number| asked.leave(number));
    let left = all.buffer_unordered(AT_ONCE).collect::<Vec<_>>();
    let left = tokio::time::timeout(3 * PATIENCE, left).await.expect("they do not get through");
    let mut counts = BTreeMap::new();
    for leaving in left.into_iter().flatten() {
        *counts.entry(leaving).or_insert(0) += 1;
    }
    for leaving in LEAVING {
        let count = counts.get(&leaving).copied().unwrap_or(0);
        assert!(count > CLIENTS / LEAVING.len() * 9 / 10, "{leaving:?}: {counts:?}");
    }

    until_alone(apart.gateway, "the gateway").await;
    for service in [Source::Catalogue, Source::Order] {
        until_alone(apart.instances[&service][0], service.name()).await;
    }
    for (part, before) in parts.iter().zip(files) {
        until_closed(part, before).await;
    }
    let stuck = "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE $1 \
                 AND xact_start < clock_timestamp() - interval '2 seconds'";
    assert_eq!(apart.count(stuck).await, 0, "a transaction was left open");
    let answer = apart.client().await.send(Method::GET, "/api/v1/products", &[], "").await.unwrap();
    assert_eq!(answer.expect(200)["items"].as_array().unwrap().len(), 3);

    // What they ordered before they left is carried out, and whoever stays is served.
    let rest = [Source::Warehouse, Source::Payment].map(|service| apart.start(service, 0));
    let rest = futures_util::future::join_all(rest).await;
    let headers = [clerk(), ("idempotency-key", "receipt-1")];
    let receipt = r#"{"items": [{"sku": "A", "quantity": 1000}]}"#;
    let path = "/api/v1/stock/receipts";
    let received = apart.client().await.send(Method::POST, path, &headers, receipt).await.unwrap();
    assert!(received.status.is_success(), "{received:?}");
    let (id, _) = order(&apart, "A").await;
    let path = format!("/api/v1/orders/{id}");
    apart.until(&path, |answer| answer.json()["status"] == "confirmed").await;
    let pending = "/api/v1/orders?status=pending&limit=1";
    apart.until(pending, |answer| answer.expect(200)["items"] == serde_json::json!([])).await;
    for part in parts.into_iter().chain(rest) {
        assert_eq!(part.stop().await.code(), Some(0), "{}", apart.log());
    }
}
