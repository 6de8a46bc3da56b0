//! What came of a run, for people and for machines.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use bench::client::Failure;
use serde_json::{Value, json};

use crate::faults::Fault;
use crate::judge::Verdict;

/// Everything that is known about a run.
#[derive(Debug, Default)]
pub struct Report {
    /// What decided the faults.
    pub seed: u64,
    /// How many NATS servers.
    pub nats_servers: usize,
    /// Whether there was a Redis.
    pub has_redis: bool,
    /// How long there was load.
    pub load: Duration,
    /// Orders acknowledged.
    pub accepted: u64,
    /// Requests that were asked again.
    pub repeats: u64,
    /// Instances killed, in whichever fault.
    pub kills: u64,
    /// Of each fault, how long after its end an order was placed and confirmed, each time.
    pub recoveries: BTreeMap<Fault, Vec<Duration>>,
    /// How long killed instances took until they were ready.
    pub ready: Vec<Duration>,
    /// Processes that ended by themselves and were started again by the supervisor.
    pub fell: Vec<String>,
    /// Processes that had to be killed in the end.
    pub late: Vec<String>,
    /// What could not be done here.
    pub not_done: Vec<&'static str>,
    /// Whether there was another program to upgrade to.
    pub second_program: bool,
    /// The judgement.
    pub verdict: Verdict,
}

fn seconds(span: Duration) -> String {
    format!("{}.{}", span.as_secs(), span.subsec_millis() / 100)
}

/// The one in the middle, and the longest.
fn middle_and_longest(spans: &[Duration]) -> (Duration, Duration) {
    let mut sorted = spans.to_vec();
    sorted.sort();
    let middle = sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or_default();
    (middle, sorted.last().copied().unwrap_or_default())
}

fn both(spans: &[Duration]) -> String {
    let (middle, longest) = middle_and_longest(spans);
    format!("{} / {}", seconds(middle), seconds(longest))
}

/// A part of the page, if there is anything to say.
fn list(
    page: &mut String,
    heading: &str,
    what: impl Iterator<Item = String>,
) -> Result<(), Failure> {
    let mut what = what.peekable();
    if what.peek().is_some() {
        writeln!(page, "\n## {heading}\n")?;
    }
    for what in what {
        writeln!(page, "- {what}")?;
    }
    Ok(())
}

impl Report {
    /// Whether every promise was kept.
    pub fn is_clean(&self) -> bool {
        self.verdict.violations.is_empty() && self.late.is_empty()
    }

    /// As a page.
    ///
    /// # Errors
    /// Never: a text takes all that is written.
    pub fn page(&self) -> Result<String, Failure> {
        let mut page = String::new();
        writeln!(page, "# Real faults: a report\n")?;
        writeln!(
            page,
            "Written by `make chaos`. Six services and the gateway, two processes of each, on"
        )?;
        let servers =
            if self.nats_servers == 1 { "a NATS server" } else { "a cluster of NATS servers" };
        let redis = if self.has_redis { "and Redis" } else { "without Redis" };
        writeln!(
            page,
            "PostgreSQL (fsync on), {servers} {redis}, under load all the while; seed {}.\n",
            self.seed
        )?;
        self.figures(&mut page)?;
        self.faults(&mut page)?;
        writeln!(page, "\n## How the orders ended\n\n| state | orders |\n|---|---|")?;
        for (state, count) in &self.verdict.orders {
            writeln!(page, "| {state} | {count} |")?;
        }
        list(&mut page, "Not done", self.not_done.iter().map(|what| (*what).to_owned()))?;
        list(&mut page, "Violations", self.verdict.violations.iter().cloned())?;
        let late = self.late.iter().map(|name| format!("{name} did not stop when it was asked to"));
        list(&mut page, "Did not stop", late)?;
        let fell = self.fell.iter().map(|name| format!("{name}, and was started again"));
        list(&mut page, "Ended by itself", fell)?;
        Ok(page)
    }

    fn figures(&self, page: &mut String) -> Result<(), Failure> {
        let verdict = &self.verdict;
        let all: Vec<Duration> = self.recoveries.values().flatten().copied().collect();
        writeln!(page, "| | |\n|---|---|")?;
        for (what, figure) in [
            ("orders accepted", self.accepted.to_string()),
            ("faults", all.len().to_string()),
            ("instances killed (kill -9)", self.kills.to_string()),
            ("**violations**", format!("**{}**", verdict.violations.len() + self.late.len())),
            (
                "manual steps",
                "none: a supervisor starts what has ended, and nobody else does anything"
                    .to_owned(),
            ),
            ("load, s", seconds(self.load)),
            (
                "requests not answered or answered with trouble, and asked again",
                self.repeats.to_string(),
            ),
            ("from a fault's end to an order confirmed, median / longest, s", both(&all)),
            ("a killed instance ready again, median / longest, s", both(&self.ready)),
            ("from the last order to rest (`kontor doctor --at-rest`), s", seconds(verdict.rest)),
            ("processes that ended by themselves", self.fell.len().to_string()),
            (
                "taken / given back by the provider's account, which is the shop's, in minor units",
                format!("{} / {}", verdict.captured_minor, verdict.refunded_minor),
            ),
        ] {
            writeln!(page, "| {what} | {figure} |")?;
        }
        Ok(())
    }

    fn faults(&self, page: &mut String) -> Result<(), Failure> {
        writeln!(
            page,
            "\n## Faults\n\n| fault | times | recovery, median / longest, s |\n|---|---|---|"
        )?;
        for (fault, spans) in &self.recoveries {
            writeln!(page, "| {} | {} | {} |", fault.says(), spans.len(), both(spans))?;
        }
        let builds = if self.second_program { "two builds, there and back" } else { "one build" };
        writeln!(
            page,
            "\nRecovery is the time from the end of a fault until an order that is placed after it is confirmed. Rolling"
        )?;
        writeln!(page, "restarts were between {builds}.")?;
        Ok(())
    }

    fn json(&self) -> Value {
        let millis = |spans: &[Duration]| -> Vec<u64> {
            spans.iter().map(|span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX)).collect()
        };
        let recoveries: Vec<Value> = self
            .recoveries
            .iter()
            .map(|(fault, spans)| json!({ "fault": fault, "recovery_ms": millis(spans) }))
            .collect();
        json!({
            "seed": self.seed, "nats_servers": self.nats_servers, "load_ms": millis(&[self.load])[0],
            "accepted": self.accepted, "repeats": self.repeats, "kills": self.kills,
            "faults": recoveries, "ready_ms": millis(&self.ready), "fell": self.fell,
            "late": self.late, "not_done": self.not_done, "violations": self.verdict.violations,
            "orders": self.verdict.orders, "rest_ms": millis(&[self.verdict.rest])[0],
        })
    }

    /// Writes it to a page, and beside it for machines.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, page: &Path) -> Result<(), Failure> {
        // What people have written below an earlier report stays, from its heading on.
        let old = std::fs::read_to_string(page).unwrap_or_default();
        let remarks = old.find("\n## Remarks").map_or("", |at| &old[at..]);
        std::fs::write(page, format!("{}{remarks}", self.page()?))?;
        std::fs::write(page.with_extension("json"), serde_json::to_string_pretty(&self.json())?)?;
        Ok(())
    }
}
