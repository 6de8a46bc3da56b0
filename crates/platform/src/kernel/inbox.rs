//! The units that handle deliveries, and keep what waits, failed or came too early.
//!
//! Whoever handles a row of the inbox deletes it first, in the same transaction, and puts it back
//! if it has to wait again: so it is handled once however many look at the inbox, and not at all
//! if it was cancelled or moved meanwhile.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use contracts::{Envelope, Source, Timestamp};
use uuid::Uuid;

use super::outbox::Unreadable;
use super::pending::Body;
use crate::db::{Error, Expect, FromRow, Result, Row, Tx, Unit};
use crate::params;
use crate::planted::{self, Bug};
use crate::service::{Delivery, Occasion, Origin, Service, Verdict};

/// After so many tries a person has to look.
pub const MAX_ATTEMPTS: i64 = 8;

/// How long something may wait for what is not known yet.
pub const NOT_YET_DEADLINE: Duration = Duration::from_secs(24 * 3600);

/// How long something that is being tried is left alone by others: long enough for a transaction.
const TRY_LEASE: Duration = Duration::from_secs(5);

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
    /// What it was when it came; or, if its body does not read, why.
    pub(crate) fn into_delivery(self, to: Source) -> Result<Delivery, Box<(Self, String)>> {
        let attempts = self.attempts;
        if self.kind == "event" {
            return match Envelope::from_json_of(&self.reaction, &self.body) {
                Ok(event) => {
                    let origin = Origin::Inbox(Box::new(self));
                    Ok(Delivery { attempts, ..Delivery::new(Arc::new(event), to, origin) })
                }
                Err(error) => Err(Box::new((self, error.to_string()))),
            };
        }
        match serde_json::from_str::<Body>(&self.body) {
            Ok(body) => Ok(Delivery {
                cause: body.cause(to),
                occasion: Occasion::Timer { name: self.reaction.clone(), subject: body.text },
                attempts,
                origin: Origin::Inbox(Box::new(self)),
            }),
            Err(error) => Err(Box::new((self, error.to_string()))),
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
}

impl<S: Service> Unit for React<S> {
    type Out = usize;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<usize> {
        let batch = take(tx, &self.batch).await?;
        if !batch.is_empty() {
            let verdicts = self.service.react(tx, &batch).await?;
            if verdicts.len() != batch.len() {
                return Err(Error::Failed(format!(
                    "{} verdicts on {} deliveries",
                    verdicts.len(),
                    batch.len()
                )));
            }
            let judged: Vec<_> = batch.iter().zip(verdicts).collect();
            settle(tx, &judged).await?;
        }
        self.progress.store(tx).await?;
        Ok(batch.len())
    }
}

/// Those of the batch that are to be handled now: what was handed over and is not known yet, and
/// what could be taken out of the inbox.
async fn take<'d>(tx: &mut Tx<'_>, batch: &'d [Delivery]) -> Result<Cow<'d, [Delivery]>> {
    let (mut handed, mut taken) = (Vec::new(), Vec::new());
    for delivery in batch {
        match &delivery.origin {
            Origin::Log => {}
            Origin::Handed => handed.push((delivery.reaction(), delivery.id())),
            Origin::Inbox(row) | Origin::Trying(row) => {
                taken.push((row.reaction.as_str(), row.id, row.due_at));
            }
        }
    }
    if handed.is_empty() && taken.is_empty() {
        return Ok(Cow::Borrowed(batch));
    }
    handed.sort_unstable();
    taken.sort_unstable();
    let sql = tx.scope.kernel.select_inbox.as_str();
    let keys = handed.iter().map(|(reaction, id)| params![*reaction, *id]);
    let known: Vec<(String, Uuid, String, i64)> = tx.fetch_many(sql, keys).await?;
    let mut known: BTreeSet<(String, Uuid)> =
        known.into_iter().map(|(reaction, id, ..)| (reaction, id)).collect();
    let sql = tx.scope.kernel.take_waiting.as_str();
    let keys = taken.iter().map(|(reaction, id, due_at)| params![*reaction, *id, *due_at]);
    let taken: Vec<(String, Uuid)> = tx.fetch_many(sql, keys).await?;
    let mut taken: BTreeSet<(String, Uuid)> = taken.into_iter().collect();
    let mut to_handle = Vec::with_capacity(batch.len());
    for delivery in batch {
        let now = match &delivery.origin {
            Origin::Log => true,
            Origin::Handed => known.insert((delivery.reaction().to_owned(), delivery.id())),
            Origin::Inbox(row) | Origin::Trying(row) => {
                taken.remove(&(row.reaction.clone(), row.id))
            }
        };
        if now {
            to_handle.push(delivery.clone());
        }
    }
    Ok(Cow::Owned(to_handle))
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
        let batch = take(tx, std::slice::from_ref(&self.delivery)).await?;
        let failed = |delivery| (delivery, Verdict::Failed(self.why.clone()));
        let judged: Vec<_> = batch.iter().map(failed).collect();
        settle(tx, &judged).await?;
        self.progress.store(tx).await
    }
}

