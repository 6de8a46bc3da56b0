//! A shop in pieces: each part a real process of its own, on PostgreSQL, behind a gateway.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use bench::ports::free_address;
use contracts::Source;
use http::Method;
use kontor::config::Postgres;
use platform::clock::Clock;
use platform::http::TokenHash;
use serde_json::Value;
use tempfile::TempDir;

use super::Answer;
use super::program::{Client, Failure, Running, STAFF, bare};
use super::world::{PATIENCE, databases, product, server};

/// How long a connection to a service is kept idle by these gateways, in milliseconds.
const IDLE_MS: u64 = 300;

/// Where a process listens.
#[derive(Debug, Clone, Copy)]
pub struct Ears {
    /// For everybody.
    pub public: SocketAddr,
    /// For operators.
    pub inside: SocketAddr,
}

impl Ears {
    /// Where nobody listens yet.
    pub fn free() -> Self {
        Self { public: free_address(), inside: free_address() }
    }

    /// What it says of itself, by the name of a figure without labels.
    pub async fn figure(&self, name: &str) -> Option<i64> {
        let mut client = Client::connect(self.inside).await.ok()?;
        let figures = client.send(Method::GET, "/metrics", &[], "").await.ok()?;
        let mut values = figures.text.lines().filter_map(|line| line.strip_prefix(name));
        values.find_map(|rest| rest.trim().parse().ok())
    }
}

/// The parts of one shop.
pub struct Apart {
    /// Where the gateway listens.
    pub gateway: Ears,
    /// Where the instances of each service listen, once they are started.
    pub instances: BTreeMap<Source, Vec<Ears>>,
    /// Where the databases are.
    pub postgres: Postgres,
    /// The configuration of the other servers.
    others: String,
    folder: TempDir,
}

impl Apart {
    /// A shop that may have so many instances of each service. None is started.
    pub async fn new(count: usize) -> Self {
        Self::reaching(count, databases("_{service}").await)
    }

    /// The same, with its databases where it is told.
    pub fn reaching(count: usize, postgres: Postgres) -> Self {
        let nats = std::env::var("NATS_URL");
        let nats = nats.expect("set NATS_URL, or run this under scripts/with-nats");
        // Tests share a server and are not to hear each other.
        let prefix = shop(&postgres);
        let others = format!("[nats]\nservers = [\"{nats}\"]\nprefix = \"{prefix}\"\n");
        Self::on(count, postgres, others)
    }

    /// The same, on these servers, the others of them as they are configured.
    pub fn on(count: usize, postgres: Postgres, others: String) -> Self {
        let mut instances = BTreeMap::new();
        for service in Source::ALL {
            let mut ears = Vec::new();
            for _ in 0..count {
                ears.push(Ears::free());
            }
            instances.insert(service, ears);
        }
        let folder = tempfile::tempdir().unwrap();
        let apart = Self { gateway: Ears::free(), instances, postgres, others, folder };
        std::fs::write(apart.config(), apart.toml()).unwrap();
        apart
    }

    /// What the server counts; `$1` is the pattern of the names of the shop's databases.
    pub async fn count(&self, sql: &str) -> i64 {
        let client = server().await;
        let pattern = format!("{}%", shop(&self.postgres));
        client.query_one(sql, &[&pattern]).await.unwrap().get(0)
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("kontor.toml")
    }

    fn toml(&self) -> String {
        let mut services = String::new();
        for (service, ears) in &self.instances {
            let addresses: Vec<String> =
                ears.iter().map(|ears| format!("http://{}", ears.public)).collect();
            writeln!(services, "{service} = {addresses:?}").unwrap();
        }
        let ca = self.postgres.ca.as_ref();
        let ca = ca.map_or(String::new(), |ca| format!("ca = {ca:?}"));
        format!(
            r#"
[data]
folder = "{data}"
[data.postgres]
url = "{url}"
connections = 4
{ca}
{others}
[gateway.services]
{services}
[gateway.limits]
idle_ms = {IDLE_MS}
[http]
public_url = "http://{public}"
cursor_key = "d41d8cd98f00b204e9800998ecf8427e"
[http.limits]
writes_per_minute = 0
[log]
filter = "error"
[[staff]]
name = "clerk"
role = "admin"
token_sha256 = "{hash}"
"#,
            data = self.folder.path().join("data").display(),
            url = self.postgres.url.reveal(),
            others = self.others,
            public = self.gateway.public,
            hash = TokenHash::of(STAFF),
        )
    }

