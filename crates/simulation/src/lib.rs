//! The whole shop under a seeded scheduler with faults: the real services on one database in
//! memory, one thread, virtual time.
//!
//! A [`plan`] says what a seed is to be like; `trouble` picks what happens next and what goes
//! wrong with it; `settle` heals and waits; the `auditor` judges. What is real: services,
//! kernel, routers, SQL. What is simulated: time, the provider, the mail server, the bus of
//! hand-over mode, people, and death.
//!
//! **Invariant.** All randomness comes from the seed, and no step looks at the machine's clock: a
//! seed replays byte for byte.

mod auditor;
mod bus;
mod chance;
mod clocks;
mod copies;
mod crashes;
mod deeds;
mod flight;
pub mod matrix;
mod people;
pub mod plan;
#[cfg(feature = "planted")]
pub mod planted;
mod poison;
mod post;
mod provider;
mod request;
pub mod run;
pub mod said;
mod settings;
mod settle;
mod shop;
mod situations;
pub mod sometimes;
pub mod swarm;
pub mod template;
pub mod trace;
mod trouble;
pub mod world;
