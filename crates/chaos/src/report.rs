//! What came of a run, for people and for machines.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use bench::client::Failure;
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::judge::Verdict;

/// A program, as it is told from others.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Build {
    /// What it says itself (`--version`).
    pub version: String,
    /// The beginning of its file's SHA-256.
    pub digest: String,
}

impl std::fmt::Display for Build {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` (SHA-256 {}…)", self.version, self.digest)
    }
}

/// The promises, each with what keeps a run from checking it, if something does.
const PROMISES: [(&str, Option<&str>); 15] = [
    ("P1", None),
    ("P2", None),
    ("P3", None),
    ("P4", None),
    ("P5", None),
    ("P6", None),
    ("P7", None),
    ("P8", None),
    ("P9", None),
    ("P10", None),
    ("P11", None),
    ("P12", Some("nobody here asks for what is another's; the matrix of the API tests does")),
    ("P13", None),
    ("P14", Some("nobody is erased here; the tests of erasure search every store")),
    ("P15", None),
];

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
    /// How many orders were asked for.
    pub wanted_orders: u64,
    /// How many kills were.
    pub wanted_kills: usize,
    /// Of each fault, how often it was to happen.
    pub planned: BTreeMap<Fault, usize>,
    /// Of each fault, how long after its end an order was placed and confirmed, each time it was seen.
    pub recoveries: BTreeMap<Fault, Vec<Duration>>,
    /// Of each fault, what was seen of it, each time.
    pub seen: BTreeMap<Fault, Vec<String>>,
    /// Of each fault, how often it was tried and nobody saw it.
    pub not_seen: BTreeMap<Fault, usize>,
    /// How long killed instances took until they were ready.
    pub ready: Vec<Duration>,
    /// Processes that ended by themselves and were started again by the supervisor.
    pub fell: Vec<String>,
    /// Processes that had to be killed in the end.
    pub late: Vec<String>,
    /// What could not be done here.
    pub not_done: Vec<&'static str>,
    /// The program.
    pub build: Build,
    /// The other build that was upgraded to, if there was one.
    pub second_build: Option<Build>,
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
    /// Whether every promise was kept, and everything was done that was asked for.
    pub fn is_clean(&self) -> bool {
        self.violations().is_empty()
    }

    /// Notes a fault that was tried; says whether anybody saw it.
    pub fn happened(&mut self, fault: Fault, recovery: Duration, seen: Option<String>) -> bool {
        let Some(seen) = seen else {
            *self.not_seen.entry(fault).or_default() += 1;
            return false;
        };
        self.recoveries.entry(fault).or_default().push(recovery);
        self.seen.entry(fault).or_default().push(seen);
        true
    }

    /// How often this was tried and nobody saw it.
    pub fn unseen(&self, fault: Fault) -> usize {
        self.not_seen.get(&fault).copied().unwrap_or_default()
    }

    fn times(&self, fault: Fault) -> usize {
        self.recoveries.get(&fault).map_or(0, Vec::len)
    }

    /// What the faults themselves prove: each recovery was a check.
    pub fn judge_faults(&mut self) {
        let all: usize = self.recoveries.values().map(Vec::len).sum();
        let zombies = self.times(Fault::InstanceFrozen) + self.times(Fault::InstanceZombie);
        let redis = self.times(Fault::RedisFlushed) + self.times(Fault::RedisAway);
        let lost = self.times(Fault::NatsStoreLost);
        for (promise, what, items) in [
            ("P3", "faults, an order confirmed within 60 s of each", all),
            ("P7", "times that NATS lost its store", lost),
            ("P8", "instances stopped and resumed", zombies),
            ("P15", "times without Redis or what it held, an order confirmed after each", redis),
        ] {
            self.verdict.checked(promise, what, items);
        }
    }

    /// What was asked for and not done.
    pub fn undone(&self) -> Vec<String> {
        let mut undone: Vec<String> =
            self.not_done.iter().map(|what| format!("not done: {what}")).collect();
        for (fault, planned) in &self.planned {
            let (seen, unseen) = (self.times(*fault), self.unseen(*fault));
            if seen < *planned {
                let what = fault.says();
                undone.push(format!(
                    "not done: {what}: seen {seen} of {planned} times, tried in vain {unseen} times"
                ));
            }
        }
        if self.accepted < self.wanted_orders {
            undone.push(format!("not done: {} of {} orders", self.accepted, self.wanted_orders));
        }
        let wanted_kills = u64::try_from(self.wanted_kills).unwrap_or(u64::MAX);
        if self.kills < wanted_kills {
            undone.push(format!("not done: {} of {wanted_kills} kills", self.kills));
        }
        undone
    }

    /// Everything that must not be: promises that were broken, what was not done, and who did not
    /// stop or stopped unasked.
    pub fn violations(&self) -> Vec<String> {
        let late = self.late.iter().map(|name| format!("{name} did not stop when it was asked to"));
        let fell = self.fell.iter().map(|name| format!("{name} ended by itself"));
        let broken = self.verdict.violations.iter().cloned();
        broken.chain(self.undone()).chain(late).chain(fell).collect()
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
        self.promises(&mut page)?;
        self.faults(&mut page)?;
        writeln!(page, "\n## How the orders ended\n\n| state | orders |\n|---|---|")?;
        for (state, count) in &self.verdict.orders {
            writeln!(page, "| {state} | {count} |")?;
        }
        list(&mut page, "Violations", self.violations().into_iter())?;
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
            ("**violations**", format!("**{}**", self.violations().len())),
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
            (
                "from the last order to rest (`kontor doctor --at-rest`), s; 60 at most",
                seconds(verdict.rest),
            ),
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

    fn promises(&self, page: &mut String) -> Result<(), Failure> {
        writeln!(page, "\n## Promises\n")?;
        writeln!(
            page,
            "The doctor (`kontor doctor --at-rest`) looks at every row for P1 to P11 and P13 besides, until it finds nothing.\n"
        )?;
        writeln!(page, "| promise | what was looked at, how many | violations |\n|---|---|---|")?;
        for (promise, why_not) in PROMISES {
            let checks = self.verdict.checks.iter().filter(|check| check.promise == promise);
            let checks: Vec<String> =
                checks.map(|check| format!("{}: {}", check.what, check.items)).collect();
            let broken = self.verdict.violations.iter().filter(|what| {
                what.strip_prefix(promise).is_some_and(|rest| rest.starts_with(':'))
            });
            match why_not {
                Some(why) => writeln!(page, "| {promise} | not checked here: {why} | |")?,
                None => {
                    writeln!(page, "| {promise} | {} | {} |", checks.join("; "), broken.count())?;
                }
            }
        }
        Ok(())
    }

    fn faults(&self, page: &mut String) -> Result<(), Failure> {
        writeln!(
            page,
            "\n## Faults\n\n| fault | times | recovery, median / longest, s | not seen | what was seen, the first time |\n|---|---|---|---|---|"
        )?;
        for fault in self.planned.keys() {
            let spans = self.recoveries.get(fault).map_or(&[][..], Vec::as_slice);
            let seen = self.seen.get(fault).and_then(|seen| seen.first());
            let seen = seen.map_or("nothing", String::as_str);
            let (says, times, unseen) = (fault.says(), spans.len(), self.unseen(*fault));
            writeln!(page, "| {says} | {times} | {} | {unseen} | {seen} |", both(spans))?;
        }
        writeln!(
            page,
            "\nRecovery is the time from the end of a fault until an order that is placed after it is confirmed. A fault of"
        )?;
        writeln!(
            page,
            "which nothing was seen is not among the times; it was tried again. {}",
            self.rolls()
        )?;
        Ok(())
    }

    /// Between which builds the rolls were.
    fn rolls(&self) -> String {
        match &self.second_build {
            Some(other) if other.digest != self.build.digest => {
                format!("Rolls were upgrades from {} to {other} and back.", self.build)
            }
            Some(_) | None => {
                format!("Rolls were restarts of one build, {}, and no upgrades.", self.build)
            }
        }
    }

    fn json(&self) -> Value {
        let millis = |spans: &[Duration]| -> Vec<u64> {
            spans.iter().map(|span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX)).collect()
        };
        let recoveries: Vec<Value> = self
            .recoveries
            .iter()
            .map(|(fault, spans)| {
                let seen = self.seen.get(fault);
                json!({ "fault": fault, "recovery_ms": millis(spans), "seen": seen, "not_seen": self.unseen(*fault) })
            })
            .collect();
        let checks = self.verdict.checks.iter();
        let checks: Vec<Value> = checks
            .map(|check| json!({ "promise": check.promise, "what": check.what, "items": check.items }))
            .collect();
        json!({
            "checks": checks, "rolls": self.rolls(), "seed": self.seed, "nats_servers": self.nats_servers, "load_ms": millis(&[self.load])[0],
            "accepted": self.accepted, "repeats": self.repeats, "kills": self.kills,
            "faults": recoveries, "ready_ms": millis(&self.ready), "fell": self.fell,
            "late": self.late, "undone": self.undone(), "violations": self.violations(),
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Build, Report};
    use crate::fault::Fault;

    /// A run in which everything was done that was asked for.
    fn whole() -> Report {
        let mut report = Report {
            accepted: 10,
            wanted_orders: 10,
            kills: 1,
            wanted_kills: 1,
            ..Report::default()
        };
        report.planned.insert(Fault::PostgresCut, 1);
        report.happened(Fault::PostgresCut, Duration::from_secs(1), Some("4 cut".to_owned()));
        report
    }

    #[test]
    fn a_run_that_did_all_of_it_is_clean() {
        assert_eq!(whole().violations(), Vec::<String>::new());
    }

    #[test]
    fn a_fault_that_nobody_saw_was_not_done() {
        let mut report = whole();
        report.planned.insert(Fault::PostgresDiskFull, 1);
        assert!(!report.happened(Fault::PostgresDiskFull, Duration::ZERO, None));
        assert!(!report.is_clean());
        assert!(report.undone()[0].contains("seen 0 of 1 times, tried in vain 1 times"));
        // Tried again and seen, it was.
        report.happened(Fault::PostgresDiskFull, Duration::ZERO, Some("PANIC".to_owned()));
        assert!(report.is_clean());
    }

    #[test]
    fn too_few_orders_kills_or_tools_and_who_fell_or_stayed_are_violations() {
        let spoil: [fn(&mut Report); 5] = [
            |report| report.accepted = 9,
            |report| report.kills = 0,
            |report| report.not_done.push("no strace"),
            |report| report.fell.push("order-1".to_owned()),
            |report| report.late.push("order-1".to_owned()),
        ];
        for spoil in spoil {
            let mut report = whole();
            spoil(&mut report);
            assert_eq!(report.violations().len(), 1, "{:?}", report.violations());
            assert!(!report.is_clean());
        }
    }

    #[test]
    fn a_violation_is_counted_with_its_promise_and_no_other() {
        let mut report = whole();
        report.verdict.checked("P1", "pieces", 7);
        report.verdict.broken("P1", "one too many");
        report.verdict.broken("P13", "another total");
        let page = report.page().unwrap_or_default();
        assert!(page.contains("| P1 | pieces: 7 | 1 |"), "{page}");
        assert!(
            page.contains("| P2 |  | 0 |") && page.contains("| P12 | not checked here"),
            "{page}"
        );
        assert!(page.contains("- P13: another total"), "{page}");
    }

    #[test]
    fn a_second_program_that_is_the_same_file_makes_no_upgrade() {
        let build =
            |digest: &str| Build { version: "kontor 1".to_owned(), digest: digest.to_owned() };
        let mut report = Report { build: build("aa"), ..whole() };
        assert!(report.rolls().contains("no upgrades"));
        report.second_build = Some(build("aa"));
        assert!(report.rolls().contains("no upgrades"));
        report.second_build = Some(build("bb"));
        assert!(report.rolls().contains("upgrades from `kontor 1` (SHA-256 aa"));
    }
}
