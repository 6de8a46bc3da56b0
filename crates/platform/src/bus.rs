//! The bus between services that run apart: NATS JetStream.
//!
//! Each service fills a stream of its own from its outbox (`relay`) and has one durable consumer
//! in the stream of each service it listens to (`consume`), shared by its instances.
//!
//! **Invariant.** A stream is disposable. An event counts as published when the stream has
//! acknowledged it, and is kept in the outbox longer than anybody needs it: where the stream is gone,
//! was set back or has a hole, everything kept is sent again, and the inboxes know what they have.

mod changes;
mod consume;
mod names;
mod nats;
mod permissions;
mod relay;

use std::collections::BTreeMap;
use std::sync::Arc;

use contracts::Source;
use futures_util::future::try_join_all;

use crate::service::Host;
use crate::tasks::Tasks;

pub use nats::{Nats, NatsConfig, NatsError};
pub use permissions::Permissions;

/// What carries events from one service to another.
#[derive(Debug, Clone, Default)]
pub enum Bus {
    /// They stay in this process: in the file's log, or handed from one service to the others.
    #[default]
    Inside,
    /// A broker between processes: for each service its way there.
    Nats(BTreeMap<Source, Nats>),
}

impl Bus {
    /// The broker that `config` names, for `services`. It is waited for in the background, now and
    /// whenever it is lost.
    ///
    /// # Errors
    /// When what is configured cannot be right.
    pub async fn connect(
        config: &NatsConfig,
        services: impl IntoIterator<Item = Source>,
    ) -> Result<Self, NatsError> {
        let mut ways = BTreeMap::new();
        for service in services {
            ways.insert(service, Nats::connect(config, service).await?);
        }
        Ok(Self::Nats(ways))
    }

    /// The way of `service` to the broker, if there is one.
    pub(crate) fn of(&self, service: Source) -> Option<&Nats> {
        match self {
            Self::Inside => None,
            Self::Nats(ways) => ways.get(&service),
        }
    }
}

/// What became of a stream that was to go.
#[derive(Debug)]
pub struct Removed {
    /// The stream.
    pub stream: String,
    /// Whether it was there; or why it could not be taken away.
    pub outcome: Result<bool, NatsError>,
}

/// Takes away the streams of `services`: for a shop whose databases were set back, and that is not to
/// hear what it said after that. Each is made anew and filled from the outbox when its service starts.
///
/// # Errors
/// When what is configured cannot be right.
pub async fn remove_streams(
    config: &NatsConfig,
    services: impl IntoIterator<Item = Source>,
) -> Result<Vec<Removed>, NatsError> {
    let removing = services.into_iter().map(|service| async move {
        let nats = Nats::connect(config, service).await?;
        let (stream, outcome) = nats.remove_stream(service).await;
        Ok(Removed { stream, outcome })
    });
    try_join_all(removing).await
}

/// Carries what `host` says to the broker, and to `host` what it listens to, until `tasks` is told
/// to stop.
pub(crate) fn start(nats: &Nats, host: &Arc<dyn Host>, tasks: &Tasks) {
    let relay = relay::Relay::new(nats, host, tasks);
    tasks.spawn("relay", relay.run());
    tasks.spawn("changes", changes::share(nats.clone(), Arc::clone(host), tasks.clone()));
    for publisher in Source::ALL {
        if host.reactions().iter().any(|reaction| reaction.on.source == publisher) {
            let consumer = consume::Consumer::new(nats, host, publisher, tasks);
            tasks.spawn("consumer", consumer.run());
        }
    }
}
