//! The test of the tester: bugs of a kind that shops have had are planted one at a time, and each
//! must be found.

use platform::planted::{Bug, plant};

use crate::swarm::{self, Seeds};
use crate::world::Failure;

/// Every planted bug is found within so many seeds.
pub const WITHIN: u64 = 2000;

/// How a planted bug was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// By which seed, counted from 1.
    pub seed: u64,
    /// What it broke.
    pub what: String,
}

/// Hunts for a bug on `jobs` threads; nothing, if no seed found it.
///
/// # Errors
/// When a run cannot even begin.
pub fn hunt(bug: Bug, jobs: usize) -> Result<Option<Found>, Failure> {
    plant(Some(bug));
    let seeds = Seeds { first: vec![], from: 1, count: WITHIN, jobs, stop_at_failure: true };
    let report = swarm::run(&seeds, &|_| false);
    plant(None);
    let found = report?.failed.into_iter().next();
    Ok(found.map(|outcome| Found {
        seed: outcome.seed,
        what: outcome.failure.map(|(what, _)| what).unwrap_or_default(),
    }))
}
