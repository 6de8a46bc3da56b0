//! What a shop decides about carts, prices and orders.
//!
//! The defaults make a working demonstration shop in the European Union: prices in euro with the
//! tax inside, the rates of its 27 countries, two ways to ship. **The rates are for
//! demonstration**: whoever sells checks them.

mod eu;

use std::collections::BTreeMap;

use contracts::{
    Currency, Rate,
    events::{PaymentTerms, TaxMode, ZeroTaxReason},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Carts, prices and orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The currencies a cart may have; the first is the shop's own.
    pub currencies: Vec<Currency>,
    /// Whether prices contain the tax (`included`) or it is added to them (`added`).
    pub tax_mode: TaxMode,
    /// The country whose rates apply while no address is known, ISO 3166-1 alpha-2.
    pub home_country: String,
    /// Which rates apply where. An address outside all zones cannot be served.
    pub tax_zones: Vec<TaxZone>,
    /// Ways to ship, in the order they are offered.
    pub shipping_methods: Vec<ShippingMethod>,
    /// Ways to pay, in the order they are offered. Payment has its own view of the same codes. Of
    /// the defaults, only those are offered for which payment has what they need (a provider, or the account
    /// of transfers); naming one without is an error.
    pub payment_methods: Vec<PaymentMethod>,
    /// The version of the terms that a customer has to accept.
    pub terms_version: String,
    /// How many different things a cart may hold.
    pub cart_lines_max: usize,
    /// How many pieces of one thing a cart may hold.
    pub quantity_max: i64,
    /// Days after which a cart that nobody has touched and that was never an order is deleted.
    pub cart_days: u32,
    /// Minutes after which an order that is paid at once expires unless confirmed.
    pub deadline_minutes: u32,
    /// Days after which an order that is paid by transfer expires unless confirmed.
    pub transfer_deadline_days: u32,
    /// The longest a client may ask to wait for an order to settle, in seconds.
    pub wait_max_seconds: u32,
}

/// The rates of some countries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaxZone {
    /// Its name.
    pub name: String,
    /// Its countries, ISO 3166-1 alpha-2. A country belongs to one zone.
    pub countries: Vec<String>,
    /// The rate of each tax class of the catalogue: `standard = { rate = "0.19" }`.
    pub rates: BTreeMap<String, TaxRate>,
}

/// A rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaxRate {
    /// As a fraction: `"0.19"` is 19 %.
    pub rate: Rate,
    /// Why it is zero; needed if it is: `zero_rated`, `export` or `exempt`. `reverse_charge` is refused as
    /// long as carts do not take the buyer's VAT number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zero_reason: Option<ZeroTaxReason>,
}

/// A way to ship.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShippingMethod {
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Where it goes, ISO 3166-1 alpha-2; everywhere, if empty.
    #[serde(default)]
    pub countries: Vec<String>,
    /// What it costs, one entry for each currency it is offered in.
    pub prices: Vec<ShippingPrice>,
    /// The tax class it is taxed by; in proportion to the goods' rates, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_class: Option<String>,
    /// How long it takes; nothing is promised, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<DeliveryDays>,
}

/// How long a parcel takes to whom it is for, in working days from the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeliveryDays {
    /// At least.
    pub from: u32,
    /// At most.
    pub to: u32,
}

/// What a way to ship costs in one currency, as shown: with the tax where prices contain it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShippingPrice {
    /// The currency.
    pub currency: Currency,
    /// How the price is found.
    pub by: ShippingTariff,
    /// Goods worth this or more, after discounts, travel free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_from_minor: Option<i64>,
}

/// How a shipping price is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ShippingTariff {
    /// Always the same.
    Flat {
        /// In minor units.
        price_minor: i64,
    },
    /// By the weight of what ships; heavier than the last step does not go.
    Weight {
        /// In order of weight.
        steps: Vec<WeightStep>,
    },
    /// By the worth of the goods after discounts; the last step that has been reached applies.
    Subtotal {
        /// In order of worth.
        steps: Vec<SubtotalStep>,
    },
}

/// Up to a weight, a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightStep {
    /// The heaviest, in grams.
    pub up_to_g: i64,
    /// In minor units.
    pub price_minor: i64,
}

/// From a worth on, a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubtotalStep {
    /// The least, in minor units.
    pub from_minor: i64,
    /// In minor units.
    pub price_minor: i64,
}

/// A way to pay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentMethod {
    /// Its code, as payment knows it.
    pub code: String,
    /// Its name.
    pub name: String,
    /// When the money comes: `prepaid`, `transfer`, `on_delivery` or `on_account`.
    pub terms: PaymentTerms,
}

impl Default for Config {
    fn default() -> Self {
        let pay = |code: &str, name: &str, terms| PaymentMethod {
            code: code.to_owned(),
            name: name.to_owned(),
            terms,
        };
        Self {
            currencies: vec![Currency::EUR],
            tax_mode: TaxMode::Included,
            home_country: "DE".to_owned(),
            tax_zones: eu::zones(),
            shipping_methods: vec![standard(), express()],
            payment_methods: vec![
                pay("card", "Card", PaymentTerms::Prepaid),
                pay("card_auto", "Card, charged at once", PaymentTerms::Prepaid),
                pay("on_delivery", "Cash on delivery", PaymentTerms::OnDelivery),
                pay("transfer", "Bank transfer", PaymentTerms::Transfer),
            ],
            terms_version: "2026-01".to_owned(),
            cart_lines_max: 100,
            quantity_max: 9_999,
            cart_days: 30,
            deadline_minutes: 30,
            transfer_deadline_days: 10,
            wait_max_seconds: 20,
        }
    }
}

fn standard() -> ShippingMethod {
    let step = |up_to_g, price_minor| WeightStep { up_to_g, price_minor };
    let steps = vec![step(2_000, 490), step(10_000, 690), step(31_500, 1_490)];
    ShippingMethod {
        code: "standard".to_owned(),
        name: "Standard delivery".to_owned(),
        countries: vec![],
        prices: vec![ShippingPrice {
            currency: Currency::EUR,
            by: ShippingTariff::Weight { steps },
            free_from_minor: Some(10_000),
        }],
        tax_class: None,
        days: Some(DeliveryDays { from: 2, to: 4 }),
    }
}

fn express() -> ShippingMethod {
    ShippingMethod {
        code: "express".to_owned(),
        name: "Express delivery".to_owned(),
        countries: ["DE", "AT", "NL", "BE", "LU"].map(str::to_owned).to_vec(),
        prices: vec![ShippingPrice {
            currency: Currency::EUR,
            by: ShippingTariff::Flat { price_minor: 1_290 },
            free_from_minor: None,
        }],
        tax_class: None,
        days: Some(DeliveryDays { from: 1, to: 2 }),
    }
}
