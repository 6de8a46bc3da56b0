//! Two things happen to one database at once, in every order that two stops can bring about.
//!
//! The first runs up to a stop. The second runs until it ends, comes to its own stop, or waits for
//! what the first has locked. Then the first goes on until it ends or waits for the second; then
//! both end. Each stop goes from statement to statement, and then the two change places.

use std::future::Future;
use std::time::Duration;

use platform::clock::Clock;
use platform::db::{Db, Pause};
use platform::tasks;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::look::{Look, look};

/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// No unit of work has more statements.
const MOST: usize = 200;

/// Which of the two is stopped first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    One,
    Other,
}

/// How many of the two are stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stops {
    /// The first: the second comes between two of its statements.
    First,
    /// Both.
    Both,
}

/// How far somebody has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    Stopped,
    Waits,
    Ended,
}

/// One of the orders in which two things can happen.
#[derive(Debug)]
pub struct Meeting {
    name: &'static str,
    turn: Turn,
    stops: (usize, usize),
    met: Option<(Stands, Stands)>,
}

/// Plays `scene` once for every order in which its two sides can meet. There must be `at_least` so
/// many: a scene whose sides do not meet shows nothing.
pub async fn every_meeting(
    name: &'static str,
    stops: Stops,
    at_least: usize,
    mut scene: impl AsyncFnMut(&mut Meeting),
) {
    let (mut meetings, mut waited) = (0, 0);
    for turn in [Turn::One, Turn::Other] {
        'first: for first in 1..=MOST {
            for second in 1..=MOST {
                let second = if stops == Stops::Both { second } else { usize::MAX };
                let mut meeting = Meeting { name, turn, stops: (first, second), met: None };
                scene(&mut meeting).await;
                let (one, other) = meeting.met.expect("nothing met in this scene");
                assert!(first < MOST && (second < MOST || stops == Stops::First), "{meeting:?}");
                if one != Stands::Stopped {
                    break 'first;
                }
                meetings += 1;
                waited += usize::from(other == Stands::Waits);
                if other != Stands::Stopped {
                    break;
                }
            }
        }
    }
    eprintln!("{name}: {meetings} interleavings, {waited} of them held up by a lock");
    assert!(meetings >= at_least, "{name}: only {meetings} interleavings");
}

impl Meeting {
    /// Lets the two sides meet on `db`, and answers what each came to.
    pub async fn of<A, B, OfA, OfB>(
        &mut self,
        db: &Db,
        one: impl FnOnce(Db) -> OfA,
        other: impl FnOnce(Db) -> OfB,
    ) -> (A, B)
    where
        A: Send + 'static,
        B: Send + 'static,
        OfA: Future<Output = A> + Send + 'static,
        OfB: Future<Output = B> + Send + 'static,
    {
        match self.turn {
            Turn::One => self.meet(db, one, other).await,
            Turn::Other => {
                let (b, a) = self.meet(db, other, one).await;
                (a, b)
            }
        }
    }

    async fn meet<A, B, OfA, OfB>(
        &mut self,
        db: &Db,
        first: impl FnOnce(Db) -> OfA,
        second: impl FnOnce(Db) -> OfB,
    ) -> (A, B)
    where
        A: Send + 'static,
        B: Send + 'static,
        OfA: Future<Output = A> + Send + 'static,
        OfB: Future<Output = B> + Send + 'static,
    {
        let (at_first, at_second) = (Pause::before(self.stops.0), Pause::before(self.stops.1));
        let mut first = tasks::spawn("first", first(db.paused_by(&at_first)));
        let one = stands(db, &first, Some(&at_first)).await;
        let mut second = tasks::spawn("second", second(db.paused_by(&at_second)));
        let other = stands(db, &second, Some(&at_second)).await;
        // Seen only when the test fails: what happened just before.
        let (before_first, before_second) = (at_first.passed(), at_second.passed());
        let (name, turn) = (self.name, self.turn);
        eprintln!(
            "{name}, {turn:?}: the first {one:?} at {} {:?}, the second {other:?} at {} {:?}",
            before_first.len(),
            before_first.last(),
            before_second.len(),
            before_second.last()
        );
        at_first.go_on();
        if other == Stands::Stopped {
            stands(db, &first, None).await;
        }
        at_second.go_on();
        self.met = Some((one, other));
        (end(&mut first).await, end(&mut second).await)
    }
}

async fn end<T>(task: &mut JoinHandle<T>) -> T {
    timeout(PATIENCE, task).await.expect("it does not end").unwrap()
}

/// Waits until `task` has ended, stands at its stop, or waits for a lock: only one of the two moves
/// at a time, so that whoever waits for a lock waits for the other.
async fn stands<T>(db: &Db, task: &JoinHandle<T>, pause: Option<&Pause>) -> Stands {
    let found = timeout(PATIENCE, async {
        let mut waiting = 0;
        loop {
            if task.is_finished() {
                return Stands::Ended;
            }
            if pause.is_some_and(Pause::has_arrived) {
                return Stands::Stopped;
            }
            // Seen twice, lest the server's own short locks are taken for the other's.
            waiting = if waits_for_a_lock(db).await { waiting + 1 } else { 0 };
            if waiting == 2 {
                return Stands::Waits;
            }
            Clock::system().sleep(Duration::from_millis(1)).await;
        }
    });
    found.await.expect("it neither ends nor waits")
}

async fn waits_for_a_lock(db: &Db) -> bool {
    const WAITING: Look = Look(
        "SELECT CAST(pid AS text) FROM pg_stat_activity WHERE datname = current_database() \
         AND wait_event_type = 'Lock' AND $1 = ''",
    );
    !look(db, WAITING, "").await.is_empty()
}
