//! Ten thousand clients who leave in the middle of what they asked for, and what they leave behind:
//! nothing.

use std::net::SocketAddr;
use std::time::Duration;

use contracts::Source;
use futures_util::{StreamExt, stream};
use http::Method;
use platform::clock::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::apart::{Apart, Ears};
use crate::support::program::STAFF;
use crate::support::world::PATIENCE;

const CLIENTS: usize = 10_000;
const AT_ONCE: usize = 64;

/// One of them. When they leave depends on their number.
async fn leave(gateway: SocketAddr, number: usize) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(gateway).await?;
    stream.set_nodelay(true)?;
    let list =
        format!("GET /api/v1/products?limit={} HTTP/1.1\r\nhost: x\r\n\r\n", 1 + number % 50);
    let cart = r#"{"language": "de"}"#;
    let post = |path: &str, kind: &str, length: usize| {
        format!(
            "POST /api/v1/{path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {STAFF}\r\n\
             content-type: {kind}\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let said = match number % 5 {
        // In the middle of the head.
        0 => list[..list.len() / 2].to_owned(),
        // Before the answer, to something that is read or written.
        1 | 2 => list,
        3 => post("carts", "application/json", cart.len()) + cart,
        // In the middle of the body.
        _ => post("products/import", "application/x-ndjson", 100_000) + &"x".repeat(5_000),
    };
    stream.write_all(said.as_bytes()).await?;
    if number % 5 == 2 {
        // In the middle of the answer.
        let mut first = [0; 64];
        stream.read_exact(&mut first).await?;
    }
    Ok(())
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_clients_who_leave_in_the_middle_leave_nothing_behind() {
    let apart = Apart::new(1).await;
    let parts = [
        apart.start(Source::Catalogue, 0).await,
        apart.start(Source::Order, 0).await,
        apart.start_gateway().await,
    ];
    assert_eq!(apart.import(&["A", "B", "C"]).await["created"], 3);
    let all = stream::iter(0..CLIENTS).map(|number| leave(apart.gateway.public, number));
    let left = all.buffer_unordered(AT_ONCE).filter(|left| std::future::ready(left.is_ok()));
    let left =
        tokio::time::timeout(6 * PATIENCE, left.count()).await.expect("they do not get through");
    assert!(left > CLIENTS * 9 / 10, "only {left} got as far as leaving");

    until_alone(apart.gateway, "the gateway").await;
    for service in [Source::Catalogue, Source::Order] {
        until_alone(apart.instances[&service][0], service.name()).await;
    }
    let stuck = "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE $1 \
                 AND xact_start < clock_timestamp() - interval '2 seconds'";
    assert_eq!(apart.count(stuck).await, 0, "a transaction was left open");
    let answer = apart.client().await.send(Method::GET, "/api/v1/products", &[], "").await.unwrap();
    assert_eq!(answer.expect(200)["items"].as_array().unwrap().len(), 3);
    for part in parts {
        assert_eq!(part.stop().await.code(), Some(0), "{}", apart.log());
    }
}
