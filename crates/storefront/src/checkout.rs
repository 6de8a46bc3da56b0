//! From the cart to the order: who buys and where it goes, how it ships, how it is paid, and the button that
//! obliges to pay. Each step is kept on the cart as soon as it is taken, so that nothing is typed twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::{HeaderName, Method, StatusCode};
use minijinja::value::Serde;
use minijinja::{Value as Shown, context};
use pages::{Form, Refusal};
use platform::http::Problem;
use serde_json::{Map, Value, json};

use crate::Storefront;
use crate::cart::{current, taken};
use crate::delivery::delivery;
use crate::tickets::Ticket;
use crate::visitor::Visitor;

/// The fields of an address, as the form and the API call them.
const ADDRESS: [&str; 9] =
    ["name", "company", "street", "extra", "postal_code", "city", "region", "country", "phone"];

/// Those of them that the API does not take an address without.
const REQUIRED: [&str; 5] = ["name", "street", "postal_code", "city", "country"];

/// On to the first step that is not done.
pub async fn begin(State(_): State<Arc<Storefront>>, visitor: Visitor) -> Response {
    match current(&visitor).await {
        Ok(Some((_, cart))) => visitor.go(next_step(&cart)),
        Ok(None) => visitor.go("/cart"),
        Err(refusal) => visitor.refused(&refusal),
    }
}

fn next_step(cart: &Value) -> &'static str {
    let needs = |what: &str| {
        cart["needs"].as_array().is_some_and(|needs| needs.iter().any(|need| need == what))
    };
    if needs("lines") {
        "/cart"
    } else if ["email", "shipping_address", "billing_address"].into_iter().any(needs) {
        "/checkout/address"
    } else if needs("shipping_method") {
        "/checkout/shipping"
    } else {
        "/checkout/review"
    }
}

/// Who buys, and where it goes.
pub async fn address(State(_): State<Arc<Storefront>>, visitor: Visitor) -> Response {
    match current(&visitor).await {
        Ok(Some((_, cart))) => visitor.answer(show_address(&visitor, &cart, None, None).await),
        Ok(None) => visitor.go("/cart"),
        Err(refusal) => visitor.refused(&refusal),
    }
}

async fn show_address(
    visitor: &Visitor,
    cart: &Value,
    typed: Option<&BTreeMap<String, String>>,
    refused: Option<&Refusal>,
) -> Result<Response, Refusal> {
    let delivery = delivery(visitor).await?;
    let known = known(cart, &delivery.home_country);
    let values = context! {
        cart => Serde(cart), typed => Serde(typed.unwrap_or(&known)), faults => faults(refused),
        refused => visitor.reason(refused), countries => Serde(&delivery.countries),
    };
    let status = refused.map_or(StatusCode::OK, |why| why.status);
    Ok(visitor.show_with(status, "address.html", values))
}

/// What the cart knows already, as the form's fields.
fn known(cart: &Value, home_country: &str) -> BTreeMap<String, String> {
    let mut typed = BTreeMap::new();
    let shipping = &cart["shipping_address"];
    let address = if shipping.is_null() { &cart["billing_address"] } else { shipping };
    for field in ADDRESS {
        let text = address[field].as_str().unwrap_or_default();
        typed.insert(field.to_owned(), text.to_owned());
    }
    if address.is_null() {
        typed.insert("country".to_owned(), home_country.to_owned());
    }
    let email = cart["email"].as_str().unwrap_or_default();
    typed.insert("email".to_owned(), email.to_owned());
    typed
}

