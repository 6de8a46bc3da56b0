//! Carts over HTTP.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use contracts::{AddressInput, CartId, Currency, Sku};
use http::{HeaderName, StatusCode, header};
use platform::http::auth::new_guest_token;
use platform::http::extract::{Json, Path, Query};
use platform::http::{Principal, Problem};
use serde::{Deserialize, Deserializer};
use utoipa::{IntoParams, ToSchema};

use super::views::CartView;
use crate::Orders;
use crate::carts::{Change, ChangeCart, Contact, LookAtCart, OpenCart};
use crate::domain::cart::Cart;
use crate::domain::contact::{Wrong, check_address, check_country, check_email, check_language};
use crate::error::Error;
use crate::shop::Shop;

/// A cart to open.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "currency": "EUR",
    "lines": [{ "sku": "85123A", "quantity": 2 }],
    "language": "en",
    "email": "ada@example.com",
    "shipping_address": {
        "name": "Ada Lovelace", "street": "Am Kai 1", "postal_code": "20457", "city": "Hamburg", "country": "DE",
    },
    "shipping_method": "standard",
}))]
pub struct NewCart {
    /// Its currency; the shop's own, if not said.
    #[schema(value_type = Option<String>)]
    currency: Option<Currency>,
    /// What is in it from the start.
    #[serde(default)]
    #[schema(max_items = 100)]
    lines: Vec<NewLine>,
    /// Language of messages, BCP 47.
    #[schema(max_length = 35)]
    language: Option<String>,
    /// Where messages go.
    #[schema(max_length = 254)]
    email: Option<String>,
    /// Who is billed, if it is not whoever receives it.
    billing_address: Option<AddressInput>,
    /// Where it goes.
    shipping_address: Option<AddressInput>,
    /// How it is shipped: the code of a method.
    #[schema(max_length = 40)]
    shipping_method: Option<String>,
}

/// A line of a cart to open.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLine {
    /// What.
    sku: Sku,
    /// How many.
    #[schema(minimum = 1)]
    quantity: i64,
}

/// How many pieces there are to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CartLineQuantity)]
pub struct LineQuantity {
    /// How many.
    #[schema(minimum = 1)]
    quantity: i64,
}

/// What changes of who buys and where it goes. What is left out stays; `null` takes it away.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "email": "ada@example.com", "shipping_method": "standard" }))]
pub struct CartPatch {
    /// Where messages go.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 254)]
    email: Option<Option<String>>,
    /// Language of messages, BCP 47.
    #[schema(max_length = 35)]
    language: Option<String>,
    /// Who is billed.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<AddressInput>)]
    billing_address: Option<Option<AddressInput>>,
    /// Where it goes.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<AddressInput>)]
    shipping_address: Option<Option<AddressInput>>,
    /// How it is shipped: the code of a method.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 40)]
    shipping_method: Option<Option<String>>,
}

fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// Opens a cart.
///
/// The answer holds the token that opens the cart and later its order. It is told this once.
#[utoipa::path(post, path = "/carts", tag = "carts", request_body = NewCart,
    responses((status = 201, body = CartView), (status = 422, body = Problem)))]
pub async fn open(
    State(service): State<Arc<Orders>>,
    Json(body): Json<NewCart>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<CartView>), Error> {
    let shop = &service.shop;
    let currency = body.currency.unwrap_or_else(|| shop.currency());
    if !shop.config.currencies.contains(&currency) {
        return Err(Error::currency("/currency", &shop.config.currencies));
    }
    check_lines(&body.lines)?;
    let language = body.language.unwrap_or_else(|| "en".to_owned());
    let contact = Contact {
        email: Some(body.email),
        language: Some(language.clone()),
        billing_address: Some(body.billing_address.map(|given| given.0)),
        shipping_address: Some(body.shipping_address.map(|given| given.0)),
        shipping_method: Some(body.shipping_method),
    };
    check_contact(shop, &contact)?;
    let mut cart = Cart::new(currency, shop.book.tax_mode(), language);
    contact.apply(&mut cart);
    let lines = body.lines.into_iter().map(|line| (line.sku, line.quantity)).collect();
    let (token, access_hash) = new_guest_token(service.db.ids());
    let unit = OpenCart { shop: Arc::clone(shop), access_hash, cart, lines };
    let (cart, swept) = service.db.write(unit).await??;
    shop.swept.done(swept);
    let location = (header::LOCATION, format!("/api/v1/carts/{}", cart.stored.id));
    let view = CartView::new(shop, cart, Some(token));
    Ok((StatusCode::CREATED, [location], Json(view)))
}

/// How a cart is looked at.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CartQuery {
    /// Where it would go, ISO 3166-1 alpha-2: prices and ways to ship are shown for there, as long as the cart
    /// has no address that says so. The shop's own country, if not said.
    #[param(min_length = 2, max_length = 2)]
    country: Option<String>,
}

