//! The bus of hand-over mode: it takes events out of the outboxes, keeps a copy for every listener
//! until that has acknowledged it, and until then delivers them late, in any order and more than
//! once. Copies that were acknowledged may come again much later.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use contracts::{Envelope, EventId, Source};

/// A copy of an event for one listener.
#[derive(Debug, Clone)]
pub struct Copy {
    /// For whom.
    pub to: Source,
    /// Whose outbox it is in, and where.
    pub from: (Source, i64),
    /// The event.
    pub event: Arc<Envelope>,
}

/// The bus.
#[derive(Debug, Default)]
pub struct Bus {
    /// Copies that are not acknowledged, by listener, in the order in which they were taken up.
    waiting: BTreeMap<Source, Vec<Copy>>,
    /// Copies on their way at present, by listener.
    on_the_way: BTreeMap<Source, BTreeSet<EventId>>,
    /// Acknowledged copies that may come once more.
    echoes: Vec<Copy>,
    /// Which events each listener has ever acknowledged.
    acknowledged: BTreeMap<Source, BTreeSet<EventId>>,
    /// What was taken up, and who has still to acknowledge it.
    unacknowledged: BTreeMap<(Source, i64), BTreeSet<Source>>,
}

impl Bus {
    /// Takes up what was found in the outbox of `from`, unless it is under way already.
    pub fn take_up(
        &mut self,
        from: Source,
        found: Vec<(i64, Arc<Envelope>)>,
        listeners: impl Fn(&Envelope) -> Vec<Source>,
    ) {
        for (position, event) in found {
            if self.unacknowledged.contains_key(&(from, position)) {
                continue;
            }
            let to = listeners(&event);
            for listener in &to {
                let copy =
                    Copy { to: *listener, from: (from, position), event: Arc::clone(&event) };
                self.waiting.entry(*listener).or_default().push(copy);
            }
            self.unacknowledged.insert((from, position), to.into_iter().collect());
        }
    }

    /// How many copies wait for a listener and are not on their way.
    pub fn waiting_for(&self, to: Source) -> usize {
        let on_the_way = self.on_the_way.get(&to).map_or(0, BTreeSet::len);
        self.waiting.get(&to).map_or(0, Vec::len).saturating_sub(on_the_way)
    }

    /// Sends copies to a listener: those chosen by `choose` out of what waits for it.
    pub fn send(&mut self, to: Source, choose: impl FnOnce(usize) -> Vec<usize>) -> Vec<Copy> {
        let under_way = self.on_the_way.entry(to).or_default();
        let free: Vec<&Copy> = self
            .waiting
            .get(&to)
            .map(|copies| {
                copies.iter().filter(|copy| !under_way.contains(&copy.event.id)).collect()
            })
            .unwrap_or_default();
        let sent: Vec<Copy> = choose(free.len())
            .into_iter()
            .filter_map(|which| free.get(which).map(|copy| (*copy).clone()))
            .collect();
        under_way.extend(sent.iter().map(|copy| copy.event.id));
        sent
    }

    /// Copies came back without an acknowledgement: they will be sent again.
    pub fn came_back(&mut self, copies: &[Copy]) {
        for copy in copies {
            if let Some(under_way) = self.on_the_way.get_mut(&copy.to) {
                under_way.remove(&copy.event.id);
            }
        }
    }

    /// Copies were acknowledged. Positions that everybody has are given back, to be marked.
    pub fn acknowledged(&mut self, copies: &[Copy], may_echo: bool) {
        self.came_back(copies);
        for copy in copies {
            self.acknowledged.entry(copy.to).or_default().insert(copy.event.id);
            if let Some(waiting) = self.waiting.get_mut(&copy.to) {
                waiting.retain(|other| other.event.id != copy.event.id);
            }
            if let Some(left) = self.unacknowledged.get_mut(&copy.from) {
                left.remove(&copy.to);
            }
            if may_echo && self.echoes.len() < 64 {
                self.echoes.push(copy.clone());
            }
        }
    }

    /// Positions of an outbox that everybody has.
    pub fn done(&self, from: Source) -> Vec<i64> {
        self.unacknowledged
            .iter()
            .filter(|((source, _), left)| *source == from && left.is_empty())
            .map(|((_, position), _)| *position)
            .collect()
    }

    /// They are marked as published: the bus forgets them.
    pub fn marked(&mut self, from: Source, positions: &[i64]) {
        for position in positions {
            self.unacknowledged.remove(&(from, *position));
        }
    }

    /// How many acknowledged copies may still come once more.
    pub fn echoes(&self) -> usize {
        self.echoes.len()
    }

    /// An acknowledged copy comes once more.
    pub fn echo(&mut self, which: usize) -> Option<Copy> {
        (which < self.echoes.len()).then(|| self.echoes.swap_remove(which))
    }

    /// What a listener has acknowledged since the bus had its disk.
    pub fn acknowledged_by(&self, listener: Source) -> BTreeSet<EventId> {
        self.acknowledged.get(&listener).cloned().unwrap_or_default()
    }

    /// Everything on its way is lost with the process that was to have it; the bus keeps its copies.
    pub fn listeners_died(&mut self) {
        self.on_the_way.clear();
    }

    /// The bus loses its disk: whatever it had is still in the outboxes, unmarked.
    pub fn lose_everything(&mut self) {
        *self = Self::default();
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.values().all(Vec::is_empty) && self.unacknowledged.is_empty()
    }
}