/// Counts a try before it is made, so that what takes the process down with it is parked too.
/// Answers the delivery to try, or nothing if it is parked now or not ours to try.
pub(crate) struct CountTry {
    pub(crate) delivery: Delivery,
}

impl Unit for CountTry {
    type Out = Option<Delivery>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let delivery = &self.delivery;
        let tried = match &delivery.origin {
            Origin::Inbox(row) | Origin::Trying(row) => again(tx, row).await?.map(Origin::Inbox),
            // Its position in the log brings it back if the process ends now.
            Origin::Log => first(tx, delivery, "trying").await?.map(Origin::Trying),
            // Nothing else brings it back: the bus finds it known.
            Origin::Handed => first(tx, delivery, "waiting").await?.map(Origin::Inbox),
        };
        Ok(tried.map(|origin| {
            let attempts = origin.row().map_or(0, |row| row.attempts - 1);
            Delivery { attempts, origin, ..delivery.clone() }
        }))
    }
}

const CUT_SHORT: &str = "the process ended while handling it";

/// Another try of what is in the inbox.
async fn again(tx: &mut Tx<'_>, row: &Waiting) -> Result<Option<Box<Waiting>>> {
    if row.attempts >= MAX_ATTEMPTS {
        let sql = tx.scope.kernel.park_waiting.as_str();
        count_parked(&row.reaction);
        let key = params![&row.reaction, row.id, row.due_at, CUT_SHORT];
        tx.execute(sql, &key, Expect::AtMostOne).await?;
        return Ok(None);
    }
    let due_at = tx.now().plus(TRY_LEASE);
    let sql = tx.scope.kernel.count_try.as_str();
    let values = params![&row.reaction, row.id, row.due_at, due_at, CUT_SHORT];
    let ours = tx.execute(sql, &values, Expect::AtMostOne).await? == 1;
    let tried = Waiting { due_at, attempts: row.attempts + 1, ..row.clone() };
    Ok(ours.then(|| Box::new(tried)))
}

/// A try of what comes from outside the inbox, perhaps not the first.
async fn first(
    tx: &mut Tx<'_>,
    delivery: &Delivery,
    state: &'static str,
) -> Result<Option<Box<Waiting>>> {
    let sql = tx.scope.kernel.select_inbox.as_str();
    let key = params![delivery.reaction(), delivery.id()];
    let known: Option<(String, Uuid, String, i64)> = tx.fetch_optional(sql, &key).await?;
    let before = match known {
        Some((.., known, _)) if known != "trying" => return Ok(None),
        Some((.., attempts)) => attempts,
        None => 0,
    };
    let parked = before >= MAX_ATTEMPTS;
    let tried = LastTry {
        state: if parked { "parked" } else { state },
        due_at: tx.now().plus(TRY_LEASE),
        attempts: before + i64::from(!parked),
        waits: 0,
        error: Some(CUT_SHORT.to_owned()),
    };
    let row = keep(tx, delivery, tried, Expect::Version).await?;
    Ok((!parked).then(|| Box::new(row)))
}

/// Puts an event that cannot even be read on the dead-letter list, unless it is known.
pub(crate) struct ParkUnreadable {
    pub(crate) found: Unreadable,
    pub(crate) progress: Progress,
}

impl Unit for ParkUnreadable {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<()> {
        let (sql, now) = (tx.scope.kernel.insert_kept.as_str(), tx.now());
        let Unreadable { id, kind, text, why } = &self.found;
        let why = readable(why);
        let row = params![kind, *id, "event", "parked", now, now, 1_i64, 0_i64, why, text];
        if tx.execute(sql, &row, Expect::AtMostOne).await? == 1 {
            count_parked(kind);
        }
        self.progress.store(tx).await
    }
}

/// Parks a row of the inbox whose body does not read.
pub(crate) struct ParkWaiting {
    pub(crate) row: Waiting,
    pub(crate) why: String,
}

impl Unit for ParkWaiting {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<()> {
        let sql = tx.scope.kernel.park_waiting.as_str();
        count_parked(&self.row.reaction);
        let Waiting { reaction, id, due_at, .. } = &self.row;
        let row = params![reaction, *id, *due_at, readable(&self.why)];
        tx.execute(sql, &row, Expect::AtMostOne).await.map(drop)
    }
}

/// What a row of the inbox says of the last try.
pub(crate) struct LastTry {
    pub(crate) state: &'static str,
    pub(crate) due_at: Timestamp,
    pub(crate) attempts: i64,
    pub(crate) waits: i64,
    pub(crate) error: Option<String>,
}

