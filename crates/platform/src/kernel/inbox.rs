//! The units that handle deliveries and effects, and keep what waits, failed or came too early.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use contracts::{Envelope, Source, Timestamp};
use uuid::Uuid;

use super::pending::Body;
use crate::db::{Error, Expect, FromRow, Result, Row, Tx, Unit};
use crate::params;
use crate::service::{Delivery, Occasion, Origin, Service, Task, Verdict};

/// After so many tries a person has to look.
pub const MAX_ATTEMPTS: i64 = 8;

/// How long something may wait for what is not known yet.
pub const NOT_YET_DEADLINE: Duration = Duration::from_secs(24 * 3600);

/// How long an effect may take before it counts as lost with its process.
pub const LEASE: Duration = Duration::from_secs(120);

/// A row of the inbox that waits.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) reaction: String,
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    pub(crate) due_at: Timestamp,
    pub(crate) created_at: Timestamp,
    pub(crate) attempts: i64,
    pub(crate) waits: i64,
    pub(crate) body: String,
}

/// A row whose body does not read.
pub(crate) struct Unreadable {
    pub(crate) id: Uuid,
    pub(crate) why: String,
}

impl FromRow for Waiting {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            reaction: row.get(0)?,
            id: row.get(1)?,
            kind: row.get(2)?,
            due_at: row.get(3)?,
            created_at: row.get(4)?,
            attempts: row.get(5)?,
            waits: row.get(6)?,
            body: row.get(7)?,
        })
    }
}

impl Waiting {
    /// What it was when it came.
    pub(crate) fn into_delivery(self, to: Source) -> Result<Delivery, Unreadable> {
        if self.kind == "event" {
            return match Envelope::from_json(&self.body) {
                Ok(event) => {
                    let attempts = self.attempts;
                    let origin = Origin::Inbox(Box::new(self));
                    Ok(Delivery { attempts, ..Delivery::new(Arc::new(event), to, origin) })
                }
                Err(error) => Err(Unreadable { id: self.id, why: error.to_string() }),
            };
        }
        match serde_json::from_str::<Body>(&self.body) {
            Ok(body) => Ok(Delivery {
                cause: body.cause(to),
                occasion: Occasion::Timer { name: self.reaction.clone(), subject: body.text },
                attempts: self.attempts,
                origin: Origin::Inbox(Box::new(self)),
            }),
            Err(error) => Err(Unreadable { id: self.id, why: error.to_string() }),
        }
    }
}

/// Everything of a kind that is due.
pub(crate) struct Due {
    pub(crate) kind: &'static str,
    pub(crate) limit: i64,
}

impl Unit for Due {
    type Out = Vec<Waiting>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Waiting>> {
        let (sql, now) = (tx.scope.kernel.select_due.as_str(), tx.now());
        tx.fetch_all(sql, &params![self.kind, now, self.limit]).await
    }
}

/// When the next thing of a kind is due.
pub(crate) struct NextDue(pub(crate) &'static str);

impl Unit for NextDue {
    type Out = Option<Timestamp>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let sql = tx.scope.kernel.select_next_due.as_str();
        let next: Option<(Timestamp,)> = tx.fetch_optional(sql, &params![self.0]).await?;
        Ok(next.map(|(due,)| due))
    }
}

/// How far a consumer has come, by source.
pub(crate) struct Positions;

impl Unit for Positions {
    type Out = BTreeMap<Source, i64>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let sql = tx.scope.kernel.select_positions.as_str();
        let rows: Vec<(String, i64)> = tx.fetch_all(sql, &[]).await?;
        Ok(rows.into_iter().filter_map(|(s, p)| Some((s.parse().ok()?, p))).collect())
    }
}

/// A consumer's positions: what is stored, and what is to be stored with the batch.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    pub(crate) stored: BTreeMap<Source, i64>,
    pub(crate) passed: BTreeMap<Source, i64>,
}

