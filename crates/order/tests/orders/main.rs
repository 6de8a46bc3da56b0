//! The order service from outside: over HTTP, and by events. Every test runs on both engines.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod carts;
mod life;
mod placing;
mod shop;
mod staff;
mod timeline;
mod work;
