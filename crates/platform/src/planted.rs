//! Bugs planted on purpose, so that the simulation can show that it would find them.
//!
//! Without the feature `planted`, which no program of the shop is built with, [`is`] is `false` at
//! compile time and the bugs are not there. With it, one at a time can be planted by `plant`.

/// A bug of a kind that shops have had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {
    /// Goods are held whether they are there or not.
    HoldWithoutLooking,
    /// The goods of a hold that ran out stay promised.
    LapsedHoldKept,
    /// What nobody knows of a payment counts as refused.
    UnknownIsDeclined,
    /// Money that comes after the end of its order is kept.
    LateMoneyKept,
    /// A refund of which nobody knows whether it took place counts as refused, and is made again.
    RefundedTwice,
    /// A parcel may leave when its money is guaranteed and not yet taken.
    ShipsUnpaid,
    /// An event that comes again is handled again.
    HandledTwice,
    /// Events are told before it is known whether they are committed.
    ToldBeforeCommit,
    /// A consumer passes over what it failed to handle.
    PassedOver,
    /// What is not known yet counts as handled.
    NotYetIsDone,
    /// An order is placed without a deadline.
    NoDeadline,
    /// The customer says what an order costs.
    CustomersPrice,
    /// An old version of a product overwrites a newer one.
    OldOverNew,
    /// Money is taken and not booked.
    TakenUnbooked,
    /// What came of a request is not kept with its key, so that a repeated one is new.
    KeyForgotten,
    /// What came of an effect is recorded, and the effect stays: it is performed again.
    EffectStays,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::HoldWithoutLooking,
        Self::LapsedHoldKept,
        Self::UnknownIsDeclined,
        Self::LateMoneyKept,
        Self::RefundedTwice,
        Self::ShipsUnpaid,
        Self::HandledTwice,
        Self::ToldBeforeCommit,
        Self::PassedOver,
        Self::NotYetIsDone,
        Self::NoDeadline,
        Self::CustomersPrice,
        Self::OldOverNew,
        Self::TakenUnbooked,
        Self::KeyForgotten,
        Self::EffectStays,
    ];
}

/// Whether `bug` is planted.
#[cfg(not(feature = "planted"))]
#[inline]
pub const fn is(_: Bug) -> bool {
    false
}

#[cfg(feature = "planted")]
mod planting {
    use std::sync::{PoisonError, RwLock};

    use super::Bug;

    static PLANTED: RwLock<Option<Bug>> = RwLock::new(None);

    /// Whether `bug` is planted.
    pub fn is(bug: Bug) -> bool {
        *PLANTED.read().unwrap_or_else(PoisonError::into_inner) == Some(bug)
    }

    /// From now on this bug, or none, is planted in every shop of the process.
    pub fn plant(bug: Option<Bug>) {
        *PLANTED.write().unwrap_or_else(PoisonError::into_inner) = bug;
    }
}

#[cfg(feature = "planted")]
pub use planting::{is, plant};
