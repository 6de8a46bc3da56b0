//! What the tests with Redis share: the server, keys of one's own, and a way to it that can be shut.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use contracts::Timestamp;
use platform::clock::Clock;
use platform::ids::Ids;
use platform::redis::{Redis, RedisConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Where the server is.
pub fn server() -> String {
    std::env::var("REDIS_URL").expect("REDIS_URL is not set: run this by scripts/with-redis")
}

/// A shop's keys, which no other test has.
pub fn config(url: String) -> RedisConfig {
    let prefix = Ids::from_system(Clock::system()).uuid().to_string();
    RedisConfig { url, prefix, ca: None }
}

/// What time it is.
pub fn now() -> Timestamp {
    Clock::system().now()
}

/// Waits until it is so.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = now();
    while !is_so().await {
        assert!(now().since(begun) < Duration::from_secs(10), "{what}: never");
        Clock::system().sleep(Duration::from_millis(5)).await;
    }
}

/// A server that has been found.
pub async fn found(told: &RedisConfig) -> Redis {
    let redis = Redis::connect(told).unwrap();
    until("it answers", async || redis.answers()).await;
    redis
}

/// Two servers that do not answer: one that is gone, and one that takes connections and says nothing for as
/// long as the listener is held.
pub async fn absent() -> ([RedisConfig; 2], TcpListener) {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let told = [&closed, &silent].map(|listener| {
        let address = listener.local_addr().unwrap();
        config(format!("redis://{address}/0"))
    });
    (told, silent)
}

/// The same server, by a way that lets nothing through while it is shut.
pub async fn through_valve(told: &RedisConfig) -> (RedisConfig, Arc<AtomicBool>) {
    let place = told.url.rsplit('@').next().unwrap().trim_end_matches("/0").to_owned();
    let (address, open) = valve(place.clone()).await;
    let url = told.url.replace(&place, &address.to_string());
    (RedisConfig { url, ..told.clone() }, open)
}

/// Stands between a client and a server.
async fn valve(to: String) -> (SocketAddr, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, open) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(true)));
    let is_open = Arc::clone(&open);
    platform::tasks::spawn("valve", async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&to).await.unwrap();
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            let shut = Arc::clone(&is_open);
            platform::tasks::spawn("up", async move {
                let mut bytes = [0; 4096];
                while let Ok(read @ 1..) = from_client.read(&mut bytes).await {
                    while !shut.load(Ordering::SeqCst) {
                        Clock::system().sleep(Duration::from_millis(5)).await;
                    }
                    if to_server.write_all(&bytes[..read]).await.is_err() {
                        return;
                    }
                }
            });
            platform::tasks::spawn("down", async move {
                tokio::io::copy(&mut from_server, &mut to_client).await.ok();
            });
        }
    });
    (address, open)
}
