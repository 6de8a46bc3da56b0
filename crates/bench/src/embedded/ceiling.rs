//! What the machine could do at best in the same run: raw SQLite, and a bare HTTP server.

use std::path::Path;

use axum::Router;
use axum::routing::get;
use bench::client::Failure;
use rusqlite::Connection;

use crate::stopwatch::Stopwatch;

/// Rows a second that bare SQLite writes with the shop's settings: rows of the size of ours, so
/// many in a commit, two of three into a table with a second index.
///
/// # Errors
/// When SQLite fails.
pub fn sqlite_rows_per_second(
    folder: &Path,
    rows_per_commit: u64,
    commits: u64,
) -> Result<u64, Failure> {
    let mut connection = Connection::open(folder.join("ceiling.db"))?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE plain (id BLOB PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
         CREATE TABLE indexed (id INTEGER PRIMARY KEY, key BLOB NOT NULL, body TEXT NOT NULL);
         CREATE INDEX by_key ON indexed (key);",
    )?;
    let body = "x".repeat(400);
    let watch = Stopwatch::start();
    let mut number = 0_u64;
    for _ in 0..commits {
        let commit = connection.transaction()?;
        for _ in 0..rows_per_commit {
            number += 1;
            // Ids that are spread, as those of carts and orders made at once are.
            let id = number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
            if number.is_multiple_of(3) {
                let sql = "INSERT INTO plain (id, body) VALUES (?1, ?2)";
                commit.prepare_cached(sql)?.execute((&id[..], &body))?;
            } else {
                let sql = "INSERT INTO indexed (key, body) VALUES (?1, ?2)";
                commit.prepare_cached(sql)?.execute((&id[..], &body))?;
            }
        }
        commit.commit()?;
    }
    let micros = u64::try_from(watch.elapsed().as_micros()).unwrap_or(u64::MAX).max(1);
    Ok(number * 1_000_000 / micros)
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
