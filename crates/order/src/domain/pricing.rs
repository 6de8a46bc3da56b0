//! What a basket costs, in full: goods, discounts, shipping, tax, total.
//!
//! The order is fixed: unit prices, line discounts, order discounts (spread over the lines),
//! shipping, shipping discounts, tax, total. Promotions and coupons, which will find the
//! discounts, are not here; [`Discounts`] is the place where they come in.
//!
//! - Prices, discounts and shipping are *as shown*: with the tax inside or without it.
//! - Tax is reckoned for each line, after discounts, once for its rate, half-up. With the tax
//!   inside, a price is what the customer pays, wherever they live: the tax of their country is
//!   taken out of it.
//! - Every split is by the largest remainder; on every line net + tax = gross.
//! - What cannot be priced or taxed is refused, never free and never untaxed. A sum that does not
//!   fit is refused, never wrapped.

mod book;
mod discount;
mod offer;
mod shipping;
mod tax;

#[cfg(test)]
mod tests;

use contracts::{
    Currency, LineId, Sku,
    events::{Taxed, ZeroTaxReason},
};
use contracts::{Rate, events::TaxMode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use book::{BookError, PriceBook};
pub use discount::Discounts;
pub use offer::Offer;
pub use shipping::{ShippingQuote, Unavailable};

/// What is to be priced.
#[derive(Debug, Clone)]
pub struct Basket<'a> {
    /// In which currency.
    pub currency: Currency,
    /// Whether prices contain the tax.
    pub tax_mode: TaxMode,
    /// What is in it.
    pub lines: &'a [BasketLine<'a>],
    /// Where it goes, ISO 3166-1 alpha-2; the shop's own country if not known yet.
    pub country: Option<&'a str>,
    /// How it is to be shipped, if that has been chosen.
    pub shipping_method: Option<&'a str>,
    /// What is taken off.
    pub discounts: &'a Discounts,
}

/// A line of a basket.
#[derive(Debug, Clone, Copy)]
pub struct BasketLine<'a> {
    /// The line.
    pub line_id: LineId,
    /// How many pieces.
    pub quantity: i64,
    /// What is offered; nothing, if the unit is not on sale.
    pub offer: Result<&'a Offer, &'a Sku>,
}

/// What a basket costs. All amounts are minor units of its currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Priced {
    /// Line by line.
    pub lines: Vec<PricedLine>,
    /// Shipping, if a method was chosen and something ships.
    pub shipping: Option<PricedShipping>,
    /// Whether a parcel is needed.
    pub requires_shipping: bool,
    /// The goods as shown, after discounts.
    pub subtotal_minor: i64,
    /// What was taken off the goods.
    pub discount_minor: i64,
    /// Shipping as shown.
    pub shipping_minor: i64,
    /// Net, tax and gross for each rate.
    pub taxes: Vec<Taxed>,
    /// All tax.
    pub tax_minor: i64,
    /// What is to be paid.
    pub total_minor: i64,
}

/// What a line costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PricedLine {
    /// The line.
    pub line_id: LineId,
    /// The price of one, as shown, before discounts.
    pub unit_price_minor: i64,
    /// What was taken off, its share of the order's discounts included.
    pub discount_minor: i64,
    /// What the line costs after discounts.
    pub amount: Taxed,
}

/// What shipping costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PricedShipping {
    /// The method's code.
    pub method: String,
    /// The method's name.
    pub name: String,
    /// What it costs, for each rate it is taxed with.
    pub amounts: Vec<Taxed>,
}

/// The fact that stands against pricing a basket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PricingRefusal {
    /// Something in it is not on sale.
    #[error("{sku} is not on sale")]
    NotOnSale {
        /// What.
        sku: Sku,
    },
    /// Something in it has no price in its currency.
    #[error("{sku} has no price in {}", currency.code())]
    NoPrice {
        /// What.
        sku: Sku,
        /// In which currency.
        currency: Currency,
    },
    /// The shop knows no rate for something where it goes.
    #[error("the tax on {class:?} goods in {country} is not known")]
    TaxUndetermined {
        /// The tax class.
        class: String,
        /// The country.
        country: String,
    },
    /// The chosen way to ship does not exist or does not go there.
    #[error("the shipping method {method:?} is not available: {why}")]
    ShippingUnavailable {
        /// Its code.
        method: String,
        /// Why not.
        why: Unavailable,
    },
    /// A sum does not fit.
    #[error("the amount is too large")]
    AmountTooLarge,
}

/// A rate, and the reason if it is zero: what one tax is reckoned for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct AppliedRate {
    rate: Rate,
    zero_reason: Option<ZeroTaxReason>,
}

/// The tax of an amount as shown.
fn with_tax(
    shown_minor: i64,
    applied: AppliedRate,
    mode: TaxMode,
) -> Result<Taxed, PricingRefusal> {
    let AppliedRate { rate, zero_reason } = applied;
    let (net_minor, tax_minor, gross_minor) = match mode {
        TaxMode::Included => {
            let tax = rate.included_in(shown_minor);
            (shown_minor.checked_sub(tax), tax, Some(shown_minor))
        }
        TaxMode::Added => {
            let tax = rate.on_top_of(shown_minor);
            (Some(shown_minor), tax, shown_minor.checked_add(tax))
        }
    };
    let net_minor = net_minor.ok_or(PricingRefusal::AmountTooLarge)?;
    let gross_minor = gross_minor.ok_or(PricingRefusal::AmountTooLarge)?;
    Ok(Taxed { net_minor, tax_minor, gross_minor, rate, zero_reason })
}

/// A sum that is refused when it does not fit.
fn sum(amounts: impl IntoIterator<Item = i64>) -> Result<i64, PricingRefusal> {
    amounts.into_iter().try_fold(0_i64, i64::checked_add).ok_or(PricingRefusal::AmountTooLarge)
}
