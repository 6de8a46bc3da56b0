//! Row by row between a file and servers, and looked at again on the other side.

use std::collections::BTreeMap;
use std::fmt;

use contracts::{Source, Timestamp};
use futures_util::TryStreamExt;
use rusqlite::params_from_iter;
use tokio::pin;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;

use super::columns::Table;
use super::file::{self, File, read};
use super::servers::{Servers, Session, failed};
use super::sum::Sum;
use super::{Plan, Tick};
use crate::db::{Error, Result, Value};

/// A table that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Which.
    pub table: String,
    /// What it should hold.
    pub wanted: Sum,
    /// What it holds.
    pub found: Sum,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, wanted, found } = self;
        if wanted.rows == found.rows {
            write!(f, "{table}: of {} rows some are not the same", wanted.rows)
        } else {
            write!(f, "{table}: {} rows where {} should be", found.rows, wanted.rows)
        }
    }
}

/// What a service that is older than the others is told again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Healed {
    /// By whom it was said.
    pub publisher: Source,
    /// How many events it had not heard.
    pub again: u64,
    /// Whether there were more that are not kept any longer.
    pub gap: bool,
}

impl Servers {
    /// How many rows the tables of these services have.
    ///
    /// # Errors
    /// When a server does not answer.
    pub async fn rows(&self, file: &File, plans: &[Plan]) -> Result<u64> {
        let mut rows = 0;
        for plan in plans {
            for table in file.tables(plan)? {
                let sql = format!("SELECT count(*) FROM \"{}\"", table.name);
                rows += self.session(plan.source)?.number(&sql).await?;
            }
        }
        Ok(rows)
    }

    /// Copies the tables of these services into `file`, which has them without rows of its own, and
    /// looks at them there. Answers in what they differ.
    ///
    /// # Errors
    /// When they are of different releases, or cannot be read or written.
    pub async fn copy_into(
        &self,
        file: &File,
        plans: &[Plan],
        tick: Tick<'_>,
    ) -> Result<Vec<Difference>> {
        let mut different = Vec::new();
        file.execute("PRAGMA synchronous = OFF; BEGIN")?;
        for plan in plans {
            self.is_of(plan, &file.versions(plan.source)?).await?;
            let session = self.session(plan.source)?;
            for table in file.tables(plan)? {
                session.has(&table).await?;
                // What every new shop has is there already.
                file.execute(&format!("DELETE FROM \"{}\"", table.name))?;
                let wanted = session.copy_out(&table, file, tick).await?;
                different.extend(compare(&table, wanted, file.sum(&table)?));
            }
        }
        file.execute("COMMIT; PRAGMA synchronous = FULL")?;
        file.is_sound()?;
        Ok(different)
    }

    /// Whether the databases of these services are of this release and hold nothing but what every
    /// new shop has; if not, the first table that does.
    ///
    /// # Errors
    /// When they are of another release, or a server does not answer.
    pub async fn first_in_use(&self, fresh: &File, plans: &[Plan]) -> Result<Option<String>> {
        for plan in plans {
            let session = self.session(plan.source)?;
            if session.versions(plan.source).await?.is_empty() {
                continue;
            }
            self.is_of(plan, &fresh.versions(plan.source)?).await?;
            for table in fresh.tables(plan)? {
                session.has(&table).await?;
                let wanted = fresh.sum(&table)?;
                let some = format!(
                    "SELECT count(*) FROM (SELECT 1 FROM \"{}\" LIMIT {}) AS first",
                    table.name,
                    wanted.rows + 1
                );
                if session.number(&some).await? != wanted.rows
                    || session.sum(&table).await? != wanted
                {
                    return Ok(Some(table.name));
                }
            }
        }
        Ok(None)
    }

