//! What the outbox knows of the stream it fills on a broker. The stream is disposable: where it is
//! not the one that was filled, or lacks what was put into it, all that is kept is sent again.

use super::outbox::MarkPublished;
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

/// Some of what was published counts as not published. Answers how much.
pub(crate) struct Unpublish {
    /// How many at most.
    pub(crate) limit: i64,
}

impl Unit for Unpublish {
    type Out = u64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<u64> {
        let sql = tx.scope.kernel.unpublish.as_str();
        tx.execute(sql, &params![self.limit], Expect::Any).await
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
