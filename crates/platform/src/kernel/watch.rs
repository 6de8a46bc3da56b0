//! Telling whoever waits for a change of something that it may have been committed.
//!
//! A wake-up says only that looking is worth it; what is shown is read from the database. None
//! comes from another instance, so whoever waits also looks by itself from time to time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contracts::Timestamp;
use futures_util::future;
use tokio::sync::watch;
use uuid::Uuid;

use crate::clock::Clock;

/// Those who wait, by what they wait for.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Mutex<BTreeMap<Uuid, watch::Sender<()>>>);

/// One who waits for changes of one thing. Stops when dropped.
#[derive(Debug)]
pub struct Watch {
    watchers: Arc<Watchers>,
    subject: Uuid,
    woken: watch::Receiver<()>,
    clock: Clock,
    /// How long until it looks by itself.
    pause: Duration,
}

impl Watchers {
    pub(crate) fn watch(self: &Arc<Self>, subject: Uuid, clock: Clock, pause: Duration) -> Watch {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let woken = watched.entry(subject).or_default().subscribe();
        Watch { watchers: Arc::clone(self), subject, woken, clock, pause }
    }

    /// These have changed.
    pub(crate) fn wake(&self, changed: &[Uuid]) {
        let watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if watched.is_empty() {
            return;
        }
        for sender in changed.iter().filter_map(|subject| watched.get(subject)) {
            sender.send_replace(());
        }
    }
}

impl Watch {
    /// Waits until looking may be worth it, at most until `until`.
    pub async fn changed(&mut self, until: Timestamp) {
        let due = self.clock.now().plus(self.pause).min(until);
        let woken = std::pin::pin!(self.woken.changed());
        let slept = std::pin::pin!(self.clock.sleep_until(due));
        future::select(woken, slept).await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watched = self.watchers.0.lock().unwrap_or_else(PoisonError::into_inner);
        // This one is still counted.
        if watched.get(&self.subject).is_some_and(|sender| sender.receiver_count() <= 1) {
            watched.remove(&self.subject);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_waits_is_woken_even_by_what_happened_just_before() {
        let watchers = Arc::new(Watchers::default());
        // The clock stands: only the wake-up can end this.
        let clock = Clock::standing_at(Timestamp::EPOCH);
        let mut watch = watchers.watch(Uuid::nil(), clock, Duration::MAX);
        watchers.wake(&[Uuid::nil()]);
        watch.changed(Timestamp::from_micros(i64::MAX)).await;
        drop(watch);
        assert!(watchers.0.lock().unwrap().is_empty());
    }
}
