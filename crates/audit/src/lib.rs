//! The promises of the shop as pure functions over facts, in one place: the simulation, the fault
//! tests against real servers and `kontor doctor` all judge by them.
//!
//! What it leaves alone: how anything is mended, and when it is looked at. [`invariants::always`]
//! holds after every commit, [`invariants::at_rest`] once nothing is under way any more.
//!
//! **Invariant.** The invariants see plain facts and no service: a bug in a service's code cannot
//! hide itself in the check.

mod collect;
pub mod facts;
pub mod invariants;

pub use collect::{Databases, collect};
pub use facts::Facts;
pub use invariants::{Violation, always, at_rest, for_people};
