//! What the payment service says.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    CreditNoteId, InvoiceId, Money, OrderId, PaymentId, ShipmentId, Timestamp, events::PaymentTerms,
};

/// Nothing has to be paid before the goods leave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaymentNotRequired {
    /// The payment.
    pub payment_id: PaymentId,
    /// For which order.
    pub order_id: OrderId,
    /// What is owed, now or later; zero if nothing is.
    pub owed: Money,
    /// Whether parcels may leave unpaid, and when the money comes then.
    pub terms: PaymentTerms,
}

/// The provider wants the shopper to do something before it authorises.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaymentActionRequired {
    /// The payment.
    pub payment_id: PaymentId,
    /// For which order.
    pub order_id: OrderId,
    /// Where the shopper does it.
    pub url: String,
    /// Until when.
    pub expires_at: Timestamp,
}

/// The provider guarantees the money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaymentAuthorized {
    /// The payment.
    pub payment_id: PaymentId,
    /// For which order.
    pub order_id: OrderId,
    /// How much.
    pub amount: Money,
}

/// The provider said no. Another method may be tried while the order waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaymentDeclined {
    /// The payment.
    pub payment_id: PaymentId,
    /// For which order.
    pub order_id: OrderId,
    /// Why, in the provider's code.
    pub reason: String,
    /// How many further attempts are allowed.
    pub attempts_left: i64,
}

/// Money has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaymentCaptured {
    /// The payment.
    pub payment_id: PaymentId,
    /// For which order.
    pub order_id: OrderId,
    /// For which parcel, where it was taken for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipment_id: Option<ShipmentId>,
    /// How much this time.
    pub amount: Money,
    /// How much in all.
    pub captured_total: Money,
    /// What has been given back of it in all.
    pub refunded_total: Money,
}

/// Money that was guaranteed did not come: the parcel stays in the house.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaymentCaptureFailed {
    /// The payment.
    pub payment_id: PaymentId,
    /// For which order.
    pub order_id: OrderId,
    /// For which parcel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipment_id: Option<ShipmentId>,
    /// Why, in the provider's code.
    pub reason: String,
}

/// An authorisation was given up; no money moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaymentVoided {
    /// The payment.
    pub payment_id: PaymentId,
    /// For which order.
    pub order_id: OrderId,
}

/// Money went back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaymentRefunded {
    /// The payment.
    pub payment_id: PaymentId,
    /// For which order.
    pub order_id: OrderId,
    /// How much this time.
    pub amount: Money,
    /// How much has come in all.
    pub captured_total: Money,
    /// How much has gone back in all.
    pub refunded_total: Money,
}

/// The provider's account of the payment contradicts ours: a person has to look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaymentConflicted {
    /// The payment.
    pub payment_id: PaymentId,
    /// For which order.
    pub order_id: OrderId,
    /// What does not fit.
    pub reason: String,
}

/// An invoice was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InvoiceIssued {
    /// The invoice.
    pub invoice_id: InvoiceId,
    /// Its number: unique, gapless in its series and year.
    pub number: String,
    /// For which order.
    pub order_id: OrderId,
    /// For which parcel, where it is for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipment_id: Option<ShipmentId>,
    /// Its gross amount.
    pub total: Money,
}

/// A credit note was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreditNoteIssued {
    /// The credit note.
    pub credit_note_id: CreditNoteId,
    /// Its number, in a series of its own.
    pub number: String,
    /// Which invoice it corrects.
    pub invoice_id: InvoiceId,
    /// For which order.
    pub order_id: OrderId,
    /// The gross amount it takes back.
    pub total: Money,
}
