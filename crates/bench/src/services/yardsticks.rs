//! What the servers do at best in the same run: pgbench on the same PostgreSQL, and publishing to a
//! stream of the same NATS server.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::net::SocketAddr;

use async_nats::jetstream;
use bench::client::Failure;
use bench::servers::Postgres;
use bytes::Bytes;
use futures_util::TryStreamExt;
use tokio::process::Command;

use crate::stopwatch::Stopwatch;

/// So many messages are published in a round.
pub const JETSTREAM_MESSAGES: u64 = 50_000;
/// Of so many bytes.
pub const MESSAGE_BYTES: usize = 1_000;
/// So many publications wait for their acknowledgement at once.
pub const PUBLISHED_AT_ONCE: usize = 1_000;
/// So many statements a transaction of pgbench has.
pub const PGBENCH_STATEMENTS: u64 = 7;
/// The database of pgbench has so many branches.
const SCALE: &str = "16";
const DATABASE: &str = "pgbench";

/// `pgbench` and its database.
pub struct PgBench<'a> {
    postgres: &'a Postgres,
}

impl<'a> PgBench<'a> {
    /// Makes its database.
    ///
    /// # Errors
    /// When it is not installed, or the server refuses.
    pub async fn prepare(postgres: &'a Postgres) -> Result<Self, Failure> {
        let server = postgres.until_answers().await?;
        server.batch_execute(&format!("CREATE DATABASE {DATABASE}")).await?;
        let made = Self { postgres };
        made.run(&["-i", "-q", "-s", SCALE]).await?;
        Ok(made)
    }

    /// Transactions a second, TPC-B-like, by 16 clients for ten seconds.
    ///
    /// # Errors
    /// When it fails.
    pub async fn transactions_per_second(&self) -> Result<u64, Failure> {
        let said = self.run(&["-c", "16", "-j", "2", "-T", "10"]).await?;
        rate(&said).ok_or_else(|| format!("pgbench says no rate: {said}").into())
    }

    async fn run(&self, arguments: &[impl AsRef<OsStr>]) -> Result<String, Failure> {
        let program = self.postgres.programs.join("pgbench");
        if !program.exists() {
            return Err(format!(
                "there is no {}: it comes with PostgreSQL's server (Debian: the package postgresql; \
                 others: postgresql-contrib)",
                program.display()
            )
            .into());
        }
        let at = self.postgres.address;
        let done = Command::new(program)
            .args(arguments)
            .args(["-h", &at.ip().to_string(), "-p", &at.port().to_string(), "-U", "kontor"])
            .arg(DATABASE)
            .env("PGPASSWORD", &self.postgres.password)
            .kill_on_drop(true)
            .output()
            .await?;
        if !done.status.success() {
            return Err(format!("pgbench: {}", String::from_utf8_lossy(&done.stderr)).into());
        }
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    }
}

/// The whole transactions a second out of what pgbench says.
fn rate(said: &str) -> Option<u64> {
    let rate = said.lines().find_map(|line| line.strip_prefix("tps = "))?;
    rate.split('.').next()?.parse().ok()
}

/// Messages a second that go into a stream on disk and are acknowledged.
///
/// # Errors
/// When the server refuses one.
pub async fn messages_per_second(nats: SocketAddr, messages: u64) -> Result<u64, Failure> {
    let jetstream = jetstream::new(async_nats::connect(format!("nats://{nats}")).await?);
    let name = "bench".to_owned();
    let config = jetstream::stream::Config {
        subjects: vec![name.clone()],
        storage: jetstream::stream::StorageType::File,
        name: name.clone(),
        ..jetstream::stream::Config::default()
    };
    jetstream.create_stream(config).await?;
    let body = Bytes::from(vec![b'x'; MESSAGE_BYTES]);
    let mut waiting = VecDeque::with_capacity(PUBLISHED_AT_ONCE);
    let watch = Stopwatch::start();
    for _ in 0..messages {
        if waiting.len() == PUBLISHED_AT_ONCE
            && let Some(acknowledged) = waiting.pop_front()
        {
            acknowledged.await?;
        }
        waiting.push_back(jetstream.publish(name.clone(), body.clone()).await?);
    }
    for acknowledged in waiting {
        acknowledged.await?;
    }
    let micros = u64::try_from(watch.elapsed().as_micros()).unwrap_or(u64::MAX).max(1);
    jetstream.delete_stream(&name).await?;
    Ok(messages * 1_000_000 / micros)
}

/// How many messages were ever published to the streams of a server.
///
/// # Errors
/// When it does not answer.
pub async fn published(nats: SocketAddr) -> Result<u64, Failure> {
    let jetstream = jetstream::new(async_nats::connect(format!("nats://{nats}")).await?);
    let streams: Vec<_> = jetstream.streams().try_collect().await?;
    Ok(streams.iter().map(|stream| stream.state.last_sequence).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_read_from_what_pgbench_says() {
        let said = "latency average = 9.1 ms\ntps = 1756.243 (without initial connection time)\n";
        assert_eq!(rate(said), Some(1756));
        assert_eq!(rate("pgbench (15.18)\n"), None);
    }
}
