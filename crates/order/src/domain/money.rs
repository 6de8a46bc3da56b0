//! What the order knows of its payment, and what follows from it.
//!
//! Sums only ever grow, so late news of them does no harm; whatever can go back and forth (what the
//! payment waits for, whether it is guaranteed) is taken only from news that is not older than
//! what is known.

use contracts::{ShipmentId, Timestamp, events::PaymentTerms};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Event, HoldReason, Life, Order, Standing};

/// The payment, as far as the order has heard.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PaymentStanding {
    /// The newest position in the payment's history that was heard.
    pub version: i64,
    /// When the money comes, where payment has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<PaymentTerms>,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Waiting::is_nothing")]
    pub waiting: Waiting,
    /// Whether the provider guarantees money.
    #[serde(default)]
    pub guarantee: Guarantee,
    /// What has come in all, in minor units.
    #[serde(default)]
    pub captured_minor: i64,
    /// What has gone back in all, in minor units.
    #[serde(default)]
    pub refunded_minor: i64,
    /// What does not fit, if the provider's account contradicts ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<String>,
}

/// Whether the provider guarantees money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Guarantee {
    /// Not yet, or not at all.
    #[default]
    None,
    /// It does.
    Authorised {
        /// How much, in minor units.
        amount_minor: i64,
    },
    /// It was given up.
    Voided,
}

/// What a payment waits for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(tag = "for", rename_all = "snake_case")]
#[schema(as = PaymentWaiting)]
pub enum Waiting {
    /// Nothing that anybody here could do.
    #[default]
    Nothing,
    /// The shopper, at the provider's.
    Action {
        /// Where.
        url: String,
        /// Until when.
        expires_at: Timestamp,
    },
    /// The shopper, for another method.
    Method {
        /// Why the last one was declined, in the provider's code.
        reason: String,
        /// How many further attempts are allowed.
        attempts_left: i64,
    },
}

impl Waiting {
    fn is_nothing(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Action { .. } | Self::Method { .. } => false,
        }
    }
}

/// What payment says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentNews {
    /// Nothing has to be paid before the goods leave.
    NotRequired {
        /// When the money comes.
        terms: PaymentTerms,
    },
    /// The shopper has to do something.
    ActionRequired {
        /// Where.
        url: String,
        /// Until when.
        expires_at: Timestamp,
    },
    /// The provider guarantees the money.
    Authorised {
        /// How much, in minor units.
        amount_minor: i64,
    },
    /// The provider said no.
    Declined {
        /// Why, in the provider's code.
        reason: String,
        /// How many further attempts are allowed.
        attempts_left: i64,
    },
    /// Money has come.
    Captured {
        /// For which parcel.
        shipment_id: Option<ShipmentId>,
        /// How much in all, in minor units.
        captured_minor: i64,
        /// How much has gone back in all, in minor units.
        refunded_minor: i64,
    },
    /// Guaranteed money did not come.
    CaptureFailed {
        /// For which parcel.
        shipment_id: Option<ShipmentId>,
        /// Why, in the provider's code.
        reason: String,
    },
    /// The guarantee was given up.
    Voided,
    /// Money went back.
    Refunded {
        /// How much came in all, in minor units.
        captured_minor: i64,
        /// How much has gone back in all, in minor units.
        refunded_minor: i64,
    },
    /// The provider's account contradicts ours.
    Conflicted {
        /// What does not fit.
        reason: String,
    },
}

/// How the money stands, in one word.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// No money, no guarantee.
    None,
    /// Guaranteed.
    Authorised,
    /// Some has come.
    PartlyCharged,
    /// All has come.
    Charged,
    /// More has come than is due.
    Overcharged,
    /// Some has gone back.
    PartlyRefunded,
    /// All has gone back.
    Refunded,
    /// The guarantee was given up.
    Voided,
}

