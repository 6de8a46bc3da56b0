//! The command line of the simulation.
#![expect(clippy::print_stdout, reason = "this is a command line: it says what it has found")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use platform::clock::Clock;
use simulation::matrix::{self, GOLDEN};
use simulation::run::{self, Outcome};
use simulation::swarm::{self, Report, Seeds};
use simulation::template::Template;
use simulation::trace::Lines;
use simulation::world::Failure;

/// The whole shop under a seeded scheduler with faults.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run seeds: first those that have failed before, then others.
    Run {
        /// How many.
        #[arg(long, default_value_t = 3000)]
        seeds: u64,
        /// From which on.
        #[arg(long, default_value_t = 1)]
        from: u64,
        /// On how many threads.
        #[arg(long, default_value_t = 2)]
        jobs: usize,
        /// Stop at the first seed that fails.
        #[arg(long)]
        first: bool,
    },
    /// Run one seed again.
    Replay {
        /// Which.
        seed: u64,
        /// Show every step.
        #[arg(long)]
        verbose: bool,
    },
    /// Die at every point of the golden orders.
    Matrix {
        /// And at every pair of points.
        #[arg(long)]
        pairs: bool,
        /// Only die at these points of the story with this number, and show every step.
        #[arg(long, value_delimiter = ',')]
        only: Vec<u64>,
        /// Which story `--only` is about.
        #[arg(long, default_value_t = 0)]
        story: usize,
    },
    /// Run seeds nobody has run before, and pairs of deaths, for so long.
    Soak {
        /// Minutes.
        #[arg(long, default_value_t = 10)]
        minutes: u64,
        /// From which seed on; chosen by the clock, if not said.
        #[arg(long)]
        from: Option<u64>,
        /// On how many threads.
        #[arg(long, default_value_t = 2)]
        jobs: usize,
    },
    /// Plant bugs, and find each. Needs the feature `planted`.
    Planted {
        /// Only those with these names.
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
        /// On how many threads.
        #[arg(long, default_value_t = 2)]
        jobs: usize,
    },
    /// What `make test` runs: the matrix, the seeds, and the planted bugs.
    Test {
        /// How many seeds.
        #[arg(long, default_value_t = 3000)]
        seeds: u64,
    },
}

/// So many seeds must have shown every situation on the list.
const ENOUGH_FOR_ALL: u64 = 3000;

