//! Rates of the European Union for the demonstration shop, and two neighbours as export.

use contracts::{Rate, events::ZeroTaxReason};
use rust_decimal::Decimal;

use super::{TaxRate, TaxZone};

/// Country; standard, reduced (food) and book rate in tenths of a percent.
const RATES: &[(&str, i64, i64, i64)] = &[
    ("AT", 200, 100, 100),
    ("BE", 210, 60, 60),
    ("BG", 200, 90, 90),
    ("CY", 190, 50, 30),
    ("CZ", 210, 120, 0),
    ("DE", 190, 70, 70),
    ("DK", 250, 250, 250),
    ("EE", 240, 240, 90),
    ("ES", 210, 100, 40),
    ("FI", 255, 135, 135),
    ("FR", 200, 55, 55),
    ("GR", 240, 130, 60),
    ("HR", 250, 130, 50),
    ("HU", 270, 180, 50),
    ("IE", 230, 135, 0),
    ("IT", 220, 100, 40),
    ("LT", 210, 120, 50),
    ("LU", 170, 80, 30),
    ("LV", 210, 120, 120),
    ("MT", 180, 50, 50),
    ("NL", 210, 90, 90),
    ("PL", 230, 80, 50),
    ("PT", 230, 130, 60),
    ("RO", 210, 110, 110),
    ("SE", 250, 120, 60),
    ("SI", 220, 95, 50),
    ("SK", 230, 190, 50),
];

/// A zone for each country of the Union, and one for what leaves it.
pub(super) fn zones() -> Vec<TaxZone> {
    let rate = |per_mille: i64| TaxRate {
        rate: Rate(Decimal::new(per_mille, 3)),
        zero_reason: (per_mille == 0).then_some(ZeroTaxReason::ZeroRated),
    };
    let zone = |&(country, standard, reduced, books): &(&str, i64, i64, i64)| TaxZone {
        name: country.to_owned(),
        countries: vec![country.to_owned()],
        rates: [("standard", standard), ("reduced", reduced), ("books", books), ("zero", 0)]
            .into_iter()
            .map(|(class, per_mille)| (class.to_owned(), rate(per_mille)))
            .collect(),
    };
    let export = TaxRate { rate: Rate::ZERO, zero_reason: Some(ZeroTaxReason::Export) };
    let outside = TaxZone {
        name: "export".to_owned(),
        countries: ["CH", "GB", "NO"].map(str::to_owned).to_vec(),
        rates: ["standard", "reduced", "books", "zero"]
            .into_iter()
            .map(|class| (class.to_owned(), export))
            .collect(),
    };
    RATES.iter().map(zone).chain([outside]).collect()
}
