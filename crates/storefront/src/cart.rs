//! The cart: what is in it, and changing that.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::{Method, StatusCode};
use minijinja::context;
use minijinja::value::Serde;
use pages::{Form, Refusal};
use platform::http::Problem;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Storefront;
use crate::delivery::delivery;
use crate::shelves::{categories, encoded, top_of};
use crate::tickets::Ticket;
use crate::visitor::Visitor;

/// The most pieces of one unit that a form asks for.
const MOST: i64 = 999;

/// Where the cart would go, for what that would cost.
#[derive(Debug, Default, Deserialize)]
pub struct Estimate {
    country: Option<String>,
}

/// The cart as it is, priced.
pub async fn show(
    State(_): State<Arc<Storefront>>,
    visitor: Visitor,
    Query(Estimate { country }): Query<Estimate>,
) -> Response {
    visitor.answer(render(&visitor, country.as_deref(), None).await)
}

async fn render(
    visitor: &Visitor,
    country: Option<&str>,
    refused: Option<&Refusal>,
) -> Result<Response, Refusal> {
    let tree = categories(visitor).await?;
    let delivery = delivery(visitor).await.unwrap_or_default();
    let country = country.filter(|country| delivery.countries.iter().any(|known| known == country));
    let cart = current_for(visitor, country).await?.map(|(_, cart)| cart);
    let status = refused.map_or(StatusCode::OK, |refusal| refusal.status);
    let values = context! {
        cart => Serde(&cart), refused => visitor.reason(refused), top => top_of(&tree),
        country => country.unwrap_or(&delivery.home_country), countries => Serde(&delivery.countries),
    };
    Ok(visitor.show_with(status, "cart.html", values))
}

/// The visitor's cart, if there is one that can still be changed.
pub async fn current(visitor: &Visitor) -> Result<Option<(Ticket, Value)>, Refusal> {
    current_for(visitor, None).await
}

/// The same, priced as if it went to `country`, unless its address says where it goes.
async fn current_for(
    visitor: &Visitor,
    country: Option<&str>,
) -> Result<Option<(Ticket, Value)>, Refusal> {
    let Some(ticket) = visitor.cart() else { return Ok(None) };
    let country = country.map(|country| format!("?country={country}")).unwrap_or_default();
    match visitor.ask_with(&ticket).get(&format!("/carts/{}{country}", ticket.id)).await {
        Ok(answer) if answer.body["order_id"].is_null() => Ok(Some((ticket, answer.body))),
        // It has become an order, elsewhere or by a click before this one.
        Ok(_) => Ok(None),
        Err(refusal) if refusal.status == StatusCode::NOT_FOUND => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

/// Puts pieces of a unit into the cart, on top of those that are in it.
pub async fn add(
    State(_): State<Arc<Storefront>>,
    visitor: Visitor,
    form: Result<Form, Problem>,
) -> Response {
    let form = match taken(&visitor, form) {
        Ok(form) => form,
        Err(refusal) => return visitor.refused(&refusal),
    };
    let (sku, quantity) = (form.text("sku"), pieces(&form));
    let outcome = match current(&visitor).await {
        Ok(Some((ticket, cart))) => {
            let wanted = (quantity_of(&cart, sku) + quantity).min(MOST);
            put(&visitor, ticket, sku, wanted).await
        }
        Ok(None) => open(&visitor, sku, quantity).await,
        Err(refusal) => Err(refusal),
    };
    finish(&visitor, outcome).await
}

/// Sets how many pieces of a unit are in the cart; none takes it out.
pub async fn change(
    State(_): State<Arc<Storefront>>,
    visitor: Visitor,
    Path(sku): Path<String>,
    form: Result<Form, Problem>,
) -> Response {
    let form = match taken(&visitor, form) {
        Ok(form) => form,
        Err(refusal) => return visitor.refused(&refusal),
    };
    let outcome = match current(&visitor).await {
        Ok(Some((ticket, _))) => put(&visitor, ticket, &sku, pieces(&form)).await,
        Ok(None) => return visitor.go("/cart"),
        Err(refusal) => Err(refusal),
    };
    finish(&visitor, outcome).await
}

/// A form that may be acted upon.
pub fn taken(visitor: &Visitor, form: Result<Form, Problem>) -> Result<Form, Refusal> {
    let form = form.map_err(Refusal::from)?;
    visitor.check(&form).map_err(Refusal::from)?;
    Ok(form)
}

/// The pieces that a form asks for: one if it does not say.
fn pieces(form: &Form) -> i64 {
    form.filled("quantity").map_or(Some(1), |text| text.parse().ok()).unwrap_or(1).clamp(0, MOST)
}

fn quantity_of(cart: &Value, sku: &str) -> i64 {
    let lines = cart["lines"].as_array().into_iter().flatten();
    let mut of_unit = lines.filter(|line| line["sku"] == sku);
    of_unit.next().and_then(|line| line["quantity"].as_i64()).unwrap_or(0)
}

async fn open(visitor: &Visitor, sku: &str, quantity: i64) -> Result<(Ticket, Value), Refusal> {
    let shop = &visitor.shop;
    let cart = json!({
        "currency": shop.config.currency,
        "language": visitor.language.tag(),
        "lines": [{ "sku": sku, "quantity": quantity.max(1) }],
    });
    let opened = visitor.ask().send(Method::POST, "/carts", &[], &cart).await?.body;
    let field = |name: &str| opened[name].as_str().unwrap_or_default().to_owned();
    let ticket = Ticket { id: field("id"), token: field("token") };
    Ok((ticket, opened))
}

async fn put(
    visitor: &Visitor,
    ticket: Ticket,
    sku: &str,
    quantity: i64,
) -> Result<(Ticket, Value), Refusal> {
    let path = format!("/carts/{}/lines/{}", ticket.id, encoded(sku));
    let asker = visitor.ask_with(&ticket);
    let answer = match quantity {
        0 => asker.delete(&path).await?,
        _ => asker.send(Method::PUT, &path, &[], &json!({ "quantity": quantity })).await?,
    };
    Ok((ticket, answer.body))
}

/// On to the cart; or, if it could not be changed, the cart with the reason.
async fn finish(visitor: &Visitor, outcome: Result<(Ticket, Value), Refusal>) -> Response {
    match outcome {
        Ok((ticket, cart)) => {
            let mut response = visitor.go("/cart");
            let lines = cart["lines"].as_array().into_iter().flatten();
            let all = lines.filter_map(|line| line["quantity"].as_i64()).sum();
            visitor.keep_cart(&mut response, &ticket, all);
            response
        }
        Err(refusal) if refusal.status.is_client_error() => {
            visitor.answer(render(visitor, None, Some(&refusal)).await)
        }
        Err(refusal) => visitor.refused(&refusal),
    }
}
