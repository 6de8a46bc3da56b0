//! A transaction, on either engine.

use std::future::Future;
use std::sync::Arc;

use contracts::{Envelope, Id, Payload, Timestamp};
use futures_util::future::try_join_all;
use rusqlite::CachedStatement;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::pause::Pause;
use super::postgres::arrays;
use super::row::{FromRow, Row};
use super::{Error, Result, Scope, Value, Work};
use crate::cache::Cache;
use crate::cause::Cause;
use crate::kernel::pending::{Flushed, Pending};

/// How many rows a write must change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Exactly one; anything else is a bug.
    One,
    /// One or none.
    AtMostOne,
    /// Exactly one, chosen by its version: none means that another change came first, and the unit
    /// runs again.
    Version,
    /// Any number.
    Any,
}

impl Expect {
    fn check(self, sql: &str, changed: u64) -> Result<()> {
        match (self, changed) {
            (Self::Any, _)
            | (Self::One | Self::AtMostOne | Self::Version, 1)
            | (Self::AtMostOne, 0) => Ok(()),
            (Self::Version, 0) => Err(Error::Conflict),
            (Self::One | Self::AtMostOne | Self::Version, changed) => {
                Err(Error::RowCount { sql: sql.to_owned(), changed })
            }
        }
    }

    /// What is expected of each of many `rows`, which together changed so many.
    fn check_all(self, sql: &str, changed: u64, rows: usize) -> Result<()> {
        let rows = u64::try_from(rows).unwrap_or(u64::MAX);
        match self {
            Self::Any => Ok(()),
            Self::One | Self::AtMostOne | Self::Version if changed == rows => Ok(()),
            Self::AtMostOne if changed < rows => Ok(()),
            Self::Version if changed < rows => Err(Error::Conflict),
            Self::One | Self::AtMostOne | Self::Version => {
                Err(Error::RowCount { sql: sql.to_owned(), changed })
            }
        }
    }
}

/// An event to publish.
#[derive(Debug)]
pub struct NewEvent<'a> {
    /// The aggregate it is about.
    pub subject: String,
    /// Its position in that aggregate's history.
    pub version: i64,
    /// What led to it.
    pub cause: &'a Cause,
    /// What happened.
    pub payload: Payload,
}

pub(crate) enum Conn<'a> {
    Sqlite(&'a mut rusqlite::Connection),
    Postgres(&'a deadpool_postgres::Transaction<'a>),
}

/// A transaction: statements, and the events, timers and effects that are part of it.
///
/// Any statement error dooms it; expect conflicts with `ON CONFLICT`, never by catching.
pub struct Tx<'a> {
    pub(crate) conn: Conn<'a>,
    pub(crate) scope: &'a Scope,
    now: Timestamp,
    doomed: Option<Error>,
    pub(crate) pending: Pending,
    work: Work,
    pause: Option<&'a Pause>,
}

impl<'a> Tx<'a> {
    pub(crate) fn new(conn: Conn<'a>, scope: &'a Scope) -> Self {
        let now = scope.clock.now();
        let (pending, work) = (Pending::default(), Work::default());
        Self { conn, scope, now, doomed: None, pending, work, pause: None }
    }

    /// Stopped by `pause`, if it is given one and has a server.
    pub(crate) fn paused_by(self, pause: Option<&'a Pause>) -> Self {
        Self { pause, ..self }
    }

    /// The time of this transaction.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// A new id.
    pub fn id<K>(&self) -> Id<K> {
        self.scope.ids.id()
    }

    /// 256 bits nobody can guess.
    pub fn secret(&self) -> [u8; 32] {
        self.scope.ids.secret()
    }

    /// Publishes an event with the commit.
    pub fn publish(&mut self, event: NewEvent<'_>) {
        let cause = event.cause;
        self.pending.events.push(Envelope {
            id: self.scope.ids.id(),
            subject: event.subject,
            version: event.version,
            time: self.now,
            causation: cause.causation,
            correlation: cause.correlation.clone(),
            trace: cause.trace,
            actor: cause.actor.clone(),
            payload: event.payload,
        });
    }

    /// Asks to be told at `due`, or soon after. There is one timer per name and subject: setting it
    /// again moves it.
    pub fn set_timer(&mut self, name: &'static str, subject: &str, due: Timestamp, cause: &Cause) {
        self.pending.set_timer(name, subject, due, cause);
    }

