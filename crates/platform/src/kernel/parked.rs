//! The dead-letter list: what failed too often, for a person to look at, try again or discard.

use contracts::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::db::{Expect, FromRow, Result, Row, Tx, Unit};
use crate::params;

/// Something that failed too often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Parked {
    /// What should have handled it: the event's type, the timer's or effect's name.
    pub reaction: String,
    /// Its id.
    pub id: Uuid,
    /// `event`, `timer` or `effect`.
    pub kind: String,
    /// Since when the service has had it.
    pub since: Timestamp,
    /// How often it was tried.
    pub attempts: i64,
    /// Why it failed last.
    pub error: Option<String>,
    /// The event, or what the timer or effect carries, as JSON.
    pub body: String,
}

impl FromRow for Parked {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            reaction: row.get(0)?,
            id: row.get(1)?,
            kind: row.get(2)?,
            since: row.get(3)?,
            attempts: row.get(4)?,
            error: row.get(5)?,
            body: row.get(6)?,
        })
    }
}

/// The list, oldest first.
#[derive(Debug, Clone, Copy)]
pub struct List {
    /// After this one.
    pub after: Option<(Timestamp, Uuid)>,
    /// How many at most.
    pub limit: i64,
}

impl Unit for List {
    type Out = Vec<Parked>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Parked>> {
        let sql = tx.scope.kernel.select_parked.as_str();
        let (since, id) = self.after.unwrap_or((Timestamp::EPOCH, Uuid::nil()));
        tx.fetch_all(sql, &params![since, id, self.limit]).await
    }
}

/// What is parked under an id.
#[derive(Debug, Clone, Copy)]
pub struct Show(pub Uuid);

impl Unit for Show {
    type Out = Vec<Parked>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Parked>> {
        let sql = tx.scope.kernel.select_one_parked.as_str();
        tx.fetch_all(sql, &params![self.0]).await
    }
}

/// What to do with something parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Try again from the beginning.
    Redrive,
    /// Never handle it. It stays known, so that it is not handled when it is delivered again.
    Discard,
}

/// Carries out a decision; answers how many entries it was for.
#[derive(Debug, Clone, Copy)]
pub struct Settle {
    /// Under which id.
    pub id: Uuid,
    /// What to do.
    pub decision: Decision,
}

impl Unit for Settle {
    type Out = u64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<u64> {
        let state = match self.decision {
            Decision::Redrive => "waiting",
            Decision::Discard => "discarded",
        };
        let (sql, now) = (tx.scope.kernel.settle_parked.as_str(), tx.now());
        tx.execute(sql, &params![self.id, state, now], Expect::Any).await
    }
}

/// Tries again from the beginning what was parked before `before`, a thousand at a time; answers how
/// many they were, and none once there are no more.
#[derive(Debug, Clone, Copy)]
pub struct RedriveSome {
    /// When it was asked for: what comes onto the list later stays on it.
    pub before: Timestamp,
}

impl Unit for RedriveSome {
    type Out = u64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<u64> {
        let sql = tx.scope.kernel.redrive_parked.as_str();
        tx.execute(sql, &params![self.before], Expect::Any).await
    }
}

/// How many entries of each kind are in each state, those that are done left out.
#[derive(Debug, Clone, Copy)]
pub struct Count;

impl Unit for Count {
    type Out = Vec<(String, String, i64)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let sql = tx.scope.kernel.count_inbox.as_str();
        tx.fetch_all(sql, &[]).await
    }
}
