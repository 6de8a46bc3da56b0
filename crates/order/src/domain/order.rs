//! One order: what was agreed, which never changes, and how it stands, which does.
//!
//! [`Order::decide`] says what a command would change, [`Order::apply`] makes the change. The
//! decisions themselves are with their subject: `people`, `stock`, `parcels`, `money`.

use std::collections::{BTreeMap, BTreeSet};

use contracts::{
    CartId, Currency, LineId, Money, OrderId, ShipmentId, Sku, Timestamp, events::Taxed,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::event::RefundKind;
use super::{
    CancelAsk, Command, Event, HoldReason, Life, Parcel, PaymentStanding, Refusal, money, parcels,
    people, stock, units,
};

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// What was agreed when it was placed.
    pub agreed: Agreed,
    /// How it stands now.
    pub standing: Standing,
}

/// What was agreed: the part of the placed order that later decisions rest on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreed {
    /// The order.
    pub order_id: OrderId,
    /// The cart it came from.
    pub cart_id: CartId,
    /// The currency of every amount.
    pub currency: Currency,
    /// What was bought.
    pub lines: Vec<AgreedLine>,
    /// What the way to the customer costs, where something ships.
    #[serde(default)]
    pub shipping: Option<AgreedShipping>,
    /// What was owed when it was placed.
    pub total: Money,
}

/// A line as agreed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreedLine {
    /// The line.
    pub line_id: LineId,
    /// What.
    pub sku: Sku,
    /// How many pieces.
    pub quantity: i64,
    /// Whether a parcel is needed; what needs none is fulfilled on confirmation.
    pub requires_shipping: bool,
    /// What all pieces cost after discounts.
    pub amount: Taxed,
}

/// The shipping as agreed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreedShipping {
    /// What it costs, for each rate.
    pub amounts: Vec<Taxed>,
}

/// How an order stands: its life, and what is derived beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Where it is in its life.
    pub life: Life,
    /// What is known of its payment.
    pub payment: PaymentStanding,
    /// What is known of its parcels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parcels: BTreeMap<ShipmentId, Parcel>,
    /// Pieces that will not come, by line.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cancelled: BTreeMap<LineId, i64>,
    /// What is owed after reductions, in minor units, goodwill not taken off.
    pub owed_minor: i64,
    /// What the shop has given away, in minor units.
    #[serde(default)]
    pub goodwill_minor: i64,
    /// What was taken off for pieces that will not come, by rate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken_off: Vec<Taxed>,
    /// Refunds granted, by decision.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refunds: BTreeMap<Uuid, Refund>,
}

/// A refund that was granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredRefund")]
pub struct Refund {
    /// Whether it is a gift or settles what was taken too much.
    pub kind: RefundKind,
    /// How much in all, in minor units.
    pub total_minor: i64,
    /// How much, by rate.
    pub amounts: Vec<Taxed>,
    /// For which line, where it is for one.
    pub line_id: Option<LineId>,
}

/// A refund as it is stored; at first it was its sum alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum StoredRefund {
    Sum(i64),
    Whole { kind: RefundKind, total_minor: i64, amounts: Vec<Taxed>, line_id: Option<LineId> },
}

impl From<StoredRefund> for Refund {
    fn from(stored: StoredRefund) -> Self {
        match stored {
            StoredRefund::Sum(total_minor) => {
                let kind = RefundKind::Overpaid;
                Self { kind, total_minor, amounts: Vec::new(), line_id: None }
            }
            StoredRefund::Whole { kind, total_minor, amounts, line_id } => {
                Self { kind, total_minor, amounts, line_id }
            }
        }
    }
}

impl Order {
    /// An order that has just been placed.
    pub fn placed(agreed: Agreed, deadline: Timestamp) -> Self {
        let standing = Standing {
            life: Life::Pending { deadline },
            payment: PaymentStanding::default(),
            parcels: BTreeMap::new(),
            cancelled: BTreeMap::new(),
            owed_minor: agreed.total.amount_minor,
            goodwill_minor: 0,
            taken_off: Vec::new(),
            refunds: BTreeMap::new(),
        };
        Self { agreed, standing }
    }

