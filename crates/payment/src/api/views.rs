//! What clients see of a payment.

use contracts::events::PaymentTerms;
use contracts::{Money, OperationId, OrderId, PaymentId, ShipmentId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::config::BankAccount;
use crate::domain::{
    Clearing, EndReason, Intent, NeedsPerson, OrderStanding, ParcelState, Payment, RefundState,
    Status,
};
use crate::store::{OperationRow, Stored};

/// A payment: what is owed for one order, and what has become of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PaymentView {
    /// Its id, which is also its order's.
    #[schema(value_type = Uuid)]
    pub id: PaymentId,
    /// The order.
    #[schema(value_type = Uuid)]
    pub order_id: OrderId,
    /// The order's number.
    pub order_number: String,
    /// Its position in its history.
    pub version: i64,
    /// How it stands.
    pub status: Status,
    /// The method's code.
    pub method: String,
    /// When the method's money comes, if the shop has the method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terms: Option<PaymentTerms>,
    /// What is owed.
    pub owed: Money,
    /// What is guaranteed or was.
    pub authorised: Money,
    /// What has been taken.
    pub captured: Money,
    /// What of it has gone back.
    pub refunded: Money,
    /// How many further attempts are allowed.
    pub attempts_left: i64,
    /// Whether the provider's answer to the operation under way is not known.
    pub unknown: bool,
    /// What the shopper has to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionView>,
    /// Where the shopper has to transfer the money, while some of it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer: Option<TransferView>,
    /// Why it was declined, could not be given back, or contradicts the provider's account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the authorisation ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorised_until: Option<Timestamp>,
    /// How the order ended, once it has: nothing of its money may be kept then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<EndReason>,
    /// What a person has to see to; for staff only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs_person: Option<NeedsPerson>,
    /// What a person has to pay out, because no provider can; for staff only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_pay_out: Option<Money>,
    /// Parcels that were packed.
    pub parcels: Vec<ParcelView>,
    /// What is to be given back.
    pub refunds: Vec<RefundView>,
    /// What the provider was asked; for staff only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<OperationView>,
    /// When it was noted.
    pub created_at: Timestamp,
}

/// What the shopper has to do with the provider.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ActionView {
    /// Where.
    pub url: String,
    /// Until when.
    pub expires_at: Timestamp,
}

/// What a transfer has to say, so that it comes and is known for what it is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TransferView {
    /// The account it goes to.
    pub account: BankAccount,
    /// What is to be transferred.
    pub amount: Money,
    /// The reference to give: the order's number.
    pub reference: String,
}

/// A parcel's money.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ParcelPaymentView)]
pub struct ParcelView {
    /// Which.
    #[schema(value_type = Uuid)]
    pub shipment_id: ShipmentId,
    /// How far it is.
    pub state: Progress,
    /// What was taken for it, once it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A refund.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = PaymentRefundView)]
pub struct RefundView {
    /// The decision.
    pub refund_id: Uuid,
    /// How much.
    pub amount: Money,
    /// How far it is.
    pub state: Progress,
    /// Why it was granted.
    pub reason: String,
    /// Why the provider refused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// How far something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// It is to be done.
    Wanted,
    /// It is done.
    Done,
    /// The provider refused.
    Refused,
}

/// A request to a provider.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OperationView {
    /// Its id and idempotency key.
    #[schema(value_type = Uuid)]
    pub id: OperationId,
    /// What was asked.
    pub kind: String,
    /// Of whom.
    pub provider: String,
    /// How it stands.
    pub state: OperationState,
    /// How much.
    pub amount: Money,
    /// The provider's name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was first sent off.
    pub requested_at: Timestamp,
    /// When its outcome was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<Timestamp>,
}

/// How an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OperationState {
    /// The provider is being asked.
    Requested,
    /// The provider has been asked, and nobody knows what came of it.
    Unknown,
    /// It took place.
    Succeeded,
    /// It did not.
    Failed,
}

impl PaymentView {
    /// What a client sees; the operations are added for staff.
    pub fn of(stored: &Stored, operations: Vec<OperationRow>) -> Self {
        let payment = &stored.payment;
        let money = |amount_minor| Money::new(amount_minor, payment.currency);
        let held = payment.held();
        let settled = operations.into_iter().map(|row| settled(payment, row));
        Self {
            id: payment.id,
            order_id: payment.order_id,
            order_number: stored.bill.order_number.clone(),
            version: stored.version,
            status: payment.status(),
            method: payment.choice.code.clone(),
            terms: payment.choice.method.as_ref().map(|method| method.terms),
            owed: money(payment.owed_minor()),
            authorised: money(held.map_or(0, |held| held.authorised_minor)),
            captured: money(payment.captured_minor()),
            refunded: money(payment.refunded_minor()),
            attempts_left: payment.attempts_left().max(0),
            unknown: payment.is_unknown(),
            action: action(payment),
            transfer: None,
            reason: reason(payment),
            authorised_until: held.map(|held| held.expires_at),
            ended: ended(payment),
            needs_person: None,
            to_pay_out: None,
            parcels: payment.parcels.iter().map(|parcel| parcel_view(payment, parcel)).collect(),
            refunds: payment.refunds.iter().map(|refund| refund_view(payment, refund)).collect(),
            operations: settled.collect(),
            created_at: stored.created_at,
        }
    }

