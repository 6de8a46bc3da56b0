//! Prices told as examples, and their laws.

use std::collections::BTreeMap;

use contracts::events::TaxMode;
use proptest::prelude::*;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::*;
use crate::config::{
    Config, ShippingMethod, ShippingPrice, ShippingTariff, SubtotalStep, TaxRate, TaxZone,
};

fn offer(sku: &str, class: &str, price_minor: i64) -> Offer {
    Offer {
        sku: sku.parse().unwrap(),
        name: sku.to_owned(),
        handle: None,
        category: None,
        tax_class: class.to_owned(),
        requires_shipping: class != "digital",
        weight_g: 500,
        prices: ["EUR", "JPY", "KWD"].map(|code| (code.to_owned(), price_minor)).into(),
    }
}

fn config(mode: TaxMode) -> Config {
    let rate = |permille: i64| TaxRate { rate: Rate(Decimal::new(permille, 3)), zero_reason: None };
    let flat = |code: &str, price_minor| ShippingMethod {
        code: code.to_owned(),
        name: code.to_owned(),
        countries: vec![],
        prices: [Currency::EUR, Currency::JPY, Currency::KWD]
            .map(|currency| ShippingPrice {
                currency,
                by: ShippingTariff::Flat { price_minor },
                free_from_minor: Some(1_000_000),
            })
            .into(),
        tax_class: None,
        days: None,
    };
    let own_class = ShippingMethod { tax_class: Some("standard".into()), ..flat("own", 490) };
    let steps = vec![
        SubtotalStep { from_minor: 0, price_minor: 900 },
        SubtotalStep { from_minor: 5_000, price_minor: 300 },
    ];
    let mut by_worth = flat("worth", 0);
    by_worth.prices[0].by = ShippingTariff::Subtotal { steps };
    by_worth.countries = vec!["DE".to_owned()];
    let rates = [("standard", 190), ("books", 70), ("digital", 190)];
    Config {
        currencies: vec![Currency::EUR, Currency::JPY, Currency::KWD],
        tax_mode: mode,
        tax_zones: vec![TaxZone {
            name: "here".to_owned(),
            countries: vec!["DE".to_owned(), "AT".to_owned()],
            rates: rates.map(|(class, permille)| (class.to_owned(), rate(permille))).into(),
        }],
        shipping_methods: vec![flat("flat", 490), own_class, by_worth],
        ..Config::default()
    }
}

#[derive(Debug)]
struct Shop {
    book: PriceBook,
    offers: Vec<Offer>,
    discounts: Discounts,
    currency: Currency,
}

fn shop(mode: TaxMode, offers: Vec<Offer>) -> Shop {
    let book = PriceBook::new(&config(mode)).unwrap();
    Shop { book, offers, discounts: Discounts::default(), currency: Currency::EUR }
}

fn line_id(n: usize) -> LineId {
    LineId::from_uuid(Uuid::from_u128(n as u128 + 1))
}

impl Shop {
    fn price(
        &self,
        quantities: &[i64],
        method: Option<&str>,
        country: Option<&str>,
    ) -> Result<(Priced, Vec<ShippingQuote>), PricingRefusal> {
        let lines: Vec<_> = self
            .offers
            .iter()
            .zip(quantities)
            .enumerate()
            .map(|(n, (offer, quantity))| BasketLine {
                line_id: line_id(n),
                quantity: *quantity,
                offer: Ok(offer),
            })
            .collect();
        self.book.price(&Basket {
            currency: self.currency,
            tax_mode: self.book.tax_mode(),
            lines: &lines,
            country,
            shipping_method: method,
            discounts: &self.discounts,
        })
    }

    fn total(&self, quantities: &[i64], method: Option<&str>) -> i64 {
        self.price(quantities, method, None).unwrap().0.total_minor
    }
}

