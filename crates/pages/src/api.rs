//! Asking the API on behalf of a visitor.

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use platform::http::Problem;
use platform::http::client::{self, ServiceClient};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The largest answer that is read, in bytes: a page of a list, with room to spare.
const LARGEST: usize = 4 << 20;

/// What all paths of the API begin with.
const PREFIX: &str = "/api/v1";

/// The whole API of the shop, in this process or elsewhere. Clones are the same.
#[derive(Debug, Clone)]
pub struct Api(ServiceClient);

/// Somebody on whose behalf the API is asked.
#[derive(Debug, Clone)]
pub struct Asker<'a> {
    api: &'a Api,
    /// Those of the visitor's own request: its trace, its deadline, what its answer is counted under.
    extensions: Extensions,
    token: Option<HeaderValue>,
}

/// What the API answered, and that it did what was asked.
#[derive(Debug)]
pub struct Answer {
    /// With which status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, null if there is none.
    pub body: Value,
}

/// Why the API did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the API answered {status}: {code}")]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// The last part of the problem's type, such as `price-changed`.
    pub code: String,
    /// The problem, as it came.
    pub problem: Value,
}

impl Api {
    /// The API that `client` reaches.
    pub fn new(client: ServiceClient) -> Self {
        Self(client)
    }

    /// Asks on behalf of whoever sent a request with these `extensions`.
    pub fn on_behalf_of(&self, extensions: &Extensions) -> Asker<'_> {
        Asker { api: self, extensions: client::on_behalf_of(extensions), token: None }
    }
}

impl Asker<'_> {
    /// The same, with a token to show.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = HeaderValue::try_from(format!("Bearer {token}")).ok();
        if let Some(token) = &mut self.token {
            token.set_sensitive(true);
        }
        self
    }

    /// What is at a path below `/api/v1`, query included.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn get(&self, path: &str) -> Result<Answer, Refusal> {
        self.ask(Method::GET, path, &[], None::<&()>).await
    }

    /// What is at a path, read as `T`.
    ///
    /// # Errors
    /// When it is refused, or is not a `T`.
    pub async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, Refusal> {
        let answer = self.get(path).await?;
        serde_json::from_value(answer.body).map_err(|error| Refusal::ours(&error))
    }

    /// Sends `body` to a path, with headers such as `Idempotency-Key` besides.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(HeaderName, &str)],
        body: &impl Serialize,
    ) -> Result<Answer, Refusal> {
        self.ask(method, path, headers, Some(body)).await
    }

    /// Deletes what is at a path.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn delete(&self, path: &str) -> Result<Answer, Refusal> {
        self.ask(Method::DELETE, path, &[], None::<&()>).await
    }

    /// What is at a path, as it comes: for what is handed on and not read.
    pub async fn stream(&self, path: &str) -> Response {
        match self.request(Method::GET, path, &[], Body::empty()) {
            Ok(request) => {
                self.api.0.ask(request).await.unwrap_or_else(IntoResponse::into_response)
            }
            Err(error) => Problem::internal(&error).into_response(),
        }
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(HeaderName, &str)],
        body: Option<&impl Serialize>,
    ) -> Result<Answer, Refusal> {
        let content = match body {
            Some(body) => {
                Body::from(serde_json::to_vec(body).map_err(|error| Refusal::ours(&error))?)
            }
            None => Body::empty(),
        };
        let request = self.request(method, path, headers, content);
        let request = request.map_err(|error| Refusal::ours(&error))?;
        let answer = self.api.0.ask(request).await.map_err(|why| Refusal::ours(&why))?;
        let (head, body) = answer.into_parts();
        let read = Limited::new(body, LARGEST).collect().await;
        let bytes = read.map_err(|error| Refusal::ours(error.as_ref()))?.to_bytes();
        let body = match bytes.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&bytes).map_err(|error| Refusal::ours(&error))?,
        };
        if head.status.is_success() {
            return Ok(Answer { status: head.status, headers: head.headers, body });
        }
        Err(Refusal::of(head.status, body))
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(HeaderName, &str)],
        body: Body,
    ) -> Result<Request, http::Error> {
        let mut request = Request::builder().method(method).uri(format!("{PREFIX}{path}"));
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, token);
        }
        if !body.is_end_stream() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let mut request = request.body(body)?;
        *request.extensions_mut() = self.extensions.clone();
        Ok(request)
    }
}

impl Refusal {
    /// What a problem with this status says.
    pub fn of(status: StatusCode, problem: Value) -> Self {
        let kind = problem["type"].as_str().unwrap_or_default();
        let code = kind.rsplit('/').next().unwrap_or_default().to_owned();
        Self { status, code, problem }
    }

    /// A fault on this side, or nobody there: logged, and not told.
    fn ours(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::warn!(error, "a page could not ask the API");
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self { status, code: "unavailable".to_owned(), problem: Value::Null }
    }

    /// What is not there, or not this visitor's.
    pub fn not_found() -> Self {
        Self::from(Problem::not_found())
    }

    /// What is wrong with the field at a JSON pointer, if that is what is wrong.
    pub fn fault_at(&self, pointer: &str) -> Option<&str> {
        let faults = self.problem["errors"].as_array()?;
        let fault = faults.iter().find(|fault| fault["pointer"] == pointer)?;
        fault["detail"].as_str()
    }

    /// The pointers of all fields that are wrong.
    pub fn faults(&self) -> impl Iterator<Item = (&str, &str)> {
        let faults = self.problem["errors"].as_array().into_iter().flatten();
        faults.filter_map(|fault| Some((fault["pointer"].as_str()?, fault["detail"].as_str()?)))
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::of(problem.status(), problem.document(None))
    }
}
