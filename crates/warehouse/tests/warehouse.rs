//! The warehouse from outside: what it hears, what it says, what it answers over HTTP. Every test
//! runs on both engines.

#[cfg(test)]
#[path = "../../platform/tests/redis_support/mod.rs"]
mod redis_support;

#[cfg(test)]
mod warehouse {
    mod api;
    mod availability;
    mod fulfilment;
    mod holding;
    mod shop;
    mod work;
}
