//! What can be asked of an order: by people, by time, and by what other services say.
//!
//! Time and new ids come inside the command.

use contracts::{LineId, ShipmentId, events::ReleaseReason};
use uuid::Uuid;

use super::{PaymentNews, parcels::ParcelNews};

/// Something that is to happen to an order, or has happened around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Customer or staff no longer want it.
    Cancel {
        /// Why.
        reason: String,
    },
    /// Staff want to look before it goes on.
    PutOnHold {
        /// Why.
        reason: String,
    },
    /// Staff have looked.
    Resume {
        /// The id of the refund that may have to be granted.
        refund_id: Uuid,
    },
    /// The warehouse has had time to answer whether an order can still be cancelled.
    AskAgain,
    /// Staff give money back without a return: goodwill, a lost parcel.
    GrantRefund {
        /// The decision; repeating it does not repeat the refund.
        refund_id: Uuid,
        /// How much, in minor units.
        amount_minor: i64,
        /// For which line, where it is for one.
        line_id: Option<LineId>,
        /// Why.
        reason: String,
    },
    /// The deadline's timer rang.
    PassDeadline,
    /// The warehouse has allocated the goods.
    HearStockAllocated,
    /// The warehouse does not have the goods.
    HearStockRejected {
        /// What is missing, for the customer.
        reason: String,
    },
    /// The warehouse has freed the goods.
    HearStockReleased {
        /// Why.
        reason: ReleaseReason,
    },
    /// The warehouse cannot take the parcels back.
    HearCancelRefused {
        /// Why.
        reason: String,
    },
    /// Something happened to a parcel.
    HearParcel {
        /// Which.
        shipment_id: ShipmentId,
        /// The position of the news in the parcel's history.
        version: i64,
        /// What.
        news: ParcelNews,
        /// The id of the refund that may have to be granted.
        refund_id: Uuid,
    },
    /// Something happened to the payment.
    HearPayment {
        /// The position of the news in the payment's history.
        version: i64,
        /// What.
        news: PaymentNews,
        /// The id of the refund that may have to be granted.
        refund_id: Uuid,
    },
}
