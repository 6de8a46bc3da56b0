//! From a stream into a service: a durable consumer that all instances of the service share.
//!
//! A message is acknowledged after the commit of what was done about it, and the acknowledgement is
//! waited for. Whatever the process does not acknowledge comes again, to this instance or another,
//! and is then handled alone, its try counted before it is made.

use std::sync::Arc;
use std::time::Duration;

use async_nats::header::NATS_STREAM;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_nats::jetstream::{AckKind, Message};
use bytes::Bytes;
use contracts::{Envelope, Source};
use futures_util::future::try_join_all;
use futures_util::{FutureExt, StreamExt};
use uuid::Uuid;

use super::Nats;
use crate::clock::Clock;
use crate::db;
use crate::kernel::outbox::{Stored, Unreadable};
use crate::service::Host;
use crate::tasks::Tasks;

/// How many messages are handled together.
const BATCH: usize = 256;
/// How long the broker waits for an acknowledgement before it delivers again.
const ACK_WAIT: Duration = Duration::from_secs(30);
/// How many messages may be out for all instances together.
const MAX_OUT: i64 = 8 * 1024;
/// How often the broker says that it is there, when there is nothing else to say.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// How long a request for messages stands.
const EXPIRES: Duration = Duration::from_secs(20);
/// How long to wait after an error.
const PAUSE: Duration = Duration::from_millis(200);
/// When an event that only another version of this service knows is offered again.
const FOR_ANOTHER: Duration = Duration::from_secs(5);

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// One instance's share in what a service hears of another.
pub(super) struct Consumer {
    nats: Nats,
    host: Arc<dyn Host>,
    publisher: Source,
    tasks: Tasks,
    /// The broker's time, which no test moves.
    clock: Clock,
}

/// Messages, by what is to be done about them.
#[derive(Default)]
struct Sorted {
    fresh: Vec<Arc<Envelope>>,
    again: Vec<Arc<Envelope>>,
    unreadable: Vec<Unreadable>,
    /// To be acknowledged when all that is done.
    handled: Vec<Message>,
    /// For instances of another version.
    for_another: Vec<Message>,
}

impl Consumer {
    pub(super) fn new(nats: &Nats, host: &Arc<dyn Host>, publisher: Source, tasks: &Tasks) -> Self {
        Self {
            nats: nats.clone(),
            host: Arc::clone(host),
            publisher,
            tasks: tasks.clone(),
            clock: Clock::system(),
        }
    }