    /// Copies the tables of these services out of `file`, and looks at them on the servers before
    /// it is final. Answers in what they differ: then nothing has happened.
    ///
    /// # Errors
    /// When they cannot be read or written: nothing has happened then, either, unless the answer to a
    /// commit was lost.
    pub async fn copy_from(
        &self,
        file: &File,
        plans: &[Plan],
        tick: Tick<'_>,
    ) -> Result<Vec<Difference>> {
        let mut different = Vec::new();
        for plan in plans {
            let session = self.session(plan.source)?;
            session.run("BEGIN").await?;
            let tables = file.tables(plan)?;
            for table in tables.iter().rev() {
                session.run(&format!("DELETE FROM \"{}\"", table.name)).await?;
            }
            for table in &tables {
                let wanted = session.copy_in(table, file, tick).await?;
                session.count_on(table).await?;
                different.extend(compare(table, wanted, session.sum(table).await?));
            }
        }
        if different.is_empty() {
            self.each(plans, "COMMIT").await?;
            // Else the first queries are planned as if the tables were empty.
            self.each(plans, "ANALYZE").await?;
        } else {
            self.each(plans, "ROLLBACK").await?;
        }
        Ok(different)
    }

    async fn each(&self, plans: &[Plan], sql: &str) -> Result<()> {
        for plan in plans {
            self.session(plan.source)?.run(sql).await?;
        }
        Ok(())
    }

    /// After one service was copied out of `file`, where it is older than the others are: whatever
    /// they have said since waits in its inbox, and what it said itself is said again.
    ///
    /// # Errors
    /// When a server refuses.
    pub async fn heal(&self, file: &File, plan: &Plan, now: Timestamp) -> Result<Vec<Healed>> {
        let (consumer, session) = (plan.source, self.session(plan.source)?);
        let mut healed: BTreeMap<Source, Healed> = BTreeMap::new();
        session
            .run(&format!(
                "BEGIN; UPDATE {consumer}_outbox SET published = false; DELETE FROM {consumer}_stream; \
                 CREATE TEMPORARY TABLE heard (reaction text, id uuid, said_at timestamptz, body text) \
                 ON COMMIT DROP"
            ))
            .await?;
        for reaction in plan.reactions.iter().filter(|one| one.on.source != consumer) {
            let publisher = reaction.on.source;
            self.say_again(session, publisher, reaction.on.name).await?;
            let sql = format!(
                "WITH said AS (DELETE FROM heard RETURNING reaction, id, said_at, body) \
                 INSERT INTO {consumer}_inbox (reaction, id, kind, state, due_at, created_at, body) \
                 SELECT reaction, id, 'event', 'waiting', said_at, $1, body FROM said \
                 ON CONFLICT (reaction, id) DO NOTHING"
            );
            let again =
                session.client.execute(&sql, &[&Value::Time(now)]).await.map_err(failed(&sql))?;
            let gap = self.has_gap(file, publisher).await?;
            let one = healed.entry(publisher).or_insert(Healed { publisher, again: 0, gap });
            one.again += again;
        }
        session.run("COMMIT").await?;
        Ok(healed.into_values().collect())
    }

    /// Puts the events of a kind that their publisher keeps where `to` finds them.
    async fn say_again(&self, to: &Session, publisher: Source, kind: &str) -> Result<()> {
        let sql = format!(
            "SELECT type, event_id, created_at, event FROM {publisher}_outbox WHERE type = $1"
        );
        let from = &self.session(publisher)?.client;
        let rows = from.query_raw(&sql, [kind]).await.map_err(failed(&sql))?;
        let copy = "COPY heard (reaction, id, said_at, body) FROM STDIN BINARY";
        let sink = to.client.copy_in(copy).await.map_err(failed(copy))?;
        let writer =
            BinaryCopyInWriter::new(sink, &[Type::TEXT, Type::UUID, Type::TIMESTAMPTZ, Type::TEXT]);
        pin!(rows, writer);
        while let Some(row) = rows.try_next().await.map_err(failed(&sql))? {
            let values: Vec<Value<'_>> = values(&row, 4, &sql)?;
            writer.as_mut().write_raw(values.iter()).await.map_err(failed(copy))?;
        }
        writer.finish().await.map(drop).map_err(failed(copy))
    }

    /// Whether `publisher` has said anything after what is in `file` that it does not keep any more.
    async fn has_gap(&self, file: &File, publisher: Source) -> Result<bool> {
        let newest =
            file.number(&format!("SELECT coalesce(max(position), 0) FROM {publisher}_outbox"))?;
        let oldest = format!("SELECT coalesce(min(position), 0) FROM {publisher}_outbox");
        let oldest = self.session(publisher)?.number(&oldest).await?;
        Ok(oldest > newest + 1)
    }
}

