//! The shop apart under measurement: so many instances of each service, a gateway and the payment
//! provider, each a process, on servers of their own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bench::apart::{Instance, Layout, is_ready};
use bench::client::Failure;
use bench::ports::free_address;
use bench::process::{Process, Signal, Spec};
use bench::servers::{Nats, Postgres, Redis};
use bench::told::{Stands, limits, outside};
use bench::usage;
use platform::clock::Clock;
use platform::ids::Ids;
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::report::{Cost, Costs};
use super::yardsticks::published;
use crate::flow::{PATIENT, first_confirmed};
use crate::goods::fill;
use crate::metrics::{self, Work};
use crate::stopwatch::Stopwatch;

/// So long all may take until they are ready.
const READY: Duration = Duration::from_secs(120);
/// So long one may take to stop.
const STOPPING: Duration = Duration::from_secs(30);
/// What a benchmark should say of PostgreSQL's settings.
const SETTINGS: [&str; 8] = [
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_level",
    "shared_buffers",
    "max_wal_size",
    "max_connections",
    "commit_delay",
];

/// A running shop. Its processes end before the servers, and those before the folder goes.
pub struct ShopApart {
    /// How long it took on empty databases from its start until it was filled and an order confirmed.
    pub first_start: Duration,
    /// The payment provider; started first, as `scripts/services` does.
    provider: Process,
    provider_address: SocketAddr,
    instances: Vec<Instance>,
    layout: Layout,
    /// The database server.
    pub postgres: Postgres,
    nats: Nats,
    redis: Redis,
    _folder: TempDir,
}