/// Shows a cart, priced.
#[utoipa::path(get, path = "/carts/{id}", tag = "carts", params(("id" = CartId, Path), CartQuery),
    security(("guest" = [])),
    responses((status = 200, body = CartView), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub async fn look(
    State(service): State<Arc<Orders>>,
    Path(id): Path<CartId>,
    Query(CartQuery { country }): Query<CartQuery>,
    principal: Principal,
) -> Result<Json<CartView>, Error> {
    let (shop, access_hash) = (Arc::clone(&service.shop), token_hash(&principal)?);
    if let Some(country) = &country {
        check_country(country).map_err(|why| Error::wrong("/country", why))?;
    }
    let cart = service.db.read(LookAtCart { shop, id, access_hash, country }).await??;
    Ok(Json(CartView::new(&service.shop, cart, None)))
}

/// Changes who buys, where it goes and how.
#[utoipa::path(patch, path = "/carts/{id}", tag = "carts", params(("id" = CartId, Path)),
    request_body = CartPatch, security(("guest" = [])),
    responses((status = 200, body = CartView), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn change(
    State(service): State<Arc<Orders>>,
    Path(id): Path<CartId>,
    principal: Principal,
    Json(body): Json<CartPatch>,
) -> Result<Json<CartView>, Error> {
    let CartPatch { email, language, billing_address, shipping_address, shipping_method } = body;
    let given = |address: Option<Option<AddressInput>>| address.map(|a| a.map(|given| given.0));
    let (billing_address, shipping_address) = (given(billing_address), given(shipping_address));
    let contact = Contact { email, language, billing_address, shipping_address, shipping_method };
    check_contact(&service.shop, &contact)?;
    make(&service, id, &principal, Change::Contact(Box::new(contact))).await
}

/// Puts so many pieces of a unit into a cart, whatever was there of it before.
#[utoipa::path(put, path = "/carts/{id}/lines/{sku}", tag = "carts",
    params(("id" = CartId, Path), ("sku" = Sku, Path)),
    request_body = LineQuantity, security(("guest" = [])),
    responses((status = 200, body = CartView), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn set_line(
    State(service): State<Arc<Orders>>,
    Path((id, sku)): Path<(CartId, Sku)>,
    principal: Principal,
    Json(body): Json<LineQuantity>,
) -> Result<Json<CartView>, Error> {
    make(&service, id, &principal, Change::SetLine { sku, quantity: body.quantity }).await
}

/// Takes a unit out of a cart. What is not in it is out already.
#[utoipa::path(delete, path = "/carts/{id}/lines/{sku}", tag = "carts",
    params(("id" = CartId, Path), ("sku" = Sku, Path)), security(("guest" = [])),
    responses((status = 200, body = CartView), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub async fn remove_line(
    State(service): State<Arc<Orders>>,
    Path((id, sku)): Path<(CartId, Sku)>,
    principal: Principal,
) -> Result<Json<CartView>, Error> {
    make(&service, id, &principal, Change::RemoveLine { sku }).await
}

async fn make(
    service: &Orders,
    id: CartId,
    principal: &Principal,
    change: Change,
) -> Result<Json<CartView>, Error> {
    let (shop, access_hash) = (Arc::clone(&service.shop), token_hash(principal)?);
    let cart = service.db.write(ChangeCart { shop, id, access_hash, change }).await??;
    Ok(Json(CartView::new(&service.shop, cart, None)))
}

/// The hash of the token the caller holds. A cart is nobody else's business, not even staff's.
pub(super) fn token_hash(principal: &Principal) -> Result<String, Error> {
    principal.guest_token_hash().map(str::to_owned).ok_or(Error::NotFound)
}

fn check_lines(lines: &[NewLine]) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    match lines.iter().position(|line| !seen.insert(&line.sku)) {
        Some(n) => Err(Error::wrong(format!("/lines/{n}/sku"), "is given twice")),
        None => Ok(()),
    }
}

fn check_contact(shop: &Shop, contact: &Contact) -> Result<(), Error> {
    let mut wrong = Vec::new();
    let mut check = |field: &str, checked: Result<(), &str>| {
        if let Err(why) = checked {
            wrong.push(Wrong { field: field.to_owned(), why: why.to_owned() });
        }
    };
    if let Some(Some(email)) = &contact.email {
        check("/email", check_email(email));
    }
    if let Some(language) = &contact.language {
        check("/language", check_language(language));
    }
    if let Some(Some(code)) = &contact.shipping_method {
        let known = shop.config.shipping_methods.iter().any(|method| method.code == *code);
        check("/shipping_method", if known { Ok(()) } else { Err("is not a way to ship") });
    }
    for (field, address) in [
        ("/billing_address", &contact.billing_address),
        ("/shipping_address", &contact.shipping_address),
    ] {
        if let Some(Some(address)) = address {
            wrong.extend(check_address(field, address));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::Wrong(wrong)) }
}
