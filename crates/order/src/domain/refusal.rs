//! Why a command was not carried out: the fact that stands against it.

use contracts::Money;

use super::Status;

/// A fact that stands against a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The order is not confirmed yet.
    #[error("the order is not confirmed yet")]
    NotConfirmedYet,
    /// Something has left the house or been handed over.
    #[error("part of the order has already left the house")]
    AlreadyLeft,
    /// The order has reached a final state.
    #[error("the order is {0}")]
    Ended(Status),
    /// The order is off, and its money goes back without anybody granting it.
    #[error("the order is {0}: its money goes back by itself")]
    MoneyReturnsItself(Status),
    /// Less money is there than is to be given back.
    #[error("at most {available} can be given back")]
    RefundExceedsCapture {
        /// What can be given back.
        available: Money,
    },
    /// Nothing or less is to be given back.
    #[error("an amount to give back is more than nothing")]
    RefundOfNothing,
    /// The order has no such line.
    #[error("the order has no such line")]
    NoSuchLine,
}
