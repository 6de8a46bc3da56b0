//! What products look like from outside.

use std::collections::BTreeMap;

use contracts::events::{AttributeValue, Variant};
use contracts::{Money, ProductId, Sku};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::{CategoryPath, State};
use crate::store::{Category, Stored};

/// A product, whole.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProductView {
    /// Its id.
    id: ProductId,
    /// Where it is in its life.
    state: StateView,
    /// Counts its changes.
    version: i64,
    /// Its name in addresses.
    handle: String,
    /// Its name.
    name: String,
    /// What it is, as plain text.
    description: String,
    /// Where it stands in the category tree.
    #[schema(value_type = Vec<String>)]
    categories: Vec<CategoryPath>,
    /// Typed attributes.
    attributes: BTreeMap<String, AttributeValue>,
    /// What can be bought.
    variants: Vec<Variant>,
}

impl From<Stored> for ProductView {
    fn from(stored: Stored) -> Self {
        let Stored { id, state, version, content } = stored;
        Self {
            id,
            state: state.into(),
            version,
            handle: content.handle,
            name: content.name,
            description: content.description,
            categories: content.categories,
            attributes: content.attributes,
            variants: content.variants,
        }
    }
}

/// A product in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProductCard {
    /// Its id.
    id: ProductId,
    /// Counts its changes.
    version: i64,
    /// Its name in addresses.
    handle: String,
    /// Its name.
    name: String,
    /// Where it stands in the category tree.
    #[schema(value_type = Vec<String>)]
    categories: Vec<CategoryPath>,
    /// Its units.
    skus: Vec<Sku>,
    /// What its cheapest unit costs, in each currency.
    from: Vec<Money>,
}

impl From<Stored> for ProductCard {
    fn from(stored: Stored) -> Self {
        let Stored { id, version, content, .. } = stored;
        let mut from: Vec<Money> = Vec::new();
        for price in content.variants.iter().flat_map(|variant| &variant.prices) {
            let price = price.price;
            match from.iter_mut().find(|money| money.currency == price.currency) {
                Some(money) => money.amount_minor = money.amount_minor.min(price.amount_minor),
                None => from.push(price),
            }
        }
        let skus = content.skus().cloned().collect();
        let (handle, name, categories) = (content.handle, content.name, content.categories);
        Self { id, version, handle, name, categories, skus, from }
    }
}

/// Where a product is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StateView {
    /// Staff only.
    Draft,
    /// On sale.
    Published,
    /// No longer on sale.
    Withdrawn,
}

impl From<State> for StateView {
    fn from(state: State) -> Self {
        match state {
            State::Draft => Self::Draft,
            State::Published => Self::Published,
            State::Withdrawn => Self::Withdrawn,
        }
    }
}

impl From<StateView> for State {
    fn from(state: StateView) -> Self {
        match state {
            StateView::Draft => Self::Draft,
            StateView::Published => Self::Published,
            StateView::Withdrawn => Self::Withdrawn,
        }
    }
}

/// The category tree.
#[derive(Debug, Serialize, ToSchema)]
pub struct CategoriesView {
    /// All categories, each after the one above it.
    pub items: Vec<CategoryView>,
}

/// A category.
#[derive(Debug, Serialize, ToSchema)]
pub struct CategoryView {
    /// Its path in the tree.
    path: String,
    /// Its name.
    name: String,
    /// The path above, unless it is at the root.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    parent: Option<String>,
    /// How many products on sale are in it or below.
    products: i64,
}

impl From<Category> for CategoryView {
    fn from(category: Category) -> Self {
        let Category { path, name, products } = category;
        let parent = path.rsplit_once('/').map(|(parent, _)| parent.to_owned());
        Self { path, name, parent, products }
    }
}
