//! Data: two engines, one SQL text, and units of work that can run again.
//!
//! [`Db`] is one service's view of its database. On SQLite all services share one file and one
//! writer, which runs what is waiting in one transaction and one fsync; an authorizer keeps
//! each service to its own tables. On PostgreSQL each service has a database of its own.
//!
//! **Invariant.** No network call and no waiting happens inside a unit: on SQLite a unit that
//! waits fails, so the same code cannot do it on PostgreSQL either.

mod error;
pub(crate) mod migrate;
mod pause;
mod postgres;
mod row;
mod sqlite;
pub(crate) mod tx;
mod value;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use contracts::Source;
use uuid::Uuid;

pub use error::Error;
pub(crate) use migrate::Dialect;
pub use migrate::Migration;
pub use pause::Pause;
pub(crate) use postgres::Lead;
pub use postgres::{Postgres, PostgresConfig};
pub use row::{Column, FromRow, Row};
pub use sqlite::{Fault, Held, LogEntry, LogRead, Sqlite};
pub(crate) use sqlite::{Job, Listener, MAX_LED, Place, Reading, unattended};
pub use tx::{Expect, NewEvent, Tx};
pub use value::{Json, Value};

use crate::clock::Clock;
use crate::ids::Ids;
use crate::kernel::Statements;
use crate::kernel::wake::Wake;
pub use crate::kernel::watch::Watch;

/// What the database answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The parameters of a statement, `$1` first.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { [$($crate::db::Value::from($value)),*] };
}

/// A unit of work: everything in it happens, or nothing. It may run several times, so ids and
/// time are taken inside it, from the transaction, and nothing outside is touched.
pub trait Unit: Send + Sync + 'static {
    /// What it answers. A refusal by the domain is an answer: it has written nothing.
    type Out: Send + 'static;

    /// Whether, on PostgreSQL, it may run in one transaction with others that run at the same time, the
    /// statements of one between those of another. It may where whatever it decides by is in the rows that
    /// it writes, and these are new or chosen by their version; and where it only reads a little.
    const TOGETHER: bool = false;

    /// Does the work.
    fn run(&self, tx: &mut Tx<'_>) -> impl Future<Output = Result<Self::Out>> + Send;
}

/// What every transaction of a service needs to know.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) source: Source,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) kernel: Statements,
    pub(crate) counters: Counters,
    pub(crate) wake: Wake,
}

/// How much work a service's database has done: tests hold use cases to it.
#[derive(Debug, Default)]
pub struct Counters {
    statements: AtomicU64,
    round_trips: AtomicU64,
    rows_written: AtomicU64,
    commits: AtomicU64,
    boundaries: AtomicU64,
}

/// A reading of [`Counters`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Work {
    /// Statements executed.
    pub statements: u64,
    /// Waits for the server on PostgreSQL: pipelined statements share one. On SQLite, calls.
    pub round_trips: u64,
    /// Rows inserted, changed or deleted.
    pub rows_written: u64,
    /// Units of work committed.
    pub commits: u64,
    /// On PostgreSQL, further waits, to begin and to end transactions that went well: two where something is
    /// written, one where it is only read. On SQLite none: units share theirs.
    pub boundaries: u64,
}

impl Work {
    /// What was done since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            statements: self.statements - earlier.statements,
            round_trips: self.round_trips - earlier.round_trips,
            rows_written: self.rows_written - earlier.rows_written,
            commits: self.commits - earlier.commits,
            boundaries: self.boundaries - earlier.boundaries,
        }
    }

    /// What was done by this and by `other` in one transaction, while they waited together.
    fn beside(self, other: Self) -> Self {
        Self {
            statements: self.statements + other.statements,
            round_trips: self.round_trips.max(other.round_trips),
            rows_written: self.rows_written + other.rows_written,
            commits: self.commits + other.commits,
            boundaries: self.boundaries.max(other.boundaries),
        }
    }
}

impl Counters {
    pub(crate) fn add(&self, done: Work) {
        self.statements.fetch_add(done.statements, Ordering::Relaxed);
        self.round_trips.fetch_add(done.round_trips, Ordering::Relaxed);
        self.rows_written.fetch_add(done.rows_written, Ordering::Relaxed);
        self.commits.fetch_add(done.commits, Ordering::Relaxed);
        self.boundaries.fetch_add(done.boundaries, Ordering::Relaxed);
    }

    fn read(&self) -> Work {
        Work {
            statements: self.statements.load(Ordering::Relaxed),
            round_trips: self.round_trips.load(Ordering::Relaxed),
            rows_written: self.rows_written.load(Ordering::Relaxed),
            commits: self.commits.load(Ordering::Relaxed),
            boundaries: self.boundaries.load(Ordering::Relaxed),
        }
    }
}

/// One service's database. Clones are the same database.
#[derive(Clone, Debug)]
pub struct Db {
    pub(crate) scope: Arc<Scope>,
    engine: Engine,
}

#[derive(Clone, Debug)]
enum Engine {
    Sqlite(Arc<Sqlite>),
    Postgres(Postgres),
}

impl Db {
    /// The database of `source` inside the shop's one file, its tables created or brought up to date.
    ///
    /// # Errors
    /// When a migration fails.
    pub fn on_sqlite(
        sqlite: &Arc<Sqlite>,
        source: Source,
        migrations: &'static [Migration],
        clock: Clock,
        ids: Ids,
    ) -> Result<Self> {
        sqlite.migrate(source, migrations)?;
        let scope = Arc::new(Scope::new(source, Dialect::Sqlite, clock, ids));
        Ok(Self { scope, engine: Engine::Sqlite(Arc::clone(sqlite)) })
    }

