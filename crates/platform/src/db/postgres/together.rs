//! Units that run at the same time share a transaction: one BEGIN, one COMMIT with its fsync, and while
//! one waits for the server, the statements of the others go there too. They do not share a fate: if
//! one fails, each runs again in a transaction of its own.

use std::collections::VecDeque;
use std::error::Error as StdError;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deadpool_postgres::Transaction;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use tokio::sync::oneshot;

use super::Postgres;
use crate::db::error::panicked;
use crate::db::tx::{Conn, run};
use crate::db::{Error, Result, Scope, Tx, Unit, Work};
use crate::kernel::pending::Flushed;
use crate::tasks;

/// How many units one transaction takes at most.
const AT_ONCE: usize = 128;

/// How many such transactions a service has at once: one is filled while another is committed.
const LANES: usize = 2;

/// What is done in a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It changes something.
    Write,
    /// It reads, on one consistent view.
    Read,
}

/// The units of one kind that wait for a transaction.
#[derive(Default)]
pub(super) struct Together(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Box<dyn Job>>,
    lanes: usize,
}

impl std::fmt::Debug for Together {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Together")
    }
}

impl Together {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets `job` wait, and says whether somebody has to begin another lane for it.
    fn add(&self, job: Box<dyn Job>) -> bool {
        let mut waiting = self.waiting();
        waiting.jobs.push_back(job);
        let begins = waiting.lanes < LANES;
        waiting.lanes += usize::from(begins);
        begins
    }

    /// Those whose turn it is. If there are none, the lane ends.
    fn take(&self) -> Option<Vec<Box<dyn Job>>> {
        let mut waiting = self.waiting();
        let many = waiting.jobs.len().min(AT_ONCE);
        if many == 0 {
            waiting.lanes -= 1;
            return None;
        }
        Some(waiting.jobs.drain(..many).collect())
    }
}

/// How a transaction ended for those in it.
#[derive(Clone)]
enum Ending {
    /// As it should.
    Well,
    /// It was never begun.
    NotBegun(Error),
    /// Nobody knows whether it was committed.
    Unknown(Arc<dyn StdError + Send + Sync>),
    /// It was rolled back because one of them failed.
    Again,
}

/// A unit that waits, its types hidden.
trait Job: Send {
    /// Whether nobody waits for its answer any more.
    fn is_abandoned(&self) -> bool;
    /// Runs it in a transaction, and keeps what came of it.
    fn attempt<'j>(&'j mut self, tx: &'j Transaction<'_>) -> BoxFuture<'j, Result<Work>>;
    /// Tells whoever waits; or lets it run alone, and does so then.
    fn settle(self: Box<Self>, ending: Ending);
}

struct UnitJob<U: Unit> {
    unit: U,
    kind: Kind,
    postgres: Postgres,
    scope: Arc<Scope>,
    done: Option<(U::Out, Flushed)>,
    reply: oneshot::Sender<Result<U::Out>>,
}

async fn once<U: Unit>(unit: &U, kind: Kind, tx: &mut Tx<'_>) -> Result<(U::Out, Flushed)> {
    match kind {
        Kind::Write => run(tx, unit).await,
        Kind::Read => {
            let out = unit.run(tx).await?;
            tx.only_read().map(|()| (out, Flushed::default()))
        }
    }
}

