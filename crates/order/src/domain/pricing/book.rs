//! The price book: a shop's rates and shipping methods, checked once, ready to price baskets.

use contracts::{
    Rate, Sku,
    events::{TaxMode, ZeroTaxReason},
};

use super::shipping::{self, Freight, Unavailable};
use super::tax::TaxTable;
use super::{
    AppliedRate, Basket, Offer, Priced, PricedLine, PricedShipping, PricingRefusal, ShippingQuote,
    discount, sum, with_tax,
};
use crate::config::{Config, ShippingMethod, ShippingTariff};
use crate::domain::units::by_rate;

/// Everything about prices that does not depend on the basket.
#[derive(Debug, Clone)]
pub struct PriceBook {
    mode: TaxMode,
    home_country: String,
    taxes: TaxTable,
    methods: Vec<ShippingMethod>,
}

/// What is wrong with a shop's prices: the key, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {why}")]
pub struct BookError {
    /// The configuration key.
    pub key: String,
    /// What is wrong with its value.
    pub why: String,
}

/// A line on its way through the pipeline.
struct Goods<'a> {
    offer: &'a Offer,
    quantity: i64,
    unit_price_minor: i64,
    before_minor: i64,
}

impl PriceBook {
    /// The price book of a shop.
    ///
    /// # Errors
    /// What in the configuration cannot be right.
    pub fn new(config: &Config) -> Result<Self, BookError> {
        check_zones(config)?;
        check_methods(&config.shipping_methods)?;
        check_tax_classes(config)?;
        let taxes = TaxTable::new(&config.tax_zones);
        if !taxes.knows(&config.home_country) {
            let why = format!("no tax zone contains {}", config.home_country);
            return Err(BookError { key: "home_country".to_owned(), why });
        }
        Ok(Self {
            mode: config.tax_mode,
            home_country: config.home_country.clone(),
            taxes,
            methods: config.shipping_methods.clone(),
        })
    }

    /// Whether prices contain the tax.
    pub fn tax_mode(&self) -> TaxMode {
        self.mode
    }

    /// The countries that are served, in alphabetical order.
    pub fn countries(&self) -> impl Iterator<Item = &str> {
        self.taxes.countries()
    }

    /// What a basket costs, with what ways there are to ship it.
    ///
    /// # Errors
    /// The first fact that stands against it.
    pub fn price(
        &self,
        basket: &Basket<'_>,
    ) -> Result<(Priced, Vec<ShippingQuote>), PricingRefusal> {
        let country = basket.country.unwrap_or(&self.home_country);
        let goods = goods(basket)?;
        let before: Vec<_> =
            basket.lines.iter().zip(&goods).map(|(l, g)| (l.line_id, g.before_minor)).collect();
        let off = discount::off_lines(basket.discounts, &before)?;
        let after: Vec<i64> = goods.iter().zip(&off).map(|(g, off)| g.before_minor - off).collect();
        let subtotal_minor = sum(after.iter().copied())?;

        let rates = goods.iter().map(|goods| self.taxes.rate(country, &goods.offer.tax_class));
        let rates = rates.collect::<Result<Vec<_>, _>>()?;
        let shipped: Vec<(AppliedRate, i64)> = goods
            .iter()
            .zip(rates.iter().zip(&after))
            .filter(|(goods, _)| goods.offer.requires_shipping)
            .map(|(_, (rate, amount))| (*rate, *amount))
            .collect();
        let freight = Freight {
            currency: basket.currency,
            country,
            weight_g: weight(&goods)?,
            subtotal_minor,
        };
        let quotes = if shipped.is_empty() { vec![] } else { self.quotes(&freight) };
        let shipping = match basket.shipping_method {
            Some(method) if !shipped.is_empty() => {
                Some(self.shipping(method, &freight, basket, &shipped)?)
            }
            Some(_) | None => None,
        };

        let line = |(n, goods): (usize, &Goods<'_>)| {
            Ok(PricedLine {
                line_id: basket.lines[n].line_id,
                unit_price_minor: goods.unit_price_minor,
                discount_minor: off[n],
                amount: with_tax(after[n], rates[n], basket.tax_mode)?,
            })
        };
        let lines = goods.iter().enumerate().map(line).collect::<Result<Vec<_>, _>>()?;
        add_up(basket.tax_mode, lines, shipping, !shipped.is_empty(), subtotal_minor)
            .map(|p| (p, quotes))
    }

    fn quotes(&self, freight: &Freight<'_>) -> Vec<ShippingQuote> {
        let quote = |method: &ShippingMethod| {
            let price_minor = shipping::quote(method, freight).ok()?;
            let (code, name) = (method.code.clone(), method.name.clone());
            Some(ShippingQuote { code, name, price_minor, days: method.days })
        };
        self.methods.iter().filter_map(quote).collect()
    }

    fn shipping(
        &self,
        chosen: &str,
        freight: &Freight<'_>,
        basket: &Basket<'_>,
        shipped: &[(AppliedRate, i64)],
    ) -> Result<PricedShipping, PricingRefusal> {
        let unavailable =
            |why| PricingRefusal::ShippingUnavailable { method: chosen.to_owned(), why };
        let method = self.methods.iter().find(|method| method.code == chosen);
        let method = method.ok_or_else(|| unavailable(Unavailable::Unknown))?;
        let full_minor = shipping::quote(method, freight).map_err(unavailable)?;
        let price_minor = full_minor - basket.discounts.shipping_minor.clamp(0, full_minor);
        let parts = match &method.tax_class {
            Some(class) => vec![(self.taxes.rate(freight.country, class)?, price_minor)],
            None => shipping::in_proportion(price_minor, shipped)?,
        };
        let taxed = |(rate, part)| with_tax(part, rate, basket.tax_mode);
        let amounts = parts.into_iter().map(taxed).collect::<Result<Vec<_>, _>>()?;
        Ok(PricedShipping { method: method.code.clone(), name: method.name.clone(), amounts })
    }
}

