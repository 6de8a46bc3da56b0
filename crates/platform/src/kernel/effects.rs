//! Effects: claimed under a lease with an epoch, performed outside, and what came of them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use contracts::Source;
use uuid::Uuid;

use super::inbox::{LastTry, MAX_ATTEMPTS, Waiting, count_parked, not_yet, readable};
use super::pending::Body;
use crate::db::{Error, Expect, Result, Tx, Unit};
use crate::params;
use crate::planted::{self, Bug};
use crate::service::{Patience, Service, Task, Verdict};

/// How long an effect may take before it counts as lost with its process: an order that waits for one
/// is to be settled within a minute of whatever went wrong (P3).
pub const LEASE: Duration = Duration::from_secs(50);

/// How long performing one may take: it and the recording of what came of it fit in a lease.
pub(crate) const PERFORMING: Duration = Duration::from_secs(30);

/// Takes effects that are due under a lease.
pub(crate) struct ClaimEffects {
    pub(crate) limit: i64,
    pub(crate) patience: Patience,
}

impl Unit for ClaimEffects {
    type Out = Vec<Task>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Task>> {
        let now = tx.now();
        let due: Vec<Waiting> = {
            let sql = tx.scope.kernel.select_free.as_str();
            tx.fetch_all(sql, &params!["effect", now, self.limit]).await?
        };
        let (mut ready, mut spent) = (Vec::new(), Vec::new());
        for row in due {
            if row.attempts >= self.patience.tries() {
                spent.push((row, "every try was lost with its process".to_owned()));
                continue;
            }
            match serde_json::from_str::<Body>(&row.body) {
                Ok(body) => ready.push((row, body)),
                Err(error) => spent.push((row, error.to_string())),
            }
        }
        let sql = tx.scope.kernel.park_waiting.as_str();
        spent.iter().for_each(|(row, _)| count_parked(&row.reaction));
        let rows = spent
            .iter()
            .map(|(row, why)| params![&row.reaction, row.id, row.due_at, readable(why)]);
        tx.execute_many(sql, rows, Expect::AtMostOne).await?;
        let until = now.plus(LEASE);
        let sql = tx.scope.kernel.claim_effect.as_str();
        let rows = ready.iter().map(|(row, _)| params![&row.reaction, row.id, until, row.due_at]);
        let claimed: Vec<(String, Uuid, i64, i64)> = tx.fetch_many(sql, rows).await?;
        let claimed: BTreeMap<(String, Uuid), (i64, i64)> = claimed
            .into_iter()
            .map(|(name, id, attempts, epoch)| ((name, id), (attempts, epoch)))
            .collect();
        let source = tx.scope.source;
        let task = |(row, body): (Waiting, Body)| {
            let claim = claimed.get(&(row.reaction.clone(), row.id))?;
            Some(task(row, body, *claim, source))
        };
        Ok(ready.into_iter().filter_map(task).collect())
    }
}

fn task(row: Waiting, body: Body, (attempt, epoch): (i64, i64), source: Source) -> Task {
    Task {
        cause: body.cause(source),
        name: row.reaction,
        id: row.id,
        payload: body.text,
        attempt,
        epoch,
        since: row.created_at,
        waits: row.waits,
    }
}

/// What a process that is gone had under a lease is due at once: only where no other process can
/// have it under one.
pub(crate) struct ReleaseLeases;

impl Unit for ReleaseLeases {
    type Out = u64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<u64> {
        let (sql, now) = (tx.scope.kernel.release_leases.as_str(), tx.now());
        tx.execute(sql, &params![now], Expect::Any).await
    }
}

/// Says of each claim whether it is in force.
pub(crate) struct InForce(pub(crate) Vec<Task>);

impl Unit for InForce {
    type Out = Vec<bool>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<bool>> {
        let epochs = epochs(tx, self.0.iter()).await?;
        Ok(self.0.iter().map(|task| is_current(&epochs, task)).collect())
    }
}

/// The epochs of those that wait.
type Epochs = BTreeMap<(String, Uuid), i64>;

async fn epochs(tx: &mut Tx<'_>, tasks: impl Iterator<Item = &Task>) -> Result<Epochs> {
    let sql = tx.scope.kernel.select_epoch.as_str();
    let keys = tasks.map(|task| params![&task.name, task.id]);
    let epochs: Vec<(String, Uuid, i64)> = tx.fetch_many(sql, keys).await?;
    Ok(epochs.into_iter().map(|(name, id, epoch)| ((name, id), epoch)).collect())
}

