//! The PostgreSQL engine: one database per service, a bounded pool, pipelined statements.

pub(super) mod arrays;
mod lead;
mod server;
mod together;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use contracts::{Source, Timestamp};
use deadpool_postgres::{
    Client, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Transaction,
};
use futures_util::FutureExt;
use tokio::task::JoinHandle;
use tokio_postgres::IsolationLevel;
use tracing::warn;

use super::error::panicked;
use super::migrate::{Dialect, Migration, runners};
use super::pause::Pause;
use super::tx::{Conn, run};
use super::{Error, Result, Scope, Tx, Unit, Work};
use crate::clock::Clock;
use crate::keep::IS_MARKED;
use crate::tasks;

pub(crate) use lead::Lead;
pub use server::PostgresConfig;
use server::Server;
use together::{Kind, Together};

/// How often a unit runs again because another change came first.
const MAX_RUNS: u32 = 16;

/// The databases of one service on a PostgreSQL server.
#[derive(Clone, Debug)]
pub struct Postgres {
    pool: Pool,
    server: Arc<Server>,
    /// Units that wait for a transaction with others.
    writes: Arc<Together>,
    reads: Arc<Together>,
    /// Where a test stops its transactions.
    pause: Option<Pause>,
}

impl Postgres {
    /// A pool of connections to the database of `source` that `told` names. Connects when first
    /// used.
    ///
    /// # Errors
    /// When what is told cannot be an address, or its certificates cannot be read.
    pub(crate) fn connect(told: &PostgresConfig, source: Source) -> Result<Self> {
        let mut server = Server::of(told, source)?;
        // What a service asks for it finds by an index. A plan made while a table was small would read
        // all of it, until statistics say that it has grown.
        server.insist(&["enable_seqscan=off", "enable_hashjoin=off", "enable_mergejoin=off"]);
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(server.config.clone(), server.tls.clone(), recycling);
        let pool = Pool::builder(manager)
            .max_size(told.connections)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(Duration::from_secs(10)))
            .create_timeout(Some(Duration::from_secs(5)))
            .build()
            .map_err(Error::unavailable)?;
        let (writes, reads) = (Arc::default(), Arc::default());
        Ok(Self { pool, server: Arc::new(server), writes, reads, pause: None })
    }

    /// The same, stopped by `pause`.
    pub(crate) fn paused_by(&self, pause: &Pause) -> Self {
        Self { pause: Some(pause.clone()), ..self.clone() }
    }

    /// A connection beside any pool, for a tool, and the task that keeps it going.
    pub(crate) async fn session(
        told: &PostgresConfig,
        source: Source,
    ) -> Result<(tokio_postgres::Client, JoinHandle<()>)> {
        let server = Server::of(told, source)?;
        let (client, connection) = server
            .config
            .connect(server.tls.clone())
            .await
            .map_err(|error| Error::from_postgres("connect", error))?;
        Ok((client, tasks::spawn("keeping", async move { drop(connection.await) })))
    }

    /// Brings the tables up to date; instances that start together take turns.
    pub(crate) async fn migrate(&self, source: Source, migrations: &[Migration]) -> Result<()> {
        let mut client = self.pool.get().await.map_err(Error::unavailable)?;
        let marked = client.query_one(IS_MARKED, &[]).await;
        if marked.map_err(|error| Error::from_postgres(IS_MARKED, error))?.get(0) {
            return Err(Error::Failed(format!(
                "a restore into the database of {source} did not finish: drop it, create it anew, and restore again"
            )));
        }
        // Whoever waits for its turn, or builds an index, is not stuck.
        const PATIENCE: &str = "SET statement_timeout = 0";
        const LIMITS: &str = "RESET statement_timeout";
        client.batch_execute(PATIENCE).await.map_err(|e| Error::from_postgres(PATIENCE, e))?;
        // One lock for all services: any fixed number does.
        const LOCK: &str = "SELECT pg_advisory_lock(7305809)";
        const UNLOCK: &str = "SELECT pg_advisory_unlock(7305809)";
        client.batch_execute(LOCK).await.map_err(|e| Error::from_postgres(LOCK, e))?;
        for runner in runners(source, migrations, Dialect::Postgres)? {
            let client: &mut tokio_postgres::Client = &mut client;
            // The next release only adds to the tables: this one goes on beside it.
            let runner = runner.set_abort_missing(false);
            runner.run_async(client).await.map_err(|e| Error::statement("migrate", e))?;
            let applied = runner.get_applied_migrations_async(client).await;
            let applied = applied.map_err(|e| Error::statement("migrate", e))?;
            let newer = applied.len().saturating_sub(runner.get_migrations().len());
            if newer > 0 {
                warn!(
                    service = %source, steps = newer,
                    "the tables are of a newer release: well during an upgrade, by one release"
                );
            }
        }
        client.batch_execute(UNLOCK).await.map_err(|e| Error::from_postgres(UNLOCK, e))?;
        client.batch_execute(LIMITS).await.map_err(|e| Error::from_postgres(LIMITS, e))
    }

    pub(crate) async fn write<U: Unit>(&self, scope: &Arc<Scope>, unit: U) -> Result<U::Out> {
        if U::TOGETHER && self.pause.is_none() {
            return self.together(scope, unit, Kind::Write).await;
        }
        let (postgres, scope) = (self.clone(), Arc::clone(scope));
        let task = tasks::spawn("unit", async move { postgres.write_alone(&scope, unit).await });
        task.await.unwrap_or_else(|error| Err(Error::Panicked(error.to_string())))
    }

    async fn write_alone<U: Unit>(&self, scope: &Scope, unit: U) -> Result<U::Out> {
        let mut runs = 0;
        loop {
            runs += 1;
            match self.write_once(scope, &unit).await {
                Err(Error::Conflict) if runs < MAX_RUNS => {
                    // In the server's time, which does not stand still with a virtual clock.
                    let pause = Duration::from_millis(u64::from(runs * runs));
                    Clock::system().sleep(pause).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn write_once<U: Unit>(&self, scope: &Scope, unit: &U) -> Result<U::Out> {
        let mut client = self.pool.get().await.map_err(Error::unavailable)?;
        let begun = Self::begin(&mut client).await?;
        let mut tx = Tx::new(Conn::Postgres(&begun), scope).paused_by(self.pause.as_ref());
        // An error drops the transaction, which rolls it back.
        let running = AssertUnwindSafe(run(&mut tx, unit)).catch_unwind();
        let ran = running.await.unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
        let (out, mut flushed) = ran?;
        let work = tx.work();
        if let Some(pause) = &self.pause {
            pause.reach("COMMIT").await;
        }
        Self::commit(begun).await.inspect_err(|error| {
            if let Error::Unknown(_) = error {
                scope.wake.doubt(std::mem::take(&mut flushed.claimed));
            }
        })?;
        scope.counters.add(Work { boundaries: 2, ..work });
        scope.wake.after_commit(&mut flushed);
        Ok(out)
    }

    async fn begin(client: &mut Client) -> Result<Transaction<'_>> {
        client.transaction().await.map_err(|error| Error::from_postgres("BEGIN", error))
    }

    async fn commit(begun: Transaction<'_>) -> Result<()> {
        begun.commit().await.map_err(|error| {
            let refused = Error::from_postgres("COMMIT", error);
            // The server, or the way to it, is gone: nobody knows what it still did.
            if let Error::Unavailable(source) = refused { Error::Unknown(source) } else { refused }
        })
    }

    pub(crate) async fn read<U: Unit>(&self, scope: &Arc<Scope>, unit: U) -> Result<U::Out> {
        if U::TOGETHER && self.pause.is_none() {
            return self.together(scope, unit, Kind::Read).await;
        }
        self.read_alone(scope, &unit).await
    }

    async fn read_alone<U: Unit>(&self, scope: &Scope, unit: &U) -> Result<U::Out> {
        let mut client = self.pool.get().await.map_err(Error::unavailable)?;
        let begun = Self::begin_reading(&mut client).await?;
        let mut tx = Tx::new(Conn::Postgres(&begun), scope).paused_by(self.pause.as_ref());
        let reading = AssertUnwindSafe(unit.run(&mut tx)).catch_unwind();
        let out = reading.await.unwrap_or_else(|panic| Err(panicked(panic.as_ref())))?;
        tx.only_read()?;
        scope.counters.add(Work { boundaries: 1, ..tx.work() });
        // There is nothing to commit: dropping it ends it, and nobody waits for that.
        Ok(out)
    }

    async fn begin_reading(client: &mut Client) -> Result<Transaction<'_>> {
        let isolated = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
        let begun = isolated.read_only(true).start().await;
        begun.map_err(|error| Error::from_postgres("BEGIN", error))
    }

    /// What time it is there.
    pub(crate) async fn time(&self) -> Result<Timestamp> {
        const TIME: &str = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)";
        let client = self.pool.get().await.map_err(Error::unavailable)?;
        let row = client.query_one(TIME, &[]).await.map_err(|e| Error::from_postgres(TIME, e))?;
        let micros = row.try_get(0).map_err(|e| Error::from_postgres(TIME, e))?;
        Ok(Timestamp::from_micros(micros))
    }

    pub(crate) async fn prepare(&self, statements: &[&str]) -> Result<()> {
        let client = self.pool.get().await.map_err(Error::unavailable)?;
        for sql in statements {
            client.prepare(sql).await.map_err(|error| Error::from_postgres(sql, error))?;
        }
        Ok(())
    }
}