    /// Takes a timer back, if it is set.
    pub fn cancel_timer(&mut self, name: &'static str, subject: &str) {
        self.pending.cancel_timer(name, subject);
    }

    /// Asks for an effect outside the database after the commit, at least once. `id` is its
    /// idempotency key; asking again while it is under way, or parked, is asking once.
    pub fn request_effect(&mut self, name: &'static str, id: Uuid, payload: String, cause: &Cause) {
        self.pending.request_effect(name, id, payload, cause);
    }

    /// Wakes whoever watches `subject` ([`super::Db::watch`]) after the commit.
    pub fn changed(&mut self, subject: Uuid) {
        self.pending.changed.push(subject);
    }

    /// What `cache` keeps is stale after the commit, before anybody is answered; also if nobody knows
    /// whether it happened.
    pub fn outdates(&mut self, cache: &Cache) {
        self.pending.outdated.push(cache.changing());
    }

    /// Executes a write.
    ///
    /// # Errors
    /// When the database refuses it or it changes another number of rows than `expect`.
    pub async fn execute(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        expect: Expect,
    ) -> Result<u64> {
        self.alive()?;
        let outcome = match &mut self.conn {
            Conn::Sqlite(conn) => sqlite_statement(conn, sql)
                .and_then(|mut statement| sqlite_execute(&mut statement, sql, params)),
            Conn::Postgres(tx) => postgres_execute(tx, sql, params, self.pause).await,
        };
        self.count(1, *outcome.as_ref().unwrap_or(&0));
        self.checked(outcome.and_then(|changed| expect.check(sql, changed).map(|()| changed)))
    }

