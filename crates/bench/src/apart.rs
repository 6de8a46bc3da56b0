//! A shop whose services run apart: who listens where, and how each is started.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use contracts::Source;
use http::Method;

use crate::client::Client;
use crate::ports::free_address;
use crate::process::{Process, Spec};

/// Who listens where.
#[derive(Debug)]
pub struct Layout {
    /// The instances of each service.
    pub services: Vec<(Source, Vec<SocketAddr>)>,
    /// The gateways; there is at least one.
    pub gateways: Vec<SocketAddr>,
}

impl Layout {
    /// So many instances of each service, and so many gateways, where nobody listens yet.
    pub fn new(instances: usize, gateways: usize) -> Self {
        let free = |count| (0..count).map(|_| free_address()).collect();
        Self {
            services: Source::ALL.into_iter().map(|service| (service, free(instances))).collect(),
            gateways: free(gateways.max(1)),
        }
    }

    /// Where clients find the shop.
    pub fn public(&self) -> SocketAddr {
        self.gateways[0]
    }

    /// Each process: its part, which instance of it this is, counted from 0, and where it listens.
    /// The gateways come last.
    pub fn processes(&self) -> impl Iterator<Item = (&'static str, usize, SocketAddr)> {
        let services = self.services.iter().map(|(service, listen)| (service.name(), listen));
        let all = services.chain([("gateway", &self.gateways)]);
        all.flat_map(|(part, listen)| {
            listen.iter().enumerate().map(move |(number, at)| (part, number, *at))
        })
    }
}

/// One process of the shop.
#[derive(Debug)]
pub struct Instance {
    /// Which part it is.
    pub part: &'static str,
    /// Itself.
    pub process: Process,
    /// Where it tells operators how it is.
    pub inside: SocketAddr,
}

impl Instance {
    /// A part that is not started yet.
    pub fn new(
        program: &Path,
        (part, number, listen): (&'static str, usize, SocketAddr),
        config: &Path,
        logs: &Path,
    ) -> Self {
        let inside = free_address();
        let config = config.display().to_string();
        let spec = Spec {
            name: format!("{part}-{}", number + 1),
            program: program.to_owned(),
            arguments: ["run", part, "--config", &config].map(str::to_owned).into(),
            variables: vec![
                ("KONTOR_HTTP__LISTEN".to_owned(), listen.to_string()),
                ("KONTOR_HTTP__INTERNAL".to_owned(), inside.to_string()),
            ],
            user: None,
        };
        Self { part, process: Process::new(spec, logs), inside }
    }
}

/// Whether the process that listens there for operators says that it is ready.
pub async fn is_ready(inside: SocketAddr) -> bool {
    let asked = async {
        let mut client = Client::connect(inside).await.ok()?;
        let answer = client.send(Method::GET, "/readyz", &[], None).await.ok()?;
        Some(answer.status == 200)
    };
    let asked = tokio::time::timeout(Duration::from_secs(2), asked).await;
    asked.ok().flatten().unwrap_or(false)
}