    /// What `command` would change, with everything that follows from it. `Ok([])` means "already
    /// so" or "too late to matter": a repeat or a late message, not an error.
    ///
    /// # Errors
    /// The fact that stands against it. What other services say is never refused.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        let refund_id = match &command {
            Command::HearParcel { refund_id, .. } | Command::HearPayment { refund_id, .. } => {
                Some(*refund_id)
            }
            Command::Resume { refund_id } => Some(*refund_id),
            Command::Cancel { .. }
            | Command::AskAgain
            | Command::PutOnHold { .. }
            | Command::GrantRefund { .. }
            | Command::PassDeadline
            | Command::HearStockAllocated
            | Command::HearStockRejected { .. }
            | Command::HearStockReleased { .. }
            | Command::HearCancelRefused { .. } => None,
        };
        let mut events = match command {
            Command::Cancel { reason } => people::cancel(self, reason)?,
            Command::PutOnHold { reason } => people::put_on_hold(self, reason)?,
            Command::Resume { refund_id: _ } => people::resume(self)?,
            Command::AskAgain => people::ask_again(self),
            Command::GrantRefund { refund_id, amount_minor, line_id, reason } => {
                people::grant_refund(self, refund_id, amount_minor, line_id, reason)?
            }
            Command::PassDeadline => stock::pass_deadline(self),
            Command::HearStockAllocated => stock::allocated(self),
            Command::HearStockRejected { reason } => stock::rejected(self, reason),
            Command::HearStockReleased { reason } => stock::released(self, reason),
            Command::HearCancelRefused { reason: _ } => stock::cancel_refused(self),
            Command::HearParcel { shipment_id, version, news, refund_id: _ } => {
                parcels::hear(self, shipment_id, version, news)
            }
            Command::HearPayment { version, news, refund_id: _ } => {
                money::hear(self, version, news)
            }
        };
        if !events.is_empty() {
            self.add_what_follows(&mut events, refund_id);
        }
        Ok(events)
    }

    /// The order after `event`. Never refuses: what happened, happened.
    #[must_use]
    pub fn apply(mut self, event: &Event) -> Self {
        self.change(event);
        self
    }

    /// [`Order::apply`], in place.
    pub fn change(&mut self, event: &Event) {
        self.standing.apply(event);
    }

    /// The order after all of `events`.
    #[must_use]
    pub fn apply_all(self, events: &[Event]) -> Self {
        events.iter().fold(self, Self::apply)
    }

    /// Whether it would make a difference to know `event`.
    pub(super) fn is_news(&self, event: &Event) -> bool {
        let mut after = self.standing.clone();
        after.apply(event);
        after != self.standing
    }

    /// An order of which nothing is left is off; what was taken too much goes back; what is
    /// delivered and settled is complete.
    fn add_what_follows(&self, events: &mut Vec<Event>, refund_id: Option<Uuid>) {
        let mut after = self.standing.clone();
        events.iter().for_each(|event| after.apply(event));
        if !after.life.is_agreed() {
            return;
        }
        if units::nothing_is_left(&self.agreed, &after) {
            let reason = "nothing that was ordered can be delivered".to_owned();
            events.push(Event::Cancelled { reason });
            return;
        }
        if let Life::OnHold { reasons, .. } = &after.life {
            let eased: Vec<HoldReason> =
                reasons.iter().filter(|why| money::is_over(why, &after)).cloned().collect();
            let ends = eased.len() == reasons.len();
            let eased = eased.into_iter().map(|why| Event::HoldEased { why });
            let eased: Vec<Event> = if ends { vec![Event::Resumed] } else { eased.collect() };
            eased.iter().for_each(|event| after.apply(event));
            events.extend(eased);
        }
        let overpaid = after.kept_minor().saturating_sub(after.due_minor());
        if let (Some(refund_id), 1.., None) = (refund_id, overpaid, &after.payment.conflict) {
            let granted = Event::RefundGranted {
                refund_id,
                kind: RefundKind::Overpaid,
                amounts: units::spread(overpaid, &self.basis_of_refund(&after)),
                total_minor: overpaid,
                line_id: None,
                reason: "less is delivered than was paid for".to_owned(),
            };
            after.apply(&granted);
            events.push(granted);
        }
        if after.life == (Life::Confirmed { cancel: CancelAsk::NotAsked })
            && units::everything_arrived(&self.agreed, &after)
            && after.is_settled()
        {
            events.push(Event::Completed);
        }
    }

    /// The amounts whose rates a refund of what was paid too much is split by: what was taken off
    /// and has not gone back, whenever that was; or the whole order.
    fn basis_of_refund(&self, after: &Standing) -> Vec<Taxed> {
        let back = units::less(&after.taken_off, &after.refunded(RefundKind::Overpaid));
        if back.is_empty() { self.agreed.amounts_by_rate() } else { back }
    }
}

impl Agreed {
    /// Net, tax and gross of the whole order for each rate, in the order rates first appear.
    pub fn amounts_by_rate(&self) -> Vec<Taxed> {
        let shipping = self.shipping.iter().flat_map(|shipping| shipping.amounts.iter());
        units::by_rate(self.lines.iter().map(|line| &line.amount).chain(shipping).copied())
    }
}

impl Standing {
    /// What is due for good: what is owed, less what the shop gives away.
    pub fn due_minor(&self) -> i64 {
        self.owed_minor.saturating_sub(self.goodwill_minor).max(0)
    }

