//! The one source of time: the machine's, or a virtual one that the simulation moves.
//!
//! Processes that share a database share its time: where the machine's clock is plainly off, it is
//! corrected ([`Clock::correct`]). Otherwise a lease taken by one whose clock is an hour ahead would
//! keep everybody else from the work for an hour.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use contracts::Timestamp;
use tokio::sync::Notify;

/// By so much clocks may differ: what waits, waits longer than that.
pub const TOLERANCE: Duration = Duration::from_millis(500);

/// A clock. Clones tell the same time.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
enum Inner {
    System { ahead_micros: AtomicI64 },
    Virtual { now: AtomicI64, moved: Notify },
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Arc::new(Inner::System { ahead_micros: AtomicI64::new(0) }))
    }

    /// A clock that stands at `start` until it is moved.
    pub fn standing_at(start: Timestamp) -> Self {
        let now = AtomicI64::new(start.micros());
        Self(Arc::new(Inner::Virtual { now, moved: Notify::new() }))
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            Inner::System { ahead_micros } => {
                let now = system_now().micros();
                Timestamp::from_micros(now.saturating_sub(ahead_micros.load(Ordering::Relaxed)))
            }
            Inner::Virtual { now, .. } => Timestamp::from_micros(now.load(Ordering::SeqCst)),
        }
    }

    /// Sets a virtual clock, forwards or back. The machine's clock is left alone.
    pub fn set(&self, to: Timestamp) {
        if let Inner::Virtual { now, moved } = &*self.0 {
            now.store(to.micros(), Ordering::SeqCst);
            moved.notify_waiters();
        }
    }

    /// Tells the time as somebody else does, who said that it was `there` between `before` and `after`
    /// by this clock. Answers by how many microseconds the machine's clock is ahead, if it is corrected
    /// otherwise than before. Less than [`TOLERANCE`] is left alone, and so is a virtual clock.
    pub fn correct(&self, there: Timestamp, before: Timestamp, after: Timestamp) -> Option<i64> {
        let Inner::System { ahead_micros } = &*self.0 else { return None };
        let here = before.micros().midpoint(after.micros());
        let known = ahead_micros.load(Ordering::Relaxed);
        let ahead = known.saturating_add(here.saturating_sub(there.micros()));
        let tolerance = i64::try_from(TOLERANCE.as_micros()).unwrap_or(i64::MAX);
        // Who was slow to answer cannot tell it exactly.
        let doubt = after.micros().saturating_sub(before.micros());
        let ahead = if ahead.saturating_abs() < tolerance.max(doubt) { 0 } else { ahead };
        if ahead.saturating_sub(known).saturating_abs() < tolerance.max(doubt) {
            return None;
        }
        ahead_micros.store(ahead, Ordering::Relaxed);
        Some(ahead)
    }

    /// Waits until it is `due`.
    pub async fn sleep_until(&self, due: Timestamp) {
        match &*self.0 {
            #[expect(clippy::disallowed_methods, reason = "this is the one place that sleeps")]
            Inner::System { .. } => tokio::time::sleep(due.since(self.now())).await,
            Inner::Virtual { moved, .. } => loop {
                let changed = moved.notified();
                if self.now() >= due {
                    return;
                }
                changed.await;
            },
        }
    }

    /// Waits for `span`.
    pub async fn sleep(&self, span: Duration) {
        self.sleep_until(self.now().plus(span)).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that asks the machine")]
fn system_now() -> Timestamp {
    let since_epoch = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    Timestamp::EPOCH.plus(since_epoch)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_clock_that_is_an_hour_off_tells_the_time_of_the_database() {
        for (there, off) in [
            (Clock::system().now().minus(HOUR), 3_600_000_000),
            (Clock::system().now().plus(HOUR), -3_600_000_000_i64),
        ] {
            let clock = Clock::system();
            let corrected = clock.correct(there, clock.now(), clock.now()).unwrap();
            assert!((corrected - off).abs() < 10_000_000, "{corrected}");
            let told = clock.now().micros() - there.micros();
            assert!(told.abs() < 10_000_000, "{told}");
            // It is told the same again: nothing changes. The database is right again: neither is it off.
            assert_eq!(clock.correct(clock.now(), clock.now(), clock.now()), None);
            let real = Clock::system().now();
            assert_eq!(clock.correct(real, clock.now(), clock.now()), Some(0));
        }
    }

    #[test]
    fn a_clock_that_is_right_is_left_alone_and_so_is_one_that_nobody_knows_better() {
        let clock = Clock::system();
        let now = clock.now();
        assert_eq!(clock.correct(now.plus(TOLERANCE / 2), now, now), None);
        // The answer took a minute: it tells nothing of half a minute.
        let minute = Duration::from_secs(60);
        assert_eq!(clock.correct(now.plus(minute / 2), now, now.plus(minute)), None);
        let standing = Clock::standing_at(now);
        assert_eq!(standing.correct(now.plus(HOUR), now, now), None);
        assert_eq!(standing.now(), now);
    }
}
