//! Which ways to ship there are for a basket, and what each costs.

use contracts::{Currency, split_by_weights};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AppliedRate, PricingRefusal, sum};
use crate::config::{DeliveryDays, ShippingMethod, ShippingPrice, ShippingTariff};

/// A way to ship a basket, and what it costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShippingQuote {
    /// The method's code.
    pub code: String,
    /// The method's name.
    pub name: String,
    /// What it costs as shown, in minor units.
    pub price_minor: i64,
    /// How long it takes, in working days; nothing is promised, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<DeliveryDays>,
}

/// What of a basket matters for shipping it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Freight<'a> {
    pub currency: Currency,
    pub country: &'a str,
    /// Of what ships.
    pub weight_g: i64,
    /// Of all goods, after discounts, as shown.
    pub subtotal_minor: i64,
}

/// Why a basket cannot be shipped by a method.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// There is no such method.
    #[error("there is no such method")]
    Unknown,
    /// It goes elsewhere.
    #[error("it does not go to {country}")]
    NotThere {
        /// Where the basket is to go.
        country: String,
    },
    /// It has no price in the basket's currency.
    #[error("it has no price in {currency}")]
    NoPrice {
        /// That currency.
        currency: Currency,
    },
    /// The goods weigh more than it takes.
    #[error("the goods weigh {weight_g} g, and it takes {up_to_g} g at most")]
    TooHeavy {
        /// What they weigh.
        weight_g: i64,
        /// What it takes.
        up_to_g: i64,
    },
    /// The goods are worth less than it is there for.
    #[error("the goods cost too little for it")]
    TooLittle,
}

/// What a method costs, or why it cannot be had.
pub(super) fn quote(method: &ShippingMethod, freight: &Freight<'_>) -> Result<i64, Unavailable> {
    let (country, currency) = (freight.country, freight.currency);
    if !method.countries.is_empty() && !method.countries.iter().any(|known| known == country) {
        return Err(Unavailable::NotThere { country: country.to_owned() });
    }
    let price = method.prices.iter().find(|price| price.currency == currency);
    let ShippingPrice { by, free_from_minor, .. } =
        price.ok_or(Unavailable::NoPrice { currency })?;
    let price_minor = by_tariff(by, freight)?;
    let is_free = free_from_minor.is_some_and(|from| freight.subtotal_minor >= from);
    Ok(if is_free { 0 } else { price_minor })
}

fn by_tariff(tariff: &ShippingTariff, freight: &Freight<'_>) -> Result<i64, Unavailable> {
    let Freight { weight_g, subtotal_minor, .. } = *freight;
    match tariff {
        ShippingTariff::Flat { price_minor } => Ok(*price_minor),
        ShippingTariff::Weight { steps } => {
            let step = steps.iter().find(|step| weight_g <= step.up_to_g);
            let up_to_g = steps.last().map_or(0, |step| step.up_to_g);
            step.map(|step| step.price_minor).ok_or(Unavailable::TooHeavy { weight_g, up_to_g })
        }
        ShippingTariff::Subtotal { steps } => {
            let reached = steps.iter().rev().find(|step| subtotal_minor >= step.from_minor);
            reached.map(|step| step.price_minor).ok_or(Unavailable::TooLittle)
        }
    }
}

/// Splits a shipping price over the rates of the goods that ship, in proportion to what they cost.
/// Each rate comes once, in the order they first appear.
pub(super) fn in_proportion(
    price_minor: i64,
    goods: &[(AppliedRate, i64)],
) -> Result<Vec<(AppliedRate, i64)>, PricingRefusal> {
    let mut rates: Vec<(AppliedRate, i64)> = Vec::new();
    for (rate, amount) in goods {
        match rates.iter_mut().find(|(known, _)| known == rate) {
            Some((_, of_rate)) => *of_rate = sum([*of_rate, *amount])?,
            None => rates.push((*rate, *amount)),
        }
    }
    let weights: Vec<i64> = rates.iter().map(|(_, amount)| *amount).collect();
    let parts = split_by_weights(price_minor, &weights);
    Ok(rates.into_iter().map(|(rate, _)| rate).zip(parts).collect())
}
