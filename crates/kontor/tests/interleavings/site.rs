//! A service's HTTP side, as one of its instances answers.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderName, Request, header};
use platform::db::Db;
use platform::http::{HttpContext, Limits};
use platform::tasks::CancellationToken;
use serde_json::Value;
use tower::ServiceExt;

/// A request.
#[derive(Debug, Clone)]
pub struct Ask {
    request: Vec<(HeaderName, String)>,
    method: &'static str,
    path: String,
    body: String,
}

/// The status and the document that came back.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub json: Value,
}

impl Ask {
    pub fn new(method: &'static str, path: impl Into<String>, body: &Value) -> Self {
        let json = (header::CONTENT_TYPE, "application/json".to_owned());
        Self { request: vec![json], method, path: path.into(), body: body.to_string() }
    }

    /// Shows a token.
    pub fn token(self, token: &str) -> Self {
        self.with(header::AUTHORIZATION, format!("Bearer {token}"))
    }

    /// Names the request.
    pub fn key(self, key: &str) -> Self {
        self.with(HeaderName::from_static("idempotency-key"), key.to_owned())
    }

    /// Adds a header.
    pub fn with(mut self, name: HeaderName, value: String) -> Self {
        self.request.push((name, value));
        self
    }

    /// Asks the instance that serves these routes on `db`.
    pub async fn send(self, routes: Router, db: &Db) -> Answer {
        let mut request = Request::builder().method(self.method).uri(self.path);
        for (name, value) in self.request {
            request = request.header(name, value);
        }
        let settings = HttpContext::test_settings(Limits::default());
        let (ids, clock) = (db.ids().clone(), db.clock().clone());
        let context = HttpContext::new(settings, ids, clock, CancellationToken::new());
        let app = platform::http::app(routes, context);
        let answer = app.oneshot(request.body(Body::from(self.body)).unwrap()).await.unwrap();
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        Answer { status, json: serde_json::from_slice(&body).unwrap_or_default() }
    }
}

impl Answer {
    /// The status and the code of a problem; nothing after the status if all is well.
    pub fn outcome(&self) -> String {
        let kind = self.json["type"].as_str().unwrap_or_default();
        format!("{} {}", self.status, kind.trim_start_matches("/problems/")).trim().to_owned()
    }
}
