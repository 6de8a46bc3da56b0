//! The shop under measurement: the real program with a thousand units for sale.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{Method, StatusCode};
use platform::clock::Clock;
use serde_json::json;
use tempfile::TempDir;

use bench::ports::free_address;

use crate::client::{Client, Failure};
use crate::flow::{self, Habit, Tally, sku};
use crate::process::Process;
use crate::report::{Load, Work};
use crate::sound;

const TOKEN: &str = "kst_benchmark_benchmark_benchmark_benchmark";
/// SHA-256 of it.
const TOKEN_SHA256: &str = "c43160da32f6f656adea63d4832799239e8d40d547ea9fd34e6e72b848380aca";
const UNITS: u64 = 1000;

/// A running shop.
pub struct BenchShop {
    /// Its process.
    pub process: Process,
    /// A product of it, by id or handle.
    pub product: String,
    provider: Option<Process>,
    program: PathBuf,
    folder: TempDir,
    addresses: (SocketAddr, SocketAddr),
}

impl BenchShop {
    /// Starts an empty shop in a folder on disk, and fills it.
    ///
    /// # Errors
    /// When it does not start or take its goods.
    pub async fn open(program: &Path) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let addresses = (free_address(), free_address());
        let provider = free_address();
        std::fs::write(
            folder.path().join("kontor.toml"),
            configuration(&folder, addresses, provider),
        )?;
        let process = start(program, &folder, addresses).await?;
        let listen = provider.to_string();
        let provider = Process::start(
            program,
            &["test-provider", "--listen", &listen, "--config", &config_path(&folder)],
            &[],
            (provider, provider),
            ("/", 404),
        )
        .await?;
        let mut shop = Self {
            process,
            product: "bench-00001".to_owned(),
            provider: Some(provider),
            program: program.to_owned(),
            folder,
            addresses,
        };
        shop.fill().await?;
        Ok(shop)
    }

    async fn fill(&mut self) -> Result<(), Failure> {
        let mut products = String::new();
        for number in 0..UNITS {
            let line = json!({
                "handle": format!("bench-{number:05}"),
                "name": format!("Thing number {number}"),
                "description": "A thing of medium size that a benchmark buys, with a text of ordinary length beside it.",
                "variants": [{
                    "sku": sku(number), "tax_class": "standard", "weight_g": 250, "requires_shipping": true,
                    "prices": [{ "price": { "amount_minor": 1990, "currency": "EUR" } }],
                }],
            });
            writeln!(products, "{line}")?;
        }
        let path = "/api/v1/products/import?publish=true";
        self.staff(path, "application/x-ndjson", products).await?;
        for from in (0..UNITS).step_by(500) {
            let items: Vec<_> = (from..from + 500)
                .map(|number| json!({ "sku": sku(number), "quantity": 1_000_000 }))
                .collect();
            let body = json!({ "items": items }).to_string();
            self.staff("/api/v1/stock/receipts", "application/json", body).await?;
        }
        self.until_sold(&sku(UNITS - 1)).await
    }

    async fn staff(&self, path: &str, kind: &str, body: String) -> Result<(), Failure> {
        let mut client = Client::connect(self.process.address).await?;
        let bearer = format!("Bearer {TOKEN}");
        let key = platform::ids::Ids::from_system(Clock::system()).uuid().to_string();
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", kind),
            ("idempotency-key", key.as_str()),
        ];
        let answer = client.send_raw(Method::POST, path, &headers, body).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        Err(format!("{path}: {} {body}", answer.status).into())
    }

    /// Waits until a unit can be put into a cart: the order service has heard of it.
    async fn until_sold(&self, sku: &str) -> Result<(), Failure> {
        let mut client = Client::connect(self.process.address).await?;
        let cart =
            json!({ "currency": "EUR", "lines": [{ "sku": sku, "quantity": 1 }] }).to_string();
        for _ in 0..1000 {
            let answer =
                client.send(Method::POST, "/api/v1/carts", &[], Some(cart.clone())).await?;
            if answer.status == StatusCode::CREATED {
                return Ok(());
            }
            Clock::system().sleep(Duration::from_millis(20)).await;
        }
        Err("the goods do not get into the shop".into())
    }

    /// A closed load, with the work and the processor time it took.
    ///
    /// # Errors
    /// When anything in it went wrong.
    pub async fn load(
        &self,
        habit: Habit,
        in_flight: u64,
        first: u64,
        orders: u64,
    ) -> Result<Load, Failure> {
        let (before, ticks) = (self.work().await?, self.process.ticks_by_thread());
        let tally = sound(flow::closed(&self.process, habit, in_flight, first, orders).await?)?;
        let ticks_after = self.process.ticks_by_thread();
        // The counters are refreshed each second; what follows the confirmation is counted too.
        Clock::system().sleep(Duration::from_secs(3)).await;
        let work = self.work().await?.since(before);
        let ticks = ticks_after
            .into_iter()
            .map(|(name, used)| (name.clone(), used - ticks.get(&name).copied().unwrap_or(0)))
            .collect();
        Ok(Load { tally, work, ticks })
    }

    /// Fifteen thousand attempts at ten thousand pieces of one unit.
    ///
    /// # Errors
    /// When anything went wrong but running out.
    pub async fn hot(
        &mut self,
        habit: Habit,
        in_flight: u64,
        first: u64,
        attempts: u64,
    ) -> Result<Tally, Failure> {
        let fresh = Self::open(&self.program).await?;
        let adjust = json!({ "delta": 10_000 - 1_000_000, "reason": "a flash sale" }).to_string();
        let path = format!("/api/v1/stock/{}/adjustments", sku(0));
        fresh.staff(&path, "application/json", adjust).await?;
        sound(flow::closed(&fresh.process, habit, in_flight, first, attempts).await?)
    }

    async fn work(&self) -> Result<Work, Failure> {
        let sum = async |name: &str| -> Result<u64, Failure> {
            Ok(self.process.metric(name).await?.values().sum())
        };
        Ok(Work {
            statements: sum("db_statements_total").await?,
            rows: sum("db_rows_written_total").await?,
            units: sum("db_commits_total").await?,
            batches: sum("db_batches_total").await?,
        })
    }

    /// All the work since the process started.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn rows_and_commits(&self) -> Result<Work, Failure> {
        self.work().await
    }

    /// Kills the process and starts it again on the same data.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart(&mut self) -> Result<(), Failure> {
        std::mem::replace(&mut self.process, Process::idle()).kill().await?;
        self.process = start(&self.program, &self.folder, self.addresses).await?;
        Ok(())
    }
}

