//! The rules of money: what an order owes, what the provider guarantees, takes and gives back,
//! and the books and documents that follow. Pure: no I/O, no clock, no randomness.
//!
//! What it leaves alone: how a provider is spoken to ([`crate::provider`]), how anything is kept,
//! and what other services call these things.

mod aftermath;
mod answer;
mod apply;
pub mod bill;
mod by_hand;
mod command;
mod decide;
pub mod document;
mod examples;
pub mod ledger;
mod next;
mod operation;
mod person;
mod reply;
mod settle;
mod state;
mod stray;
mod table;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_by_hand;
#[cfg(test)]
mod tests_contrary;

pub use aftermath::{Aftermath, Credit, Settled, aftermath};
pub use answer::KEY_LIFE;
pub use bill::Bill;
pub use command::{Account, Command, Event, Moment, Portion, Refusal, StrayNews};
pub use operation::{CaptureMode, Method, Operation, OperationKind, OperationStatus};
pub use person::NeedsPerson;
pub use reply::Reply;
pub use state::{
    Choice, Clearing, EndReason, Held, Intent, OrderStanding, Parcel, ParcelLine, ParcelState,
    Payment, Receipt, Reduction, Refund, RefundState, Status, Stray,
};
pub use table::{Transition, answer_table, operation_transitions, transition_table, transitions};
