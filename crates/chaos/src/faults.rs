//! What goes wrong: each fault is done, lasts for a while, and is undone.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use bench::client::Failure;
use bench::process::Signal;
use platform::clock::Clock;
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::proxy::{Proxy, Wire};
use crate::shop::Shop;

/// So long an instance that was asked to stop may take.
const STOPPING: Duration = Duration::from_secs(30);
/// So long a restarted instance may take until it is ready.
const READY: Duration = Duration::from_secs(60);

/// What fails when a disk is full.
const DISK_FULL: &str = "pwrite64,pwritev,fallocate:error=ENOSPC";
/// What fails when a disk does.
const FSYNC_FAILS: &str = "fsync,fdatasync:error=EIO";

/// A kind of fault.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// `kill -9` of one instance; it is started again at once or within seconds.
    InstanceKilled,
    /// `kill -9` of both instances of a service.
    ServiceKilled,
    /// SIGSTOP of one instance, SIGCONT some seconds later: a zombie that believes in its leases.
    InstanceFrozen,
    /// PostgreSQL stopped with `-m fast` and started.
    PostgresFast,
    /// PostgreSQL stopped with `-m immediate`, which is a crash, and started.
    PostgresImmediate,
    /// `kill -9` of a NATS server, started again at once.
    NatsKilled,
    /// NATS gone for longer.
    NatsAway,
    /// One of several NATS servers is down, and stays so until an order has gone through without it.
    NatsOneDown,
    /// NATS killed, its store deleted, started empty.
    NatsStoreLost,
    /// PostgreSQL's writes are refused for want of room, as on a full disk (injected by a tracer).
    PostgresDiskFull,
    /// PostgreSQL is told that what it wrote did not get to the disk (injected by a tracer).
    PostgresFsyncFails,
    /// All connections to PostgreSQL cut at once.
    PostgresCut,
    /// All connections to NATS cut at once.
    NatsCut,
    /// Everything to and from PostgreSQL comes late.
    PostgresSlow,
    /// Everything to and from NATS comes late.
    NatsSlow,
    /// Half of the instances are connected to a PostgreSQL that neither answers nor hangs up.
    PostgresSilent,
    /// Half of the instances are connected to a NATS that neither answers nor hangs up.
    NatsSilent,
    /// One instance's clock is an hour ahead.
    ClockAhead,
    /// One instance's clock is an hour behind.
    ClockBehind,
    /// Every instance stopped and started in turn, as by an upgrade.
    Rolling,
    /// Redis emptied.
    RedisFlushed,
    /// Redis killed, and started some seconds later.
    RedisAway,
}

impl Fault {
    /// Every kind but the plain kill, of which there are many.
    pub const OTHERS: [Self; 21] = [
        Self::ServiceKilled,
        Self::InstanceFrozen,
        Self::PostgresFast,
        Self::PostgresImmediate,
        Self::NatsKilled,
        Self::NatsAway,
        Self::NatsOneDown,
        Self::NatsStoreLost,
        Self::PostgresDiskFull,
        Self::PostgresFsyncFails,
        Self::PostgresCut,
        Self::NatsCut,
        Self::PostgresSlow,
        Self::NatsSlow,
        Self::PostgresSilent,
        Self::NatsSilent,
        Self::ClockAhead,
        Self::ClockBehind,
        Self::Rolling,
        Self::RedisFlushed,
        Self::RedisAway,
    ];

