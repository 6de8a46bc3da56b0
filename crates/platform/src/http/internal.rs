//! What operators and machines ask, on a listener of its own: alive? ready? how much?

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, StatusCode, header};
use metrics_exporter_prometheus::PrometheusHandle;

use super::extract::Json;

/// Whether a program can do its work: when all its parts can.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<&'static str, Part>>>);

/// Whether one part of a program can do its work.
#[derive(Debug, Clone, Default)]
pub struct Part(Arc<AtomicBool>);

impl Part {
    /// Says whether it can.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::SeqCst);
    }

    fn is_ready(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Readiness {
    /// A program without parts, which is ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// The part of this name, not ready until it says so.
    pub fn part(&self, name: &'static str) -> Part {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parts.entry(name).or_default().clone()
    }

    /// The parts that are not ready.
    pub fn waiting_for(&self) -> Vec<&'static str> {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parts.iter().filter(|(_, part)| !part.is_ready()).map(|(name, _)| *name).collect()
    }
}

/// `/livez`, `/readyz` and `/metrics`. Not for the public.
pub fn internal(readiness: Readiness, metrics: PrometheusHandle) -> Router {
    Router::new()
        .route("/livez", get(async || Json(serde_json::json!({ "alive": true }))))
        .route("/readyz", get(readyz).with_state(readiness))
        .route("/metrics", get(exposition).with_state(metrics))
}

async fn readyz(State(readiness): State<Readiness>) -> Response {
    let waiting = readiness.waiting_for();
    let ready = waiting.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(serde_json::json!({ "ready": ready, "waiting_for": waiting }))).into_response()
}

async fn exposition(State(metrics): State<PrometheusHandle>) -> Response {
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], metrics.render()).into_response()
}