impl PaymentStatus {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Authorised => "authorised",
            Self::PartlyCharged => "partly_charged",
            Self::Charged => "charged",
            Self::Overcharged => "overcharged",
            Self::PartlyRefunded => "partly_refunded",
            Self::Refunded => "refunded",
            Self::Voided => "voided",
        }
    }

    /// Derived from the sums.
    pub fn of(standing: &Standing) -> Self {
        let PaymentStanding { captured_minor: captured, refunded_minor: refunded, .. } =
            standing.payment;
        if captured <= 0 {
            return match standing.payment.guarantee {
                Guarantee::None => Self::None,
                Guarantee::Authorised { .. } => Self::Authorised,
                Guarantee::Voided => Self::Voided,
            };
        }
        if refunded >= captured {
            Self::Refunded
        } else if refunded > 0 {
            Self::PartlyRefunded
        } else {
            match captured.cmp(&standing.due_minor()) {
                std::cmp::Ordering::Less => Self::PartlyCharged,
                std::cmp::Ordering::Equal => Self::Charged,
                std::cmp::Ordering::Greater => Self::Overcharged,
            }
        }
    }
}

/// The sums of an order, in minor units of its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Figures {
    /// Agreed when it was placed.
    pub total_minor: i64,
    /// Owed after what will not come was taken off and goodwill given.
    pub due_minor: i64,
    /// Has come.
    pub captured_minor: i64,
    /// Is to go back by decision, whether it already has or not.
    pub granted_minor: i64,
    /// Has gone back.
    pub refunded_minor: i64,
}

impl Figures {
    /// The sums of an order.
    pub fn of(order: &Order) -> Self {
        Self {
            total_minor: order.agreed.total.amount_minor,
            due_minor: order.standing.due_minor(),
            captured_minor: order.standing.payment.captured_minor,
            granted_minor: order.standing.granted_minor(),
            refunded_minor: order.standing.payment.refunded_minor,
        }
    }
}

/// News of the payment: noted in every state. The last allowed decline fails a waiting order;
/// money that did not come stops a confirmed one until it does.
pub fn hear(order: &Order, version: i64, news: PaymentNews) -> Vec<Event> {
    let is_old = version < order.standing.payment.version;
    let noted = Event::PaymentNoted { version, news: news.clone() };
    let mut after = order.standing.clone();
    after.payment.note(version, &news);
    let mut events = if after == order.standing { vec![] } else { vec![noted] };
    match &order.standing.life {
        Life::Pending { .. } if !is_old => events.extend(while_pending(news)),
        Life::Confirmed { .. } if !is_old => events.extend(while_confirmed(&after, news)),
        Life::OnHold { why, .. } => events.extend(while_on_hold(why, &after, news)),
        // Money that comes after the end is voided or refunded by payment itself.
        Life::Pending { .. }
        | Life::Confirmed { .. }
        | Life::Failed { .. }
        | Life::Expired
        | Life::Cancelled { .. }
        | Life::Completed => {}
    }
    events
}

fn while_pending(news: PaymentNews) -> Option<Event> {
    match news {
        PaymentNews::Declined { reason, attempts_left: ..=0 } => {
            Some(Event::Failed { reason: format!("the payment was declined: {reason}") })
        }
        // Money alone confirms nothing: the warehouse allocates, and that does.
        PaymentNews::Declined { .. }
        | PaymentNews::NotRequired { .. }
        | PaymentNews::ActionRequired { .. }
        | PaymentNews::Authorised { .. }
        | PaymentNews::Captured { .. }
        | PaymentNews::CaptureFailed { .. }
        | PaymentNews::Voided
        | PaymentNews::Refunded { .. }
        | PaymentNews::Conflicted { .. } => None,
    }
}