    /// Handles messages until it is time to stop. A consumer that is gone, or silent, is made again.
    pub(super) async fn run(self) {
        while !self.stopping() {
            tokio::select! {
                () = self.tasks.stopping().cancelled() => return,
                () = self.nats.connected() => {}
            }
            if let Err(error) = self.follow().await {
                let (service, publisher) = (self.host.source().name(), self.publisher.name());
                tracing::warn!(service, publisher, %error, "consuming again");
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

    async fn follow(&self) -> Result<(), Failure> {
        let Some(consumer) = self.nats.while_connected(self.consumer()).await? else {
            // Nobody has said anything yet.
            self.wait(PAUSE).await;
            return Ok(());
        };
        let stream = consumer.stream().max_messages_per_batch(BATCH).heartbeat(HEARTBEAT);
        let mut messages = stream.expires(EXPIRES).messages().await?;
        loop {
            let first = messages.next().map(|first| match first {
                Some(first) => first.map_err(Failure::from),
                None => Err("the stream of messages ended".into()),
            });
            let first = tokio::select! {
                () = self.tasks.stopping().cancelled() => return Ok(()),
                first = self.nats.while_connected(first) => first?,
            };
            let mut batch = vec![first];
            while batch.len() < BATCH
                && let Some(Some(next)) = messages.next().now_or_never()
            {
                batch.push(next?);
            }
            self.handle(batch).await;
        }
    }

    /// The durable consumer, or none where the stream is not there yet. It hears what this version
    /// reacts to, and what any other version of the service does.
    async fn consumer(&self) -> Result<Option<PullConsumer>, Failure> {
        let name = self.host.source().name();
        let stream = self.nats.names().stream(self.publisher);
        let stream = self.nats.jetstream().get_stream_no_info(stream).await?;
        let mut wanted = pull::Config {
            durable_name: Some(name.to_owned()),
            description: Some(format!("what {name} hears of {}", self.publisher)),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            max_deliver: -1,
            max_ack_pending: MAX_OUT,
            filter_subjects: self.subjects(),
            ..pull::Config::default()
        };
        let heard = match stream.consumer_info(name).await {
            Ok(known) => known.config.filter_subjects,
            Err(error) if error.kind() == ConsumerInfoErrorKind::StreamNotFound => return Ok(None),
            Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => {
                return Ok(Some(stream.create_consumer_strict(wanted).await?));
            }
            Err(error) => return Err(error.into()),
        };
        if wanted.filter_subjects.iter().all(|subject| heard.contains(subject)) {
            return Ok(Some(stream.get_consumer(name).await?));
        }
        wanted.filter_subjects.extend(heard);
        wanted.filter_subjects.sort_unstable();
        wanted.filter_subjects.dedup();
        Ok(Some(stream.update_consumer(wanted).await?))
    }

    fn subjects(&self) -> Vec<String> {
        let reactions = self.host.reactions().iter();
        let of_publisher = reactions.filter(|reaction| reaction.on.source == self.publisher);
        of_publisher.map(|reaction| self.nats.names().subject(reaction.on.name)).collect()
    }

    /// Handles messages, however long the database takes to be there, and acknowledges them.
    async fn handle(&self, batch: Vec<Message>) {
        let sorted = self.sort(batch);
        while let Err(error) = self.deliver(&sorted).await {
            let service = self.host.source().name();
            tracing::warn!(service, ?error, "events wait to be handled");
            self.wait(PAUSE).await;
            if self.stopping() {
                answer(&sorted.handled, AckKind::Nak(None)).await;
                return;
            }
            // They are not to be delivered to another meanwhile.
            answer(&sorted.handled, AckKind::Progress).await;
        }
        let replies = sorted.handled.iter().filter_map(|message| message.reply.clone());
        let acknowledged =
            replies.map(|reply| self.nats.client().request(reply, Bytes::from_static(b"+ACK")));
        if let Err(error) = self.nats.while_connected(try_join_all(acknowledged)).await {
            // They come again, and are known then.
            tracing::warn!(service = self.host.source().name(), %error, "not acknowledged");
        }
        answer(&sorted.for_another, AckKind::Nak(Some(FOR_ANOTHER))).await;
    }

    fn sort(&self, batch: Vec<Message>) -> Sorted {
        let mut sorted = Sorted::default();
        for message in batch {
            let stored = stored(&self.nats, &message);
            let reactions = self.host.reactions();
            if !reactions.iter().any(|reaction| reaction.on.name == stored.kind) {
                stored.pass_over();
                sorted.for_another.push(message);
                continue;
            }
            let is_again = message.info().is_ok_and(|info| info.delivered > 1);
            let read = match why_not_believed(&message) {
                None => stored.read(),
                Some(why) => Err(stored.unreadable(why)),
            };
            match read {
                Ok(event) if is_again => sorted.again.push(event),
                Ok(event) => sorted.fresh.push(event),
                Err(unreadable) => sorted.unreadable.push(unreadable),
            }
            sorted.handled.push(message);
        }
        sorted
    }

    async fn deliver(&self, sorted: &Sorted) -> db::Result<()> {
        for unreadable in &sorted.unreadable {
            self.host.park(unreadable.clone()).await?;
        }
        if !sorted.again.is_empty() {
            self.host.deliver_carefully(sorted.again.clone()).await?;
        }
        if !sorted.fresh.is_empty() {
            self.host.deliver(sorted.fresh.clone()).await?;
        }
        Ok(())
    }
}

/// The event in a message, as an outbox has it.
fn stored(nats: &Nats, message: &Message) -> Stored {
    let header = |name: &str| message.headers.as_ref().and_then(|headers| headers.get(name));
    let id = header("Nats-Msg-Id").and_then(|id| id.as_str().parse().ok());
    Stored {
        // What has none was not put there by a relay: it is told apart by what it says.
        id: id.unwrap_or_else(|| Uuid::new_v5(&Uuid::NAMESPACE_OID, &message.payload)),
        kind: nats.names().kind(&message.subject).to_owned(),
        text: String::from_utf8_lossy(&message.payload).into_owned(),
    }
}

/// Whoever may tell the broker to copy a stream into this one needs no right to say what the copy says.
fn why_not_believed(message: &Message) -> Option<String> {
    let stream = message.headers.as_ref()?.get(NATS_STREAM)?;
    Some(format!("copied from the stream {stream}, not said here"))
}

async fn answer(messages: &[Message], kind: AckKind) {
    for message in messages {
        // Without an answer it comes again after a while.
        let _ = message.ack_with(kind).await;
    }
}
