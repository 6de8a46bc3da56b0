//! What the notification service says.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{MessageId, OrderId};

/// A message to a customer was handed over for delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MessageSent {
    /// The message.
    pub message_id: MessageId,
    /// About which order.
    pub order_id: OrderId,
    /// Which of the shop's messages, such as `order_confirmed`.
    pub template: String,
    /// By which channel, such as `email`.
    pub channel: String,
}
