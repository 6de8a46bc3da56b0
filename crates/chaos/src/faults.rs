//! What goes wrong: each fault is done, lasts for a while, is undone, and leaves evidence that it was there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::evidence::{
    Mark, Seen, ahead_ms, injected, is_nobody_at, leased, stands_still, waiting,
};
use crate::fault::Fault;
use crate::proxy::{Counts, Proxy, Wire};
use crate::shop::Shop;
use bench::client::Failure;
use bench::process::Signal;
use platform::clock::Clock;
use platform::kernel::effects::LEASE;
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

/// So long an instance that was asked to stop may take.
const STOPPING: Duration = Duration::from_secs(30);
/// So long a restarted instance may take until it is ready.
const READY: Duration = Duration::from_secs(60);

/// So much longer than its leases an instance is stopped.
const PAST_LEASES: Duration = Duration::from_secs(8);
/// After so long, what is still under a lease that was taken before is of whom is stopped: whoever is
/// not has done or lost it.
const NOBODY_ELSE: Duration = Duration::from_secs(40);
/// A call to the provider ends within so long; what is under way for longer is of whom is stopped.
const SOME_WORK: Duration = Duration::from_secs(4);
/// So often an instance is stopped until it is stopped in the midst of its work.
const STOPS: usize = 12;
/// A clock that is an hour off may be corrected by so much less, in milliseconds.
const NEARLY_AN_HOUR_MS: i64 = 3_500_000;

/// Which system calls fail, how, and what PostgreSQL says then.
struct Calls {
    names: &'static str,
    error: &'static str,
    said: &'static str,
}

const DISK_FULL: Calls =
    Calls { names: "pwrite64,pwritev,fallocate", error: "ENOSPC", said: "No space left on device" };
const FSYNC_FAILS: Calls =
    Calls { names: "fsync,fdatasync", error: "EIO", said: "Input/output error" };

/// How long things last.
#[derive(Debug, Clone, Copy)]
pub struct Spans {
    /// Most faults.
    pub short: Duration,
    /// NATS gone.
    pub away: Duration,
    /// NATS gone for minutes.
    pub minutes: Duration,
}

/// How often each kind of fault is in the plan.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Kills of one instance.
    pub kills: usize,
    /// Every other kind that is over in seconds.
    pub each: usize,
    /// Instances stopped for longer than their leases.
    pub zombies: usize,
    /// NATS gone for minutes.
    pub long_aways: usize,
}

/// Who does it.
pub struct Injector {
    /// Decides where and how long.
    pub random: StdRng,
    /// How long things last.
    pub spans: Spans,
    /// The program that is upgraded to, if it is another.
    pub second_program: Option<PathBuf>,
    /// How often an instance was killed.
    pub kills: u64,
    /// How long killed instances took until they were ready, from their start.
    pub ready: Vec<Duration>,
    /// What makes a clock wrong, where it is installed.
    pub faketime: Option<PathBuf>,
    /// Whether there is a tracer, and it may be used.
    pub tracer: bool,
    /// How often one of several NATS servers was left down: they take turns.
    pub left_down: usize,
    /// How many instances have outlived their leases: services take turns.
    pub zombies: usize,
}

impl Injector {
    /// The faults of a run, in an order that the seed decides.
    pub fn plan(&mut self, shop: &Shop, wanted: &Wanted) -> Vec<Fault> {
        let Wanted { kills, each, zombies, long_aways } = *wanted;
        let mut plan = vec![Fault::InstanceKilled; kills];
        plan.extend(std::iter::repeat_n(Fault::InstanceZombie, zombies));
        plan.extend(std::iter::repeat_n(Fault::NatsAwayMinutes, long_aways));
        for fault in Fault::OTHERS {
            if self.can(shop, fault) {
                plan.extend(std::iter::repeat_n(fault, each));
            }
        }
        plan.shuffle(&mut self.random);
        plan
    }

