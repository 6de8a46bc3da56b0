//! Reading rows.

use std::borrow::Cow;

use contracts::{Id, Sku, Timestamp};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::{Error, Json, Result, Value};

/// A row of either engine, while it is read.
pub enum Row<'a> {
    /// Of SQLite.
    Sqlite(&'a rusqlite::Row<'a>),
    /// Of PostgreSQL.
    Postgres(&'a tokio_postgres::Row),
}

impl Row<'_> {
    /// The column at `index`, from 0.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when it does not hold a `T`.
    pub fn get<T: Column>(&self, index: usize) -> Result<T> {
        let value = match self {
            Self::Sqlite(row) => {
                row.get_ref(index).map_err(|error| error.to_string()).and_then(Value::try_from)
            }
            Self::Postgres(row) => {
                row.try_get::<_, Value<'_>>(index).map_err(|error| error.to_string())
            }
        };
        value.and_then(T::from_value).map_err(|why| Error::Corrupt {
            table: "a selected row",
            id: format!("column {index}"),
            why,
        })
    }
}

/// What can be read from one column.
pub trait Column: Sized {
    /// Reads it, or says what is wrong.
    ///
    /// # Errors
    /// When the value is not one of these.
    fn from_value(value: Value<'_>) -> std::result::Result<Self, String>;
}

macro_rules! column {
    ($($type:ty, $what:literal, $($pattern:pat => $value:expr),+;)*) => {
        $(impl Column for $type {
            fn from_value(value: Value<'_>) -> std::result::Result<Self, String> {
                match value {
                    $($pattern => $value,)+
                    other => Err(format!("{other:?} is not {}", $what)),
                }
            }
        })*
    };
}

column! {
    i64, "a number", Value::Int(number) => Ok(number);
    bool, "a truth", Value::Bool(truth) => Ok(truth), Value::Int(0) => Ok(false), Value::Int(1) => Ok(true);
    String, "a text", Value::Text(text) => Ok(text.into_owned());
    Uuid, "a uuid", Value::Uuid(uuid) => Ok(uuid);
    Timestamp, "a time", Value::Time(time) => Ok(time), Value::Int(micros) => Ok(Timestamp::from_micros(micros));
    Sku, "a sku", Value::Text(text) => Sku::try_from(text.into_owned()).map_err(|error| error.to_string());
}

impl<K> Column for Id<K> {
    fn from_value(value: Value<'_>) -> std::result::Result<Self, String> {
        Uuid::from_value(value).map(Id::from_uuid)
    }
}

impl<T: Column> Column for Option<T> {
    fn from_value(value: Value<'_>) -> std::result::Result<Self, String> {
        if value == Value::Null { Ok(None) } else { T::from_value(value).map(Some) }
    }
}

impl<T: DeserializeOwned> Column for Json<T> {
    fn from_value(value: Value<'_>) -> std::result::Result<Self, String> {
        let text = match value {
            Value::Text(ref text) => Cow::Borrowed(text.as_ref()),
            // SQLite keeps a text that looks like a number as one in a `jsonb` column.
            Value::Int(number) => Cow::Owned(number.to_string()),
            Value::Null | Value::Bool(_) | Value::Uuid(_) | Value::Time(_) => {
                return Err(format!("{value:?} is not JSON"));
            }
        };
        serde_json::from_str(&text).map(Json).map_err(|error| error.to_string())
    }
}

/// What can be read from a whole row.
pub trait FromRow: Sized + Send {
    /// Reads it.
    ///
    /// # Errors
    /// When a column does not hold what it must.
    fn from_row(row: &Row<'_>) -> Result<Self>;
}

macro_rules! from_row {
    ($($($column:ident $index:literal),+;)*) => {
        $(impl<$($column: Column + Send),+> FromRow for ($($column,)+) {
            fn from_row(row: &Row<'_>) -> Result<Self> {
                Ok(($(row.get::<$column>($index)?,)+))
            }
        })*
    };
}

from_row! {
    A 0;
    A 0, B 1;
    A 0, B 1, C 2;
    A 0, B 1, C 2, D 3;
    A 0, B 1, C 2, D 3, E 4;
    A 0, B 1, C 2, D 3, E 4, F 5;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11;
}
