//! Reading outboxes by state, for a bus that hands events over instead of keeping positions.

use std::sync::Arc;

use contracts::{Envelope, Timestamp};

use crate::db::{Error, Expect, Result, Tx, Unit};
use crate::params;

/// The oldest events not yet published.
#[derive(Debug, Clone, Copy)]
pub struct Unpublished {
    /// How many at most.
    pub limit: i64,
}

impl Unit for Unpublished {
    type Out = Vec<(i64, Arc<Envelope>)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let sql = tx.scope.kernel.select_unpublished.as_str();
        let rows: Vec<(i64, String)> = tx.fetch_all(sql, &params![self.limit]).await?;
        read(rows)
    }
}

/// Events after a position, in its order: for audits.
#[derive(Debug, Clone, Copy)]
pub struct After {
    /// After which.
    pub position: i64,
    /// How many at most.
    pub limit: i64,
}

impl Unit for After {
    type Out = Vec<(i64, Arc<Envelope>)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let sql = tx.scope.kernel.outbox_after.as_str();
        let rows: Vec<(i64, String)> =
            tx.fetch_all(sql, &params![self.position, self.limit]).await?;
        read(rows)
    }
}

fn read(rows: Vec<(i64, String)>) -> Result<Vec<(i64, Arc<Envelope>)>> {
    rows.into_iter()
        .map(|(position, text)| match Envelope::from_json(&text) {
            Ok(event) => Ok((position, Arc::new(event))),
            Err(error) => Err(Error::Corrupt {
                table: "outbox",
                id: position.to_string(),
                why: error.to_string(),
            }),
        })
        .collect()
}

/// Every consumer has these events: they count as published.
#[derive(Debug, Clone)]
pub struct MarkPublished {
    /// Their positions.
    pub positions: Vec<i64>,
}

impl Unit for MarkPublished {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<()> {
        let sql = tx.scope.kernel.mark_published.as_str();
        let rows = self.positions.iter().map(|position| params![*position]);
        tx.execute_many(sql, rows, Expect::AtMostOne).await.map(drop)
    }
}

/// When the oldest event that is not yet published was written.
#[derive(Debug, Clone, Copy)]
pub struct OldestUnpublished;

impl Unit for OldestUnpublished {
    type Out = Option<Timestamp>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let sql = tx.scope.kernel.oldest_unpublished.as_str();
        Ok(tx.fetch_optional::<(Timestamp,)>(sql, &[]).await?.map(|(time,)| time))
    }
}