    /// The program with these arguments and the shop's configuration.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bare(arguments);
        command.arg("--config").arg(self.config()).current_dir(self.folder.path());
        command
    }

    /// Starts an instance of a service and waits until it is ready.
    pub async fn start(&self, service: Source, instance: usize) -> Running {
        self.begin(service.name(), self.instances[&service][instance], &[]).await
    }

    /// Starts one instance of every service, and waits until all are ready.
    pub async fn start_all(&self) -> Vec<Running> {
        let all = Source::ALL.map(|service| self.start(service, 0));
        futures_util::future::join_all(all).await
    }

    /// Starts the gateway and waits until it is ready.
    pub async fn start_gateway(&self) -> Running {
        self.begin("gateway", self.gateway, &[]).await
    }

    /// Starts a part with these settings besides, and waits until it is ready.
    pub async fn begin(&self, part: &str, ears: Ears, settings: &[(&str, &str)]) -> Running {
        let mut command = self.command(&["run", part]);
        command.envs(settings.iter().copied());
        command.env("KONTOR_HTTP__LISTEN", ears.public.to_string());
        command.env("KONTOR_HTTP__INTERNAL", ears.inside.to_string());
        let running = Running::begin(command, &self.folder.path().join("program.log"));
        let ready = running.until(ears.inside, "/readyz", |answer| answer.status == 200);
        let is_ready = tokio::time::timeout(2 * PATIENCE, ready).await.is_ok();
        assert!(is_ready, "{part} is not ready: {}", self.log());
        running
    }

    /// What the parts have complained about.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("program.log")).unwrap_or_default()
    }

    /// Somebody who talks to the gateway.
    pub async fn client(&self) -> Client {
        Client::connect(self.gateway.public).await.unwrap()
    }

    /// Puts products of these names on sale.
    pub async fn import(&self, skus: &[&str]) -> Value {
        let lines: Vec<String> = skus
            .iter()
            .map(|sku| product(sku, "A thing", 1_000, "standard", true).to_string())
            .collect();
        let headers = [("content-type", "application/x-ndjson"), clerk()];
        let body = lines.join("\n");
        let path = "/api/v1/products/import";
        let answer = self.client().await.send(Method::POST, path, &headers, &body).await;
        answer.unwrap().expect(200)
    }

    /// Asks by POST until something is made; what is refused makes nothing.
    pub async fn until_made(&self, path: &str, body: &str) -> Value {
        let mut client = self.client().await;
        let asked = async {
            loop {
                let answer = client.send(Method::POST, path, &[], body).await.unwrap();
                if answer.status == 201 {
                    return answer.json();
                }
                Clock::system().sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.expect("nothing was made")
    }

    /// Asks the gateway until the answer is what is wanted.
    pub async fn until(&self, path: &str, done: impl Fn(&Answer) -> bool) -> Answer {
        let mut client = self.client().await;
        let asked = async {
            loop {
                match client.send(Method::GET, path, &[clerk()], "").await {
                    Ok(answer) if done(&answer) => return Ok::<_, Failure>(answer),
                    Ok(_) => Clock::system().sleep(Duration::from_millis(10)).await,
                    Err(error) => return Err(error),
                }
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.expect("waited in vain").unwrap()
    }
}

/// What the names of a shop's databases begin with.
fn shop(postgres: &Postgres) -> &str {
    let (_, names) = postgres.url.reveal().rsplit_once('/').unwrap();
    names.split_once("_{service}").unwrap().0
}

/// The header by which the clerk shows who they are.
pub fn clerk() -> (&'static str, &'static str) {
    ("authorization", "Bearer kst_the_admin_of_the_tests")
}
