//! Bringing a service's tables up to date, by refinery: the kernel's tables first, then its own.

use contracts::Source;
use refinery::{Migration as Step, Runner};

use super::{Error, Result};
use crate::kernel::schema;

/// One step in the life of a service's tables.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Its position; steps are never edited, only added.
    pub version: u32,
    /// What it is about, in lower case with underscores.
    pub name: &'static str,
    /// Its text, for both engines.
    pub sql: &'static str,
}

impl Migration {
    fn step(&self) -> Result<Step> {
        step(self.version, self.name, self.sql)
    }
}

/// Which engine a text is for: the kernel's tables differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

fn step(version: u32, name: &str, sql: &str) -> Result<Step> {
    Step::unapplied(&format!("V{version}__{name}"), sql).map_err(|e| Error::statement(name, e))
}

/// The runners that create and update a service's tables, in order.
pub(crate) fn runners(
    source: Source,
    migrations: &[Migration],
    dialect: Dialect,
) -> Result<[Runner; 2]> {
    let kernel: Vec<Step> = schema::migrations(source, dialect)
        .into_iter()
        .map(|(version, sql)| step(version, "kernel", &sql))
        .collect::<Result<_>>()?;
    let own: Vec<Step> = migrations.iter().map(Migration::step).collect::<Result<_>>()?;
    let mut runners = [Runner::new(&kernel), Runner::new(&own)];
    for (runner, what) in runners.iter_mut().zip(["kernel_history", "history"]) {
        runner.set_migration_table_name(format!("{source}_{what}"));
    }
    Ok(runners)
}

/// The names of the tables that a service's migrations create: they are its own.
pub(crate) fn tables(source: Source, migrations: &[Migration]) -> Vec<String> {
    let kernel = schema::migrations(source, Dialect::Sqlite);
    let texts = migrations.iter().map(|m| m.sql).chain(kernel.iter().map(|(_, sql)| sql.as_str()));
    let mut tables: Vec<String> = texts.flat_map(created_in).collect();
    tables.extend([format!("{source}_kernel_history"), format!("{source}_history")]);
    tables
}

fn created_in(sql: &str) -> Vec<String> {
    let words: Vec<String> = sql
        .split(|c: char| c.is_whitespace() || c == '(' || c == '"' || c == '`')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let mut created = Vec::new();
    for (place, pair) in words.windows(2).enumerate() {
        if pair == ["create", "table"] {
            let mut after = words.iter().skip(place + 2);
            let name = after.find(|word| !["if", "not", "exists"].contains(&word.as_str()));
            created.extend(name.cloned());
        }
    }
    created
}
