//! What only a person can do for a payment, so that staff can be shown it.

use contracts::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Clearing, Intent, OrderStanding, ParcelState, Payment, RefundState, Status};

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
    /// A guarantee ends, and its money has not been taken.
    GuaranteeEnds,
}

impl NeedsPerson {
    /// Its name in the store and over HTTP.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PayOut => "pay_out",
            Self::Conflicted => "conflicted",
            Self::Refused => "refused",
            Self::GuaranteeEnds => "guarantee_ends",
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
        } else if self.end_told.is_some() && self.end_told == self.guarantee_ends_at() {
            Some(NeedsPerson::GuaranteeEnds)
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

    /// When what is guaranteed ends, while it is still to be taken.
    pub fn guarantee_ends_at(&self) -> Option<Timestamp> {
        let waits = matches!(self.status(), Status::Authorised | Status::PartlyCaptured);
        let held = self.held().filter(|held| waits && held.capturable_minor() > 0);
        held.map(|held| held.expires_at)
    }

    /// Whether the provider refused something that can be tried again.
    pub(super) fn was_refused(&self) -> bool {
        if self.strays.iter().any(|stray| stray.refused.is_some()) {
            return true;
        }
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
