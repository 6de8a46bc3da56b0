//! What the shop offers: the order service's own copy of what the catalogue has published.

use std::collections::BTreeMap;

use contracts::{Currency, Sku};
use serde::{Deserialize, Serialize};

/// A unit on sale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The unit.
    pub sku: Sku,
    /// Its name: the product's, and what sets the variant apart.
    pub name: String,
    /// Its product's name in addresses; unknown of what was offered before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    /// The first category of its product, as a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Its tax class.
    pub tax_class: String,
    /// Whether a parcel is needed.
    pub requires_shipping: bool,
    /// What one weighs, in grams.
    pub weight_g: i64,
    /// What one costs, in minor units, by currency code.
    pub prices: BTreeMap<String, i64>,
}

impl Offer {
    /// What one costs, in minor units. A price below nothing is none.
    pub fn price_minor(&self, currency: Currency) -> Option<i64> {
        self.prices.get(currency.code()).copied().filter(|price| *price >= 0)
    }
}
