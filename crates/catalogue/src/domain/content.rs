//! What a product says: the input as staff or a file gives it, and the content that has passed
//! every check. Whether a sku or handle is free is not decided here: only the store knows.

use std::collections::{BTreeMap, BTreeSet};

use contracts::events::{AttributeValue, Price, Variant};
use contracts::{Currency, Money, Sku};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::category::CategoryPath;
use super::text::{is_key, is_line, is_prose, is_slug};

/// The highest price of one piece, in minor units. Low enough that a full cart cannot overflow.
pub const fn most_price_minor() -> i64 {
    100_000_000_000
}

const MOST_WEIGHT_G: i64 = 10_000_000;

/// How large a product may be in all: half of what an event may be, which says all of it.
const MOST_BYTES: usize = 500_000;

/// A product as somebody describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductInput {
    /// Its name in addresses; unique.
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = "^[a-z0-9]+(-[a-z0-9]+)*$",
        examples("red-candle")
    )]
    pub handle: String,
    /// Its name.
    #[schema(min_length = 1, max_length = 250, examples("Red candle"))]
    pub name: String,
    /// What it is, as plain text.
    #[serde(default)]
    #[schema(max_length = 20000)]
    pub description: String,
    /// Paths in the category tree, such as `gifts/candles`. They need not exist before.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub categories: Vec<String>,
    /// Typed attributes: text, whole number, yes or no, or a list of choices.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, AttributeValue>)]
    pub attributes: BTreeMap<String, AttributeValue>,
    /// What can be bought, at least one.
    #[schema(min_items = 1, max_items = 200)]
    pub variants: Vec<VariantInput>,
}

/// One form of it that can be bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VariantInput {
    /// Its stock keeping unit; unique in the shop.
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = "^[A-Za-z0-9._/-]{1,64}$",
        examples("85123A")
    )]
    pub sku: String,
    /// What sets it apart from its siblings: `size: M`. All variants have the same options.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// Its tax class.
    #[schema(
        min_length = 1,
        max_length = 40,
        pattern = "^[a-z][a-z0-9_-]*$",
        examples("standard")
    )]
    pub tax_class: String,
    /// Its weight in grams.
    #[schema(minimum = 0, maximum = 10_000_000)]
    pub weight_g: i64,
    /// Whether a parcel is needed.
    #[serde(default = "yes")]
    pub requires_shipping: bool,
    /// One price per currency.
    #[schema(min_items = 1, max_items = 50)]
    pub prices: Vec<PriceInput>,
}

/// A price in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceInput {
    /// What one piece costs.
    pub price: MoneyInput,
    /// What it cost before, where that may be shown; more than the price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 100_000_000_000_i64)]
    pub was_minor: Option<i64>,
}

/// An amount of a currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AmountInput)]
pub struct MoneyInput {
    /// How many minor units.
    #[schema(minimum = 0, maximum = 100_000_000_000_i64)]
    pub amount_minor: i64,
    /// Of which currency, by its ISO 4217 code.
    #[schema(min_length = 3, max_length = 3, pattern = "^[A-Z]{3}$", examples("EUR"))]
    pub currency: String,
}

const fn yes() -> bool {
    true
}

/// One thing that is wrong, and where: `/variants/0/sku`, a JSON pointer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fault {
    /// Where, as a JSON pointer; empty for the whole.
    pub at: String,
    /// What, for whoever wrote it.
    pub why: String,
}

impl Fault {
    /// This is wrong there.
    pub fn new(at: impl Into<String>, why: impl Into<String>) -> Self {
        Self { at: at.into(), why: why.into() }
    }
}

/// What a product says, checked: what is in here can be published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// Its name in addresses.
    pub handle: String,
    /// Its name.
    pub name: String,
    /// What it is, as plain text.
    pub description: String,
    /// Where it stands in the category tree.
    pub categories: Vec<CategoryPath>,
    /// Typed attributes.
    pub attributes: BTreeMap<String, AttributeValue>,
    /// What can be bought, at least one.
    pub variants: Vec<Variant>,
}

