//! The shop: every service twice, two gateways, and the wires to the servers they stand on.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use bench::client::{Client, Failure};
use bench::ports::free_address;
use contracts::{Source, Timestamp};
use http::Method;
use payment::test_provider;
use platform::clock::Clock;
use platform::http::TokenHash;
use platform::tasks::CancellationToken;
use rand::rngs::StdRng;
use tokio::net::TcpListener;

use crate::process::{Process, Signal, Spec};
use crate::proxy::Proxy;
use crate::servers::{Nats, Postgres, Redis};

/// The token of the only member of staff, who may do everything.
pub const STAFF: &str = "kst_the_clerk_of_the_chaos_of_the_shop";
const API_KEY: &str = "the shop's key at the provider";
const WEBHOOK_SECRET: &str = "7a1f0c5d9be24386a7b5c4d3e2f10987";
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
        // The user of PostgreSQL is another, and has to come through.
        let open: std::fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder, open)?;
        let logs = folder.join("logs");
        std::fs::create_dir(&logs)?;
        let postgres = Postgres::open(folder, &logs, random).await?;
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
        let mut shop = Self {
            folder: folder.to_owned(),
            logs,
            instances: Vec::new(),
            gateways: Vec::new(),
            provider: free_address(),
            to_postgres,
            to_nats,
            postgres,
            nats,
            redis,
            fell: Vec::new(),
            stop_provider: CancellationToken::new(),
        };
        shop.lay_out(program)?;
        shop.open_provider().await?;
        for instance in &mut shop.instances {
            instance.process.start()?;
        }
        shop.until_ready().await?;
        Ok(shop)
    }

    /// Decides who listens where, and writes it down.
    fn lay_out(&mut self, program: &Path) -> Result<(), Failure> {
        let mut services = String::new();
        let mut places = Vec::new();
        for service in Source::ALL {
            let listen: Vec<SocketAddr> = (0..SIDES).map(|_| free_address()).collect();
            let urls: Vec<String> = listen.iter().map(|at| format!("http://{at}")).collect();
            writeln!(services, "{service} = {urls:?}")?;
            places.extend(
                listen.into_iter().enumerate().map(|(side, at)| (service.name(), side, at)),
            );
        }
        for side in 0..SIDES {
            let listen = free_address();
            self.gateways.push(listen);
            places.push(("gateway", side, listen));
        }
        for side in 0..SIDES {
            let nats = self.to_nats[side].iter().map(|wire| wire.address).collect();
            let text = self.configuration(self.to_postgres[side].address, nats, &services);
            std::fs::write(self.config(side + 1), text)?;
        }
        let nats = self.nats.iter().map(|server| server.address).collect();
        let text = self.configuration(self.postgres.address, nats, &services);
        std::fs::write(self.config(0), text)?;
        for (part, side, listen) in places {
            let inside = free_address();
            let arguments = ["run", part, "--config"].map(str::to_owned);
            let mut arguments: Vec<String> = arguments.into();
            arguments.push(self.config(side + 1).display().to_string());
            let spec = Spec {
                name: format!("{part}-{}", side + 1),
                program: program.to_owned(),
                arguments,
                variables: vec![
                    ("KONTOR_HTTP__LISTEN".to_owned(), listen.to_string()),
                    ("KONTOR_HTTP__INTERNAL".to_owned(), inside.to_string()),
                    ("TOKIO_WORKER_THREADS".to_owned(), "2".to_owned()),
                ],
                user: None,
            };
            let process = Process::new(spec, &self.logs);
            self.instances.push(Instance { process, inside, down_until: None });
        }
        Ok(())
    }

    /// The configuration of a side; 0 is for who looks at the shop from outside.
    fn config(&self, side: usize) -> PathBuf {
        self.folder.join(format!("kontor-{side}.toml"))
    }

    fn configuration(&self, postgres: SocketAddr, nats: Vec<SocketAddr>, services: &str) -> String {
        let nats: Vec<String> = nats.iter().map(|at| format!("nats://{at}")).collect();
        let replicas = if self.nats.len() >= 3 { 3 } else { 1 };
        let redis = self.redis.as_ref();
        let redis = redis.map(|redis| format!("[redis]\nurl = \"redis://{}/0\"\n", redis.address));
        format!(
            r#"
[data]
folder = "{data}"
[data.postgres]
url = "{url}"
connections = 4
[nats]
servers = {nats:?}
replicas = {replicas}
{redis}
[gateway.services]
{services}
[http]
public_url = "http://{public}"
cursor_key = "d41d8cd98f00b204e9800998ecf8427e"
[log]
filter = "warn"
[payment.test_provider]
url = "http://{provider}"
api_key = "{API_KEY}"
webhook_secret = "{WEBHOOK_SECRET}"
timeout_ms = 3000
[[staff]]
name = "clerk"
role = "admin"
token_sha256 = "{hash}"
"#,
            data = self.folder.join("data").display(),
            url = self.postgres.url(postgres),
            redis = redis.unwrap_or_default(),
            public = self.gateways[0],
            provider = self.provider,
            hash = TokenHash::of(STAFF),
        )
    }

    /// The provider lives beside the shop, as providers do, and writes down what it is asked.
    async fn open_provider(&self) -> Result<(), Failure> {
        let config = test_provider::Config {
            public_url: format!("http://{}", self.provider),
            api_key: API_KEY.to_owned(),
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
            if answers_ready(self.instances[number].inside).await {
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

async fn answers_ready(inside: SocketAddr) -> bool {
    let asked = async {
        let mut client = Client::connect(inside).await.ok()?;
        let answer = client.send(Method::GET, "/readyz", &[], None).await.ok()?;
        Some(answer.status == 200)
    };
    let asked = tokio::time::timeout(Duration::from_secs(2), asked).await;
    asked.ok().flatten().unwrap_or(false)
}
