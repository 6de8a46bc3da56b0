//! The servers that a shop of several processes stands on, and where its services are.

use std::collections::BTreeMap;
use std::path::PathBuf;

use contracts::Source;
use platform::config::Credential;
use platform::http::client::{BaseAddress, ClientLimits};
use platform::redis::{RedisConfig, RedisError};
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
    /// The file of the certificates that the server's must lead to, in PEM. With it, TLS is required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
}

fn connections() -> usize {
    8
}

/// A Redis server, which is shared by all instances: as a cache, and to count how often clients change something.
/// Whatever it holds may be lost.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// Its address, such as `redis://127.0.0.1:6379`; with `rediss://` the connection is encrypted.
    pub url: Credential,
    /// What every key begins with: shops that share a server have one each.
    #[serde(default = "prefix")]
    pub prefix: String,
    /// The file of the certificates that the server's must lead to, in PEM, for `rediss://`. Without it, those
    /// of this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
}

fn prefix() -> String {
    "kontor".to_owned()
}

impl Redis {
    /// The way to it. Nothing waits for it.
    ///
    /// # Errors
    /// When the address is none or the certificates cannot be read.
    pub fn connect(&self) -> Result<platform::redis::Redis, RedisError> {
        let Self { url, prefix, ca } = self;
        let url = url.reveal().to_owned();
        let told = RedisConfig { url, prefix: prefix.clone(), ca: ca.clone() };
        platform::redis::Redis::connect(&told)
    }
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