impl Content {
    /// Its units, in order.
    pub fn skus(&self) -> impl Iterator<Item = &Sku> {
        self.variants.iter().map(|variant| &variant.sku)
    }
}

impl ProductInput {
    /// The content, if nothing is wrong with it.
    ///
    /// # Errors
    /// Everything that is wrong, not just the first thing.
    pub fn check(self) -> Result<Content, Vec<Fault>> {
        let mut faults = Vec::new();
        if !(is_slug(&self.handle) && self.handle.len() <= 100) {
            faults.push(Fault::new(
                "/handle",
                "must be lower-case words joined by hyphens, at most 100 characters",
            ));
        } else if is_uuid(&self.handle) || self.handle == "import" {
            faults.push(Fault::new("/handle", "must not look like an id, or be the word import"));
        }
        if !is_line(&self.name, 250) {
            faults.push(Fault::new("/name", "must be one readable line of at most 250 characters"));
        }
        if !is_prose(&self.description, 20_000) {
            faults
                .push(Fault::new("/description", "must be plain text of at most 20000 characters"));
        }
        let categories = check_categories(&self.categories, &mut faults);
        check_attributes(&self.attributes, &mut faults);
        let variants = check_variants(self.variants, &mut faults);
        if !faults.is_empty() {
            return Err(faults);
        }
        let name = self.name.trim().to_owned();
        let (handle, description, attributes) = (self.handle, self.description, self.attributes);
        let content = Content { handle, name, description, categories, attributes, variants };
        if serde_json::to_vec(&content).map_or(0, |text| text.len()) > MOST_BYTES {
            let why = "is more than 500000 bytes in all: make several products of it";
            return Err(vec![Fault::new("", why)]);
        }
        Ok(content)
    }
}

/// Whether a handle could be mistaken for a product's id (8-4-4-4-12 hexadecimal digits, or 32).
fn is_uuid(text: &str) -> bool {
    text.parse::<contracts::ProductId>().is_ok()
}

fn check_categories(paths: &[String], faults: &mut Vec<Fault>) -> Vec<CategoryPath> {
    if paths.len() > 20 {
        faults.push(Fault::new("/categories", "must be at most 20"));
    }
    let mut seen = BTreeSet::new();
    for (n, text) in paths.iter().enumerate() {
        match text.parse::<CategoryPath>() {
            Ok(path) if !seen.insert(path.clone()) => {
                faults
                    .push(Fault::new(format!("/categories/{n}"), format!("{text} is there twice")));
            }
            Ok(_) => {}
            Err(why) => faults.push(Fault::new(format!("/categories/{n}"), why)),
        }
    }
    seen.into_iter().collect()
}

fn check_attributes(attributes: &BTreeMap<String, AttributeValue>, faults: &mut Vec<Fault>) {
    if attributes.len() > 60 {
        faults.push(Fault::new("/attributes", "must be at most 60"));
    }
    for (key, value) in attributes {
        if !is_key(key, 60) {
            faults.push(Fault::new(
                "/attributes",
                format!("{key:?} is not a key: a-z, then a-z 0-9 _ -, at most 60"),
            ));
        }
        let why = match value {
            AttributeValue::Boolean(_) | AttributeValue::Number(_) => continue,
            AttributeValue::Text(text) if is_line(text, 2_000) => continue,
            AttributeValue::Text(_) => "must be one readable line of at most 2000 characters",
            AttributeValue::Choices(all)
                if (1..=50).contains(&all.len()) && all.iter().all(|one| is_line(one, 200)) =>
            {
                continue;
            }
            AttributeValue::Choices(_) => {
                "must be 1 to 50 readable choices of at most 200 characters"
            }
        };
        faults.push(Fault::new(format!("/attributes/{key}"), why));
    }
}

