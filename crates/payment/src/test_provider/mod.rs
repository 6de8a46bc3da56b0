//! A payment provider to try things out with: a small HTTP server of its own, with its own memory,
//! that does whatever the test method's token tells it to: decline, ask for action, time out before
//! or after it has done something, repeat and reorder its signed webhooks.
//!
//! [`Bank`] is its mind, without I/O. [`serve`] is the server, [`Client`] speaks to it over HTTP,
//! and [`Direct`] asks a bank in the same process, for the simulation and for benchmarks.

mod bank;
mod client;
mod direct;
mod http;
mod page;
mod sign;
mod wire;

pub use bank::Bank;
pub use client::Client;
pub use direct::Direct;
pub use http::{Config, serve};
pub use sign::{SIGNATURE_HEADER, sign, verify};
pub use wire::{Answer, Call, Fault, OperationKind, Outcome, State, View, Webhook};
