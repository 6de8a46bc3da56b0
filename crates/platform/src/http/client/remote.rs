//! A service elsewhere, asked over HTTP: which instance, how often, and when to give up.
//!
//! A request goes to the instance with the least under way. Where no connection could be made
//! nothing was sent, and another instance is asked whatever the request is. Where the connection
//! broke later, or the answer was 503, only a request that may be repeated is: GET, HEAD, PUT,
//! DELETE, and whatever has an `Idempotency-Key`. Repeats are few, pause a little, and are paid for
//! from a budget that the usual requests fill: a service in trouble is not asked three times as much.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::request::Parts;
use http::{Method, StatusCode, Version, header};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tower::retry::budget::{Budget, TpsBudget};

use super::super::problem::Problem;
use super::address::BaseAddress;
use super::fault::Unanswered;
use super::headers;
use super::instance::{Instance, Try};
use super::limits::ClientLimits;
use super::request_body::Outgoing;
use super::response_body::{Answer, Held};
use super::stats::Stats;
use crate::ids::Ids;
use crate::tasks::CancellationToken;

/// The longest pause before the first repeat; each further one may be twice as long.
const FIRST_PAUSE_MS: u64 = 20;

/// How long a dead peer is noticed after, on a connection where nothing is said.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// One service, wherever its instances are.
pub(super) struct Remote {
    name: &'static str,
    instances: Vec<Arc<Instance>>,
    turn: AtomicUsize,
    http: Client<HttpConnector, Body>,
    limits: ClientLimits,
    requests: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    budget: TpsBudget,
    ids: Ids,
    stopping: CancellationToken,
    stats: Stats,
}

/// Why one try came to nothing.
enum Failed {
    /// No connection: nothing was sent.
    NotSent,
    /// The connection broke.
    Lost,
    /// The time was up.
    Late,
    /// The request could not be read.
    Asker(Problem),
}

impl Remote {
    pub(super) fn new(
        name: &'static str,
        addresses: &[BaseAddress],
        limits: &ClientLimits,
        ids: Ids,
        stopping: CancellationToken,
    ) -> Self {
        let instance = |(index, address): (usize, &BaseAddress)| {
            Arc::new(Instance::new(name, index, address.clone(), limits))
        };
        Self {
            name,
            instances: addresses.iter().enumerate().map(instance).collect(),
            turn: AtomicUsize::new(0),
            http: http_client(limits),
            requests: places(limits.in_flight),
            streams: places(limits.streams),
            // A fifth of what is asked in ten seconds, and at least five a second.
            budget: TpsBudget::new(Duration::from_secs(10), 5, 0.2),
            limits: limits.clone(),
            ids,
            stopping,
            stats: Stats::new(name),
        }
    }

    /// Asks until `due`.
    pub(super) async fn ask(&self, request: Request, due: Instant) -> Result<Response, Unanswered> {
        let began = Instant::now();
        let outcome = self.answer(request, due).await;
        self.stats.note(&outcome, began.elapsed());
        outcome
    }

    async fn answer(&self, request: Request, due: Instant) -> Result<Response, Unanswered> {
        let place = Arc::clone(&self.requests).try_acquire_owned();
        let place = place.map_err(|_| Unanswered::TooMuch)?;
        let in_flight = self.stats.in_flight();
        let (mut head, body) = request.into_parts();
        headers::going_out(&mut head.headers, &head.extensions);
        let is_repeatable = is_repeatable(&head);
        let body = Outgoing::of(body, is_repeatable).await.map_err(Unanswered::Asker)?;
        self.budget.deposit();
        let mut attempt = self.choose(&[], false)?;
        let mut tried = Vec::new();
        let outcome = loop {
            let began = Instant::now();
            let outcome = self.send(&mut attempt, &head, &body, due).await;
            tried.push(attempt.instance.index);
            let may_again = match &outcome {
                Ok(answer) => is_repeatable && answer.status() == StatusCode::SERVICE_UNAVAILABLE,
                Err(Failed::NotSent) => true,
                Err(Failed::Lost) => is_repeatable,
                Err(Failed::Late | Failed::Asker(_)) => false,
            };
            // What took so long that it would not fit in again is not begun again.
            let has_time = Instant::now() + began.elapsed() < due;
            let is_left = tried.len() <= self.limits.retries && has_time && body.is_whole();
            if !(may_again && is_left && self.budget.withdraw()) {
                break outcome;
            }
            let Ok(next) = self.choose(&tried, outcome.is_err()) else { break outcome };
            attempt = next;
            self.stats.retried.increment(1);
            self.pause(tried.len()).await;
        };
        match outcome {
            Ok(answer) => self.hand_on(answer, Held { place, attempt, in_flight }),
            Err(Failed::NotSent) => Err(self.unreachable(Duration::ZERO)),
            Err(Failed::Lost) => Err(Unanswered::Lost),
            Err(Failed::Late) => Err(Unanswered::Late),
            Err(Failed::Asker(problem)) => Err(Unanswered::Asker(problem)),
        }
    }