fn add_up(
    mode: TaxMode,
    lines: Vec<PricedLine>,
    shipping: Option<PricedShipping>,
    requires_shipping: bool,
    subtotal_minor: i64,
) -> Result<Priced, PricingRefusal> {
    let travel = || shipping.iter().flat_map(|shipping| shipping.amounts.iter());
    let all = || lines.iter().map(|line| &line.amount).chain(travel());
    let shown = travel().map(|taxed| match mode {
        TaxMode::Included => taxed.gross_minor,
        TaxMode::Added => taxed.net_minor,
    });
    Ok(Priced {
        requires_shipping,
        subtotal_minor,
        discount_minor: sum(lines.iter().map(|line| line.discount_minor))?,
        shipping_minor: sum(shown)?,
        tax_minor: sum(all().map(|taxed| taxed.tax_minor))?,
        total_minor: sum(all().map(|taxed| taxed.gross_minor))?,
        taxes: by_rate(all().copied()),
        lines,
        shipping,
    })
}

fn goods<'a>(basket: &Basket<'a>) -> Result<Vec<Goods<'a>>, PricingRefusal> {
    let goods = |line: &super::BasketLine<'a>| {
        let offer =
            line.offer.map_err(|sku: &Sku| PricingRefusal::NotOnSale { sku: sku.clone() })?;
        let (sku, currency) = (offer.sku.clone(), basket.currency);
        let unit_price_minor =
            offer.price_minor(currency).ok_or(PricingRefusal::NoPrice { sku, currency })?;
        let before_minor = unit_price_minor
            .checked_mul(line.quantity.max(0))
            .ok_or(PricingRefusal::AmountTooLarge)?;
        Ok(Goods { offer, quantity: line.quantity, unit_price_minor, before_minor })
    };
    basket.lines.iter().map(goods).collect()
}

/// The weight of what ships, in grams.
fn weight(goods: &[Goods<'_>]) -> Result<i64, PricingRefusal> {
    goods.iter().filter(|goods| goods.offer.requires_shipping).try_fold(0_i64, |sum, goods| {
        let of_line = goods.offer.weight_g.max(0).checked_mul(goods.quantity.max(0));
        of_line.and_then(|grams| sum.checked_add(grams)).ok_or(PricingRefusal::AmountTooLarge)
    })
}

fn check_zones(config: &Config) -> Result<(), BookError> {
    let mut seen = std::collections::BTreeSet::new();
    for zone in &config.tax_zones {
        let wrong = |why: String| BookError { key: format!("tax_zones.{}", zone.name), why };
        for country in &zone.countries {
            if !seen.insert(country) {
                return Err(wrong(format!("{country} is in two zones")));
            }
        }
        for (class, tax) in &zone.rates {
            let Rate(rate) = tax.rate;
            if rate.is_sign_negative() || rate >= rust_decimal::Decimal::ONE {
                return Err(wrong(format!("the rate of {class} is not from 0 to below 1")));
            }
            if rate.is_zero() != tax.zero_reason.is_some() {
                return Err(wrong(format!("{class}: a zero rate, and no other, has a reason")));
            }
            // Art. 226 (4) of the VAT directive: the invoice would have to name the buyer's.
            if tax.zero_reason == Some(ZeroTaxReason::ReverseCharge) {
                let why =
                    "reverse charge needs the buyer's VAT number, which carts do not take yet";
                return Err(wrong(format!("{class}: {why}")));
            }
        }
    }
    Ok(())
}

/// A method's own tax class must have a rate wherever the method goes.
fn check_tax_classes(config: &Config) -> Result<(), BookError> {
    for method in &config.shipping_methods {
        let Some(class) = &method.tax_class else { continue };
        let goes =
            |country: &String| method.countries.is_empty() || method.countries.contains(country);
        let zones = config.tax_zones.iter().filter(|zone| zone.countries.iter().any(goes));
        if let Some(zone) = zones.into_iter().find(|zone| !zone.rates.contains_key(class)) {
            let key = format!("shipping_methods.{}.tax_class", method.code);
            let why = format!("the tax zone {} has no rate for {class:?}", zone.name);
            return Err(BookError { key, why });
        }
    }
    Ok(())
}

fn check_methods(methods: &[ShippingMethod]) -> Result<(), BookError> {
    let mut codes = std::collections::BTreeSet::new();
    for method in methods {
        let wrong = |why: &str| {
            let key = format!("shipping_methods.{}", method.code);
            Err(BookError { key, why: why.to_owned() })
        };
        if !codes.insert(&method.code) {
            return wrong("the code is used twice");
        }
        if method.days.is_some_and(|days| days.from > days.to) {
            return wrong("days run from the fewest to the most");
        }
        for price in &method.prices {
            let (prices, in_order): (Vec<i64>, bool) = match &price.by {
                ShippingTariff::Flat { price_minor } => (vec![*price_minor], true),
                ShippingTariff::Weight { steps } => (
                    steps.iter().map(|step| step.price_minor).collect(),
                    steps.is_sorted_by_key(|step| step.up_to_g),
                ),
                ShippingTariff::Subtotal { steps } => (
                    steps.iter().map(|step| step.price_minor).collect(),
                    steps.is_sorted_by_key(|step| step.from_minor),
                ),
            };
            if !in_order || prices.iter().any(|price| *price < 0) {
                return wrong("steps are in order and prices not below nothing");
            }
        }
    }
    Ok(())
}
