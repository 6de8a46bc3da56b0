//! What the edge knows about every request, and what all requests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::FromRequestParts;
use contracts::{Timestamp, TraceParent};
use http::Extensions;
use http::request::Parts;

use super::auth::{Principal, Role, StaffEntry, TokenHash};
use super::limits::{Allowance, Limits};
use super::list::Cursors;
use super::problem::Problem;
use super::stats::Routes;
use super::writes::WriteLimit;
use crate::cause::Cause;
use crate::clock::Clock;
use crate::config::Secret;
use crate::ids::Ids;
use crate::tasks::CancellationToken;

/// What the HTTP side of a program is told.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Who works here.
    pub staff: Vec<StaffEntry>,
    /// What cursors are signed with; the same on every instance.
    pub cursor_key: Secret,
    /// How much a request may take.
    pub limits: Limits,
    /// Whether browsers are told to come by HTTPS only: where TLS ends in front of us.
    pub hsts: bool,
    /// How often a client may change something, where clients come in.
    pub writes: Option<Arc<WriteLimit>>,
}

/// What all requests share.
#[derive(Debug)]
pub struct HttpContext {
    settings: HttpSettings,
    cursors: Cursors,
    ids: Ids,
    clock: Clock,
    stopping: CancellationToken,
    pub(super) in_flight: AtomicUsize,
    pub(super) routes: Routes,
}

impl HttpContext {
    /// The context of a program's HTTP side. `stopping` is cancelled when the program should stop.
    pub fn new(
        settings: HttpSettings,
        ids: Ids,
        clock: Clock,
        stopping: CancellationToken,
    ) -> Arc<Self> {
        let cursors = Cursors::new(&settings.cursor_key);
        let (in_flight, routes) = (AtomicUsize::new(0), Routes::default());
        Arc::new(Self { settings, cursors, ids, clock, stopping, in_flight, routes })
    }

    /// A context for tests, with staff whose tokens are `kst_test_admin`, `kst_test_support`,
    /// `kst_test_warehouse` and `kst_test_catalogue`.
    pub fn for_test() -> Arc<Self> {
        Self::for_test_with(Limits::default())
    }

    /// A context for tests with these limits.
    pub fn for_test_with(limits: Limits) -> Arc<Self> {
        let clock = Clock::system();
        Self::new(
            Self::test_settings(limits),
            Ids::from_system(clock.clone()),
            clock,
            CancellationToken::new(),
        )
    }

    /// The settings of [`HttpContext::for_test`], for tests that bring their own clock and ids.
    pub fn test_settings(limits: Limits) -> HttpSettings {
        let roles = [
            ("admin", Role::Admin),
            ("support", Role::Support),
            ("warehouse", Role::Warehouse),
            ("catalogue", Role::Catalogue),
        ];
        let staff = roles.map(|(name, role)| StaffEntry {
            name: name.to_owned(),
            role,
            token_sha256: TokenHash::of(&format!("kst_test_{name}")),
        });
        let cursor_key = Secret::of_test();
        HttpSettings { staff: staff.to_vec(), cursor_key, limits, hsts: false, writes: None }
    }

    /// Who works here.
    pub fn staff(&self) -> &[StaffEntry] {
        &self.settings.staff
    }

    /// How much a request may take.
    pub fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    /// What is signed here, and by all other instances, is signed with this.
    pub fn secret(&self) -> &Secret {
        &self.settings.cursor_key
    }

    /// Whether browsers are told to come by HTTPS only.
    pub fn hsts(&self) -> bool {
        self.settings.hsts
    }

    /// How often a client may change something, if that is limited here.
    pub(super) fn writes(&self) -> Option<&Arc<WriteLimit>> {
        self.settings.writes.as_ref()
    }

    /// The source of ids.
    pub fn ids(&self) -> &Ids {
        &self.ids
    }

    /// The source of cursors.
    pub(super) fn cursors(&self) -> &Cursors {
        &self.cursors
    }
}

/// What the edge puts into the extensions of every request.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) http: Arc<HttpContext>,
    pub(super) trace: TraceParent,
    body_bytes: AtomicU64,
    deadline_ms: AtomicU64,
}

/// A fault of ours: a router that nobody passed through `http::app`.
#[derive(Debug, thiserror::Error)]
#[error("the router is used without http::app")]
struct NoEdge;

impl Arrival {
    pub(super) fn new(http: Arc<HttpContext>, trace: TraceParent) -> Self {
        let limits = http.limits();
        let body_bytes = AtomicU64::new(limits.body_bytes);
        let deadline_ms = AtomicU64::new(limits.deadline_ms);
        Self { http, trace, body_bytes, deadline_ms }
    }

    pub(super) fn of(extensions: &Extensions) -> Result<&Arc<Self>, Problem> {
        extensions.get::<Arc<Self>>().ok_or_else(|| Problem::internal(&NoEdge))
    }

    pub(super) fn body_bytes(&self) -> u64 {
        self.body_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms.load(Ordering::Relaxed))
    }

    pub(super) fn allow(&self, allowance: Allowance) {
        self.body_bytes.store(allowance.body_bytes, Ordering::Relaxed);
        let deadline_ms = u64::try_from(allowance.deadline.as_millis()).unwrap_or(u64::MAX);
        self.deadline_ms.store(deadline_ms, Ordering::Relaxed);
    }
}

/// Who asks, in which trace; and the clock, the ids and the end of the program.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// Who asks.
    pub principal: Principal,
    /// The trace of the request, with the request's own span in it.
    pub trace: TraceParent,
    http: Arc<HttpContext>,
}

impl RequestContext {
    /// The cause of a command that comes with this request, in the story of `correlation`.
    pub fn cause(&self, correlation: impl Into<String>) -> Cause {
        Cause {
            causation: None,
            correlation: correlation.into(),
            trace: Some(self.trace),
            actor: self.principal.actor(),
        }
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.http.clock.now()
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.http.clock
    }

    /// The source of ids.
    pub fn ids(&self) -> &Ids {
        &self.http.ids
    }

    /// Is cancelled when the program should stop: long answers end then.
    pub fn stopping(&self) -> &CancellationToken {
        &self.http.stopping
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequestContext {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let principal = Principal::from_request_parts(parts, state).await?;
        let arrival = Arrival::of(&parts.extensions)?;
        Ok(Self { principal, trace: arrival.trace, http: Arc::clone(&arrival.http) })
    }
}
