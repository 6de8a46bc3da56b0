//! Where the shop delivers to, how, and how long that takes: for whoever has no cart yet.

use std::sync::Arc;

use axum::extract::State;
use contracts::{Currency, events::TaxMode};
use platform::http::extract::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Orders;
use crate::config::{DeliveryDays, ShippingMethod, ShippingPrice, ShippingTariff};

/// Where the shop delivers to, and how.
#[derive(Debug, Serialize, ToSchema)]
pub struct Delivery {
    /// The country that is meant while none is known, ISO 3166-1 alpha-2.
    home_country: String,
    /// The countries it sells to, ISO 3166-1 alpha-2, in alphabetical order.
    countries: Vec<String>,
    /// Whether prices contain the tax.
    tax_mode: TaxMode,
    /// Ways to ship, in the order they are offered.
    methods: Vec<DeliveryMethod>,
}

/// A way to ship.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryMethod {
    /// Its code.
    code: String,
    /// Its name.
    name: String,
    /// Where it goes.
    countries: Vec<String>,
    /// How long it takes, in working days; nothing is promised, if absent.
    days: Option<DeliveryDays>,
    /// What it costs at least, in each currency it is offered in.
    prices: Vec<DeliveryPrice>,
}

/// What a way to ship costs at least, as shown: with the tax where prices contain it.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryPrice {
    /// The currency.
    #[schema(value_type = String)]
    currency: Currency,
    /// The least, in minor units, where it is not free.
    from_minor: i64,
    /// Goods worth this or more, in minor units, travel free.
    free_from_minor: Option<i64>,
}

/// Where the shop delivers to, and how.
#[utoipa::path(get, path = "/delivery", tag = "carts", responses((status = 200, body = Delivery)))]
pub async fn read(State(service): State<Arc<Orders>>) -> Json<Delivery> {
    let shop = &service.shop;
    let countries: Vec<String> = shop.book.countries().map(str::to_owned).collect();
    let methods = shop.config.shipping_methods.iter();
    Json(Delivery {
        home_country: shop.config.home_country.clone(),
        methods: methods.map(|method| described(method, &countries)).collect(),
        countries,
        tax_mode: shop.book.tax_mode(),
    })
}

fn described(method: &ShippingMethod, served: &[String]) -> DeliveryMethod {
    let goes =
        |country: &&String| method.countries.is_empty() || method.countries.contains(country);
    DeliveryMethod {
        code: method.code.clone(),
        name: method.name.clone(),
        countries: served.iter().filter(goes).cloned().collect(),
        days: method.days,
        prices: method.prices.iter().filter_map(at_least).collect(),
    }
}

fn at_least(price: &ShippingPrice) -> Option<DeliveryPrice> {
    let from_minor = match &price.by {
        ShippingTariff::Flat { price_minor } => Some(*price_minor),
        ShippingTariff::Weight { steps } => steps.iter().map(|step| step.price_minor).min(),
        ShippingTariff::Subtotal { steps } => steps.iter().map(|step| step.price_minor).min(),
    };
    let ShippingPrice { currency, free_from_minor, .. } = *price;
    from_minor.map(|from_minor| DeliveryPrice { currency, from_minor, free_from_minor })
}
