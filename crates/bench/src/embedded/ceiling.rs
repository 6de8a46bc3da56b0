//! What the machine could do at best in the same run: raw SQLite, and a bare HTTP server.

use std::collections::BTreeMap;
use std::path::Path;

use axum::Router;
use axum::routing::get;
use bench::client::Failure;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, params_from_iter};

use crate::stopwatch::Stopwatch;

/// Bare SQLite gets the rows of so many orders at most: they are kept in memory.
const ORDERS: u64 = 3_000;

/// How many rows each table has.
pub type Counts = BTreeMap<String, u64>;

/// How many rows each table of a shop's file has.
///
/// # Errors
/// When it cannot be read.
pub fn counts(shop: &Path) -> Result<Counts, Failure> {
    counted(&beside(shop)?)
}

/// Rows a second that bare SQLite writes with the shop's settings: the newest rows of every table
/// that has more of them than when the shop was `filled`, into the same tables with the same
/// indexes, mixed as orders mix them, so many in a commit.
///
/// # Errors
/// When SQLite fails.
pub fn sqlite_rows_per_second(
    shop: &Path,
    filled: &Counts,
    rows_per_commit: u64,
) -> Result<u64, Failure> {
    let rows_per_commit = usize::try_from(rows_per_commit)?.max(1);
    let shop = beside(shop)?;
    let tables = left(&shop, filled)?;
    let rows = mixed(&tables);
    let folder = tempfile::tempdir()?;
    let mut file = fresh(&folder.path().join("ceiling.db"), &shop)?;
    drop(shop);
    let watch = Stopwatch::start();
    for some in rows.chunks(rows_per_commit) {
        let commit = file.transaction()?;
        for (_, insert, row) in some {
            commit.prepare_cached(insert)?.execute(params_from_iter(*row))?;
        }
        commit.commit()?;
    }
    let micros = u64::try_from(watch.elapsed().as_micros()).unwrap_or(u64::MAX).max(1);
    Ok(u64::try_from(rows.len())? * 1_000_000 / micros)
}

/// A server that does nothing but answer, until it is killed.
///
/// # Errors
/// When it cannot listen.
pub async fn hello(listen: std::net::SocketAddr) -> Result<(), Failure> {
    let app = Router::new().route("/", get(async || "Hello, world!"));
    axum::serve(tokio::net::TcpListener::bind(listen).await?, app).await?;
    Ok(())
}

/// A connection for reading, whether the shop runs or not.
fn beside(shop: &Path) -> Result<Connection, Failure> {
    Ok(Connection::open_with_flags(shop, OpenFlags::SQLITE_OPEN_READ_ONLY)?)
}

fn counted(file: &Connection) -> Result<Counts, Failure> {
    let mut counts = Counts::new();
    let mut tables = file.prepare(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*'",
    )?;
    for table in tables.query_map([], |row| row.get::<_, String>(0))? {
        let table = table?;
        let sql = format!("SELECT count(*) FROM {table}");
        let rows: i64 = file.query_row(&sql, [], |row| row.get(0))?;
        counts.insert(table, u64::try_from(rows)?);
    }
    Ok(counts)
}

/// What orders left in a table, the oldest first.
struct Left {
    insert: String,
    rows: Vec<Vec<Value>>,
}

/// What orders left since the shop was `filled`: of each table the share of [`ORDERS`].
fn left(shop: &Connection, filled: &Counts) -> Result<Vec<Left>, Failure> {
    let now = counted(shop)?;
    let more = |table: &str| {
        let rows = |counts: &Counts| counts.get(table).copied().unwrap_or_default();
        rows(&now).saturating_sub(rows(filled))
    };
    let orders = more("orders").max(1);
    let mut tables = Vec::new();
    for table in now.keys() {
        let share = more(table) * orders.min(ORDERS) / orders;
        if share > 0 {
            tables.push(newest(shop, table, share)?);
        }
    }
    Ok(tables)
}

