//! The crash matrix: a golden order is bought, paid, packed, sent and delivered without trouble,
//! and the process dies at each point at which it can; then at each pair of points.
//!
//! The run after a death differs from the one without, so the second point of a pair is counted in
//! the run that died at the first.

use std::time::Duration;

use crate::chance::Chance;
use crate::crashes::CrashPoints;
use crate::people::{Mood, Shopper};
use crate::plan::{BusKind, Plan};
use crate::run::{Outcome, judged};
use crate::template::Template;
use crate::trace::Lines;
use crate::world::{Failure, Step, World};

/// A story whose points are walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Golden {
    /// How it is paid.
    pub method: &'static str,
    /// The provider's token.
    pub token: &'static str,
    /// How events travel.
    pub bus: BusKind,
    /// Whether the customer cancels once it is confirmed.
    pub cancelled: bool,
}

/// The stories of the matrix.
pub const GOLDEN: &[Golden] = &[
    Golden { method: "card", token: "ok", bus: BusKind::Log, cancelled: false },
    Golden { method: "card_auto", token: "ok", bus: BusKind::Log, cancelled: true },
    Golden { method: "card", token: "action", bus: BusKind::HandOver, cancelled: false },
    Golden { method: "on_delivery", token: "ok", bus: BusKind::Log, cancelled: false },
    Golden { method: "card", token: "action", bus: BusKind::Led, cancelled: false },
    Golden { method: "card_auto", token: "ok", bus: BusKind::Led, cancelled: true },
];

/// How many points a story has: it is run once without a death.
///
/// # Errors
/// When it fails even so.
pub fn points(template: &Template, golden: Golden) -> Result<u64, Failure> {
    let (outcome, passed) = die_at(template, golden, &[], Lines::Hashed)?;
    match outcome.failure {
        None => Ok(passed),
        Some((what, last)) => {
            Err(Failure::new(format!("without any death: {what}\n{}", last.join("\n"))))
        }
    }
}

/// Runs a story in which the process dies at `points`; also says how many points there were.
///
/// # Errors
/// When the run cannot even begin.
pub fn die_at(
    template: &Template,
    golden: Golden,
    points: &[u64],
    lines: Lines,
) -> Result<(Outcome, u64), Failure> {
    let plan = Plan { bus: golden.bus, ..Plan::quiet(7) };
    let mut world = template.world(plan, lines)?;
    world.open_shop()?;
    world.points = CrashPoints::dying_at(points.iter().copied());
    world.people.shoppers = vec![Shopper::plain(0, golden.method, golden.token)];
    let mut passed = 0;
    let outcome = judged(7, world, |world| {
        world.golden_order(golden)?;
        passed = world.points.passed();
        world.points = CrashPoints::default();
        world.heal()
    });
    Ok((outcome, passed))
}

/// Pairs of points to die at, chosen by a seed: one of each story in turn, from anywhere in it, so
/// that however soon it ends every story has had its share.
#[derive(Debug)]
pub struct Pairs {
    chance: Chance,
    points: Vec<u64>,
    walked: Vec<u64>,
    next: usize,
}

impl Pairs {
    /// Those of a seed.
    ///
    /// # Errors
    /// When a story fails without any death.
    pub fn of(template: &Template, seed: u64) -> Result<Self, Failure> {
        let counted = GOLDEN.iter().map(|golden| points(template, *golden));
        Ok(Self::among(counted.collect::<Result<_, _>>()?, seed))
    }

    /// Those of a seed, in stories that have so many points.
    fn among(points: Vec<u64>, seed: u64) -> Self {
        let walked = vec![0; points.len()];
        let mut chance = Chance::of(seed, 0x9a15);
        let next = chance.below(points.len());
        Self { chance, points, walked, next }
    }

    /// The next story, by its number, and two points in it. A death makes the rest of a story longer,
    /// so that the second may be beyond its end without one.
    pub fn choose(&mut self) -> (usize, [u64; 2]) {
        let story = self.next;
        self.next = (story + 1) % self.points.len().max(1);
        let points = self.points.get(story).copied().unwrap_or(1);
        let first = self.below(points);
        let second = first + 1 + self.below(points - first + points / 4);
        if let Some(walked) = self.walked.get_mut(story) {
            *walked += 1;
        }
        (story, [first, second])
    }

    /// How many pairs each story has had.
    pub fn walked(&self) -> &[u64] {
        &self.walked
    }

    fn below(&mut self, end: u64) -> u64 {
        let end = usize::try_from(end.max(1)).unwrap_or(usize::MAX);
        u64::try_from(self.chance.below(end)).unwrap_or(0)
    }
}

impl World {
    /// One order from the cart to the doorstep, or to its cancellation.
    fn golden_order(&mut self, golden: Golden) -> Step {
        for _ in 0..8 {
            self.let_shop(0)?;
            self.come_to_rest()?;
            self.everybody_agrees();
            self.come_to_rest()?;
            self.pass(Duration::from_secs(1));
        }
        if golden.cancelled {
            self.cancel_first_order()?;
            self.come_to_rest()?;
        }
        for _ in 0..12 {
            if !self.let_work(Mood::Finishing)? {
                break;
            }
            self.come_to_rest()?;
            self.pass(Duration::from_secs(1));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Pairs;

    #[test]
    fn a_few_pairs_reach_every_story_and_another_seed_other_points() {
        let pairs = |seed| {
            let mut pairs = Pairs::among(vec![100, 60, 80], seed);
            let chosen: Vec<_> = (0..30).map(|_| pairs.choose()).collect();
            assert_eq!(pairs.walked(), [10, 10, 10]);
            chosen
        };
        let (one, same, other) = (pairs(1), pairs(1), pairs(2));
        assert_eq!(one, same);
        assert_ne!(one, other);
        assert!(one.iter().all(|(_, [first, second])| first < second));
        let firsts: BTreeSet<u64> = one.iter().map(|(_, [first, _])| *first).collect();
        assert!(firsts.len() > 15 && firsts.last() > Some(&60), "{firsts:?}");
    }
}
