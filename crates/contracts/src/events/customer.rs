//! What the customer service says. None of it carries personal data: only that it changed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::CustomerId;

/// Somebody became known to the shop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CustomerRegistered {
    /// The person.
    pub customer_id: CustomerId,
    /// The version of what is known.
    pub version: i64,
    /// Whether they bought without an account.
    pub guest: bool,
}

/// What is known of a person changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CustomerUpdated {
    /// The person.
    pub customer_id: CustomerId,
    /// The version of what is known.
    pub version: i64,
}

/// A person is forgotten; every service forgets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CustomerErased {
    /// The person.
    pub customer_id: CustomerId,
    /// The version of what is known.
    pub version: i64,
}
