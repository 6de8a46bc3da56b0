//! What the outbox knows of the stream it fills on a broker. The stream is disposable: where it is
//! not the one that was filled, or lacks what was put into it, all that is kept is sent again, beside
//! what is new.

use super::outbox::{MarkPublished, Stored, stored};
use crate::db::{Expect, Result, Tx, Unit};
use crate::params;

/// A stream as it was when something was last put into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filled {
    /// Which stream it is: another of the same name is another.
    pub(crate) identity: String,
    /// Of the last event put into it.
    pub(crate) sequence: i64,
    /// How many events between its first and its last it lacks.
    pub(crate) holes: i64,
}

impl Filled {
    /// Whether a stream that is `now` like this still has all that this one had.
    pub(crate) fn is_kept_in(&self, now: &Self) -> bool {
        self.identity == now.identity && self.sequence <= now.sequence && self.holes >= now.holes
    }
}

/// What is known of the stream.
pub(crate) struct LastFilled;

impl Unit for LastFilled {
    type Out = Option<Filled>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let sql = tx.scope.kernel.select_stream.as_str();
        let row: Option<(String, i64, i64)> = tx.fetch_optional(sql, &[]).await?;
        Ok(row.map(|(identity, sequence, holes)| Filled { identity, sequence, holes }))
    }
}

/// The stream has these events, and is like this now.
pub(crate) struct MarkSent {
    pub(crate) positions: Vec<i64>,
    pub(crate) filled: Filled,
}

impl Unit for MarkSent {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<()> {
        // One row first, so that two that believe to lead take turns.
        let sql = tx.scope.kernel.upsert_stream.as_str();
        let Filled { identity, sequence, holes } = &self.filled;
        tx.execute(sql, &params![identity, *sequence, *holes], Expect::One).await?;
        MarkPublished { positions: self.positions.clone() }.run(tx).await
    }
}

/// The stream is like this now, and lacks what was published before: all of it is to be sent again.
pub(crate) struct StartOver {
    pub(crate) filled: Filled,
}

impl Unit for StartOver {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<()> {
        MarkSent { positions: Vec::new(), filled: self.filled.clone() }.run(tx).await?;
        let sql = tx.scope.kernel.start_over.as_str();
        tx.execute(sql, &[], Expect::One).await.map(drop)
    }
}

/// The newest events that are to be sent again, the newest first: what somebody waits for is among
/// them, and the rest has been heard long ago.
pub(crate) struct ToResend {
    /// How many at most.
    pub(crate) limit: i64,
}

impl Unit for ToResend {
    type Out = Vec<(i64, Stored)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let sql = tx.scope.kernel.select_resend.as_str();
        stored(tx, sql, self.limit).await
    }
}

/// The stream, which is like this now, has again what is at `from` in the outbox and after it;
/// nothing is left to send again if `from` is none.
pub(crate) struct MarkResent {
    pub(crate) from: Option<i64>,
    pub(crate) filled: Filled,
}

impl Unit for MarkResent {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<()> {
        MarkSent { positions: Vec::new(), filled: self.filled.clone() }.run(tx).await?;
        let sql = tx.scope.kernel.mark_resent.as_str();
        let row = params![self.from.unwrap_or(0), self.from];
        tx.execute(sql, &row, Expect::AtMostOne).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(identity: &str, sequence: i64, holes: i64) -> Filled {
        Filled { identity: identity.to_owned(), sequence, holes }
    }

    #[test]
    fn a_stream_that_is_another_was_set_back_or_has_a_new_hole_lacks_something() {
        let was = filled("a", 10, 1);
        for kept in [filled("a", 10, 1), filled("a", 12, 1), filled("a", 10, 0)] {
            assert!(was.is_kept_in(&kept), "{kept:?}");
        }
        for lacking in [filled("b", 10, 1), filled("a", 9, 1), filled("a", 10, 2)] {
            assert!(!was.is_kept_in(&lacking), "{lacking:?}");
        }
    }
}
