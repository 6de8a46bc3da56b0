//! The one layer around every route: limits, how often, deadline, load shedding, panics, trace, security
//! headers, counts, and the last look at an answer.
//!
//! One hand-written service in place of ten stacked ones, because every layer costs an
//! allocation for each request. What concerns connections is in [`server`](super::server).

use std::any::Any;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request};
use axum::response::{IntoResponse, Response};
use contracts::TraceParent;
use futures_util::FutureExt;
use futures_util::future::Either;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use tokio::time::Instant;
use tower::{Layer, Service};
use tower_http::decompression::{DecompressionBody, RequestDecompression};
use tracing::Instrument;

use super::body::Guarded;
use super::client::is_claim;
use super::context::{Arrival, HttpContext};
use super::problem::Problem;
use super::writes::WriteLimit;
use crate::telemetry;

/// Puts an [`Edge`] around each route.
#[derive(Debug, Clone)]
pub(super) struct EdgeLayer(pub(super) Arc<HttpContext>);

impl<S> Layer<S> for EdgeLayer {
    type Service = Edge<S>;

    fn layer(&self, inner: S) -> Edge<S> {
        Edge { inner, http: Arc::clone(&self.0) }
    }
}

/// A route with the edge around it.
#[derive(Debug, Clone)]
pub(super) struct Edge<S> {
    inner: S,
    http: Arc<HttpContext>,
}

type Answer = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

impl<S> Service<Request> for Edge<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Answer {
        let started = Instant::now();
        let method = request.method().clone();
        let route = request.extensions().get::<MatchedPath>().cloned();
        let trace = trace_of(request.headers(), &self.http);
        let arrival = Arc::new(Arrival::new(Arc::clone(&self.http), trace));
        let counted = self.http.writes().and_then(|limit| Some((limit.counts(&request)?, limit)));
        let counted = counted.map(|(client, limit)| (client, Arc::clone(limit)));
        let admitted = Admitted::new(&self.http);
        let refused = match &admitted {
            Some(_) => refusal(&mut request, &self.http),
            None => Some(overloaded()),
        };
        let way = match (refused, counted) {
            (Some(problem), _) => Either::Right(ready(problem)),
            (None, Some((client, limit))) => {
                let edge = self.clone();
                Either::Right(edge.ask_in_turn(limit, client, request, Arc::clone(&arrival)))
            }
            (None, None) => Either::Left(self.ask(request, &arrival)),
        };
        let span = tracing::info_span!(
            "http",
            method = %method,
            route = path(route.as_ref()),
            trace_id = %telemetry::Hex(trace.trace_id),
        );
        let work = async move {
            let response = finished(within(&arrival, started, way).await, &arrival);
            drop(admitted);
            let (path, status) = (path(route.as_ref()), response.status());
            arrival.http.routes.note(path, &method, status, started.elapsed());
            Ok(response)
        };
        Box::pin(work.instrument(span))
    }
}

impl<S> Edge<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    /// Hands the request on unless its client has sent too many.
    fn ask_in_turn(
        mut self,
        limit: Arc<WriteLimit>,
        client: IpAddr,
        request: Request,
        arrival: Arc<Arrival>,
    ) -> Answer {
        Box::pin(async move {
            match limit.take(client).await {
                Ok(()) => self.ask(request, &arrival).await,
                Err(problem) => Ok(problem.into_response()),
            }
        })
    }

    /// Hands the request on, with a body that ends. Size counts after decompression.
    fn ask(&mut self, mut request: Request, arrival: &Arc<Arrival>) -> Either<S::Future, Answer> {
        request.extensions_mut().insert(Arc::clone(arrival));
        if request.body().is_end_stream() {
            return Either::Left(self.inner.call(request));
        }
        let grace = Duration::from_millis(arrival.http.limits().body_read_ms);
        let arrival = Arc::clone(arrival);
        let guarded = move |body: Body| Body::new(Guarded::new(body, Arc::clone(&arrival), grace));
        if !request.headers().contains_key(header::CONTENT_ENCODING) {
            return Either::Left(self.inner.call(request.map(guarded)));
        }
        let mut inner = self.inner.clone();
        let limited = tower::service_fn(move |request: Request<DecompressionBody<Body>>| {
            inner.call(request.map(|body| guarded(Body::new(body))))
        });
        let asked = RequestDecompression::new(limited).call(request);
        Either::Right(Box::pin(asked.map(|response| Ok(response?.map(Body::new)))))
    }
}

fn ready(problem: Problem) -> Answer {
    Box::pin(std::future::ready(Ok(problem.into_response())))
}

fn path(route: Option<&MatchedPath>) -> &str {
    route.map_or("unmatched", MatchedPath::as_str)
}

/// A place among the requests being worked on.
struct Admitted(Arc<HttpContext>);

