//! What shoppers are told of how much can be had, kept in memory and shared with the other instances.
//!
//! **Architecture Invariant.** Nothing is decided by it: whoever holds goods reads the shelves in the
//! transaction that holds them, and staff are answered from the database.
//!
//! What staff does to shelves shows with its commit. What orders take, many times a second, shows with
//! the announcement that collects it (`stock.changed`): else nothing would be kept while goods sell.

use std::time::Duration;

use axum::body::Bytes;
use contracts::Sku;
use platform::cache::{Before, Cache, CacheLimits};
use platform::db::Tx;
use platform::redis::Redis;

use crate::config::Config;

/// What is kept. Clones keep the same.
#[derive(Debug, Clone)]
pub(crate) struct Availability(Cache);

impl Availability {
    /// Nothing yet.
    pub(crate) fn new(config: &Config, redis: Option<Redis>) -> Self {
        let ttl = Duration::from_millis(config.cache_ttl_ms);
        let limits = CacheLimits { bytes: config.cache_bytes, ttl };
        Self(Cache::new("availability", limits, redis))
    }

    /// What is said of a unit, if it is kept and nothing has changed since.
    ///
    /// # Errors
    /// What to show to [`Availability::keep`] with what is read now.
    pub(crate) async fn get(&self, sku: &Sku) -> Result<Bytes, Before> {
        self.0.get(sku.as_str()).await
    }

    /// Keeps what was read after `before`.
    pub(crate) fn keep(&self, sku: &Sku, before: Before, told: Bytes) {
        self.0.keep(sku.as_str(), before, told);
    }

    /// Nothing of it is told any more once `tx` is committed.
    pub(crate) fn outdated_by(&self, tx: &mut Tx<'_>) {
        tx.outdates(&self.0);
    }
}
