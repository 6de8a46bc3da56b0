//! The latest events of all services in the order of their commits, in memory.
//!
//! What the outboxes hold, without reading and decoding it again for every consumer. It is a
//! cache: a consumer that has fallen behind reads the outboxes themselves.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use contracts::{Envelope, EventKind, Source};

use crate::db::tx::Published;
use crate::kernel::outbox::{Stored, Unreadable};

/// How many events are kept in memory at most.
const KEPT: usize = 16_384;

/// How long the texts of the events kept in memory may be together.
const KEPT_BYTES: usize = 16 << 20;

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
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    passed: BTreeMap<Source, i64>,
    wanted: Arc<[EventKind]>,
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
        Self { passed, wanted: wanted.into(), next: 0 }
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

    /// How many kinds of events it listens to.
    pub(super) fn wants_kinds(&self) -> usize {
        self.wanted.len()
    }

    fn wants(&self, kind: &str) -> bool {
        self.wanted.iter().any(|wanted| wanted.name == kind)
    }
}

#[derive(Default)]
pub(super) struct Log {
    /// The number of the first entry.
    first: u64,
    entries: VecDeque<(usize, LogEntry)>,
    /// How long their texts are together.
    bytes: usize,
    /// Up to where each outbox is no longer in memory.
    forgotten: BTreeMap<Source, i64>,
}

impl Log {
    /// The outbox of `source` reaches up to `position`, and none of it is in memory.
    pub(super) fn start(&mut self, source: Source, position: i64) {
        self.forgotten.insert(source, position);
    }

    pub(super) fn append(&mut self, committed: Vec<(Source, Vec<Published>)>) {
        for (source, published) in committed {
            for Published { position, bytes, event } in published {
                self.entries.push_back((bytes, LogEntry { source, position, event: Ok(event) }));
                self.bytes += bytes;
            }
        }
        while self.entries.len() > KEPT || self.bytes > KEPT_BYTES {
            let Some((bytes, old)) = self.entries.pop_front() else { break };
            self.forgotten.insert(old.source, old.position);
            self.first += 1;
            self.bytes -= bytes;
        }
    }

    /// Whose outboxes there are.
    pub(super) fn sources(&self) -> Vec<Source> {
        self.forgotten.keys().copied().collect()
    }

    /// Whether part of what comes next in `reading` is no longer in memory.
    pub(super) fn has_forgotten(&self, reading: &Reading) -> bool {
        reading
            .passed
            .iter()
            .any(|(source, passed)| self.forgotten.get(source).is_some_and(|gone| gone > passed))
    }

    /// What comes next in `reading`, or nothing if part of it is no longer in memory.
    pub(super) fn read(&self, reading: &mut Reading, limit: usize) -> Option<LogRead> {
        if self.has_forgotten(reading) {
            reading.next = 0;
            return None;
        }
        Some(self.read_on(reading, &[], limit))
    }

    /// What comes next in `reading`, with what a commit is about to append.
    pub(super) fn read_on(&self, reading: &Reading, ahead: &[LogEntry], limit: usize) -> LogRead {
        let mut read = LogRead::default();
        let skip = usize::try_from(reading.next.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let mut next = reading.next.max(self.first);
        let here = self.entries.range(skip.min(self.entries.len())..).map(|(_, entry)| entry);
        let ahead = ahead.get(skip.saturating_sub(self.entries.len())..).unwrap_or_default();
        for entry in here.chain(ahead) {
            if read.entries.len() == limit {
                break;
            }
            next += 1;
            let Some(passed) = reading.passed.get(&entry.source) else { continue };
            if entry.position > *passed {
                read.passed.insert(entry.source, entry.position);
                if entry.event.as_ref().is_ok_and(|event| reading.wants(event.payload.kind().name))
                {
                    read.entries.push(entry.clone());
                }
            }
        }
        read.next = next;
        read
    }
}

impl LogRead {
    /// Whether anything was looked through, wanted or not.
    pub(crate) fn passed_any(&self) -> bool {
        !self.passed.is_empty()
    }
}

/// What was read from the outboxes, one after the other.
#[derive(Default)]
pub(super) struct Found {
    entries: BTreeMap<Source, VecDeque<LogEntry>>,
    passed: BTreeMap<Source, i64>,
}

impl Found {
    /// Takes in the next row of an outbox.
    pub(super) fn note(
        &mut self,
        source: Source,
        position: i64,
        stored: Stored,
        reading: &Reading,
    ) {
        self.passed.insert(source, position);
        if reading.wants(&stored.kind) {
            let event = stored.read();
            self.entries.entry(source).or_default().push_back(LogEntry { source, position, event });
        } else {
            stored.pass_over();
        }
    }

    /// By the time of their making, but never out of the order of their outbox: the positions a
    /// consumer stores must not run ahead of what it has handled.
    pub(super) fn merged(mut self) -> LogRead {
        let mut entries = Vec::new();
        let made = |queue: &VecDeque<LogEntry>| {
            let event = queue.front().and_then(|entry| entry.event.as_ref().ok());
            event.map(|event| event.id)
        };
        while let Some((_, queue)) = self
            .entries
            .iter_mut()
            .filter(|(_, queue)| !queue.is_empty())
            .min_by_key(|(source, queue)| (made(queue), **source))
        {
            entries.extend(queue.pop_front());
        }
        LogRead { entries, passed: self.passed, next: 0 }
    }
}
