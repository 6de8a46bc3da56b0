//! Which event makes which message, and what is known of an order in order to write it. Pure.

mod brief;
mod plan;
mod stage;

pub use brief::{BriefLine, OrderBrief};
pub use plan::{Facts, Pieces, Telling, Why, plan};
pub use stage::{Stage, Status};
