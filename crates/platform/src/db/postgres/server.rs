//! The way to a server: address, TLS, and the limits every connection gets.

use std::path::PathBuf;
use std::time::Duration;

use contracts::Source;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::db::{Error, Result};
use crate::tls;

/// Where a service's database is, and how much of the server it may take.
#[derive(Debug, Clone)]
pub struct PostgresConfig {
    /// The address, as `postgres://user:password@host:port/database`.
    pub url: String,
    /// How many connections at most, besides one for leading.
    pub connections: usize,
    /// The certificates that the server's must lead to. With it, TLS is required.
    pub ca: Option<PathBuf>,
}

impl PostgresConfig {
    /// The database at `url`, by as many `connections` at most.
    pub fn new(url: impl Into<String>, connections: usize) -> Self {
        Self { url: url.into(), connections, ca: None }
    }
}

/// A server as a client reaches it.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) config: tokio_postgres::Config,
    pub(super) tls: MakeRustlsConnect,
}

/// A statement that takes longer is a mistake: it would hold rows that others wait for.
const STATEMENT: Duration = Duration::from_secs(30);
/// Nobody waits between the statements of a transaction, so whoever does is gone.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(10);
/// A server that says nothing for so long, though asked, is gone.
const SILENCE: Duration = Duration::from_secs(15);

impl Server {
    /// # Errors
    /// When the address or the certificates cannot be read.
    pub(super) fn of(told: &PostgresConfig, source: Source) -> Result<Self> {
        let mut config: tokio_postgres::Config =
            told.url.parse().map_err(|error| Error::from_postgres("the address", error))?;
        // To encrypt if it happens to work protects nobody: either it is asked for, or not done.
        if config.get_ssl_mode() == SslMode::Prefer {
            let asked = told.ca.is_some();
            config.ssl_mode(if asked { SslMode::Require } else { SslMode::Disable });
        }
        let limits = format!(
            "-c statement_timeout={} -c idle_in_transaction_session_timeout={}",
            STATEMENT.as_millis(),
            IDLE_IN_TRANSACTION.as_millis()
        );
        let options = config.get_options().map_or(limits.clone(), |own| format!("{limits} {own}"));
        config
            .options(&options)
            .application_name(format!("kontor-{source}"))
            .connect_timeout(Duration::from_secs(5))
            .keepalives_idle(SILENCE / 3)
            .keepalives_interval(SILENCE / 5)
            .keepalives_retries(3)
            .tcp_user_timeout(SILENCE);
        let tls =
            tls::client(told.ca.as_deref()).map_err(|error| Error::Failed(error.to_string()))?;
        Ok(Self { config, tls: MakeRustlsConnect::new(tls) })
    }

    /// Every session has these settings besides.
    pub(super) fn insist(&mut self, settings: &[&str]) {
        let own = self.config.get_options().unwrap_or_default();
        let options = settings.iter().fold(own.to_owned(), |all, one| format!("{all} -c {one}"));
        self.config.options(&options);
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Server")
    }
}
