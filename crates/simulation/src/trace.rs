//! What happened in a run, line by line: hashed always, so that two runs of a seed can be
//! compared; kept or shown only when somebody wants to read it.

use std::fmt::Write as _;

use contracts::Timestamp;
use sha2::{Digest, Sha256};

/// What becomes of the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// Only their hash is kept.
    Hashed,
    /// They are shown on the standard error as they come.
    Shown,
}

/// A run's trace.
pub struct Trace {
    hash: Sha256,
    lines: Lines,
    count: u64,
    last: std::collections::VecDeque<String>,
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Trace of {} lines", self.count)
    }
}

/// How many lines a failure shows.
const LAST: usize = 40;

impl Trace {
    /// Nothing has happened yet.
    pub fn new(lines: Lines) -> Self {
        Self { hash: Sha256::new(), lines, count: 0, last: std::collections::VecDeque::new() }
    }

    /// Something happened.
    pub fn note(&mut self, now: Timestamp, what: &std::fmt::Arguments<'_>) {
        let mut line = String::new();
        // Writing to a string cannot fail.
        let _ = write!(line, "{:>6} {now} {what}", self.count);
        self.hash.update(line.as_bytes());
        self.hash.update([b'\n']);
        self.count += 1;
        if self.lines == Lines::Shown {
            eprintln!("{line}");
        }
        if self.last.len() == LAST {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    /// The hash of everything so far.
    pub fn hash(&self) -> String {
        hex::encode(self.hash.clone().finalize())
    }

    /// How many lines there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The last lines.
    pub fn last(&self) -> Vec<String> {
        self.last.iter().cloned().collect()
    }
}
