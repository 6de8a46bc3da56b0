//! Units waiting for the writer, and how it runs them: together if it can, one by one if it must.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use contracts::Source;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::follow::{Follower, Place};
use super::gate::Gate;
use super::log::{Log, LogEntry};
use super::{Fault, Result, bare, locked};
use crate::db::error::panicked;
use crate::db::tx::{Conn, Published, run};
use crate::db::{Error, Scope, Tx, Unit, Work};
use crate::kernel::inbox::Progress;
use crate::kernel::pending::Flushed;
use crate::planted::{self, Bug};

/// How often a unit runs again because it lost to another; with one writer that is a bug, so few.
const MAX_RUNS: usize = 3;

/// How many events a consumer handles in one unit at most.
const AT_ONCE: usize = 256;

/// How often reactions may lead to further ones in one transaction.
const MAX_ROUNDS: usize = 12;

/// How many events one consumer handles in one transaction at most.
pub(crate) const MAX_LED: usize = AT_ONCE * MAX_ROUNDS;

/// A unit that waits for the writer, its types hidden.
pub(crate) trait Job: Send {
    /// Whose it is.
    fn source(&self) -> Source;
    /// Runs it inside the open transaction and keeps its answer.
    fn attempt(&mut self, connection: &mut Connection) -> Result<()>;
    /// What it has published so far, not committed yet.
    fn published(&self) -> Vec<LogEntry>;
    /// It is committed: what it published.
    fn committed(&mut self) -> Vec<Published>;
    /// Tells whoever waits.
    fn answer(self: Box<Self>, outcome: Result<()>);
}

pub(super) struct UnitJob<U: Unit> {
    unit: U,
    scope: Arc<Scope>,
    done: Option<(U::Out, Flushed, Work)>,
    reply: oneshot::Sender<Result<U::Out>>,
}

/// A unit whose answer nobody waits for.
pub(crate) fn unattended<U: Unit>(unit: U, scope: &Arc<Scope>) -> Box<dyn Job> {
    let (reply, _) = oneshot::channel();
    Box::new(UnitJob::new(unit, Arc::clone(scope), reply))
}

impl<U: Unit> UnitJob<U> {
    pub(super) fn new(unit: U, scope: Arc<Scope>, reply: oneshot::Sender<Result<U::Out>>) -> Self {
        Self { unit, scope, done: None, reply }
    }
}

impl<U: Unit> Job for UnitJob<U> {
    fn source(&self) -> Source {
        self.scope.source
    }

    fn attempt(&mut self, connection: &mut Connection) -> Result<()> {
        let mut tx = Tx::new(Conn::Sqlite(connection), &self.scope);
        let attempted = catch_unwind(AssertUnwindSafe(|| poll_once(run(&mut tx, &self.unit))));
        let (out, flushed) = attempted.unwrap_or_else(|panic| Err(panicked(panic.as_ref())))?;
        self.done = Some((out, flushed, tx.work()));
        Ok(())
    }

    fn published(&self) -> Vec<LogEntry> {
        let published = self.done.iter().flat_map(|(_, flushed, _)| &flushed.published);
        let entry = |Published { position, event, .. }: &Published| LogEntry {
            source: self.scope.source,
            position: *position,
            event: Ok(Arc::clone(event)),
        };
        published.map(entry).collect()
    }

    fn committed(&mut self) -> Vec<Published> {
        let Some((_, flushed, work)) = &mut self.done else { return Vec::new() };
        self.scope.counters.add(*work);
        self.scope.wake.after_commit(flushed);
        std::mem::take(&mut flushed.published)
    }

    fn answer(self: Box<Self>, outcome: Result<()>) {
        let Self { done, reply, .. } = *self;
        let answer = outcome.and_then(|()| done.map(|(out, _, _)| out).ok_or(Error::Closed));
        // Whoever asked may have gone; the unit is done all the same.
        let _ = reply.send(answer);
    }
}

/// The answer of a future that never waits.
pub(super) fn poll_once<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => Err(Error::Waited),
    }
}

/// The writer with its hands on the connection.
pub(super) struct Batch<'a> {
    pub(super) connection: &'a mut Connection,
    pub(super) gate: &'a Gate,
    pub(super) log: &'a Mutex<Log>,
    pub(super) followers: &'a mut Vec<Follower>,
}

