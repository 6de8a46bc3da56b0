//! Reading. What everybody may see is sent as it is kept in memory; what only staff may see never
//! is kept.

use std::sync::Arc;

use axum::extract::State as Service;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use contracts::ProductId;
use platform::http::extract::{Json, Path, Query};
use platform::http::{CursorText, Cursors, ETag, Limit, List, Principal, Problem, Role, auth};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::view::{CategoriesView, CategoryView, ProductCard, ProductView, StateView};
use crate::cache::{Document, Key};
use crate::domain::State;
use crate::store::{self, Stored};
use crate::{Catalogue, Error};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListProducts {
    /// Only those in this category or below.
    #[param(example = "gifts/candles-lighting")]
    category: Option<String>,
    /// Only those whose names hold each of the first three words of this; not together with `category`.
    #[param(example = "tea light", max_length = 200)]
    name: Option<String>,
    /// For staff: those in this state; on sale unless said otherwise.
    #[param(inline)]
    state: Option<StateView>,
    /// How many.
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(inline)]
    cursor: Option<CursorText>,
}

/// Products, the first to be made first.
#[utoipa::path(get, path = "/products", tag = "catalogue", params(ListProducts), security((), ("staff" = [])),
    responses((status = 200, body = List<ProductCard>, headers(("ETag" = String))), (status = 304),
              (status = 401, body = Problem), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub async fn list(
    Service(catalogue): Service<Arc<Catalogue>>,
    principal: Principal,
    cursors: Cursors,
    headers: HeaderMap,
    Query(query): Query<ListProducts>,
) -> Result<Response, Error> {
    let state = query.state.unwrap_or(StateView::Published);
    let category = query.category.as_deref().unwrap_or_default();
    let words = words(&query)?;
    let scope = format!("products:{state:?}:{category}:{}", words.join(" "));
    let after: Option<ProductId> = cursors.open(&scope, query.cursor.as_ref())?;
    let after = after.unwrap_or(ProductId::from_uuid(uuid::Uuid::nil()));
    let page = store::Page {
        state: State::from(state),
        category: query.category.clone(),
        words,
        after,
        limit: query.limit.and_one(),
    };
    let show = |rows| {
        let page = List::of(rows, query.limit, |last: &Stored| cursors.seal(&scope, &last.id));
        page.map(ProductCard::from)
    };
    if state != StateView::Published {
        only_staff(&principal)?;
        return Ok(Json(show(catalogue.db.read(page).await?)).into_response());
    }
    // A name of the tree is short; a longer one names nothing, and is not kept.
    if category.len() > 200 {
        return Ok(Json(show(Vec::new())).into_response());
    }
    if query.name.is_some() {
        return Ok(Json(show(catalogue.db.read(page).await?)).into_response());
    }
    let key = Key::Products(format!("{scope}:{after}:{}", query.limit.get()));
    let before = match catalogue.documents.get(&key).await {
        Ok(document) => return Ok(answer(&document, &headers)),
        Err(before) => before,
    };
    let body = written(&show(catalogue.db.read(page).await?))?;
    let document = Document { tag: ETag::of_text(&body), body: body.into() };
    catalogue.documents.keep(&key, before, &document);
    Ok(answer(&document, &headers))
}

/// What a search by name looks for.
fn words(query: &ListProducts) -> Result<Vec<String>, Error> {
    let Some(name) = &query.name else { return Ok(Vec::new()) };
    if query.category.is_some() {
        let detail = "cannot be asked for together with category";
        return Err(Problem::validation("/name", detail).into());
    }
    if name.len() > 200 {
        return Err(Problem::validation("/name", "must have at most 200 bytes").into());
    }
    let words: Vec<String> =
        name.split_whitespace().take(store::WORDS).map(str::to_owned).collect();
    if words.is_empty() {
        return Err(Problem::validation("/name", "must have a word").into());
    }
    Ok(words)
}

/// One product, by its id or its handle.
///
/// Staff see it in any state; everybody else only while it is on sale.
#[utoipa::path(get, path = "/products/{id}", tag = "catalogue", security((), ("staff" = [])),
    params(("id" = String, Path, description = "The product's id or handle.", min_length = 1, max_length = 100)),
    responses((status = 200, body = ProductView, headers(("ETag" = String))), (status = 304),
              (status = 401, body = Problem), (status = 404, body = Problem)))]
pub async fn one(
    Service(catalogue): Service<Arc<Catalogue>>,
    principal: Principal,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    if principal.staff(&[Role::Catalogue]).is_some() {
        let stored = find(&catalogue, name).await?;
        return Ok(Json(ProductView::from(stored)).into_response());
    }
    let key = Key::Product(name.clone());
    let before = match catalogue.documents.get(&key).await {
        Ok(document) => return Ok(answer(&document, &headers)),
        Err(before) => before,
    };
    let stored = find(&catalogue, name).await?;
    if stored.state != State::Published {
        return Err(Error::NotFound);
    }
    let tag = ETag::of_version(&stored.id.to_string(), stored.version);
    let document = Document { tag, body: written(&ProductView::from(stored))?.into() };
    catalogue.documents.keep(&key, before, &document);
    Ok(answer(&document, &headers))
}

/// The category tree.
#[utoipa::path(get, path = "/categories", tag = "catalogue",
    responses((status = 200, body = CategoriesView, headers(("ETag" = String))), (status = 304)))]
pub async fn categories(
    Service(catalogue): Service<Arc<Catalogue>>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let before = match catalogue.documents.get(&Key::Categories).await {
        Ok(document) => return Ok(answer(&document, &headers)),
        Err(before) => before,
    };
    let rows = catalogue.db.read(store::Categories).await?;
    let items = rows.into_iter().map(CategoryView::from).collect();
    let body = written(&CategoriesView { items })?;
    let document = Document { tag: ETag::of_text(&body), body: body.into() };
    catalogue.documents.keep(&Key::Categories, before, &document);
    Ok(answer(&document, &headers))
}

async fn find(catalogue: &Catalogue, name: String) -> Result<Stored, Error> {
    let found = match name.parse::<ProductId>() {
        Ok(id) => catalogue.db.read(store::ById(id)).await?,
        Err(_) if name.len() <= 100 => catalogue.db.read(store::ByHandle(name)).await?,
        Err(_) => None,
    };
    found.ok_or(Error::NotFound)
}

fn only_staff(principal: &Principal) -> Result<(), Problem> {
    const ROLES: &[Role] = &[Role::Catalogue];
    match principal {
        Principal::Anonymous => Err(auth::unauthenticated()),
        Principal::Guest { .. } => Err(auth::forbidden(ROLES)),
        Principal::Staff { .. } => {
            principal.staff(ROLES).map(drop).ok_or_else(|| auth::forbidden(ROLES))
        }
    }
}

fn written(view: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(view).map_err(|error| Problem::internal(&error))
}

fn answer(document: &Document, headers: &HeaderMap) -> Response {
    const SHARED: (HeaderName, HeaderValue) = (
        header::CACHE_CONTROL,
        // Anybody may keep it, and asks with its tag whether it still holds.
        HeaderValue::from_static("public, max-age=0, must-revalidate"),
    );
    // Staff are answered differently under the same address.
    const VARY: (HeaderName, HeaderValue) =
        (header::VARY, HeaderValue::from_static("authorization"));
    if document.tag.matches(headers) {
        return ([SHARED, VARY], document.tag.not_modified()).into_response();
    }
    const KIND: (HeaderName, HeaderValue) =
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    ([KIND, SHARED, VARY], document.tag.header(), document.body.clone()).into_response()
}
