//! The rules of the warehouse. Pure: no I/O, no clock, no randomness.
//!
//! Two things have a life here. A [`Shelf`] counts one unit at one place. A [`Claim`] is one order
//! as the warehouse sees it: goods held for it, then allocated to it, then packed into
//! [`Parcel`]s that leave. A claim decides with a [`Scene`] before it (the time and the shelves)
//! and says in [`Event`]s what changes; [`Claim::moves`] says what that does to the shelves.
//!
//! **Lines that need no shipping.** A service or a download is held only if somebody keeps stock of
//! it (licence keys, seats): where no shelf knows the unit, the line is always to be had. Such
//! goods never go into a parcel and are taken only from what is there; they are handed out when the
//! order is confirmed, and count as having left from then on. A line that needs shipping and that
//! no shelf knows is missing.
//!
//! **Order of messages.** Any message may be late, early or repeated. What the order or payment
//! service says about an order that is not known yet waits ([`Refusal::NotKnownYet`]), except that
//! an order which ended is remembered, so that its placing, when heard, holds nothing.
//!
//! It leaves alone who pays what: it only notes whether money is there.

mod claim;
mod decide;
mod examples;
mod file;
mod moves;
mod parcel;
mod shelf;
mod shelves;
mod table;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

pub use claim::{Claim, Command, Event};
pub use decide::{Refusal, Scene};
pub use file::{Funds, MoneyNews, OrderFile, OrderLine, Standing};
pub use moves::{Move, Movement, MovementKind};
pub use parcel::{Parcel, ParcelCommand, ParcelEvent, ParcelState};
pub use shelf::{Place, PlaceError, Shelf, ShelfCommand, ShelfEvent, ShelfRefusal};
pub use shelves::{Piece, Shelves};
pub use table::{Transition, parcel_table, parcel_transitions, transition_table, transitions};
