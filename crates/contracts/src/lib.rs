//! What Kontor's services say to each other: the events, and the ids, money and time in them.
//!
//! This is the only thing the services share. It holds data and its encoding; it
//! deliberately holds no behaviour, no storage and no transport.
//!
//! **Invariant.** A payload is never edited once released: an added field with a default keeps
//! the version, anything else is a new variant. The golden files under `golden/` prove that
//! every version ever written still reads.

mod envelope;
pub mod events;
mod ids;
mod input;
mod money;
mod time;

pub use envelope::{Actor, DecodeError, Envelope, TraceParent};
pub use events::{EventData, EventKind, Payload, Source};
pub use ids::{
    CartId, CreditNoteId, CustomerId, EventId, Id, InvoiceId, LineId, MessageId, OperationId,
    OrderId, PaymentId, ProductId, ShipmentId, Sku, SkuError, kinds,
};
pub use input::{AddressInput, ChosenMethodInput, MoneyInput};
pub use money::{
    Currency, Money, MoneyError, Rate, share_of_pieces, split_by_weights, sum_by_rate,
};
pub use time::{Timestamp, TimestampError};
