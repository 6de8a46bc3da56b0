//! The shop's pages: shelves, cart, checkout, and the order as it goes on. A client of the API like any
//! other, with a cart's token in a cookie; everything works without JavaScript.
//!
//! What a template sees of a product, a cart or an order is what the API says of it, by the names of
//! `docs/reference/openapi.json`.

mod cart;
mod checkout;
mod config;
mod delivery;
mod legal;
mod order;
mod picture;
mod product;
mod shelves;
mod tickets;
mod trouble;
mod visitor;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use pages::{Api, Guard, Jar, Renderer};
use platform::ids::Ids;

pub use config::Config;
pub use trouble::problem_pages;

/// Where the theme's assets are served.
pub const ASSETS: &str = "/theme";

/// The part of a theme that is the storefront's.
pub const PART: &str = "storefront";

/// What all its pages share.
#[derive(Debug)]
pub struct Storefront {
    /// The shop's API.
    pub api: Api,
    /// Its pages.
    pub renderer: Renderer,
    /// How its cookies are set.
    pub jar: Jar,
    /// Who may send forms.
    pub guard: Guard,
    /// Where session ids come from.
    pub ids: Ids,
    /// What can be set.
    pub config: Config,
    /// The ways to pay whose provider is the test provider, which has cards to try things out with.
    pub test_methods: Vec<String>,
}

/// Its routes.
pub fn routes(storefront: Arc<Storefront>) -> Router {
    let assets = Arc::clone(storefront.renderer.assets());
    Router::new()
        .route("/", get(shelves::home))
        .route("/categories/{*path}", get(shelves::category))
        .route("/search", get(shelves::search))
        .route("/products/{handle}", get(product::show))
        .route("/pictures/{sku}", get(picture::show))
        .route("/cart", get(cart::show))
        .route("/cart/lines", post(cart::add))
        .route("/cart/lines/{sku}", post(cart::change))
        .route("/checkout", get(checkout::begin))
        .route("/checkout/address", get(checkout::address).post(checkout::save_address))
        .route("/checkout/shipping", get(checkout::shipping).post(checkout::save_shipping))
        .route("/checkout/review", get(checkout::review).post(checkout::place))
        .route("/orders/{id}", get(order::show))
        .route("/orders/{id}/progress", get(order::progress))
        .route("/orders/{id}/events", get(order::events))
        .route("/orders/{id}/cancel", post(order::cancel))
        .route("/orders/{id}/payment", post(order::pay))
        .route("/orders/{id}/documents/{kind}/{document}", get(order::document))
        .route("/legal/{text}", get(legal::show))
        .route("/language", post(visitor::choose_language))
        .with_state(storefront)
        .merge(pages::assets(ASSETS, assets))
}

#[cfg(test)]
mod tests {
    use theme::{Language, Theme};

    use super::PART;

    #[test]
    fn languages_have_the_same_texts() {
        let theme = Theme::load(None).unwrap();
        let keys = |language| -> Vec<String> {
            theme.texts(PART, language).unwrap().keys().map(str::to_owned).collect()
        };
        assert_eq!(keys(Language::English), keys(Language::German));
    }
}
