//! The servers that a shop of several processes stands on, and where its services are.

use std::collections::BTreeMap;
use std::path::PathBuf;

use contracts::Source;
use platform::config::Credential;
use platform::http::client::{BaseAddress, ClientLimits};
use serde::{Deserialize, Serialize};

/// A PostgreSQL server with a database for each service.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Postgres {
    /// Its address; `{service}` stands for the service's name.
    pub url: Credential,
    /// How many connections each service opens at most.
    #[serde(default = "connections")]
    pub connections: usize,
}

fn connections() -> usize {
    8
}

/// A NATS server or cluster with JetStream, which carries events between services that run apart.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nats {
    /// The servers' addresses, such as `nats://127.0.0.1:4222`; with `tls://` the connection is encrypted.
    pub servers: Vec<String>,
    /// Who we are there, if it asks; `{service}` stands for the service's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The password of that user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Credential>,
    /// The file of the root certificate that the servers are verified against, if it is none of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// On how many servers each stream is kept: 1, or 3 on a cluster.
    #[serde(default = "one")]
    pub replicas: usize,
    /// What all subjects begin with: `kontor` makes `kontor.order.placed.v1`.
    #[serde(default = "prefix")]
    pub prefix: String,
}

fn one() -> usize {
    1
}

fn prefix() -> String {
    "kontor".to_owned()
}

/// A Redis server, which is shared by all instances as a cache. Whatever it holds may be lost.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// Its address, such as `redis://127.0.0.1:6379`; with `rediss://` the connection is encrypted.
    pub url: Credential,
}

/// Where the gateway finds the services.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// The base addresses of each service's instances, such as `order = ["http://10.0.0.7:8080"]`. Names are
    /// looked up anew for each connection.
    pub services: BTreeMap<Source, Vec<BaseAddress>>,
    /// How much is asked of each service, and how long it is waited for.
    #[serde(default)]
    pub limits: ClientLimits,
}
