//! Virtual time: one base, and for each service a clock that may be wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use contracts::{Source, Timestamp};
use platform::clock::Clock;

/// The clocks of a run. They move only when they are told to.
#[derive(Debug)]
pub struct Clocks {
    base: Timestamp,
    /// How far each service's clock is off, in microseconds.
    wrong: BTreeMap<Source, i64>,
    clocks: BTreeMap<Source, Clock>,
    outside: Clock,
}

impl Clocks {
    /// All clocks right, at `start`.
    pub fn standing_at(start: Timestamp) -> Self {
        let clocks = Source::ALL.map(|source| (source, Clock::standing_at(start))).into();
        let outside = Clock::standing_at(start);
        Self { base: start, wrong: BTreeMap::new(), clocks, outside }
    }

    /// The true time: that of the provider and of the people.
    pub fn now(&self) -> Timestamp {
        self.base
    }

    /// The clock of a service.
    pub fn of(&self, source: Source) -> Clock {
        self.clocks.get(&source).unwrap_or(&self.outside).clone()
    }

    /// The clock of the HTTP edge, which is right.
    pub fn outside(&self) -> Clock {
        self.outside.clone()
    }

    /// Time passes.
    pub fn pass(&mut self, span: Duration) {
        self.base = self.base.plus(span);
        self.show();
    }

    /// A service's clock goes wrong by so many seconds.
    pub fn skew(&mut self, source: Source, seconds: i64) {
        self.wrong.insert(source, seconds.saturating_mul(1_000_000));
        self.show();
    }

    /// Every clock is right again.
    pub fn put_right(&mut self) {
        self.wrong.clear();
        self.show();
    }

    fn show(&self) {
        self.outside.set(self.base);
        for (source, clock) in &self.clocks {
            let wrong = self.wrong.get(source).copied().unwrap_or(0);
            clock.set(Timestamp::from_micros(self.base.micros().saturating_add(wrong)));
        }
    }
}
