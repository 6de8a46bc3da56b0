//! Carts and orders: what was agreed, and how it stands.
//!
//! Wiring only. The rules are in [`domain`].

pub mod config;
pub mod domain;
