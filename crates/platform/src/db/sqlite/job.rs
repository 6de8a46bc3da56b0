//! Units waiting for the writer, and how it runs them: together if it can, one by one if it must.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use contracts::Source;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::gate::Gate;
use super::{Fault, Result, bare};
use crate::db::error::panicked;
use crate::db::tx::{Conn, Published, run};
use crate::db::{Error, Scope, Tx, Unit, Work};
use crate::kernel::pending::Flushed;
use crate::planted::{self, Bug};

/// How often a unit runs again because it lost to another; with one writer that is a bug, so few.
const MAX_RUNS: usize = 3;

/// A unit that waits for the writer, its types hidden.
pub(super) trait Job: Send {
    /// Whose it is.
    fn source(&self) -> Source;
    /// Runs it inside the open transaction and keeps its answer.
    fn attempt(&mut self, connection: &mut Connection) -> Result<()>;
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
}

impl Batch<'_> {
    /// Runs `jobs` in one transaction; if one of them fails, each in its own. `publish` is told
    /// what was committed before anybody is answered.
    pub(super) fn run(
        mut self,
        mut jobs: Vec<Box<dyn Job>>,
        fault: Fault,
        publish: &dyn Fn(Vec<(Source, Vec<Published>)>),
    ) {
        match self.together(&mut jobs, fault) {
            Ok(()) => {
                publish(jobs.iter_mut().map(|job| (job.source(), job.committed())).collect());
                settle(jobs, fault);
            }
            Err(Failure::Whole(error)) => {
                if planted::is(Bug::ToldBeforeCommit) {
                    publish(jobs.iter_mut().map(|job| (job.source(), job.committed())).collect());
                }
                for job in jobs {
                    job.answer(Err(error.clone()));
                }
            }
            Err(Failure::Crash) => {}
            Err(Failure::Unit) => {
                for job in jobs {
                    self.alone(job, publish);
                }
            }
        }
    }

    fn together(&mut self, jobs: &mut [Box<dyn Job>], fault: Fault) -> Result<(), Failure> {
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
        for job in jobs {
            if self.attempt(job.as_mut()).is_err() {
                self.roll_back();
                return Err(Failure::Unit);
            }
        }
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
        })
    }

    fn alone(&mut self, mut job: Box<dyn Job>, publish: &dyn Fn(Vec<(Source, Vec<Published>)>)) {
        let mut runs = 0;
        let outcome = loop {
            runs += 1;
            match self.once(job.as_mut()) {
                Err(Error::Conflict) if runs < MAX_RUNS => {}
                outcome => break outcome,
            }
        };
        if outcome.is_ok() {
            publish(vec![(job.source(), job.committed())]);
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

/// Why a batch did not commit.
enum Failure {
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
