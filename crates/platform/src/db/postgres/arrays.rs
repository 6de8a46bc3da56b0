//! One statement for many rows: what it does with the parameters of one row, done with arrays of
//! them. The server parses, plans and answers once, and not for each row.

use std::fmt::Write as _;

use tokio_postgres::types::Type;

/// The parameters of the rows, joined to a statement as a table of this name.
const ROWS: &str = "k";

/// `sql`, a write whose parameters have these types, over arrays of them. It changes all rows that it
/// would have changed one after the other, if those are different ones.
///
/// There is none of a statement that answers with rows, of one that inserts or updates, and of one
/// that is not of the plain form.
pub(crate) fn write(sql: &str, types: &[Type]) -> Option<String> {
    if types.is_empty() || sql.contains(" RETURNING ") || sql.contains(" DO UPDATE ") {
        return None;
    }
    let rows = format!("unnest({}) AS {ROWS}({})", arrays(types), columns(types));
    let verb = sql.split_whitespace().next()?;
    if verb == "INSERT" {
        let (into, values) = sql.split_once(" VALUES (")?;
        let end = closing(values)?;
        let (row, rest) = (values.get(..end)?, values.get(end + 1..)?);
        return Some(format!("{into} SELECT {} FROM {rows}{rest}", by_name(row)));
    }
    let (what, condition) = sql.split_once(" WHERE ")?;
    if what.contains(" FROM ") != (verb == "DELETE") || condition.contains(" WHERE ") {
        return None;
    }
    let joined = match verb {
        "UPDATE" => "FROM",
        "DELETE" => "USING",
        _ => return None,
    };
    Some(format!("{} {joined} {rows} WHERE {}", by_name(what), by_name(condition)))
}

/// `sql`, a query whose parameters have these types, over arrays of them: the rows of the first, then
/// those of the second, and so on.
///
/// There is none of a query that orders its rows itself.
pub(crate) fn query(sql: &str, types: &[Type]) -> Option<String> {
    if types.is_empty() || !sql.starts_with("SELECT ") || sql.contains("ORDER BY") {
        return None;
    }
    Some(format!(
        "SELECT found.* FROM unnest({}) WITH ORDINALITY AS {ROWS}({}, place) \
         CROSS JOIN LATERAL ({}) AS found ORDER BY {ROWS}.place",
        arrays(types),
        columns(types),
        by_name(sql)
    ))
}

fn arrays(types: &[Type]) -> String {
    let arrays = types.iter().zip(1..).map(|(ty, number)| format!("${number}::{}[]", ty.name()));
    arrays.collect::<Vec<_>>().join(", ")
}

fn columns(types: &[Type]) -> String {
    (1..=types.len()).map(|number| format!("p{number}")).collect::<Vec<_>>().join(", ")
}

/// With each parameter (`$1`) as what it is in the table of the rows (`k.p1`).
fn by_name(sql: &str) -> String {
    let mut parts = sql.split('$');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // Writing to a text does not fail.
        let _ = write!(text, "{ROWS}.p{part}");
    }
    text
}

/// Where the parenthesis closes that was open before `text`.
fn closing(text: &str) -> Option<usize> {
    let mut open = 1;
    text.char_indices().find_map(|(place, c)| {
        match c {
            '(' => open += 1,
            ')' => open -= 1,
            _ => {}
        }
        (open == 0).then_some(place)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_insert_takes_its_rows_from_arrays() {
        let sql =
            "INSERT INTO a (x, y, z) VALUES ($1, coalesce($2, 0), 'b') ON CONFLICT DO NOTHING";
        assert_eq!(
            write(sql, &[Type::UUID, Type::INT8]).unwrap(),
            "INSERT INTO a (x, y, z) SELECT k.p1, coalesce(k.p2, 0), 'b' \
             FROM unnest($1::uuid[], $2::int8[]) AS k(p1, p2) ON CONFLICT DO NOTHING"
        );
    }

    #[test]
    fn updates_and_deletes_are_joined_to_arrays() {
        assert_eq!(
            write("UPDATE a SET x = $2, n = n + 1 WHERE id = $1", &[Type::UUID, Type::JSONB])
                .unwrap(),
            "UPDATE a SET x = k.p2, n = n + 1 FROM unnest($1::uuid[], $2::jsonb[]) AS k(p1, p2) \
             WHERE id = k.p1"
        );
        assert_eq!(
            write("DELETE FROM a WHERE id = $1 AND x = 'y'", &[Type::UUID]).unwrap(),
            "DELETE FROM a USING unnest($1::uuid[]) AS k(p1) WHERE id = k.p1 AND x = 'y'"
        );
    }

    #[test]
    fn a_query_answers_in_the_order_of_its_keys() {
        assert_eq!(
            query("SELECT x FROM a WHERE id = $1 FOR UPDATE", &[Type::TEXT]).unwrap(),
            "SELECT found.* FROM unnest($1::text[]) WITH ORDINALITY AS k(p1, place) \
             CROSS JOIN LATERAL (SELECT x FROM a WHERE id = k.p1 FOR UPDATE) AS found ORDER BY k.place"
        );
    }

    #[test]
    fn what_depends_on_the_order_of_its_rows_is_left_alone() {
        let one = &[Type::INT8];
        for sql in [
            "INSERT INTO a (x) VALUES ($1) ON CONFLICT (x) DO UPDATE SET x = excluded.x",
            "UPDATE a SET x = 1 WHERE id = $1 RETURNING x",
            "UPDATE a SET x = (SELECT y FROM b WHERE id = $1) WHERE id = $1",
            "DELETE FROM a WHERE id IN (SELECT id FROM b WHERE x = $1)",
        ] {
            assert_eq!(write(sql, one), None, "{sql}");
        }
        assert_eq!(query("SELECT x FROM a WHERE y = $1 ORDER BY x", one), None);
        assert_eq!(write("DELETE FROM a WHERE x = 1", &[]), None);
    }
}
