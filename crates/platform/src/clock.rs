//! The one source of time: the machine's, or a virtual one that the simulation moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use contracts::Timestamp;
use tokio::sync::Notify;

/// A clock. Clones tell the same time.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
enum Inner {
    System,
    Virtual { now: AtomicI64, moved: Notify },
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Arc::new(Inner::System))
    }

    /// A clock that stands at `start` until it is moved.
    pub fn standing_at(start: Timestamp) -> Self {
        let now = AtomicI64::new(start.micros());
        Self(Arc::new(Inner::Virtual { now, moved: Notify::new() }))
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            Inner::System => system_now(),
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

    /// Waits until it is `due`.
    pub async fn sleep_until(&self, due: Timestamp) {
        match &*self.0 {
            #[expect(clippy::disallowed_methods, reason = "this is the one place that sleeps")]
            Inner::System => tokio::time::sleep(due.since(self.now())).await,
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
