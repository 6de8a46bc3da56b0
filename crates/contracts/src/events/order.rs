//! What the order service says.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    CartId, Currency, LineId, Money, OrderId, Sku, Timestamp,
    events::{Address, Buyer, LineQuantity, TaxMode, Taxed},
};

/// A customer has placed an order: everything needed to fulfil it and to read it in ten years.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderPlaced {
    /// The order.
    pub order_id: OrderId,
    /// The number people use.
    pub number: String,
    /// The cart it came from.
    pub cart_id: CartId,
    /// SHA-256, in hex, of the secret that opens the order to a guest.
    pub access_hash: String,
    /// Who bought.
    pub buyer: Buyer,
    /// The currency of every amount here.
    #[schema(value_type = String)]
    pub currency: Currency,
    /// What was bought, at least one line.
    pub lines: Vec<PlacedLine>,
    /// How it travels, where something ships.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping: Option<PlacedShipping>,
    /// Whether the prices shown contained the tax.
    pub tax_mode: TaxMode,
    /// Net, tax and gross for each rate.
    pub taxes: Vec<Taxed>,
    /// What is owed.
    pub total: Money,
    /// How the customer means to pay.
    pub payment_method: ChosenMethod,
    /// The version of the terms that was accepted.
    pub terms_version: String,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When it expires unless confirmed.
    pub deadline: Timestamp,
}

/// A line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlacedLine {
    /// The line.
    pub line_id: LineId,
    /// What.
    pub sku: Sku,
    /// Its name as it was.
    pub name: String,
    /// How many.
    pub quantity: i64,
    /// Whether a parcel is needed.
    pub requires_shipping: bool,
    /// The price of one, as shown, before discounts.
    pub unit_price_minor: i64,
    /// What was taken off the line, its share of the order's discounts included.
    pub discount_minor: i64,
    /// What the line costs after discounts.
    pub amount: Taxed,
}

/// How an order travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlacedShipping {
    /// The method's code.
    pub method: String,
    /// The method's name as it was.
    pub name: String,
    /// Where to.
    pub address: Address,
    /// What it costs, for each rate of the goods it is taxed with.
    pub amounts: Vec<Taxed>,
}

/// A way to pay, as chosen: the method's code and the provider's token for it.
///
/// The token is never a card number; it is what the provider gave out for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChosenMethod {
    /// The method's code, such as `card` or `on_delivery`.
    #[schema(min_length = 1, max_length = 40)]
    pub code: String,
    /// The provider's token, where the method has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub token: Option<String>,
}

/// Stock is allocated and money is there or may come later: the shop will deliver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderConfirmed {
    /// The order.
    pub order_id: OrderId,
}

/// The order could not be served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderFailed {
    /// The order.
    pub order_id: OrderId,
    /// Its cart, open again.
    pub cart_id: CartId,
    /// Why, for the customer.
    pub reason: String,
}

/// The deadline passed without money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderExpired {
    /// The order.
    pub order_id: OrderId,
    /// Its cart, open again.
    pub cart_id: CartId,
}

/// Somebody wants a confirmed order cancelled; the warehouse, which alone knows, answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderCancelRequested {
    /// The order.
    pub order_id: OrderId,
    /// Why.
    pub reason: String,
}

/// The order is off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderCancelled {
    /// The order.
    pub order_id: OrderId,
    /// Its cart.
    pub cart_id: CartId,
    /// Why.
    pub reason: String,
}

/// A person has to look at the order before it goes on: nothing may leave the house.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderPutOnHold {
    /// The order.
    pub order_id: OrderId,
    /// Why.
    pub reason: String,
}

/// The order goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderResumed {
    /// The order.
    pub order_id: OrderId,
}

/// Part of a confirmed order will not be delivered: less is owed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderReduced {
    /// The order.
    pub order_id: OrderId,
    /// How many pieces of which lines.
    pub lines: Vec<LineQuantity>,
    /// What is no longer owed, by rate.
    pub amounts: Vec<Taxed>,
    /// What is owed for the whole order from now on.
    pub owed: Money,
    /// Why.
    pub reason: String,
}

/// Everything is delivered, fulfilled or cancelled, and money is settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderCompleted {
    /// The order.
    pub order_id: OrderId,
}

/// The shop has decided to give money back; payment carries it out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefundGranted {
    /// The order.
    pub order_id: OrderId,
    /// The decision; repeating it does not repeat the refund.
    pub refund_id: uuid::Uuid,
    /// How much, by rate.
    pub amounts: Vec<Taxed>,
    /// How much in all.
    pub total: Money,
    /// Which line it is for, where it is for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line_id: Option<LineId>,
    /// Why.
    pub reason: String,
}
