//! A process under measurement that answers over HTTP: started, and waited for.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::net::TcpStream;

use bench::client::{Client, Failure};
use bench::process::{Process, Spec};

use crate::stopwatch::Stopwatch;

/// A process that listens.
#[derive(Debug)]
pub struct Served {
    /// Itself.
    pub process: Process,
    /// Where.
    pub address: SocketAddr,
    /// How long it took from its start to its first answer.
    pub ready_after: Duration,
}

impl Served {
    /// Starts `program` with `arguments`, and waits until `path` answers with `status` on `address`.
    ///
    /// # Errors
    /// When it does not start, or is not ready within a minute.
    pub async fn start(
        name: &str,
        program: &Path,
        arguments: &[&str],
        address: SocketAddr,
        (path, status): (&str, u16),
        logs: &Path,
    ) -> Result<Self, Failure> {
        let spec = Spec {
            name: name.to_owned(),
            program: program.to_owned(),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            variables: Vec::new(),
            user: None,
        };
        let mut process = Process::new(spec, logs);
        let watch = Stopwatch::start();
        process.start()?;
        loop {
            if !process.is_alive() {
                let said = process.last_words();
                return Err(format!("{name} ended before it was ready: {said}").into());
            }
            if TcpStream::connect(address).await.is_ok() {
                let mut client = Client::connect(address).await?;
                if client.send(http::Method::GET, path, &[], None).await?.status == status {
                    return Ok(Self { process, address, ready_after: watch.elapsed() });
                }
            }
            if watch.elapsed() > Duration::from_secs(60) {
                return Err(format!("{name} is not ready after a minute").into());
            }
            platform::clock::Clock::system().sleep(Duration::from_millis(2)).await;
        }
    }

    /// Its id in the system.
    pub fn id(&self) -> u32 {
        self.process.id().unwrap_or_default()
    }
}