    /// Whether this machine has what it takes.
    pub fn can(&self, shop: &Shop, fault: Fault) -> bool {
        let is_of_tracer = matches!(fault, Fault::PostgresDiskFull | Fault::PostgresFsyncFails);
        let is_of_redis = matches!(fault, Fault::RedisFlushed | Fault::RedisAway);
        let is_of_time = matches!(fault, Fault::ClockAhead | Fault::ClockBehind);
        (fault != Fault::NatsOneDown || shop.nats.len() > 1)
            && (!is_of_redis || shop.redis.is_some())
            && (!is_of_time || self.faketime.is_some())
            && (!is_of_tracer || self.tracer)
    }

    /// What cannot be done on this machine, and why.
    pub fn missing(&self, shop: &Shop) -> Vec<&'static str> {
        [
            (Fault::ClockAhead, "a wrong clock: libfaketime is not installed"),
            (
                Fault::PostgresDiskFull,
                "a full disk and failing fsync: strace is not installed or not allowed",
            ),
            (Fault::RedisAway, "Redis emptied or gone: it is not installed"),
        ]
        .into_iter()
        .filter(|(fault, _)| !self.can(shop, *fault))
        .map(|(_, why)| why)
        .collect()
    }

    /// Does it, waits, and undoes it, but for what [`Self::mend`] does; answers what was seen of it.
    ///
    /// # Errors
    /// When what was ended cannot be started again.
    pub async fn inject(&mut self, shop: &mut Shop, fault: Fault) -> Result<Seen, Failure> {
        match fault {
            Fault::InstanceKilled => self.kill_one(shop).await,
            Fault::ServiceKilled => self.kill_service(shop).await,
            Fault::InstanceFrozen => self.freeze(shop).await,
            Fault::InstanceZombie => self.outlive_leases(shop).await,
            Fault::PostgresFast => {
                self.restart_postgres(shop, Signal::Interrupt, "fast shutdown").await
            }
            Fault::PostgresImmediate => {
                self.restart_postgres(shop, Signal::Quit, "immediate shutdown").await
            }
            Fault::NatsKilled => self.restart_nats(shop, Duration::ZERO).await,
            Fault::NatsAway => self.restart_nats(shop, self.spans.away).await,
            Fault::NatsAwayMinutes => self.restart_nats(shop, self.spans.minutes).await,
            Fault::NatsStoreLost => self.lose_nats_store(shop).await,
            Fault::NatsOneDown => {
                let number = self.left_down % shop.nats.len();
                let was_there = shop.nats[number].process.is_alive();
                shop.nats[number].process.kill();
                let is_gone = is_nobody_at(shop.nats[number].address).await;
                Ok((was_there && is_gone).then(|| "it took no connection".to_owned()))
            }
            Fault::PostgresDiskFull => self.inject_into_postgres(shop, &DISK_FULL).await,
            Fault::PostgresFsyncFails => self.inject_into_postgres(shop, &FSYNC_FAILS).await,
            Fault::PostgresCut | Fault::NatsCut => cut(shop, fault == Fault::PostgresCut).await,
            Fault::PostgresSlow | Fault::NatsSlow => {
                let wire = Wire::Slow(Duration::from_millis(100));
                self.wires(shop, fault == Fault::PostgresSlow, &[0, 1], wire).await
            }
            Fault::PostgresSilent | Fault::NatsSilent => {
                let side = self.random.random_range(0..2);
                self.wires(shop, fault == Fault::PostgresSilent, &[side], Wire::Silent).await
            }
            Fault::ClockAhead => self.wrong_clock(shop, "+1h").await,
            Fault::ClockBehind => self.wrong_clock(shop, "-1h").await,
            Fault::Rolling => self.roll(shop).await,
            Fault::RedisFlushed => flush_redis(shop).await,
            Fault::RedisAway => self.redis_away(shop).await,
        }
    }

    /// Ends a running instance; it is due again within `later`.
    /// Says whether there was one to end: what is down already cannot be killed, and does not count.
    fn kill(&mut self, shop: &mut Shop, number: usize, later: Duration) -> bool {
        let instance = &mut shop.instances[number];
        let was_alive = instance.process.is_alive();
        instance.process.kill();
        instance.down_until = Some(Clock::system().now().plus(later));
        self.kills += u64::from(was_alive);
        was_alive
    }

    fn moment(&mut self) -> Duration {
        Duration::from_millis(self.random.random_range(0..3_000))
    }

    async fn kill_one(&mut self, shop: &mut Shop) -> Result<Seen, Failure> {
        let number = self.random.random_range(0..shop.instances.len());
        // Half of them are there again at once; some are killed while they start.
        let later = if self.random.random() { Duration::ZERO } else { self.moment() };
        let was_alive = self.kill(shop, number, later);
        shop.wait(later).await?;
        if self.random.random_range(0..4) == 0 {
            let span = Duration::from_millis(self.random.random_range(0..500));
            shop.wait(span).await?;
            self.kill(shop, number, Duration::ZERO);
        }
        self.until_ready(shop, number).await?;
        Ok(was_alive.then(|| "a running process ended, another was ready".to_owned()))
    }

    async fn until_ready(&mut self, shop: &mut Shop, number: usize) -> Result<(), Failure> {
        let clock = Clock::system();
        shop.tend()?;
        let begun = clock.now();
        if !shop.is_ready(number, READY).await? {
            let name = &shop.instances[number].process.spec.name;
            return Err(format!("{name} is not ready again after {READY:?}").into());
        }
        self.ready.push(clock.now().since(begun));
        Ok(())
    }

    async fn kill_service(&mut self, shop: &mut Shop) -> Result<Seen, Failure> {
        let first = self.random.random_range(0..shop.instances.len() / 2) * 2;
        let later = self.moment();
        let were_alive = [first, first + 1].map(|number| self.kill(shop, number, later));
        shop.wait(later).await?;
        self.until_ready(shop, first).await?;
        self.until_ready(shop, first + 1).await?;
        let both = were_alive == [true, true];
        Ok(both.then(|| "two running processes ended, two others were ready".to_owned()))
    }

    async fn freeze(&mut self, shop: &mut Shop) -> Result<Seen, Failure> {
        let number = self.random.random_range(0..shop.instances.len());
        shop.instances[number].process.signal(Signal::Stop);
        self.hold(shop, self.spans.short, Some(number)).await?;
        let process = &shop.instances[number].process;
        let stood = stands_still(process);
        process.signal(Signal::Continue);
        Ok(stood.then(|| "the system called it stopped until it was resumed".to_owned()))
    }

    /// Stops an instance while it has effects under way, and lets it go on when others have done them.
    async fn outlive_leases(&mut self, shop: &mut Shop) -> Result<Seen, Failure> {
        // Who takes payments has something under way at any moment; the others when they have.
        let of_payment = self.zombies.is_multiple_of(2);
        let number = if of_payment {
            let side = self.random.random_range(0..2);
            let all = shop.instances.iter();
            let mut paying =
                all.enumerate().filter(|(_, one)| one.process.spec.name.starts_with("payment-"));
            let (number, _) = paying.nth(side).ok_or("nobody takes payments")?;
            number
        } else {
            self.random.random_range(0..shop.instances.len() - 2)
        };
        let name = shop.instances[number].process.spec.name.clone();
        let service = name.split('-').next().unwrap_or_default();
        let database = shop.postgres.until_opens(&format!("kontor_{service}")).await?;
        let mut taken = BTreeSet::new();
        for _ in 0..if of_payment { STOPS } else { 1 } {
            // Stopped in the midst of its work, if it has any; the other instance may be who has it.
            let end = Clock::system().now().plus(SOME_WORK);
            while leased(&database, service).await?.is_empty() && Clock::system().now() < end {
                shop.wait(Duration::from_millis(10)).await?;
            }
            shop.instances[number].process.signal(Signal::Stop);
            taken = leased(&database, service).await?;
            shop.wait(SOME_WORK).await?;
            let now = leased(&database, service).await?;
            taken.retain(|effect| now.contains(effect));
            if !taken.is_empty() {
                break;
            }
            shop.instances[number].process.signal(Signal::Continue);
        }
        shop.instances[number].process.signal(Signal::Stop);
        shop.wait(NOBODY_ELSE).await?;
        let later = leased(&database, service).await?;
        let held: Vec<&String> = taken.intersection(&later).collect();
        shop.wait(LEASE.saturating_sub(NOBODY_ELSE) + PAST_LEASES).await?;
        let still = waiting(&database, service).await?;
        let process = &shop.instances[number].process;
        let stood = stands_still(process);
        process.signal(Signal::Continue);
        // What it does late, it does at once.
        shop.wait(self.spans.short).await?;
        let passed = held.iter().filter(|effect| !still.contains(**effect)).count();
        if passed < held.len() {
            let left = held.len() - passed;
            return Err(format!("{left} effects of {name} were taken over by nobody").into());
        }
        let seen = stood && (passed > 0 || !of_payment);
        // If it had nothing under way, the same service is tried again.
        self.zombies += usize::from(seen);
        let span = (LEASE + PAST_LEASES).as_secs();
        Ok(seen.then(|| format!("{name} stopped for {span} s, {passed} effects passed to others")))
    }

    /// Lets a fault last; in a long one somebody is killed besides, but not who is already in trouble.
    async fn hold(
        &mut self,
        shop: &mut Shop,
        span: Duration,
        but: Option<usize>,
    ) -> Result<(), Failure> {
        shop.wait(span / 2).await?;
        let victim = self.random.random_range(0..shop.instances.len());
        if span >= Duration::from_secs(5) && Some(victim) != but && self.random.random() {
            self.kill(shop, victim, Duration::ZERO);
        }
        shop.wait(span / 2).await
    }

    async fn restart_postgres(
        &mut self,
        shop: &mut Shop,
        mode: Signal,
        said: &str,
    ) -> Result<Seen, Failure> {
        let log = Mark::of(&shop.logs, "postgres");
        shop.postgres.stop(mode).await;
        let away = self.moment();
        shop.wait(away).await?;
        shop.postgres.process.start()?;
        shop.postgres.until_answers().await?;
        let said = log.since(&[said])?;
        Ok((!said.is_empty()).then(|| "its log tells of the stop".to_owned()))
    }

    /// Lets system calls of PostgreSQL's processes fail. It goes down by itself, as it has to: what it
    /// cannot write it must not promise. Its supervisor process, which is left alone, brings it up.
    async fn inject_into_postgres(
        &mut self,
        shop: &mut Shop,
        what: &Calls,
    ) -> Result<Seen, Failure> {
        let Some(server) = shop.postgres.process.id() else { return Ok(None) };
        let log = Mark::of(&shop.logs, "postgres");
        let record = shop.folder.join("strace");
        let children = std::fs::read_to_string(format!("/proc/{server}/task/{server}/children"))?;
        let children = children.split_whitespace().flat_map(|child| ["-p", child]);
        let Calls { names, error, said } = what;
        let mut tracer = tokio::process::Command::new("strace");
        tracer.arg("-qq").arg("-o").arg(&record).arg("-e").arg(format!("trace={names}"));
        tracer.arg("-e").arg(format!("inject={names}:error={error}")).args(children);
        let mut tracer = tracer.stderr(Stdio::null()).kill_on_drop(true).spawn()?;
        self.hold(shop, self.spans.short, None).await?;
        // Asked and not killed, it writes down what it knows; and it may have nobody left to trace.
        if let Some(tracer) = tracer.id() {
            Command::new("kill").args(["-s", "TERM", &tracer.to_string()]).status()?;
        }
        tracer.wait().await?;
        if !shop.postgres.process.is_alive() {
            shop.postgres.process.start()?;
        }
        shop.postgres.until_answers().await?;
        let (failed, said) = (injected(&record)?, log.since(&[said])?);
        Ok(said.first().filter(|_| failed > 0).map(|said| {
            // Without the time and the process.
            let said =
                said.find("PANIC").or_else(|| said.find("ERROR")).map_or("", |at| &said[at..]);
            let said: String = said.chars().take(140).collect();
            format!("{failed} system calls failed; it said `{said}`")
        }))
    }

    /// Starts again what was left down.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn mend(&mut self, shop: &mut Shop, fault: Fault) -> Result<(), Failure> {
        if fault != Fault::NatsOneDown {
            return Ok(());
        }
        let number = self.left_down % shop.nats.len();
        self.left_down += 1;
        shop.nats[number].process.start()?;
        // It has to catch up before the next may go.
        shop.wait(2 * self.spans.short).await
    }

    async fn restart_nats(&mut self, shop: &mut Shop, span: Duration) -> Result<Seen, Failure> {
        let number = self.random.random_range(0..shop.nats.len());
        let was_there = shop.nats[number].process.is_alive();
        shop.nats[number].process.kill();
        if !span.is_zero() {
            self.hold(shop, span, None).await?;
        }
        let is_gone = is_nobody_at(shop.nats[number].address).await;
        shop.nats[number].process.start()?;
        let span = span.as_secs();
        Ok((was_there && is_gone).then(|| format!("it took no connection, after {span} s")))
    }

    async fn lose_nats_store(&mut self, shop: &mut Shop) -> Result<Seen, Failure> {
        let number = self.random.random_range(0..shop.nats.len());
        shop.nats[number].process.kill();
        // There is something to lose, or this fails.
        shop.nats[number].lose_store()?;
        let moment = self.moment();
        shop.wait(moment).await?;
        let is_gone = is_nobody_at(shop.nats[number].address).await;
        shop.nats[number].process.start()?;
        Ok(is_gone.then(|| "its folder was there and is deleted".to_owned()))
    }

    async fn wires(
        &mut self,
        shop: &mut Shop,
        postgres: bool,
        sides: &[usize],
        wire: Wire,
    ) -> Result<Seen, Failure> {
        let all_become = |shop: &Shop, wire| {
            for side in sides {
                if postgres {
                    shop.to_postgres[*side].becomes(wire);
                } else {
                    shop.to_nats[*side].iter().for_each(|proxy| proxy.becomes(wire));
                }
            }
        };
        let kept = |counts: &Counts| match wire {
            Wire::Slow(_) => counts.late.load(Ordering::Relaxed),
            Wire::Silent => counts.withheld.load(Ordering::Relaxed),
            Wire::Whole | Wire::Cut => 0,
        };
        let before = total(shop, postgres, kept);
        all_become(shop, wire);
        self.hold(shop, self.spans.short, None).await?;
        all_become(shop, Wire::Whole);
        let pieces = total(shop, postgres, kept) - before;
        let met = if wire == Wire::Silent { "met with silence" } else { "came late" };
        Ok((pieces > 0).then(|| format!("{pieces} pieces of what was sent {met}")))
    }

    async fn wrong_clock(&mut self, shop: &mut Shop, by: &str) -> Result<Seen, Failure> {
        let Some(library) = self.faketime.clone() else { return Ok(None) };
        // Not the gateways: they tell no time.
        let number = self.random.random_range(0..shop.instances.len() - 2);
        let usual = shop.instances[number].process.spec.variables.clone();
        let wrong = [
            ("LD_PRELOAD", library.display().to_string()),
            ("FAKETIME", by.to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ];
        let variables = &mut shop.instances[number].process.spec.variables;
        variables.extend(wrong.map(|(name, value)| (name.to_owned(), value)));
        let name = shop.instances[number].process.spec.name.clone();
        let log = Mark::of(&shop.logs, &name);
        self.restart(shop, number).await?;
        self.hold(shop, self.spans.short, Some(number)).await?;
        shop.instances[number].process.spec.variables = usual;
        let said = log.since(&["not that of the database"])?;
        let off = said.iter().filter_map(|line| ahead_ms(line));
        let off =
            off.filter(|ahead| ahead.abs() > NEARLY_AN_HOUR_MS).max_by_key(|ahead| ahead.abs());
        self.restart(shop, number).await?;
        Ok(off.map(|ahead| format!("{name} found its clock {} s ahead", ahead / 1_000)))
    }

    /// Stops an instance as an operator would, and starts it again.
    async fn restart(&mut self, shop: &mut Shop, number: usize) -> Result<(), Failure> {
        let instance = &mut shop.instances[number];
        instance.down_until = Some(Clock::system().now());
        if !instance.process.stop(Signal::Terminate, STOPPING).await {
            return Err(format!("{} does not stop", instance.process.spec.name).into());
        }
        shop.tend()?;
        if !shop.is_ready(number, READY).await? {
            return Err(format!("{} is not ready", shop.instances[number].process.spec.name).into());
        }
        Ok(())
    }

    async fn roll(&mut self, shop: &mut Shop) -> Result<Seen, Failure> {
        let count = shop.instances.len();
        let before: Vec<Option<u32>> = shop.instances.iter().map(|one| one.process.id()).collect();
        for number in 0..count {
            if let Some(program) = &mut self.second_program {
                // The next time it goes the other way, which is a roll-back.
                let spec = &mut shop.instances[number].process.spec;
                if number + 1 < count {
                    spec.program.clone_from(program);
                } else {
                    std::mem::swap(&mut spec.program, program);
                }
            }
            self.restart(shop, number).await?;
        }
        let after = shop.instances.iter().map(|one| one.process.id());
        let replaced = after.zip(before).filter(|(after, before)| after != before).count();
        Ok((replaced == count).then(|| format!("{replaced} processes replaced, one by one")))
    }

    async fn redis_away(&mut self, shop: &mut Shop) -> Result<Seen, Failure> {
        let Some(redis) = &mut shop.redis else { return Ok(None) };
        let was_there = redis.process.is_alive();
        redis.process.kill();
        self.hold(shop, self.spans.short, None).await?;
        let Some(redis) = &mut shop.redis else { return Ok(None) };
        let is_gone = is_nobody_at(redis.address).await;
        redis.process.start()?;
        Ok((was_there && is_gone).then(|| "it took no connection".to_owned()))
    }
}

