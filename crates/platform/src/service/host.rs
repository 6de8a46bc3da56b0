//! What a service with the kernel around it can be made to do, one step at a time: the simulation
//! takes the steps itself, the runtime takes them in loops.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use contracts::{Envelope, Source};
use futures_util::future::BoxFuture;

use super::{EffectSpec, Reaction, Task, TimerSpec};
use crate::db::{Db, Result};
use crate::kernel::outbox::Unreadable;

/// What came of an effect, its type hidden; or how its performance panicked.
#[derive(Clone)]
pub struct Performed(pub(super) std::result::Result<Arc<dyn Any + Send + Sync>, String>);

impl std::fmt::Debug for Performed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Performed")
    }
}

/// A service with the kernel around it, its type hidden.
pub trait Host: Send + Sync + 'static {
    /// Which it is.
    fn source(&self) -> Source;
    /// Its database.
    fn db(&self) -> &Db;
    /// What it listens to.
    fn reactions(&self) -> &'static [Reaction];
    /// What timers it sets.
    fn timers(&self) -> &'static [TimerSpec];
    /// What effects it asks for.
    fn effects(&self) -> &'static [EffectSpec];
    /// What it says.
    fn publishes(&self) -> &'static [contracts::EventKind];
    /// Handles the next events of the file's log. Says whether there were any.
    fn step_log(&self) -> BoxFuture<'_, Result<bool>>;
    /// Lets the file's writer make it react in the transactions that publish, for as long as it
    /// keeps up and nothing fails.
    fn follow_log(&self) -> BoxFuture<'_, Result<()>>;
    /// Handles as many of the next events as one transaction of the writer may have had under way,
    /// one at a time, each try counted before it is made: for the start after a run that did not
    /// finish. What that run died of is among them, if it is in the log at all.
    fn step_log_carefully(&self) -> BoxFuture<'_, Result<()>>;
    /// Handles events that a bus hands over, perhaps not for the first time, in any order.
    fn deliver(&self, events: Vec<Arc<Envelope>>) -> BoxFuture<'_, Result<()>>;
    /// The same, one at a time and each try counted before it is made.
    fn deliver_carefully(&self, events: Vec<Arc<Envelope>>) -> BoxFuture<'_, Result<()>>;
    /// Puts on the dead-letter list what a bus has for it and nobody can read.
    fn park(&self, unreadable: Unreadable) -> BoxFuture<'_, Result<()>>;
    /// Handles timers and retries that are due. Says how many there were. `carefully`: one at a
    /// time, each try counted before it is made.
    fn step_due(&self, carefully: bool) -> BoxFuture<'_, Result<usize>>;
    /// When the next timer or retry is due.
    fn next_due(&self) -> BoxFuture<'_, Result<Option<contracts::Timestamp>>>;
    /// When the next effect is due.
    fn next_effect(&self) -> BoxFuture<'_, Result<Option<contracts::Timestamp>>>;
    /// Makes due what an earlier process had under a lease. Only where no other process serves the
    /// same database.
    fn release_leases(&self) -> BoxFuture<'_, Result<()>>;
    /// Takes effects that are due under a lease.
    fn claim_effects(&self, limit: i64) -> BoxFuture<'_, Result<Vec<Task>>>;
    /// Says of each of these whether it is still under the lease it says.
    fn in_force(&self, tasks: Vec<Task>) -> BoxFuture<'_, Result<Vec<bool>>>;
    /// Performs one.
    fn perform<'a>(&'a self, task: &'a Task) -> BoxFuture<'a, Performed>;
    /// Records what came of some; to be repeated if the database is out of order.
    fn record(&self, done: Vec<(Task, Performed)>) -> BoxFuture<'_, Result<()>>;
    /// How far it has read each outbox, as far as it is stored.
    fn positions(&self) -> BoxFuture<'_, Result<BTreeMap<Source, i64>>>;
}
