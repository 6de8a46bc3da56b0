//! What a client is told when something goes wrong: RFC 9457 problem documents.
//!
//! A problem never carries its cause: what the client may know is in `detail`, the rest is
//! logged. The trace id is added by the edge, which alone knows it.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::{PartialSchema, ToSchema};

use crate::db;

/// The media type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// A problem: a status, a code that programs can rely on, and a sentence for people.
///
/// Each code has a page under `docs/problems/`.
#[derive(Clone)]
pub struct Problem(Arc<Content>);

/// One field that is wrong, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldFault {
    /// Where in the request: a JSON pointer into the body, or `/` and the name of a query parameter.
    #[schema(examples("/lines/0/quantity"))]
    pub pointer: String,
    /// What is wrong with it.
    #[schema(examples("must be at least 1"))]
    pub detail: String,
}

#[derive(Clone)]
struct Content {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    errors: Vec<FieldFault>,
    members: Vec<(&'static str, Value)>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem with this status and code; `detail` says to the client what happened.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        let (errors, members, headers) = (Vec::new(), Vec::new(), Vec::new());
        Self(Arc::new(Content { status, code, detail: detail.into(), errors, members, headers }))
    }

    /// 404 for what is missing and, word for word the same, for what is not the asker's.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is nothing here that you may see.")
    }

    /// 400 for a request that cannot be read at all.
    pub fn malformed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", detail)
    }

    /// 422 for a field with a value it cannot have.
    pub fn validation(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "validation-failed",
            "The request can be read, but not all of its values can be accepted.",
        )
        .and(pointer, detail)
    }

    /// 422 for a field that this operation does not take.
    pub fn unknown_field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "unknown-field",
            "The request has a field that this operation does not take.",
        )
        .and(pointer, detail)
    }

    /// 500 for a fault of ours: `error` and what caused it are logged, and not told.
    pub fn internal(error: &dyn Error) -> Self {
        tracing::error!(error = %Chain(error), "a request failed");
        Self::internal_unlogged()
    }

    /// 500 for a fault that has already been logged.
    pub(super) fn internal_unlogged() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something failed here. It has been noted under the trace id.",
        )
    }

    /// 503 for what should work again after about `retry_after`.
    pub fn unavailable(retry_after: Duration) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "This cannot be done right now. Try again a little later.",
        )
        .retry_after(retry_after)
    }

    /// 503 for more than can be worked on at once.
    pub fn overloaded() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "overloaded",
            "There is more to do right now than can be done. Try again a little later.",
        )
        .retry_after(Duration::from_secs(1))
    }

    /// The same problem with one more wrong field.
    #[must_use]
    pub fn and(mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let fault = FieldFault { pointer: pointer.into(), detail: detail.into() };
        Arc::make_mut(&mut self.0).errors.push(fault);
        self
    }

    /// The same problem with a member of its own, such as the new total.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).unwrap_or(Value::Null);
        Arc::make_mut(&mut self.0).members.push((key, value));
        self
    }

    /// The same problem with a response header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        Arc::make_mut(&mut self.0).headers.push((name, value));
        self
    }

    /// The same problem with `Retry-After`, in whole seconds, rounded up, at least one.
    #[must_use]
    pub fn retry_after(self, span: Duration) -> Self {
        let seconds = span.as_secs().saturating_add(u64::from(span.subsec_nanos() > 0));
        self.header(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)))
    }

    /// Its HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// Its code, the last part of its `type`.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// What it says to the client.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Which fields are wrong.
    pub fn errors(&self) -> &[FieldFault] {
        &self.0.errors
    }

    /// The document, under the trace id of the request if it is known, as it is sent.
    pub(super) fn render(&self, trace_id: Option<u128>) -> Vec<u8> {
        self.document(trace_id).to_string().into_bytes()
    }

    /// The document, under the trace id of the request if it is known.
    pub fn document(&self, trace_id: Option<u128>) -> Value {
        let content = &*self.0;
        let mut document = Map::new();
        document.insert("type".into(), format!("/problems/{}", content.code).into());
        document.insert("title".into(), title(content.code).into());
        document.insert("status".into(), content.status.as_u16().into());
        document.insert("detail".into(), content.detail.as_ref().into());
        if !content.errors.is_empty() {
            let errors = serde_json::to_value(&content.errors).unwrap_or_default();
            document.insert("errors".into(), errors);
        }
        for (key, value) in &content.members {
            document.insert((*key).into(), value.clone());
        }
        if let Some(trace_id) = trace_id {
            document.insert("trace_id".into(), format!("{trace_id:032x}").into());
        }
        Value::Object(document)
    }
}