fn main() -> ExitCode {
    // A panic inside a unit is caught and told as what it is; its message would only be in the way.
    std::panic::set_hook(Box::new(|_| {}));
    let done = match Args::parse().command {
        Command::Run { seeds, from, jobs, first } => run_seeds(seeds, from, jobs, first),
        Command::Replay { seed, verbose } => replay(seed, verbose),
        Command::Matrix { pairs, only, story } if only.is_empty() => {
            let _ = story;
            walk_matrix(pairs)
        }
        Command::Matrix { only, story, .. } => die_once(&only, story),
        Command::Soak { minutes, from, jobs } => soak(minutes, from, jobs),
        Command::Planted { only, jobs } => find_planted(&only, jobs),
        Command::Test { seeds } => test(seeds),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            println!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn test(seeds: u64) -> Result<(), Failure> {
    let clock = Clock::system();
    let mut began = clock.now();
    let mut took = |what: &str| {
        let now = clock.now();
        println!("{what} took {} s\n", now.since(began).as_secs());
        began = now;
    };
    walk_matrix(false)?;
    took("the matrix");
    run_seeds(seeds, 1, 2, false)?;
    took("the seeds");
    find_planted(&[], 2)?;
    took("the planted bugs");
    Ok(())
}

fn failing_seeds() -> PathBuf {
    // Where cargo runs it, not where it was built: checkouts share what is built.
    let here = std::env::var("CARGO_MANIFEST_DIR");
    let here = here.as_deref().unwrap_or(env!("CARGO_MANIFEST_DIR"));
    Path::new(here).join("failing-seeds.txt")
}

/// Seeds that have failed before, one a line; what follows the number is a note.
fn known_seeds() -> Vec<u64> {
    let text = std::fs::read_to_string(failing_seeds()).unwrap_or_default();
    text.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect()
}

fn keep(failed: &[Outcome]) {
    let known = known_seeds();
    let new: String = failed
        .iter()
        .filter(|outcome| !known.contains(&outcome.seed))
        .take(20)
        .map(|outcome| format!("{}\n", outcome.seed))
        .collect();
    if new.is_empty() {
        return;
    }
    let text = std::fs::read_to_string(failing_seeds()).unwrap_or_default();
    if let Err(error) = std::fs::write(failing_seeds(), text + &new) {
        println!("{} cannot be written: {error}", failing_seeds().display());
    }
}

fn run_seeds(count: u64, from: u64, jobs: usize, stop_at_failure: bool) -> Result<(), Failure> {
    let clock = Clock::system();
    let began = clock.now();
    let seeds = Seeds { first: known_seeds(), from, count, jobs, stop_at_failure };
    let report = swarm::run(&seeds, &|_| false)?;
    tell(&report, clock.now().since(began), jobs);
    keep(&report.failed);
    judge(&report)
}

fn soak(minutes: u64, from: Option<u64>, jobs: usize) -> Result<(), Failure> {
    let clock = Clock::system();
    let began = clock.now();
    let until = began.plus(Duration::from_secs(60 * minutes));
    let from = from.unwrap_or_else(|| u64::try_from(began.micros()).unwrap_or(1));
    println!("from seed {from}");
    let seeds =
        Seeds { first: known_seeds(), from, count: u64::MAX / 2, jobs, stop_at_failure: true };
    let half = began.plus(Duration::from_secs(30 * minutes));
    let report = swarm::run(&seeds, &|_| clock.now() >= half)?;
    tell(&report, clock.now().since(began), jobs);
    keep(&report.failed);
    judge(&report)?;
    walk_pairs(from, || clock.now() >= until)
}

/// Dies at pairs of points chosen by the seed, one story after the other, until it is time.
fn walk_pairs(seed: u64, over: impl Fn() -> bool) -> Result<(), Failure> {
    let _inside = swarm::enter()?;
    let template = Template::make()?;
    let mut pairs = matrix::Pairs::of(&template, seed)?;
    while !over() {
        let (story, points) = pairs.choose();
        let golden = GOLDEN.get(story).ok_or_else(|| Failure::new("there is no such story"))?;
        die(&template, *golden, &points)?;
    }
    let walked: Vec<String> = pairs.walked().iter().map(ToString::to_string).collect();
    println!("pairs of deaths in each story: {}; all settled", walked.join(", "));
    Ok(())
}

fn replay(seed: u64, verbose: bool) -> Result<(), Failure> {
    let _inside = swarm::enter()?;
    let template = Template::make()?;
    let lines = if verbose { Lines::Shown } else { Lines::Hashed };
    let outcome = run::swarm(&template, seed, lines)?;
    println!("seed {seed}: {} lines, {} orders, {}", outcome.lines, outcome.orders, outcome.hash);
    match &outcome.failure {
        None => Ok(()),
        Some((what, last)) => {
            let last = if verbose { String::new() } else { last.join("\n") };
            Err(Failure::new(format!("{last}\n{what}")))
        }
    }
}

fn tell(report: &Report, took: Duration, jobs: usize) {
    for (what, times) in report.sometimes.table() {
        println!("{times:>9}  {what}");
    }
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    let in_core_hour =
        report.seeds.saturating_mul(3_600_000) / millis / u64::try_from(jobs.max(1)).unwrap_or(1);
    println!(
        "{} seeds, {} orders, {} steps in {}.{} s: {} seeds/s, {in_core_hour} a core-hour; {} replayed the same",
        report.seeds,
        report.orders,
        report.lines,
        millis / 1000,
        millis % 1000 / 100,
        report.seeds.saturating_mul(1000) / millis,
        report.replayed,
    );
}

fn judge(report: &Report) -> Result<(), Failure> {
    if let Some(outcome) = report.failed.first() {
        let (what, last) = outcome.failure.clone().unwrap_or_default();
        return Err(Failure::new(format!(
            "{}\n\n{} of {} seeds failed, seed {} first: {what}\nreplay it: cargo run --release -p simulation -- replay {} --verbose",
            last.join("\n"),
            report.failed.len(),
            report.seeds,
            outcome.seed,
            outcome.seed,
        )));
    }
    let mut missing: Vec<String> =
        report.sometimes.missing().into_iter().map(str::to_owned).collect();
    missing.extend(report.unsaid());
    if report.seeds >= ENOUGH_FOR_ALL && !missing.is_empty() {
        return Err(Failure::new(format!("never happened: {}", missing.join("; "))));
    }
    Ok(())
}

#[cfg(feature = "planted")]
fn find_planted(only: &[String], jobs: usize) -> Result<(), Failure> {
    use platform::planted::Bug;
    use simulation::planted::{WITHIN, hunt};

    let mut missed = Vec::new();
    let chosen = |bug: &Bug| only.is_empty() || only.contains(&format!("{bug:?}"));
    for bug in Bug::ALL.into_iter().filter(chosen) {
        match hunt(bug, jobs)? {
            Some(found) => {
                let what = found.what.lines().next().unwrap_or_default();
                println!("{bug:?}: found by seed {}: {what}", found.seed);
            }
            None => missed.push(bug),
        }
    }
    if missed.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(format!("not found within {WITHIN} seeds: {missed:?}")))
    }
}

#[cfg(not(feature = "planted"))]
fn find_planted(_: &[String], _: usize) -> Result<(), Failure> {
    Err(Failure::new("no bugs can be planted: build with --features planted"))
}

fn walk_matrix(pairs: bool) -> Result<(), Failure> {
    let _inside = swarm::enter()?;
    let template = Template::make()?;
    for golden in GOLDEN {
        let points = matrix::points(&template, *golden)?;
        let mut deaths = 0_u64;
        for first in 0..points {
            let passed = die(&template, *golden, &[first])?;
            deaths += 1;
            for second in first + 1..if pairs { passed } else { 0 } {
                die(&template, *golden, &[first, second])?;
                deaths += 1;
            }
        }
        println!("{golden:?}: {points} points, {deaths} runs, all settled");
    }
    Ok(())
}

fn die(template: &Template, golden: matrix::Golden, points: &[u64]) -> Result<u64, Failure> {
    let (outcome, passed) = matrix::die_at(template, golden, points, Lines::Hashed)?;
    match outcome.failure {
        None => Ok(passed),
        Some((what, last)) => Err(Failure::new(format!(
            "{}\n\n{golden:?} dying at {points:?}: {what}",
            last.join("\n")
        ))),
    }
}

fn die_once(points: &[u64], story: usize) -> Result<(), Failure> {
    let _inside = swarm::enter()?;
    let template = Template::make()?;
    let golden = GOLDEN.get(story).ok_or_else(|| Failure::new("there is no such story"))?;
    let (outcome, passed) = matrix::die_at(&template, *golden, points, Lines::Shown)?;
    println!("{golden:?}: {passed} points");
    outcome.failure.map_or(Ok(()), |(what, _)| Err(Failure::new(what)))
}
