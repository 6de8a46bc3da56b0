//! The one source of ids, secrets and other randomness.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use contracts::Id;
use rand::rngs::{StdRng, SysRng};
use rand::{Rng, SeedableRng};
use uuid::Uuid;

use crate::clock::Clock;

/// Gives out ids that sort by time of creation, and secrets. Clones share one generator.
#[derive(Clone)]
pub struct Ids {
    clock: Clock,
    generator: Arc<Mutex<Generator>>,
}

struct Generator {
    random: StdRng,
    millis: u64,
    counter: u16,
}

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ids")
    }
}

impl Ids {
    /// Seeded by the operating system.
    pub fn from_system(clock: Clock) -> Self {
        let random = StdRng::try_from_rng(&mut SysRng)
            // Without randomness no id is unique and no token secret: there is nothing to go on with.
            .unwrap_or_else(|error| panic!("the system gives no randomness: {error}"));
        Self::new(clock, random)
    }

    /// The same ids for the same seed and the same times: for the simulation.
    pub fn from_seed(clock: Clock, seed: u64) -> Self {
        Self::new(clock, StdRng::seed_from_u64(seed))
    }

    fn new(clock: Clock, random: StdRng) -> Self {
        let generator = Generator { random, millis: 0, counter: 0 };
        Self { clock, generator: Arc::new(Mutex::new(generator)) }
    }

    /// A new UUID, version 7, greater than every one this generator gave out before.
    pub fn uuid(&self) -> Uuid {
        let now = u64::try_from(self.clock.now().micros() / 1000).unwrap_or(0);
        let mut generator = self.generator.lock().unwrap_or_else(PoisonError::into_inner);
        if now > generator.millis {
            generator.millis = now;
            generator.counter = 0;
        } else if generator.counter < 0x0fff {
            generator.counter += 1;
        } else {
            generator.millis += 1;
            generator.counter = 0;
        }
        let time = u128::from(generator.millis) << 80;
        let counter = u128::from(generator.counter) << 64;
        let random = u128::from(generator.random.next_u64() >> 2);
        Uuid::from_u128(time | (0x7 << 76) | counter | (0b10 << 62) | random)
    }

    /// A new id.
    pub fn id<K>(&self) -> Id<K> {
        Id::from_uuid(self.uuid())
    }

    /// 256 bits nobody can guess.
    pub fn secret(&self) -> [u8; 32] {
        let mut secret = [0; 32];
        let mut generator = self.generator.lock().unwrap_or_else(PoisonError::into_inner);
        generator.random.fill_bytes(&mut secret);
        secret
    }

    /// 64 random bits.
    pub fn bits(&self) -> u64 {
        let mut generator = self.generator.lock().unwrap_or_else(PoisonError::into_inner);
        generator.random.next_u64()
    }
}

#[cfg(test)]
mod tests {
    use contracts::Timestamp;

    use super::*;

    #[test]
    fn ids_sort_by_creation_even_within_a_millisecond_or_when_the_clock_goes_back() {
        let clock = Clock::standing_at(Timestamp::from_micros(1_000_000_000));
        let ids = Ids::from_seed(clock.clone(), 1);
        let mut given: Vec<Uuid> = (0..10_000).map(|_| ids.uuid()).collect();
        clock.set(Timestamp::from_micros(0));
        given.push(ids.uuid());
        assert!(given.is_sorted());
        assert!(given.iter().all(|id| id.get_version_num() == 7));
    }
}
