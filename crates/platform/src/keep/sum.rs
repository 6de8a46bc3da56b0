//! What a table holds, in one number: the same on both engines, in whatever order the rows come.

use std::fmt::Write as _;

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::columns::{Kind, Table};
use crate::db::Value;

/// How many rows there are, and the sum of the digests of all. A row more, less or changed gives
/// another sum; a sum and not an exclusive or, so that two equal rows do not cancel each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum {
    /// How many.
    pub rows: u64,
    lanes: [u64; 4],
}

impl Sum {
    /// Adds a row of `table`.
    ///
    /// # Errors
    /// When a document in it is not JSON: which column, and why.
    pub(super) fn add(&mut self, table: &Table, row: &[Value<'_>]) -> Result<(), String> {
        let mut digest = Sha256::new();
        for (column, value) in table.columns.iter().zip(row) {
            let put = |digest: &mut Sha256, tag: u8, bytes: &[u8]| {
                digest.update([tag]);
                digest.update(bytes.len().to_be_bytes());
                digest.update(bytes);
            };
            match value {
                Value::Null => put(&mut digest, 0, &[]),
                Value::Bool(truth) => put(&mut digest, 1, &[u8::from(*truth)]),
                Value::Int(number) => put(&mut digest, 2, &number.to_be_bytes()),
                Value::Text(text) if column.kind == Kind::Json => {
                    let text = canonical(text)
                        .map_err(|error| format!("{}.{}: {error}", table.name, column.name))?;
                    put(&mut digest, 3, text.as_bytes());
                }
                Value::Text(text) => put(&mut digest, 4, text.as_bytes()),
                Value::Uuid(uuid) => put(&mut digest, 5, uuid.as_bytes()),
                Value::Time(time) => put(&mut digest, 6, &time.micros().to_be_bytes()),
            }
        }
        let digest = digest.finalize();
        for (lane, bytes) in self.lanes.iter_mut().zip(digest.chunks_exact(8)) {
            let number = bytes.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte));
            *lane = lane.wrapping_add(number);
        }
        self.rows += 1;
        Ok(())
    }
}

/// The same text for the same document: PostgreSQL keeps neither the order of keys nor spaces.
fn canonical(text: &str) -> Result<String, serde_json::Error> {
    let mut out = String::with_capacity(text.len());
    write(&serde_json::from_str(text)?, &mut out);
    Ok(out)
}

fn write(json: &Json, out: &mut String) {
    match json {
        Json::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(key, _)| *key);
            out.push('{');
            for (key, value) in members {
                // A text cannot refuse what is written to it.
                let _ = write!(out, "{}:", Json::from(key.as_str()));
                write(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Json::Array(items) => {
            out.push('[');
            for item in items {
                write(item, out);
                out.push(',');
            }
            out.push(']');
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {
            let _ = write!(out, "{json}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::columns::Column;
    use super::*;

    fn summed(rows: &[[Value<'_>; 2]]) -> Sum {
        let column = |name: &str, kind| Column { name: name.to_owned(), kind };
        let table = Table {
            name: "t".to_owned(),
            columns: vec![column("id", Kind::Int), column("document", Kind::Json)],
            refers_to: BTreeSet::new(),
        };
        let mut sum = Sum::default();
        for row in rows {
            sum.add(&table, row).unwrap();
        }
        sum
    }

    #[test]
    fn a_table_is_the_same_in_whatever_order_it_comes_and_another_when_a_value_changes() {
        let a = [Value::Int(1), Value::from(r#"{"b": [1, {"d": 2, "c": null}], "a": "x"}"#)];
        let b = [Value::Int(2), Value::Null];
        let sum = summed(&[a.clone(), b.clone()]);
        assert_eq!(sum.rows, 2);
        let other = [Value::Int(1), Value::from(r#"{"a":"x","b":[1,{"c":null,"d":2}]}"#)];
        assert_eq!(summed(&[b.clone(), other]), sum);
        for changed in [
            [Value::Int(1), Value::from(r#"{"a":"x","b":[1,{"c":null,"d":3}]}"#)],
            [Value::Int(3), a[1].clone()],
            [Value::Int(1), Value::from("[]")],
            [Value::Int(1), Value::Null],
        ] {
            assert_ne!(summed(&[changed, b.clone()]), sum);
        }
        assert_ne!(summed(&[a.clone(), b.clone(), b.clone()]), sum);
        assert_ne!(summed(&[a.clone(), a, b]), summed(&[]));
    }
}
