//! Products side by side: the home page, a category, what a search found.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use minijinja::value::Serde;
use minijinja::{Value as Shown, context};
use pages::Refusal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Storefront;
use crate::visitor::Visitor;

/// How many products are on a page.
const ON_A_PAGE: usize = 24;
/// How many shelves the home page has, and how many products on each.
const SHELVES: usize = 4;
const ON_A_SHELF: usize = 6;

/// A category as the API lists it.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Category {
    path: String,
    name: String,
    parent: Option<String>,
    products: i64,
}

#[derive(Deserialize)]
struct Categories {
    items: Vec<Category>,
}

/// Where in a list.
#[derive(Debug, Default, Deserialize)]
pub struct Paging {
    cursor: Option<String>,
}

/// What is searched for.
#[derive(Debug, Default, Deserialize)]
pub struct Search {
    #[serde(default)]
    q: String,
    cursor: Option<String>,
}

/// The home page: what there is, by category.
pub async fn home(State(_): State<Arc<Storefront>>, visitor: Visitor) -> Response {
    visitor.answer(render_home(&visitor).await)
}

async fn render_home(visitor: &Visitor) -> Result<Response, Refusal> {
    let tree = categories(visitor).await?;
    let mut shelves = Vec::new();
    for category in top(&tree).filter(|category| category.products > 0).take(SHELVES) {
        let products = products(visitor, &category.path, None, ON_A_SHELF).await?;
        shelves
            .push(context! { category => Serde(category), products => Serde(&products["items"]) });
    }
    Ok(visitor.show("home.html", context! { shelves, top => top_of(&tree) }))
}

/// A category's products.
pub async fn category(
    State(_): State<Arc<Storefront>>,
    visitor: Visitor,
    Path(path): Path<String>,
    Query(paging): Query<Paging>,
) -> Response {
    visitor.answer(render_category(&visitor, &path, paging).await)
}

async fn render_category(
    visitor: &Visitor,
    path: &str,
    paging: Paging,
) -> Result<Response, Refusal> {
    let tree = categories(visitor).await?;
    let Some(category) = tree.iter().find(|category| category.path == path) else {
        return Err(Refusal::not_found());
    };
    let products = products(visitor, path, paging.cursor.as_deref(), ON_A_PAGE).await?;
    let below: Vec<&Category> =
        tree.iter().filter(|other| other.parent.as_deref() == Some(path)).collect();
    let way: Vec<&Category> = tree.iter().filter(|other| is_above(&other.path, path)).collect();
    Ok(visitor.show(
        "category.html",
        context! {
            category => Serde(category), below => Serde(&below), way => Serde(&way),
            products => Serde(&products), is_first => paging.cursor.is_none(), top => top_of(&tree),
        },
    ))
}

/// What a search by name found.
pub async fn search(
    State(_): State<Arc<Storefront>>,
    visitor: Visitor,
    Query(search): Query<Search>,
) -> Response {
    visitor.answer(render_search(&visitor, search).await)
}

async fn render_search(visitor: &Visitor, search: Search) -> Result<Response, Refusal> {
    let tree = categories(visitor).await?;
    let words = search.q.trim();
    let products = if words.is_empty() {
        Value::Null
    } else {
        let mut path = format!("/products?limit={ON_A_PAGE}&name={}", encoded(words));
        if let Some(cursor) = &search.cursor {
            path.push_str(&format!("&cursor={}", encoded(cursor)));
        }
        visitor.ask().get(&path).await?.body
    };
    let is_first = search.cursor.is_none();
    let values = context! { words, products => Serde(&products), is_first, top => top_of(&tree) };
    Ok(visitor.show("search.html", values))
}

/// The whole tree, by path.
pub async fn categories(visitor: &Visitor) -> Result<Vec<Category>, Refusal> {
    Ok(visitor.ask().read::<Categories>("/categories").await?.items)
}

/// The categories at the top of the tree, for a template.
pub fn top_of(tree: &[Category]) -> Shown {
    Shown::from(Serde(top(tree).collect::<Vec<_>>()))
}

/// The categories from the top down to the one at `path`, itself included, for a template.
pub fn way_to(tree: &[Category], path: &str) -> Shown {
    let is_on_way = |other: &&Category| other.path == path || is_above(&other.path, path);
    Shown::from(Serde(tree.iter().filter(is_on_way).collect::<Vec<_>>()))
}

fn top(tree: &[Category]) -> impl Iterator<Item = &Category> {
    tree.iter().filter(|category| category.parent.is_none())
}

fn is_above(upper: &str, path: &str) -> bool {
    path.strip_prefix(upper).is_some_and(|rest| rest.starts_with('/'))
}

async fn products(
    visitor: &Visitor,
    category: &str,
    cursor: Option<&str>,
    limit: usize,
) -> Result<Value, Refusal> {
    let mut path = format!("/products?limit={limit}&category={}", encoded(category));
    if let Some(cursor) = cursor {
        path.push_str(&format!("&cursor={}", encoded(cursor)));
    }
    Ok(visitor.ask().get(&path).await?.body)
}

/// Text as part of a query or of a path.
pub fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
