//! Whether an address is asked: one that has failed again and again is left alone for a while, and
//! then tried by one request.
//!
//! Pure but for its lock: the time comes with each question.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The circuit to one address.
#[derive(Debug)]
pub(super) struct Breaker {
    failures: u32,
    left_alone: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It is asked. This many requests in a row have failed.
    Closed { failures: u32 },
    /// It is left alone until then.
    Open { until: Instant },
    /// One request tries it.
    Tried,
}

/// That a request may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// As any other.
    Usual,
    /// To see whether the address works again.
    Trial,
}

/// What a verdict changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// The address is left alone from now on.
    Opened,
    /// The address is asked again.
    Closed,
}

impl Breaker {
    /// A closed one, which opens after so many failures in a row.
    pub(super) fn new(failures: u32, left_alone: Duration) -> Self {
        let state = Mutex::new(State::Closed { failures: 0 });
        Self { failures: failures.max(1), left_alone, state }
    }

    /// Whether a request may go now; if not, after how long. One that has failed `elsewhere` may be the
    /// one that tries, however short the address has been left alone.
    pub(super) fn admit(&self, now: Instant, elsewhere: bool) -> Result<Pass, Duration> {
        self.with(|state| match *state {
            State::Closed { .. } => Ok(Pass::Usual),
            State::Open { until } if until <= now || elsewhere => {
                *state = State::Tried;
                Ok(Pass::Trial)
            }
            State::Open { until } => Err(until - now),
            State::Tried => Err(self.left_alone),
        })
    }

    /// The address has answered.
    pub(super) fn succeeded(&self) -> Option<Change> {
        self.with(|state| {
            let before = std::mem::replace(state, State::Closed { failures: 0 });
            let was_closed = matches!(before, State::Closed { .. });
            (!was_closed).then_some(Change::Closed)
        })
    }

    /// The address has failed.
    pub(super) fn failed(&self, now: Instant) -> Option<Change> {
        let opened = State::Open { until: now + self.left_alone };
        self.with(|state| match *state {
            State::Closed { failures } if failures + 1 < self.failures => {
                *state = State::Closed { failures: failures + 1 };
                None
            }
            State::Closed { .. } => {
                *state = opened;
                Some(Change::Opened)
            }
            State::Tried => {
                *state = opened;
                None
            }
            // Somebody who was admitted earlier: the pause has begun already.
            State::Open { .. } => None,
        })
    }

    /// Who was admitted went away before there was a verdict: after a trial, the next one tries.
    pub(super) fn abandoned(&self, pass: Pass, now: Instant) {
        self.with(|state| {
            if pass == Pass::Trial && *state == State::Tried {
                *state = State::Open { until: now };
            }
        });
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(1);

    #[test]
    fn an_address_that_fails_thrice_in_a_row_is_left_alone_and_then_tried_by_one() {
        let (breaker, now) = (Breaker::new(3, PAUSE), Instant::now());
        assert_eq!((breaker.failed(now), breaker.failed(now)), (None, None));
        assert_eq!(breaker.admit(now, false), Ok(Pass::Usual));
        assert_eq!(breaker.failed(now), Some(Change::Opened));
        assert_eq!(breaker.admit(now, false), Err(PAUSE));
        let later = now + PAUSE;
        assert_eq!(breaker.admit(later, false), Ok(Pass::Trial));
        assert!(breaker.admit(later, false).is_err(), "one at a time");
        assert_eq!(breaker.failed(later), None);
        assert_eq!(breaker.admit(later, false), Err(PAUSE));
        assert_eq!(breaker.admit(later + PAUSE, false), Ok(Pass::Trial));
        assert_eq!(breaker.succeeded(), Some(Change::Closed));
        assert_eq!(breaker.admit(later + PAUSE, false), Ok(Pass::Usual));
    }

    #[test]
    fn failures_count_only_in_a_row() {
        let (breaker, now) = (Breaker::new(2, PAUSE), Instant::now());
        for _ in 0..10 {
            assert_eq!(breaker.failed(now), None);
            assert_eq!(breaker.succeeded(), None);
        }
    }

    #[test]
    fn a_trial_whose_client_left_is_made_by_the_next() {
        let (breaker, now) = (Breaker::new(1, PAUSE), Instant::now());
        breaker.failed(now);
        let later = now + PAUSE;
        assert_eq!(breaker.admit(later, false), Ok(Pass::Trial));
        breaker.abandoned(Pass::Usual, later);
        assert!(breaker.admit(later, false).is_err());
        breaker.abandoned(Pass::Trial, later);
        assert_eq!(breaker.admit(later, false), Ok(Pass::Trial));
    }

    #[test]
    fn who_failed_elsewhere_tries_at_once_what_is_left_alone() {
        let (breaker, now) = (Breaker::new(1, PAUSE), Instant::now());
        breaker.failed(now);
        assert_eq!(breaker.admit(now, false), Err(PAUSE));
        assert_eq!(breaker.admit(now, true), Ok(Pass::Trial));
        assert!(breaker.admit(now, true).is_err(), "one at a time");
    }
}
