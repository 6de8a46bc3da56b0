//! A shop on PostgreSQL, as a tool sees it: a connection to the database of each service.

use std::collections::BTreeMap;
use std::time::Duration;

use contracts::Source;
use futures_util::future::try_join_all;
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::Plan;
use super::columns::{Column, Kind};
use super::file::histories;
use crate::clock::Clock;
use crate::db::{Error, Postgres, PostgresConfig, Result};

/// The databases of a shop's services.
#[derive(Debug)]
pub struct Servers {
    pub(super) sessions: BTreeMap<Source, Session>,
    told: BTreeMap<Source, PostgresConfig>,
}

/// A connection that ends with this.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) client: Client,
    connection: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// Whoever copies takes long, and is not stuck. By the name, this is not a running service.
const SET_UP: &str = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; \
                      SET application_name = 'kontor-keeping'; SET client_min_messages = warning;";

/// Says in a database that what is copied into it is not complete.
const MARK: &str = "CREATE TABLE IF NOT EXISTS kontor_unfinished (why text NOT NULL)";
const UNMARK: &str = "DROP TABLE IF EXISTS kontor_unfinished";
/// Whether it is said.
pub(crate) const IS_MARKED: &str = "SELECT to_regclass('kontor_unfinished') IS NOT NULL";

/// How often everybody is asked to hold still, and how long that is waited for.
const ATTEMPTS: u32 = 20;
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn failed(sql: &str) -> impl Fn(tokio_postgres::Error) -> Error {
    move |error| Error::from_postgres(sql, error)
}

impl Session {
    async fn open(told: &PostgresConfig, source: Source) -> Result<Self> {
        let (client, connection) = Postgres::session(told, source).await?;
        client.batch_execute(SET_UP).await.map_err(failed(SET_UP))?;
        Ok(Self { client, connection })
    }

    pub(super) async fn run(&self, sql: &str) -> Result<()> {
        self.client.batch_execute(sql).await.map_err(failed(sql))
    }

    /// Which migrations a service's tables have had, the kernel's first; none if it has no tables.
    pub(super) async fn versions(&self, source: Source) -> Result<Vec<(i64, String)>> {
        let mut versions = Vec::new();
        for history in histories(source) {
            const THERE: &str = "SELECT to_regclass($1) IS NOT NULL";
            let there = self.client.query_one(THERE, &[&history]).await.map_err(failed(THERE))?;
            if there.get(0) {
                let sql = format!("SELECT version, name FROM {history} ORDER BY version");
                for row in self.client.query(&sql, &[]).await.map_err(failed(&sql))? {
                    versions.push((i64::from(row.get::<_, i32>(0)), row.get(1)));
                }
            }
        }
        Ok(versions)
    }

    pub(super) async fn columns(&self, table: &str) -> Result<Vec<Column>> {
        const SQL: &str = "SELECT column_name::text, data_type::text FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position";
        let rows = self.client.query(SQL, &[&table]).await.map_err(failed(SQL))?;
        rows.iter()
            .map(|row| {
                let (name, declared): (String, String) = (row.get(0), row.get(1));
                let kind = Kind::declared(&declared).ok_or_else(|| {
                    Error::Failed(format!("{table}.{name} is a {declared}, which cannot be copied"))
                })?;
                Ok(Column { name, kind })
            })
            .collect()
    }

    pub(super) async fn number(&self, sql: &str) -> Result<u64> {
        let row = self.client.query_one(sql, &[]).await.map_err(failed(sql))?;
        Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0))
    }
}

impl Servers {
    /// Connects to the databases that `told` names.
    ///
    /// # Errors
    /// When one does not answer.
    pub async fn connect(told: &BTreeMap<Source, PostgresConfig>) -> Result<Self> {
        Ok(Self { sessions: sessions(told).await?, told: told.clone() })
    }

