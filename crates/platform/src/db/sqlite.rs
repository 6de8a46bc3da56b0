//! The SQLite engine: one file for the shop, one writer that batches, readers beside it.

mod follow;
mod gate;
mod job;
mod log;
mod running;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::JoinHandle;

use contracts::Source;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;

use super::error::panicked;
use super::migrate::{Dialect, Migration, runners, tables};
use super::tx::Conn;
use super::{Error, Result, Scope, Tx, Unit};
use crate::kernel::outbox::Stored;
use follow::Follower;
pub(crate) use follow::{Listener, Place};
use gate::Gate;
use job::{Batch, UnitJob, poll_once};
pub(crate) use job::{Job, MAX_LED, unattended};
use log::Found;
pub use log::{LogEntry, LogRead};
pub use running::Held;
use running::Running;

/// How many units one transaction takes at most.
const MAX_BATCH: usize = 512;

/// The oldest SQLite whose write-ahead log is known good.
const MIN_VERSION: i32 = 3_051_003;

/// What the simulation can make happen to a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The database is busy: nothing happens, and the units are told so.
    Busy,
    /// The disk is full: nothing happens, and the units are told so.
    Full,
    /// The commit fails and the units do not learn whether it happened. It did not.
    LostCommit,
    /// The commit fails and the units do not learn whether it happened. It did.
    HiddenCommit,
    /// The process dies before the commit.
    CrashBefore,
    /// The process dies right after the commit, before anybody is told.
    CrashAfter,
}

/// The shop's one file.
pub struct Sqlite {
    writer: Mutex<Writer>,
    /// Locked by the writer while it works, after [`Sqlite::writer`], and by nobody else but to close.
    followers: Mutex<Vec<Follower>>,
    readers: Vec<Mutex<Writer>>,
    queue: Mutex<Queue>,
    arrived: Condvar,
    log: Mutex<log::Log>,
    thread: Mutex<Option<JoinHandle<()>>>,
    running: Option<Running>,
}

/// A connection with its gate.
struct Writer {
    connection: Connection,
    gate: Gate,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Box<dyn Job>>,
    /// They follow the log from the next transaction on.
    joining: Vec<Follower>,
    /// Those who follow the log have something to do.
    more: bool,
    closed: bool,
}

/// What the writer does next.
struct Turn {
    jobs: Vec<Box<dyn Job>>,
    joining: Vec<Follower>,
}

impl Queue {
    /// Whether there is nothing to do.
    fn is_idle(&self) -> bool {
        self.jobs.is_empty() && self.joining.is_empty() && !self.more
    }

    /// Up to `many` units, and who follows the log from now on.
    fn take(&mut self, many: usize) -> Turn {
        let many = many.min(self.jobs.len());
        self.more = false;
        Turn { jobs: self.jobs.drain(..many).collect(), joining: std::mem::take(&mut self.joining) }
    }
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sqlite")
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panicking unit is caught before it could leave any of these half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sqlite {
    /// Opens the file `shop.db` in `folder`, creating both if need be, and starts the writer.
    ///
    /// # Errors
    /// When another process has it open, or it cannot be opened.
    pub fn open(folder: &Path, readers: usize) -> Result<Arc<Self>> {
        let running = Running::enter(folder)?;
        Self::start(&folder.join("shop.db"), readers, Some(running))
    }

    /// Opens an existing file beside the process that runs the shop, for a look or a small
    /// change by a tool: no lock is taken, and nothing it publishes would be noticed there.
    ///
    /// # Errors
    /// When there is no such file or it cannot be opened.
    pub fn beside(folder: &Path) -> Result<Arc<Self>> {
        let path = folder.join("shop.db");
        std::fs::metadata(&path).map_err(Error::unavailable)?;
        Self::start(&path, 1, None)
    }

    fn start(path: &Path, readers: usize, running: Option<Running>) -> Result<Arc<Self>> {
        let gate = Gate::default();
        let writer = Writer::open(path, &gate, OpenFlags::default())?;
        writer.configure()?;
        let read_only = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let readers: Vec<Mutex<Writer>> = (0..readers)
            .map(|_| Writer::open(path, &gate, read_only).map(Mutex::new))
            .collect::<Result<_>>()?;
        let sqlite = Self::new(writer, readers, running);
        sqlite.start_writer()?;
        Ok(sqlite)
    }

    fn start_writer(self: &Arc<Self>) -> Result<()> {
        let sqlite = Arc::clone(self);
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || sqlite.write_until_closed())
            .map_err(Error::unavailable)?;
        *locked(&self.thread) = Some(thread);
        Ok(())
    }