fn is_current(epochs: &Epochs, task: &Task) -> bool {
    epochs.get(&(task.name.clone(), task.id)) == Some(&task.epoch)
}

/// Records what came of effects, those whose lease has passed to somebody else left out.
pub(crate) struct RecordEffects<S: Service> {
    pub(crate) service: Arc<S>,
    pub(crate) done: Arc<Vec<(Task, Arc<S::Outcome>)>>,
    /// Which of them.
    pub(crate) which: Range<usize>,
}

impl<S: Service> Unit for RecordEffects<S> {
    type Out = usize;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<usize> {
        let done = self.done.get(self.which.clone()).unwrap_or_default();
        let epochs = epochs(tx, done.iter().map(|(task, _)| task)).await?;
        let current: Vec<(&Task, &S::Outcome)> = done
            .iter()
            .filter(|(task, _)| is_current(&epochs, task))
            .map(|(task, outcome)| (task, outcome.as_ref()))
            .collect();
        if current.is_empty() {
            return Ok(0);
        }
        let verdicts = self.service.record(tx, &current).await?;
        if verdicts.len() != current.len() {
            return Err(Error::Failed("not one verdict for each effect".to_owned()));
        }
        let judged: Vec<_> = current.iter().map(|(task, _)| *task).zip(verdicts).collect();
        settle(tx, &judged, S::PATIENCE).await?;
        Ok(judged.len())
    }
}

/// An effect failed without an outcome, or its outcome could not be recorded.
pub(crate) struct RecordEffectFailure {
    pub(crate) task: Task,
    pub(crate) why: String,
    pub(crate) patience: Patience,
}

impl Unit for RecordEffectFailure {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<()> {
        let sql = tx.scope.kernel.select_epoch.as_str();
        let key = params![&self.task.name, self.task.id];
        let epoch: Option<(String, Uuid, i64)> = tx.fetch_optional(sql, &key).await?;
        if epoch.is_some_and(|(.., epoch)| epoch == self.task.epoch) {
            let failed = Verdict::Failed(self.why.clone());
            settle(tx, &[(&self.task, failed)], self.patience).await?;
        }
        Ok(())
    }
}

async fn settle(tx: &mut Tx<'_>, judged: &[(&Task, Verdict)], patience: Patience) -> Result<()> {
    let now = tx.now();
    let done = judged
        .iter()
        .filter(|(_, verdict)| *verdict == Verdict::Done && !planted::is(Bug::EffectStays));
    let sql = tx.scope.kernel.delete_inbox.as_str();
    let rows: Vec<_> = done.map(|(task, _)| params![&task.name, task.id]).collect();
    tx.execute_many(sql, rows, Expect::AtMostOne).await?;
    let sql = tx.scope.kernel.update_effect.as_str();
    for (task, verdict) in judged {
        let row = match verdict {
            Verdict::Done => continue,
            // A claim counts as a try; waiting takes it back.
            Verdict::NotYet(why) => not_yet(now, task.since, task.attempt - 1, task.waits, why),
            Verdict::Failed(why) => {
                let spent = task.attempt >= patience.tries();
                LastTry::failed(spent, task.attempt, now.plus(patience.backoff(task.attempt)), why)
            }
        };
        if row.state == "parked" {
            count_parked(&task.name);
        }
        let values =
            params![&task.name, task.id, row.state, row.due_at, row.attempts, row.waits, row.error];
        tx.execute(sql, &values, Expect::AtMostOne).await?;
    }
    Ok(())
}

impl Patience {
    /// How often it is tried.
    const fn tries(self) -> i64 {
        match self {
            Self::Hours => MAX_ATTEMPTS,
            Self::Days => 78,
        }
    }

    /// When to try again after so many times: 2 s, times four.
    fn backoff(self, attempts: i64) -> Duration {
        let times_four = 2 * u32::try_from(attempts.clamp(0, 7)).unwrap_or(7);
        let wait = Duration::from_millis(500 << times_four);
        match self {
            Self::Hours => wait,
            Self::Days => wait.min(Duration::from_secs(3600)),
        }
    }
}
