//! What else drives a shop from outside: a client that costs little.

pub mod client;