impl Drop for BenchShop {
    fn drop(&mut self) {
        // Both processes are killed when dropped; the folder goes after them.
        self.provider.take();
    }
}

async fn start(
    program: &Path,
    folder: &TempDir,
    addresses: (SocketAddr, SocketAddr),
) -> Result<Process, Failure> {
    let arguments = ["run", "--no-demo", "--config", &config_path(folder)];
    Process::start(program, &arguments, &[], addresses, ("/api/v1/products", 200)).await
}

fn config_path(folder: &TempDir) -> String {
    folder.path().join("kontor.toml").display().to_string()
}

fn configuration(
    folder: &TempDir,
    (listen, internal): (SocketAddr, SocketAddr),
    provider: SocketAddr,
) -> String {
    let data = folder.path().join("data");
    format!(
        r#"
[data]
folder = "{}"
[http]
listen = "{listen}"
internal = "{internal}"
public_url = "http://{listen}"
[http.limits]
in_flight = 4096
deadline_ms = 90000
[order]
wait_max_seconds = 60
[test_provider]
listen = "{provider}"
[payment.test_provider]
url = "http://{provider}"
api_key = "benchmark-benchmark-benchmark-key"
webhook_secret = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c"
[[staff]]
name = "bench"
role = "admin"
token_sha256 = "{TOKEN_SHA256}"
"#,
        data.display()
    )
}

/// A bare server in a process of its own.
///
/// # Errors
/// When it does not start.
pub async fn hello() -> Result<Process, Failure> {
    let address = free_address();
    let program = std::env::current_exe()?;
    Process::start(&program, &["hello", &address.to_string()], &[], (address, address), ("/", 200))
        .await
}
