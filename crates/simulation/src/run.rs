//! One seed from its beginning to its verdict.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use contracts::Source;
use sha2::{Digest, Sha256};

use crate::plan::Plan;
use crate::said;
use crate::sometimes::Sometimes;
use crate::template::Template;
use crate::trace::Lines;
use crate::world::{Failure, World};

/// What a seed has come to.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Which seed.
    pub seed: u64,
    /// What is wrong, if anything is; and the last lines of the trace.
    pub failure: Option<(String, Vec<String>)>,
    /// What happened in it.
    pub sometimes: Sometimes,
    /// The hash of its trace and of everything the services said.
    pub hash: String,
    /// How many lines its trace has.
    pub lines: u64,
    /// How many orders were accepted.
    pub orders: usize,
    /// What was said in it, and by whom.
    pub said: BTreeSet<(Source, &'static str)>,
}

/// Runs a seed of the swarm.
///
/// # Errors
/// When the run cannot even begin.
pub fn swarm(template: &Template, seed: u64, lines: Lines) -> Result<Outcome, Failure> {
    let world = template.world(Plan::of(seed), lines)?;
    Ok(judged(seed, world, |world| {
        world.open_shop()?;
        world.trouble()?;
        world.heal()
    }))
}

/// Runs `story` in `world`; a panic in it is a failure like any other.
pub fn judged(
    seed: u64,
    mut world: World,
    story: impl FnOnce(&mut World) -> Result<(), Failure>,
) -> Outcome {
    let ran = catch_unwind(AssertUnwindSafe(|| story(&mut world)));
    let mut told = ran.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(Failure::new(format!("panic: {}", text.unwrap_or_default())))
    });
    let mut hash = Sha256::new();
    hash.update(world.trace.hash());
    let mut kinds = BTreeSet::new();
    if let Ok(said) = world.everything_said() {
        said.iter().for_each(|(_, event)| hash.update(event.to_json()));
        world.tell_stories(&said);
        kinds = said::kinds(&said);
        let undeclared = said::undeclared(&kinds);
        if !undeclared.is_empty() {
            let what = format!("said and not declared: {}", undeclared.join(", "));
            told = told.and(Err(Failure::new(what)));
        }
    }
    if let Some(shop) = &world.shop {
        // Whoever follows the log holds on to it, and would for ever.
        shop.sqlite.close();
    }
    Outcome {
        seed,
        failure: told.err().map(|failure| (failure.what, world.trace.last())),
        hash: hex::encode(hash.finalize()),
        lines: world.trace.count(),
        orders: world.auditor.accepted_orders(),
        sometimes: world.sometimes,
        said: kinds,
    }
}