fn check_variants(inputs: Vec<VariantInput>, faults: &mut Vec<Fault>) -> Vec<Variant> {
    if !(1..=200).contains(&inputs.len()) {
        faults.push(Fault::new("/variants", "must be 1 to 200"));
    }
    let (mut skus, mut combinations) = (BTreeSet::new(), BTreeSet::new());
    let keys: Option<Vec<String>> = inputs.first().map(|v| v.options.keys().cloned().collect());
    let mut variants = Vec::with_capacity(inputs.len());
    for (n, input) in inputs.into_iter().enumerate() {
        let at = format!("/variants/{n}");
        if !skus.insert(input.sku.clone()) {
            faults.push(Fault::new(format!("{at}/sku"), format!("{} is there twice", input.sku)));
        }
        if !keys.as_ref().is_some_and(|keys| input.options.keys().eq(keys)) {
            faults.push(Fault::new(format!("{at}/options"), "must be the same for all variants"));
        } else if !combinations.insert(input.options.clone()) {
            faults.push(Fault::new(
                format!("{at}/options"),
                "must set the variant apart from its siblings",
            ));
        }
        variants.extend(check_variant(&at, input, faults));
    }
    variants
}

fn check_variant(at: &str, input: VariantInput, faults: &mut Vec<Fault>) -> Option<Variant> {
    let sku = Sku::try_from(input.sku)
        .map_err(|why| faults.push(Fault::new(format!("{at}/sku"), why.to_string())))
        .ok();
    let options_fit = input.options.len() <= 10
        && input.options.iter().all(|(key, value)| is_key(key, 60) && is_line(value, 200));
    if !options_fit {
        faults.push(Fault::new(
            format!("{at}/options"),
            "must be at most 10 keys with one readable line each",
        ));
    }
    if !is_key(&input.tax_class, 40) {
        faults.push(Fault::new(
            format!("{at}/tax_class"),
            "must be a key such as standard, reduced, books",
        ));
    }
    if !(0..=MOST_WEIGHT_G).contains(&input.weight_g) {
        faults.push(Fault::new(format!("{at}/weight_g"), format!("must be 0 to {MOST_WEIGHT_G}")));
    }
    if !(1..=50).contains(&input.prices.len()) {
        faults.push(Fault::new(format!("{at}/prices"), "must be 1 to 50"));
    }
    let mut prices: Vec<Price> = Vec::with_capacity(input.prices.len());
    for (n, price) in input.prices.into_iter().enumerate() {
        let at = format!("{at}/prices/{n}");
        let Some(price) = check_price(&at, &price, faults) else { continue };
        if prices.iter().any(|p| p.price.currency == price.price.currency) {
            faults.push(Fault::new(at, format!("{} is there twice", price.price.currency.code())));
        }
        prices.push(price);
    }
    Some(Variant {
        sku: sku?,
        options: input.options,
        tax_class: input.tax_class,
        weight_g: input.weight_g,
        requires_shipping: input.requires_shipping,
        prices,
    })
}

