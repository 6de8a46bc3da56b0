//! A process under measurement: started, waited for, read from `/proc`, and ended.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::client::{Client, Failure};
use crate::stopwatch::Stopwatch;

/// A process that listens.
#[derive(Debug)]
pub struct Process {
    child: Option<Child>,
    /// Where.
    pub address: SocketAddr,
    /// Its internal listener.
    pub internal: SocketAddr,
    /// How long it took from its start to its first 200.
    pub ready_after: Duration,
}

impl Process {
    /// Starts `program` with `arguments`, and waits until `path` answers with `status` on `address`.
    ///
    /// # Errors
    /// When it does not start, or is not ready within a minute.
    pub async fn start(
        program: &Path,
        arguments: &[&str],
        variables: &[(&str, String)],
        (address, internal): (SocketAddr, SocketAddr),
        (path, status): (&str, u16),
    ) -> Result<Self, Failure> {
        let watch = Stopwatch::start();
        let child = Command::new(program)
            .args(arguments)
            .envs(variables.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let mut process =
            Self { child: Some(child), address, internal, ready_after: Duration::ZERO };
        loop {
            if process.child.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None))) {
                return Err("the process ended before it was ready".into());
            }
            if TcpStream::connect(address).await.is_ok() {
                let mut client = Client::connect(address).await?;
                if client.send(http::Method::GET, path, &[], None).await?.status == status {
                    process.ready_after = watch.elapsed();
                    return Ok(process);
                }
            }
            if watch.elapsed() > Duration::from_secs(60) {
                return Err("the process is not ready after a minute".into());
            }
            platform::clock::Clock::system().sleep(Duration::from_millis(2)).await;
        }
    }

    /// No process: what is left while one is started anew.
    pub fn idle() -> Self {
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { child: None, address: nowhere, internal: nowhere, ready_after: Duration::ZERO }
    }

    fn id(&self) -> u32 {
        self.child.as_ref().and_then(Child::id).unwrap_or_default()
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        kilobytes.unwrap_or_default() * 1024
    }

    /// Processor time used so far, by the name of the thread, in clock ticks (a hundredth of a second).
    pub fn ticks_by_thread(&self) -> BTreeMap<String, u64> {
        let mut ticks = BTreeMap::new();
        let folder = format!("/proc/{}/task", self.id());
        for thread in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            let Some((name, rest)) =
                stat.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')'))
            else {
                continue;
            };
            let fields: Vec<&str> = rest.split_whitespace().collect();
            let used: u64 =
                [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum();
            *ticks.entry(name.to_owned()).or_default() += used;
        }
        ticks
    }

    /// Ends it at once, as a power cut would.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub async fn kill(mut self) -> Result<(), Failure> {
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// A number out of its metrics, summed over labels.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn metric(&self, name: &str) -> Result<BTreeMap<String, u64>, Failure> {
        let mut client = Client::connect(self.internal).await?;
        let text = client.send(http::Method::GET, "/metrics", &[], None).await?.body;
        let text = String::from_utf8_lossy(&text).into_owned();
        let mut found = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((key, value)) = line.rsplit_once(' ') else { continue };
            let (key, labels) = key.split_once('{').unwrap_or((key, ""));
            if key == name {
                let value = value.split('.').next().and_then(|whole| whole.parse().ok());
                *found.entry(labels.trim_end_matches('}').to_owned()).or_default() +=
                    value.unwrap_or(0_u64);
            }
        }
        Ok(found)
    }
}
