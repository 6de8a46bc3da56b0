//! The embedded shop under measurement: the real program with a thousand units for sale.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bench::client::Failure;
use bench::ports::free_address;
use bench::told::{limits, outside};
use bench::usage;
use tempfile::TempDir;

use super::report::Load;
use crate::flow::{self, Habit, PATIENT, Tally, UNIFORM};
use crate::goods::{UNITS, fill, sell};
use crate::metrics::{self, Work};
use crate::served::Served;

/// A running shop. Its processes end before its folder goes.
pub struct BenchShop {
    /// Its process.
    pub served: Served,
    /// A product of it, by id or handle.
    pub product: String,
    _provider: Served,
    internal: SocketAddr,
    program: PathBuf,
    folder: TempDir,
}

impl BenchShop {
    /// Starts an empty shop in a folder on disk, and fills it.
    ///
    /// # Errors
    /// When it does not start or take its goods.
    pub async fn open(program: &Path) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let (listen, internal, provider) = (free_address(), free_address(), free_address());
        let config = configuration(&folder, (listen, internal), provider);
        std::fs::write(config_path(&folder), config)?;
        let served = start(program, &folder, listen).await?;
        let arguments =
            ["test-provider", "--listen", &provider.to_string(), "--config", &config_path(&folder)];
        let answer = ("/", 404);
        let logs = folder.path();
        let provider =
            Served::start("test-provider", program, &arguments, provider, answer, logs).await?;
        fill(listen).await?;
        Ok(Self {
            served,
            product: "bench-00001".to_owned(),
            _provider: provider,
            internal,
            program: program.to_owned(),
            folder,
        })
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
        let (before, ticks) = (self.work().await?, usage::ticks_by_thread(self.served.id()));
        let tally = flow::closed(self.served.address, habit, in_flight, first, orders).await?;
        let tally = tally.sound()?;
        // What follows the confirmation is counted too.
        let rest = self.settle().await?;
        let work = self.work().await?.since(before);
        let since = |(name, used): (String, u64)| {
            // Threads that have ended take their time with them.
            let used = used.saturating_sub(ticks.get(&name).copied().unwrap_or(0));
            (name, used)
        };
        let ticks = usage::ticks_by_thread(self.served.id()).into_iter().map(since).collect();
        Ok(Load { tally, work, ticks, rest })
    }

    /// So many orders a second, whether it keeps up or not. Comes to rest afterwards.
    ///
    /// # Errors
    /// When anything in it went wrong.
    pub async fn open_loop(
        &self,
        per_second: u64,
        first: u64,
        lasting: Duration,
    ) -> Result<Tally, Failure> {
        let address = self.served.address;
        let tally = flow::open(address, UNIFORM, per_second, first, lasting).await?.sound()?;
        self.settle().await?;
        Ok(tally)
    }

    /// Waits until everything has come of what was done. Answers how long it took.
    ///
    /// # Errors
    /// When there is no end of it.
    pub async fn settle(&self) -> Result<Duration, Failure> {
        metrics::settle(&[self.internal]).await
    }

    /// So many attempts at the few pieces of one unit, in a fresh shop.
    ///
    /// # Errors
    /// When anything went wrong but running out, or more or fewer were sold than there were.
    pub async fn hot(
        &self,
        pieces: u64,
        in_flight: u64,
        first: u64,
        attempts: u64,
    ) -> Result<Tally, Failure> {
        let fresh = Self::open(&self.program).await?;
        sell(fresh.served.address, &[(UNITS, pieces)]).await?;
        let hot = Habit { hot: Some(UNITS), ..UNIFORM };
        flow::closed(fresh.served.address, hot, in_flight, first, attempts)
            .await?
            .sound()?
            .sold_out(pieces)
    }

    /// Its file.
    pub fn file(&self) -> PathBuf {
        data(&self.folder).join("shop.db")
    }

    /// All the work since the process started.
    async fn work(&self) -> Result<Work, Failure> {
        Work::of(self.internal).await
    }

    /// A bare server in a process of its own.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn hello(&self) -> Result<Served, Failure> {
        let address = free_address();
        let arguments = ["hello", &address.to_string()];
        let program = std::env::current_exe()?;
        let logs = self.folder.path();
        Served::start("hello", &program, &arguments, address, ("/", 200), logs).await
    }

    /// Kills the process and starts it again on the same data.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart(&mut self) -> Result<(), Failure> {
        self.served.process.kill();
        self.served = start(&self.program, &self.folder, self.served.address).await?;
        Ok(())
    }
}

async fn start(program: &Path, folder: &TempDir, listen: SocketAddr) -> Result<Served, Failure> {
    let arguments = ["run", "--no-demo", "--config", &config_path(folder)];
    let answer = ("/api/v1/products", 200);
    Served::start("kontor", program, &arguments, listen, answer, folder.path()).await
}

fn config_path(folder: &TempDir) -> String {
    folder.path().join("kontor.toml").display().to_string()
}

fn data(folder: &TempDir) -> PathBuf {
    folder.path().join("data")
}

fn configuration(
    folder: &TempDir,
    (listen, internal): (SocketAddr, SocketAddr),
    provider: SocketAddr,
) -> String {
    format!(
        r#"
[data]
folder = "{data}"
[http]
listen = "{listen}"
internal = "{internal}"
public_url = "http://{listen}"
{limits}
[test_provider]
listen = "{provider}"
{outside}
"#,
        data = data(folder).display(),
        limits = limits(PATIENT),
        outside = outside(provider)
    )
}
