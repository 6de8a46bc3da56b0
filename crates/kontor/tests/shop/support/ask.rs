//! Requests to the shop, and what it answers. They go through the whole public router, without a
//! socket.

use axum::body::{Body, to_bytes};
use axum::response::Response;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::Value;
use tower::ServiceExt;

use super::world::{PATIENCE, World};

/// A request.
pub struct Ask<'a> {
    world: &'a World,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

/// What came back, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl World {
    /// A request to a path below `/api/v1`, or to another one that says so itself.
    pub fn ask(&self, method: Method, path: &str) -> Ask<'_> {
        let is_whole = path.starts_with("/api") || path.starts_with("http") || path == "/";
        let path = if is_whole { path.to_owned() } else { format!("/api/v1{path}") };
        Ask { world: self, method, path, headers: Vec::new(), body: String::new() }
    }

    /// A request for a page.
    pub fn page(&self, path: &str) -> Ask<'_> {
        Ask { path: path.to_owned(), ..self.ask(Method::GET, path) }
    }

    /// A form for a page.
    pub fn submit(&self, path: &str) -> Ask<'_> {
        Ask { path: path.to_owned(), ..self.ask(Method::POST, path) }
    }

    pub fn get(&self, path: &str) -> Ask<'_> {
        self.ask(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> Ask<'_> {
        self.ask(Method::POST, path)
    }

    pub fn put(&self, path: &str) -> Ask<'_> {
        self.ask(Method::PUT, path)
    }

    pub fn patch(&self, path: &str) -> Ask<'_> {
        self.ask(Method::PATCH, path)
    }
}

impl Ask<'_> {
    /// Shows a guest's token.
    pub fn guest(self, token: &str) -> Self {
        self.header(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    /// Shows the token of a member of staff: `admin`, `support`, `warehouse` or `catalogue`.
    pub fn staff(self, name: &str) -> Self {
        self.header(AUTHORIZATION.as_str(), &format!("Bearer kst_test_{name}"))
    }

    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// A key that nobody has used.
    pub fn fresh_key(self) -> Self {
        let key = self.world.shop.ids.uuid().to_string();
        self.key(&key)
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn json(self, body: Value) -> Self {
        self.header(CONTENT_TYPE.as_str(), "application/json").text(body.to_string())
    }

    /// A body, word for word.
    pub fn text(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }

    /// The answer's head; its body is still to come.
    pub async fn begin(self) -> Response {
        let mut request = Request::builder().method(self.method).uri(self.path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Body::from(self.body)).unwrap();
        let answered = self.world.app.clone().oneshot(request);
        tokio::time::timeout(PATIENCE, answered).await.expect("no answer").unwrap()
    }

    pub async fn send(self) -> Answer {
        let (head, body) = self.begin().await.into_parts();
        let body = tokio::time::timeout(PATIENCE, to_bytes(body, usize::MAX)).await;
        let text = String::from_utf8(body.expect("no end").unwrap().to_vec()).unwrap();
        Answer { status: head.status, headers: head.headers, text }
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body, which must have come with this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.json()
    }

    /// The status and the code of a problem; `200 `, if all is well.
    pub fn problem(&self) -> String {
        let document: Value = serde_json::from_str(&self.text).unwrap_or_default();
        let code = document["type"].as_str().and_then(|kind| kind.strip_prefix("/problems/"));
        format!("{} {}", self.status.as_u16(), code.unwrap_or_default())
    }

    /// Where a problem of validation is.
    pub fn pointer(&self) -> String {
        self.json()["errors"][0]["pointer"].as_str().unwrap_or_default().to_owned()
    }
}
