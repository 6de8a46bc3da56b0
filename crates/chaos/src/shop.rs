//! The shop: every service twice, two gateways, and the wires to the servers they stand on.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use bench::apart::{self, Layout, is_ready};
use bench::client::Failure;
use bench::ports::free_address;
use bench::process::{Process, Signal};
use bench::servers::{Nats, Postgres, Redis};
use bench::told::{PROVIDER_KEY, Stands, WEBHOOK_SECRET, limits, outside};
use contracts::Timestamp;
use payment::test_provider;
use platform::clock::Clock;
use platform::tasks::CancellationToken;
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::net::TcpListener;

use crate::proxy::Proxy;

/// Whose wires: of the first instance of everything, and of the second.
const SIDES: usize = 2;
/// So long an instance may take until it is ready, on a machine with too much to do.
const READY: Duration = Duration::from_secs(120);
/// How often somebody looks after the processes.
const LOOK: Duration = Duration::from_millis(50);
/// A supervisor starts anew what has ended by itself, after a moment.
const SUPERVISOR: Duration = Duration::from_millis(500);

/// One process of the shop.
#[derive(Debug)]
pub struct Instance {
    /// Itself.
    pub process: Process,
    /// Where it tells operators how it is.
    pub inside: SocketAddr,
    /// When it is to be started again, if it was ended on purpose.
    pub down_until: Option<Timestamp>,
}

/// Everything that runs.
pub struct Shop {
    /// Where all of it is.
    pub folder: PathBuf,
    /// Where the logs are.
    pub logs: PathBuf,
    /// The services' instances, then the gateways.
    pub instances: Vec<Instance>,
    /// Where the gateways listen.
    pub gateways: Vec<SocketAddr>,
    /// The payment provider's page.
    pub provider: SocketAddr,
    /// Of each side, its wire to PostgreSQL.
    pub to_postgres: Vec<Proxy>,
    /// Of each side, its wires to the NATS servers.
    pub to_nats: Vec<Vec<Proxy>>,
    /// The database server.
    pub postgres: Postgres,
    /// The brokers.
    pub nats: Vec<Nats>,
    /// The cache, where it is installed.
    pub redis: Option<Redis>,
    /// What ended without being asked to, and was started again.
    pub fell: Vec<String>,
    stop_provider: CancellationToken,
}

impl Shop {
    /// Starts all of it in `folder`, and waits until it is ready.
    ///
    /// # Errors
    /// When something does not start.
    pub async fn open(
        folder: &Path,
        program: &Path,
        nats_servers: usize,
        random: &mut StdRng,
    ) -> Result<Self, Failure> {
        let logs = folder.join("logs");
        std::fs::create_dir(&logs)?;
        let password = format!("{:032x}", random.random::<u128>());
        let postgres = Postgres::open(folder, &logs, password).await?;
        let nats = Nats::open(nats_servers, folder, &logs).await?;
        let redis = Redis::open(folder, &logs).await.ok();
        let (mut to_postgres, mut to_nats) = (Vec::new(), Vec::new());
        for _ in 0..SIDES {
            to_postgres.push(Proxy::open(free_address(), postgres.address).await?);
            let mut wires = Vec::new();
            for server in &nats {
                wires.push(Proxy::open(free_address(), server.address).await?);
            }
            to_nats.push(wires);
        }
        let layout = Layout::new(SIDES, SIDES);
        let mut shop = Self {
            folder: folder.to_owned(),
            logs,
            instances: Vec::new(),
            gateways: layout.gateways.clone(),
            provider: free_address(),
            to_postgres,
            to_nats,
            postgres,
            nats,
            redis,
            fell: Vec::new(),
            stop_provider: CancellationToken::new(),
        };
        shop.lay_out(program, &layout)?;
        shop.open_provider().await?;
        for instance in &mut shop.instances {
            instance.process.start()?;
        }
        shop.until_ready().await?;
        Ok(shop)
    }

    /// Writes down who is found where, and how each is started.
    fn lay_out(&mut self, program: &Path, layout: &Layout) -> Result<(), Failure> {
        for side in 0..SIDES {
            let nats = self.to_nats[side].iter().map(|wire| wire.address).collect();
            let text = self.configuration(self.to_postgres[side].address, nats, layout);
            std::fs::write(self.config(side + 1), text)?;
        }
        let nats = self.nats.iter().map(|server| server.address).collect();
        let text = self.configuration(self.postgres.address, nats, layout);
        std::fs::write(self.config(0), text)?;
        for place in layout.processes() {
            let (_, side, _) = place;
            let instance = apart::Instance::new(program, place, &self.config(side + 1), &self.logs);
            let apart::Instance { mut process, inside, .. } = instance;
            for (name, value) in [
                ("TOKIO_WORKER_THREADS", "2"),
                ("KONTOR_PAYMENT__TEST_PROVIDER__TIMEOUT_MS", "3000"),
            ] {
                process.spec.variables.push((name.to_owned(), value.to_owned()));
            }
            self.instances.push(Instance { process, inside, down_until: None });
        }
        Ok(())
    }

