//! What a table looks like, whichever engine it is on.

use std::collections::BTreeSet;

use contracts::Timestamp;
use rusqlite::types::ValueRef;
use tokio_postgres::types::Type;

use crate::db::Value;

/// The types of the common subset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Int,
    Text,
    Json,
    Uuid,
    Time,
}

impl Kind {
    /// The kind of a column declared so, on either engine.
    pub(super) fn declared(as_type: &str) -> Option<Self> {
        Some(match as_type.to_ascii_lowercase().as_str() {
            "boolean" => Self::Bool,
            "bigint" | "integer" => Self::Int,
            "text" => Self::Text,
            "jsonb" => Self::Json,
            "uuid" => Self::Uuid,
            "timestamptz" | "timestamp with time zone" => Self::Time,
            _ => return None,
        })
    }

    /// What PostgreSQL calls it.
    pub(super) const fn on_postgres(self) -> Type {
        match self {
            Self::Bool => Type::BOOL,
            Self::Int => Type::INT8,
            Self::Text => Type::TEXT,
            Self::Json => Type::JSONB,
            Self::Uuid => Type::UUID,
            Self::Time => Type::TIMESTAMPTZ,
        }
    }

    /// What SQLite stores for it, as it is meant.
    ///
    /// # Errors
    /// When it is something else: what it is.
    pub(super) fn read(self, raw: ValueRef<'_>) -> Result<Value<'_>, String> {
        match (self, Value::try_from(raw)?) {
            (_, Value::Null) => Ok(Value::Null),
            (Self::Bool, Value::Int(truth @ 0..=1)) => Ok(Value::Bool(truth == 1)),
            (Self::Time, Value::Int(micros)) => Ok(Value::Time(Timestamp::from_micros(micros))),
            // SQLite keeps a text that looks like a number as one.
            (Self::Json, Value::Int(number)) => Ok(Value::Text(number.to_string().into())),
            (Self::Int, number @ Value::Int(_)) => Ok(number),
            (Self::Text | Self::Json, text @ Value::Text(_)) => Ok(text),
            (Self::Uuid, uuid @ Value::Uuid(_)) => Ok(uuid),
            (kind, other) => Err(format!("{other:?} in a column of {kind:?}")),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    /// The tables whose rows must be there first.
    pub(super) refers_to: BTreeSet<String>,
}

impl Table {
    /// Its columns, quoted: some have names that mean something.
    pub(super) fn list(&self) -> String {
        let quoted: Vec<String> =
            self.columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
        quoted.join(", ")
    }

    /// All its rows.
    pub(super) fn select(&self) -> String {
        format!("SELECT {} FROM \"{}\"", self.list(), self.name)
    }

    /// Whether `others`, as another engine has them, are the same columns in whatever order.
    pub(super) fn has_columns(&self, others: &[Column]) -> bool {
        self.columns.len() == others.len() && self.columns.iter().all(|one| others.contains(one))
    }
}

/// So that no row comes before one that it refers to. A table that refers to itself comes in one go.
pub(super) fn in_order(mut tables: Vec<Table>) -> Vec<Table> {
    let mut ordered: Vec<Table> = Vec::with_capacity(tables.len());
    while !tables.is_empty() {
        let waiting: BTreeSet<String> = tables.iter().map(|table| table.name.clone()).collect();
        let is_ready = |table: &Table| {
            table.refers_to.iter().all(|other| *other == table.name || !waiting.contains(other))
        };
        let (ready, rest): (Vec<Table>, Vec<Table>) = tables.into_iter().partition(is_ready);
        if ready.is_empty() {
            // They refer to each other in a circle: the engine says so, if it minds.
            ordered.extend(rest);
            break;
        }
        ordered.extend(ready);
        tables = rest;
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, refers_to: &[&str]) -> Table {
        let refers_to = refers_to.iter().map(|name| (*name).to_owned()).collect();
        Table { name: name.to_owned(), columns: Vec::new(), refers_to }
    }

    #[test]
    fn what_is_referred_to_comes_first() {
        let tables = vec![table("a", &["c"]), table("b", &["b", "a"]), table("c", &["elsewhere"])];
        let names: Vec<String> = in_order(tables).into_iter().map(|table| table.name).collect();
        assert_eq!(names, ["c", "a", "b"]);
    }
}