impl Batch<'_> {
    /// Runs `jobs` in one transaction, and the reactions of those who follow the log to what they
    /// publish; if a job fails, each in its own. What was committed is in the log before anybody is
    /// answered. Says whether there is more for the followers to do.
    pub(super) fn run(mut self, mut jobs: Vec<Box<dyn Job>>, fault: Fault) -> bool {
        self.let_go();
        loop {
            let asked = jobs.len();
            match self.together(&mut jobs, fault) {
                Ok(more) => {
                    self.publish(&mut jobs);
                    settle(jobs, fault);
                    return more;
                }
                Err(Failure::Follower(at)) => {
                    // It goes on by itself, from what is stored; the jobs are not to blame.
                    drop(self.followers.remove(at));
                    jobs.truncate(asked);
                }
                Err(Failure::Whole(error)) => {
                    if planted::is(Bug::ToldBeforeCommit) {
                        self.publish(&mut jobs);
                    }
                    self.followers.clear();
                    for job in jobs {
                        job.answer(Err(error.clone()));
                    }
                    return false;
                }
                Err(Failure::Crash) => return false,
                Err(Failure::Unit) if asked == 0 => {
                    // Only followers did anything: what the commit found wrong each finds by itself.
                    self.followers.clear();
                    return false;
                }
                Err(Failure::Unit) => {
                    jobs.truncate(asked);
                    for job in jobs {
                        self.alone(job);
                    }
                    return !self.followers.is_empty();
                }
            }
        }
    }

    /// Gives back those who cannot be served from memory, and forgets those nobody waits for.
    fn let_go(&mut self) {
        let log = locked(self.log);
        let gone = |follower: &mut Follower| {
            follower.is_abandoned() || log.has_forgotten(&follower.place.reading)
        };
        self.followers.extract_if(.., gone).for_each(Follower::give_back);
    }

    fn publish(&self, jobs: &mut [Box<dyn Job>]) {
        let committed = jobs.iter_mut().map(|job| (job.source(), job.committed())).collect();
        locked(self.log).append(committed);
    }

    fn together(&mut self, jobs: &mut Vec<Box<dyn Job>>, fault: Fault) -> Result<bool, Failure> {
        match fault {
            Fault::Busy => return Err(Failure::Whole(made_up("busy"))),
            Fault::Full => return Err(Failure::Whole(Error::Full)),
            Fault::None
            | Fault::LostCommit
            | Fault::HiddenCommit
            | Fault::CrashBefore
            | Fault::CrashAfter => {}
        }
        self.sql("BEGIN IMMEDIATE").map_err(Failure::Whole)?;
        for job in jobs.iter_mut() {
            if self.attempt(job.as_mut()).is_err() {
                self.roll_back();
                return Err(Failure::Unit);
            }
        }
        let led = match self.lead(jobs) {
            Ok(led) if jobs.is_empty() => {
                self.roll_back();
                return Ok(self.adopt(led));
            }
            Ok(led) => led,
            Err(failure) => {
                self.roll_back();
                return Err(failure);
            }
        };
        match fault {
            Fault::CrashBefore => {
                self.roll_back();
                return Err(Failure::Crash);
            }
            Fault::LostCommit => {
                self.roll_back();
                return Err(Failure::Whole(unknown("the commit was lost")));
            }
            Fault::None | Fault::Busy | Fault::Full | Fault::HiddenCommit | Fault::CrashAfter => {}
        }
        self.commit().map_err(|error| {
            // A constraint checked at the end is the fault of one unit, not of its neighbours.
            if error.is_environment() { Failure::Whole(error) } else { Failure::Unit }
        })?;
        Ok(self.adopt(led))
    }

    /// Lets the followers react to what the jobs publish, and to what that leads to, in turns.
    fn lead(&mut self, jobs: &mut Vec<Box<dyn Job>>) -> Result<Led, Failure> {
        let mut led = Led { places: Vec::with_capacity(self.followers.len()), more: false };
        if self.followers.is_empty() {
            return Ok(led);
        }
        led.places.extend(self.followers.iter().map(|follower| follower.place.clone()));
        let mut ahead: Vec<LogEntry> = jobs.iter().flat_map(|job| job.published()).collect();
        for _ in 0..MAX_ROUNDS {
            led.more = false;
            for (at, place) in led.places.iter_mut().enumerate() {
                let read = locked(self.log).read_on(&place.reading, &ahead, AT_ONCE);
                place.reading.advance(&read);
                let passed = if read.entries.is_empty() { place.passed_far() } else { read.passed };
                if passed.is_empty() {
                    continue;
                }
                let progress = Progress { stored: place.stored.clone(), passed };
                place.stored.extend(&progress.passed);
                let failed = || Failure::Follower(at);
                let listener = &self.followers.get(at).ok_or_else(failed)?.listener;
                let mut job = listener.react(&read.entries, progress).ok_or_else(failed)?;
                self.attempt(job.as_mut()).map_err(|_| failed())?;
                ahead.extend(job.published());
                jobs.push(job);
                led.more = true;
            }
            if !led.more {
                break;
            }
        }
        Ok(led)
    }

    /// What the followers did is committed. Says whether they have more to do.
    fn adopt(&mut self, led: Led) -> bool {
        for (follower, place) in self.followers.iter_mut().zip(led.places) {
            follower.place = place;
        }
        led.more
    }

    fn alone(&mut self, mut job: Box<dyn Job>) {
        let mut runs = 0;
        let outcome = loop {
            runs += 1;
            match self.once(job.as_mut()) {
                Err(Error::Conflict) if runs < MAX_RUNS => {}
                outcome => break outcome,
            }
        };
        if outcome.is_ok() {
            self.publish(std::slice::from_mut(&mut job));
        }
        job.answer(outcome);
    }

    fn once(&mut self, job: &mut dyn Job) -> Result<()> {
        self.sql("BEGIN IMMEDIATE")?;
        if let Err(error) = self.attempt(job) {
            self.roll_back();
            return Err(error);
        }
        self.commit()
    }

    /// Runs the job for its service, and checks that the transaction is still there afterwards: a
    /// full disk can roll it back behind one's back.
    fn attempt(&mut self, job: &mut dyn Job) -> Result<()> {
        let _turn = self.gate.as_service(job.source());
        job.attempt(self.connection)?;
        if self.connection.is_autocommit() { Err(Error::Full) } else { Ok(()) }
    }

    fn commit(&mut self) -> Result<()> {
        if self.connection.is_autocommit() {
            return Err(Error::Full);
        }
        let committed = self.sql("COMMIT");
        let Err(error) = committed else {
            metrics::counter!("db_batches_total").increment(1);
            return Ok(());
        };
        if self.connection.is_autocommit() {
            // The transaction has ended, and not as asked.
            return Err(Error::Unknown(Arc::new(error)));
        }
        self.roll_back();
        Err(error)
    }

    fn roll_back(&mut self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.sql("ROLLBACK")
        {
            tracing::error!(?error, "a transaction could not be rolled back");
        }
    }

    fn sql(&mut self, sql: &str) -> Result<()> {
        bare(self.connection, sql)
    }
}

/// How far the followers have come in a transaction.
struct Led {
    places: Vec<Place>,
    /// Whether there were reactions in the last round still.
    more: bool,
}

/// Why a batch did not commit.
enum Failure {
    /// The reaction of the follower in this place.
    Follower(usize),
    /// One of its units failed: the others may still succeed without it.
    Unit,
    /// The database failed all of them.
    Whole(Error),
    /// The process is dead; nobody is told anything.
    Crash,
}

fn settle(jobs: Vec<Box<dyn Job>>, fault: Fault) {
    for job in jobs {
        match fault {
            Fault::CrashAfter => drop(job),
            Fault::HiddenCommit => job.answer(Err(unknown("the commit's answer was lost"))),
            Fault::None | Fault::Busy | Fault::Full | Fault::LostCommit | Fault::CrashBefore => {
                job.answer(Ok(()));
            }
        }
    }
}

fn made_up(why: &str) -> Error {
    Error::unavailable(std::io::Error::other(why.to_owned()))
}

fn unknown(why: &str) -> Error {
    Error::Unknown(Arc::new(std::io::Error::other(why.to_owned())))
}