/// Keeps it on the cart.
pub async fn save_address(
    State(_): State<Arc<Storefront>>,
    visitor: Visitor,
    form: Result<Form, Problem>,
) -> Response {
    let (form, ticket, cart) = match with_cart(&visitor, form).await {
        Ok(Some(found)) => found,
        Ok(None) => return visitor.go("/cart"),
        Err(refusal) => return visitor.refused(&refusal),
    };
    // What an address has to have is sent empty too, so that all that is wrong comes back at once.
    let filled = |field: &str| {
        let text = form.filled(field).or(REQUIRED.contains(&field).then_some(""))?;
        Some((field.to_owned(), json!(text)))
    };
    let address: Map<String, Value> = ADDRESS.into_iter().filter_map(filled).collect();
    let ships = needs_shipping(&cart);
    let which = if ships { "shipping_address" } else { "billing_address" };
    let change = json!({
        "email": form.text("email"), "language": visitor.language.tag(), which: address,
    });
    match patch(&visitor, &ticket, &change).await {
        Ok(cart) => visitor.go(next_step(&cart)),
        Err(refusal) if refusal.status.is_client_error() => {
            let typed = Some(form.typed());
            visitor.answer(show_address(&visitor, &cart, typed, Some(&refusal)).await)
        }
        Err(refusal) => visitor.refused(&refusal),
    }
}

/// How it ships.
pub async fn shipping(State(_): State<Arc<Storefront>>, visitor: Visitor) -> Response {
    match current(&visitor).await {
        Ok(Some((_, cart))) => show_shipping(&visitor, &cart, None),
        Ok(None) => visitor.go("/cart"),
        Err(refusal) => visitor.refused(&refusal),
    }
}

fn show_shipping(visitor: &Visitor, cart: &Value, refused: Option<&Refusal>) -> Response {
    let values = context! {
        cart => Serde(cart), refused => visitor.reason(refused),
    };
    visitor.show_with(refused.map_or(StatusCode::OK, |why| why.status), "shipping.html", values)
}

/// Keeps it on the cart.
pub async fn save_shipping(
    State(_): State<Arc<Storefront>>,
    visitor: Visitor,
    form: Result<Form, Problem>,
) -> Response {
    let (form, ticket, cart) = match with_cart(&visitor, form).await {
        Ok(Some(found)) => found,
        Ok(None) => return visitor.go("/cart"),
        Err(refusal) => return visitor.refused(&refusal),
    };
    let change = json!({ "shipping_method": form.text("shipping_method") });
    match patch(&visitor, &ticket, &change).await {
        Ok(cart) => visitor.go(next_step(&cart)),
        Err(refusal) if refusal.status.is_client_error() => {
            show_shipping(&visitor, &cart, Some(&refusal))
        }
        Err(refusal) => visitor.refused(&refusal),
    }
}

/// Everything once more, how it is paid, and the button.
pub async fn review(State(_): State<Arc<Storefront>>, visitor: Visitor) -> Response {
    match current(&visitor).await {
        Ok(Some((_, cart))) => match next_step(&cart) {
            "/checkout/review" => show_review(&visitor, &cart, &BTreeMap::new(), None),
            step => visitor.go(step),
        },
        Ok(None) => visitor.go("/cart"),
        Err(refusal) => visitor.refused(&refusal),
    }
}

fn show_review(
    visitor: &Visitor,
    cart: &Value,
    typed: &BTreeMap<String, String>,
    refused: Option<&Refusal>,
) -> Response {
    let values = context! {
        cart => Serde(cart), typed => Serde(typed), faults => faults(refused),
        refused => visitor.reason(refused), test_methods => Serde(&visitor.shop.test_methods),
    };
    visitor.show_with(refused.map_or(StatusCode::OK, |why| why.status), "review.html", values)
}

/// Places the order. The key is the cart's, so that a second click, a reload and the back button get the same
/// order; what has changed meanwhile is shown and asked about.
pub async fn place(
    State(_): State<Arc<Storefront>>,
    visitor: Visitor,
    form: Result<Form, Problem>,
) -> Response {
    let form = match taken(&visitor, form) {
        Ok(form) => form,
        Err(refusal) => return visitor.refused(&refusal),
    };
    let Some(ticket) = visitor.cart() else { return visitor.go("/cart") };
    if form.text("terms") != "accepted" {
        return ask_again(&visitor, &form, terms_missing()).await;
    }
    match send(&visitor, &ticket, &form).await {
        Ok(order) => {
            let id = order["id"].as_str().unwrap_or_default().to_owned();
            let mut response = visitor.go(&format!("/orders/{id}"));
            visitor.keep_order(&mut response, &Ticket { id, token: ticket.token });
            response
        }
        Err(refusal) if refusal.status.is_client_error() => {
            ask_again(&visitor, &form, refusal).await
        }
        Err(refusal) => visitor.refused(&refusal),
    }
}

