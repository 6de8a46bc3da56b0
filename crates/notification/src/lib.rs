//! Tells customers what becomes of their orders: one mail per stage.

pub mod domain;
pub mod mail;