    /// With the account to which what is missing of a transfer has to go, if the shop has one.
    #[must_use]
    pub fn payable_to(mut self, bank: Option<&BankAccount>) -> Self {
        let missing = self.owed.amount_minor - self.captured.amount_minor;
        let is_open = self.ended.is_none() && self.terms == Some(PaymentTerms::Transfer);
        if is_open && missing > 0 {
            self.transfer = bank.map(|account| TransferView {
                account: account.clone(),
                amount: Money::new(missing, self.owed.currency),
                reference: self.order_number.clone(),
            });
        }
        self
    }

    /// With the operation under way and what is to be seen to, for staff.
    #[must_use]
    pub fn for_staff(mut self, payment: &Payment) -> Self {
        use crate::domain::OperationStatus;
        self.needs_person = payment.needs_person();
        let to_pay_out = Some(payment.to_pay_out_minor()).filter(|minor| *minor > 0);
        self.to_pay_out = to_pay_out.map(|minor| Money::new(minor, payment.currency));
        self.operations.extend(payment.open_operation().map(|open| OperationView {
            id: open.id,
            kind: open.kind.name().to_owned(),
            provider: open.provider.clone(),
            state: match open.status {
                OperationStatus::Requested => OperationState::Requested,
                OperationStatus::Unknown { .. } => OperationState::Unknown,
            },
            amount: Money::new(open.amount_minor, payment.currency),
            reference: open.reference.clone(),
            reason: None,
            requested_at: open.requested_at,
            settled_at: None,
        }));
        self
    }
}

fn settled(payment: &Payment, row: OperationRow) -> OperationView {
    OperationView {
        id: row.id,
        kind: row.kind,
        provider: row.provider,
        state: if row.succeeded { OperationState::Succeeded } else { OperationState::Failed },
        amount: Money::new(row.amount_minor, payment.currency),
        reference: row.reference,
        reason: row.code,
        requested_at: row.requested_at,
        settled_at: Some(row.settled_at),
    }
}

fn parcel_view(payment: &Payment, parcel: &crate::domain::Parcel) -> ParcelView {
    let (state, amount, reason) = match &parcel.state {
        ParcelState::Wanted => (Progress::Wanted, None, None),
        ParcelState::Taken { amount_minor } => {
            (Progress::Done, Some(Money::new(*amount_minor, payment.currency)), None)
        }
        ParcelState::Refused { code } => (Progress::Refused, None, Some(code.clone())),
    };
    ParcelView { shipment_id: parcel.shipment_id, state, amount, reason }
}

fn refund_view(payment: &Payment, refund: &crate::domain::Refund) -> RefundView {
    let (state, refused) = match &refund.state {
        RefundState::Wanted => (Progress::Wanted, None),
        RefundState::Done => (Progress::Done, None),
        RefundState::Refused { code } => (Progress::Refused, Some(code.clone())),
    };
    RefundView {
        refund_id: refund.refund_id,
        amount: Money::new(refund.amount_minor, payment.currency),
        state,
        reason: refund.reason.clone(),
        refused,
    }
}

const fn ended(payment: &Payment) -> Option<EndReason> {
    match payment.order {
        OrderStanding::Open => None,
        OrderStanding::Ended { how, .. } => Some(how),
    }
}

fn action(payment: &Payment) -> Option<ActionView> {
    let Intent::RequiresAction { url, expires_at, .. } = &payment.intent else { return None };
    Some(ActionView { url: url.clone(), expires_at: *expires_at })
}

fn reason(payment: &Payment) -> Option<String> {
    if let OrderStanding::Ended { clearing: Clearing::Stuck { code }, .. } = &payment.order {
        return Some(code.clone());
    }
    match &payment.intent {
        Intent::RequiresMethod { declined } | Intent::Failed { declined } => Some(declined.clone()),
        Intent::Conflicted { reason, .. } => Some(reason.clone()),
        Intent::Noted
        | Intent::Processing
        | Intent::RequiresAction { .. }
        | Intent::AwaitingTransfer
        | Intent::NotRequired { .. }
        | Intent::Authorised { .. }
        | Intent::PartlyCaptured { .. }
        | Intent::Captured { .. }
        | Intent::Voided { .. }
        | Intent::Expired => None,
    }
}
