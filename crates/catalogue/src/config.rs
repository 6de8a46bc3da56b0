//! What can be set: how much of the catalogue is kept in memory, and for how long.

use serde::{Deserialize, Serialize};

/// The configuration of the catalogue service.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many bytes of written-out documents are kept in memory; 0 keeps none.
    pub cache_bytes: u64,
    /// How long a document is kept, in milliseconds. A change made by this process shows at once;
    /// one made by another instance shows when this is over, or with `redis` within a tenth of a second.
    pub cache_ttl_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { cache_bytes: 32 * 1024 * 1024, cache_ttl_ms: 5_000 }
    }
}
