//! What shows that a fault did happen: what a process said, how it stands, who does not answer.

use std::collections::BTreeSet;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use bench::client::Failure;
use bench::process::Process;
use tokio::net::TcpStream;
use tokio_postgres::Client;

/// What was seen of a fault; nothing, if it had no effect that anybody could see.
pub type Seen = Option<String>;

/// A place in a log: what is said after it is news.
#[derive(Debug)]
pub struct Mark {
    log: PathBuf,
    from: u64,
}

impl Mark {
    /// The end of what the process of this name has said so far.
    pub fn of(logs: &Path, name: &str) -> Self {
        let log = logs.join(format!("{name}.log"));
        let from = std::fs::metadata(&log).map_or(0, |log| log.len());
        Self { log, from }
    }

    /// The lines since then that hold one of `words`.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn since(&self, words: &[&str]) -> Result<Vec<String>, Failure> {
        let mut log = std::fs::File::open(&self.log)?;
        log.seek(SeekFrom::Start(self.from))?;
        let mut said = Vec::new();
        log.read_to_end(&mut said)?;
        let said = String::from_utf8_lossy(&said);
        let lines = said.lines().filter(|line| words.iter().any(|word| line.contains(word)));
        Ok(lines.map(str::to_owned).collect())
    }
}

/// How far off a process found its clock, in milliseconds, if it said so in this line.
pub fn ahead_ms(line: &str) -> Option<i64> {
    let (_, figure) = line.split_once("ahead_ms")?;
    let figure = figure.trim_start_matches(['"', '=', ':', ' ']);
    let end = figure.find(|c: char| c != '-' && !c.is_ascii_digit()).unwrap_or(figure.len());
    figure[..end].parse().ok()
}

/// How many system calls a tracer's record says it let fail.
///
/// # Errors
/// When the record cannot be read.
pub fn injected(record: &Path) -> Result<usize, Failure> {
    let record = std::fs::read(record)?;
    let record = String::from_utf8_lossy(&record);
    Ok(record.lines().filter(|line| line.contains("(INJECTED)")).count())
}

/// Whether the system says of a process that it is stopped.
pub fn stands_still(process: &Process) -> bool {
    let Some(id) = process.id() else { return false };
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    is_stopped(&stat)
}

fn is_stopped(stat: &str) -> bool {
    // The name before it is in brackets, and may hold anything.
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
}

/// Whether nobody takes connections there.
pub async fn is_nobody_at(address: SocketAddr) -> bool {
    TcpStream::connect(address).await.is_err()
}

/// The effects of a service that are under a lease, each with the epoch of that lease.
///
/// # Errors
/// When the database does not answer.
pub async fn leased(database: &Client, service: &str) -> Result<BTreeSet<String>, Failure> {
    let sql = format!(
        "SELECT reaction || ' ' || id::text || ' ' || epoch::text FROM {service}_inbox \
         WHERE kind = 'effect' AND state = 'waiting' AND attempts > 0 AND error IS NULL \
         AND due_at > clock_timestamp() ORDER BY id LIMIT 1000"
    );
    Ok(epochs(database.query(&sql, &[]).await?))
}

/// The effects of a service that wait, under a lease or not, each with its epoch.
///
/// # Errors
/// When the database does not answer.
pub async fn waiting(database: &Client, service: &str) -> Result<BTreeSet<String>, Failure> {
    let sql = format!(
        "SELECT reaction || ' ' || id::text || ' ' || epoch::text FROM {service}_inbox \
         WHERE kind = 'effect' AND state = 'waiting' ORDER BY id LIMIT 100000"
    );
    Ok(epochs(database.query(&sql, &[]).await?))
}

fn epochs(rows: Vec<tokio_postgres::Row>) -> BTreeSet<String> {
    rows.into_iter().map(|row| row.get(0)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::{Mark, ahead_ms, injected, is_stopped};

    #[test]
    fn only_what_is_said_after_a_mark_is_news() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("postgres.log");
        std::fs::write(&log, "PANIC: old\n").unwrap();
        let mark = Mark::of(folder.path(), "postgres");
        assert!(mark.since(&["PANIC"]).unwrap().is_empty());
        std::fs::write(&log, "PANIC: old\nLOG: all is well\nPANIC: new\n").unwrap();
        assert_eq!(mark.since(&["PANIC", "FATAL"]).unwrap(), ["PANIC: new"]);
    }

    #[test]
    fn how_far_off_a_clock_is_is_read_from_plain_and_structured_lines() {
        assert_eq!(
            ahead_ms("WARN corrected service=\"order\" ahead_ms=-3600012"),
            Some(-3_600_012)
        );
        assert_eq!(ahead_ms("{\"ahead_ms\":3599988,\"message\":\"corrected\"}"), Some(3_599_988));
        assert_eq!(ahead_ms("WARN corrected"), None);
    }

    #[test]
    fn calls_that_went_through_are_not_counted_as_failed() {
        let folder = tempfile::tempdir().unwrap();
        let record = folder.path().join("strace");
        let calls = "1 fsync(3) = 0\n1 fdatasync(3) = -1 EIO (Input/output error) (INJECTED)\n";
        std::fs::write(&record, calls).unwrap();
        assert_eq!(injected(&record).unwrap(), 1);
    }

    #[test]
    fn a_process_is_stopped_by_its_state_and_not_by_its_name() {
        assert!(is_stopped("7 (kontor) T 1 7 7"));
        assert!(!is_stopped("7 (a) T b) S 1 7 7"));
    }
}
