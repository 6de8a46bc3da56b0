//! Waking whoever waits for news of an order in this process.
//!
//! A wake-up says only that looking may be worth it; what is shown is read from the database. It
//! may come a moment before the commit, and never comes from another instance, so whoever waits
//! also looks by itself from time to time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contracts::{OrderId, Timestamp};
use futures_util::future::{self, Either};
use platform::clock::Clock;
use tokio::sync::watch;

/// Those who wait, by order.
#[derive(Debug, Default)]
pub struct Watchers(Mutex<BTreeMap<OrderId, watch::Sender<()>>>);

/// One who waits. Stops when dropped.
#[derive(Debug)]
pub struct Watch {
    watchers: Arc<Watchers>,
    order_id: OrderId,
    woken: watch::Receiver<()>,
    /// How long until it looks by itself.
    pause: Duration,
    /// How long that gets.
    longest: Duration,
}

/// How long after a wake-up it looks again.
const FIRST: Duration = Duration::from_millis(4);

impl Watchers {
    /// Waits for news of an order, from now on, and looks by itself after `longest` at the latest.
    pub fn watch(self: &Arc<Self>, order_id: OrderId, longest: Duration) -> Watch {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let woken = watched.entry(order_id).or_default().subscribe();
        Watch { watchers: Arc::clone(self), order_id, woken, pause: longest, longest }
    }

    /// There may be news of these orders.
    pub fn wake(&self, orders: &[OrderId]) {
        let watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if watched.is_empty() {
            return;
        }
        for sender in orders.iter().filter_map(|order| watched.get(order)) {
            sender.send_replace(());
        }
    }
}

impl Watch {
    /// Waits until looking may be worth it, at most until `until`.
    ///
    /// Soon after a wake-up it looks again several times, since that may have come before the commit.
    pub async fn news(&mut self, clock: &Clock, until: Timestamp) {
        let due = clock.now().plus(self.pause).min(until);
        let woken = std::pin::pin!(self.woken.changed());
        let slept = std::pin::pin!(clock.sleep_until(due));
        self.pause = match future::select(woken, slept).await {
            Either::Left(_) => FIRST,
            Either::Right(_) => (self.pause * 2).min(self.longest),
        };
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watched = self.watchers.0.lock().unwrap_or_else(PoisonError::into_inner);
        // This one is still counted.
        if watched.get(&self.order_id).is_some_and(|sender| sender.receiver_count() <= 1) {
            watched.remove(&self.order_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_waits_is_woken_even_by_what_happened_just_before() {
        let (watchers, order) =
            (Arc::new(Watchers::default()), OrderId::from_uuid(uuid::Uuid::nil()));
        let clock = Clock::standing_at(Timestamp::EPOCH);
        let mut watch = watchers.watch(order, Duration::MAX);
        watchers.wake(&[order]);
        // The clock stands: only the wake-up can end this.
        watch.news(&clock, Timestamp::from_micros(i64::MAX)).await;
        drop(watch);
        assert!(watchers.0.lock().unwrap().is_empty());
    }
}