impl Session {
    /// That a table is here as it is in a file.
    async fn has(&self, table: &Table) -> Result<()> {
        let columns = self.columns(&table.name).await?;
        if table.has_columns(&columns) {
            return Ok(());
        }
        Err(Error::Failed(format!("the table {} is another one on the server", table.name)))
    }

    async fn sum(&self, table: &Table) -> Result<Sum> {
        let sql = table.select();
        let rows = self.client.query_raw(&sql, no_parameters()).await.map_err(failed(&sql))?;
        pin!(rows);
        let mut sum = Sum::default();
        while let Some(row) = rows.try_next().await.map_err(failed(&sql))? {
            sum.add(table, &values(&row, table.columns.len(), &sql)?).map_err(Error::Failed)?;
        }
        Ok(sum)
    }

    async fn copy_out(&self, table: &Table, file: &File, tick: Tick<'_>) -> Result<Sum> {
        let sql = table.select();
        let places: Vec<String> = (1..=table.columns.len()).map(|nth| format!("?{nth}")).collect();
        let insert = format!(
            "INSERT INTO \"{}\" ({}) VALUES ({})",
            table.name,
            table.list(),
            places.join(", ")
        );
        let wrong = file::failed(&insert);
        let mut insert = file.connection.prepare(&insert).map_err(&wrong)?;
        let rows = self.client.query_raw(&sql, no_parameters()).await.map_err(failed(&sql))?;
        pin!(rows);
        let mut sum = Sum::default();
        while let Some(row) = rows.try_next().await.map_err(failed(&sql))? {
            let values = values(&row, table.columns.len(), &sql)?;
            sum.add(table, &values).map_err(Error::Failed)?;
            insert.execute(params_from_iter(values.iter())).map_err(&wrong)?;
            tick(1);
        }
        Ok(sum)
    }

    async fn copy_in(&self, table: &Table, file: &File, tick: Tick<'_>) -> Result<Sum> {
        let copy = format!("COPY \"{}\" ({}) FROM STDIN BINARY", table.name, table.list());
        let wrong = failed(&copy);
        let sink = self.client.copy_in(&copy).await.map_err(&wrong)?;
        let types: Vec<Type> =
            table.columns.iter().map(|column| column.kind.on_postgres()).collect();
        let writer = BinaryCopyInWriter::new(sink, &types);
        pin!(writer);
        let select = table.select();
        let unread = file::failed(&select);
        let mut statement = file.connection.prepare(&select).map_err(&unread)?;
        let mut rows = statement.query([]).map_err(&unread)?;
        let mut sum = Sum::default();
        while let Some(row) = rows.next().map_err(&unread)? {
            let values = read(table, row)?;
            sum.add(table, &values).map_err(Error::Failed)?;
            writer.as_mut().write_raw(values.iter()).await.map_err(&wrong)?;
            tick(1);
        }
        writer.finish().await.map_err(&wrong)?;
        Ok(sum)
    }

    /// Lets a table's own numbers go on behind the last that was copied.
    async fn count_on(&self, table: &Table) -> Result<()> {
        const SQL: &str = "SELECT column_name::text FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name = $1 AND is_identity = 'YES'";
        for row in self.client.query(SQL, &[&table.name]).await.map_err(failed(SQL))? {
            let (name, column): (_, String) = (&table.name, row.get(0));
            self.run(&format!(
                "SELECT setval(pg_get_serial_sequence('{name}', '{column}'), max(\"{column}\")) \
                 FROM \"{name}\" HAVING max(\"{column}\") IS NOT NULL"
            ))
            .await?;
        }
        Ok(())
    }
}

fn no_parameters() -> [Value<'static>; 0] {
    []
}

fn values<'r>(row: &'r tokio_postgres::Row, count: usize, sql: &str) -> Result<Vec<Value<'r>>> {
    (0..count).map(|index| row.try_get(index)).collect::<Result<_, _>>().map_err(failed(sql))
}

fn compare(table: &Table, wanted: Sum, found: Sum) -> Option<Difference> {
    let table = table.name.clone();
    (wanted != found).then_some(Difference { table, wanted, found })
}
