//! The latest events of all services in the order of their commits, in memory.
//!
//! What the outboxes hold, without reading and decoding it again for every consumer. It is a
//! cache: a consumer that has fallen behind reads the outboxes themselves.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use contracts::{DecodeError, Envelope, EventKind, Source};

use crate::db::tx::Published;

/// How many events are kept in memory.
const KEPT: usize = 16_384;

/// How far the log has come: one more with each event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Head(u64);

/// An event in the log.
#[derive(Debug, Clone)]
pub struct LogEntry {
    /// Whose outbox it is in.
    pub source: Source,
    /// Where in that outbox.
    pub position: i64,
    /// The event, or its text and why it cannot be read.
    pub event: Result<Arc<Envelope>, Unreadable>,
}

/// An event that cannot be read though its type is known.
#[derive(Debug, Clone)]
pub struct Unreadable {
    /// Its text.
    pub text: String,
    /// Why it cannot be read.
    pub why: String,
}

/// What a consumer gets to do next.
#[derive(Debug, Default)]
pub struct LogRead {
    /// The events it listens to.
    pub entries: Vec<LogEntry>,
    /// How far each outbox has been looked through.
    pub passed: BTreeMap<Source, i64>,
    /// Where in the log to go on, if it came from memory.
    next: u64,
}

/// A consumer's place in the log.
#[derive(Debug)]
pub(crate) struct Reading {
    passed: BTreeMap<Source, i64>,
    wanted: Vec<EventKind>,
    next: u64,
}

impl Reading {
    /// Everything after `positions` that is of a `wanted` kind.
    pub(crate) fn after(positions: BTreeMap<Source, i64>, wanted: Vec<EventKind>) -> Self {
        let mut passed = positions;
        for kind in &wanted {
            passed.entry(kind.source).or_insert(0);
        }
        passed.retain(|source, _| wanted.iter().any(|kind| kind.source == *source));
        Self { passed, wanted, next: 0 }
    }

    pub(crate) fn positions(&self) -> impl Iterator<Item = (Source, i64)> + '_ {
        self.passed.iter().map(|(source, position)| (*source, *position))
    }

    /// The consumer is done with what it was given.
    pub(crate) fn advance(&mut self, read: &LogRead) {
        self.next = read.next;
        for (source, position) in &read.passed {
            let known = self.passed.entry(*source).or_insert(0);
            *known = (*known).max(*position);
        }
    }

    fn wants(&self, event: &Envelope) -> bool {
        self.wanted.contains(&event.payload.kind())
    }
}

#[derive(Default)]
pub(super) struct Log {
    /// The number of the first entry.
    first: u64,
    entries: VecDeque<LogEntry>,
    /// Up to where each outbox is no longer in memory.
    forgotten: BTreeMap<Source, i64>,
}

impl Log {
    /// The outbox of `source` reaches up to `position`, and none of it is in memory.
    pub(super) fn start(&mut self, source: Source, position: i64) {
        self.forgotten.insert(source, position);
    }

    pub(super) fn append(&mut self, committed: Vec<(Source, Vec<Published>)>) -> Option<Head> {
        let before = self.next();
        for (source, published) in committed {
            for (position, event) in published {
                self.entries.push_back(LogEntry { source, position, event: Ok(event) });
            }
        }
        while self.entries.len() > KEPT {
            if let Some(old) = self.entries.pop_front() {
                self.forgotten.insert(old.source, old.position);
                self.first += 1;
            }
        }
        (self.next() > before).then(|| Head(self.next()))
    }

    fn next(&self) -> u64 {
        self.first + u64::try_from(self.entries.len()).unwrap_or(u64::MAX)
    }

    /// What comes next in `reading`, or nothing if part of it is no longer in memory.
    pub(super) fn read(&self, reading: &mut Reading, limit: usize) -> Option<LogRead> {
        let behind = reading
            .passed
            .iter()
            .any(|(source, passed)| self.forgotten.get(source).is_some_and(|gone| gone > passed));
        if behind {
            reading.next = 0;
            return None;
        }
        let mut read = LogRead::default();
        let skip = usize::try_from(reading.next.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let mut next = reading.next.max(self.first);
        for entry in self.entries.iter().skip(skip) {
            if read.entries.len() == limit {
                break;
            }
            next += 1;
            let Some(passed) = reading.passed.get(&entry.source) else { continue };
            if entry.position > *passed {
                read.passed.insert(entry.source, entry.position);
                if entry.event.as_ref().is_ok_and(|event| reading.wants(event)) {
                    read.entries.push(entry.clone());
                }
            }
        }
        read.next = next;
        Some(read)
    }
}

impl LogRead {
    /// Whether anything was looked through, wanted or not.
    pub(crate) fn passed_any(&self) -> bool {
        !self.passed.is_empty()
    }

    /// Takes in a row of an outbox.
    pub(super) fn note(&mut self, source: Source, position: i64, text: &str, reading: &Reading) {
        self.passed.insert(source, position);
        let event = match Envelope::from_json(text) {
            Ok(event) if !reading.wants(&event) => return,
            Ok(event) => Ok(Arc::new(event)),
            Err(DecodeError::UnknownType(kind)) => {
                metrics::counter!("events_of_unknown_type_total", "type" => kind).increment(1);
                return;
            }
            Err(error) => Err(Unreadable { text: text.to_owned(), why: error.to_string() }),
        };
        self.entries.push(LogEntry { source, position, event });
    }

    /// By the time of their making, for the outboxes were read one after the other.
    pub(super) fn sort(&mut self) {
        self.entries.sort_by_key(|entry| {
            let made = entry.event.as_ref().map(|event| event.id).ok();
            (made, entry.source, entry.position)
        });
    }
}
