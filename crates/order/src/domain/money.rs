//! What the order knows of its payment, and what follows from it.
//!
//! Sums only ever grow, so late news of them does no harm; whatever can go back and forth (what the
//! payment waits for, whether it is guaranteed) is taken only from news that is not older than
//! what is known.

use std::collections::{BTreeMap, BTreeSet};

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
    /// The parcels whose money has come.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub captured_for: BTreeSet<Option<ShipmentId>>,
    /// The parcels whose money failed to come, each time it did.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub failures: BTreeSet<FailedCapture>,
}

/// Money that was guaranteed and did not come.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FailedCapture {
    /// For which parcel.
    pub shipment_id: Option<ShipmentId>,
    /// The position of the news in the payment's history.
    pub version: i64,
    /// Why, in the provider's code.
    pub reason: String,
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
/// money that did not come stops a confirmed one until it does, and an account that contradicts
/// ours stops it until a person has looked.
///
/// What stops an order does not depend on the order in which news is heard: of each parcel the
/// order remembers whether its money came and whether it failed to.
pub fn hear(order: &Order, version: i64, news: PaymentNews) -> Vec<Event> {
    let is_old = version < order.standing.payment.version;
    let noted = Event::PaymentNoted { version, news: news.clone() };
    let mut after = order.standing.clone();
    after.payment.note(version, &news);
    let mut events = if after == order.standing { vec![] } else { vec![noted] };
    match &order.standing.life {
        Life::Pending { .. } if !is_old => events.extend(while_pending(news)),
        Life::Confirmed { .. } => events.extend(new_hold(&order.standing, version, news)),
        Life::OnHold { reasons, .. } => {
            let new = new_hold(&order.standing, version, news);
            events.extend(new.filter(|event| !is_among(reasons, event)));
        }
        // Money that comes after the end is voided or refunded by payment itself.
        Life::Pending { .. }
        | Life::Failed { .. }
        | Life::Expired
        | Life::Cancelled { .. }
        | Life::Completed => {}
    }
    events
}

fn is_among(reasons: &BTreeSet<HoldReason>, event: &Event) -> bool {
    if let Event::PutOnHold { why } = event { reasons.contains(why) } else { false }
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

/// The reason to hold a confirmed order that news brings, unless it is known or over already.
fn new_hold(before: &Standing, version: i64, news: PaymentNews) -> Option<Event> {
    let why = match news {
        PaymentNews::CaptureFailed { shipment_id, reason } => {
            let known =
                before.payment.failures.iter().any(|failure| {
                    failure.shipment_id == shipment_id && failure.version >= version
                });
            let why = HoldReason::CaptureFailed { shipment_id, reason };
            if known || is_over(&why, before) { None } else { Some(why) }
        }
        PaymentNews::Conflicted { reason } => Some(HoldReason::Conflict { reason }),
        PaymentNews::NotRequired { .. }
        | PaymentNews::ActionRequired { .. }
        | PaymentNews::Authorised { .. }
        | PaymentNews::Declined { .. }
        | PaymentNews::Captured { .. }
        | PaymentNews::Voided
        | PaymentNews::Refunded { .. } => None,
    };
    why.map(|why| Event::PutOnHold { why })
}

/// Whether a reason to hold an order is gone by itself: the money came after all, for the parcel or
/// for everything. The others are for a person to end.
pub(super) fn is_over(why: &HoldReason, standing: &Standing) -> bool {
    match why {
        HoldReason::CaptureFailed { shipment_id, .. } => {
            standing.payment.captured_for.contains(shipment_id)
                || standing.kept_minor() >= standing.due_minor()
        }
        HoldReason::Staff { .. } | HoldReason::Conflict { .. } => false,
    }
}

/// Every reason to hold an order that was heard of while it could not be held yet.
pub(super) fn open_holds(standing: &Standing) -> BTreeSet<HoldReason> {
    let PaymentStanding { failures, conflict, .. } = &standing.payment;
    // Sorted by parcel and version: of each parcel the newest stays.
    let newest: BTreeMap<Option<ShipmentId>, &String> =
        failures.iter().map(|failure| (failure.shipment_id, &failure.reason)).collect();
    let failed = newest.into_iter().map(|(shipment_id, reason)| HoldReason::CaptureFailed {
        shipment_id,
        reason: reason.clone(),
    });
    let conflict = conflict.iter().map(|reason| HoldReason::Conflict { reason: reason.clone() });
    failed.chain(conflict).filter(|why| !is_over(why, standing)).collect()
}

impl PaymentStanding {
    /// Takes note of `news`.
    pub(super) fn note(&mut self, version: i64, news: &PaymentNews) {
        let is_old = version < self.version;
        self.version = self.version.max(version);
        match news {
            PaymentNews::Captured { shipment_id, captured_minor, refunded_minor } => {
                self.captured_for.insert(*shipment_id);
                self.note_sums(*captured_minor, *refunded_minor);
            }
            PaymentNews::Refunded { captured_minor, refunded_minor } => {
                self.note_sums(*captured_minor, *refunded_minor);
            }
            PaymentNews::CaptureFailed { shipment_id, reason } => {
                let (shipment_id, reason) = (*shipment_id, reason.clone());
                self.failures.insert(FailedCapture { shipment_id, version, reason });
            }
            PaymentNews::NotRequired { terms } => self.terms = Some(*terms),
            PaymentNews::Conflicted { reason } if !is_old || self.conflict.is_none() => {
                self.conflict = Some(reason.clone());
            }
            PaymentNews::Conflicted { .. } => {}
            PaymentNews::ActionRequired { .. }
            | PaymentNews::Authorised { .. }
            | PaymentNews::Declined { .. }
            | PaymentNews::Voided => {}
        }
        if !is_old {
            self.note_newest(news);
        }
    }

    fn note_sums(&mut self, captured_minor: i64, refunded_minor: i64) {
        self.captured_minor = self.captured_minor.max(captured_minor);
        self.refunded_minor = self.refunded_minor.max(refunded_minor);
    }

    /// A person has looked: what was wrong is no longer open.
    pub(super) fn resumed(&mut self) {
        self.conflict = None;
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
