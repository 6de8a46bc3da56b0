//! What an audit looks at: plain facts, read from the services and freed of their types.

use std::collections::BTreeMap;

use contracts::{
    Currency, LineId, MessageId, OperationId, OrderId, PaymentId, ShipmentId, Sku, Timestamp,
};

/// Everything the invariants judge, as it was at one time.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// When it was read.
    pub now: Option<Timestamp>,
    /// Every order.
    pub orders: Vec<Order>,
    /// What the warehouse has set aside for each order it knows.
    pub claims: Vec<Claim>,
    /// Every shelf with its ledger.
    pub shelves: Vec<Shelf>,
    /// Every parcel.
    pub parcels: Vec<Parcel>,
    /// Every payment.
    pub payments: Vec<Payment>,
    /// Every request to a payment provider.
    pub operations: Vec<Operation>,
    /// Every journal of the double-entry ledger.
    pub journals: Vec<Journal>,
    /// Every invoice and credit note, in the order of their numbers.
    pub documents: Vec<Document>,
    /// Every message to a customer.
    pub messages: Vec<Message>,
    /// What waits or is parked, by service.
    pub backlog: Vec<Backlog>,
}

/// Where an order is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OrderState {
    /// Placed, waiting for stock and money.
    Pending,
    /// The shop will deliver.
    Confirmed,
    /// A person has to look.
    OnHold,
    /// It could not be served.
    Failed,
    /// Its deadline passed.
    Expired,
    /// It is off.
    Cancelled,
    /// Delivered and settled.
    Completed,
}

impl OrderState {
    /// Whether it ended without the goods going to the customer.
    pub const fn is_off(self) -> bool {
        match self {
            Self::Failed | Self::Expired | Self::Cancelled => true,
            Self::Pending | Self::Confirmed | Self::OnHold | Self::Completed => false,
        }
    }
}

/// An order, as the order service has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Which.
    pub id: OrderId,
    /// The cart it came from.
    pub cart_id: uuid::Uuid,
    /// Where it is in its life.
    pub state: OrderState,
    /// Whether a cancellation is asked for and not answered.
    pub cancel_asked: bool,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When it expires unless confirmed.
    pub deadline: Timestamp,
    /// The currency of every amount.
    pub currency: Currency,
    /// What was agreed.
    pub total_minor: i64,
    /// What is owed after reductions, goodwill not taken off.
    pub owed_minor: i64,
    /// What is due after reductions and goodwill.
    pub due_minor: i64,
    /// What it knows to have come.
    pub captured_minor: i64,
    /// What is to go back by decision.
    pub granted_minor: i64,
    /// What it knows to have gone back.
    pub refunded_minor: i64,
    /// What was ordered.
    pub lines: Vec<OrderLine>,
    /// How far it knows each of its parcels to have come.
    pub parcels: BTreeMap<ShipmentId, ParcelState>,
    /// When anything was last said about it, by whichever service.
    pub changed_at: Timestamp,
}

/// A line of an order, as it was placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderLine {
    /// Which.
    pub id: LineId,
    /// What.
    pub sku: Sku,
    /// How many.
    pub quantity: i64,
    /// What all pieces cost, tax included.
    pub gross_minor: i64,
}

/// What the warehouse has set aside for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClaimState {
    /// The order ended before it was heard of.
    Void,
    /// Goods are held for a time.
    Held,
    /// The hold ran out.
    Lapsed,
    /// The goods belong to the order.
    Allocated,
    /// They are in parcels, here or gone.
    Fulfilling,
    /// They could not be had.
    Rejected,
    /// They are free again.
    Released,
}

/// A claim on goods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Of which order.
    pub order_id: OrderId,
    /// How it stands.
    pub state: ClaimState,
    /// Until when goods are held, where they are.
    pub expires_at: Option<Timestamp>,
    /// What it contributes to the promises of each shelf: unit, place, pieces.
    pub promises: Vec<(Sku, String, i64)>,
}

/// A unit at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelf {
    /// Which unit.
    pub sku: Sku,
    /// Where.
    pub place: String,
    /// Pieces there.
    pub on_hand: i64,
    /// Pieces promised.
    pub reserved: i64,
    /// How many more may be promised than are there.
    pub backorder_limit: i64,
    /// What the movement ledger sums up to.
    pub ledger_on_hand: i64,
}

/// How far a parcel has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ParcelState {
    /// To be packed.
    Created,
    /// Packed, waiting for its money.
    Packed,
    /// May leave.
    Ready,
    /// Has left.
    Dispatched,
    /// Has arrived.
    Delivered,
    /// Will not leave.
    Cancelled,
}

impl ParcelState {
    /// Whether it has left the house.
    pub const fn has_left(self) -> bool {
        match self {
            Self::Dispatched | Self::Delivered => true,
            Self::Created | Self::Packed | Self::Ready | Self::Cancelled => false,
        }
    }
}

/// A parcel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// Which.
    pub id: ShipmentId,
    /// For which order.
    pub order_id: OrderId,
    /// How far it has come.
    pub state: ParcelState,
    /// What is in it: lines and pieces.
    pub lines: Vec<(LineId, i64)>,
    /// When it last came a step further.
    pub changed_at: Timestamp,
}

