//! A shop in one file that no shop runs on: a backup, or a copy on its way.

use std::path::{Path, PathBuf};

use contracts::{Source, Timestamp};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::columns::{Column, Kind, Table, in_order};
use super::sum::Sum;
use super::{Plan, Tick};
use crate::db::migrate::{Dialect, runners, tables};
use crate::db::{Error, Result, Value};

/// A shop in one file that no shop runs on.
#[derive(Debug)]
pub struct File {
    pub(super) connection: Connection,
    path: PathBuf,
}

/// How many pages are copied before anybody is told: four megabytes.
const PAGES: i32 = 1024;

/// What is noted beside the shop's own tables, and is gone once the file is a shop again.
const NOTES: &str = "\
    CREATE TABLE IF NOT EXISTS kontor_backup (name text PRIMARY KEY, value text NOT NULL); \
    CREATE TABLE IF NOT EXISTS kontor_backup_files (name text PRIMARY KEY, content text NOT NULL);";

/// Where the migrations of a service's tables are noted, the kernel's first.
pub(super) fn histories(source: Source) -> [String; 2] {
    [format!("{source}_kernel_history"), format!("{source}_history")]
}

pub(super) fn failed(sql: &str) -> impl Fn(rusqlite::Error) -> Error {
    move |error| Error::from_sqlite(sql, error)
}

