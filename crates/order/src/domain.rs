//! The rules of carts and orders. Pure: no I/O, no clock, no randomness.
//!
//! - [`pricing`] reckons what a cart costs.
//! - [`cart`] says what a cart may hold and when it may become an order.
//! - [`order`] is the life of one order: [`order::Order::decide`] and [`order::Order::apply`].
//!
//! What it leaves alone: where offers come from, where orders are kept, who is told.

pub mod cart;
mod command;
pub mod contact;
mod event;
mod examples;
mod life;
#[cfg(test)]
mod life_tests;
mod money;
pub mod number;
pub mod order;
mod parcels;
mod people;
pub mod pricing;
mod refusal;
mod stock;
mod table;
mod units;

pub use command::Command;
pub use event::{Event, RefundKind};
pub use life::{CancelAsk, HoldReason, Life, Status};
pub use money::{Figures, Guarantee, PaymentNews, PaymentStanding, PaymentStatus, Waiting};
pub use order::{Agreed, AgreedLine, AgreedShipping, Order, Refund, Standing};
pub use parcels::{FulfilmentStatus, Parcel, ParcelNews, ParcelStep};
pub use refusal::Refusal;
pub use table::{Transition, transition_table, transitions};
pub use units::{Pieces, pieces};