impl Progress {
    /// Moves the positions, unless somebody else has: then nothing of this batch may happen.
    async fn store(&self, tx: &mut Tx<'_>) -> Result<()> {
        let sql = tx.scope.kernel.upsert_position.as_str();
        let moved = self.passed.iter().map(|(source, position)| {
            let stored = self.stored.get(source).copied().unwrap_or(0);
            params![source.name(), *position, stored]
        });
        tx.execute_many(sql, moved, Expect::Version).await.map(drop)
    }
}

/// Lets a service react to a batch, and keeps what did not succeed.
pub(crate) struct React<S> {
    pub(crate) service: Arc<S>,
    pub(crate) batch: Vec<Delivery>,
    pub(crate) progress: Progress,
    /// Whether the bus may deliver twice, so that every event handled has its row.
    pub(crate) remembers: bool,
}

impl<S: Service> Unit for React<S> {
    type Out = usize;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<usize> {
        let fresh = if self.remembers { Some(self.fresh(tx).await?) } else { None };
        let batch = fresh.as_deref().unwrap_or(&self.batch);
        if !batch.is_empty() {
            let verdicts = self.service.react(tx, batch).await?;
            if verdicts.len() != batch.len() {
                return Err(Error::Failed(format!(
                    "{} verdicts on {} deliveries",
                    verdicts.len(),
                    batch.len()
                )));
            }
            let judged: Vec<_> = batch.iter().zip(verdicts).collect();
            settle(tx, &judged, self.remembers).await?;
        }
        self.progress.store(tx).await?;
        Ok(batch.len())
    }
}

impl<S: Service> React<S> {
    /// Those of the batch that were not delivered before.
    async fn fresh(&self, tx: &mut Tx<'_>) -> Result<Vec<Delivery>> {
        let sql = tx.scope.kernel.select_inbox.as_str();
        let handed = self.batch.iter().filter(|delivery| matches!(delivery.origin, Origin::Handed));
        let keys: Vec<_> =
            handed.map(|delivery| params![delivery.reaction(), delivery.id()]).collect();
        let known: Vec<(Uuid, String, i64, i64)> = tx.fetch_many(sql, keys).await?;
        let mut seen: BTreeSet<Uuid> = known.into_iter().map(|(id, ..)| id).collect();
        let is_fresh = |delivery: &&Delivery| match delivery.origin {
            Origin::Handed => seen.insert(delivery.id()),
            Origin::Log | Origin::Inbox(_) => true,
        };
        Ok(self.batch.iter().filter(is_fresh).cloned().collect())
    }
}

/// A delivery failed by itself: keeps it for another try, or parks it.
pub(crate) struct RecordFailure {
    pub(crate) delivery: Delivery,
    pub(crate) why: String,
    pub(crate) progress: Progress,
}

impl Unit for RecordFailure {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<()> {
        settle(tx, &[(&self.delivery, Verdict::Failed(self.why.clone()))], false).await?;
        self.progress.store(tx).await
    }
}

/// Counts a try before it is made: after a run that did not finish, so that a crash loop parks too.
pub(crate) struct CountTry {
    pub(crate) delivery: Delivery,
}

impl Unit for CountTry {
    type Out = Option<Delivery>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let sql = tx.scope.kernel.select_inbox.as_str();
        let (reaction, id) = (self.delivery.reaction(), self.delivery.id());
        let known: Vec<(Uuid, String, i64, i64)> =
            tx.fetch_all(sql, &params![reaction, id]).await?;
        let attempts = known.first().map_or(0, |(_, _, attempts, _)| *attempts);
        let parked = attempts >= MAX_ATTEMPTS;
        let row = LastTry {
            state: if parked { "parked" } else { "waiting" },
            // Late enough that nobody else takes it meanwhile.
            due_at: tx.now().plus(LEASE),
            attempts: attempts + i64::from(!parked),
            waits: 0,
            error: Some("the process ended while handling it".to_owned()),
        };
        let waiting = keep(tx, &self.delivery, row).await?;
        // If it fails now, that is the try just counted, not another.
        let origin = Origin::Inbox(Box::new(waiting));
        Ok((!parked).then(|| Delivery { attempts, origin, ..self.delivery.clone() }))
    }
}