fn check_price(at: &str, input: &PriceInput, faults: &mut Vec<Fault>) -> Option<Price> {
    let amount_minor = input.price.amount_minor;
    if !(0..=most_price_minor()).contains(&amount_minor) {
        faults.push(Fault::new(
            format!("{at}/price/amount_minor"),
            format!("must be 0 to {}", most_price_minor()),
        ));
    }
    let was_fits =
        input.was_minor.is_none_or(|was| was > amount_minor && was <= most_price_minor());
    if !was_fits {
        faults.push(Fault::new(format!("{at}/was_minor"), "must be more than the price"));
    }
    let currency = Currency::from_code(&input.price.currency).filter(|c| c.exponent().is_some());
    if currency.is_none() {
        faults.push(Fault::new(
            format!("{at}/price/currency"),
            "must be the ISO 4217 code of a currency one can pay in",
        ));
    }
    Some(Price { price: Money::new(amount_minor, currency?), was_minor: input.was_minor })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candle() -> ProductInput {
        serde_json::from_value(serde_json::json!({
            "handle": "red-candle", "name": "Red candle", "categories": ["gifts/candles"],
            "attributes": {"colour": ["red"], "burns_h": 40, "scented": false},
            "variants": [
                {"sku": "C-S", "options": {"size": "S"}, "tax_class": "standard", "weight_g": 120,
                 "prices": [{"price": {"amount_minor": 499, "currency": "EUR"}, "was_minor": 599}]},
                {"sku": "C-L", "options": {"size": "L"}, "tax_class": "standard", "weight_g": 400,
                 "prices": [{"price": {"amount_minor": 999, "currency": "EUR"}}]},
            ],
        }))
        .unwrap()
    }

    fn faults(change: impl FnOnce(&mut ProductInput)) -> Vec<String> {
        let mut input = candle();
        change(&mut input);
        input.check().unwrap_err().into_iter().map(|fault| fault.at).collect()
    }

    #[test]
    fn a_complete_product_passes() {
        let content = candle().check().unwrap();
        assert_eq!(content.skus().map(Sku::as_str).collect::<Vec<_>>(), ["C-S", "C-L"]);
        assert!(content.variants.iter().all(|variant| variant.requires_shipping));
    }

    #[test]
    fn everything_wrong_with_a_product_is_told_at_once() {
        let all = faults(|p| {
            p.handle = "Red Candle".into();
            p.name = "Red\r\ncandle".into();
            p.categories.push("../etc".into());
            p.variants[0].sku = "a b".into();
            p.variants[0].weight_g = -1;
            p.variants[1].prices[0].price.currency = "EURO".into();
        });
        let expected = [
            "/handle",
            "/name",
            "/categories/1",
            "/variants/0/sku",
            "/variants/0/weight_g",
            "/variants/1/prices/0/price/currency",
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn a_product_that_no_event_could_say_is_refused() {
        let at = faults(|p| {
            p.attributes = (0..60)
                .map(|n| (format!("a{n}"), AttributeValue::Choices(vec!["x".repeat(200); 50])))
                .collect();
        });
        assert_eq!(at, [""]);
    }

    #[test]
    fn a_handle_that_could_be_an_id_is_refused() {
        let handle = "01987c1e-0000-7000-8000-000000000001";
        assert_eq!(faults(|p| p.handle = handle.into()), ["/handle"]);
    }

    #[test]
    fn prices_are_amounts_of_real_currencies_and_a_former_price_was_higher() {
        for amount in [-1, most_price_minor() + 1, i64::MIN] {
            let at = faults(|p| p.variants[0].prices[0].price.amount_minor = amount);
            assert!(at.contains(&"/variants/0/prices/0/price/amount_minor".to_owned()), "{amount}");
        }
        for was in [499, 0, -7] {
            let at = faults(|p| p.variants[0].prices[0].was_minor = Some(was));
            assert_eq!(at, ["/variants/0/prices/0/was_minor"], "{was}");
        }
        for code in ["XXX", "XAU", "eur", "", "ZZZ"] {
            let at = faults(|p| p.variants[1].prices[0].price.currency = code.into());
            assert_eq!(at, ["/variants/1/prices/0/price/currency"], "{code}");
        }
        let twice = faults(|p| {
            let again = p.variants[1].prices[0].clone();
            p.variants[1].prices.push(again);
        });
        assert_eq!(twice, ["/variants/1/prices/1"]);
    }

    #[test]
    fn variants_differ_from_each_other_in_the_same_options() {
        let same = faults(|p| p.variants[1].options = p.variants[0].options.clone());
        assert_eq!(same, ["/variants/1/options"]);
        let other =
            faults(|p| p.variants[1].options = BTreeMap::from([("hue".into(), "x".into())]));
        assert_eq!(other, ["/variants/1/options"]);
        assert_eq!(faults(|p| p.variants[1].sku = "C-S".into()), ["/variants/1/sku"]);
        assert_eq!(faults(|p| p.variants.clear()), ["/variants"]);
    }

    #[test]
    fn attributes_are_typed_and_bounded() {
        let put = |key: &'static str, value| {
            move |p: &mut ProductInput| drop(p.attributes.insert(key.into(), value))
        };
        assert_eq!(faults(put("Colour", AttributeValue::Boolean(true))), ["/attributes"]);
        assert_eq!(faults(put("a", AttributeValue::Text("x\ny".into()))), ["/attributes/a"]);
        assert_eq!(faults(put("a", AttributeValue::Choices(vec![]))), ["/attributes/a"]);
    }
}
