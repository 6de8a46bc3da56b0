//! How often one client may change something.
//!
//! Reading is not limited: it is answered from caches, and shed when it is too much. Nor is who has no
//! address: that is somebody in this process.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::Request;
use http::{Method, StatusCode};

use super::origin::{Network, Peer, household, origin};
use super::problem::Problem;
use crate::rates::Rates;

/// The limit of a public listener.
#[derive(Debug)]
pub struct WriteLimit {
    rates: Rates,
    trusted_proxies: Vec<Network>,
    free: &'static str,
    proxy_was_told_of: AtomicBool,
}

impl WriteLimit {
    /// A limit of these rates for each client. Who asks is said by the peer, or by proxies if they are
    /// trusted. What is below the path `free` is not limited.
    pub fn new(rates: Rates, trusted_proxies: Vec<Network>, free: &'static str) -> Self {
        Self { rates, trusted_proxies, free, proxy_was_told_of: AtomicBool::new(false) }
    }

    /// Whose request it is, if it counts.
    pub(super) fn counts(&self, request: &Request) -> Option<IpAddr> {
        if !changes_something(request.method()) || request.uri().path().starts_with(self.free) {
            return None;
        }
        let peer = *request.extensions().get::<Peer>()?;
        let origin = origin(peer, request.headers(), &self.trusted_proxies);
        if origin == peer.0.to_canonical() && request.headers().contains_key("x-forwarded-for") {
            self.tell_of_proxy(origin);
        }
        Some(household(origin))
    }

    /// Takes one try of this client, or says why not.
    pub(super) async fn take(&self, client: IpAddr) -> Result<(), Problem> {
        self.rates.take(&client.to_string()).await.map_err(|wait| {
            metrics::counter!("http_rate_limited_total").increment(1);
            let detail = "There were too many requests that change something from where this one comes from.";
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate-limited", detail).retry_after(wait)
        })
    }

    /// All shoppers behind a proxy that nobody trusts are one client: whoever runs it should know.
    fn tell_of_proxy(&self, peer: IpAddr) {
        if !self.proxy_was_told_of.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                %peer,
                "requests with X-Forwarded-For come from somebody who is not in http.trusted_proxies, and count as \
                 those of one client: if it is a proxy of yours, name it there"
            );
        }
    }
}

fn changes_something(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH | Method::DELETE)
}
