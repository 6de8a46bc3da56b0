//! What else drives a shop from outside: a client that costs little, and addresses for its servers.

pub mod client;
pub mod ports;