/// Puts something that cannot even be read on the dead-letter list.
pub(crate) struct ParkUnreadable {
    pub(crate) id: Uuid,
    pub(crate) text: String,
    pub(crate) why: String,
    pub(crate) progress: Progress,
}

impl Unit for ParkUnreadable {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<()> {
        let (sql, now) = (tx.scope.kernel.insert_event.as_str(), tx.now());
        let row =
            params!["unreadable", self.id, "parked", now, now, 1_i64, 0_i64, &self.why, &self.text];
        tx.execute(sql, &row, Expect::One).await?;
        self.progress.store(tx).await
    }
}

/// What a row of the inbox says of the last try.
struct LastTry {
    state: &'static str,
    due_at: Timestamp,
    attempts: i64,
    waits: i64,
    error: Option<String>,
}

/// Writes what became of each delivery.
async fn settle(tx: &mut Tx<'_>, judged: &[(&Delivery, Verdict)], remembers: bool) -> Result<()> {
    let now = tx.now();
    let (mut handled, mut fired, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for (delivery, verdict) in judged {
        match (verdict, &delivery.origin) {
            (Verdict::Done, Origin::Log) => {}
            (Verdict::Done, Origin::Handed) => handled.push(*delivery),
            (Verdict::Done, Origin::Inbox(row)) if row.kind == "timer" => fired.push(row),
            (Verdict::Done, Origin::Inbox(_)) if remembers => handled.push(*delivery),
            (Verdict::Done, Origin::Inbox(row)) => gone.push(row),
            (Verdict::NotYet(why), origin) => {
                let (waits, since) = match origin {
                    Origin::Inbox(row) => (row.waits, row.created_at),
                    Origin::Log | Origin::Handed => (0, now),
                };
                keep(tx, delivery, not_yet(now, since, delivery.attempts, waits, why)).await?;
            }
            (Verdict::Failed(why), _) => {
                tracing::warn!(reaction = delivery.reaction(), id = %delivery.id(), why, "failed");
                let row = failed(now, delivery.attempts + 1, quick_backoff, why);
                keep(tx, delivery, row).await?;
            }
        }
    }
    let sql = tx.scope.kernel.insert_handled.as_str();
    let rows = handled.iter().map(|delivery| params![delivery.reaction(), delivery.id(), now]);
    tx.execute_many(sql, rows, Expect::One).await?;
    let sql = tx.scope.kernel.delete_fired.as_str();
    let rows = fired.iter().map(|row| params![&row.reaction, row.id, row.due_at]);
    tx.execute_many(sql, rows, Expect::AtMostOne).await?;
    let sql = tx.scope.kernel.delete_inbox.as_str();
    let rows = gone.iter().map(|row| params![&row.reaction, row.id]);
    tx.execute_many(sql, rows, Expect::AtMostOne).await.map(drop)
}

fn not_yet(now: Timestamp, since: Timestamp, attempts: i64, waits: i64, why: &str) -> LastTry {
    let expired = now.since(since) > NOT_YET_DEADLINE;
    let millis = 50_u64 << u32::try_from(waits.clamp(0, 9)).unwrap_or(9);
    LastTry {
        state: if expired { "parked" } else { "waiting" },
        due_at: now.plus(Duration::from_millis(millis)),
        attempts,
        waits: waits + 1,
        error: Some(format!("not yet: {why}")),
    }
}

fn failed(now: Timestamp, attempts: i64, backoff: fn(i64) -> Duration, why: &str) -> LastTry {
    LastTry {
        state: if attempts >= MAX_ATTEMPTS { "parked" } else { "waiting" },
        due_at: now.plus(backoff(attempts)),
        attempts,
        waits: 0,
        error: Some(why.to_owned()),
    }
}

/// For reactions: 0.2 s, doubling; eight tries in 26 s.
fn quick_backoff(attempts: i64) -> Duration {
    Duration::from_millis(100 << u32::try_from(attempts.clamp(0, 8)).unwrap_or(8))
}

/// For effects, which depend on others: 2 s, times four; eight tries in about three hours.
fn slow_backoff(attempts: i64) -> Duration {
    Duration::from_millis(500 << (2 * u32::try_from(attempts.clamp(0, 7)).unwrap_or(7)))
}

async fn keep(tx: &mut Tx<'_>, delivery: &Delivery, row: LastTry) -> Result<Waiting> {
    let now = tx.now();
    if row.state == "parked" {
        metrics::counter!("parked_total", "reaction" => delivery.reaction().to_owned())
            .increment(1);
    }
    let body = match &delivery.occasion {
        Occasion::Event(event) => event.to_json(),
        Occasion::Timer { .. } => String::new(),
    };
    let waiting = Waiting {
        reaction: delivery.reaction().to_owned(),
        id: delivery.id(),
        kind: match &delivery.occasion {
            Occasion::Event(_) => "event".to_owned(),
            Occasion::Timer { .. } => "timer".to_owned(),
        },
        due_at: row.due_at,
        created_at: now,
        attempts: row.attempts,
        waits: row.waits,
        body,
    };
    if let Origin::Inbox(_) = delivery.origin {
        let sql = tx.scope.kernel.update_inbox.as_str();
        let values = params![
            &waiting.reaction,
            waiting.id,
            row.state,
            row.due_at,
            row.attempts,
            row.waits,
            row.error
        ];
        tx.execute(sql, &values, Expect::AtMostOne).await?;
    } else {
        let sql = tx.scope.kernel.insert_event.as_str();
        let values = params![
            &waiting.reaction,
            waiting.id,
            row.state,
            row.due_at,
            now,
            row.attempts,
            row.waits,
            row.error,
            &waiting.body
        ];
        tx.execute(sql, &values, Expect::One).await?;
    }
    Ok(waiting)
}

/// Takes effects that are due under a lease.
pub(crate) struct ClaimEffects {
    pub(crate) limit: i64,
}

impl Unit for ClaimEffects {
    type Out = Vec<Task>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Task>> {
        let now = tx.now();
        let due: Vec<Waiting> = {
            let sql = tx.scope.kernel.select_due.as_str();
            tx.fetch_all(sql, &params!["effect", now, self.limit]).await?
        };
        let (spent, due): (Vec<_>, Vec<_>) =
            due.into_iter().partition(|row| row.attempts >= MAX_ATTEMPTS);
        let lost = "every try was lost with its process";
        let sql = tx.scope.kernel.update_inbox.as_str();
        let rows = spent.iter().map(|row| {
            params![&row.reaction, row.id, "parked", now, row.attempts, row.waits, lost]
        });
        tx.execute_many(sql, rows, Expect::AtMostOne).await?;
        let until = now.plus(LEASE);
        let sql = tx.scope.kernel.claim_effect.as_str();
        let rows = due.iter().map(|row| params![&row.reaction, row.id, until, row.due_at]);
        let claimed: Vec<(Uuid, i64, i64)> = tx.fetch_many(sql, rows).await?;
        let claimed: BTreeMap<Uuid, (i64, i64)> =
            claimed.into_iter().map(|(id, attempts, epoch)| (id, (attempts, epoch))).collect();
        let source = tx.scope.source;
        due.into_iter()
            .filter_map(|row| claimed.get(&row.id).map(|claim| task(row, *claim, source)))
            .collect()
    }
}

fn task(row: Waiting, (attempt, epoch): (i64, i64), source: Source) -> Result<Task> {
    let body: Body = serde_json::from_str(&row.body).map_err(|error| Error::Corrupt {
        table: "inbox",
        id: row.id.to_string(),
        why: error.to_string(),
    })?;
    Ok(Task {
        cause: body.cause(source),
        name: row.reaction,
        id: row.id,
        payload: body.text,
        attempt,
        epoch,
        since: row.created_at,
        waits: row.waits,
    })
}

/// Records what came of effects, those whose lease has passed to somebody else left out.
pub(crate) struct RecordEffects<S: Service> {
    pub(crate) service: Arc<S>,
    pub(crate) done: Vec<(Task, S::Outcome)>,
}

impl<S: Service> Unit for RecordEffects<S> {
    type Out = usize;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<usize> {
        let sql = tx.scope.kernel.select_epoch.as_str();
        let keys = self.done.iter().map(|(task, _)| params![&task.name, task.id]);
        let epochs: Vec<(Uuid, i64)> = tx.fetch_many(sql, keys).await?;
        let epochs: BTreeMap<Uuid, i64> = epochs.into_iter().collect();
        let current: Vec<(&Task, &S::Outcome)> = self
            .done
            .iter()
            .filter(|(task, _)| epochs.get(&task.id) == Some(&task.epoch))
            .map(|(task, outcome)| (task, outcome))
            .collect();
        if current.is_empty() {
            return Ok(0);
        }
        let verdicts = self.service.record(tx, &current).await?;
        if verdicts.len() != current.len() {
            return Err(Error::Failed("not one verdict for each effect".to_owned()));
        }
        let judged: Vec<_> = current.iter().map(|(task, _)| *task).zip(verdicts).collect();
        settle_effects(tx, &judged).await?;
        Ok(judged.len())
    }
}

/// An effect failed without an outcome, or its outcome could not be recorded.
pub(crate) struct RecordEffectFailure {
    pub(crate) task: Task,
    pub(crate) why: String,
}

impl Unit for RecordEffectFailure {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<()> {
        let sql = tx.scope.kernel.select_epoch.as_str();
        let epoch: Option<(Uuid, i64)> =
            tx.fetch_optional(sql, &params![&self.task.name, self.task.id]).await?;
        if epoch.is_some_and(|(_, epoch)| epoch == self.task.epoch) {
            settle_effects(tx, &[(&self.task, Verdict::Failed(self.why.clone()))]).await?;
        }
        Ok(())
    }
}

async fn settle_effects(tx: &mut Tx<'_>, judged: &[(&Task, Verdict)]) -> Result<()> {
    let now = tx.now();
    let done = judged.iter().filter(|(_, verdict)| *verdict == Verdict::Done);
    let sql = tx.scope.kernel.delete_inbox.as_str();
    let rows: Vec<_> = done.map(|(task, _)| params![&task.name, task.id]).collect();
    tx.execute_many(sql, rows, Expect::AtMostOne).await?;
    let sql = tx.scope.kernel.update_inbox.as_str();
    for (task, verdict) in judged {
        let row = match verdict {
            Verdict::Done => continue,
            // A claim counts as a try; waiting takes it back.
            Verdict::NotYet(why) => not_yet(now, task.since, task.attempt - 1, task.waits, why),
            Verdict::Failed(why) => failed(now, task.attempt, slow_backoff, why),
        };
        if row.state == "parked" {
            metrics::counter!("parked_total", "reaction" => task.name.clone()).increment(1);
        }
        let values =
            params![&task.name, task.id, row.state, row.due_at, row.attempts, row.waits, row.error];
        tx.execute(sql, &values, Expect::AtMostOne).await?;
    }
    Ok(())
}

/// Deletes what is old enough: answers, handled events, and outbox rows that every consumer has.
pub(crate) struct Retain {
    pub(crate) outbox_before: Timestamp,
    /// Up to which position every consumer has read this outbox.
    pub(crate) outbox_upto: i64,
    pub(crate) answers_before: Timestamp,
    pub(crate) handled_before: Timestamp,
}

impl Unit for Retain {
    type Out = u64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<u64> {
        let kernel = &tx.scope.kernel;
        let (outbox, answers, handled) = (
            kernel.delete_outbox.as_str(),
            kernel.delete_answers.as_str(),
            kernel.delete_handled.as_str(),
        );
        let range = params![self.outbox_before, self.outbox_upto];
        let mut deleted = tx.execute(outbox, &range, Expect::Any).await?;
        deleted += tx.execute(answers, &params![self.answers_before], Expect::Any).await?;
        deleted += tx.execute(handled, &params![self.handled_before], Expect::Any).await?;
        Ok(deleted)
    }
}