    /// Who uses the database of `source` besides, by the names of their programs. Whoever has just
    /// ended is given a moment.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn users(&self, source: Source) -> Result<Vec<String>> {
        const SQL: &str = "SELECT DISTINCT application_name FROM pg_stat_activity \
             WHERE datname = current_database() AND application_name LIKE 'kontor-%' \
             AND application_name <> 'kontor-keeping' ORDER BY 1";
        let mut users = Vec::new();
        for _ in 0..4 {
            let rows = self.session(source)?.client.query(SQL, &[]).await.map_err(failed(SQL))?;
            users = rows.iter().map(|row| row.get(0)).collect();
            if users.is_empty() {
                break;
            }
            Clock::system().sleep(Duration::from_millis(500)).await;
        }
        Ok(users)
    }

    /// Takes hold of one moment of the whole shop: nobody says anything for a few milliseconds, and
    /// what is read from now on is of that moment, in each database. Answers how long they waited.
    ///
    /// # Errors
    /// When somebody does not stop writing, or a server does not answer.
    pub async fn take_hold(&self) -> Result<Duration> {
        for _ in 0..ATTEMPTS {
            let lockers = sessions(&self.told).await?;
            let begun = Clock::system().now();
            let locked = try_join_all(lockers.iter().map(|(source, locker)| async move {
                // A row goes into an outbox with all that follows from it: with the outboxes locked,
                // nobody has heard anything that its publisher does not know.
                let patience = PATIENCE.as_millis();
                let sql = format!(
                    "BEGIN; SET LOCAL lock_timeout = {patience}; LOCK TABLE {source}_outbox IN SHARE MODE"
                );
                locker.client.batch_execute(&sql).await
            }));
            if let Err(error) = locked.await {
                if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) {
                    drop(lockers);
                    continue;
                }
                return Err(Error::from_postgres("LOCK TABLE", error));
            }
            let looking = self.sessions.iter().map(|(source, session)| async move {
                // The moment is that of the first look.
                let sql = format!(
                    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT count(*) FROM \
                     (SELECT 1 FROM {source}_outbox LIMIT 1) AS first"
                );
                session.run(&sql).await
            });
            try_join_all(looking).await?;
            for locker in lockers.values() {
                locker.run("ROLLBACK").await?;
            }
            return Ok(Clock::system().now().since(begun));
        }
        Err(Error::Failed("the services do not stop writing for a moment".to_owned()))
    }

    /// Lets go of what [`Servers::take_hold`] holds.
    ///
    /// # Errors
    /// When a server does not answer.
    pub async fn let_go(&self) -> Result<()> {
        for session in self.sessions.values() {
            session.run("ROLLBACK").await?;
        }
        Ok(())
    }

    /// That a service's tables are of this release, as `versions` says.
    pub(super) async fn is_of(&self, plan: &Plan, versions: &[(i64, String)]) -> Result<()> {
        let there = self.session(plan.source)?.versions(plan.source).await?;
        if there == versions {
            return Ok(());
        }
        let last = |all: &[(i64, String)]| {
            all.last()
                .map_or_else(|| "nothing".to_owned(), |(version, name)| format!("{version} {name}"))
        };
        Err(Error::Failed(format!(
            "the tables of {} are of another release: {} there, {} here. Start this release on them once, or \
             use theirs",
            plan.source,
            last(&there),
            last(versions)
        )))
    }

    /// Whether it is said of one of these that what it holds is not complete.
    ///
    /// # Errors
    /// When a server does not answer.
    pub async fn is_marked(&self, plans: &[Plan]) -> Result<bool> {
        for plan in plans {
            let client = &self.session(plan.source)?.client;
            let marked = client.query_one(IS_MARKED, &[]).await.map_err(failed(IS_MARKED))?;
            if marked.get(0) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Says in the databases of these services that what they hold is not complete: a shop refuses to
    /// start on them.
    ///
    /// # Errors
    /// When a server refuses.
    pub async fn mark(&self, plans: &[Plan]) -> Result<()> {
        for plan in plans {
            self.session(plan.source)?.run(MARK).await?;
        }
        Ok(())
    }

    /// Takes that back.
    ///
    /// # Errors
    /// When a server refuses.
    pub async fn unmark(&self, plans: &[Plan]) -> Result<()> {
        for plan in plans {
            self.session(plan.source)?.run(UNMARK).await?;
        }
        Ok(())
    }

    pub(super) fn session(&self, source: Source) -> Result<&Session> {
        let found = self.sessions.get(&source);
        found.ok_or_else(|| Error::Failed(format!("the database of {source} is not known")))
    }
}

async fn sessions(told: &BTreeMap<Source, PostgresConfig>) -> Result<BTreeMap<Source, Session>> {
    let opening = told
        .iter()
        .map(|(source, told)| async move { Ok((*source, Session::open(told, *source).await?)) });
    Ok(try_join_all(opening).await?.into_iter().collect())
}
