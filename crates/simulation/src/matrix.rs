//! The crash matrix: a golden order is bought, paid, packed, sent and delivered without trouble,
//! and the process dies at each point at which it can; then at each pair of points.
//!
//! The run after a death differs from the one without, so the second point of a pair is counted in
//! the run that died at the first.

use std::time::Duration;

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