    /// The configuration of a side; 0 is for who looks at the shop from outside.
    fn config(&self, side: usize) -> PathBuf {
        self.folder.join(format!("kontor-{side}.toml"))
    }

    fn configuration(
        &self,
        postgres: SocketAddr,
        nats: Vec<SocketAddr>,
        layout: &Layout,
    ) -> String {
        let stands = Stands {
            data: &self.folder.join("data"),
            postgres: self.postgres.url(postgres),
            connections: 4,
            nats,
            redis: self.redis.as_ref().map(|redis| redis.address),
        };
        let (stands, limits) = (stands.tables(layout), limits(""));
        format!("{stands}{limits}[log]\nfilter = \"warn\"\n{}", outside(self.provider))
    }

    /// The provider lives beside the shop, as providers do, and writes down what it is asked.
    async fn open_provider(&self) -> Result<(), Failure> {
        let config = test_provider::Config {
            public_url: format!("http://{}", self.provider),
            api_key: PROVIDER_KEY.to_owned(),
            webhook_url: Some(format!("http://{}/api/v1/payments/webhooks/test", self.gateways[0])),
            webhook_secret: WEBHOOK_SECRET.to_owned(),
            journal: Some(self.journal()),
            slow: Duration::from_millis(500),
            hang: Duration::from_secs(5),
            clock: Clock::system(),
        };
        let listener = TcpListener::bind(self.provider).await?;
        let stopping = self.stop_provider.clone();
        platform::tasks::spawn("provider", async move {
            test_provider::serve(listener, config, stopping).await
        });
        Ok(())
    }

    /// What the provider was ever asked.
    pub fn journal(&self) -> PathBuf {
        self.folder.join("provider.jsonl")
    }

    /// Starts what was ended and is due, and what has ended by itself.
    ///
    /// # Errors
    /// When a program cannot be run.
    pub fn tend(&mut self) -> Result<(), Failure> {
        let now = Clock::system().now();
        for instance in &mut self.instances {
            if instance.process.is_alive() {
                continue;
            }
            match instance.down_until {
                Some(due) if now < due => {}
                Some(_) => {
                    instance.down_until = None;
                    instance.process.start()?;
                }
                None => {
                    self.fell.push(instance.process.spec.name.clone());
                    instance.down_until = Some(now.plus(SUPERVISOR));
                }
            }
        }
        Ok(())
    }

    /// Lets time pass, and looks after everything meanwhile.
    ///
    /// # Errors
    /// When a program cannot be run.
    pub async fn wait(&mut self, span: Duration) -> Result<(), Failure> {
        let clock = Clock::system();
        let end = clock.now().plus(span);
        while clock.now() < end {
            self.tend()?;
            clock.sleep(LOOK.min(end.since(clock.now()))).await;
        }
        self.tend()
    }

    /// Waits until this instance is ready, or for `limit`; says whether it is.
    pub async fn is_ready(&mut self, number: usize, limit: Duration) -> Result<bool, Failure> {
        let end = Clock::system().now().plus(limit);
        while Clock::system().now() < end {
            if is_ready(self.instances[number].inside).await {
                return Ok(true);
            }
            self.wait(LOOK).await?;
        }
        Ok(false)
    }

    /// Waits until all are ready.
    ///
    /// # Errors
    /// When one is not.
    pub async fn until_ready(&mut self) -> Result<(), Failure> {
        for number in 0..self.instances.len() {
            if !self.is_ready(number, READY).await? {
                let name = &self.instances[number].process.spec.name;
                return Err(format!("{name} is not ready: see {}", self.logs.display()).into());
            }
        }
        Ok(())
    }

    /// Runs the program itself over the shop, from outside.
    ///
    /// # Errors
    /// When it cannot be run.
    pub async fn run(&self, program: &Path, arguments: &[&str]) -> Result<Output, Failure> {
        let mut command = tokio::process::Command::new(program);
        command.args(arguments).arg("--config").arg(self.config(0)).kill_on_drop(true);
        Ok(command.output().await?)
    }

    /// Asks everything to stop, gateways first; answers the names of those that had to be killed.
    pub async fn close(&mut self) -> Vec<String> {
        let mut late = Vec::new();
        let limit = Duration::from_secs(30);
        for instance in self.instances.iter().rev() {
            instance.process.signal(Signal::Terminate);
        }
        for instance in self.instances.iter_mut().rev() {
            if !instance.process.stop(Signal::Terminate, limit).await {
                late.push(instance.process.spec.name.clone());
            }
        }
        self.stop_provider.cancel();
        for server in &mut self.nats {
            server.process.kill();
        }
        if let Some(redis) = &mut self.redis {
            redis.process.kill();
        }
        self.postgres.stop(Signal::Interrupt).await;
        late
    }

    /// The ids of processes that still have something to do with the shop's folder.
    pub fn left_over(&self) -> Vec<String> {
        let folder = format!("{}/", self.folder.display());
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let id = entry.file_name().to_string_lossy().into_owned();
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            // There are links to ourselves, too, by names that are no ids.
            if id.parse::<u32>().is_ok() && line.contains(&folder) {
                found.push(format!("{id} {line}"));
            }
        }
        found
    }
}
