//! One product: what it is, what its variants cost, whether they can be had.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use minijinja::context;
use minijinja::value::Serde;
use pages::Refusal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Storefront;
use crate::delivery::delivery;
use crate::shelves::{categories, encoded, top_of, way_to};
use crate::visitor::Visitor;

/// How many variants are asked about in one page.
const MOST_VARIANTS: usize = 30;

/// Which of its variants is shown.
#[derive(Debug, Default, Deserialize)]
pub struct Choice {
    sku: Option<String>,
}

/// How much of a variant can be had.
#[derive(Debug, Deserialize, Serialize)]
struct Stock {
    sku: String,
    available: i64,
}

/// A product's page.
pub async fn show(
    State(_): State<Arc<Storefront>>,
    visitor: Visitor,
    Path(handle): Path<String>,
    Query(choice): Query<Choice>,
) -> Response {
    visitor.answer(render(&visitor, &handle, choice).await)
}

async fn render(visitor: &Visitor, handle: &str, choice: Choice) -> Result<Response, Refusal> {
    let product = visitor.ask().get(&format!("/products/{}", encoded(handle))).await?.body;
    let tree = categories(visitor).await?;
    let variants = product["variants"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut stock = Vec::new();
    for sku in variants.iter().take(MOST_VARIANTS).filter_map(|variant| variant["sku"].as_str()) {
        // Nobody is kept from reading about a product because the warehouse does not answer.
        if let Ok(known) = visitor.ask().read::<Stock>(&format!("/stock/{}", encoded(sku))).await {
            stock.push(known);
        }
    }
    let chosen = chosen(variants, choice.sku.as_deref());
    let place = product["categories"][0].as_str().unwrap_or_default();
    let in_stock = chosen.and_then(|variant| {
        let found = stock.iter().find(|known| variant["sku"] == known.sku.as_str())?;
        Some(found.available)
    });
    let currency = visitor.shop.config.currency.as_str();
    let price = chosen.and_then(|variant| price_of(variant, currency));
    Ok(visitor.show(
        "product.html",
        context! {
            product => Serde(&product), variant => Serde(&chosen), price => Serde(&price),
            available => in_stock, stock => Serde(&stock), currency, top => top_of(&tree),
            way => way_to(&tree, place),
            delivery => delivery(visitor).await.ok().map(|known| known.at_home(currency)),
        },
    ))
}

/// The variant that was asked for, or the first.
fn chosen<'a>(variants: &'a [Value], sku: Option<&str>) -> Option<&'a Value> {
    let wanted = sku.and_then(|sku| variants.iter().find(|variant| variant["sku"] == sku));
    wanted.or_else(|| variants.first())
}

/// What a variant costs in a currency; in its first one if not in that.
fn price_of<'a>(variant: &'a Value, currency: &str) -> Option<&'a Value> {
    let prices = variant["prices"].as_array()?;
    let in_currency = prices.iter().find(|price| price["price"]["currency"] == currency);
    in_currency.or_else(|| prices.first())
}