    /// Whether the process that had the file open before ended without [`Sqlite::close`].
    pub fn previous_run_crashed(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.previous_crashed)
    }

    /// A database in memory that does nothing by itself: the caller runs what is waiting with
    /// [`Sqlite::pump`]. For the simulation, and for tests with [`Sqlite::in_memory`].
    ///
    /// # Errors
    /// When SQLite cannot be set up.
    pub fn by_hand() -> Result<Arc<Self>> {
        Self::by_hand_on(Connection::open_in_memory().map_err(|e| Error::from_sqlite("open", e))?)
    }

    /// Continues by hand with the connection that [`Sqlite::into_connection`] gave back: what a
    /// process finds when it starts again.
    ///
    /// # Errors
    /// When SQLite cannot be set up.
    pub fn by_hand_on(connection: Connection) -> Result<Arc<Self>> {
        let gate = Gate::default();
        let writer = Writer::around(connection, &gate)?;
        writer.configure()?;
        Ok(Self::new(writer, Vec::new(), None))
    }

    /// A database in memory with a writer thread, for tests.
    ///
    /// # Errors
    /// When SQLite cannot be set up.
    pub fn in_memory() -> Result<Arc<Self>> {
        let sqlite = Self::by_hand()?;
        sqlite.start_writer()?;
        Ok(sqlite)
    }

    fn new(writer: Writer, readers: Vec<Mutex<Writer>>, running: Option<Running>) -> Arc<Self> {
        Arc::new(Self {
            writer: Mutex::new(writer),
            followers: Mutex::default(),
            readers,
            queue: Mutex::default(),
            arrived: Condvar::new(),
            log: Mutex::default(),
            thread: Mutex::default(),
            running,
        })
    }

    /// Takes the connection out of an engine nobody else uses any more: the process is gone, its
    /// data stays.
    pub fn into_connection(self: Arc<Self>) -> Option<Connection> {
        let writer = Arc::into_inner(self)?.writer;
        let writer = writer.into_inner().unwrap_or_else(PoisonError::into_inner);
        let connection = writer.connection;
        connection.flush_prepared_statement_cache();
        Some(connection)
    }

    /// Lets the writer finish what is waiting and stop, and waits until it has. Later units are told
    /// [`Error::Closed`].
    pub fn close(&self) {
        locked(&self.queue).closed = true;
        self.arrived.notify_all();
        if let Some(thread) = locked(&self.thread).take()
            && thread.join().is_err()
        {
            tracing::error!("the writer panicked");
        }
        // They hold on to services, and those to this.
        locked(&self.queue).joining.clear();
        locked(&self.followers).clear();
        if let Some(running) = &self.running {
            running.leave();
        }
    }

    pub(crate) fn migrate(&self, source: Source, migrations: &[Migration]) -> Result<()> {
        let mut writer = locked(&self.writer);
        writer.gate.admit(source, tables(source, migrations));
        let _kernel = writer.gate.as_kernel();
        for runner in runners(source, migrations, Dialect::Sqlite)? {
            runner
                .run(&mut writer.connection)
                .map_err(|error| Error::statement("migrate", error))?;
        }
        let sql = format!("SELECT max(position) FROM {source}_outbox");
        let head: Option<i64> = writer
            .connection
            .query_row(&sql, [], |row| row.get(0))
            .map_err(|error| Error::from_sqlite(&sql, error))?;
        locked(&self.log).start(source, head.unwrap_or(0));
        Ok(())
    }

    pub(crate) async fn write<U: Unit>(&self, scope: &Arc<Scope>, unit: U) -> Result<U::Out> {
        let (reply, answer) = oneshot::channel();
        let job = UnitJob::new(unit, Arc::clone(scope), reply);
        {
            let mut queue = locked(&self.queue);
            if queue.closed {
                return Err(Error::Closed);
            }
            queue.jobs.push_back(Box::new(job));
        }
        self.arrived.notify_one();
        // The writer is gone with the unit in its hands: nobody knows how far it came.
        answer.await.unwrap_or_else(|gone| Err(Error::Unknown(Arc::new(gone))))
    }

    #[expect(clippy::unused_async, reason = "the same shape as on PostgreSQL; it runs in place")]
    pub(crate) async fn read<U: Unit>(&self, scope: &Arc<Scope>, unit: &U) -> Result<U::Out> {
        let mut reader = self.reader();
        let Writer { connection, gate } = &mut *reader;
        let _turn = gate.as_service(scope.source);
        let before = connection.total_changes();
        bare(connection, "BEGIN")?;
        let outcome = {
            let mut tx = Tx::new(Conn::Sqlite(connection), scope);
            let reading = || poll_once(unit.run(&mut tx));
            let attempted = catch_unwind(AssertUnwindSafe(reading));
            scope.counters.add(tx.work());
            attempted
                .unwrap_or_else(|panic| Err(panicked(panic.as_ref())))
                .and_then(|out| tx.only_read().map(|()| out))
        };
        // Whatever happened, the connection is fit for the next. In memory it is the writer's, so
        // that the file's right to read only has to be made up for.
        if !connection.is_autocommit() {
            bare(connection, "ROLLBACK")?;
        }
        if connection.total_changes() == before { outcome } else { Err(Error::wrote()) }
    }

    /// A reader that is free, or else the first; in memory, the writer.
    fn reader(&self) -> MutexGuard<'_, Writer> {
        for reader in &self.readers {
            match reader.try_lock() {
                Ok(reader) => return reader,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        locked(self.readers.first().unwrap_or(&self.writer))
    }

    pub(crate) fn prepare(&self, scope: &Scope, statements: &[&str]) -> Result<()> {
        let writer = locked(&self.writer);
        let _turn = writer.gate.as_service(scope.source);
        for sql in statements {
            writer.connection.prepare(sql).map_err(|error| Error::from_sqlite(sql, error))?;
        }
        Ok(())
    }

    fn write_until_closed(&self) {
        loop {
            let mut queue = locked(&self.queue);
            while queue.is_idle() {
                if queue.closed {
                    return;
                }
                queue = self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
            let turn = queue.take(MAX_BATCH);
            drop(queue);
            self.run(turn, Fault::None);
        }
    }

    /// How many units wait; and one more, if those who follow the log have something to do.
    pub fn waiting(&self) -> usize {
        let queue = locked(&self.queue);
        queue.jobs.len() + usize::from(queue.more || !queue.joining.is_empty())
    }

    /// Runs up to `many` of the units that wait, in one transaction, and makes `fault` happen to it.
    pub fn pump(&self, many: usize, fault: Fault) {
        let turn = {
            let mut queue = locked(&self.queue);
            if queue.is_idle() {
                return;
            }
            queue.take(many)
        };
        self.run(turn, fault);
    }

    fn run(&self, turn: Turn, fault: Fault) {
        let mut writer = locked(&self.writer);
        let writer = &mut *writer;
        let mut followers = locked(&self.followers);
        if !turn.joining.is_empty() {
            followers.extend(turn.joining);
            // Who listens to most reacts last: to more at once.
            followers.sort_by_key(|follower| follower.place.reading.wants_kinds());
        }
        let batch = Batch {
            connection: &mut writer.connection,
            gate: &writer.gate,
            log: &self.log,
            followers: &mut followers,
        };
        if batch.run(turn.jobs, fault) {
            locked(&self.queue).more = true;
        }
    }

    /// Hands a consumer to the writer, which lets it react to each event in the transaction that
    /// publishes it. What is answered comes when it is given back. Does not wait for the writer.
    pub(crate) fn lead(
        &self,
        listener: Box<dyn Listener>,
        place: Place,
    ) -> Result<oneshot::Receiver<Place>> {
        let (follower, given_back) = Follower::new(listener, place);
        {
            let mut queue = locked(&self.queue);
            if queue.closed {
                return Err(Error::Closed);
            }
            queue.joining.push(follower);
        }
        self.arrived.notify_one();
        Ok(given_back)
    }

    /// The next events for a consumer that has handled everything up to `positions`.
    pub(crate) fn read_log(&self, reading: &mut Reading, limit: usize) -> Result<LogRead> {
        if let Some(read) = locked(&self.log).read(reading, limit) {
            return Ok(read);
        }
        self.read_outboxes(reading, limit)
    }

    /// From the outboxes themselves: for a consumer that has fallen behind what is in memory.
    fn read_outboxes(&self, reading: &Reading, limit: usize) -> Result<LogRead> {
        let here = locked(&self.log).sources();
        let reader = self.reader();
        let _kernel = reader.gate.as_kernel();
        let mut found = Found::default();
        // A service that does not run here has no outbox here.
        for (source, position) in reading.positions().filter(|(source, _)| here.contains(source)) {
            let sql = format!(
                "SELECT position, event_id, type, event FROM {source}_outbox WHERE position > ?1 \
                 ORDER BY position LIMIT ?2"
            );
            let wrong = |error| Error::from_sqlite(&sql, error);
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut statement = reader.connection.prepare_cached(&sql).map_err(wrong)?;
            let rows = statement
                .query_map([position, limit], |row| {
                    let stored = Stored { id: row.get(1)?, kind: row.get(2)?, text: row.get(3)? };
                    Ok((row.get(0)?, stored))
                })
                .map_err(wrong)?;
            for row in rows {
                let (position, stored) = row.map_err(wrong)?;
                found.note(source, position, stored, reading);
            }
        }
        Ok(found.merged())
    }
}

/// Executes what has neither parameters nor rows.
fn bare(connection: &Connection, sql: &str) -> Result<()> {
    let run = || connection.prepare_cached(sql)?.raw_execute();
    run().map(drop).map_err(|error| Error::from_sqlite(sql, error))
}

pub(crate) use log::Reading;

impl Writer {
    fn open(path: &Path, gate: &Gate, flags: OpenFlags) -> Result<Self> {
        let connection = Connection::open_with_flags(path, flags)
            .map_err(|error| Error::from_sqlite("open", error))?;
        Self::around(connection, gate)
    }

    fn around(mut connection: Connection, gate: &Gate) -> Result<Self> {
        let wrong = |error| Error::from_sqlite("set up", error);
        if rusqlite::version_number() < MIN_VERSION {
            return Err(Error::Failed(format!("SQLite {} is too old", rusqlite::version())));
        }
        let gate = gate.for_connection();
        connection.set_prepared_statement_cache_capacity(1024);
        connection
            .execute_batch(
                "PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000; PRAGMA temp_store = MEMORY; \
                 PRAGMA trusted_schema = OFF; PRAGMA cache_size = -32000;",
            )
            .map_err(wrong)?;
        // Else SQLite looks at what is bound, to plan better, and prepares most statements anew each
        // time they run: half of all the time of a busy shop.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(wrong)?;
        connection.authorizer(Some(gate.authorizer())).map_err(wrong)?;
        Ok(Self { connection, gate })
    }

    /// What the file needs, and only a writer may set.
    fn configure(&self) -> Result<()> {
        let _kernel = self.gate.as_kernel();
        self.connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                 PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864;",
            )
            .map_err(|error| Error::from_sqlite("configure", error))
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn a_statement_is_prepared_once_however_often_it_runs() {
        let connection = Connection::open_in_memory().unwrap();
        let writer = Writer::around(connection, &Gate::default()).unwrap();
        let sql = "CREATE TABLE t (id uuid PRIMARY KEY, kind text, due bigint) WITHOUT ROWID";
        writer.connection.execute_batch(sql).unwrap();
        let sql = "SELECT id FROM t WHERE kind = $1 AND due <= $2 ORDER BY id LIMIT $3";
        let mut statement = writer.connection.prepare(sql).unwrap();
        for due in 0..5 {
            assert!(!statement.exists(("timer", due, 10)).unwrap());
        }
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }
}