    /// Executes a write for each of many rows, which change different ones: as one statement where
    /// there is a server. Answers how many rows were changed.
    ///
    /// # Errors
    /// As [`Tx::execute`], for any of them.
    pub fn execute_many<'t, 'v: 't, const N: usize>(
        &'t mut self,
        sql: &'t str,
        rows: impl IntoIterator<Item = [Value<'v>; N]>,
        expect: Expect,
    ) -> impl Future<Output = Result<u64>> + Send {
        let rows: Vec<[Value<'v>; N]> = rows.into_iter().collect();
        async move {
            if rows.len() > 1
                && self.pause.is_none()
                && let Conn::Postgres(tx) = &self.conn
                && let Some(changed) = postgres_execute_at_once(tx, sql, &rows).await.transpose()
            {
                self.alive()?;
                self.count(rows.len(), *changed.as_ref().unwrap_or(&0));
                let checked = |n| expect.check_all(sql, n, rows.len()).map(|()| n);
                return self.checked(changed.and_then(checked));
            }
            Ok(self.execute_rows(sql, rows, expect).await?.iter().sum())
        }
    }

    /// As [`Tx::execute_many`], one after the other: pipelined where there is a server. Answers how
    /// many rows each changed.
    ///
    /// # Errors
    /// As there.
    pub fn execute_each<'t, 'v: 't, const N: usize>(
        &'t mut self,
        sql: &'t str,
        rows: impl IntoIterator<Item = [Value<'v>; N]>,
        expect: Expect,
    ) -> impl Future<Output = Result<Vec<u64>>> + Send {
        let rows: Vec<[Value<'v>; N]> = rows.into_iter().collect();
        self.execute_rows(sql, rows, expect)
    }

    async fn execute_rows<const N: usize>(
        &mut self,
        sql: &str,
        rows: Vec<[Value<'_>; N]>,
        expect: Expect,
    ) -> Result<Vec<u64>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        self.alive()?;
        let outcome = match &mut self.conn {
            Conn::Sqlite(conn) => sqlite_statement(conn, sql).and_then(|mut statement| {
                rows.iter().map(|row| sqlite_execute(&mut statement, sql, row)).collect()
            }),
            Conn::Postgres(tx) => postgres_execute_each(tx, sql, &rows, self.pause).await,
        };
        let changed: u64 = outcome.as_ref().map_or(0, |counts: &Vec<u64>| counts.iter().sum());
        self.count(rows.len(), changed);
        self.checked(outcome.and_then(|counts| {
            counts.iter().try_for_each(|changed| expect.check(sql, *changed))?;
            Ok(counts)
        }))
    }

    /// All rows of a select, or of a write with `RETURNING`.
    ///
    /// # Errors
    /// When the database refuses it or a row does not read.
    pub async fn fetch_all<R: FromRow>(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
    ) -> Result<Vec<R>> {
        self.alive()?;
        let outcome = match &mut self.conn {
            Conn::Sqlite(conn) => sqlite_statement(conn, sql).and_then(|mut statement| {
                let mut rows = Vec::new();
                sqlite_fetch(&mut statement, sql, params, &mut rows)?;
                Ok(rows)
            }),
            Conn::Postgres(tx) => postgres_fetch(tx, sql, params, self.pause).await,
        };
        self.count(1, returned(sql, &outcome));
        self.checked(outcome)
    }

    /// The row of a select that has at most one.
    ///
    /// # Errors
    /// When the database refuses it, there are several, or the row does not read.
    pub async fn fetch_optional<R: FromRow>(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
    ) -> Result<Option<R>> {
        let mut rows = self.fetch_all(sql, params).await?;
        let row = rows.pop();
        if rows.is_empty() {
            Ok(row)
        } else {
            let changed = u64::try_from(rows.len() + 1).unwrap_or(u64::MAX);
            self.checked(Err(Error::RowCount { sql: sql.to_owned(), changed }))
        }
    }

    /// The rows of one select for each of many keys, one after the other: prepared once, and
    /// pipelined where there is a server.
    ///
    /// # Errors
    /// As [`Tx::fetch_all`], for any of them.
    pub fn fetch_many<'t, 'v: 't, R: FromRow, const N: usize>(
        &'t mut self,
        sql: &'t str,
        keys: impl IntoIterator<Item = [Value<'v>; N]>,
    ) -> impl Future<Output = Result<Vec<R>>> + Send {
        let keys: Vec<[Value<'v>; N]> = keys.into_iter().collect();
        self.fetch_rows(sql, keys)
    }

    async fn fetch_rows<R: FromRow, const N: usize>(
        &mut self,
        sql: &str,
        keys: Vec<[Value<'_>; N]>,
    ) -> Result<Vec<R>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.alive()?;
        let outcome = match &mut self.conn {
            Conn::Sqlite(conn) => sqlite_statement(conn, sql).and_then(|mut statement| {
                let mut rows = Vec::with_capacity(keys.len());
                for key in &keys {
                    sqlite_fetch(&mut statement, sql, key, &mut rows)?;
                }
                Ok(rows)
            }),
            Conn::Postgres(tx) => postgres_fetch_many(tx, sql, &keys, self.pause).await,
        };
        self.count(keys.len(), returned(sql, &outcome));
        self.checked(outcome)
    }

    /// Inserts rows into the outbox and answers their positions, where the engine has them at hand.
    pub(crate) async fn insert_outbox(
        &mut self,
        rows: &[(Uuid, &'static str, String)],
    ) -> Result<Vec<i64>> {
        let now = self.now;
        let rows = rows.iter().map(|(id, kind, event)| crate::params![*id, *kind, event, now]);
        let sql = self.scope.kernel.insert_outbox.as_str();
        if !matches!(self.conn, Conn::Sqlite(_)) {
            self.execute_many(sql, rows, Expect::One).await?;
            return Ok(Vec::new());
        }
        let mut positions = Vec::with_capacity(rows.len());
        for row in rows {
            self.execute(sql, &row, Expect::One).await?;
            if let Conn::Sqlite(conn) = &self.conn {
                positions.push(conn.last_insert_rowid());
            }
        }
        Ok(positions)
    }

    /// Writes what is pending. To be called once, last.
    pub(crate) async fn flush(&mut self) -> Result<Flushed> {
        self.alive()?;
        let flushed = crate::kernel::pending::flush(self).await?;
        self.alive()?;
        self.work.commits = 1;
        Ok(flushed)
    }

    /// What was done in it.
    pub(crate) fn work(&self) -> Work {
        self.work
    }

    /// Nothing is left to be written: for units that may only read.
    pub(crate) fn only_read(&self) -> Result<()> {
        if self.pending.is_empty() { Ok(()) } else { Err(Error::wrote()) }
    }

    fn alive(&self) -> Result<()> {
        self.doomed.clone().map_or(Ok(()), Err)
    }

    fn checked<T>(&mut self, outcome: Result<T>) -> Result<T> {
        if let Err(error) = &outcome {
            self.doomed = Some(error.clone());
        }
        outcome
    }

    fn count(&mut self, statements: usize, rows_written: u64) {
        self.work.statements += u64::try_from(statements).unwrap_or(u64::MAX);
        self.work.round_trips += 1;
        self.work.rows_written += rows_written;
    }
}

impl std::fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tx of {}", self.scope.source)
    }
}

/// The most parameters a statement has.
const NAMES: [&str; 32] = [
    "$1", "$2", "$3", "$4", "$5", "$6", "$7", "$8", "$9", "$10", "$11", "$12", "$13", "$14", "$15",
    "$16", "$17", "$18", "$19", "$20", "$21", "$22", "$23", "$24", "$25", "$26", "$27", "$28",
    "$29", "$30", "$31", "$32",
];

/// How many rows a write with `RETURNING` wrote: as many as it returned.
fn returned<T>(sql: &str, outcome: &Result<Vec<T>>) -> u64 {
    let verb = sql.split_whitespace().next().unwrap_or_default();
    let writes = ["INSERT", "UPDATE", "DELETE"].iter().any(|one| verb.eq_ignore_ascii_case(one));
    let rows = outcome.as_ref().map_or(0, Vec::len);
    if writes { u64::try_from(rows).unwrap_or(u64::MAX) } else { 0 }
}

fn sqlite_statement<'c>(
    conn: &'c mut rusqlite::Connection,
    sql: &str,
) -> Result<CachedStatement<'c>> {
    conn.prepare_cached(sql).map_err(|error| Error::from_sqlite(sql, error))
}

/// Binds by name: SQLite numbers named parameters by first appearance, not by their number.
fn sqlite_bind(statement: &mut CachedStatement<'_>, sql: &str, params: &[Value<'_>]) -> Result<()> {
    let wrong = |why: String| Error::Failed(format!("{why}: {sql}"));
    if statement.parameter_count() != params.len() {
        return Err(wrong(format!("{} parameters given", params.len())));
    }
    for (name, value) in NAMES.iter().zip(params) {
        let index = statement
            .parameter_index(name)
            .map_err(|error| Error::from_sqlite(sql, error))?
            .ok_or_else(|| wrong(format!("no parameter {name}")))?;
        statement
            .raw_bind_parameter(index, value)
            .map_err(|error| Error::from_sqlite(sql, error))?;
    }
    Ok(())
}