#[test]
fn with_the_tax_inside_the_price_shown_is_the_price_paid() {
    let shop =
        shop(TaxMode::Included, vec![offer("A", "standard", 1_000), offer("B", "books", 2_140)]);
    let (priced, quotes) = shop.price(&[3, 1], Some("flat"), Some("DE")).unwrap();
    assert_eq!(priced.total_minor, 3_000 + 2_140 + 490);
    assert_eq!(priced.lines[0].amount.tax_minor, 479); // 3000 - 3000 / 1.19 = 478.99
    assert_eq!(priced.lines[1].amount.tax_minor, 140);
    // 490 by 3000 : 2140 is 286 (285.99) and 204.
    let parts: Vec<_> = priced.shipping.unwrap().amounts.iter().map(|a| a.gross_minor).collect();
    assert_eq!(parts, [286, 204]);
    assert_eq!(
        quotes.iter().map(|q| (q.code.as_str(), q.price_minor)).collect::<Vec<_>>(),
        [("flat", 490), ("own", 490), ("worth", 300)]
    );
}

#[test]
fn with_the_tax_added_it_comes_on_top_of_each_line() {
    let shop = shop(TaxMode::Added, vec![offer("A", "standard", 50), offer("B", "books", 101)]);
    let (priced, _) = shop.price(&[1, 1], None, None).unwrap();
    assert_eq!(priced.subtotal_minor, 151);
    // 9.5 and 7.07, each rounded half-up on its own line.
    assert_eq!(priced.tax_minor, 10 + 7);
    assert_eq!(priced.total_minor, 168);
}

#[test]
fn shipping_may_have_a_class_of_its_own() {
    let shop = shop(TaxMode::Included, vec![offer("B", "books", 2_140)]);
    let (priced, _) = shop.price(&[1], Some("own"), None).unwrap();
    let amounts = priced.shipping.unwrap().amounts;
    assert_eq!((amounts.len(), amounts[0].tax_minor), (1, 78)); // 490 - 490 / 1.19
}

#[test]
fn shipping_goes_by_worth_by_place_and_free_from_an_amount() {
    let shop = shop(TaxMode::Included, vec![offer("A", "standard", 1_000)]);
    let price_of = |quantity, country| {
        let (_, quotes) = shop.price(&[quantity], None, Some(country)).unwrap();
        quotes.into_iter().find(|quote| quote.code == "worth").map(|quote| quote.price_minor)
    };
    assert_eq!(price_of(4, "DE"), Some(900));
    assert_eq!(price_of(5, "DE"), Some(300));
    assert_eq!(price_of(1_000, "DE"), Some(0));
    assert_eq!(price_of(1, "AT"), None);
    let refused = |method, country| shop.price(&[1], Some(method), Some(country)).unwrap_err();
    for (refused, why) in [
        (refused("worth", "AT"), Unavailable::NotThere { country: "AT".to_owned() }),
        (refused("pigeon", "DE"), Unavailable::Unknown),
    ] {
        assert!(
            matches!(&refused, PricingRefusal::ShippingUnavailable { why: said, .. } if *said == why),
            "{refused}"
        );
    }
}

#[test]
fn a_method_says_what_it_does_not_take() {
    let by_weight = &Config::default().shipping_methods[0];
    let quote = |weight_g, currency| {
        let freight =
            shipping::Freight { currency, country: "DE", weight_g, subtotal_minor: 1_000 };
        shipping::quote(by_weight, &freight).map_err(|why| why.to_string())
    };
    assert_eq!(quote(31_500, Currency::EUR), Ok(1_490));
    let heavy = "the goods weigh 31501 g, and it takes 31500 g at most";
    assert_eq!(quote(31_501, Currency::EUR), Err(heavy.to_owned()));
    assert_eq!(quote(1, Currency::JPY), Err("it has no price in Japanese yen".to_owned()));
}

#[test]
fn what_needs_no_parcel_costs_no_shipping() {
    let shop = shop(TaxMode::Included, vec![offer("D", "digital", 700)]);
    let (priced, quotes) = shop.price(&[1], Some("flat"), None).unwrap();
    assert_eq!((priced.shipping, quotes, priced.total_minor), (None, vec![], 700));
}

