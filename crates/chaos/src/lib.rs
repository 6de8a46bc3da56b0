//! `make chaos`: a whole shop of real processes under load, real faults, and a judgement afterwards.
//!
//! The program starts its own servers and the shop on them, lets people buy, packs what they bought,
//! breaks something every few seconds, mends it, and sees how long it takes until an order gets
//! through again. In the end it waits for rest and holds what was promised against what is there.

mod evidence;
mod fault;
mod faults;
mod judge;
mod people;
mod proxy;
mod report;
mod shop;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bench::client::Failure;
use clap::Parser;
use platform::clock::Clock;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use fault::Fault;
use faults::{Injector, Spans, Wanted, faketime, tracer};
use people::{Doors, Ledger, Outside, PLAIN, buy, fill, open_doors, until};
pub use proxy::Proxy;
use report::Build;
pub use report::Report;
use shop::Shop;

/// An order that is not confirmed so long after a fault's end is a violation by itself.
const RECOVERY: Duration = Duration::from_secs(60);
/// A fault that nobody saw is tried again at the end, so many times of each kind.
const AGAIN: usize = 3;

/// Break a shop in every way there is, under load, and see whether it keeps its promises.
#[derive(Debug, Parser)]
pub struct Options {
    /// The program; beside this one unless named.
    #[arg(long, env = "KONTOR_PROGRAM")]
    pub program: Option<PathBuf>,
    /// Another build of it, for rolling upgrades there and back. Without it, rolls are restarts.
    #[arg(long)]
    pub second_program: Option<PathBuf>,
    /// Goes on until so many orders are accepted, and the plan is done.
    #[arg(long, default_value_t = 500)]
    pub orders: u64,
    /// Ends after so many minutes, whatever is not done yet.
    #[arg(long, default_value_t = 3)]
    pub minutes: u64,
    /// How many kills there are in the plan.
    #[arg(long, default_value_t = 6)]
    pub kills: usize,
    /// How often each other kind of fault is in the plan, but for the two that last longest.
    #[arg(long, default_value_t = 1)]
    pub each: usize,
    /// How often an instance is stopped for longer than its leases; each takes a minute.
    #[arg(long, default_value_t = 0)]
    pub zombies: usize,
    /// How often NATS is gone for minutes.
    #[arg(long, default_value_t = 0)]
    pub long_aways: usize,
    /// How long that is, in seconds.
    #[arg(long, default_value_t = 130)]
    pub long_away: u64,
    /// Only these faults, in this order, in place of a plan.
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<Fault>,
    /// How long most faults last, in seconds.
    #[arg(long, default_value_t = 3)]
    pub lasting: u64,
    /// How long NATS is gone, in seconds.
    #[arg(long, default_value_t = 5)]
    pub away: u64,
    /// How long it takes at most until the next fault, in milliseconds.
    #[arg(long, default_value_t = 1_500)]
    pub between_ms: u64,
    /// Decides the faults.
    #[arg(long, default_value_t = 20_261_122)]
    pub seed: u64,
    /// How many NATS servers; 3 are a cluster with streams of three replicas.
    #[arg(long, default_value_t = 1)]
    pub nats_servers: usize,
    /// How many shoppers there are.
    #[arg(long, default_value_t = 6)]
    pub shoppers: u64,
    /// How long a shopper rests between two orders, in milliseconds.
    #[arg(long, default_value_t = 200)]
    pub pause_ms: u64,
    /// How long it may take until nothing is under way any more, in seconds. What an instance was
    /// doing outside when it was killed is under its lease for 50 seconds.
    #[arg(long, default_value_t = 120)]
    pub rest: u64,
    /// Where the report goes; beside it one for machines. Nowhere unless named.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Where everything is, and stays. A folder that is thrown away unless something is wrong.
    #[arg(long)]
    pub folder: Option<PathBuf>,
}

