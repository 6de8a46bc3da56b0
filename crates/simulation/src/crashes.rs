//! The points at which a process can die in a quiet run, numbered: the crash matrix dies at each.

use std::collections::BTreeSet;

/// Counts the points a run passes, and says at which of them it dies.
#[derive(Debug, Clone, Default)]
pub struct CrashPoints {
    passed: u64,
    die_at: BTreeSet<u64>,
}

impl CrashPoints {
    /// Dies at these points, counted from 0.
    pub fn dying_at(points: impl IntoIterator<Item = u64>) -> Self {
        Self { passed: 0, die_at: points.into_iter().collect() }
    }

    /// A point is passed. Says whether to die here.
    pub fn pass(&mut self) -> bool {
        let here = self.passed;
        self.passed += 1;
        self.die_at.contains(&here)
    }

    /// How many points were passed.
    pub fn passed(&self) -> u64 {
        self.passed
    }
}