#[test]
fn discounts_come_off_before_tax_and_never_below_nothing() {
    let mut shop =
        shop(TaxMode::Included, vec![offer("A", "standard", 1_000), offer("B", "books", 999)]);
    shop.discounts = Discounts {
        lines: BTreeMap::from([(line_id(0), 100)]),
        order_minor: 100,
        shipping_minor: 90,
    };
    let (priced, _) = shop.price(&[1, 1], Some("flat"), None).unwrap();
    // 100 over 900 : 999 is 47 and 53.
    assert_eq!(priced.lines[0].discount_minor, 147);
    assert_eq!(priced.lines[1].discount_minor, 53);
    assert_eq!(priced.total_minor, 1_999 - 200 + 400);
    shop.discounts.order_minor = i64::MAX;
    shop.discounts.shipping_minor = i64::MAX;
    assert_eq!(shop.total(&[1, 1], Some("flat")), 0);
}

#[test]
fn unknown_tax_is_refused_and_never_taken_for_none() {
    let shop = shop(TaxMode::Included, vec![offer("A", "luxury", 1_000)]);
    let refused = |country: Option<&str>| shop.price(&[1], None, country).unwrap_err();
    let unknown = |country: &str| PricingRefusal::TaxUndetermined {
        class: "luxury".to_owned(),
        country: country.to_owned(),
    };
    assert_eq!(refused(Some("DE")), unknown("DE"));
    assert_eq!(refused(Some("ZZ")), unknown("ZZ"));
}

#[test]
fn a_sum_that_does_not_fit_is_refused() {
    for mode in [TaxMode::Included, TaxMode::Added] {
        let shop =
            shop(mode, vec![offer("A", "standard", i64::MAX), offer("B", "standard", i64::MAX)]);
        for quantities in [&[2, 0], &[1, 1], &[i64::MAX, 0]] {
            let refused = shop.price(quantities, Some("flat"), None);
            assert_eq!(refused.unwrap_err(), PricingRefusal::AmountTooLarge, "{quantities:?}");
        }
    }
    let shop = shop(TaxMode::Added, vec![offer("A", "standard", i64::MAX)]);
    assert_eq!(shop.price(&[1], None, None).unwrap_err(), PricingRefusal::AmountTooLarge);
}

#[test]
fn yen_and_dinar_are_reckoned_in_their_own_units() {
    let mut shop = shop(TaxMode::Included, vec![offer("A", "standard", 1_190)]);
    for currency in [Currency::JPY, Currency::KWD] {
        shop.currency = currency;
        let (priced, _) = shop.price(&[1], None, None).unwrap();
        assert_eq!((priced.tax_minor, priced.total_minor), (190, 1_190), "{currency:?}");
    }
    shop.currency = Currency::USD;
    assert!(matches!(shop.price(&[1], None, None), Err(PricingRefusal::NoPrice { .. })));
}

#[test]
fn the_default_shop_prices_every_class_in_every_country() {
    let config = Config::default();
    let book = PriceBook::new(&config).unwrap();
    for zone in &config.tax_zones {
        for class in ["standard", "reduced", "books", "zero"] {
            let offers = [offer("A", class, 1_000)];
            let lines = [BasketLine { line_id: line_id(0), quantity: 1, offer: Ok(&offers[0]) }];
            let basket = Basket {
                currency: Currency::EUR,
                tax_mode: TaxMode::Included,
                lines: &lines,
                country: Some(&zone.countries[0]),
                shipping_method: Some("standard"),
                discounts: &Discounts::default(),
            };
            assert_eq!(book.price(&basket).unwrap().0.total_minor, 1_490);
        }
    }
}

