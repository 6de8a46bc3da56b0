//! How much is asked of a service, and how long it is waited for.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a service is asked over HTTP. Each number is for one service as one process asks it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientLimits {
    /// How long until an answer begins, in milliseconds, where the route says nothing else; a little more
    /// than the service's own `http.limits.deadline_ms`. What `Prefer: wait=N` asks for comes on top: 504.
    pub deadline_ms: u64,
    /// How long until a connection stands, in milliseconds.
    pub connect_ms: u64,
    /// How long an answer may pause once it has begun, in milliseconds; streams of events say something
    /// every 15 seconds.
    pub pause_ms: u64,
    /// How many requests are under way at once; more are turned away: 503.
    pub in_flight: usize,
    /// How many streams of events are open at once; more are turned away: 503.
    pub streams: usize,
    /// How many connections to one address are kept open for the next request.
    pub idle_connections: usize,
    /// How long they are kept, in milliseconds: less than the service's `http.limits.idle_ms`.
    pub idle_ms: u64,
    /// How often a request is repeated at most, if it may be repeated.
    pub retries: usize,
    /// How many requests in a row an address fails before it is left alone.
    pub failures: u32,
    /// How long an address is left alone before one request tries it, in milliseconds.
    pub left_alone_ms: u64,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            deadline_ms: 31_000,
            connect_ms: 1_000,
            pause_ms: 45_000,
            in_flight: 1_024,
            streams: 4_096,
            idle_connections: 64,
            idle_ms: 20_000,
            retries: 2,
            failures: 5,
            left_alone_ms: 1_000,
        }
    }
}

impl ClientLimits {
    /// How long until an answer begins, where nothing else is said.
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }
}
