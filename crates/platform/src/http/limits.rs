//! How much a request, a connection and a process may take.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::Request;
use serde::{Deserialize, Serialize};
use tower::{Layer, Service};

use super::context::Arrival;

/// How much is taken from clients. Each limit has an answer of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The largest body in bytes, counted after decompression: 413.
    pub body_bytes: u64,
    /// The longest header section in bytes, names and values together: 431.
    pub header_bytes: usize,
    /// The longest path and query in bytes: 414.
    pub uri_bytes: usize,
    /// How long the head of a request may take to come in, in milliseconds.
    pub header_read_ms: u64,
    /// How long a body may take to come in, in milliseconds, and a second more for every 16 KiB: 408.
    pub body_read_ms: u64,
    /// How long a connection may stay without a byte moving, in milliseconds.
    pub idle_ms: u64,
    /// How long a request may take until its answer begins, in milliseconds: 503.
    pub deadline_ms: u64,
    /// How many connections are open at once; more wait to be accepted.
    pub connections: usize,
    /// How many requests are worked on at once; more are turned away: 503.
    pub in_flight: usize,
    /// How many requests that change something one client may send in a minute (POST, PUT, PATCH, DELETE), a
    /// quarter of them at once; more are refused: 429. A client is an address, of IPv6 a network of 64 bits.
    /// 0: any number. Services behind a gateway leave it to the gateway.
    pub writes_per_minute: u32,
    /// How long a stopping server waits for the answers it still owes, in milliseconds.
    pub drain_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1024 * 1024,
            header_bytes: 32 * 1024,
            uri_bytes: 16 * 1024,
            header_read_ms: 10_000,
            body_read_ms: 10_000,
            idle_ms: 60_000,
            deadline_ms: 30_000,
            connections: 8_192,
            in_flight: 2_048,
            writes_per_minute: 600,
            drain_ms: 10_000,
        }
    }
}

/// What one route allows instead.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    /// The largest body in bytes, counted after decompression.
    pub body_bytes: u64,
    /// How long until the answer begins.
    pub deadline: Duration,
}

/// A route layer that sets other limits than the usual ones.
pub fn allow(allowance: Allowance) -> Allow {
    Allow(allowance)
}

/// See [`allow`].
#[derive(Debug, Clone, Copy)]
pub struct Allow(Allowance);

impl<S> Layer<S> for Allow {
    type Service = Allowed<S>;

    fn layer(&self, inner: S) -> Allowed<S> {
        Allowed { inner, allowance: self.0 }
    }
}

/// A route with limits of its own; see [`allow`].
#[derive(Debug, Clone)]
pub struct Allowed<S> {
    inner: S,
    allowance: Allowance,
}

impl<S: Service<Request>> Service<Request> for Allowed<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> S::Future {
        if let Some(arrival) = request.extensions().get::<Arc<Arrival>>() {
            arrival.allow(self.allowance);
        }
        self.inner.call(request)
    }
}
