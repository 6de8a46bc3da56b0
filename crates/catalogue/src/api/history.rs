//! Who changed what, and when, for staff of the catalogue.

use std::sync::Arc;

use axum::extract::State as Service;
use contracts::{Actor, ProductId, Timestamp};
use platform::http::extract::{Json, Path, Query};
use platform::http::{CursorText, Cursors, Limit, List, Problem, Role, Staff};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::domain::CategoryPath;
use crate::store::{self, history};
use crate::{Catalogue, Error};

/// A change of a product, or of the name of a category.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangeView {
    /// Which version of the product it made.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<i64>,
    /// What was done: `drafted`, `revised`, `published`, `withdrawn`, several of these, or `named` and
    /// the name.
    what: String,
    /// By whom: a member of staff, or `service:catalogue` for an import from the command line.
    actor: Actor,
    /// When.
    at: Timestamp,
}

impl From<history::Change> for ChangeView {
    fn from(change: history::Change) -> Self {
        let history::Change { version, what, actor, at, id: _ } = change;
        Self { version, what, actor, at }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Paged {
    /// How many.
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(inline)]
    cursor: Option<CursorText>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OfCategory {
    /// Of which category, by its path.
    #[param(value_type = String, example = "gifts/candles")]
    category: CategoryPath,
    /// How many.
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(inline)]
    cursor: Option<CursorText>,
}

/// Who changed a product, and when: the newest change first.
#[utoipa::path(get, path = "/products/{id}/history", tag = "catalogue", params(("id" = ProductId, Path), Paged),
    security(("staff" = [])),
    responses((status = 200, body = List<ChangeView>), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn of_product(
    Service(catalogue): Service<Arc<Catalogue>>,
    staff: Staff,
    Path(id): Path<ProductId>,
    cursors: Cursors,
    Query(query): Query<Paged>,
) -> Result<Json<List<ChangeView>>, Error> {
    staff.require(&[Role::Catalogue])?;
    catalogue.db.read(store::ById(id)).await?.ok_or(Error::NotFound)?;
    page(&catalogue, &cursors, id.to_string(), query).await
}

/// Who named a category, and when: the newest name first.
#[utoipa::path(get, path = "/categories/history", tag = "catalogue", params(OfCategory), security(("staff" = [])),
    responses((status = 200, body = List<ChangeView>), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 422, body = Problem)))]
pub async fn of_category(
    Service(catalogue): Service<Arc<Catalogue>>,
    staff: Staff,
    cursors: Cursors,
    Query(query): Query<OfCategory>,
) -> Result<Json<List<ChangeView>>, Error> {
    staff.require(&[Role::Catalogue])?;
    let OfCategory { category, limit, cursor } = query;
    page(&catalogue, &cursors, category.as_str().to_owned(), Paged { limit, cursor }).await
}

async fn page(
    catalogue: &Catalogue,
    cursors: &Cursors,
    subject: String,
    query: Paged,
) -> Result<Json<List<ChangeView>>, Error> {
    let scope = format!("history:{subject}");
    let before = cursors.open(&scope, query.cursor.as_ref())?;
    let page = history::History { subject, before, limit: query.limit.and_one() };
    let rows = catalogue.db.read(page).await?;
    let page = List::of(rows, query.limit, |last: &history::Change| cursors.seal(&scope, &last.id));
    Ok(Json(page.map(ChangeView::from)))
}
