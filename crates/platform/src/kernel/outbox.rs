//! Reading outboxes: for a bus that hands events over instead of keeping positions, and for audits.

use std::sync::Arc;

use contracts::{Envelope, Payload, Timestamp};
use uuid::Uuid;

use crate::db::{Error, Expect, Result, Tx, Unit};
use crate::params;

/// A row of an outbox, as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    pub(crate) text: String,
}

/// An event that cannot be read, or is not to be believed, though its type is known.
#[derive(Debug, Clone)]
pub struct Unreadable {
    /// Its id.
    pub id: Uuid,
    /// The type it claims.
    pub kind: String,
    /// Its text.
    pub text: String,
    /// Why that is so.
    pub why: String,
}

impl Stored {
    /// The event, or why it cannot be read.
    pub(crate) fn read(self) -> Result<Arc<Envelope>, Unreadable> {
        match Envelope::from_json_of(&self.kind, &self.text) {
            Ok(event) => Ok(Arc::new(event)),
            Err(error) => Err(self.unreadable(error.to_string())),
        }
    }

    /// It is not to be read, and this is `why`.
    pub(crate) fn unreadable(self, why: String) -> Unreadable {
        Unreadable { id: self.id, kind: self.kind, text: self.text, why }
    }

    /// Nobody here wants it. Counted if this version does not even know its type.
    pub(crate) fn pass_over(&self) {
        if !self.is_known() {
            let kind = self.kind.clone();
            metrics::counter!("events_of_unknown_type_total", "type" => kind).increment(1);
        }
    }

    fn is_known(&self) -> bool {
        Payload::KINDS.iter().any(|kind| kind.name == self.kind)
    }
}

/// The oldest events not yet published.
#[derive(Debug, Clone, Copy)]
pub struct Unpublished {
    /// How many at most.
    pub limit: i64,
}

/// What a bus is to carry.
#[derive(Debug, Default)]
pub struct ToPublish {
    /// Where in the outbox all of it is, that of unknown type included.
    pub positions: Vec<i64>,
    /// The events.
    pub events: Vec<Arc<Envelope>>,
    /// What cannot be read.
    pub unreadable: Vec<Unreadable>,
}

impl Unit for Unpublished {
    type Out = ToPublish;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<ToPublish> {
        let mut found = ToPublish::default();
        for (position, stored) in (Unsent { limit: self.limit }).run(tx).await? {
            found.positions.push(position);
            if !stored.is_known() {
                stored.pass_over();
                continue;
            }
            match stored.read() {
                Ok(event) => found.events.push(event),
                Err(unreadable) => found.unreadable.push(unreadable),
            }
        }
        Ok(found)
    }
}

/// The oldest events not yet published, as they are stored: for a broker, which does not read them.
pub(crate) struct Unsent {
    /// How many at most.
    pub(crate) limit: i64,
}

impl Unit for Unsent {
    type Out = Vec<(i64, Stored)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let sql = tx.scope.kernel.select_unpublished.as_str();
        stored(tx, sql, self.limit).await
    }
}

/// Rows of the outbox, by a statement that is told how many at most.
pub(super) async fn stored(tx: &mut Tx<'_>, sql: &str, limit: i64) -> Result<Vec<(i64, Stored)>> {
    let rows: Vec<(i64, Uuid, String, String)> = tx.fetch_all(sql, &params![limit]).await?;
    let stored = |(position, id, kind, text)| (position, Stored { id, kind, text });
    Ok(rows.into_iter().map(stored).collect())
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
        let read = |(position, text): (i64, String)| match Envelope::from_json(&text) {
            Ok(event) => Ok((position, Arc::new(event))),
            Err(error) => Err(Error::Corrupt {
                table: "outbox",
                id: position.to_string(),
                why: error.to_string(),
            }),
        };
        rows.into_iter().map(read).collect()
    }
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
