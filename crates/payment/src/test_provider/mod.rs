//! A payment provider to try things out with: a small HTTP server of its own, with its own memory,
//! that does whatever the test method's token tells it to: decline, ask for action, time out before
//! or after it has done something, repeat and reorder its signed webhooks.
//!
//! | token | what happens |
//! |---|---|
//! | `ok` (or none) | the money is guaranteed, or taken at once |
//! | `decline`, `decline_insufficient_funds` | it is refused |
//! | `action` | the shopper has 15 minutes to confirm on a page |
//! | `timeout_before` | the first call is lost: nothing happens, no answer |
//! | `timeout_after` | it happens, no answer |
//! | `error_after` | it happens, the answer is an error |
//! | `capture_fails`, `capture_fails_once` | captures are refused: all, or the first |
//! | `refund_fails`, `refund_fails_once` | refunds are refused: all, or the first |
//! | `webhook_repeat` | its webhook is sent five times |
//! | `webhook_reorder` | its webhooks come in the wrong order |
//! | `wrong_amount` | one minor unit less than asked for is guaranteed |
//! | `slow` | the answer takes its time |
//!
//! Webhooks tell what the shop may not have heard: what the shopper decided, and what came of
//! `timeout_after`, `error_after`, `webhook_repeat`, `webhook_reorder` and `wrong_amount`.
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
pub use client::{Client, NoClient};
pub use direct::Direct;
pub use http::{Config, serve};
pub use sign::{SIGNATURE_HEADER, sign, verify};
pub use wire::{Answer, Call, Fault, OperationKind, Outcome, State, View, Webhook};