impl ShopApart {
    /// Starts it with so many instances of each service, and fills it.
    ///
    /// # Errors
    /// When something does not start, or the shop does not take its goods.
    pub async fn open(program: &Path, instances: usize) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("kontor-bench-").tempdir()?;
        let home = folder.path();
        let logs = home.join("logs");
        std::fs::create_dir(&logs)?;
        let password = Ids::from_system(Clock::system()).uuid().simple().to_string();
        let postgres = Postgres::open(home, &logs, password).await?;
        let nats = Nats::open(1, home, &logs).await?.pop().ok_or("there is no NATS server")?;
        let redis = Redis::open(home, &logs).await?;
        let (layout, provider_address) = (Layout::new(instances, 1), free_address());
        let stands = Stands {
            data: &home.join("data"),
            postgres: postgres.url(postgres.address),
            connections: 8,
            nats: vec![nats.address],
            redis: Some(redis.address),
        };
        let config = home.join("kontor.toml");
        let (stands, limits) = (stands.tables(&layout), limits(PATIENT));
        let text = format!("{stands}{limits}{}", outside(provider_address));
        std::fs::write(&config, text)?;
        let provider = provider(program, provider_address, &config, &logs);
        let places = layout.processes();
        let instances = places.map(|place| Instance::new(program, place, &config, &logs)).collect();
        let mut shop = Self {
            first_start: Duration::ZERO,
            provider,
            provider_address,
            instances,
            layout,
            postgres,
            nats,
            redis,
            _folder: folder,
        };
        let watch = Stopwatch::start();
        shop.start()?;
        shop.until_ready().await?;
        fill(shop.public()).await?;
        first_confirmed(shop.public(), 0).await?;
        shop.first_start = watch.elapsed();
        Ok(shop)
    }

    fn start(&mut self) -> Result<(), Failure> {
        self.provider.start()?;
        self.instances.iter_mut().try_for_each(|instance| instance.process.start())
    }

    async fn until_ready(&mut self) -> Result<(), Failure> {
        let watch = Stopwatch::start();
        while TcpStream::connect(self.provider_address).await.is_err() {
            patience(&mut self.provider, watch).await?;
        }
        for instance in &mut self.instances {
            while !is_ready(instance.inside).await {
                patience(&mut instance.process, watch).await?;
            }
        }
        Ok(())
    }

    /// Stops all its processes, the gateway first, and starts them again on the same data. Answers how
    /// long it took from the first start until an order was confirmed that somebody tried to place all
    /// the while.
    ///
    /// # Errors
    /// When one does not stop, or no order is confirmed.
    pub async fn restart(&mut self, first: u64) -> Result<Duration, Failure> {
        for instance in self.instances.iter_mut().rev() {
            if !instance.process.stop(Signal::Terminate, STOPPING).await {
                return Err(format!("{} does not stop", instance.process.spec.name).into());
            }
        }
        self.provider.stop(Signal::Terminate, STOPPING).await;
        let watch = Stopwatch::start();
        self.start()?;
        first_confirmed(self.public(), first).await?;
        let took = watch.elapsed();
        self.until_ready().await?;
        Ok(took)
    }

    /// Where clients find it.
    pub fn public(&self) -> SocketAddr {
        self.layout.public()
    }

    /// Where its NATS server is.
    pub fn nats_address(&self) -> SocketAddr {
        self.nats.address
    }

    /// Waits until everything has come of what was done. Answers how long it took.
    ///
    /// # Errors
    /// When there is no end of it.
    pub async fn settle(&self) -> Result<Duration, Failure> {
        let inside: Vec<_> = self.instances.iter().map(|instance| instance.inside).collect();
        metrics::settle(&inside).await
    }

    /// What each part has cost so far; instances of one together.
    ///
    /// # Errors
    /// When one does not answer.
    pub async fn costs(&self) -> Result<Costs, Failure> {
        let mut parts: BTreeMap<&'static str, Cost> = BTreeMap::new();
        for instance in &self.instances {
            let cost = parts.entry(instance.part).or_default();
            cost.work += Work::of(instance.inside).await?;
            cost.ticks += instance.process.id().map_or(0, usage::ticks);
        }
        for (part, id) in self.others() {
            parts.entry(part).or_default().ticks += usage::ticks_of_tree(id);
        }
        // What the driver has started is counted where it belongs.
        parts.entry("driver").or_default().ticks = usage::ticks(std::process::id());
        Ok(Costs { parts, published: published(self.nats.address).await? })
    }

    /// What each process has in memory, in bytes, by part.
    pub fn memory(&self) -> BTreeMap<&'static str, Vec<u64>> {
        let mut parts: BTreeMap<&'static str, Vec<u64>> = BTreeMap::new();
        for instance in &self.instances {
            let bytes = instance.process.id().map_or(0, usage::resident_bytes);
            parts.entry(instance.part).or_default().push(bytes);
        }
        for (part, id) in self.others() {
            let of_tree = part == "postgres";
            let bytes =
                if of_tree { usage::resident_bytes_of_tree(id) } else { usage::resident_bytes(id) };
            parts.entry(part).or_default().push(bytes);
        }
        parts
    }

    /// The processes that are no instances.
    fn others(&self) -> impl Iterator<Item = (&'static str, u32)> {
        let all = [
            ("test-provider", &self.provider),
            ("postgres", &self.postgres.process),
            ("nats", &self.nats.process),
            ("redis", &self.redis.process),
        ];
        all.into_iter().filter_map(|(part, process)| Some((part, process.id()?)))
    }

    /// Lets PostgreSQL write out what it has in memory, so that nobody pays for who was before.
    ///
    /// # Errors
    /// When it refuses.
    pub async fn checkpoint(&self) -> Result<(), Failure> {
        Ok(self.postgres.until_answers().await?.batch_execute("CHECKPOINT").await?)
    }

    /// PostgreSQL's settings that matter here.
    ///
    /// # Errors
    /// When it does not say.
    pub async fn settings(&self) -> Result<Vec<String>, Failure> {
        let server = self.postgres.until_answers().await?;
        let mut settings = Vec::new();
        for name in SETTINGS {
            let row = server.query_one("SELECT current_setting($1)", &[&name]).await?;
            settings.push(format!("{name}={}", row.try_get::<_, String>(0)?));
        }
        Ok(settings)
    }

    /// Which servers these are.
    ///
    /// # Errors
    /// When one does not say.
    pub async fn versions(&self) -> Result<String, Failure> {
        let server = self.postgres.until_answers().await?;
        let row = server.query_one("SELECT current_setting('server_version')", &[]).await?;
        let postgres: String = row.try_get(0)?;
        let nats = async_nats::connect(format!("nats://{}", self.nats.address)).await?;
        Ok(format!("PostgreSQL {postgres}, NATS {}", nats.server_info().version))
    }
}

fn provider(program: &Path, listen: SocketAddr, config: &Path, logs: &Path) -> Process {
    let (listen, config) = (listen.to_string(), config.display().to_string());
    let arguments = ["test-provider", "--listen", &listen, "--config", &config];
    let spec = Spec {
        name: "test-provider".to_owned(),
        program: program.to_owned(),
        arguments: arguments.map(str::to_owned).into(),
        variables: Vec::new(),
        user: None,
    };
    Process::new(spec, logs)
}

/// A moment, unless the process has ended or it has taken too long.
async fn patience(process: &mut Process, since: Stopwatch) -> Result<(), Failure> {
    if !process.is_alive() || since.elapsed() > READY {
        let (name, said) = (&process.spec.name, process.last_words());
        return Err(format!("{name} is not ready: {said}").into());
    }
    Clock::system().sleep(Duration::from_millis(5)).await;
    Ok(())
}
