//! What a service is to the kernel: what it hears, what it does about it, what it says.

mod host;
mod hosted;
mod relay;
mod retain;
mod run;

use std::future::Future;
use std::sync::Arc;

use contracts::{Envelope, EventKind, Source};
use uuid::Uuid;

use crate::cause::Cause;
use crate::db::{Db, Migration, Result, Tx};
use crate::kernel::inbox::Waiting;
use crate::kernel::pending::timer_id;

pub use host::{Host, Performed};
pub use hosted::Hosted;
pub use relay::relay_once;
pub use retain::retain_once;
pub use run::{Runtime, RuntimeConfig};

/// An event a service listens to.
#[derive(Debug, Clone, Copy)]
pub struct Reaction {
    /// Which.
    pub on: EventKind,
    /// What it does about it, for the generated docs.
    pub does: &'static str,
}

/// A timer a service sets for itself.
#[derive(Debug, Clone, Copy)]
pub struct TimerSpec {
    /// Its name.
    pub name: &'static str,
    /// What happens when it fires, for the generated docs.
    pub does: &'static str,
}

/// Something a service does to the world outside its database.
#[derive(Debug, Clone, Copy)]
pub struct EffectSpec {
    /// Its name.
    pub name: &'static str,
    /// What it does, for the generated docs.
    pub does: &'static str,
}

/// How long an effect that fails is tried: ever more seldom, and then it is parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Eight times, in about three hours: for what somebody waits for.
    Hours,
    /// Every hour in the end, for about three days: for what is as good tomorrow.
    Days,
}

/// A service: reactions to what it hears, and effects on the world outside.
pub trait Service: Send + Sync + 'static {
    /// Which it is.
    const SOURCE: Source;
    /// Every event it listens to.
    const REACTIONS: &'static [Reaction];
    /// Every timer it sets.
    const TIMERS: &'static [TimerSpec];
    /// Every effect it asks for.
    const EFFECTS: &'static [EffectSpec];
    /// How long effects that fail are tried before a person has to look.
    const PATIENCE: Patience = Patience::Hours;
    /// Every event it says.
    const PUBLISHES: &'static [EventKind];
    /// Its tables.
    const MIGRATIONS: &'static [Migration];

    /// What an effect comes to. `()` where there are none.
    type Outcome: Send + Sync + 'static;

    /// Its database.
    fn db(&self) -> &Db;

    /// Handles deliveries in their order, in one transaction. One verdict for each. An error rolls
    /// the whole batch back, and then each delivery is handled alone.
    fn react(
        &self,
        tx: &mut Tx<'_>,
        batch: &[Delivery],
    ) -> impl Future<Output = Result<Vec<Verdict>>> + Send;

    /// Performs an effect, outside any transaction. It may have been performed before: the task's
    /// id is the idempotency key. It must end, one way or the other, within a minute: what has not
    /// is dropped where it stands and counts as a failed try.
    fn perform(&self, task: &Task) -> impl Future<Output = Self::Outcome> + Send;

    /// Records what came of effects, in one transaction. One verdict for each. An error rolls all of
    /// it back, and then each is recorded alone.
    fn record(
        &self,
        tx: &mut Tx<'_>,
        done: &[(&Task, &Self::Outcome)],
    ) -> impl Future<Output = Result<Vec<Verdict>>> + Send;
}

/// What became of a delivery or an effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is handled.
    Done,
    /// What it needs is not known yet: it comes again, which counts for nothing against it, for
    /// 24 hours at most.
    NotYet(String),
    /// It failed: it comes again, later each time, and is parked after 8 tries; an effect after as
    /// many as the service has [`Patience`] for.
    Failed(String),
}

/// Something a service is to react to.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// What has come.
    pub occasion: Occasion,
    /// How often it was tried before.
    pub attempts: i64,
    pub(crate) cause: Cause,
    pub(crate) origin: Origin,
}

/// What a service reacts to.
#[derive(Debug, Clone)]
pub enum Occasion {
    /// An event has happened.
    Event(Arc<Envelope>),
    /// A timer has fired.
    Timer {
        /// Its name.
        name: String,
        /// What it was set for.
        subject: String,
    },
}

/// How a delivery came here.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// Out of the log.
    Log,
    /// Handed over by a bus that may do so again.
    Handed,
    /// Out of the inbox, where it has waited.
    Inbox(Box<Waiting>),
    /// Out of the log, its try noted in the inbox first.
    Trying(Box<Waiting>),
}

impl Origin {
    /// Its row in the inbox.
    pub(crate) fn row(&self) -> Option<&Waiting> {
        match self {
            Self::Log | Self::Handed => None,
            Self::Inbox(row) | Self::Trying(row) => Some(row),
        }
    }
}

impl Delivery {
    /// The cause of whatever the service does about it.
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// An event as a bus hands it over, to the service `to`.
    pub fn of_event(event: Arc<Envelope>, to: Source) -> Self {
        Self::new(event, to, Origin::Handed)
    }

    pub(crate) fn new(event: Arc<Envelope>, to: Source, origin: Origin) -> Self {
        let cause = Cause {
            causation: Some(event.id),
            correlation: event.correlation.clone(),
            trace: event.trace,
            actor: contracts::Actor::Service(to),
        };
        Self { occasion: Occasion::Event(event), attempts: 0, cause, origin }
    }

    /// What it is called in the inbox: the event's type or the timer's name.
    pub(crate) fn reaction(&self) -> &str {
        match (self.origin.row(), &self.occasion) {
            (Some(row), _) => &row.reaction,
            (None, Occasion::Event(event)) => event.payload.kind().name,
            (None, Occasion::Timer { name, .. }) => name,
        }
    }

    pub(crate) fn id(&self) -> Uuid {
        match (self.origin.row(), &self.occasion) {
            (Some(row), _) => row.id,
            (None, Occasion::Event(event)) => event.id.uuid(),
            (None, Occasion::Timer { name, subject }) => timer_id(name, subject),
        }
    }
}

/// An effect to perform.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// Its idempotency key.
    pub id: Uuid,
    /// What it was asked with.
    pub payload: String,
    /// How often it was tried, this time included.
    pub attempt: i64,
    /// Why.
    pub cause: Cause,
    /// Since when it is asked for.
    pub since: contracts::Timestamp,
    pub(crate) epoch: i64,
    pub(crate) waits: i64,
}
