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
    let middle = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    (middle, sorted.last().copied().unwrap_or_default())
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
        let verdict = &self.verdict;
        let all: Vec<Duration> = self.recoveries.values().flatten().copied().collect();
        let (middle, longest) = middle_and_longest(&all);
        writeln!(page, "# Real faults: a report\n")?;
        writeln!(
            page,
            "Written by `make chaos`. Six services and the gateway, two processes of each, on"
        )?;
        writeln!(
            page,
            "PostgreSQL (fsync on), {} NATS server(s) and Redis, under load all the",
            self.nats_servers
        )?;
        writeln!(page, "while; seed {}.\n", self.seed)?;
        writeln!(page, "| | |\n|---|---|")?;
        writeln!(page, "| orders accepted | {} |", self.accepted)?;
        writeln!(page, "| faults | {} |", all.len())?;
        writeln!(page, "| instances killed (kill -9) | {} |", self.kills)?;
        writeln!(page, "| **violations** | **{}** |", verdict.violations.len())?;
        writeln!(
            page,
            "| manual steps | none: nobody but a supervisor that starts what has ended |"
        )?;
        writeln!(page, "| load, seconds | {} |", seconds(self.load))?;
        writeln!(page, "| requests not answered, and asked again | {} |", self.repeats)?;
        writeln!(
            page,
            "| from a fault's end to an order confirmed, median and longest, s | {} / {} |",
            seconds(middle),
            seconds(longest)
        )?;
        let (middle, longest) = middle_and_longest(&self.ready);
        writeln!(
            page,
            "| a killed instance ready again, median and longest, s | {} / {} |",
            seconds(middle),
            seconds(longest)
        )?;
        writeln!(
            page,
            "| from the last order to rest (`kontor doctor --at-rest`), s | {} |",
            seconds(verdict.rest)
        )?;
        writeln!(page, "| processes that ended by themselves | {} |", self.fell.len())?;
        writeln!(
            page,
            "| taken and given back by the provider's account | {} / {} |",
            verdict.captured_minor, verdict.refunded_minor
        )?;
        writeln!(
            page,
            "\n## Faults\n\n| fault | times | recovery: median, s | longest, s |\n|---|---|---|---|"
        )?;
        for (fault, spans) in &self.recoveries {
            let (middle, longest) = middle_and_longest(spans);
            writeln!(
                page,
                "| {} | {} | {} | {} |",
                fault.says(),
                spans.len(),
                seconds(middle),
                seconds(longest)
            )?;
        }
        writeln!(
            page,
            "\nRecovery is the time from the end of a fault until an order that is placed after it is confirmed."
        )?;
        let other = if self.second_program {
            "two builds, there and back"
        } else {
            "one build: the same program again"
        };
        writeln!(page, "Rolling restarts were between {other}.")?;
        writeln!(page, "\n## How the orders ended\n\n| state | orders |\n|---|---|")?;
        for (state, count) in &verdict.orders {
            writeln!(page, "| {state} | {count} |")?;
        }
        if !self.not_done.is_empty() {
            writeln!(page, "\n## Not done\n")?;
            for what in &self.not_done {
                writeln!(page, "- {what}")?;
            }
        }
        if !self.is_clean() || !self.fell.is_empty() {
            writeln!(page, "\n## Violations and oddities\n")?;
            for what in &verdict.violations {
                writeln!(page, "- {what}")?;
            }
            for name in &self.late {
                writeln!(page, "- {name} did not stop when it was asked to")?;
            }
            for name in &self.fell {
                writeln!(page, "- {name} ended by itself (and was started again)")?;
            }
        }
        Ok(page)
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
        std::fs::write(page, self.page()?)?;
        std::fs::write(page.with_extension("json"), serde_json::to_string_pretty(&self.json())?)?;
        Ok(())
    }
}