/// Where a payment's money is, as far as the promises go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MoneyState {
    /// Nothing is sure yet.
    Open,
    /// It is paid later, or nothing is owed.
    Later,
    /// It is guaranteed or taken.
    Held,
    /// Declined too often, voided or expired: nothing will come.
    Over,
    /// The provider's account contradicts ours: a person looks.
    Conflicted,
}

/// A payment, as the payment service has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Which.
    pub id: PaymentId,
    /// For which order.
    pub order_id: OrderId,
    /// The currency of every amount.
    pub currency: Currency,
    /// What was owed when the order was placed.
    pub total_minor: i64,
    /// What is owed now.
    pub owed_minor: i64,
    /// Where the money is.
    pub state: MoneyState,
    /// What is or was guaranteed.
    pub authorised_minor: i64,
    /// What has been taken.
    pub captured_minor: i64,
    /// What has gone back.
    pub refunded_minor: i64,
    /// What a provider has taken beside it, that belongs to nothing and has not gone back yet.
    pub stray_minor: i64,
    /// Whether its money is moved by people and not by a provider.
    pub by_hand: bool,
    /// Whether its terms let goods leave before they are paid for.
    pub pays_later: bool,
    /// What was taken for each parcel that was paid for by itself.
    pub paid_parcels: BTreeMap<ShipmentId, i64>,
    /// Whether a transfer is waited for.
    pub awaits_transfer: bool,
    /// What a person has to give back, because no provider can: by which decision, or because the
    /// order has ended.
    pub to_pay_out: Vec<Option<uuid::Uuid>>,
    /// Whether an operation is under way.
    pub is_busy: bool,
    /// Whether a provider refused something that a person has to look at.
    pub is_stuck: bool,
    /// Whether it knows that the order has ended.
    pub order_ended: bool,
    /// Whether a guarantee is still standing that nobody needs once the order has ended.
    pub holds_guarantee: bool,
    /// When it last asked a provider for something, heard of it, or booked money.
    pub changed_at: Timestamp,
}

/// What an operation was to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OperationKind {
    /// Guarantee money.
    Authorise,
    /// Take it.
    Capture,
    /// Give it up.
    Void,
    /// Give it back.
    Refund,
}

/// How an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OperationState {
    /// On its way, or nobody knows.
    Open,
    /// It took place.
    Succeeded,
    /// It did not.
    Failed,
}

/// A request to a payment provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Its idempotency key.
    pub id: OperationId,
    /// Of which payment.
    pub payment_id: PaymentId,
    /// What it was to do.
    pub kind: OperationKind,
    /// What it is for: the parcel of a capture, the decision of a refund.
    pub purpose: Option<uuid::Uuid>,
    /// How much.
    pub amount_minor: i64,
    /// How it stands.
    pub state: OperationState,
}

/// One journal of the ledger, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    /// Its id.
    pub id: uuid::Uuid,
    /// Of which payment.
    pub payment_id: PaymentId,
    /// The currency of its amounts.
    pub currency: String,
    /// The operation that moved the money, if one did.
    pub operation_id: Option<OperationId>,
    /// The document it books, if it books one.
    pub document_id: Option<uuid::Uuid>,
    /// What it moves from account to account.
    pub postings: Vec<Posting>,
}

/// An amount that goes from one account to another. So a journal balances by its form, and there is
/// nothing to sum up: what can be wrong is that one is missing, or says something else than what it
/// books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posting {
    /// Where it goes.
    pub debit: Account,
    /// Where it comes from.
    pub credit: Account,
    /// How much, in minor units.
    pub amount_minor: i64,
}

/// An account, as far as the promises tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Account {
    /// What customers owe.
    Receivable,
    /// Money: in the till or with a provider.
    Money,
    /// What was sold or taken back, and its tax.
    Sales,
}

/// An invoice or a credit note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its id.
    pub id: uuid::Uuid,
    /// Its series: `INV` or `CRN`.
    pub series: String,
    /// Its year.
    pub year: i64,
    /// Its place in series and year, from 1.
    pub sequence: i64,
    /// Its number as printed.
    pub number: String,
    /// For which order.
    pub order_id: OrderId,
    /// Its gross amount.
    pub total_minor: i64,
    /// Why it does not fit the chain of hashes, if it does not.
    pub chain_fault: Option<String>,
}

/// A message to a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id, which is the mail's.
    pub id: MessageId,
    /// About which order.
    pub order_id: OrderId,
    /// The stage of the order it tells of: `order_placed`.
    pub stage: &'static str,
    /// Which of several of the kind: the id of its parcel or document.
    pub part: String,
    /// Whether a person has ordered it as a further copy.
    pub is_ordered_copy: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether it needs nothing more: handed over, or there was nobody to hand it to.
    pub is_sent: bool,
    /// Whether it has been handed over to the mail server.
    pub is_mailed: bool,
}

/// What a service's inbox holds, or what is on the way to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// Whose.
    pub service: String,
    /// `event`, `timer` or `effect`.
    pub kind: String,
    /// `waiting`, `trying` or `parked`; `on the way` if another has said it and the inbox does not
    /// know it.
    pub state: String,
    /// How many.
    pub count: i64,
    /// Since when the first of them is there; for timers, since when it has been due; for events on
    /// the way, since when it is said.
    pub since: Timestamp,
    /// Why, for what is parked: the first of them. For what is on the way: which that is.
    pub why: String,
}