/// `price-changed` as people write it: `Price changed`.
fn title(code: &str) -> String {
    let mut title = code.replace('-', " ");
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    title
}

/// An error and what caused it, in one line, for the log.
struct Chain<'a>(&'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = &*self.0;
        write!(f, "{} {}: {} {:?}", content.status, content.code, content.detail, content.errors)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.detail)
    }
}

impl Error for Problem {}

/// A database that is away, busy or full is there again before long; anything else is a fault of ours.
impl From<db::Error> for Problem {
    fn from(error: db::Error) -> Self {
        if !error.is_environment() {
            return Self::internal(&error);
        }
        tracing::warn!(error = %Chain(&error), "the database is away");
        Self::unavailable(Duration::from_secs(1))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.render(None)));
        *response.status_mut() = self.0.status;
        for (name, value) in &self.0.headers {
            response.headers_mut().append(name.clone(), value.clone());
        }
        let kind = HeaderValue::from_static(PROBLEM_JSON);
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        // The edge finds it here and renders it again, with the trace id.
        response.extensions_mut().insert(self);
        response
    }
}

/// The shape of a problem, for the OpenAPI document.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Shape {
    /// Names the problem, and is the path of a page about it.
    #[schema(examples("/problems/validation-failed"))]
    r#type: String,
    /// The problem in a few words.
    title: String,
    /// The HTTP status, again.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What happened, in a sentence.
    detail: String,
    /// Which fields are wrong, where that is the problem.
    #[schema(nullable = false)]
    errors: Option<Vec<FieldFault>>,
    /// Under which trace it is in the logs.
    #[schema(nullable = false)]
    trace_id: Option<String>,
}

impl PartialSchema for Problem {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        Shape::schema()
    }
}

impl ToSchema for Problem {
    fn name() -> Cow<'static, str> {
        "Problem".into()
    }

    fn schemas(
        schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>)>,
    ) {
        Shape::schemas(schemas);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn a_problem_says_what_happened_and_where() {
        let problem = Problem::validation("/lines/0/quantity", "must be at least 1")
            .and("/email", "is not an address")
            .with("attempts", 3);
        let document: Value = serde_json::from_slice(&problem.render(Some(0xabc))).unwrap();
        assert_eq!(
            document,
            serde_json::json!({
                "type": "/problems/validation-failed",
                "title": "Validation failed",
                "status": 422,
                "detail": "The request can be read, but not all of its values can be accepted.",
                "errors": [
                    {"pointer": "/lines/0/quantity", "detail": "must be at least 1"},
                    {"pointer": "/email", "detail": "is not an address"},
                ],
                "attempts": 3,
                "trace_id": "00000000000000000000000000000abc",
            })
        );
    }

    #[test]
    fn a_fault_of_ours_is_not_told_to_the_client_but_logged_with_its_cause() {
        let fault = Outer(std::io::Error::other("password hunter2 at db.internal"));
        assert_eq!(Chain(&fault).to_string(), "outer: password hunter2 at db.internal");
        let told = String::from_utf8(Problem::internal(&fault).render(None)).unwrap();
        assert!(!told.contains("hunter2") && !told.contains("outer"), "{told}");
    }
}
