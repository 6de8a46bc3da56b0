//! Many seeds, on several threads, and what they have shown together.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use contracts::Source;

use crate::run::{self, Outcome};
use crate::said;
use crate::sometimes::Sometimes;
use crate::template::Template;
use crate::trace::Lines;
use crate::world::Failure;

/// Every so many seeds one is run twice, and must be the same to the byte.
pub const REPLAY_EVERY: u64 = 50;

/// What many seeds have come to.
#[derive(Debug, Default)]
pub struct Report {
    /// How many were run.
    pub seeds: u64,
    /// How many orders were accepted in them.
    pub orders: u64,
    /// How many lines their traces have.
    pub lines: u64,
    /// How many were run twice and came out the same.
    pub replayed: u64,
    /// What happened in them.
    pub sometimes: Sometimes,
    /// What was said in them, and by whom.
    pub said: BTreeSet<(Source, &'static str)>,
    /// Those that failed, in the order of their seeds.
    pub failed: Vec<Outcome>,
}

/// Which seeds to run, and how.
#[derive(Debug, Clone)]
pub struct Seeds {
    /// These first, such as have failed before.
    pub first: Vec<u64>,
    /// Then those from this one on.
    pub from: u64,
    /// How many of them.
    pub count: u64,
    /// On how many threads.
    pub jobs: usize,
    /// Whether to stop at the first that fails.
    pub stop_at_failure: bool,
}

/// Runs seeds until all are done or `enough` says so, which is asked after each.
///
/// # Errors
/// When a run cannot even begin.
pub fn run(seeds: &Seeds, enough: &(dyn Fn(&Report) -> bool + Sync)) -> Result<Report, Failure> {
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let first = u64::try_from(seeds.first.len()).unwrap_or(u64::MAX);
    let report = Mutex::new(Report::default());
    let work = || -> Result<(), Failure> {
        let _quiet = enter()?;
        let template = Template::make()?;
        while !stop.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let listed = usize::try_from(number).ok().and_then(|n| seeds.first.get(n)).copied();
            let seed = match listed {
                Some(seed) => seed,
                None if number - first < seeds.count => seeds.from + (number - first),
                None => return Ok(()),
            };
            let outcome = once(&template, seed, number)?;
            let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
            report.take_in(outcome, number);
            if (seeds.stop_at_failure && !report.failed.is_empty()) || enough(&report) {
                stop.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..seeds.jobs.max(1)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(done) => done,
            Err(_) => Err(Failure::new("a worker panicked outside any seed")),
        })
    })?;
    let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
    report.failed.sort_by_key(|outcome| outcome.seed);
    Ok(report)
}

fn once(template: &Template, seed: u64, number: u64) -> Result<Outcome, Failure> {
    let mut outcome = run::swarm(template, seed, Lines::Hashed)?;
    if number.is_multiple_of(REPLAY_EVERY) {
        let again = run::swarm(template, seed, Lines::Hashed)?;
        if again.hash != outcome.hash && outcome.failure.is_none() {
            let what = format!("it does not replay: {} and {}", outcome.hash, again.hash);
            outcome.failure = Some((what, again.failure.map_or(vec![], |(_, last)| last)));
        }
    }
    Ok(outcome)
}

impl Report {
    /// What a service declares to say and none of these seeds has made it say.
    pub fn unsaid(&self) -> Vec<String> {
        let unsaid = said::declared().into_iter().filter(|kind| !self.said.contains(kind));
        unsaid.map(|(source, kind)| format!("{source} says {kind}")).collect()
    }

    fn take_in(&mut self, outcome: Outcome, number: u64) {
        self.seeds += 1;
        self.orders += u64::try_from(outcome.orders).unwrap_or(0);
        self.lines += outcome.lines;
        self.replayed +=
            u64::from(number.is_multiple_of(REPLAY_EVERY) && outcome.failure.is_none());
        self.sometimes.add(&outcome.sometimes);
        self.said.extend(outcome.said.iter().copied());
        if outcome.failure.is_some() {
            self.failed.push(outcome);
        }
    }
}

/// The HTTP edge asks for a timer with each request. This gives it a clock that nobody winds: it
/// never rings, and nothing runs on it. One is made for each thread and kept.
///
/// # Errors
/// When the operating system refuses.
pub fn enter() -> Result<tokio::runtime::EnterGuard<'static>, Failure> {
    let built = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let built = built.map_err(|error| Failure::new(error.to_string()))?;
    let kept: &'static tokio::runtime::Runtime = Box::leak(Box::new(built));
    Ok(kept.enter())
}