    /// An instance that may be asked now: one that was not tried, if there is one, and among those
    /// the one with the least to do. After a failure also one that is left alone: it may be well again,
    /// and the only one that is.
    fn choose(&self, tried: &[usize], has_failed: bool) -> Result<Try, Unanswered> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let count = self.instances.len();
        let mut order: Vec<&Arc<Instance>> =
            self.instances.iter().cycle().skip(turn % count.max(1)).take(count).collect();
        order.sort_by_key(|instance| (tried.contains(&instance.index), instance.under_way()));
        let mut soonest = Duration::MAX;
        for instance in order {
            match instance.admit(has_failed) {
                Ok(attempt) => return Ok(attempt),
                Err(after) => soonest = soonest.min(after),
            }
        }
        Err(self.unreachable(soonest))
    }

    fn unreachable(&self, soonest: Duration) -> Unanswered {
        let at_most = Duration::from_millis(self.limits.left_alone_ms);
        Unanswered::Unreachable { retry_after: soonest.min(at_most) }
    }

    /// One try.
    async fn send(
        &self,
        attempt: &mut Try,
        head: &Parts,
        body: &Outgoing,
        due: Instant,
    ) -> Result<http::Response<Incoming>, Failed> {
        let mut request = Request::new(body.lend());
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = attempt.instance.address.with(head.uri.path_and_query());
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = head.headers.clone();
        let failed = match tokio::time::timeout_at(due, self.http.request(request)).await {
            Ok(Ok(answer)) => {
                attempt.answered();
                return Ok(answer);
            }
            Ok(Err(error)) => {
                if let Some(problem) = body.fault() {
                    return Err(Failed::Asker(problem));
                }
                let (service, address) = (self.name, &attempt.instance.address);
                tracing::debug!(service, %address, ?error, "an instance failed");
                if error.is_connect() { Failed::NotSent } else { Failed::Lost }
            }
            Err(_) => Failed::Late,
        };
        attempt.failed();
        Err(failed)
    }

    /// The answer for who asked. A stream of events does not take the place of a request.
    fn hand_on(
        &self,
        answer: http::Response<Incoming>,
        mut held: Held,
    ) -> Result<Response, Unanswered> {
        let (mut head, body) = answer.into_parts();
        headers::coming_back(&mut head.headers);
        let kind = head.headers.get(header::CONTENT_TYPE);
        let is_stream = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        if is_stream {
            let place = Arc::clone(&self.streams).try_acquire_owned();
            held.place = place.map_err(|_| Unanswered::TooMuch)?;
        }
        let stopped = is_stream.then(|| self.stopping.clone().cancelled_owned());
        let pause = Duration::from_millis(self.limits.pause_ms);
        let mut response = Response::new(Body::new(Answer::new(body, pause, stopped, held)));
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        Ok(response)
    }

    /// Waits a little before the next try, each time a different while.
    async fn pause(&self, tries: usize) {
        let longest = FIRST_PAUSE_MS << tries.min(8);
        let pause = Duration::from_millis(self.ids.bits() % longest);
        tokio::time::sleep_until(Instant::now() + pause).await;
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = self.instances.iter().map(|one| one.address.to_string());
        write!(f, "{} at {:?}", self.name, addresses.collect::<Vec<_>>())
    }
}

fn is_repeatable(head: &Parts) -> bool {
    let has_key = head.method == Method::POST && head.headers.contains_key("idempotency-key");
    head.method.is_idempotent() || has_key
}

fn places(count: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)))
}

/// Connections by HTTP/1.1, kept for the next request; names are looked up for each.
fn http_client(limits: &ClientLimits) -> Client<HttpConnector, Body> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(Duration::from_millis(limits.connect_ms)));
    connector.set_keepalive(Some(KEEP_ALIVE));
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_millis(limits.idle_ms))
        .pool_max_idle_per_host(limits.idle_connections)
        .build(connector)
}
