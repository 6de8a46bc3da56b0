//! What one writer can never show: two transactions of one service against each other on a
//! PostgreSQL server, one of them stopped before every statement in turn, for the promises that
//! stand or fall with it: no overselling (P1), no double capture (P4), no double order (P11).
//!
//! Two instances of a service share a database here. Whole choreographies are left to the other
//! suites.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs, reason = "tests and their tools are named for what they say")]

mod house;
mod look;
mod meeting;
mod site;
mod till;
mod vault;

mod captures;
mod last_piece;
mod placing;
