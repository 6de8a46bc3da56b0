//! Who buys: guests' contacts and addresses, learned from their orders.

pub mod domain;
