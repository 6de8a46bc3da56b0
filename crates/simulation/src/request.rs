//! Requests as values, and their way through the shop's router.

use axum::Router;
use axum::body::Body;
use http::{Method, Request as HttpRequest, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

/// A request to the shop.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path below `/api/v1`.
    pub path: String,
    /// The bearer token.
    pub token: Option<String>,
    /// The `Idempotency-Key`.
    pub key: Option<String>,
    /// A further header.
    pub header: Option<(&'static str, String)>,
    /// The body.
    pub body: Option<Value>,
}

/// The shop's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its body, or null.
    pub body: Value,
}

impl Request {
    /// A request without anything.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), token: None, key: None, header: None, body: None }
    }

    /// `POST` with a body.
    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self::new(Method::POST, path).with(body)
    }

    /// `PUT` with a body.
    pub fn put(path: impl Into<String>, body: Value) -> Self {
        Self::new(Method::PUT, path).with(body)
    }

    /// The same with a body.
    #[must_use]
    pub fn with(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// The same on behalf of whoever has this token.
    #[must_use]
    pub fn by(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// The same under an idempotency key.
    #[must_use]
    pub fn keyed(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.header = Some((name, value.into()));
        self
    }

    /// Sends it through the router.
    pub async fn send(self, app: Router) -> Answer {
        let mut request =
            HttpRequest::builder().method(self.method).uri(format!("/api/v1{}", self.path));
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(key) = &self.key {
            request = request.header("idempotency-key", key);
        }
        if let Some((name, value)) = &self.header {
            request = request.header(*name, value);
        }
        let body = match &self.body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        let Ok(request) = request.body(body) else { return Answer::unsent() };
        // The router cannot fail: its error has no value.
        let Ok(response) = app.oneshot(request).await;
        let status = response.status();
        let Ok(collected) = response.into_body().collect().await else { return Answer::unsent() };
        let body = serde_json::from_slice(&collected.to_bytes()).unwrap_or(Value::Null);
        Answer { status, body }
    }
}

impl Answer {
    fn unsent() -> Self {
        Self { status: StatusCode::BAD_REQUEST, body: Value::Null }
    }

    /// Whether it is a success.
    pub fn is_ok(&self) -> bool {
        self.status.is_success()
    }

    /// Whether nobody knows what came of it, or the shop was not there: to be sent again.
    pub fn is_unsure(&self) -> bool {
        self.status.is_server_error()
    }

    /// A text in the body.
    pub fn text(&self, pointer: &str) -> Option<&str> {
        self.body.pointer(pointer).and_then(Value::as_str)
    }

    /// A number in the body.
    pub fn number(&self, pointer: &str) -> Option<i64> {
        self.body.pointer(pointer).and_then(Value::as_i64)
    }

    /// The problem's code: the end of its type.
    pub fn problem(&self) -> Option<&str> {
        self.text("/type").and_then(|kind| kind.rsplit('/').next())
    }
}
