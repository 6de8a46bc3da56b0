//! What goes into a statement and comes out of a row, the same for both engines.

use std::borrow::Cow;

use contracts::{Id, Sku, Timestamp};
use serde::Serialize;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, private::BytesMut, to_sql_checked};
use uuid::Uuid;

/// A value of the common subset of types.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Nothing.
    Null,
    /// `boolean`.
    Bool(bool),
    /// `bigint`.
    Int(i64),
    /// `text`, or the text of a `jsonb`.
    Text(Cow<'a, str>),
    /// `uuid`.
    Uuid(Uuid),
    /// `timestamptz`.
    Time(Timestamp),
}

/// A `jsonb` column, or a `text` one that holds JSON whose bytes matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: Serialize> From<Json<T>> for Value<'_> {
    fn from(json: Json<T>) -> Self {
        // Only maps with keys that are not text fail to serialise; our documents have none.
        Value::Text(Cow::Owned(serde_json::to_string(&json.0).unwrap_or_default()))
    }
}

macro_rules! value_from {
    ($($type:ty, $pattern:pat => $value:expr;)*) => {
        $(impl<'a> From<$type> for Value<'a> {
            fn from($pattern: $type) -> Self {
                $value
            }
        })*
    };
}

value_from! {
    bool, value => Value::Bool(value);
    i64, value => Value::Int(value);
    u32, value => Value::Int(i64::from(value));
    &'a str, value => Value::Text(Cow::Borrowed(value));
    &'a String, value => Value::Text(Cow::Borrowed(value));
    String, value => Value::Text(Cow::Owned(value));
    &'a Sku, value => Value::Text(Cow::Borrowed(value.as_str()));
    Uuid, value => Value::Uuid(value);
    Timestamp, value => Value::Time(value);
}

impl<K> From<Id<K>> for Value<'_> {
    fn from(id: Id<K>) -> Self {
        Value::Uuid(id.uuid())
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        use rusqlite::types::{ToSqlOutput, ValueRef};
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Bool(value) => ValueRef::Integer(i64::from(*value)),
            Value::Int(value) => ValueRef::Integer(*value),
            Value::Text(value) => ValueRef::Text(value.as_bytes()),
            Value::Uuid(value) => ValueRef::Blob(value.as_bytes()),
            Value::Time(value) => ValueRef::Integer(value.micros()),
        }))
    }
}

/// PostgreSQL counts from 2000-01-01.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match (self, ty) {
            (Value::Null, _) => return Ok(IsNull::Yes),
            (Value::Bool(value), &Type::BOOL) => out.extend_from_slice(&[u8::from(*value)]),
            (Value::Int(value), &Type::INT8) => out.extend_from_slice(&value.to_be_bytes()),
            (Value::Int(value), &Type::INT4) => {
                out.extend_from_slice(&i32::try_from(*value)?.to_be_bytes());
            }
            (Value::Text(value), &Type::TEXT | &Type::VARCHAR | &Type::NAME | &Type::JSON) => {
                out.extend_from_slice(value.as_bytes());
            }
            (Value::Text(value), &Type::JSONB) => {
                out.extend_from_slice(&[1]);
                out.extend_from_slice(value.as_bytes());
            }
            (Value::Uuid(value), &Type::UUID) => out.extend_from_slice(value.as_bytes()),
            (Value::Time(value), &Type::TIMESTAMPTZ) => {
                let since = value.micros().saturating_sub(POSTGRES_EPOCH_MICROS);
                out.extend_from_slice(&since.to_be_bytes());
            }
            (value, ty) => return Err(format!("{value:?} does not go into a {ty}").into()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value<'a> {
    fn from_sql(
        ty: &Type,
        raw: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(match *ty {
            Type::BOOL => Value::Bool(raw == [1]),
            Type::INT8 => Value::Int(i64::from_be_bytes(raw.try_into()?)),
            Type::INT4 => Value::Int(i64::from(i32::from_be_bytes(raw.try_into()?))),
            Type::TEXT | Type::VARCHAR | Type::NAME | Type::JSON => {
                Value::Text(Cow::Borrowed(std::str::from_utf8(raw)?))
            }
            Type::JSONB => {
                let json = raw.strip_prefix(&[1]).ok_or("an unknown version of jsonb")?;
                Value::Text(Cow::Borrowed(std::str::from_utf8(json)?))
            }
            Type::UUID => Value::Uuid(Uuid::from_slice(raw)?),
            Type::TIMESTAMPTZ => {
                let since = i64::from_be_bytes(raw.try_into()?);
                Value::Time(Timestamp::from_micros(since.saturating_add(POSTGRES_EPOCH_MICROS)))
            }
            _ => return Err(format!("a {ty} is outside the common subset of types").into()),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Value::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl<'a> TryFrom<rusqlite::types::ValueRef<'a>> for Value<'a> {
    type Error = String;

    fn try_from(raw: rusqlite::types::ValueRef<'a>) -> Result<Self, String> {
        use rusqlite::types::ValueRef;
        Ok(match raw {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(value) => Value::Int(value),
            ValueRef::Text(text) => {
                Value::Text(Cow::Borrowed(std::str::from_utf8(text).map_err(|e| e.to_string())?))
            }
            ValueRef::Blob(bytes) => {
                Value::Uuid(Uuid::from_slice(bytes).map_err(|error| error.to_string())?)
            }
            ValueRef::Real(_) => return Err("a float is outside the common subset".to_owned()),
        })
    }
}
