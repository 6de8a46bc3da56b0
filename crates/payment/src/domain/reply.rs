//! What a provider says about an operation, in words every provider shares.

use contracts::{Money, Timestamp};
use serde::{Deserialize, Serialize};

/// A provider's answer, to the operation itself or to the question what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// The money is guaranteed.
    Authorised {
        /// The provider's payment.
        reference: String,
        /// How much.
        amount: Money,
    },
    /// The money is taken.
    Captured {
        /// The provider's payment.
        reference: String,
        /// The provider's name for this taking, where it has one of its own.
        capture: String,
        /// How much this time.
        amount: Money,
    },
    /// What was guaranteed or begun is given up.
    Voided {
        /// The provider's payment.
        reference: String,
    },
    /// Money went back.
    Refunded {
        /// The provider's name for this refund.
        reference: String,
        /// How much this time.
        amount: Money,
    },
    /// The shopper has to do something first.
    ActionRequired {
        /// The provider's payment.
        reference: String,
        /// Where the shopper does it.
        url: String,
        /// Until when.
        expires_at: Timestamp,
    },
    /// Definitely not.
    Declined {
        /// Why, in the provider's code.
        code: String,
    },
    /// Nobody knows: a time-out, a broken connection, an error of the provider.
    Unknown {
        /// What was seen.
        why: String,
    },
}
