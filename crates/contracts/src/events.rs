//! Every event there is. One line in `events!` adds one: its type, its publisher, its payload.

mod catalogue;
mod customer;
mod notification;
mod order;
mod payment;
mod values;
mod warehouse;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

use crate::DecodeError;

pub use catalogue::*;
pub use customer::*;
pub use notification::*;
pub use order::*;
pub use payment::*;
pub use values::*;
pub use warehouse::*;

/// A service that publishes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Products and prices.
    Catalogue,
    /// People.
    Customer,
    /// Carts and orders.
    Order,
    /// Stock and shipments.
    Warehouse,
    /// Money and invoices.
    Payment,
    /// Messages.
    Notification,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Catalogue,
        Self::Customer,
        Self::Order,
        Self::Warehouse,
        Self::Payment,
        Self::Notification,
    ];

    /// The service's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Catalogue => "catalogue",
            Self::Customer => "customer",
            Self::Order => "order",
            Self::Warehouse => "warehouse",
            Self::Payment => "payment",
            Self::Notification => "notification",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|source| source.name() == text)
            .ok_or_else(|| format!("{text:?} is not a service"))
    }
}

/// What is known of a type of event without having one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventKind {
    /// `order.placed.v1`; with `kontor.` before it, the subject on the bus.
    pub name: &'static str,
    /// Who alone says it.
    pub source: Source,
}

/// A payload: one version of one event.
pub trait EventData: Serialize + DeserializeOwned + ToSchema + Send + Sync + 'static {
    /// Its type.
    const KIND: EventKind;

    /// The payload inside `payload`, if it is one of these.
    fn of(payload: &Payload) -> Option<&Self>;
}

macro_rules! events {
    ($($source:ident $name:literal $data:ident,)*) => {
        /// What happened: any event, any version.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(untagged)]
        #[allow(missing_docs, reason = "each variant is its payload, and that is documented")]
        pub enum Payload {
            $($data(Box<$data>),)*
        }

        impl Payload {
            /// Every type of event, in the order of the list.
            pub const KINDS: &'static [EventKind] = &[$($data::KIND,)*];

            /// Its type.
            pub const fn kind(&self) -> EventKind {
                match self {
                    $(Self::$data(_) => $data::KIND,)*
                }
            }

            /// Reads the payload of a type.
            ///
            /// # Errors
            /// When the type is unknown or the text does not fit it.
            pub fn decode(kind: &str, json: &str) -> Result<Self, DecodeError> {
                match kind {
                    $($name => serde_json::from_str(json)
                        .map(|data| Self::$data(Box::new(data)))
                        .map_err(|source| DecodeError::Malformed { kind: $name, source }),)*
                    unknown => Err(DecodeError::UnknownType(unknown.to_owned())),
                }
            }
        }

        $(
            impl EventData for $data {
                const KIND: EventKind = EventKind { name: $name, source: Source::$source };

                fn of(payload: &Payload) -> Option<&Self> {
                    if let Payload::$data(data) = payload { Some(data) } else { None }
                }
            }
            impl From<$data> for Payload {
                fn from(data: $data) -> Self {
                    Self::$data(Box::new(data))
                }
            }
        )*

        /// The JSON schema of each payload, and of everything it refers to, for the generated docs.
        pub fn schemas() -> Vec<(EventKind, PayloadSchema)> {
            vec![$(($data::KIND, PayloadSchema::of::<$data>()),)*]
        }
    };
}

/// A payload's JSON schema.
#[derive(Clone)]
pub struct PayloadSchema {
    /// The name of the payload's type.
    pub name: String,
    /// Its schema.
    pub schema: utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>,
    /// The schemas it refers to, by name.
    pub refers_to: Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>)>,
}

impl PayloadSchema {
    fn of<T: ToSchema>() -> Self {
        let mut refers_to = Vec::new();
        T::schemas(&mut refers_to);
        Self { name: T::name().into_owned(), schema: T::schema(), refers_to }
    }
}

events! {
    Catalogue "product.published.v1" ProductPublished,
    Catalogue "product.withdrawn.v1" ProductWithdrawn,

    Order "order.placed.v1" OrderPlaced,
    Order "order.confirmed.v1" OrderConfirmed,
    Order "order.failed.v1" OrderFailed,
    Order "order.expired.v1" OrderExpired,
    Order "order.cancel_requested.v1" OrderCancelRequested,
    Order "order.cancelled.v1" OrderCancelled,
    Order "order.put_on_hold.v1" OrderPutOnHold,
    Order "order.resumed.v1" OrderResumed,
    Order "order.reduced.v1" OrderReduced,
    Order "order.completed.v1" OrderCompleted,
    Order "refund.granted.v1" RefundGranted,

    Warehouse "stock.reserved.v1" StockReserved,
    Warehouse "stock.rejected.v1" StockRejected,
    Warehouse "stock.allocated.v1" StockAllocated,
    Warehouse "stock.released.v1" StockReleased,
    Warehouse "stock.changed.v1" StockChanged,
    Warehouse "cancel.refused.v1" CancelRefused,
    Warehouse "shipment.created.v1" ShipmentCreated,
    Warehouse "shipment.short_picked.v1" ShipmentShortPicked,
    Warehouse "shipment.packed.v1" ShipmentPacked,
    Warehouse "shipment.ready.v1" ShipmentReady,
    Warehouse "shipment.dispatched.v1" ShipmentDispatched,
    Warehouse "shipment.delivered.v1" ShipmentDelivered,
    Warehouse "shipment.cancelled.v1" ShipmentCancelled,

    Payment "payment.not_required.v1" PaymentNotRequired,
    Payment "payment.action_required.v1" PaymentActionRequired,
    Payment "payment.authorized.v1" PaymentAuthorized,
    Payment "payment.declined.v1" PaymentDeclined,
    Payment "payment.captured.v1" PaymentCaptured,
    Payment "payment.capture_failed.v1" PaymentCaptureFailed,
    Payment "payment.voided.v1" PaymentVoided,
    Payment "payment.refunded.v1" PaymentRefunded,
    Payment "payment.conflicted.v1" PaymentConflicted,
    Payment "invoice.issued.v1" InvoiceIssued,
    Payment "credit_note.issued.v1" CreditNoteIssued,

    Notification "message.sent.v1" MessageSent,

    Customer "customer.registered.v1" CustomerRegistered,
    Customer "customer.updated.v1" CustomerUpdated,
    Customer "customer.erased.v1" CustomerErased,
}