fn while_confirmed(after: &Standing, news: PaymentNews) -> Option<Event> {
    match news {
        // Settled already: the failure is old news of a capture that was made good.
        PaymentNews::CaptureFailed { .. } if after.kept_minor() >= after.due_minor() => None,
        PaymentNews::CaptureFailed { shipment_id, reason } => {
            Some(Event::PutOnHold { why: HoldReason::CaptureFailed { shipment_id, reason } })
        }
        PaymentNews::Conflicted { reason } => {
            Some(Event::PutOnHold { why: HoldReason::Conflict { reason } })
        }
        PaymentNews::NotRequired { .. }
        | PaymentNews::ActionRequired { .. }
        | PaymentNews::Authorised { .. }
        | PaymentNews::Declined { .. }
        | PaymentNews::Captured { .. }
        | PaymentNews::Voided
        | PaymentNews::Refunded { .. } => None,
    }
}

fn while_on_hold(why: &HoldReason, after: &Standing, news: PaymentNews) -> Option<Event> {
    match (why, news) {
        (
            HoldReason::CaptureFailed { shipment_id: failed, .. },
            PaymentNews::Captured { shipment_id, .. },
        ) if shipment_id == *failed || after.kept_minor() >= after.due_minor() => {
            Some(Event::Resumed)
        }
        // Another parcel's money came, or a person holds the order: it stays.
        (
            HoldReason::CaptureFailed { .. }
            | HoldReason::Staff { .. }
            | HoldReason::Conflict { .. },
            PaymentNews::Captured { .. }
            | PaymentNews::NotRequired { .. }
            | PaymentNews::ActionRequired { .. }
            | PaymentNews::Authorised { .. }
            | PaymentNews::Declined { .. }
            | PaymentNews::CaptureFailed { .. }
            | PaymentNews::Voided
            | PaymentNews::Refunded { .. }
            | PaymentNews::Conflicted { .. },
        ) => None,
    }
}

impl PaymentStanding {
    /// Takes note of `news`.
    pub(super) fn note(&mut self, version: i64, news: &PaymentNews) {
        let is_old = version < self.version;
        self.version = self.version.max(version);
        match news {
            PaymentNews::Captured { captured_minor, refunded_minor, .. }
            | PaymentNews::Refunded { captured_minor, refunded_minor } => {
                self.captured_minor = self.captured_minor.max(*captured_minor);
                self.refunded_minor = self.refunded_minor.max(*refunded_minor);
            }
            PaymentNews::NotRequired { terms } => self.terms = Some(*terms),
            PaymentNews::Conflicted { reason } => self.conflict = Some(reason.clone()),
            PaymentNews::ActionRequired { .. }
            | PaymentNews::Authorised { .. }
            | PaymentNews::Declined { .. }
            | PaymentNews::CaptureFailed { .. }
            | PaymentNews::Voided => {}
        }
        if !is_old {
            self.note_newest(news);
        }
    }

    fn note_newest(&mut self, news: &PaymentNews) {
        self.waiting = match news {
            PaymentNews::ActionRequired { url, expires_at } => {
                Waiting::Action { url: url.clone(), expires_at: *expires_at }
            }
            PaymentNews::Declined { reason, attempts_left } => {
                Waiting::Method { reason: reason.clone(), attempts_left: *attempts_left }
            }
            PaymentNews::NotRequired { .. }
            | PaymentNews::Authorised { .. }
            | PaymentNews::Captured { .. }
            | PaymentNews::CaptureFailed { .. }
            | PaymentNews::Voided
            | PaymentNews::Refunded { .. }
            | PaymentNews::Conflicted { .. } => Waiting::Nothing,
        };
        match news {
            PaymentNews::Authorised { amount_minor } => {
                self.guarantee = Guarantee::Authorised { amount_minor: *amount_minor };
            }
            PaymentNews::Voided => self.guarantee = Guarantee::Voided,
            PaymentNews::ActionRequired { .. }
            | PaymentNews::Declined { .. }
            | PaymentNews::NotRequired { .. }
            | PaymentNews::Captured { .. }
            | PaymentNews::CaptureFailed { .. }
            | PaymentNews::Refunded { .. }
            | PaymentNews::Conflicted { .. } => {}
        }
    }
}
