//! The kernel's contract: what every service may rely on, on both engines.
//!
//! Two small services, [`support::House`] and [`support::Shop`], do what the subjects of events
//! and timers tell them: succeed, fail, panic, wait. PostgreSQL is the one of `DATABASE_URL`
//! (`scripts/with-postgres`), NATS that of `NATS_URL` (`scripts/with-nats`).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bus;
mod effects;
mod faults;
mod file;
mod follow;
mod gate;
mod idempotency;
mod led;
mod log;
mod lost_answers;
mod nats;
mod parked;
mod permissions;
mod retention;
mod retries;
mod runtime;
mod support;
mod timers;
mod together;
mod units;
mod upgrade;
