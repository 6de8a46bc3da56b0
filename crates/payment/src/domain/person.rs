//! What only a person can do for a payment, so that staff can be shown it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Clearing, Intent, OrderStanding, ParcelState, Payment, RefundState};

/// What a person has to see to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NeedsPerson {
    /// Money that came by hand has to be paid out: no provider can give it back.
    PayOut,
    /// The provider's account contradicts ours.
    Conflicted,
    /// The provider refused something that can be tried again.
    Refused,
}

impl NeedsPerson {
    /// Its name in the store and over HTTP.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PayOut => "pay_out",
            Self::Conflicted => "conflicted",
            Self::Refused => "refused",
        }
    }
}

impl Payment {
    /// What a person has to see to, if anything: the most pressing.
    pub fn needs_person(&self) -> Option<NeedsPerson> {
        if self.to_pay_out_minor() > 0 {
            Some(NeedsPerson::PayOut)
        } else if matches!(self.intent, Intent::Conflicted { .. }) {
            Some(NeedsPerson::Conflicted)
        } else if self.was_refused() {
            Some(NeedsPerson::Refused)
        } else {
            None
        }
    }

    /// What a person has to pay out, in minor units: of an order that has ended all that came by
    /// hand, of one that stands what was granted.
    pub fn to_pay_out_minor(&self) -> i64 {
        let Some(held) = self.held().filter(|held| held.is_by_hand()) else { return 0 };
        match self.order {
            OrderStanding::Ended { .. } => held.kept_minor(),
            OrderStanding::Open => {
                let granted = self.refunds.iter().filter(|refund| match refund.state {
                    RefundState::Wanted | RefundState::Refused { .. } => true,
                    RefundState::Done => false,
                });
                let granted: i64 = granted.map(|refund| refund.amount_minor).sum();
                granted.min(held.kept_minor())
            }
        }
    }

    /// Whether the provider refused something that can be tried again.
    pub(super) fn was_refused(&self) -> bool {
        match &self.order {
            OrderStanding::Ended { clearing: Clearing::Stuck { .. }, .. } => true,
            OrderStanding::Ended { clearing: Clearing::Going, .. } => false,
            OrderStanding::Open => {
                let parcel =
                    self.parcels.iter().any(|p| matches!(p.state, ParcelState::Refused { .. }));
                let refund =
                    self.refunds.iter().any(|r| matches!(r.state, RefundState::Refused { .. }));
                parcel || refund || self.rest_refused.is_some()
            }
        }
    }
}