fn newest(shop: &Connection, table: &str, many: u64) -> Result<Left, Failure> {
    let sql = "SELECT wr FROM pragma_table_list(?1)";
    let without_rowid: bool = shop.query_row(sql, [table], |row| row.get(0))?;
    // Those are the kernel's, and say when a row was made.
    let age = if without_rowid { "created_at" } else { "rowid" };
    let sql = format!("SELECT * FROM {table} ORDER BY {age} DESC LIMIT {many}");
    let mut statement = shop.prepare(&sql)?;
    let columns = statement.column_count();
    let read = statement.query_map([], |row| {
        (0..columns).map(|at| row.get::<_, Value>(at)).collect::<rusqlite::Result<Vec<_>>>()
    })?;
    let mut rows = read.collect::<rusqlite::Result<Vec<_>>>()?;
    rows.reverse();
    let marks = vec!["?"; columns].join(", ");
    Ok(Left { insert: format!("INSERT INTO {table} VALUES ({marks})"), rows })
}

/// All rows with their statements, in the order of how far each is in its own table.
fn mixed(tables: &[Left]) -> Vec<(usize, &str, &[Value])> {
    let mut all = Vec::new();
    for Left { insert, rows } in tables {
        let far = |at: usize| at * 1_000_000 / rows.len();
        let placed = rows.iter().enumerate();
        all.extend(placed.map(|(at, row)| (far(at), insert.as_str(), row.as_slice())));
    }
    all.sort_by_key(|(far, ..)| *far);
    all
}

/// An empty file with the shop's tables and indexes, set up as the shop's writer sets it up. Only
/// foreign keys are not checked: what they lead to may be older than the rows.
fn fresh(path: &Path, shop: &Connection) -> Result<Connection, Failure> {
    let file = Connection::open(path)?;
    file.set_prepared_statement_cache_capacity(1024);
    file.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000;
         PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -32000;
         PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = OFF;",
    )?;
    let mut schema = shop.prepare(
        "SELECT sql FROM sqlite_master WHERE type IN ('table', 'index') AND sql IS NOT NULL
         AND name NOT GLOB 'sqlite_*' ORDER BY type DESC, rowid",
    )?;
    for sql in schema.query_map([], |row| row.get::<_, String>(0))? {
        file.execute_batch(&sql?)?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_orders_left_is_mixed_as_it_occurs_and_fits_into_the_same_tables() {
        let shop = Connection::open_in_memory().unwrap();
        shop.execute_batch(
            "CREATE TABLE goods (id INTEGER PRIMARY KEY);
             CREATE TABLE inbox (id bigint PRIMARY KEY, created_at bigint) WITHOUT ROWID;
             CREATE TABLE orders (id bigint PRIMARY KEY, goods bigint REFERENCES goods (id));
             CREATE INDEX orders_goods ON orders (goods);
             INSERT INTO goods VALUES (7);",
        )
        .unwrap();
        let filled = counted(&shop).unwrap();
        shop.execute_batch(
            "INSERT INTO orders VALUES (10, 7), (20, 7);
             INSERT INTO inbox VALUES (4, 1), (3, 2), (2, 3), (1, 4);",
        )
        .unwrap();

        let tables = left(&shop, &filled).unwrap();
        let rows = mixed(&tables);
        let keys: Vec<Value> = rows.iter().map(|(_, _, row)| row[0].clone()).collect();
        assert_eq!(keys, [4, 10, 3, 2, 20, 1].map(Value::Integer));

        let folder = tempfile::tempdir().unwrap();
        let file = fresh(&folder.path().join("fresh.db"), &shop).unwrap();
        for (_, insert, row) in rows {
            file.execute(insert, params_from_iter(row)).unwrap();
        }
        let counts = counted(&file).unwrap();
        assert_eq!(counts.into_values().collect::<Vec<_>>(), [0, 4, 2]);
    }
}
