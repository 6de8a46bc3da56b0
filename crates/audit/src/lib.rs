//! The promises of the shop as pure functions over facts, in one place: the simulation, the fault
//! tests against real servers and `kontor doctor` all judge by them.
//!
//! What it leaves alone: how anything is mended, and when it is looked at. [`invariants::always`]
//! holds after every commit, [`invariants::at_rest`] once nothing is under way any more, and
//! [`invariants::live`] is for a shop that goes on while somebody looks.
//!
//! **Invariant.** The invariants see plain facts and no service: a bug in a service's code cannot
//! hide itself in the check. What cannot be broken by the form in which it is stored is not checked:
//! a posting takes from one account what it gives to another, and a payment has room for one
//! operation under way.
//!
//! What nobody can see from here: whether a mail was taken twice by its server. The simulation counts
//! what its mail server took; for a real one, the same Message-ID is the reader's to notice.

mod collect;
pub mod facts;
pub mod invariants;

pub use collect::{Databases, collect, unheard};
pub use facts::Facts;
pub use invariants::{Violation, always, at_rest, for_people, live, orders_nobody_took};
