//! Telling the loops of a service that there is something to do, so that they need not ask.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use contracts::Timestamp;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use uuid::Uuid;

use super::pending::Flushed;
use super::watch::Watchers;
use crate::service::Task;

/// What the loops of one service wait for.
#[derive(Debug)]
pub(crate) struct Wake {
    /// There are events to relay.
    pub(crate) events: Notify,
    /// There are effects to claim.
    pub(crate) effects: Notify,
    /// There are claimed effects to begin.
    pub(crate) begin: Notify,
    /// How many more effects this process can have under way: none while it performs none.
    room: Arc<Semaphore>,
    /// Effects it has under a lease and has not begun.
    claimed: Mutex<VecDeque<Claimed>>,
    /// Effects it has under a lease if a commit that gave no answer happened.
    in_doubt: Mutex<Vec<Claimed>>,
    /// A timer or another try is due earlier than was known.
    pub(crate) timers: Notify,
    /// Something that is watched has changed.
    pub(crate) watchers: Arc<Watchers>,
    /// Those who watch at other instances are told by whoever takes this.
    elsewhere: Mutex<Option<mpsc::Sender<Vec<Uuid>>>>,
    next_timer: AtomicI64,
}

/// What waits to be told to other instances at most; who misses it looks by itself.
const UNTOLD: usize = 1024;

/// Room for one effect to be under way.
pub(crate) type Room = OwnedSemaphorePermit;

/// An effect under this process's lease.
#[derive(Debug)]
pub(crate) struct Claimed {
    pub(crate) task: Task,
    /// Kept until its outcome is recorded.
    pub(crate) room: Room,
}

impl Default for Wake {
    fn default() -> Self {
        Self {
            events: Notify::new(),
            effects: Notify::new(),
            begin: Notify::new(),
            room: Arc::new(Semaphore::new(0)),
            claimed: Mutex::default(),
            in_doubt: Mutex::default(),
            timers: Notify::new(),
            watchers: Arc::default(),
            elsewhere: Mutex::default(),
            next_timer: AtomicI64::new(i64::MAX),
        }
    }
}

impl Wake {
    /// What is changed here from now on, for other instances.
    pub(crate) fn changes(&self) -> mpsc::Receiver<Vec<Uuid>> {
        let (sender, changes) = mpsc::channel(UNTOLD);
        *self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        changes
    }

    /// A unit has been committed.
    pub(crate) fn after_commit(&self, left: &mut Flushed) {
        left.outdated.drain(..).for_each(|changing| changing.over());
        if left.events > 0 {
            self.events.notify_one();
        }
        if !left.changed.is_empty() {
            self.watchers.wake(&left.changed);
            let elsewhere = self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(others) = elsewhere.as_ref() {
                let _ = others.try_send(std::mem::take(&mut left.changed));
            }
        }
        if left.effects > 0 {
            self.effects.notify_one();
        }
        if !left.claimed.is_empty() {
            let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
            claimed.extend(left.claimed.drain(..));
            drop(claimed);
            self.begin.notify_one();
        }
        if let Some(due) = left.earliest_due
            && due.micros() < self.next_timer.fetch_min(due.micros(), Ordering::SeqCst)
        {
            self.timers.notify_one();
        }
    }

    /// Nobody knows whether the unit that asked for these has been committed.
    pub(crate) fn doubt(&self, claimed: impl IntoIterator<Item = Claimed>) {
        let mut in_doubt = self.in_doubt.lock().unwrap_or_else(PoisonError::into_inner);
        let before = in_doubt.len();
        in_doubt.extend(claimed);
        if in_doubt.len() > before {
            self.effects.notify_one();
        }
    }

    /// What may have been asked for.
    pub(crate) fn in_doubt(&self) -> Vec<Claimed> {
        std::mem::take(&mut *self.in_doubt.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on, so many effects may be under way at once.
    pub(crate) fn make_room(&self, many: usize) {
        self.room.add_permits(many);
    }

    /// Takes away room for one effect, as soon as none is in it.
    pub(crate) async fn take_room_away(&self) {
        if let Ok(room) = Arc::clone(&self.room).acquire_owned().await {
            room.forget();
        }
    }

    /// Room for one more effect, if there is any.
    pub(crate) fn room(&self) -> Option<Room> {
        Arc::clone(&self.room).try_acquire_owned().ok()
    }

    /// What has been claimed and not begun.
    pub(crate) fn claimed(&self) -> VecDeque<Claimed> {
        std::mem::take(&mut *self.claimed.lock().unwrap_or_else(PoisonError::into_inner))
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