fn sqlite_execute(
    statement: &mut CachedStatement<'_>,
    sql: &str,
    params: &[Value<'_>],
) -> Result<u64> {
    sqlite_bind(statement, sql, params)?;
    let changed = statement.raw_execute().map_err(|error| Error::from_sqlite(sql, error))?;
    Ok(u64::try_from(changed).unwrap_or(u64::MAX))
}

fn sqlite_fetch<R: FromRow>(
    statement: &mut CachedStatement<'_>,
    sql: &str,
    params: &[Value<'_>],
    into: &mut Vec<R>,
) -> Result<()> {
    sqlite_bind(statement, sql, params)?;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(|error| Error::from_sqlite(sql, error))? {
        into.push(R::from_row(&Row::Sqlite(row))?);
    }
    Ok(())
}

async fn postgres_execute(
    tx: &deadpool_postgres::Transaction<'_>,
    sql: &str,
    params: &[Value<'_>],
    pause: Option<&Pause>,
) -> Result<u64> {
    reach(pause, sql).await;
    let wrong = |error| Error::from_postgres(sql, error);
    let statement = tx.prepare_cached(sql).await.map_err(wrong)?;
    tx.execute_raw(&statement, params).await.map_err(wrong)
}

/// As one statement; none if that cannot be.
async fn postgres_execute_at_once<const N: usize>(
    tx: &deadpool_postgres::Transaction<'_>,
    sql: &str,
    rows: &[[Value<'_>; N]],
) -> Result<Option<u64>> {
    let wrong = |error| Error::from_postgres(sql, error);
    let one = tx.prepare_cached(sql).await.map_err(wrong)?;
    let Some(many) = arrays::write(sql, one.params()) else { return Ok(None) };
    let statement = tx.prepare_cached(&many).await.map_err(wrong)?;
    tx.execute_raw(&statement, columns(rows)).await.map(Some).map_err(wrong)
}

/// The values of each parameter.
fn columns<'r, 'v, const N: usize>(rows: &'r [[Value<'v>; N]]) -> [Vec<&'r Value<'v>>; N] {
    std::array::from_fn(|place| rows.iter().filter_map(|row| row.get(place)).collect())
}

async fn postgres_execute_each<const N: usize>(
    tx: &deadpool_postgres::Transaction<'_>,
    sql: &str,
    rows: &[[Value<'_>; N]],
    pause: Option<&Pause>,
) -> Result<Vec<u64>> {
    let wrong = |error| Error::from_postgres(sql, error);
    let statement = tx.prepare_cached(sql).await.map_err(wrong)?;
    if pause.is_some() {
        // One at a time: others can come between two rows of one message, too.
        let mut counts = Vec::with_capacity(rows.len());
        for row in rows {
            reach(pause, sql).await;
            counts.push(tx.execute_raw(&statement, row).await.map_err(wrong)?);
        }
        return Ok(counts);
    }
    let sent = rows.iter().map(|row| tx.execute_raw(&statement, row));
    try_join_all(sent).await.map_err(wrong)
}

async fn postgres_fetch<R: FromRow>(
    tx: &deadpool_postgres::Transaction<'_>,
    sql: &str,
    params: &[Value<'_>],
    pause: Option<&Pause>,
) -> Result<Vec<R>> {
    reach(pause, sql).await;
    let wrong = |error| Error::from_postgres(sql, error);
    let statement = tx.prepare_cached(sql).await.map_err(wrong)?;
    let rows = tx.query(&statement, &references(params)).await.map_err(wrong)?;
    rows.iter().map(|row| R::from_row(&Row::Postgres(row))).collect()
}

async fn postgres_fetch_many<R: FromRow, const N: usize>(
    tx: &deadpool_postgres::Transaction<'_>,
    sql: &str,
    keys: &[[Value<'_>; N]],
    pause: Option<&Pause>,
) -> Result<Vec<R>> {
    let wrong = |error| Error::from_postgres(sql, error);
    let statement = &tx.prepare_cached(sql).await.map_err(wrong)?;
    if pause.is_some() {
        let mut read = Vec::with_capacity(keys.len());
        for key in keys {
            reach(pause, sql).await;
            let rows = tx.query(statement, &references(key)).await.map_err(wrong)?;
            for row in &rows {
                read.push(R::from_row(&Row::Postgres(row))?);
            }
        }
        return Ok(read);
    }
    if keys.len() > 1
        && let Some(many) = arrays::query(sql, statement.params())
    {
        let statement = &tx.prepare_cached(&many).await.map_err(wrong)?;
        let (columns, mut read) = (columns(keys), Vec::with_capacity(keys.len()));
        let columns: Vec<&(dyn ToSql + Sync)> =
            columns.iter().map(|column| column as &(dyn ToSql + Sync)).collect();
        for row in &tx.query(statement, &columns).await.map_err(wrong)? {
            read.push(R::from_row(&Row::Postgres(row))?);
        }
        return Ok(read);
    }
    let sent = keys.iter().map(|key| async move { tx.query(statement, &references(key)).await });
    let answers = try_join_all(sent).await.map_err(wrong)?;
    answers.iter().flatten().map(|row| R::from_row(&Row::Postgres(row))).collect()
}

async fn reach(pause: Option<&Pause>, sql: &str) {
    if let Some(pause) = pause {
        pause.reach(sql).await;
    }
}

fn references<'v>(params: &'v [Value<'_>]) -> Vec<&'v (dyn ToSql + Sync)> {
    params.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

/// Runs `unit` in `tx` and writes what it left pending.
pub(crate) async fn run<U: super::Unit>(tx: &mut Tx<'_>, unit: &U) -> Result<(U::Out, Flushed)> {
    let out = unit.run(tx).await?;
    let flushed = tx.flush().await?;
    Ok((out, flushed))
}

/// An event that has been written to the outbox.
#[derive(Debug)]
pub(crate) struct Published {
    /// Where.
    pub(crate) position: i64,
    /// How long its text is.
    pub(crate) bytes: usize,
    /// What.
    pub(crate) event: Arc<Envelope>,
}
