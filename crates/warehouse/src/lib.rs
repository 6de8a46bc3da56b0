//! Stock, holds and shipments.

pub mod config;
pub mod contract;
pub mod domain;
