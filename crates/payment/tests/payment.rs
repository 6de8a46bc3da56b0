//! The payment service through HTTP and events only, on both engines, against the test provider.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "payment/shop.rs"]
mod shop;

#[path = "payment/books.rs"]
mod books;
#[path = "payment/money.rs"]
mod money;
#[path = "payment/provider.rs"]
mod provider;
#[path = "payment/staff.rs"]
mod staff;
#[path = "payment/trouble.rs"]
mod trouble;
#[path = "payment/webhooks.rs"]
mod webhooks;
#[path = "payment/work.rs"]
mod work;
