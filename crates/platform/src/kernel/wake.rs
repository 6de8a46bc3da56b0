//! Telling the loops of a service that there is something to do, so that they need not ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use contracts::Timestamp;
use tokio::sync::Notify;

use super::pending::Flushed;
use super::watch::Watchers;

/// What the loops of one service wait for.
#[derive(Debug)]
pub(crate) struct Wake {
    /// There are events to relay.
    pub(crate) events: Notify,
    /// There are effects to perform.
    pub(crate) effects: Notify,
    /// A timer or another try is due earlier than was known.
    pub(crate) timers: Notify,
    /// Something that is watched has changed.
    pub(crate) watchers: Arc<Watchers>,
    next_timer: AtomicI64,
}

impl Default for Wake {
    fn default() -> Self {
        Self {
            events: Notify::new(),
            effects: Notify::new(),
            timers: Notify::new(),
            watchers: Arc::default(),
            next_timer: AtomicI64::new(i64::MAX),
        }
    }
}

impl Wake {
    /// A unit has been committed.
    pub(crate) fn after_commit(&self, left: &Flushed) {
        if left.events > 0 {
            self.events.notify_one();
        }
        if !left.changed.is_empty() {
            self.watchers.wake(&left.changed);
        }
        if left.effects > 0 {
            self.effects.notify_one();
        }
        if let Some(due) = left.earliest_due
            && due.micros() < self.next_timer.fetch_min(due.micros(), Ordering::SeqCst)
        {
            self.timers.notify_one();
        }
    }

    /// The loop has looked: nothing is due before `next`.
    pub(crate) fn next_timer_is(&self, next: Option<Timestamp>) {
        self.next_timer.store(next.map_or(i64::MAX, Timestamp::micros), Ordering::SeqCst);
    }

    /// When the next timer is due, as far as is known.
    pub(crate) fn next_timer(&self) -> Option<Timestamp> {
        let next = self.next_timer.load(Ordering::SeqCst);
        (next < i64::MAX).then(|| Timestamp::from_micros(next))
    }
}
