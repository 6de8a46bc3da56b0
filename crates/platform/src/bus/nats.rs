//! The way to the broker.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event, jetstream};
use contracts::Source;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::names::Names;
use crate::config::Credential;

/// Where NATS is, and how this shop's streams are kept there.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NatsConfig {
    /// The servers' addresses, as `nats://host:4222`, or `tls://..` for TLS. One that answers is
    /// enough; it names the others of its cluster.
    pub servers: Vec<String>,
    /// The user; `{service}` stands for the service's name. None where the servers ask for none.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<Credential>,
    /// The certificates that a server's must lead to, in PEM; those that browsers believe if not
    /// set. With it, TLS is required.
    pub ca: Option<PathBuf>,
    /// On how many servers each stream is kept: 3 survive the loss of one.
    pub replicas: usize,
    /// What the names of subjects and streams begin with: another for each shop on the same servers.
    pub prefix: String,
}

impl Default for NatsConfig {
    fn default() -> Self {
        Self {
            servers: vec!["nats://127.0.0.1:4222".to_owned()],
            user: None,
            password: None,
            ca: None,
            replicas: 1,
            prefix: "kontor".to_owned(),
        }
    }
}

/// Why the broker cannot be used as configured.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// A value that cannot be right.
    #[error("nats.{key} {why}")]
    Config {
        /// Which.
        key: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The client refuses it.
    #[error("NATS")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A service's connection to the broker. Clones are the same connection.
#[derive(Clone)]
pub struct Nats {
    client: Client,
    jetstream: jetstream::Context,
    names: Names,
    replicas: usize,
    line: watch::Receiver<Line>,
}

/// The connection, as it was seen last.
#[derive(Debug, Clone, Copy, Default)]
struct Line {
    is_up: bool,
    /// How often it was lost so far.
    lost: u64,
}

/// The connection was lost, and with it the answers to what was asked on it.
#[derive(Debug, thiserror::Error)]
#[error("the connection is lost")]
struct Lost;

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl std::fmt::Debug for Nats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Nats({})", self.names.prefix)
    }
}

/// How long the broker may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// How long to wait before the next attempt to reach it.
fn reconnect_delay(attempts: usize) -> Duration {
    let doublings = u32::try_from(attempts.min(5)).unwrap_or(5);
    Duration::from_millis(50 << doublings)
}

impl Nats {
    /// Begins to connect on behalf of `service`, and goes on until it works.
    pub(super) async fn connect(config: &NatsConfig, service: Source) -> Result<Self, NatsError> {
        config.check()?;
        let (changed, line) = watch::channel(Line::default());
        let changed = Arc::new(changed);
        let mut options = ConnectOptions::new()
            .name(format!("kontor-{service}"))
            .custom_inbox_prefix(Names::inbox(service))
            .retry_on_initial_connect()
            .request_timeout(Some(ANSWER))
            .ping_interval(Duration::from_secs(5))
            .reconnect_delay_callback(reconnect_delay)
            .event_callback(move |event| {
                let changed = Arc::clone(&changed);
                async move {
                    changed.send_modify(|line| line.hear(&event));
                    tell(service, &event);
                }
            });
        if let Some(user) = &config.user {
            let user = user.replace("{service}", service.name());
            let password = config.password.as_ref().map_or("", Credential::reveal);
            options = options.user_and_password(user, password.to_owned());
        }
        if let Some(ca) = &config.ca {
            options = options.add_root_certificates(ca.clone()).require_tls(true);
        }
        let client = options
            .connect(&config.servers)
            .await
            .map_err(|error| NatsError::Client(Box::new(error)))?;
        let jetstream = jetstream::ContextBuilder::new()
            .timeout(ANSWER)
            .ack_timeout(ANSWER)
            .max_ack_inflight(4096)
            .build(client.clone());
        let names = Names::with(&config.prefix);
        Ok(Self { client, jetstream, names, replicas: config.replicas, line })
    }

    /// Returns when there is a connection.
    pub(super) async fn connected(&self) {
        // It fails when the client is gone, which is held here.
        let _ = self.line.clone().wait_for(|line| line.is_up).await;
    }

    /// What the broker says to what is `asked`, unless the connection is lost meanwhile: an answer is
    /// not waited for that cannot come.
    pub(super) async fn while_connected<T, E: Into<Failure>>(
        &self,
        asked: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Failure> {
        let mut line = self.line.clone();
        let begun = *line.borrow_and_update();
        if !begun.is_up {
            return Err(Lost.into());
        }
        tokio::select! {
            answer = asked => answer.map_err(Into::into),
            _ = line.wait_for(|line| line.lost != begun.lost) => Err(Lost.into()),
        }
    }

    /// Takes away the stream of `service`, by its name: whether it was there.
    pub(super) async fn remove_stream(&self, service: Source) -> (String, Result<bool, NatsError>) {
        use async_nats::jetstream::ErrorCode;
        use async_nats::jetstream::context::GetStreamErrorKind as Kind;
        let stream = self.names.stream(service);
        let outcome = match self.jetstream.delete_stream(&stream).await {
            Ok(_) => Ok(true),
            Err(error) => match error.kind() {
                Kind::JetStream(why) if why.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                    Ok(false)
                }
                Kind::JetStream(_) | Kind::Request | Kind::EmptyName | Kind::InvalidStreamName => {
                    Err(NatsError::Client(Box::new(error)))
                }
            },
        };
        (stream, outcome)
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn jetstream(&self) -> &jetstream::Context {
        &self.jetstream
    }

    pub(super) fn replicas(&self) -> usize {
        self.replicas
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }
}

impl NatsConfig {
    fn check(&self) -> Result<(), NatsError> {
        let wrong = |key, why: &str| Err(NatsError::Config { key, why: why.to_owned() });
        if self.servers.is_empty() {
            return wrong("servers", "names none");
        }
        if !(1..=5).contains(&self.replicas) {
            return wrong("replicas", "must be from 1 to 5");
        }
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if self.prefix.is_empty() || !self.prefix.chars().all(is_word) {
            return wrong("prefix", "must be letters, digits, _ and -");
        }
        if self.password.is_some() && self.user.is_none() {
            return wrong("password", "is set and nats.user is not");
        }
        Ok(())
    }
}

impl Line {
    fn hear(&mut self, event: &Event) {
        match event {
            Event::Connected => self.is_up = true,
            Event::Disconnected | Event::Closed => {
                self.is_up = false;
                self.lost += 1;
            }
            Event::LameDuckMode
            | Event::Draining
            | Event::SlowConsumer(_)
            | Event::ServerError(_)
            | Event::ClientError(_) => {}
        }
    }
}

fn tell(service: Source, event: &Event) {
    let service = service.name();
    match event {
        Event::Connected => {
            metrics::gauge!("bus_connected", "service" => service).set(1.0);
            tracing::info!(service, "connected to NATS");
        }
        Event::Disconnected => {
            metrics::gauge!("bus_connected", "service" => service).set(0.0);
            tracing::warn!(service, "NATS is not reached: events wait in the outbox");
        }
        Event::LameDuckMode
        | Event::Draining
        | Event::Closed
        | Event::SlowConsumer(_)
        | Event::ServerError(_)
        | Event::ClientError(_) => tracing::warn!(service, %event, "NATS"),
    }
}
