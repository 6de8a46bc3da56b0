//! What a unit of work leaves behind with its commit: events, timers, effects.

use std::collections::BTreeMap;
use std::sync::Arc;

use contracts::{Actor, Envelope, EventId, Source, Timestamp, TraceParent};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::cache::Changing;
use crate::cause::Cause;
use crate::db::tx::Published;
use crate::db::{Error, Expect, Result, Tx};
use crate::kernel::effects::LEASE;
use crate::kernel::wake::{Claimed, Room};
use crate::params;
use crate::service::Task;

/// How large an event may be. Brokers take a mebibyte in a message, its headers included.
const LARGEST_EVENT: usize = 1_000_000;

/// What is to be written when the unit is done.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(crate) events: Vec<Envelope>,
    timers: BTreeMap<(&'static str, String), Option<(Timestamp, String)>>,
    effects: Vec<(&'static str, Uuid, Body)>,
    /// When the first of what the inbox keeps for another try is due.
    next_try: Option<Timestamp>,
    /// What has changed that somebody may be watching.
    pub(crate) changed: Vec<Uuid>,
    /// What is kept of it elsewhere.
    pub(crate) outdated: Vec<Arc<Changing>>,
}

/// What a committed unit has left.
#[derive(Debug, Default)]
pub(crate) struct Flushed {
    pub(crate) published: Vec<Published>,
    pub(crate) events: usize,
    /// Effects that this process has under a lease already.
    pub(crate) claimed: Vec<Claimed>,
    /// How many others were asked for.
    pub(crate) effects: usize,
    pub(crate) earliest_due: Option<Timestamp>,
    pub(crate) changed: Vec<Uuid>,
    pub(crate) outdated: Vec<Arc<Changing>>,
}

/// What a timer or an effect carries in its inbox row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Body {
    /// A timer's subject, an effect's payload.
    pub(crate) text: String,
    pub(crate) causation: Option<EventId>,
    pub(crate) correlation: String,
    pub(crate) trace: Option<TraceParent>,
    pub(crate) actor: Actor,
}

impl Body {
    fn new(text: String, cause: &Cause) -> Self {
        Self {
            text,
            causation: cause.causation,
            correlation: cause.correlation.clone(),
            trace: cause.trace,
            actor: cause.actor.clone(),
        }
    }

    /// The cause of whatever `source` does about it.
    pub(crate) fn cause(&self, source: Source) -> Cause {
        Cause {
            causation: self.causation,
            correlation: self.correlation.clone(),
            trace: self.trace,
            actor: Actor::Service(source),
        }
    }
}

impl Pending {
    pub(crate) fn set_timer(
        &mut self,
        name: &'static str,
        subject: &str,
        due: Timestamp,
        cause: &Cause,
    ) {
        let body = serde_json::to_string(&Body::new(subject.to_owned(), cause)).unwrap_or_default();
        self.timers.insert((name, subject.to_owned()), Some((due, body)));
    }

    pub(crate) fn cancel_timer(&mut self, name: &'static str, subject: &str) {
        self.timers.insert((name, subject.to_owned()), None);
    }

    /// Something is kept in the inbox that is due then.
    pub(crate) fn try_again_at(&mut self, due: Timestamp) {
        self.next_try = Some(self.next_try.map_or(due, |earlier| earlier.min(due)));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.timers.is_empty() && self.effects.is_empty()
    }

    pub(crate) fn request_effect(
        &mut self,
        name: &'static str,
        id: Uuid,
        payload: String,
        cause: &Cause,
    ) {
        self.effects.push((name, id, Body::new(payload, cause)));
    }
}

/// The id of the one timer of this name and subject.
pub(crate) fn timer_id(name: &str, subject: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("kontor:timer:{name}:{subject}").as_bytes())
}