impl Admitted {
    fn new(http: &Arc<HttpContext>) -> Option<Self> {
        let before = http.in_flight.fetch_add(1, Ordering::Relaxed);
        // Dropped at once where there was no room, which takes the one off again.
        let admitted = Self(Arc::clone(http));
        (before < http.limits().in_flight).then_some(admitted)
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

fn overloaded() -> Problem {
    metrics::counter!("http_shed_total").increment(1);
    Problem::overloaded()
}

/// Why a request is refused by its head alone. Takes off headers that claim what only a proxy of
/// ours could know.
fn refusal(request: &mut Request, http: &HttpContext) -> Option<Problem> {
    let limits = http.limits();
    let uri = request.uri();
    let uri_bytes = uri.path().len() + uri.query().map_or(0, str::len);
    if uri_bytes > limits.uri_bytes {
        let detail = "The path and query are longer than this takes.";
        return Some(Problem::new(StatusCode::URI_TOO_LONG, "uri-too-long", detail));
    }
    let headers = request.headers_mut();
    let (mut bytes, mut claims) = (0, false);
    for (name, value) in headers.iter() {
        bytes += name.as_str().len() + value.len() + 4;
        claims |= is_claim(name);
    }
    if bytes > limits.header_bytes {
        let detail = "The headers are longer than this takes.";
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return Some(Problem::new(status, "headers-too-large", detail));
    }
    if claims {
        let claims: Vec<HeaderName> =
            headers.keys().filter(|name| is_claim(name)).cloned().collect();
        for name in claims {
            headers.remove(name);
        }
    }
    None
}

fn trace_of(headers: &HeaderMap, http: &HttpContext) -> TraceParent {
    let given = headers.get("traceparent").and_then(|value| value.to_str().ok());
    telemetry::child(given.and_then(|text| text.parse().ok()), http.ids())
}

/// Waits for the answer as long as the route allows. A handler that panics has failed.
async fn within<F>(arrival: &Arrival, started: Instant, work: F) -> Response
where
    F: Future<Output = Result<Response, Infallible>>,
{
    let mut work = pin!(AssertUnwindSafe(work).catch_unwind());
    let mut patience = pin!(tokio::time::sleep_until(started + arrival.deadline()));
    poll_fn(|cx| {
        if let Poll::Ready(outcome) = work.as_mut().poll(cx) {
            return Poll::Ready(match outcome {
                Ok(Ok(response)) => response,
                Ok(Err(never)) => match never {},
                Err(panic) => panicked(&*panic).into_response(),
            });
        }
        while patience.as_mut().poll(cx).is_ready() {
            // The route may allow more than the usual.
            let due = started + arrival.deadline();
            if due <= Instant::now() {
                return Poll::Ready(overdue().into_response());
            }
            patience.as_mut().reset(due);
        }
        Poll::Pending
    })
    .await
}

fn panicked(panic: &(dyn Any + Send)) -> Problem {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    metrics::counter!("http_panics_total").increment(1);
    tracing::error!(panic = text.unwrap_or("something that is not a text"), "a handler panicked");
    Problem::internal_unlogged()
}

fn overdue() -> Problem {
    tracing::warn!("a request took too long");
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "deadline-exceeded",
        "This took too long. It may still have been done: ask, or repeat it under the same Idempotency-Key.",
    )
    .retry_after(Duration::from_secs(1))
}

/// The last look at an answer: problems get their trace id, prose becomes a problem, and every
/// answer the headers that keep browsers and caches careful.
fn finished(mut response: Response, arrival: &Arrival) -> Response {
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => Some(problem),
        None if is_prose(&response) => Some(from_status(response.status())),
        None => None,
    };
    if let Some(problem) = problem {
        *response.body_mut() = Body::from(problem.render(Some(arrival.trace.trace_id)));
        let kind = HeaderValue::from_static(super::problem::PROBLEM_JSON);
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    for (name, value) in CAREFUL {
        if !response.headers().contains_key(&name) {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
    }
    if arrival.http.hsts() {
        let always = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, always);
    }
    response
}

/// What an answer says unless its handler says otherwise. Pages set a policy of their own.
const CAREFUL: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "strict-origin-when-cross-origin"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (header::CACHE_CONTROL, "no-store"),
];

/// Whether it is an error that somebody below us wrote as plain text, or not at all.
fn is_prose(response: &Response) -> bool {
    let status = response.status();
    let plain = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    (status.is_client_error() || status.is_server_error()) && plain
}

/// The problem that a status stands for by itself.
fn from_status(status: StatusCode) -> Problem {
    match status {
        StatusCode::NOT_FOUND => Problem::not_found(),
        StatusCode::METHOD_NOT_ALLOWED => super::method_not_allowed(),
        StatusCode::PAYLOAD_TOO_LARGE => super::body::BodyFault::TooLarge.problem(),
        StatusCode::REQUEST_TIMEOUT => super::body::BodyFault::TooSlow.problem(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Problem::new(
            status,
            "unsupported-media-type",
            "This takes neither that type of body nor that encoding of one.",
        ),
        status if status.is_client_error() => {
            Problem::new(status, "malformed", "The request could not be read.")
        }
        status => Problem::new(status, "internal", "Something failed here."),
    }
}
