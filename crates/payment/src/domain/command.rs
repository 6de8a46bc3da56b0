//! What can be asked of a payment, what comes of it, and why not.

use std::fmt;

use contracts::events::{LineQuantity, PaymentTerms, Taxed};
use contracts::{LineId, Money, OperationId, ShipmentId, Timestamp};
use uuid::Uuid;

use super::{
    Choice, EndReason, Held, Method, Operation, Parcel, Receipt, Reduction, Refund, Reply, Status,
};

/// When a command is carried out, and the id of the operation it may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Now.
    pub at: Timestamp,
    /// A fresh id: one command begins at most one operation.
    pub operation: OperationId,
}

/// What is asked of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// The goods are held: see to the money.
    Begin,
    /// The customer wants to pay differently.
    ChooseMethod {
        /// The method, one the shop has.
        method: Method,
        /// The provider's token.
        token: Option<String>,
    },
    /// A provider has said something about an operation.
    Answer {
        /// Which.
        operation: OperationId,
        /// What.
        reply: Reply,
    },
    /// A provider has never heard of an operation.
    NeverArrived {
        /// Which.
        operation: OperationId,
    },
    /// Find out how the open operation stands.
    Ask,
    /// A parcel is packed.
    Pack {
        /// Which.
        shipment_id: ShipmentId,
        /// What is in it.
        lines: Vec<LineQuantity>,
    },
    /// The order is over.
    EndOrder {
        /// How.
        how: EndReason,
    },
    /// Less is owed.
    Reduce(Reduction),
    /// The shop has decided to give money back.
    GrantRefund {
        /// The decision.
        refund_id: Uuid,
        /// How much, in minor units.
        amount_minor: i64,
        /// The same by rate.
        amounts: Vec<Taxed>,
        /// Which line it is for, where it is for one.
        line_id: Option<LineId>,
        /// Why.
        reason: String,
    },
    /// A person has received money: cash at the door, a transfer.
    Collect {
        /// How much.
        amount: Money,
        /// Where it is noted: a receipt, a line of a statement.
        reference: String,
        /// Whether it is meant to differ from what is due.
        differs: bool,
    },
    /// A person has given back money that no provider can.
    PayOut {
        /// By which decision; none when the order has ended and everything goes back.
        refund_id: Option<Uuid>,
    },
    /// A person wants what the provider refused to be tried again.
    Retry,
    /// A person wants a contradiction settled by what the provider says now.
    Settle {
        /// What it says.
        account: Account,
    },
    /// The guarantee ends soon: a person has to be told.
    TellEnd,
}

/// How a payment stands by its provider's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The provider's payment.
    pub reference: String,
    /// How much is guaranteed or was taken; nothing where it was given up or refused.
    pub authorised: Money,
    /// How much of it was taken, in minor units.
    pub captured_minor: i64,
    /// How much of that went back, in minor units.
    pub refunded_minor: i64,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let money = |amount_minor| Money::new(amount_minor, self.authorised.currency);
        let (taken, back) = (money(self.captured_minor), money(self.refunded_minor));
        write!(f, "{} is guaranteed, {taken} taken and {back} given back", self.authorised)
    }
}

/// How much of an order a capture is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Portion {
    /// All that is owed.
    Everything,
    /// What is in one parcel.
    Parcel,
    /// What the parcels left over.
    Rest,
}

