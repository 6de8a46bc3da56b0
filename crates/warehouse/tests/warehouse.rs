//! The warehouse from outside: what it hears, what it says, what it answers over HTTP. Every test
//! runs on both engines.

#[cfg(test)]
mod warehouse {
    mod api;
    mod fulfilment;
    mod holding;
    mod shop;
    mod work;
}