    /// The database of `source` on a PostgreSQL server, its tables created or brought up to date.
    ///
    /// # Errors
    /// When the server cannot be reached or a migration fails.
    pub async fn on_postgres(
        told: &PostgresConfig,
        source: Source,
        migrations: &'static [Migration],
        clock: Clock,
        ids: Ids,
    ) -> Result<Self> {
        let postgres = Postgres::connect(told, source)?;
        postgres.migrate(source, migrations).await?;
        let scope = Arc::new(Scope::new(source, Dialect::Postgres, clock, ids));
        let db = Self { scope, engine: Engine::Postgres(postgres) };
        db.agree_on_time().await?;
        Ok(db)
    }

    /// Waits until the server of `source`'s database answers, for `patience` at most: it may be
    /// starting itself.
    ///
    /// # Errors
    /// When it does not answer in time, or answers that it will not.
    pub async fn await_postgres(
        told: &PostgresConfig,
        source: Source,
        patience: Duration,
    ) -> Result<()> {
        const PAUSE: Duration = Duration::from_secs(1);
        let clock = Clock::system();
        let until = clock.now().plus(patience);
        loop {
            match Postgres::session(told, source).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_environment() && clock.now() < until => {
                    let service = source.name();
                    tracing::warn!(service, ?error, "the database is not reached: waiting for it");
                    clock.sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Lets the service's clock tell the time of the server, which all instances share. Who has a file
    /// has it alone.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn agree_on_time(&self) -> Result<()> {
        let Engine::Postgres(postgres) = &self.engine else { return Ok(()) };
        let clock = &self.scope.clock;
        let before = clock.now();
        let there = postgres.time().await?;
        if let Some(micros) = clock.correct(there, before, clock.now()) {
            tracing::warn!(
                service = self.scope.source.name(),
                ahead_ms = micros / 1000,
                "this machine's clock is not that of the database: corrected"
            );
        }
        Ok(())
    }

    /// Runs `unit` in a transaction of its own task: a caller that goes away leaves nothing half
    /// done. It runs again when another change came first.
    ///
    /// # Errors
    /// What the unit or the database said; [`Error::Unknown`] when the commit's outcome is not known.
    pub async fn write<U: Unit>(&self, unit: U) -> Result<U::Out> {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.write(&self.scope, unit).await,
            Engine::Postgres(postgres) => postgres.write(&self.scope, unit).await,
        }
    }

    /// Runs `unit` on a consistent view of the data, without the right to change it. Never blocks
    /// the writer.
    ///
    /// # Errors
    /// What the unit or the database said.
    pub async fn read<U: Unit>(&self, unit: U) -> Result<U::Out> {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.read(&self.scope, &unit).await,
            Engine::Postgres(postgres) => postgres.read(&self.scope, unit).await,
        }
    }

    /// Watches `subject` from now on: a commit of this process that says [`Tx::changed`] about it
    /// wakes, and `pause` is how long until it is worth looking for those of other processes.
    pub fn watch(&self, subject: Uuid, pause: Duration) -> Watch {
        self.scope.wake.watchers.watch(subject, self.scope.clock.clone(), pause)
    }

    /// The same database, its transactions stopped by `pause` where it is on a PostgreSQL server:
    /// for tests of what happens between two statements.
    #[must_use]
    pub fn paused_by(&self, pause: &Pause) -> Self {
        let engine = match &self.engine {
            Engine::Sqlite(sqlite) => Engine::Sqlite(Arc::clone(sqlite)),
            Engine::Postgres(postgres) => Engine::Postgres(postgres.paused_by(pause)),
        };
        Self { scope: Arc::clone(&self.scope), engine }
    }

    /// Prepares each statement without running it.
    ///
    /// # Errors
    /// The first one that the engine refuses.
    pub async fn prepare(&self, statements: &[&str]) -> Result<()> {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.prepare(&self.scope, statements),
            Engine::Postgres(postgres) => postgres.prepare(statements).await,
        }
    }

    /// Prepares every statement of the kernel.
    ///
    /// # Errors
    /// The first one that the engine refuses.
    pub async fn prepare_kernel(&self) -> Result<()> {
        self.prepare(&self.scope.kernel.all()).await
    }

    /// Whose database it is.
    pub fn source(&self) -> Source {
        self.scope.source
    }

    /// How much work has been done so far.
    pub fn work(&self) -> Work {
        self.scope.counters.read()
    }

    /// The clock its transactions go by.
    pub fn clock(&self) -> &Clock {
        &self.scope.clock
    }

    /// Where its transactions get ids.
    pub fn ids(&self) -> &Ids {
        &self.scope.ids
    }

    /// The server's engine, where it is one.
    pub(crate) fn postgres(&self) -> Option<&Postgres> {
        match &self.engine {
            Engine::Sqlite(_) => None,
            Engine::Postgres(postgres) => Some(postgres),
        }
    }

    /// The file's engine, where it is one.
    pub fn sqlite(&self) -> Option<&Arc<Sqlite>> {
        match &self.engine {
            Engine::Sqlite(sqlite) => Some(sqlite),
            Engine::Postgres(_) => None,
        }
    }
}

impl Scope {
    fn new(source: Source, dialect: Dialect, clock: Clock, ids: Ids) -> Self {
        Self {
            source,
            clock,
            ids,
            kernel: Statements::of(source, dialect),
            counters: Counters::default(),
            wake: Wake::default(),
        }
    }
}
