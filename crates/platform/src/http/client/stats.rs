//! Counts and times of what one service is asked, by outcome.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};

use super::fault::Unanswered;

/// The figures of one service. The names are looked up once.
pub(super) struct Stats {
    seconds: Histogram,
    in_flight: Gauge,
    /// Requests that were sent again.
    pub(super) retried: Counter,
    answered: Counter,
    too_much: Counter,
    unreachable: Counter,
    lost: Counter,
    late: Counter,
    asker: Counter,
}

impl Stats {
    pub(super) fn new(service: &'static str) -> Self {
        let ended = |outcome: &'static str| metrics::counter!("upstream_requests_total", "service" => service, "outcome" => outcome);
        Self {
            seconds: metrics::histogram!("upstream_request_seconds", "service" => service),
            in_flight: metrics::gauge!("upstream_in_flight", "service" => service),
            retried: metrics::counter!("upstream_retries_total", "service" => service),
            answered: ended("answered"),
            too_much: ended("too_much"),
            unreachable: ended("unreachable"),
            lost: ended("lost"),
            late: ended("late"),
            asker: ended("asker"),
        }
    }

    /// Notes how a request ended, and after how long.
    pub(super) fn note<T>(&self, outcome: &Result<T, Unanswered>, took: Duration) {
        self.seconds.record(took.as_secs_f64());
        let count = match outcome {
            Ok(_) => &self.answered,
            Err(Unanswered::TooMuch) => &self.too_much,
            Err(Unanswered::Unreachable { .. }) => &self.unreachable,
            Err(Unanswered::Lost) => &self.lost,
            Err(Unanswered::Late) => &self.late,
            Err(Unanswered::Asker(_)) => &self.asker,
        };
        count.increment(1);
    }

    /// One more, until what is given is dropped.
    pub(super) fn in_flight(&self) -> InFlight {
        self.in_flight.increment(1);
        InFlight(self.in_flight.clone())
    }
}

/// A request under way, counted.
pub(super) struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}
