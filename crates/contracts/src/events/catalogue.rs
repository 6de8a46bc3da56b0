//! What the catalogue says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Money, ProductId, Sku};

/// A product is on sale, or what is on sale has changed: the whole document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProductPublished {
    /// The product.
    pub product_id: ProductId,
    /// Its version; an older one never overwrites a newer one.
    pub version: i64,
    /// Its name in addresses.
    pub handle: String,
    /// Its name.
    pub name: String,
    /// What it is, as plain text.
    #[serde(default)]
    pub description: String,
    /// Paths in the category tree, such as `gifts/candles`.
    #[serde(default)]
    pub categories: Vec<String>,
    /// Typed attributes.
    #[serde(default)]
    pub attributes: BTreeMap<String, AttributeValue>,
    /// What can be bought, at least one.
    pub variants: Vec<Variant>,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum AttributeValue {
    /// Yes or no.
    Boolean(bool),
    /// A whole number.
    Number(i64),
    /// Words, or a decimal number as text.
    Text(String),
    /// Several choices.
    Choices(Vec<String>),
}

/// One form of a product that can be bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Variant {
    /// Its stock keeping unit.
    pub sku: Sku,
    /// What sets it apart from its siblings: `size: M`.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// Which tax class it belongs to, such as `standard`, `reduced`, `books`.
    pub tax_class: String,
    /// Its weight in grams.
    pub weight_g: i64,
    /// Whether a parcel is needed.
    pub requires_shipping: bool,
    /// One price per currency.
    pub prices: Vec<Price>,
}

/// A price in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Price {
    /// What one piece costs.
    pub price: Money,
    /// What it cost before, where that may be shown; the same currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was_minor: Option<i64>,
}

/// A product is no longer on sale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProductWithdrawn {
    /// The product.
    pub product_id: ProductId,
    /// Its version.
    pub version: i64,
    /// The units that can no longer be bought.
    pub skus: Vec<Sku>,
}
