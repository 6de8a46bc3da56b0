//! Deleting what is old enough.

use contracts::Timestamp;

use crate::db::{Expect, Result, Tx, Unit};
use crate::params;

/// Deletes old answers, handled events, and outbox rows that every consumer has, a thousand of
/// each at most. Answers how many.
pub(crate) struct Retain {
    pub(crate) outbox_before: Timestamp,
    /// Up to which position every consumer has read this outbox.
    pub(crate) outbox_upto: i64,
    /// Whether consumers keep positions in this outbox; else only what is published may go.
    pub(crate) by_position: bool,
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
        let range = params![self.outbox_before, self.outbox_upto, self.by_position];
        let mut deleted = tx.execute(outbox, &range, Expect::Any).await?;
        deleted += tx.execute(answers, &params![self.answers_before], Expect::Any).await?;
        deleted += tx.execute(handled, &params![self.handled_before], Expect::Any).await?;
        Ok(deleted)
    }
}
