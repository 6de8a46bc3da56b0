//! Where the shop delivers to, how, and how long that takes.

use minijinja::Value;
use minijinja::value::Serde;
use pages::Refusal;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::visitor::Visitor;

/// What the API says of it.
#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Delivery {
    /// The country that is meant while none is known.
    pub home_country: String,
    /// The countries the shop sells to.
    pub countries: Vec<String>,
    tax_mode: Json,
    methods: Vec<Method>,
}

/// A way to ship.
#[derive(Debug, Deserialize, Serialize)]
struct Method {
    code: String,
    name: String,
    countries: Vec<String>,
    days: Json,
    prices: Vec<Price>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Price {
    currency: String,
    from_minor: i64,
    free_from_minor: Option<i64>,
}

/// Where the shop delivers to, and how.
pub async fn delivery(visitor: &Visitor) -> Result<Delivery, Refusal> {
    visitor.ask().read("/delivery").await
}

impl Delivery {
    /// The same, for a template: only what goes home, at prices in `currency`.
    pub fn at_home(mut self, currency: &str) -> Value {
        let Self { home_country, methods, .. } = &mut self;
        methods.retain_mut(|method| {
            method.prices.retain(|price| price.currency == currency);
            method.countries.contains(home_country) && !method.prices.is_empty()
        });
        Value::from(Serde(&self))
    }
}