impl File {
    /// Makes a new one at `path`, for its owner's eyes only. What was there is gone.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(path: &Path) -> Result<Self> {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path).map_err(|error| Error::file(path, error))?;
        Self::open(path)
    }

    /// Opens the one at `path`.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(path: &Path) -> Result<Self> {
        std::fs::metadata(path).map_err(|error| Error::file(path, error))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(failed("open"))?;
        Self::around(connection, path)
    }

    /// Opens the one at `path` to be read.
    ///
    /// # Errors
    /// When there is none.
    pub fn read_only(path: &Path) -> Result<Self> {
        std::fs::metadata(path).map_err(|error| Error::file(path, error))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(failed("open"))?;
        Self::around(connection, path)
    }

    /// One without rows but those that every new shop has, in memory.
    ///
    /// # Errors
    /// When SQLite cannot be set up.
    pub fn fresh(plans: &[Plan]) -> Result<Self> {
        let connection = Connection::open_in_memory().map_err(failed("open"))?;
        let mut fresh = Self::around(connection, Path::new(""))?;
        fresh.migrate(plans)?;
        Ok(fresh)
    }

    fn around(connection: Connection, path: &Path) -> Result<Self> {
        // Rows come table by table; whether all that is referred to is there is checked at the end.
        let set_up = "PRAGMA foreign_keys = OFF; PRAGMA busy_timeout = 5000; \
                      PRAGMA trusted_schema = OFF; PRAGMA cache_size = -32000;";
        connection.execute_batch(set_up).map_err(failed(set_up))?;
        Ok(Self { connection, path: path.to_owned() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Copies the shop in the file at `from`, as it is at one moment, whoever writes into it
    /// meanwhile; its writer does not wait for that.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn copy_from(&mut self, from: &Path, tick: Tick<'_>) -> Result<()> {
        let source = Self::open(from)?.connection;
        // The copy is of this moment: whatever is committed later is not in it.
        const MOMENT: &str = "BEGIN; SELECT count(*) FROM sqlite_schema;";
        source.execute_batch(MOMENT).map_err(failed(MOMENT))?;
        let copying = failed("copy");
        let backup = Backup::new(&source, &mut self.connection).map_err(&copying)?;
        let mut done = 0;
        loop {
            let step = backup.step(PAGES).map_err(&copying)?;
            let progress = backup.progress();
            let now = u64::try_from(progress.pagecount - progress.remaining).unwrap_or(0);
            tick(now.saturating_sub(done));
            done = now;
            if step == StepResult::Done {
                break;
            }
            if step != StepResult::More {
                return Err(Error::Failed("the copy is held up by another program".to_owned()));
            }
        }
        drop(backup);
        self.alone()
    }

    /// How many pages the file at `path` has: what [`File::copy_from`] tells of.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn pages(path: &Path) -> Result<u64> {
        Self::open(path)?.number("PRAGMA page_count")
    }

    /// From now on it is one file and has no others beside it.
    fn alone(&self) -> Result<()> {
        const ALONE: &str = "PRAGMA journal_mode = DELETE";
        let mode: String =
            self.connection.query_row(ALONE, [], |row| row.get(0)).map_err(failed(ALONE))?;
        if mode == "delete" || mode == "memory" {
            return Ok(());
        }
        Err(Error::Failed(format!("{} is used by another program", self.path.display())))
    }

    /// Whether a shop is in it, of this release or another.
    ///
    /// # Errors
    /// When it cannot be read, or is no database.
    pub fn holds_a_shop(&self) -> Result<bool> {
        let found =
            self.number("SELECT count(*) FROM sqlite_schema WHERE name = 'order_history'")?;
        Ok(found == 1)
    }

    /// Brings its tables to this release.
    ///
    /// # Errors
    /// When it is of a newer release, or a migration fails.
    pub fn migrate(&mut self, plans: &[Plan]) -> Result<()> {
        for plan in plans {
            let runners = runners(plan.source, plan.migrations, Dialect::Sqlite)?;
            for (runner, history) in runners.iter().zip(histories(plan.source)) {
                self.know_all(runner, &history)?;
                runner
                    .run(&mut self.connection)
                    .map_err(|error| Error::statement("migrate", error))?;
            }
        }
        Ok(())
    }

    /// That no migration was applied which this release does not have.
    fn know_all(&self, runner: &refinery::Runner, history: &str) -> Result<()> {
        let newest = runner.get_migrations().iter().map(refinery::Migration::version).max();
        let newest = newest.unwrap_or(0);
        let there = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
        let there: i64 =
            self.connection.query_row(there, [history], |row| row.get(0)).map_err(failed(there))?;
        if there == 0 {
            return Ok(());
        }
        let newer =
            self.number(&format!("SELECT count(*) FROM {history} WHERE version > {newest}"))?;
        if newer == 0 {
            return Ok(());
        }
        Err(Error::Failed(format!(
            "{} was made by a newer release: its {history} has {newer} steps that this one does not know",
            self.path.display()
        )))
    }

    /// Which migrations a service's tables have had, the kernel's first.
    pub(super) fn versions(&self, source: Source) -> Result<Vec<(i64, String)>> {
        let mut versions = Vec::new();
        for history in histories(source) {
            let sql = format!("SELECT version, name FROM {history} ORDER BY version");
            let wrong = failed(&sql);
            let mut statement = self.connection.prepare(&sql).map_err(&wrong)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
            for row in rows.map_err(&wrong)? {
                versions.push(row.map_err(&wrong)?);
            }
        }
        Ok(versions)
    }

    /// The tables of a service, in the order in which rows can be put into them.
    pub(super) fn tables(&self, plan: &Plan) -> Result<Vec<Table>> {
        let mut found = Vec::new();
        for name in tables(plan.source, plan.migrations) {
            if name.ends_with("_history") {
                continue;
            }
            let columns = self.columns(&name)?;
            // A later migration may have taken it away.
            if !columns.is_empty() {
                let sql = "SELECT DISTINCT \"table\" FROM pragma_foreign_key_list(?1)";
                let mut statement = self.connection.prepare(sql).map_err(failed(sql))?;
                let refers = statement.query_map([&name], |row| row.get(0)).map_err(failed(sql))?;
                let refers_to = refers.collect::<rusqlite::Result<_>>().map_err(failed(sql))?;
                found.push(Table { name, columns, refers_to });
            }
        }
        Ok(in_order(found))
    }

    fn columns(&self, table: &str) -> Result<Vec<Column>> {
        let sql = "SELECT name, type FROM pragma_table_info(?1) ORDER BY cid";
        let mut statement = self.connection.prepare(sql).map_err(failed(sql))?;
        let rows = statement
            .query_map([table], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
            .map_err(failed(sql))?;
        rows.map(|row| {
            let (name, declared) = row.map_err(failed(sql))?;
            let kind = Kind::declared(&declared).ok_or_else(|| {
                Error::Failed(format!("{table}.{name} is a {declared}, which cannot be copied"))
            })?;
            Ok(Column { name, kind })
        })
        .collect()
    }

    /// How many rows the tables of these services have.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn rows(&self, plans: &[Plan]) -> Result<u64> {
        let mut rows = 0;
        for table in
            plans.iter().map(|plan| self.tables(plan)).collect::<Result<Vec<_>>>()?.concat()
        {
            rows += self.number(&format!("SELECT count(*) FROM \"{}\"", table.name))?;
        }
        Ok(rows)
    }

    /// What a table of it holds.
    pub(super) fn sum(&self, table: &Table) -> Result<Sum> {
        let sql = table.select();
        let mut statement = self.connection.prepare(&sql).map_err(failed(&sql))?;
        let mut rows = statement.query([]).map_err(failed(&sql))?;
        let mut sum = Sum::default();
        while let Some(row) = rows.next().map_err(failed(&sql))? {
            sum.add(table, &read(table, row)?).map_err(Error::Failed)?;
        }
        Ok(sum)
    }

    /// That it is sound: every page, every index, and every row that another refers to.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn is_sound(&self) -> Result<()> {
        let wrong =
            |what: &str| Err(Error::Failed(format!("{} is damaged: {what}", self.path.display())));
        const CHECK: &str = "PRAGMA integrity_check(1)";
        let said: String =
            self.connection.query_row(CHECK, [], |row| row.get(0)).map_err(failed(CHECK))?;
        if said != "ok" {
            return wrong(&said);
        }
        const MISSING: &str = "PRAGMA foreign_key_check";
        let missing: Option<String> = self
            .connection
            .query_row(MISSING, [], |row| row.get(0))
            .optional()
            .map_err(failed(MISSING))?;
        match missing {
            Some(table) => wrong(&format!("{table} refers to rows that are not there")),
            None => Ok(()),
        }
    }

    /// Notes something about the copy, beside the shop.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note(&self, name: &str, value: &str) -> Result<()> {
        self.execute(NOTES)?;
        self.put("INSERT OR REPLACE INTO kontor_backup (name, value) VALUES (?1, ?2)", name, value)
    }

    /// What is noted.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn noted(&self, name: &str) -> Result<Option<String>> {
        if !self.has_notes()? {
            return Ok(None);
        }
        const SQL: &str = "SELECT value FROM kontor_backup WHERE name = ?1";
        self.connection.query_row(SQL, [name], |row| row.get(0)).optional().map_err(failed(SQL))
    }

    /// When it was copied, if that is noted.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn made_at(&self) -> Result<Option<Timestamp>> {
        let noted = self.noted("made_at_micros")?;
        Ok(noted.and_then(|micros| micros.parse().ok()).map(Timestamp::from_micros))
    }

    /// Keeps a small file of the shop's folder in it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, name: &str, content: &str) -> Result<()> {
        self.execute(NOTES)?;
        let sql = "INSERT OR REPLACE INTO kontor_backup_files (name, content) VALUES (?1, ?2)";
        self.put(sql, name, content)
    }

    /// The files kept, by name.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn kept(&self) -> Result<Vec<(String, String)>> {
        if !self.has_notes()? {
            return Ok(Vec::new());
        }
        const SQL: &str = "SELECT name, content FROM kontor_backup_files ORDER BY name";
        let mut statement = self.connection.prepare(SQL).map_err(failed(SQL))?;
        let rows =
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed(SQL))?;
        rows.collect::<rusqlite::Result<_>>().map_err(failed(SQL))
    }

    /// Takes away what was noted and kept: from now on it is a shop like any other.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn forget(&self) -> Result<()> {
        self.execute(
            "DROP TABLE IF EXISTS kontor_backup; DROP TABLE IF EXISTS kontor_backup_files;",
        )
    }

    /// Closes it, all of it on the disk.
    ///
    /// # Errors
    /// When it is not.
    pub fn close(self) -> Result<()> {
        self.alone()?;
        let Self { connection, path } = self;
        connection.close().map_err(|(_, error)| Error::from_sqlite("close", error))?;
        let on_disk = || std::fs::File::open(&path)?.sync_all();
        on_disk().map_err(|error| Error::file(&path, error))
    }

    fn has_notes(&self) -> Result<bool> {
        const SQL: &str = "SELECT count(*) FROM sqlite_schema WHERE name = 'kontor_backup_files'";
        Ok(self.number(SQL)? == 1)
    }

    fn put(&self, sql: &str, name: &str, value: &str) -> Result<()> {
        self.connection.execute(sql, [name, value]).map(drop).map_err(failed(sql))
    }

    pub(super) fn execute(&self, sql: &str) -> Result<()> {
        self.connection.execute_batch(sql).map_err(failed(sql))
    }

    pub(super) fn number(&self, sql: &str) -> Result<u64> {
        let number: i64 =
            self.connection.query_row(sql, [], |row| row.get(0)).map_err(failed(sql))?;
        Ok(u64::try_from(number).unwrap_or(0))
    }
}

/// The values of a row.
pub(super) fn read<'r>(table: &Table, row: &'r rusqlite::Row<'_>) -> Result<Vec<Value<'r>>> {
    let mut values = Vec::with_capacity(table.columns.len());
    for (index, column) in table.columns.iter().enumerate() {
        let raw = row.get_ref(index).map_err(failed(&table.name))?;
        let value = column.kind.read(raw);
        let at = |why| Error::Failed(format!("{}.{}: {why}", table.name, column.name));
        values.push(value.map_err(at)?);
    }
    Ok(values)
}