/// A figure of all wires to PostgreSQL, or to NATS.
fn total(shop: &Shop, postgres: bool, figure: impl Fn(&Counts) -> u64) -> u64 {
    if postgres {
        shop.to_postgres.iter().map(|proxy| figure(&proxy.counts)).sum()
    } else {
        shop.to_nats.iter().flatten().map(|proxy| figure(&proxy.counts)).sum()
    }
}

async fn cut(shop: &mut Shop, postgres: bool) -> Result<Seen, Failure> {
    let cut = |counts: &Counts| counts.cut.load(Ordering::Relaxed);
    let before = total(shop, postgres, cut);
    if postgres {
        shop.to_postgres.iter().for_each(Proxy::cut_once);
    } else {
        shop.to_nats.iter().flatten().for_each(Proxy::cut_once);
    }
    // They go one after the other.
    shop.wait(Duration::from_millis(200)).await?;
    let gone = total(shop, postgres, cut) - before;
    Ok((gone > 0).then(|| format!("{gone} connections cut")))
}

async fn flush_redis(shop: &mut Shop) -> Result<Seen, Failure> {
    let Some(redis) = &shop.redis else { return Ok(None) };
    let keys = redis.says("DBSIZE").await?.trim().trim_start_matches(':').to_owned();
    let done = redis.says("FLUSHALL").await?;
    Ok((done.starts_with("+OK") && keys != "0").then(|| format!("it forgot {keys} keys")))
}

/// Whether a tracer is installed and allowed.
pub fn tracer() -> bool {
    let mut tried = Command::new("strace");
    tried.args(["-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null());
    tried.status().is_ok_and(|status| status.success())
}

/// What makes a clock wrong for one process, if it is installed.
pub fn faketime() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path());
    folders
        .chain([Path::new("/usr/lib").to_owned()])
        .map(|folder| folder.join("faketime/libfaketimeMT.so.1"))
        .find(|library| library.exists())
}
