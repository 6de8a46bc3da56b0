//! Who may see a payment: staff, and the guest whose token opens its order.

use contracts::PaymentId;
use platform::db::{Result, Tx};
use platform::http::{Principal, Problem, Role};

use crate::store;

/// Who looks after money.
pub(super) const KEEPERS: &[Role] = &[Role::Support];

/// As whom somebody sees a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Access {
    /// As staff.
    Staff,
    /// As the guest with this token's hash.
    Guest(String),
}

impl Access {
    /// As whom `principal` may ask at all. Whoever is nobody sees nothing, as if it were not there.
    pub(super) fn of(principal: &Principal) -> std::result::Result<Self, Problem> {
        match (principal.staff(KEEPERS), principal.guest_token_hash()) {
            (Some(_), _) => Ok(Self::Staff),
            (None, Some(hash)) => Ok(Self::Guest(hash.to_owned())),
            (None, None) => Err(Problem::not_found()),
        }
    }

    /// Whether a payment is there for this one to see.
    pub(super) async fn opens(&self, tx: &mut Tx<'_>, id: PaymentId) -> Result<bool> {
        match self {
            Self::Staff => Ok(true),
            Self::Guest(hash) => store::may_see(tx, id, hash).await,
        }
    }
}
