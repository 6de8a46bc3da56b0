//! Which rate applies to which goods where.

use std::collections::BTreeMap;

use super::{AppliedRate, PricingRefusal};
use crate::config::{TaxRate, TaxZone};

/// Rates by country and tax class, ready to be looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TaxTable(BTreeMap<String, BTreeMap<String, TaxRate>>);

impl TaxTable {
    /// The table of some zones.
    pub(super) fn new(zones: &[TaxZone]) -> Self {
        let countries = zones.iter().flat_map(|zone| {
            zone.countries.iter().map(|country| (country.clone(), zone.rates.clone()))
        });
        Self(countries.collect())
    }

    /// Whether the shop sells to a country at all.
    pub(super) fn knows(&self, country: &str) -> bool {
        self.0.contains_key(country)
    }

    /// The countries the shop sells to, in alphabetical order.
    pub(super) fn countries(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The rate of a class of goods in a country.
    pub(super) fn rate(&self, country: &str, class: &str) -> Result<AppliedRate, PricingRefusal> {
        let found = self.0.get(country).and_then(|classes| classes.get(class));
        found
            .map(|TaxRate { rate, zero_reason }| AppliedRate {
                rate: *rate,
                zero_reason: *zero_reason,
            })
            .ok_or_else(|| PricingRefusal::TaxUndetermined {
                class: class.to_owned(),
                country: country.to_owned(),
            })
    }
}