/// Writes what is pending in `tx`.
pub(crate) async fn flush(tx: &mut Tx<'_>) -> Result<Flushed> {
    let pending = std::mem::take(&mut tx.pending);
    let earliest_timer = write_timers(tx, &pending).await?;
    let earliest_due = [earliest_timer, pending.next_try].into_iter().flatten().min();
    let asked = pending.effects.len();
    let claimed = write_effects(tx, pending.effects).await?;
    let effects = asked - claimed.len();
    let events = pending.events.len();
    let published = write_events(tx, pending.events).await?;
    let Pending { changed, outdated, .. } = pending;
    Ok(Flushed { published, events, claimed, effects, earliest_due, changed, outdated })
}

/// Those that this process has room for are its own from the start: nobody has to claim them.
async fn write_effects(
    tx: &mut Tx<'_>,
    effects: Vec<(&'static str, Uuid, Body)>,
) -> Result<Vec<Claimed>> {
    let now = tx.now();
    let room: Vec<Option<Room>> = effects.iter().map(|_| tx.scope.wake.room()).collect();
    let mut rows = Vec::with_capacity(effects.len());
    for ((name, id, body), room) in effects.iter().zip(&room) {
        let (due, tries) = if room.is_some() { (now.plus(LEASE), 1_i64) } else { (now, 0) };
        let text = serde_json::to_string(body).unwrap_or_default();
        rows.push(params![*name, *id, due, now, text, tries]);
    }
    let insert = tx.scope.kernel.insert_effect.as_str();
    let inserted = tx.execute_each(insert, rows, Expect::AtMostOne).await?;
    let source = tx.scope.source;
    let mut claimed = Vec::new();
    for (((name, id, body), room), inserted) in effects.into_iter().zip(room).zip(inserted) {
        // It was asked for before, and is under way.
        let Some(room) = room.filter(|_| inserted == 1) else { continue };
        let cause = body.cause(source);
        let (name, payload) = (name.to_owned(), body.text);
        let (attempt, epoch, waits) = (1, 1, 0);
        let task = Task { name, id, payload, attempt, cause, epoch, since: now, waits };
        claimed.push(Claimed { task, room });
    }
    Ok(claimed)
}

async fn write_timers(tx: &mut Tx<'_>, pending: &Pending) -> Result<Option<Timestamp>> {
    if pending.timers.is_empty() {
        return Ok(None);
    }
    let now = tx.now();
    let (insert, delete) =
        (tx.scope.kernel.insert_timer.as_str(), tx.scope.kernel.delete_inbox.as_str());
    let set = pending.timers.iter().filter_map(|((name, subject), timer)| {
        let (due, body) = timer.as_ref()?;
        Some(params![*name, timer_id(name, subject), *due, now, body])
    });
    tx.execute_many(insert, set, Expect::One).await?;
    let cancelled = pending
        .timers
        .iter()
        .filter(|(_, timer)| timer.is_none())
        .map(|((name, subject), _)| params![*name, timer_id(name, subject)]);
    tx.execute_many(delete, cancelled, Expect::AtMostOne).await?;
    Ok(pending.timers.values().flatten().map(|(due, _)| *due).min())
}

async fn write_events(tx: &mut Tx<'_>, events: Vec<Envelope>) -> Result<Vec<Published>> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(Uuid, &'static str, String)> = events
        .iter()
        .map(|event| (event.id.uuid(), event.payload.kind().name, event.to_json()))
        .collect();
    if let Some((_, kind, text)) = rows.iter().find(|(.., text)| text.len() > LARGEST_EVENT) {
        let bytes = text.len();
        return Err(Error::Failed(format!(
            "an event {kind} of {bytes} bytes is larger than the {LARGEST_EVENT} that a bus takes"
        )));
    }
    let positions = tx.insert_outbox(&rows).await?;
    let written = positions.into_iter().zip(rows).zip(events);
    Ok(written
        .map(|((position, (_, _, text)), event)| Published {
            position,
            bytes: text.len(),
            event: Arc::new(event),
        })
        .collect())
}