/// What has come of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An operation is to be sent to its provider.
    Requested {
        /// Which.
        operation: Operation,
    },
    /// An operation that never arrived is to be sent again under its own key.
    Resent {
        /// Which.
        operation: OperationId,
    },
    /// Nobody knows what came of an operation.
    WentUnknown {
        /// Which.
        operation: OperationId,
        /// What was seen.
        why: String,
        /// When to ask.
        ask_at: Timestamp,
    },
    /// The provider is to be asked about an operation.
    Asked {
        /// Which.
        operation: OperationId,
    },
    /// The provider still waits for the shopper.
    StillWaiting {
        /// Which authorisation.
        operation: OperationId,
        /// When to ask again.
        ask_at: Timestamp,
    },
    /// The provider wants the shopper to do something.
    ActionRequired {
        /// Which authorisation.
        by: OperationId,
        /// The provider's payment.
        reference: String,
        /// Where the shopper does it.
        url: String,
        /// Until when.
        expires_at: Timestamp,
        /// When to ask how it stands.
        ask_at: Timestamp,
    },
    /// The money is guaranteed.
    Authorised {
        /// By which operation.
        by: OperationId,
        /// What there is.
        held: Held,
    },
    /// The money was guaranteed and taken in one.
    Charged {
        /// By which authorisation.
        by: OperationId,
        /// The void that came too late, if this is how we learned of it.
        too_late: Option<OperationId>,
        /// What there is.
        held: Held,
    },
    /// The money was refused.
    Declined {
        /// By which operation; none where the method itself will not do.
        by: Option<OperationId>,
        /// Why, in the provider's code.
        code: String,
        /// How many further attempts are allowed.
        attempts_left: i64,
    },
    /// Guaranteed money was taken.
    Captured {
        /// By which operation; none where nothing had to move.
        by: Option<OperationId>,
        /// The provider's name for it.
        reference: Option<String>,
        /// How much, in minor units.
        amount_minor: i64,
        /// What for.
        portion: Portion,
        /// For which parcel.
        shipment_id: Option<ShipmentId>,
    },
    /// Guaranteed money was not to be had.
    CaptureFailed {
        /// By which operation.
        by: OperationId,
        /// For which parcel.
        shipment_id: Option<ShipmentId>,
        /// Why, in the provider's code.
        code: String,
    },
    /// What was guaranteed is given up.
    Voided {
        /// By which operation.
        by: OperationId,
        /// The authorisation that waited for the shopper, if it was one.
        attempt: Option<OperationId>,
    },
    /// An authorisation that waited for the shopper is given up for another method.
    AttemptAbandoned {
        /// By which operation.
        by: OperationId,
        /// The authorisation.
        attempt: OperationId,
    },
    /// What is guaranteed could not be given up.
    VoidFailed {
        /// By which operation.
        by: OperationId,
        /// Why, in the provider's code.
        code: String,
    },
    /// Money went back.
    Refunded {
        /// By which operation; none where a person did it.
        by: Option<OperationId>,
        /// By which decision; none when the order has ended.
        refund_id: Option<Uuid>,
        /// The provider's name for it.
        reference: Option<String>,
        /// How much, in minor units.
        amount_minor: i64,
    },
    /// Money could not be given back.
    RefundFailed {
        /// By which operation.
        by: OperationId,
        /// By which decision.
        refund_id: Option<Uuid>,
        /// Why, in the provider's code.
        code: String,
    },
    /// The provider's account contradicts ours.
    Conflicted {
        /// On which operation.
        by: OperationId,
        /// What does not fit.
        reason: String,
        /// What the provider holds.
        held: Option<Held>,
    },
    /// The customer means to pay differently.
    MethodChosen {
        /// How.
        choice: Choice,
    },
    /// The customer transfers the money.
    TransferAwaited,
    /// Nothing has to be paid before the goods leave.
    NotRequired {
        /// When it is paid, if anything is owed.
        terms: PaymentTerms,
    },
    /// A person has received money.
    Collected {
        /// What came.
        receipt: Receipt,
        /// What there is now.
        held: Held,
    },
    /// A parcel is packed.
    ParcelNoted {
        /// Which.
        parcel: Parcel,
    },
    /// Money is to be given back.
    RefundNoted {
        /// How much, and why.
        refund: Refund,
    },
    /// Less is owed.
    Reduced(Reduction),
    /// The order is over.
    OrderEnded {
        /// How.
        how: EndReason,
    },
    /// Nothing had been paid, and nothing will be.
    Closed,
    /// What the provider refused is to be tried again.
    RetryOrdered,
    /// The provider had taken what was to be given up.
    FoundTaken {
        /// By which operation it was to be given up.
        by: OperationId,
        /// How much more was taken than was known, in minor units.
        amount_minor: i64,
        /// What there is now.
        held: Held,
    },
    /// Nobody needs what is still guaranteed: all that is owed is taken.
    RestGivenUp {
        /// By which operation.
        by: OperationId,
        /// Why the provider would not; it ends by itself then.
        refused: Option<String>,
    },
    /// News of money at a provider beside what is held.
    Stray {
        /// By which operation.
        by: OperationId,
        /// The provider's payment.
        reference: String,
        /// What is new.
        news: StrayNews,
    },
    /// A contradiction is settled by what the provider says.
    Settled {
        /// What is held by its account, but for what it took and gave back since.
        held: Held,
    },
    /// Staff have been told that a guarantee ends.
    EndTold {
        /// When it does.
        ends_at: Timestamp,
    },
}

/// News of money at a provider beside what is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StrayNews {
    /// It turned up.
    Found {
        /// What there is.
        held: Held,
    },
    /// It is given up.
    GivenUp,
    /// It had been taken.
    Taken {
        /// How much in all, in minor units.
        captured_minor: i64,
    },
    /// It went back.
    Refunded {
        /// The provider's name for it.
        reference: String,
        /// How much, in minor units.
        amount_minor: i64,
    },
    /// The provider will not.
    Refused {
        /// Why, in the provider's code.
        code: String,
    },
}

/// Why a command is not carried out. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No method is waited for.
    #[error("the payment is {}, and waits for no method", .0.name())]
    NotWaitingForMethod(Status),
    /// The order's deadline is over.
    #[error("the time to pay is over")]
    DeadlinePassed,
    /// The order has ended.
    #[error("the order has ended")]
    OrderEnded,
    /// No money is waited for that a person could receive.
    #[error("the payment is {}, and nothing is to be collected", .0.name())]
    NothingToCollect(Status),
    /// It is not what is due.
    #[error("{due} is due")]
    AmountDiffers {
        /// What is.
        due: Money,
    },
    /// The receipt was noted with another amount.
    #[error("{noted} was noted under this reference")]
    ReceiptDiffers {
        /// Which.
        noted: Money,
    },
    /// There is no such refund for a person to pay out.
    #[error("nothing is to be paid out by hand")]
    NothingToPayOut,
    /// Nothing was refused.
    #[error("there is nothing to try again")]
    NothingToRetry,
    /// A transfer takes days, and the order waits for minutes.
    #[error(
        "a transfer takes longer than this order waits: it has to be chosen when an order is placed"
    )]
    TransferTakesLonger,
    /// Nobody comes to the door to be paid.
    #[error("nothing of this order is delivered, so nothing can be paid on delivery")]
    NothingIsDelivered,
    /// The customer has tried often enough.
    #[error("no further attempt to pay is allowed")]
    NoAttemptLeft,
    /// Nothing contradicts.
    #[error("the payment is {}, and nothing contradicts", .0.name())]
    NotConflicted(Status),
    /// An operation is under way.
    #[error("the provider has still to answer an operation: try again later")]
    Busy,
    /// What the provider says does not settle it.
    #[error("by the provider's account {account}: {why}")]
    AccountDoesNotFit {
        /// What it says.
        account: Box<Account>,
        /// What stands against it.
        why: String,
    },
    /// The money is not guaranteed yet.
    #[error("the payment is {}, and no money is held", .0.name())]
    NotAuthorised(Status),
}
