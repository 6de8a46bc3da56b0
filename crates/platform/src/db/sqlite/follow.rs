//! Consumers that keep up with the log: the writer lets them react in the transaction that
//! published, so that one commit carries an event and what follows from it.
//!
//! A reaction is a unit of its own here as everywhere: that it shares a commit with others is
//! what batches are. Whoever falls behind, or fails, is given back and handles the log by itself.

use std::collections::BTreeMap;

use contracts::Source;
use tokio::sync::oneshot;

use super::job::Job;
use super::log::{LogEntry, Reading};
use crate::kernel::inbox::Progress;

/// So many events that nobody here wants are passed over before the position is stored for them.
const MAX_UNSTORED: i64 = 4096;

/// Where a consumer of the log stands.
#[derive(Clone)]
pub(crate) struct Place {
    /// Up to where it has read.
    pub(crate) reading: Reading,
    /// What of that is stored.
    pub(crate) stored: BTreeMap<Source, i64>,
}

impl Place {
    /// How far each outbox was passed, where that is far beyond what is stored: to be stored, so
    /// that it may be deleted, and is not read again after a restart.
    pub(crate) fn passed_far(&self) -> BTreeMap<Source, i64> {
        let stored = |source: Source| self.stored.get(&source).copied().unwrap_or(0);
        let far = |(source, position): &(Source, i64)| *position - stored(*source) > MAX_UNSTORED;
        self.reading.positions().filter(far).collect()
    }
}

/// Makes the units that handle what a consumer reads.
pub(crate) trait Listener: Send {
    /// The unit that handles these, and stores how far that is; nothing if one of them cannot be read.
    fn react(&self, entries: &[LogEntry], progress: Progress) -> Option<Box<dyn Job>>;
}

/// A consumer in the hands of the writer.
pub(super) struct Follower {
    pub(super) listener: Box<dyn Listener>,
    pub(super) place: Place,
    back: oneshot::Sender<Place>,
}

impl Follower {
    /// And where it will be given back: with its place, or without, when that has to be looked up.
    pub(super) fn new(
        listener: Box<dyn Listener>,
        place: Place,
    ) -> (Self, oneshot::Receiver<Place>) {
        let (back, given_back) = oneshot::channel();
        (Self { listener, place, back }, given_back)
    }

    /// It is behind what is in memory.
    pub(super) fn give_back(self) {
        // If nobody waits for it, the program is stopping.
        let _ = self.back.send(self.place);
    }

    /// Nobody waits for it any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.back.is_closed()
    }
}
