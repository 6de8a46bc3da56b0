//! A Redis server that instances share. Whatever it holds may be lost, and it may be gone, slow or
//! silent: nobody waits for it, and everything works without it.
//!
//! A request that fails, or takes longer than 50 milliseconds, closes the way to it for all until a ping
//! in the background is answered again.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, FromRedisValue, Pipeline, RedisResult, ScriptInvocation, TlsCertificates};

use crate::clock::Clock;
use crate::tasks;

/// How long a request to it may take: it saves less time than this.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long connecting or a ping may take.
const CONNECTING: Duration = Duration::from_secs(1);
/// How long between two pings of one that does not answer.
const PAUSE: Duration = Duration::from_millis(250);
/// How many requests are under way at once; more are done without.
const AT_ONCE: usize = 1024;

/// Where it is.
#[derive(Debug, Clone)]
pub struct RedisConfig {
    /// Its address, as `redis://user:password@host:port/0`; with `rediss://` it is encrypted.
    pub url: String,
    /// What every key begins with.
    pub prefix: String,
    /// The certificates that the server's must lead to, in place of those everybody trusts.
    pub ca: Option<PathBuf>,
}

/// It cannot be used as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    /// Its address is none.
    #[error("redis.url is not the address of a Redis server: {0}")]
    Address(#[source] redis::RedisError),
    /// Its certificates cannot be read.
    #[error("redis.ca: {0}: {1}")]
    Certificates(PathBuf, #[source] std::io::Error),
}

/// A Redis server. Clones share the connection.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    manager: ConnectionManager,
    prefix: String,
    answers: AtomicBool,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("prefix", &self.0.prefix).finish_non_exhaustive()
    }
}

impl Redis {
    /// The server that is told of. Connects in the background, whether or not it is there.
    ///
    /// # Errors
    /// When what is told cannot be an address, or its certificates cannot be read.
    pub fn connect(told: &RedisConfig) -> Result<Self, RedisError> {
        let client = match &told.ca {
            None => Client::open(told.url.as_str()),
            Some(ca) => {
                let pem = std::fs::read(ca)
                    .map_err(|error| RedisError::Certificates(ca.clone(), error))?;
                let trusted = TlsCertificates { client_tls: None, root_cert: Some(pem) };
                Client::build_with_tls(told.url.as_str(), trusted)
            }
        };
        // A request that got no answer is not sent again: the breaker decides when to try.
        let limits = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_max_delay(PAUSE)
            .set_connection_timeout(Some(CONNECTING))
            .set_response_timeout(Some(CONNECTING))
            .set_concurrency_limit(AT_ONCE);
        let manager = client
            .and_then(|client| ConnectionManager::new_lazy_with_config(client, limits))
            .map_err(RedisError::Address)?;
        let (prefix, answers) = (told.prefix.clone(), AtomicBool::new(false));
        let inner = Arc::new(Inner { manager, prefix, answers });
        tasks::spawn("redis", ping_until_it_answers(Arc::downgrade(&inner)));
        Ok(Self(inner))
    }

    /// A key of the shop.
    pub(crate) fn key(&self, rest: &str) -> String {
        format!("{}:{rest}", self.0.prefix)
    }

    /// Whether it is worth asking.
    pub fn answers(&self) -> bool {
        self.0.answers.load(Ordering::SeqCst)
    }

    /// Asks it, unless it does not answer: then there is nothing.
    pub(crate) async fn ask<T: FromRedisValue>(&self, what: &Pipeline) -> Option<T> {
        let mut manager = self.0.manager.clone();
        self.in_time(what.query_async(&mut manager)).await
    }

    /// Has it carry out a script, unless it does not answer: then there is nothing.
    pub(crate) async fn run<T: FromRedisValue>(&self, what: &ScriptInvocation<'_>) -> Option<T> {
        let mut manager = self.0.manager.clone();
        self.in_time(what.invoke_async(&mut manager)).await
    }

    async fn in_time<T>(&self, asked: impl Future<Output = RedisResult<T>>) -> Option<T> {
        if !self.answers() {
            return None;
        }
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(error)) => {
                self.gone(&error.to_string());
                None
            }
            Err(_) => {
                self.gone("it did not answer in time");
                None
            }
        }
    }

    /// Nobody asks it any more until it answers a ping.
    fn gone(&self, why: &str) {
        if self.0.answers.swap(false, Ordering::SeqCst) {
            metrics::gauge!("redis_reachable").set(0.0);
            tracing::warn!(why, "Redis does not answer; the shop goes on without");
            tasks::spawn("redis", ping_until_it_answers(Arc::downgrade(&self.0)));
        }
    }
}

async fn ping_until_it_answers(inner: Weak<Inner>) {
    metrics::gauge!("redis_reachable").set(0.0);
    loop {
        let Some(redis) = inner.upgrade() else { return };
        let mut manager = redis.manager.clone();
        let ping = redis::cmd("PING");
        let pinged = ping.query_async::<()>(&mut manager);
        match tokio::time::timeout(2 * CONNECTING, pinged).await {
            Ok(Ok(())) => {
                metrics::gauge!("redis_reachable").set(1.0);
                tracing::info!("Redis answers");
                redis.answers.store(true, Ordering::SeqCst);
                return;
            }
            Ok(Err(error)) => tracing::debug!(?error, "Redis does not answer"),
            Err(_) => tracing::debug!("Redis does not answer a ping in time"),
        }
        drop(redis);
        // In the server's time, which does not stand still with a virtual clock.
        Clock::system().sleep(PAUSE).await;
    }
}