#[test]
fn a_shipping_method_taxed_by_a_class_nobody_knows_is_a_wrong_configuration() {
    let mut config = config(TaxMode::Included);
    config.shipping_methods[0].tax_class = Some("freight".to_owned());
    let code = &config.shipping_methods[0].code;
    let key = format!("shipping_methods.{code}.tax_class");
    assert_eq!(PriceBook::new(&config).unwrap_err().key, key);
}

#[test]
fn a_zero_rate_without_a_reason_is_a_wrong_configuration() {
    let mut config = config(TaxMode::Included);
    let rates = &mut config.tax_zones[0].rates;
    rates.insert("zero".to_owned(), TaxRate { rate: Rate::ZERO, zero_reason: None });
    assert_eq!(PriceBook::new(&config).unwrap_err().key, "tax_zones.here");
}

#[test]
fn reverse_charge_is_a_wrong_configuration_while_nobody_gives_a_vat_number() {
    let mut config = config(TaxMode::Included);
    let reverse = TaxRate { rate: Rate::ZERO, zero_reason: Some(ZeroTaxReason::ReverseCharge) };
    config.tax_zones[0].rates.insert("reverse".to_owned(), reverse);
    let error = PriceBook::new(&config).unwrap_err();
    assert!(error.why.contains("VAT number"), "{error}");
}

fn any_shop() -> impl Strategy<Value = (Shop, Vec<i64>)> {
    let class = prop_oneof![Just("standard"), Just("books"), Just("digital")];
    let lines = proptest::collection::vec((class, 0_i64..100_000, 1_i64..50), 1..8);
    let discounts = (0_i64..50_000, 0_i64..50_000, 0_i64..1_000);
    (lines, discounts, any::<bool>()).prop_map(
        |(lines, (off, order_minor, shipping_minor), added)| {
            let mode = if added { TaxMode::Added } else { TaxMode::Included };
            let offers = lines.iter().enumerate();
            let offers =
                offers.map(|(n, (class, price, _))| offer(&format!("S{n}"), class, *price));
            let mut shop = shop(mode, offers.collect());
            let lines_off = BTreeMap::from([(line_id(0), off)]);
            shop.discounts = Discounts { lines: lines_off, order_minor, shipping_minor };
            (shop, lines.iter().map(|(_, _, quantity)| *quantity).collect())
        },
    )
}

proptest! {
    #[test]
    fn parts_always_make_up_the_whole((shop, quantities) in any_shop()) {
        let (priced, _) = shop.price(&quantities, Some("flat"), None).unwrap();
        let travel = priced.shipping.iter().flat_map(|shipping| shipping.amounts.clone());
        let all: Vec<_> = priced.lines.iter().map(|line| line.amount).chain(travel).collect();
        for taxed in all.iter().chain(&priced.taxes) {
            prop_assert_eq!(taxed.net_minor + taxed.tax_minor, taxed.gross_minor);
            prop_assert!(taxed.net_minor >= 0 && taxed.tax_minor >= 0);
        }
        prop_assert_eq!(all.iter().map(|taxed| taxed.gross_minor).sum::<i64>(), priced.total_minor);
        prop_assert_eq!(
            priced.taxes.iter().map(|taxed| taxed.gross_minor).sum::<i64>(),
            priced.total_minor
        );
        let shown = priced.subtotal_minor + priced.shipping_minor;
        let tax_on_top = if shop.book.tax_mode() == TaxMode::Added { priced.tax_minor } else { 0 };
        prop_assert_eq!(shown + tax_on_top, priced.total_minor);
        let list: i64 = priced.lines.iter().zip(&quantities).map(|(l, q)| l.unit_price_minor * q).sum();
        prop_assert_eq!(list - priced.discount_minor, priced.subtotal_minor);
    }

    #[test]
    fn a_discount_never_raises_the_total((mut shop, quantities) in any_shop()) {
        let with = shop.total(&quantities, Some("flat"));
        shop.discounts = Discounts::default();
        prop_assert!(with <= shop.total(&quantities, Some("flat")));
    }
}
