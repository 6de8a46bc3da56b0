//! The one way to reach a service: by its router where it runs in this process, over HTTP where it
//! does not. Who asks writes the same code for both.
//!
//! A request that goes out has a deadline. Over HTTP it goes to the instance with the least to do;
//! one that fails again and again is left alone for a while (`breaker`); what may be repeated is
//! repeated elsewhere, within a budget (`remote`); and nobody is asked for more at once than is
//! configured. Bodies are streamed, both ways.
//!
//! Who may ask for what is the service's business, and which paths are its own the gateway's.

mod address;
mod breaker;
mod fault;
mod headers;
mod instance;
mod limits;
mod remote;
mod request_body;
mod response_body;
mod stats;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{Extensions, HeaderMap};
use tokio::time::Instant;
use tower::{Service, ServiceExt};

pub use address::{BaseAddress, NoBaseAddress};
pub use fault::Unanswered;
pub(super) use headers::is_claim;
pub use limits::ClientLimits;

use super::context::Arrival;
use crate::ids::Ids;
use crate::tasks::CancellationToken;
use remote::Remote;

/// A service that can be asked. Clones share everything.
#[derive(Clone)]
pub struct ServiceClient {
    way: Way,
    deadline: Duration,
}

#[derive(Clone)]
enum Way {
    Local(Router),
    Remote(Arc<Remote>),
}

/// In the extensions of a request: how long its answer may take to begin, if not as long as usual.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(pub Duration);

/// What a request that is sent on behalf of another has of that one's extensions: whose it is, its trace, its
/// caller's patience. Not what its way through a router left behind, such as the parameters of its path.
pub fn on_behalf_of(asked: &Extensions) -> Extensions {
    let mut carried = Extensions::new();
    if let Some(arrival) = asked.get::<Arc<Arrival>>() {
        carried.insert(Arc::clone(arrival));
    }
    if let Some(deadline) = asked.get::<Deadline>() {
        carried.insert(*deadline);
    }
    carried
}

/// The longest wait that a client may ask for with `Prefer: wait=N`.
pub const LONGEST_WAIT: Duration = Duration::from_secs(60);

impl ServiceClient {
    /// A service in this process, by its routes.
    pub fn local(routes: Router, limits: &ClientLimits) -> Self {
        Self { way: Way::Local(routes), deadline: limits.deadline() }
    }

    /// The service of this name, by the addresses of its instances. Streams of events end when
    /// `stopping` is cancelled.
    pub fn remote(
        name: &'static str,
        addresses: &[BaseAddress],
        limits: &ClientLimits,
        ids: Ids,
        stopping: CancellationToken,
    ) -> Self {
        let remote = Arc::new(Remote::new(name, addresses, limits, ids, stopping));
        Self { way: Way::Remote(remote), deadline: limits.deadline() }
    }

    /// Asks, and gives the answer as soon as it begins.
    ///
    /// The deadline is the [`Deadline`] in the request's extensions, or the configured one; what
    /// `Prefer: wait=N` asks for comes on top of it.
    ///
    /// # Errors
    /// Why there is no answer, and whether the request may have been carried out all the same.
    pub async fn ask(&self, request: Request) -> Result<Response, Unanswered> {
        let usual = request.extensions().get::<Deadline>().map_or(self.deadline, |given| given.0);
        let due = Instant::now() + usual + asked_wait(request.headers());
        match &self.way {
            Way::Local(routes) => {
                let answer = tokio::time::timeout_at(due, routes.clone().oneshot(request));
                match answer.await {
                    Ok(Ok(response)) => Ok(response),
                    Ok(Err(never)) => match never {},
                    Err(_) => Err(Unanswered::Late),
                }
            }
            Way::Remote(remote) => remote.ask(request, due).await,
        }
    }
}

/// As a route: who is not answered gets the problem that says why.
impl Service<Request> for ServiceClient {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let client = self.clone();
        Box::pin(async move {
            Ok(client.ask(request).await.unwrap_or_else(IntoResponse::into_response))
        })
    }
}

impl fmt::Debug for ServiceClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.way {
            Way::Local(_) => f.write_str("ServiceClient(in this process)"),
            Way::Remote(remote) => write!(f, "ServiceClient({remote:?})"),
        }
    }
}

/// What `Prefer: wait=N` (RFC 7240) asks for.
fn asked_wait(headers: &HeaderMap) -> Duration {
    let preferences = headers.get_all("prefer").into_iter().filter_map(|value| value.to_str().ok());
    let mut waits = preferences
        .flat_map(|value| value.split([',', ';']))
        .filter_map(|one| one.trim().strip_prefix("wait=")?.trim_matches('"').parse::<u64>().ok());
    Duration::from_secs(waits.next().unwrap_or(0)).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_preference_to_wait_is_heard_within_reason() {
        let wait = |text: &'static str| {
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static("prefer"),
                HeaderValue::from_static(text),
            )]);
            asked_wait(&headers).as_secs()
        };
        for (text, seconds) in [
            ("wait=5", 5),
            ("respond-async, wait=7", 7),
            ("wait=\"3\"", 3),
            ("wait=86400", 60),
            ("wait=-1", 0),
            ("wait", 0),
            ("", 0),
        ] {
            assert_eq!(wait(text), seconds, "{text}");
        }
        assert_eq!(asked_wait(&HeaderMap::new()), Duration::ZERO);
    }
}
