//! The kernel under every service: data, events, time, ids, HTTP, configuration, telemetry.
//!
//! It knows nothing of shops. A service hands it a [`service::Service`] and gets exactly-once
//! effects, timers, outside effects and dead letters on either database engine.
//!
//! **Invariant.** Time, ids and randomness come from [`clock`] and [`ids`] alone, tasks from
//! [`tasks`]; clippy bans the others. That is what lets the simulation own them.

pub mod bus;
pub mod cache;
pub mod cause;
pub mod clock;
pub mod config;
pub mod db;
pub mod http;
pub mod ids;
pub mod keep;
pub mod kernel;
pub mod planted;
pub mod rates;
pub mod redis;
pub mod service;
pub mod tasks;
pub mod telemetry;
pub mod testing;
pub mod tls;
