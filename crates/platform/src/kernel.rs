//! Events, retries, timers, effects and dead letters: one mechanism carries them all.
//!
//! A unit of work leaves events, timers and effects in its transaction (`pending`). The
//! [`inbox`] holds everything that waits for the service: timers, effects, events that failed or
//! came too early. What fails eight times is parked for a person.

pub mod effects;
pub mod idempotency;
pub mod inbox;
pub mod outbox;
pub mod parked;
pub(crate) mod pending;
pub(crate) mod retention;
pub(crate) mod schema;
mod statements;
pub(crate) mod stream;
pub(crate) mod wake;
pub(crate) mod watch;

pub(crate) use statements::Statements;
