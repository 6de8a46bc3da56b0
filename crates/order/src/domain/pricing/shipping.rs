//! Which ways to ship there are for a basket, and what each costs.

use contracts::{Currency, split_by_weights};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AppliedRate, PricingRefusal, sum};
use crate::config::{ShippingMethod, ShippingPrice, ShippingTariff};

/// A way to ship a basket, and what it costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShippingQuote {
    /// The method's code.
    pub code: String,
    /// The method's name.
    pub name: String,
    /// What it costs as shown, in minor units.
    pub price_minor: i64,
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

/// What a method costs; nothing, if it does not go there or does not take it.
pub(super) fn quote(method: &ShippingMethod, freight: &Freight<'_>) -> Option<i64> {
    let goes = method.countries.is_empty()
        || method.countries.iter().any(|country| country == freight.country);
    if !goes {
        return None;
    }
    let price = method.prices.iter().find(|price| price.currency == freight.currency)?;
    let price_minor = by_tariff(&price.by, freight)?;
    let ShippingPrice { free_from_minor, .. } = price;
    let is_free = free_from_minor.is_some_and(|from| freight.subtotal_minor >= from);
    Some(if is_free { 0 } else { price_minor })
}

fn by_tariff(tariff: &ShippingTariff, freight: &Freight<'_>) -> Option<i64> {
    match tariff {
        ShippingTariff::Flat { price_minor } => Some(*price_minor),
        ShippingTariff::Weight { steps } => {
            steps.iter().find(|step| freight.weight_g <= step.up_to_g).map(|step| step.price_minor)
        }
        ShippingTariff::Subtotal { steps } => {
            let reached = steps.iter().rev().find(|step| freight.subtotal_minor >= step.from_minor);
            reached.map(|step| step.price_minor)
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
