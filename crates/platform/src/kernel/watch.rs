//! Telling whoever waits for a change of something that it may have been committed.
//!
//! A wake-up says only that looking is worth it; what is shown is read from the database. One from
//! another instance may be lost, and without a broker there are none, so whoever waits also looks by
//! itself from time to time, more and more seldom.

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
pub(crate) struct Watchers(Mutex<BTreeMap<Uuid, Watched>>);

/// What somebody waits for.
#[derive(Debug, Default)]
struct Watched {
    wakes: watch::Sender<()>,
    /// How many wait. Receivers are not counted: one may be going at this moment.
    watching: usize,
}

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

/// Nobody waits longer until they look by themselves.
const LONGEST: Duration = Duration::from_secs(5);

impl Watchers {
    pub(crate) fn watch(self: &Arc<Self>, subject: Uuid, clock: Clock, pause: Duration) -> Watch {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = watched.entry(subject).or_default();
        entry.watching += 1;
        let woken = entry.wakes.subscribe();
        Watch { watchers: Arc::clone(self), subject, woken, clock, pause }
    }

    /// These have changed.
    pub(crate) fn wake(&self, changed: &[Uuid]) {
        let watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if watched.is_empty() {
            return;
        }
        for one in changed.iter().filter_map(|subject| watched.get(subject)) {
            one.wakes.send_replace(());
        }
    }
}

impl Watch {
    /// Waits until looking may be worth it, at most until `until`.
    pub async fn changed(&mut self, until: Timestamp) {
        let due = self.clock.now().plus(self.pause).min(until);
        let woken = std::pin::pin!(self.woken.changed());
        let slept = std::pin::pin!(self.clock.sleep_until(due));
        if let future::Either::Right(_) = future::select(woken, slept).await {
            self.pause = (self.pause * 2).min(LONGEST);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watched = self.watchers.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(one) = watched.get_mut(&self.subject) else { return };
        one.watching = one.watching.saturating_sub(1);
        if one.watching == 0 {
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

    #[test]
    fn nobody_is_remembered_when_two_go_at_the_same_moment() {
        let watchers = Arc::new(Watchers::default());
        let watch = || watchers.watch(Uuid::nil(), Clock::system(), Duration::MAX);
        for _ in 0..20_000 {
            let (first, second) = (watch(), watch());
            let meet = std::sync::Barrier::new(2);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    meet.wait();
                    drop(first);
                });
                meet.wait();
                drop(second);
            });
            assert!(watchers.0.lock().unwrap().is_empty());
        }
    }
}
