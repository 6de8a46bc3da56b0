//! All randomness of a run, from its seed. No floats: chances are in thousandths.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A seeded generator.
pub struct Chance(StdRng);

impl std::fmt::Debug for Chance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Chance")
    }
}

impl Chance {
    /// The generator of a seed. `stream` tells apart the generators of one run.
    pub fn of(seed: u64, stream: u64) -> Self {
        Self(StdRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ stream))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        match u64::try_from(end) {
            Ok(0) | Err(_) => 0,
            Ok(end) => usize::try_from(self.bits() % end).unwrap_or(0),
        }
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high.saturating_sub(low)).unwrap_or(0).saturating_add(1);
        low.saturating_add(i64::try_from(self.bits() % span).unwrap_or(0))
    }

    /// Happens so many times in a thousand.
    pub fn happens(&mut self, in_thousand: usize) -> bool {
        self.below(1000) < in_thousand
    }

    /// One of `choices`, which must not be empty.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        choices.get(self.below(choices.len()))
    }

    /// One of `choices` by its weight.
    pub fn weighted<T: Copy>(&mut self, choices: &[(usize, T)]) -> Option<T> {
        let sum: usize = choices.iter().map(|(weight, _)| weight).sum();
        let mut drawn = self.below(sum);
        for (weight, choice) in choices {
            if drawn < *weight {
                return Some(*choice);
            }
            drawn -= weight;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_and_another_seed_others() {
        let drawn = |seed| {
            let mut chance = Chance::of(seed, 1);
            (0..8).map(|_| chance.bits()).collect::<Vec<_>>()
        };
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
    }

    #[test]
    fn weights_of_nothing_choose_nothing() {
        let mut chance = Chance::of(1, 1);
        assert_eq!(chance.weighted(&[(0, 'a')]), None);
        assert_eq!(chance.weighted(&[(0, 'a'), (3, 'b')]), Some('b'));
    }
}