async fn send(visitor: &Visitor, ticket: &Ticket, form: &Form) -> Result<Value, Refusal> {
    let mut method = json!({ "code": form.text("payment_method") });
    if let Some(token) = form.filled("payment_token") {
        method["token"] = json!(token);
    }
    let seen: i64 = form.text("expected_total").parse().unwrap_or(-1);
    let order = json!({
        "expected_total": { "amount_minor": seen, "currency": form.text("currency") },
        "payment_method": method,
        "terms_version": form.text("terms_version"),
    });
    let key = format!("checkout-{}-{}", ticket.id, form.text("cart_version"));
    let headers = [
        (HeaderName::from_static("idempotency-key"), key.as_str()),
        (HeaderName::from_static("prefer"), "wait=2"),
    ];
    let path = format!("/carts/{}/order", ticket.id);
    let answer = visitor.ask_with(ticket).send(Method::POST, &path, &headers, &order).await?;
    Ok(answer.body)
}

/// The last step once more, with what is wrong or has changed.
async fn ask_again(visitor: &Visitor, form: &Form, refusal: Refusal) -> Response {
    match current(visitor).await {
        Ok(Some((_, cart))) => show_review(visitor, &cart, form.typed(), Some(&refusal)),
        Ok(None) => visitor.refused(&refusal),
        Err(refusal) => visitor.refused(&refusal),
    }
}

fn terms_missing() -> Refusal {
    Refusal::from(Problem::validation("/terms", "have to be accepted to order"))
}

async fn with_cart(
    visitor: &Visitor,
    form: Result<Form, Problem>,
) -> Result<Option<(Form, Ticket, Value)>, Refusal> {
    let form = taken(visitor, form)?;
    Ok(current(visitor).await?.map(|(ticket, cart)| (form, ticket, cart)))
}

async fn patch(visitor: &Visitor, ticket: &Ticket, change: &Value) -> Result<Value, Refusal> {
    let path = format!("/carts/{}", ticket.id);
    Ok(visitor.ask_with(ticket).send(Method::PATCH, &path, &[], change).await?.body)
}

/// Whether anything in the cart is sent: then it has methods to choose from, or needs an address for them.
fn needs_shipping(cart: &Value) -> bool {
    let has = |name: &str| cart[name].as_array().is_some_and(|list| !list.is_empty());
    let needs = cart["needs"].as_array();
    has("shipping_methods")
        || !cart["shipping_address"].is_null()
        || needs.is_some_and(|needs| {
            needs.iter().any(|need| need == "shipping_address" || need == "shipping_method")
        })
}

/// What is wrong, by the last part of the pointer: `/shipping_address/city` is `city`.
fn faults(refused: Option<&Refusal>) -> Shown {
    let faults = refused.into_iter().flat_map(Refusal::faults);
    let by_field: BTreeMap<&str, &str> = faults
        .map(|(pointer, detail)| (pointer.rsplit('/').next().unwrap_or(pointer), detail))
        .collect();
    Shown::from(Serde(&by_field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_step_is_the_first_that_is_not_done() {
        for (needs, step) in [
            (json!(["lines", "email"]), "/cart"),
            (json!(["email", "shipping_address", "shipping_method"]), "/checkout/address"),
            (json!(["billing_address"]), "/checkout/address"),
            (json!(["shipping_method"]), "/checkout/shipping"),
            (json!([]), "/checkout/review"),
        ] {
            assert_eq!(next_step(&json!({ "needs": needs })), step);
        }
    }
}
