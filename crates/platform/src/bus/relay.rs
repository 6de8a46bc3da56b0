//! From the outbox into the stream. Of a service's instances one does it; the others tell it when
//! they have committed something. That two do it for a while is harmless: the stream knows what it
//! was sent, and the inboxes what they have handled.

use std::sync::Arc;
use std::time::Duration;

use async_nats::header::{HeaderMap, NATS_MESSAGE_ID};
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::stream::{Config as StreamConfig, DiscardPolicy, StorageType};
use async_nats::jetstream::{context::GetStreamErrorKind, stream};
use bytes::Bytes;
use futures_util::future::try_join_all;
use futures_util::{FutureExt, StreamExt};

use super::Nats;
use crate::clock::Clock;
use crate::db::{self, Lead};
use crate::kernel::outbox::{Stored, Unsent};
use crate::kernel::stream::{Filled, LastFilled, MarkResent, MarkSent, StartOver, ToResend};
use crate::service::Host;
use crate::tasks::Tasks;

/// How many events are sent at once.
const BATCH: i64 = 1000;
/// How many are sent again at once, and how often: slower than listeners can find them in their
/// inboxes, so that new events do not wait behind old ones.
const AGAIN: i64 = 500;
const AGAIN_EVERY: Duration = Duration::from_millis(500);
/// However well it is woken, the leader looks again after this long.
const FALLBACK: Duration = Duration::from_secs(1);
/// How often it is seen that the stream still has what it was sent, and that this one leads.
const VERIFY: Duration = Duration::from_secs(2);
/// How long to wait after an error.
const PAUSE: Duration = Duration::from_millis(200);
/// How long the stream keeps events: as long as the outbox does.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// Within this time the stream itself knows what it was sent twice.
const DUPLICATES: Duration = Duration::from_secs(120);

