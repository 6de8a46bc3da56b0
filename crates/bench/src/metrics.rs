//! What processes tell about their work at `/metrics`.

use std::net::SocketAddr;
use std::ops::AddAssign;
use std::time::Duration;

use bench::client::{Client, Failure};
use platform::clock::Clock;

use crate::stopwatch::Stopwatch;

/// So long everything that follows from a load may take.
const REST: Duration = Duration::from_secs(120);
/// Nothing follows any more once so few rows are written within [`LOOK`].
const ROWS_AT_REST: u64 = 10;
const LOOK: Duration = Duration::from_secs(2);

/// Work that databases did.
#[derive(Debug, Clone, Copy, Default)]
pub struct Work {
    /// Statements executed.
    pub statements: u64,
    /// Waits for the server; in a file, calls.
    pub round_trips: u64,
    /// Rows inserted, changed or deleted.
    pub rows: u64,
    /// Units of work committed.
    pub units: u64,
    /// In a file, transactions committed, each with many units.
    pub batches: u64,
}

impl Work {
    /// What a process has done since it started.
    ///
    /// # Errors
    /// When it does not answer there.
    pub async fn of(internal: SocketAddr) -> Result<Self, Failure> {
        let mut client = Client::connect(internal).await?;
        let text = client.send(http::Method::GET, "/metrics", &[], None).await?.body;
        let text = String::from_utf8_lossy(&text);
        Ok(Self {
            statements: sum(&text, "db_statements_total"),
            round_trips: sum(&text, "db_round_trips_total"),
            rows: sum(&text, "db_rows_written_total"),
            units: sum(&text, "db_commits_total"),
            batches: sum(&text, "db_batches_total"),
        })
    }

    /// What was done since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            statements: self.statements - earlier.statements,
            round_trips: self.round_trips - earlier.round_trips,
            rows: self.rows - earlier.rows,
            units: self.units - earlier.units,
            batches: self.batches - earlier.batches,
        }
    }
}

impl AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        self.statements += other.statements;
        self.round_trips += other.round_trips;
        self.rows += other.rows;
        self.units += other.units;
        self.batches += other.batches;
    }
}

/// Waits until everything has come of what was done in these processes. Answers how long it took.
///
/// # Errors
/// When there is no end of it, or one does not answer.
pub async fn settle(inside: &[SocketAddr]) -> Result<Duration, Failure> {
    let watch = Stopwatch::start();
    let mut before = rows(inside).await?;
    while watch.elapsed() < REST {
        Clock::system().sleep(LOOK).await;
        let now = rows(inside).await?;
        if now - before <= ROWS_AT_REST {
            return Ok(watch.elapsed().saturating_sub(LOOK));
        }
        before = now;
    }
    Err(format!("there is no rest after {REST:?}").into())
}

async fn rows(inside: &[SocketAddr]) -> Result<u64, Failure> {
    let mut rows = 0;
    for process in inside {
        rows += Work::of(*process).await?.rows;
    }
    Ok(rows)
}

/// A whole number out of a page of metrics, summed over labels; nothing if it is not there.
fn sum(page: &str, name: &str) -> u64 {
    let lines = page.lines().filter_map(|line| line.rsplit_once(' '));
    let named = lines.filter(|(key, _)| key.split('{').next() == Some(name));
    named.filter_map(|(_, value)| value.split('.').next()?.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_summed_over_its_labels_and_no_other() {
        let page =
            "# TYPE rows counter\nrows{service=\"a b\"} 3\nrows{service=\"c\"} 4\nrows_read 9\n";
        assert_eq!((sum(page, "rows"), sum(page, "none")), (7, 0));
    }
}
