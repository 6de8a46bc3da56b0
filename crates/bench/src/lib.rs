//! What drives a shop of real processes from outside: a client that costs little, and servers and
//! services of our own, on addresses that nobody else has.

pub mod apart;
pub mod client;
pub mod ports;
pub mod process;
pub mod servers;
pub mod told;
pub mod usage;
