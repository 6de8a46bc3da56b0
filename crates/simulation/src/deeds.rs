//! Which mails may have been sent twice, and why: nothing else excuses a doubled one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use contracts::Timestamp;
use platform::kernel::effects::LEASE;
use uuid::Uuid;

/// What is recorded so long after it came up may have been lost to somebody else meanwhile: half of a
/// lease.
const SLOW: Duration = Duration::from_secs(LEASE.as_secs() / 2);

/// What has become of the effects that were taken.
#[derive(Debug)]
pub struct Deeds {
    /// The latest that the clock of whoever sends has shown: it may go back, and a lease is gone all
    /// the same.
    latest: Timestamp,
    /// Taken, and not recorded yet; and what the clock showed when they came up. (Their ids may say a
    /// later time: ids never go back, and the clock does.)
    open: BTreeMap<Uuid, Timestamp>,
    excused: BTreeSet<Uuid>,
}

impl Default for Deeds {
    fn default() -> Self {
        Self { latest: Timestamp::EPOCH, open: BTreeMap::new(), excused: BTreeSet::new() }
    }
}

impl Deeds {
    /// What the clock of whoever sends shows.
    pub fn see(&mut self, now: Timestamp) {
        self.latest = self.latest.max(now);
    }

    /// Effects were taken. One that somebody still has was taken from them because they were too slow.
    pub fn claimed(&mut self, effects: impl Iterator<Item = (Uuid, Timestamp)>) {
        for (id, since) in effects {
            if self.open.insert(id, since).is_some() {
                self.excused.insert(id);
            }
        }
    }

    /// It was recorded what came of effects, unless that came too late; or that failed, and they will be
    /// done again.
    pub fn recorded(&mut self, ids: &[Uuid], done: bool) {
        for id in ids {
            let since = self.open.remove(id);
            if since.is_some_and(|since| !done || self.latest.since(since) >= SLOW) {
                self.excused.insert(*id);
            }
        }
    }

    /// The process died with whatever it had taken.
    pub fn died(&mut self) {
        self.excused.extend(std::mem::take(&mut self.open).into_keys());
    }

    /// Whether an effect may have been done more than once.
    pub fn may_be_double(&self, id: Uuid) -> bool {
        self.excused.contains(&id)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use contracts::Timestamp;
    use uuid::Uuid;

    use super::{Deeds, SLOW};

    #[test]
    fn only_death_a_lost_record_and_slowness_excuse_what_is_done_twice() {
        let start = Timestamp::from_micros(1_795_348_800_000_000);
        let [recorded, lost, taken, slow, died] = [1, 2, 3, 4, 5].map(Uuid::from_u128);
        let of = |ids: &[Uuid]| ids.iter().map(|id| (*id, start)).collect::<Vec<_>>().into_iter();
        let mut deeds = Deeds::default();
        deeds.see(start.plus(Duration::from_secs(1)));
        deeds.claimed(of(&[recorded, lost, taken]));
        deeds.recorded(&[recorded], true);
        deeds.recorded(&[lost], false);
        deeds.claimed(of(&[taken]));
        deeds.recorded(&[taken], true);
        deeds.claimed(of(&[recorded, slow]));
        deeds.recorded(&[recorded], true);
        deeds.see(start.plus(SLOW));
        deeds.see(start);
        deeds.recorded(&[slow], true);
        deeds.claimed(of(&[died]));
        deeds.died();
        let double = [recorded, lost, taken, slow, died].map(|id| deeds.may_be_double(id));
        assert_eq!(double, [false, true, true, true, true]);
    }
}