/// Why nothing was relayed this time.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the outbox")]
    Outbox(#[from] db::Error),
    #[error("the broker")]
    Broker(#[source] Failure),
    #[error("the stream has lost events")]
    SetBack,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// One instance's share in filling the stream of a service.
pub(super) struct Relay {
    nats: Nats,
    host: Arc<dyn Host>,
    tasks: Tasks,
    /// The broker's time, which no test moves.
    clock: Clock,
}

impl Relay {
    pub(super) fn new(nats: &Nats, host: &Arc<dyn Host>, tasks: &Tasks) -> Self {
        Self {
            nats: nats.clone(),
            host: Arc::clone(host),
            tasks: tasks.clone(),
            clock: Clock::system(),
        }
    }

    /// Leads or helps whoever leads, until it is time to stop.
    pub(super) async fn run(self) {
        while !self.stopping() {
            tokio::select! {
                () = self.tasks.stopping().cancelled() => return,
                () = self.nats.connected() => {}
            }
            let turn = match self.lead().await {
                Ok(Some(lead)) => self.fill(&lead).await,
                Ok(None) => {
                    self.help().await;
                    Ok(())
                }
                Err(error) => Err(error),
            };
            if let Err(error) = turn {
                let service = self.host.source().name();
                tracing::warn!(service, ?error, "events wait in the outbox");
                self.wait(PAUSE).await;
            }
        }
    }

    fn stopping(&self) -> bool {
        self.tasks.stopping().is_cancelled()
    }

    async fn wait(&self, span: Duration) {
        tokio::select! {
            () = self.tasks.stopping().cancelled() => {}
            () = self.clock.sleep(span) => {}
        }
    }

    async fn lead(&self) -> Result<Option<Lead>, Error> {
        match self.host.db().postgres() {
            Some(postgres) => Ok(postgres.lead(self.host.source()).await?),
            None => Err(db::Error::Failed("a file has no broker".to_owned()).into()),
        }
    }

    /// For a while, tells whoever leads what is committed here.
    async fn help(&self) {
        let wake = &self.host.db().scope.wake;
        let subject = self.nats.names().wake(self.host.source());
        let over = self.clock.sleep(FALLBACK);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = self.tasks.stopping().cancelled() => return,
                () = &mut over => return,
                () = wake.events.notified() => {
                    // Who does not hear it finds it all the same, a little later.
                    let _ = self.nats.client().publish(subject.clone(), Bytes::new()).await;
                }
            }
        }
    }

    /// Fills the stream for as long as this instance leads.
    async fn fill(&self, lead: &Lead) -> Result<(), Error> {
        let subject = self.nats.names().wake(self.host.source());
        let listening = self.nats.client().subscribe(subject).await;
        let mut woken = listening.map_err(|error| Error::Broker(error.into()))?;
        let mut filled = self.verified(true).await?;
        let (mut verified, mut again_at) = (self.clock.now(), self.clock.now());
        let mut is_complete = false;
        while !self.stopping() {
            if self.clock.now().since(verified) >= VERIFY {
                if !lead.is_held().await {
                    return Ok(());
                }
                let before = filled;
                filled = self.verified(false).await?;
                is_complete &= before.is_kept_in(&filled);
                verified = self.clock.now();
            }
            let sent = self.send(&mut filled).await?;
            if !is_complete && self.clock.now() >= again_at {
                is_complete = self.send_again(&mut filled).await?;
                again_at = self.clock.now().plus(AGAIN_EVERY);
            }
            if sent == BATCH {
                continue;
            }
            let pause = if is_complete { FALLBACK } else { AGAIN_EVERY };
            tokio::select! {
                () = self.tasks.stopping().cancelled() => {}
                () = self.host.db().scope.wake.events.notified() => {}
                _ = woken.next() => {}
                () = self.clock.sleep(pause) => {}
            }
            // What was said before the next look need not be heard after it.
            while let Some(Some(_)) = woken.next().now_or_never() {}
        }
        Ok(())
    }

    /// The stream as it is, after all that it has lost counts as to be sent again. `anew`: the stream
    /// is made, or brought to what is configured, before.
    async fn verified(&self, anew: bool) -> Result<Filled, Error> {
        let info = async { if anew { self.make_stream().await } else { self.look().await } };
        let now = filled(&self.nats.while_connected(info).await.map_err(Error::Broker)?);
        let known = self.host.db().read(LastFilled).await?;
        if known.as_ref().is_some_and(|known| known.is_kept_in(&now)) {
            return Ok(now);
        }
        let service = self.host.source().name();
        if let Some(known) = known {
            tracing::warn!(
                service,
                ?known,
                ?now,
                "the stream has lost events: sending all again, the newest first"
            );
            metrics::counter!("bus_started_over_total", "service" => service).increment(1);
        }
        self.host.db().write(StartOver { filled: now.clone() }).await?;
        Ok(now)
    }

    async fn look(&self) -> Result<stream::Info, Failure> {
        let name = self.nats.names().stream(self.host.source());
        Ok(self.nats.jetstream().get_stream_no_info(name).await?.get_info().await?)
    }

    async fn make_stream(&self) -> Result<stream::Info, Failure> {
        let (jetstream, source) = (self.nats.jetstream(), self.host.source());
        let mut wanted = StreamConfig {
            name: self.nats.names().stream(source),
            subjects: self.nats.names().subjects(self.host.publishes()),
            description: Some(format!("what {source} says")),
            storage: StorageType::File,
            discard: DiscardPolicy::Old,
            max_age: KEPT,
            duplicate_window: DUPLICATES,
            num_replicas: self.nats.replicas(),
            deny_delete: true,
            deny_purge: true,
            ..StreamConfig::default()
        };
        let known = match jetstream.get_stream(&wanted.name).await {
            Ok(stream) => stream.cached_info().clone(),
            Err(error) if is_missing(&error) => {
                return Ok(jetstream.create_stream(wanted).await?.cached_info().clone());
            }
            Err(error) => return Err(error.into()),
        };
        // Other versions may say what this one does not.
        wanted.subjects.extend(known.config.subjects.iter().cloned());
        wanted.subjects.sort_unstable();
        wanted.subjects.dedup();
        let mut subjects = known.config.subjects.clone();
        subjects.sort_unstable();
        if subjects == wanted.subjects && known.config.num_replicas == wanted.num_replicas {
            return Ok(known);
        }
        Ok(jetstream.update_stream(wanted).await?)
    }

    /// Sends the oldest events that are not published. Answers how many.
    async fn send(&self, filled: &mut Filled) -> Result<i64, Error> {
        let unsent = self.host.db().read(Unsent { limit: BATCH }).await?;
        if unsent.is_empty() {
            return Ok(0);
        }
        let (positions, events): (Vec<_>, Vec<_>) = unsent.into_iter().unzip();
        self.put(events, filled).await?;
        let sent = i64::try_from(positions.len()).unwrap_or(BATCH);
        self.host.db().write(MarkSent { positions, filled: filled.clone() }).await?;
        Ok(sent)
    }

    /// Sends the newest of the events again that the stream has lost. Says whether that was all.
    async fn send_again(&self, filled: &mut Filled) -> Result<bool, Error> {
        let mut lost = self.host.db().read(ToResend { limit: AGAIN }).await?;
        lost.reverse();
        let is_all = i64::try_from(lost.len()).is_ok_and(|lost| lost < AGAIN);
        let oldest = lost.first().map(|(position, _)| *position);
        let from = if is_all { None } else { oldest };
        self.put(lost.into_iter().map(|(_, event)| event).collect(), filled).await?;
        self.host.db().write(MarkResent { from, filled: filled.clone() }).await?;
        Ok(is_all)
    }

    /// Puts events into the stream, and says in `filled` how far it is then.
    async fn put(&self, events: Vec<Stored>, filled: &mut Filled) -> Result<(), Error> {
        let published = self.nats.while_connected(self.publish(events)).await;
        for ack in published.map_err(Error::Broker)? {
            let sequence = i64::try_from(ack.sequence).unwrap_or(i64::MAX);
            if !ack.duplicate && sequence <= filled.sequence {
                return Err(Error::SetBack);
            }
            filled.sequence = filled.sequence.max(sequence);
        }
        Ok(())
    }

    /// Puts events into the stream, which acknowledges each.
    async fn publish(&self, events: Vec<Stored>) -> Result<Vec<PublishAck>, Failure> {
        let mut acknowledged = Vec::with_capacity(events.len());
        for event in events {
            let mut headers = HeaderMap::new();
            headers.insert(NATS_MESSAGE_ID, event.id.to_string());
            headers.insert("Content-Type", "application/cloudevents+json");
            let (subject, text) = (self.nats.names().subject(&event.kind), Bytes::from(event.text));
            let sent = self.nats.jetstream().publish_with_headers(subject, headers, text);
            acknowledged.push(sent.await?.into_future());
        }
        Ok(try_join_all(acknowledged).await?)
    }
}

fn filled(info: &stream::Info) -> Filled {
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    Filled {
        identity: info.created.unix_timestamp_nanos().to_string(),
        sequence: number(info.state.last_sequence),
        holes: number(info.state.deleted_count.unwrap_or(0)),
    }
}

fn is_missing(error: &async_nats::jetstream::context::GetStreamError) -> bool {
    use async_nats::jetstream::ErrorCode;
    match error.kind() {
        GetStreamErrorKind::JetStream(error) => error.error_code() == ErrorCode::STREAM_NOT_FOUND,
        GetStreamErrorKind::EmptyName
        | GetStreamErrorKind::Request
        | GetStreamErrorKind::InvalidStreamName => false,
    }
}