    /// What it is, for the report.
    pub fn says(self) -> &'static str {
        match self {
            Self::InstanceKilled => "an instance killed (kill -9)",
            Self::ServiceKilled => "both instances of a service killed",
            Self::InstanceFrozen => "an instance stopped (SIGSTOP) and resumed",
            Self::PostgresFast => "PostgreSQL restarted, fast",
            Self::PostgresImmediate => "PostgreSQL restarted, immediate (a crash)",
            Self::NatsKilled => "a NATS server killed and restarted",
            Self::NatsAway => "a NATS server gone for longer",
            Self::NatsOneDown => {
                "one of three NATS servers down: until an order is confirmed without it"
            }
            Self::NatsStoreLost => "a NATS server's store deleted",
            Self::PostgresDiskFull => "PostgreSQL's disk full (writes refused with ENOSPC)",
            Self::PostgresFsyncFails => "PostgreSQL's fsync fails (EIO)",
            Self::PostgresCut => "all connections to PostgreSQL cut",
            Self::NatsCut => "all connections to NATS cut",
            Self::PostgresSlow => "PostgreSQL 100 ms late each way",
            Self::NatsSlow => "NATS 100 ms late each way",
            Self::PostgresSilent => "PostgreSQL silent for half of the instances",
            Self::NatsSilent => "NATS silent for half of the instances",
            Self::ClockAhead => "an instance's clock an hour ahead",
            Self::ClockBehind => "an instance's clock an hour behind",
            Self::Rolling => "rolling restart of every instance",
            Self::RedisFlushed => "Redis emptied",
            Self::RedisAway => "Redis killed and started later",
        }
    }
}

/// How long things last.
#[derive(Debug, Clone, Copy)]
pub struct Spans {
    /// Most faults.
    pub short: Duration,
    /// NATS gone.
    pub away: Duration,
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
}

