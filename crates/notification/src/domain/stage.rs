//! The stages of an order that a customer is told about, and what becomes of the telling.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! named {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident = $name:literal,)* }) => {
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
        )]
        $(#[$doc])*
        #[serde(rename_all = "snake_case")]
        pub enum $type {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $type {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// As it is stored and shown.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The one of that name.
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == name)
            }
        }
    };
}

named! {
    /// What a message is about; also the name of its templates.
    Stage {
        /// The order was received.
        OrderPlaced = "order_placed",
        /// It will be delivered.
        OrderConfirmed = "order_confirmed",
        /// The customer has to do something before it can be paid.
        PaymentActionRequired = "payment_action_required",
        /// The payment was declined.
        PaymentDeclined = "payment_declined",
        /// It cannot be served.
        OrderFailed = "order_failed",
        /// The deadline passed without money.
        OrderExpired = "order_expired",
        /// It is off.
        OrderCancelled = "order_cancelled",
        /// It was to be cancelled and could not be.
        CancelRefused = "cancel_refused",
        /// Less will be delivered, and less is owed.
        OrderReduced = "order_reduced",
        /// A parcel is on its way.
        ShipmentDispatched = "shipment_dispatched",
        /// A parcel has arrived.
        ShipmentDelivered = "shipment_delivered",
        /// An invoice was issued.
        InvoiceIssued = "invoice_issued",
        /// Money went back.
        PaymentRefunded = "payment_refunded",
        /// A credit note was issued.
        CreditNoteIssued = "credit_note_issued",
    }
}

named! {
    /// Where a message is on its way.
    #[schema(as = MessageStatus)]
    Status {
        /// It will be sent.
        Pending = "pending",
        /// It was handed over.
        Sent = "sent",
        /// It cannot be delivered, and trying again would not help.
        Undeliverable = "undeliverable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_in_the_database_and_in_json() {
        for stage in Stage::ALL {
            assert_eq!(serde_json::to_value(stage).unwrap(), stage.name());
            assert_eq!(Stage::named(stage.name()), Some(*stage));
        }
        for status in Status::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
        }
    }
}
