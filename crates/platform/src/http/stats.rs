//! Counts and times of requests, by route, method and status.
//!
//! The handles are looked up here and not in the metrics registry, whose look-up allocates.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::{Method, StatusCode};
use metrics::{Counter, Histogram};

/// The name of the histogram of seconds until an answer began.
const SECONDS: &str = "http_request_seconds";

/// All routes seen so far.
#[derive(Default)]
pub(super) struct Routes(RwLock<BTreeMap<Box<str>, Arc<Route>>>);

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Routes(..)")
    }
}

struct Route {
    path: Box<str>,
    seconds: Histogram,
    answers: RwLock<BTreeMap<(&'static str, u16), Counter>>,
}

impl Routes {
    /// Notes that a request to `path` was answered. `path` is a route as written in the router,
    /// never what a client sent: there are only so many of them.
    pub(super) fn note(&self, path: &str, method: &Method, status: StatusCode, took: Duration) {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        let route = known.unwrap_or_else(|| self.add(path));
        route.seconds.record(took.as_secs_f64());
        route.count((name(method), status.as_u16()));
    }

    fn add(&self, path: &str) -> Arc<Route> {
        let mut routes = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let seconds = metrics::histogram!(SECONDS, "route" => path.to_owned());
            Arc::new(Route { path: path.into(), seconds, answers: RwLock::default() })
        };
        Arc::clone(routes.entry(path.into()).or_insert_with(new))
    }
}

impl Route {
    fn count(&self, answer: (&'static str, u16)) {
        if let Some(counter) =
            self.answers.read().unwrap_or_else(PoisonError::into_inner).get(&answer)
        {
            return counter.increment(1);
        }
        let mut answers = self.answers.write().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            metrics::counter!(
                "http_requests_total",
                "route" => self.path.to_string(),
                "method" => answer.0,
                "status" => answer.1.to_string(),
            )
        };
        answers.entry(answer).or_insert_with(new).increment(1);
    }
}

/// Methods that a client makes up are counted as one.
fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
