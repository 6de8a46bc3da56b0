//! The way to a server: address, TLS, and the limits every connection gets.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use contracts::Source;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::db::{Error, Result};

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
        Ok(Self { config, tls: MakeRustlsConnect::new(client(told.ca.as_deref())?) })
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Server")
    }
}

/// TLS that believes the certificates in `ca`, or else those that browsers do.
fn client(ca: Option<&Path>) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    match ca {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(file) => {
            let unreadable = |error: &dyn std::fmt::Display| {
                Error::Failed(format!("certificates in {}: {error}", file.display()))
            };
            for certificate in
                CertificateDer::pem_file_iter(file).map_err(|error| unreadable(&error))?
            {
                let certificate = certificate.map_err(|error| unreadable(&error))?;
                roots.add(certificate).map_err(|error| unreadable(&error))?;
            }
            if roots.is_empty() {
                return Err(unreadable(&"there is none"));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Failed(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
