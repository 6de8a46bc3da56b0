//! Which mails may have been sent twice, and why: nothing else excuses a doubled one.

use std::collections::BTreeSet;
use std::time::Duration;

use contracts::Timestamp;
use uuid::Uuid;

/// What is recorded so long after it came up may have been lost to somebody else meanwhile: half of a
/// lease.
const SLOW: Duration = Duration::from_secs(60);

/// What has become of the effects that were taken.
#[derive(Debug)]
pub struct Deeds {
    /// The latest that the clock of whoever sends has shown: it may go back, and a lease is gone all
    /// the same.
    latest: Timestamp,
    /// Taken, and not recorded yet.
    open: BTreeSet<Uuid>,
    excused: BTreeSet<Uuid>,
}

impl Default for Deeds {
    fn default() -> Self {
        Self { latest: Timestamp::EPOCH, open: BTreeSet::new(), excused: BTreeSet::new() }
    }
}

impl Deeds {
    /// What the clock of whoever sends shows.
    pub fn see(&mut self, now: Timestamp) {
        self.latest = self.latest.max(now);
    }

    /// Effects were taken. One that somebody still has was taken from them because they were too slow.
    pub fn claimed(&mut self, ids: impl Iterator<Item = Uuid>) {
        for id in ids {
            if !self.open.insert(id) {
                self.excused.insert(id);
            }
        }
    }

    /// It was recorded what came of effects, unless that came too late; or that failed, and they will be
    /// done again.
    pub fn recorded(&mut self, ids: &[Uuid], done: bool) {
        for id in ids {
            let late = self.latest.since(born(*id)) >= SLOW;
            if self.open.remove(id) && (late || !done) {
                self.excused.insert(*id);
            }
        }
    }

    /// The process died with whatever it had taken.
    pub fn died(&mut self) {
        self.excused.append(&mut self.open);
    }

    /// Whether an effect may have been done more than once.
    pub fn may_be_double(&self, id: Uuid) -> bool {
        self.excused.contains(&id)
    }
}

/// When an effect came up: its id says it.
fn born(id: Uuid) -> Timestamp {
    let (millis, _) = id.as_u64_pair();
    Timestamp::from_micros(i64::try_from(millis >> 16).unwrap_or(0).saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use contracts::Timestamp;
    use platform::clock::Clock;
    use platform::ids::Ids;

    use super::{Deeds, SLOW};

    #[test]
    fn only_death_a_lost_record_and_slowness_excuse_what_is_done_twice() {
        let start = Timestamp::from_micros(1_795_348_800_000_000);
        let ids = Ids::from_seed(Clock::standing_at(start), 1);
        let [recorded, lost, taken, slow, died] = [(); 5].map(|()| ids.uuid());
        let mut deeds = Deeds::default();
        deeds.see(start.plus(Duration::from_secs(1)));
        deeds.claimed([recorded, lost, taken].into_iter());
        deeds.recorded(&[recorded], true);
        deeds.recorded(&[lost], false);
        deeds.claimed([taken].into_iter());
        deeds.recorded(&[taken], true);
        deeds.claimed([recorded, slow].into_iter());
        deeds.recorded(&[recorded], true);
        deeds.see(start.plus(SLOW));
        deeds.see(start);
        deeds.recorded(&[slow], true);
        deeds.claimed([died].into_iter());
        deeds.died();
        let double = [recorded, lost, taken, slow, died].map(|id| deeds.may_be_double(id));
        assert_eq!(double, [false, true, true, true, true]);
    }
}