impl<U: Unit> Job for UnitJob<U> {
    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn attempt<'j>(&'j mut self, tx: &'j Transaction<'_>) -> BoxFuture<'j, Result<Work>> {
        async move {
            let Self { unit, kind, scope, done, .. } = self;
            let mut tx = Tx::new(Conn::Postgres(tx), scope);
            let attempted = AssertUnwindSafe(once(unit, *kind, &mut tx)).catch_unwind().await;
            let work = tx.work();
            *done = Some(attempted.unwrap_or_else(|panic| Err(panicked(panic.as_ref())))?);
            Ok(work)
        }
        .boxed()
    }

    fn settle(self: Box<Self>, ending: Ending) {
        let Self { unit, kind, postgres, scope, done, reply } = *self;
        // Whoever asked may have gone; what is written is written all the same.
        let _ = match (ending, done) {
            (Ending::Well, Some((out, mut flushed))) => {
                scope.wake.after_commit(&mut flushed);
                reply.send(Ok(out))
            }
            (Ending::Unknown(why), Some((_, flushed))) => {
                scope.wake.doubt(flushed.claimed);
                reply.send(Err(Error::Unknown(why)))
            }
            (Ending::Unknown(why), None) => reply.send(Err(Error::Unknown(why))),
            (Ending::NotBegun(error), _) => reply.send(Err(error)),
            (Ending::Well, None) => reply.send(Err(Error::Closed)),
            (Ending::Again, _) => {
                tasks::spawn("unit", async move {
                    let outcome = match kind {
                        Kind::Write => postgres.write_alone(&scope, unit).await,
                        Kind::Read => postgres.read_alone(&scope, &unit).await,
                    };
                    let _ = reply.send(outcome);
                });
                return;
            }
        };
    }
}

impl Postgres {
    /// Runs `unit` in the next transaction of its kind, with whatever else waits for it.
    pub(super) async fn together<U: Unit>(
        &self,
        scope: &Arc<Scope>,
        unit: U,
        kind: Kind,
    ) -> Result<U::Out> {
        let (reply, answer) = oneshot::channel();
        let (postgres, scope) = (self.clone(), Arc::clone(scope));
        let job = UnitJob { unit, kind, postgres, scope: Arc::clone(&scope), done: None, reply };
        if self.waiting(kind).add(Box::new(job)) {
            let postgres = self.clone();
            tasks::spawn("units", async move {
                while let Some(jobs) = postgres.waiting(kind).take() {
                    postgres.share(&scope, jobs, kind).await;
                }
            });
        }
        // It ended with the unit in its hands: nobody knows how far it came.
        answer.await.unwrap_or_else(|gone| Err(Error::Unknown(Arc::new(gone))))
    }

    fn waiting(&self, kind: Kind) -> &Together {
        match kind {
            Kind::Write => &self.writes,
            Kind::Read => &self.reads,
        }
    }

    async fn share(&self, scope: &Scope, mut jobs: Vec<Box<dyn Job>>, kind: Kind) {
        if kind == Kind::Read {
            jobs.retain(|job| !job.is_abandoned());
        }
        let ending = self.attempt(scope, &mut jobs, kind).await;
        for job in jobs {
            job.settle(ending.clone());
        }
    }

    async fn attempt(&self, scope: &Scope, jobs: &mut [Box<dyn Job>], kind: Kind) -> Ending {
        if jobs.is_empty() {
            return Ending::Well;
        }
        let mut client = match self.pool.get().await {
            Ok(client) => client,
            Err(error) => return Ending::NotBegun(Error::unavailable(error)),
        };
        let begun = match kind {
            Kind::Write => Self::begin(&mut client).await,
            Kind::Read => Self::begin_reading(&mut client).await,
        };
        let tx = match begun {
            Ok(tx) => tx,
            Err(error) => return Ending::NotBegun(error),
        };
        let attempted = join_all(jobs.iter_mut().map(|job| job.attempt(&tx))).await;
        // An error drops the transaction, which rolls it back.
        let Ok(works) = attempted.into_iter().collect::<Result<Vec<Work>>>() else {
            return Ending::Again;
        };
        let mut work = works.into_iter().fold(Work::default(), Work::beside);
        work.boundaries = 1;
        if kind == Kind::Write {
            work.boundaries = 2;
            match Self::commit(tx).await {
                Ok(()) => {}
                Err(Error::Unknown(why)) => return Ending::Unknown(why),
                // What is checked at the end is the fault of one, not of its neighbours.
                Err(_) => return Ending::Again,
            }
        }
        scope.counters.add(work);
        Ending::Well
    }
}