fn say(text: &str) {
    // If even this cannot be written, the exit code says it.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Does all of it; answers what came of it, which has also been told.
///
/// # Errors
/// When the shop does not start, or cannot be looked at.
pub async fn run(cli: &Options) -> Result<Report, Failure> {
    let beside = std::env::current_exe()?.with_file_name("kontor");
    let program = std::path::absolute(cli.program.as_ref().unwrap_or(&beside))?;
    let thrown_away = tempfile::Builder::new().prefix("kontor-chaos-").tempdir()?;
    let folder = cli.folder.clone().unwrap_or_else(|| thrown_away.path().to_owned());
    std::fs::create_dir_all(&folder)?;
    let done = in_folder(cli, &program, &folder).await;
    let is_clean = done.as_ref().is_ok_and(Report::is_clean);
    if !is_clean && cli.folder.is_none() {
        say(&format!("what everybody said is in {}", thrown_away.keep().join("logs").display()));
    }
    done
}

async fn in_folder(cli: &Options, program: &Path, folder: &Path) -> Result<Report, Failure> {
    let clock = Clock::system();
    let mut random = StdRng::seed_from_u64(cli.seed);
    let begun = clock.now();
    let mut shop = Shop::open(folder, program, cli.nats_servers, &mut random).await?;
    let doors = Doors { gateways: shop.gateways.clone(), provider: shop.provider };
    fill(&doors).await?;
    let started = clock.now().since(begun);
    say(&format!("{} processes are ready and stocked after {started:?}", shop.instances.len()));
    let ledger = Arc::new(Ledger::default());
    let pause = Duration::from_millis(cli.pause_ms);
    let people = open_doors(&doors, &ledger, cli.seed, cli.shoppers, pause);
    let mut report = Report {
        seed: cli.seed,
        nats_servers: cli.nats_servers,
        has_redis: shop.redis.is_some(),
        wanted_orders: cli.orders,
        wanted_kills: if cli.only.is_empty() { cli.kills } else { 0 },
        build: build(program).await?,
        second_build: match &cli.second_program {
            Some(program) => Some(build(program).await?),
            None => None,
        },
        ..Report::default()
    };
    let begun = clock.now();
    let mut injector = injector(cli, random);
    report.not_done = injector.missing(&shop);
    let broken = break_things(cli, &mut shop, &mut injector, &ledger, &mut report).await;
    report.load = clock.now().since(begun);
    if let Err(failure) = &broken {
        report.verdict.violations.push(failure.to_string());
    }
    shop.until_ready().await?;
    ledger.over.store(true, Ordering::Relaxed);
    for person in people {
        person.await?;
    }
    report.accepted = ledger.count();
    report.repeats = ledger.repeats.load(Ordering::Relaxed);
    report.kills = injector.kills;
    report.ready = injector.ready;
    let limit = Duration::from_secs(cli.rest);
    let mut verdict = judge::judge(&mut shop, program, &ledger, limit).await?;
    verdict.violations.append(&mut report.verdict.violations);
    report.verdict = verdict;
    report.judge_faults();
    report.late = shop.close().await;
    report.fell = std::mem::take(&mut shop.fell);
    let left_over = shop.left_over().into_iter().map(|left| format!("left over: {left}"));
    report.verdict.violations.extend(left_over);
    say(&report.page()?);
    if let Some(out) = &cli.out {
        report.write(out)?;
    }
    Ok(report)
}

/// What a program says of itself, and by what its file is told from others.
async fn build(program: &Path) -> Result<Build, Failure> {
    let said = tokio::process::Command::new(program).arg("--version").output().await?;
    let sum = tokio::process::Command::new("sha256sum").arg(program).output().await?;
    if !said.status.success() || !sum.status.success() {
        return Err(format!("{} cannot be run or read", program.display()).into());
    }
    let version = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    let digest = String::from_utf8_lossy(&sum.stdout).chars().take(12).collect();
    Ok(Build { version, digest })
}

fn injector(cli: &Options, random: StdRng) -> Injector {
    let spans = Spans {
        short: Duration::from_secs(cli.lasting),
        away: Duration::from_secs(cli.away),
        minutes: Duration::from_secs(cli.long_away),
    };
    Injector {
        random,
        spans,
        second_program: cli.second_program.clone(),
        kills: 0,
        ready: Vec::new(),
        faketime: faketime(),
        tracer: tracer(),
        left_down: 0,
        zombies: 0,
    }
}

/// Breaks one thing after another until the plan is done and enough was bought, or time is up.
async fn break_things(
    cli: &Options,
    shop: &mut Shop,
    injector: &mut Injector,
    ledger: &Arc<Ledger>,
    report: &mut Report,
) -> Result<(), Failure> {
    let clock = Clock::system();
    let end = clock.now().plus(Duration::from_secs(60 * cli.minutes));
    let mut plan = if cli.only.is_empty() {
        let (kills, each, zombies) = (cli.kills, cli.each, cli.zombies);
        injector.plan(shop, &Wanted { kills, each, zombies, long_aways: cli.long_aways })
    } else {
        cli.only.iter().rev().copied().collect()
    };
    for fault in &plan {
        *report.planned.entry(*fault).or_default() += 1;
    }
    let doors = Doors { gateways: shop.gateways.clone(), provider: shop.provider };
    for number in 0_u64.. {
        if clock.now() > end {
            let (missing, wanted) = (plan.len(), cli.orders);
            let accepted = ledger.count();
            let done =
                format!("{missing} faults of the plan not done, {accepted} of {wanted} orders");
            return Err(format!("time was up: {done}").into());
        }
        let fault = match plan.pop() {
            Some(fault) => fault,
            None if ledger.count() >= cli.orders => return Ok(()),
            None => {
                shop.wait(Duration::from_millis(500)).await?;
                continue;
            }
        };
        let span = Duration::from_millis(injector.random.random_range(0..=cli.between_ms));
        shop.wait(span).await?;
        let seen = injector.inject(shop, fault).await?;
        let probe = Outside::new(&doors, ledger, 1);
        let recovery = recovered(shop, probe, number).await?;
        injector.mend(shop, fault).await?;
        say(&format!(
            "{fault:?}: {}; recovered after {recovery:?}; {} orders, {} kills",
            seen.as_deref().unwrap_or("NOT SEEN"),
            ledger.count(),
            injector.kills
        ));
        if !report.happened(fault, recovery, seen) && report.unseen(fault) <= AGAIN {
            plan.insert(0, fault);
        }
    }
    Ok(())
}

/// Places an order; answers after how long it was confirmed.
async fn recovered(shop: &mut Shop, mut probe: Outside, number: u64) -> Result<Duration, Failure> {
    let clock = Clock::system();
    let begun = clock.now();
    let confirmed = platform::tasks::spawn("probe", async move {
        let bought = buy(&mut probe, &format!("probe-{number}"), PLAIN).await?;
        until(&mut probe, &bought, |order| order["status"] != "pending").await
    });
    while !confirmed.is_finished() {
        shop.wait(Duration::from_millis(20)).await?;
        if clock.now().since(begun) > RECOVERY {
            confirmed.abort();
            return Err(format!("no order was confirmed {RECOVERY:?} after a fault's end").into());
        }
    }
    let order = confirmed.await?.ok_or("the probe was sent home")?;
    if order["status"] != "confirmed" && order["status"] != "completed" {
        return Err(format!("an order with nothing wrong is {order}").into());
    }
    Ok(clock.now().since(begun))
}