    /// What all granted refunds come to.
    pub fn granted_minor(&self) -> i64 {
        let totals = self.refunds.values().map(|refund| refund.total_minor);
        totals.fold(0, i64::saturating_add)
    }

    /// What granted refunds of a kind come to, by rate.
    pub(super) fn refunded(&self, kind: RefundKind) -> Vec<Taxed> {
        let refunds = self.refunds.values().filter(|refund| refund.kind == kind);
        units::by_rate(refunds.flat_map(|refund| &refund.amounts).copied())
    }

    /// What the shop keeps once every granted refund has been paid out.
    pub fn kept_minor(&self) -> i64 {
        let back = self.granted_minor().max(self.payment.refunded_minor);
        self.payment.captured_minor.saturating_sub(back)
    }

    /// Whether as much money is there as is due.
    pub fn is_settled(&self) -> bool {
        self.payment.captured_minor.saturating_sub(self.payment.refunded_minor) == self.due_minor()
    }

    fn apply(&mut self, event: &Event) {
        let goes_on = || Life::Confirmed { cancel: CancelAsk::NotAsked };
        match event {
            Event::Confirmed => self.life = goes_on(),
            Event::Failed { reason } => self.life = Life::Failed { reason: reason.clone() },
            Event::Expired => self.life = Life::Expired,
            Event::CancelRequested { reason } => {
                self.ask(CancelAsk::Asked { reason: reason.clone(), again: 0 });
            }
            Event::CancelRequestedAgain { .. } => self.ask_again(),
            Event::CancelDenied => self.ask(CancelAsk::NotAsked),
            Event::Cancelled { reason } => self.life = Life::Cancelled { reason: reason.clone() },
            Event::PutOnHold { why } => {
                let (mut reasons, cancel) = (self.reasons(), self.asked());
                reasons.retain(|known| !known.is_same_failure(why));
                reasons.insert(why.clone());
                self.life = Life::OnHold { reasons, cancel };
            }
            Event::HoldEased { why } => {
                if let Life::OnHold { reasons, .. } = &mut self.life {
                    reasons.remove(why);
                }
            }
            Event::Resumed => {
                self.life = Life::Confirmed { cancel: self.asked() };
                self.payment.resumed();
            }
            Event::Reduced { lines, amounts, owed_minor, .. } => {
                for line in lines {
                    *self.cancelled.entry(line.line_id).or_default() += line.quantity;
                }
                self.taken_off = units::by_rate(self.taken_off.iter().chain(amounts).copied());
                self.owed_minor = *owed_minor;
            }
            Event::RefundGranted { refund_id, kind, amounts, total_minor, line_id, .. } => {
                let refund = Refund {
                    kind: *kind,
                    total_minor: *total_minor,
                    amounts: amounts.clone(),
                    line_id: *line_id,
                };
                self.refunds.insert(*refund_id, refund);
                match kind {
                    RefundKind::Goodwill => self.goodwill_minor += *total_minor,
                    RefundKind::Overpaid => {}
                }
            }
            Event::Completed => self.life = Life::Completed,
            Event::PaymentNoted { version, news } => self.payment.note(*version, news),
            Event::ParcelNoted { shipment_id, version, news } => {
                parcels::note(&mut self.parcels, *shipment_id, *version, news);
            }
        }
    }

    /// Why it is on hold; nothing, where it is not.
    fn reasons(&self) -> BTreeSet<HoldReason> {
        match &self.life {
            Life::OnHold { reasons, .. } => reasons.clone(),
            Life::Pending { .. }
            | Life::Confirmed { .. }
            | Life::Failed { .. }
            | Life::Expired
            | Life::Cancelled { .. }
            | Life::Completed => BTreeSet::new(),
        }
    }

    fn ask_again(&mut self) {
        if let CancelAsk::Asked { reason, again } = self.asked() {
            self.ask(CancelAsk::Asked { reason, again: again.saturating_add(1) });
        }
    }

    fn asked(&self) -> CancelAsk {
        match &self.life {
            Life::Confirmed { cancel } | Life::OnHold { cancel, .. } => cancel.clone(),
            Life::Pending { .. }
            | Life::Failed { .. }
            | Life::Expired
            | Life::Cancelled { .. }
            | Life::Completed => CancelAsk::NotAsked,
        }
    }

    fn ask(&mut self, ask: CancelAsk) {
        match &mut self.life {
            Life::Confirmed { cancel } | Life::OnHold { cancel, .. } => *cancel = ask,
            Life::Pending { .. }
            | Life::Failed { .. }
            | Life::Expired
            | Life::Cancelled { .. }
            | Life::Completed => {}
        }
    }
}