impl Injector {
    /// The faults of a run, in an order that the seed decides: so many kills, and each other kind
    /// so often.
    pub fn plan(&mut self, shop: &Shop, kills: usize, each: usize) -> Vec<Fault> {
        let mut plan = vec![Fault::InstanceKilled; kills];
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

    /// Does it, waits, and undoes it, but for what [`Self::mend`] does.
    ///
    /// # Errors
    /// When what was ended cannot be started again.
    pub async fn inject(&mut self, shop: &mut Shop, fault: Fault) -> Result<(), Failure> {
        match fault {
            Fault::InstanceKilled => self.kill_one(shop).await,
            Fault::ServiceKilled => self.kill_service(shop).await,
            Fault::InstanceFrozen => self.freeze(shop).await,
            Fault::PostgresFast => self.restart_postgres(shop, Signal::Interrupt).await,
            Fault::PostgresImmediate => self.restart_postgres(shop, Signal::Quit).await,
            Fault::NatsKilled | Fault::NatsAway | Fault::NatsStoreLost => {
                self.restart_nats(shop, fault).await
            }
            Fault::NatsOneDown => {
                let number = self.left_down % shop.nats.len();
                shop.nats[number].process.kill();
                Ok(())
            }
            Fault::PostgresDiskFull => self.inject_into_postgres(shop, DISK_FULL).await,
            Fault::PostgresFsyncFails => self.inject_into_postgres(shop, FSYNC_FAILS).await,
            Fault::PostgresCut => {
                shop.to_postgres.iter().for_each(Proxy::cut_once);
                Ok(())
            }
            Fault::NatsCut => {
                shop.to_nats.iter().flatten().for_each(Proxy::cut_once);
                Ok(())
            }
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
            Fault::RedisFlushed => {
                if let Some(redis) = &shop.redis {
                    redis.says("FLUSHALL").await?;
                }
                Ok(())
            }
            Fault::RedisAway => self.redis_away(shop).await,
        }
    }

    /// Ends a running instance; it is due again within `later`.
    fn kill(&mut self, shop: &mut Shop, number: usize, later: Duration) {
        let instance = &mut shop.instances[number];
        instance.process.kill();
        instance.down_until = Some(Clock::system().now().plus(later));
        self.kills += 1;
    }

    fn moment(&mut self) -> Duration {
        Duration::from_millis(self.random.random_range(0..3_000))
    }

    async fn kill_one(&mut self, shop: &mut Shop) -> Result<(), Failure> {
        let number = self.random.random_range(0..shop.instances.len());
        // Half of them are there again at once; some are killed while they start.
        let later = if self.random.random() { Duration::ZERO } else { self.moment() };
        self.kill(shop, number, later);
        shop.wait(later).await?;
        if self.random.random_range(0..4) == 0 {
            let span = Duration::from_millis(self.random.random_range(0..500));
            shop.wait(span).await?;
            self.kill(shop, number, Duration::ZERO);
        }
        self.until_ready(shop, number).await
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

    async fn kill_service(&mut self, shop: &mut Shop) -> Result<(), Failure> {
        let first = self.random.random_range(0..shop.instances.len() / 2) * 2;
        let later = self.moment();
        for number in [first, first + 1] {
            self.kill(shop, number, later);
        }
        shop.wait(later).await?;
        self.until_ready(shop, first).await?;
        self.until_ready(shop, first + 1).await
    }

    async fn freeze(&mut self, shop: &mut Shop) -> Result<(), Failure> {
        let number = self.random.random_range(0..shop.instances.len());
        shop.instances[number].process.signal(Signal::Stop);
        self.hold(shop, self.spans.short, Some(number)).await?;
        shop.instances[number].process.signal(Signal::Continue);
        Ok(())
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

    async fn restart_postgres(&mut self, shop: &mut Shop, mode: Signal) -> Result<(), Failure> {
        shop.postgres.stop(mode).await;
        let away = self.moment();
        shop.wait(away).await?;
        shop.postgres.process.start()?;
        shop.postgres.until_answers().await?;
        Ok(())
    }

    /// Lets system calls of PostgreSQL's processes fail. It goes down by itself, as it has to: what it
    /// cannot write it must not promise. Its supervisor process, which is left alone, brings it up.
    async fn inject_into_postgres(&mut self, shop: &mut Shop, what: &str) -> Result<(), Failure> {
        let Some(server) = shop.postgres.process.id() else { return Ok(()) };
        let children = std::fs::read_to_string(format!("/proc/{server}/task/{server}/children"))?;
        let children = children.split_whitespace().flat_map(|child| ["-p", child]);
        let mut tracer = tokio::process::Command::new("strace");
        tracer.args(["-qq", "-o", "/dev/null", "-e"]).arg(format!("inject={what}")).args(children);
        let mut tracer = tracer.stderr(Stdio::null()).kill_on_drop(true).spawn()?;
        self.hold(shop, self.spans.short, None).await?;
        tracer.kill().await?;
        if !shop.postgres.process.is_alive() {
            shop.postgres.process.start()?;
        }
        shop.postgres.until_answers().await?;
        Ok(())
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

    async fn restart_nats(&mut self, shop: &mut Shop, fault: Fault) -> Result<(), Failure> {
        let number = self.random.random_range(0..shop.nats.len());
        shop.nats[number].process.kill();
        if fault == Fault::NatsAway {
            self.hold(shop, self.spans.away, None).await?;
        } else if fault == Fault::NatsStoreLost {
            shop.nats[number].lose_store()?;
            let moment = self.moment();
            shop.wait(moment).await?;
        }
        shop.nats[number].process.start()
    }

    async fn wires(
        &mut self,
        shop: &mut Shop,
        postgres: bool,
        sides: &[usize],
        wire: Wire,
    ) -> Result<(), Failure> {
        let all_become = |shop: &Shop, wire| {
            for side in sides {
                if postgres {
                    shop.to_postgres[*side].becomes(wire);
                } else {
                    shop.to_nats[*side].iter().for_each(|proxy| proxy.becomes(wire));
                }
            }
        };
        all_become(shop, wire);
        self.hold(shop, self.spans.short, None).await?;
        all_become(shop, Wire::Whole);
        Ok(())
    }

    async fn wrong_clock(&mut self, shop: &mut Shop, by: &str) -> Result<(), Failure> {
        let Some(library) = self.faketime.clone() else { return Ok(()) };
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
        self.restart(shop, number).await?;
        self.hold(shop, self.spans.short, Some(number)).await?;
        shop.instances[number].process.spec.variables = usual;
        self.restart(shop, number).await
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

    async fn roll(&mut self, shop: &mut Shop) -> Result<(), Failure> {
        let count = shop.instances.len();
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
        Ok(())
    }

    async fn redis_away(&mut self, shop: &mut Shop) -> Result<(), Failure> {
        let Some(redis) = &mut shop.redis else { return Ok(()) };
        redis.process.kill();
        self.hold(shop, self.spans.short, None).await?;
        let Some(redis) = &mut shop.redis else { return Ok(()) };
        redis.process.start()
    }
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