/// Writes what became of each delivery.
async fn settle(tx: &mut Tx<'_>, judged: &[(&Delivery, Verdict)]) -> Result<()> {
    let now = tx.now();
    let mut handled = Vec::new();
    for (delivery, verdict) in judged {
        let row = match verdict {
            Verdict::Done => {
                let remembered = match &delivery.origin {
                    Origin::Log | Origin::Trying(_) => false,
                    Origin::Handed => !planted::is(Bug::HandledTwice),
                    Origin::Inbox(row) => row.kind == "event",
                };
                if remembered {
                    handled.push((delivery.reaction(), delivery.id()));
                }
                continue;
            }
            Verdict::NotYet(_) if planted::is(Bug::NotYetIsDone) => continue,
            Verdict::NotYet(why) => {
                let waited = delivery.origin.row().filter(|row| row.waits > 0);
                let (waits, since) = waited.map_or((0, now), |row| (row.waits, row.created_at));
                not_yet(now, since, delivery.attempts, waits, why)
            }
            Verdict::Failed(why) => {
                tracing::warn!(reaction = delivery.reaction(), id = %delivery.id(), why, "failed");
                let attempts = delivery.attempts + 1;
                let again_at = now.plus(backoff(attempts));
                LastTry::failed(attempts >= MAX_ATTEMPTS, attempts, again_at, why)
            }
        };
        // Of a log that was set back it may be known already; else somebody else was faster.
        let from_log = matches!(delivery.origin, Origin::Log);
        let expect = if from_log { Expect::AtMostOne } else { Expect::Version };
        keep(tx, delivery, row, expect).await?;
    }
    handled.sort_unstable();
    let sql = tx.scope.kernel.insert_handled.as_str();
    let rows = handled.iter().map(|(reaction, id)| params![*reaction, *id, now]);
    tx.execute_many(sql, rows, Expect::Version).await.map(drop)
}

/// How to go on with what has waited since `since`.
pub(crate) fn not_yet(
    now: Timestamp,
    since: Timestamp,
    attempts: i64,
    waits: i64,
    why: &str,
) -> LastTry {
    let expired = now.since(since) > NOT_YET_DEADLINE;
    let millis = 50_u64 << u32::try_from(waits.clamp(0, 9)).unwrap_or(9);
    LastTry {
        state: if expired { "parked" } else { "waiting" },
        due_at: now.plus(Duration::from_millis(millis)),
        attempts,
        waits: waits + 1,
        error: Some(readable(&format!("not yet: {why}"))),
    }
}

impl LastTry {
    /// How to go on with what has failed so many times: again at `due_at`, unless its tries are
    /// spent.
    pub(crate) fn failed(spent: bool, attempts: i64, due_at: Timestamp, why: &str) -> Self {
        let state = if spent { "parked" } else { "waiting" };
        Self { state, due_at, attempts, waits: 0, error: Some(readable(why)) }
    }
}

/// Reactions depend on nobody: 0.2 s, doubling; eight tries in 26 s.
fn backoff(attempts: i64) -> Duration {
    Duration::from_millis(100 << u32::try_from(attempts.clamp(0, 8)).unwrap_or(8))
}

/// What a person is told, and PostgreSQL can store: not endless, and without the character 0.
pub(crate) fn readable(why: &str) -> String {
    why.chars().filter(|c| *c != '\0').take(2000).collect()
}

pub(crate) fn count_parked(reaction: &str) {
    metrics::counter!("parked_total", "reaction" => reaction.to_owned()).increment(1);
}

/// Keeps a delivery, which is not in the inbox now, for another try or on the dead-letter list.
async fn keep(
    tx: &mut Tx<'_>,
    delivery: &Delivery,
    last: LastTry,
    expect: Expect,
) -> Result<Waiting> {
    let now = tx.now();
    let row = match (&delivery.origin, &delivery.occasion) {
        (Origin::Inbox(row) | Origin::Trying(row), _) => Waiting {
            due_at: last.due_at,
            // The time it has waited for what is not known counts from its first wait.
            created_at: if last.waits == 1 { now } else { row.created_at },
            attempts: last.attempts,
            waits: last.waits,
            ..row.as_ref().clone()
        },
        (Origin::Log | Origin::Handed, occasion) => Waiting {
            reaction: delivery.reaction().to_owned(),
            id: delivery.id(),
            kind: "event".to_owned(),
            due_at: last.due_at,
            created_at: now,
            attempts: last.attempts,
            waits: last.waits,
            body: match occasion {
                Occasion::Event(event) => event.to_json(),
                Occasion::Timer { .. } => {
                    return Err(Error::Failed("a timer from outside the inbox".to_owned()));
                }
            },
        },
    };
    if last.state == "parked" {
        count_parked(&row.reaction);
    } else {
        tx.pending.try_again_at(row.due_at);
    }
    let values = params![
        &row.reaction,
        row.id,
        &row.kind,
        last.state,
        row.due_at,
        row.created_at,
        row.attempts,
        row.waits,
        last.error,
        &row.body
    ];
    let sql = tx.scope.kernel.insert_kept.as_str();
    tx.execute(sql, &values, expect).await?;
    Ok(row)
}
