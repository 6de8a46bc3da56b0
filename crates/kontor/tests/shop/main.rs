//! The whole shop, tested from outside: through its HTTP API on both engines, as a program on disk
//! that is killed, and by its command line. Rules of single services are tested with them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs, reason = "tests and their tools are named for what they say")]

mod support;

mod apart;
mod bad_input;
mod bad_money;
mod cancelling;
mod choreography;
mod declines;
mod demo;
mod golden;
mod keeping;
mod keeping_apart;
mod kill;
mod late_money;
mod leaving;
mod mending;
mod old_data;
mod others;
mod pages;
mod parcels;
mod placing;
mod program;
mod rates;
mod restart;
mod terms;
mod tls;
mod trouble;
mod webhooks;
