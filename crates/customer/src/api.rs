//! HTTP in, HTTP out. All of it is for staff: who a person is, is nobody else's business.

use std::sync::Arc;

use axum::extract::State;
use contracts::CustomerId;
use platform::http::extract::{Json, Path, Query};
use platform::http::{CursorText, Cursors, Limit, List, Problem, Role, Staff};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::domain::{Contact, email_key};
use crate::store::{self, Known};
use crate::{Customers, Error};

/// The routes, below `/api/v1`.
pub fn routes(service: Arc<Customers>) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read)).with_state(service)
}

const LIST: &str = "customers";

/// A person who bought.
#[derive(Debug, Serialize, ToSchema)]
pub struct CustomerView {
    /// Their id.
    id: CustomerId,
    /// The version of what is known of them.
    version: i64,
    /// Whether they buy without an account.
    guest: bool,
    /// What is known of them.
    contact: Contact,
}

impl From<Known> for CustomerView {
    fn from(known: Known) -> Self {
        Self { id: known.id, version: known.version, guest: true, contact: known.contact }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListCustomers {
    /// Only the one with this e-mail address, however it is spelt.
    email: Option<String>,
    /// How many.
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(inline)]
    cursor: Option<CursorText>,
}

/// Who bought, the last to become known first.
#[utoipa::path(get, path = "/customers", tag = "customers", params(ListCustomers), security(("staff" = [])),
    responses((status = 200, body = List<CustomerView>), (status = 401, body = Problem),
              (status = 403, body = Problem), (status = 422, body = Problem)))]
async fn list(
    State(service): State<Arc<Customers>>,
    staff: Staff,
    cursors: Cursors,
    Query(query): Query<ListCustomers>,
) -> Result<Json<List<CustomerView>>, Error> {
    staff.require(&[Role::Support])?;
    let before = cursors.open(LIST, query.cursor.as_ref())?;
    let rows = match query.email {
        Some(email) => {
            // One at most, so a second page of it is empty.
            let found = service.db.read(store::ByKey(email_key(&email))).await?;
            found
                .filter(|known| before.is_none_or(|before| known.id < before))
                .into_iter()
                .collect()
        }
        None => service.db.read(store::Page { before, limit: query.limit.and_one() }).await?,
    };
    let page = List::of(rows, query.limit, |last| cursors.seal(LIST, &last.id));
    Ok(Json(page.map(CustomerView::from)))
}

/// One person.
#[utoipa::path(get, path = "/customers/{id}", tag = "customers", params(("id" = CustomerId, Path)), security(("staff" = [])),
    responses((status = 200, body = CustomerView), (status = 401, body = Problem),
              (status = 403, body = Problem), (status = 404, body = Problem)))]
async fn read(
    State(service): State<Arc<Customers>>,
    staff: Staff,
    Path(id): Path<CustomerId>,
) -> Result<Json<CustomerView>, Error> {
    staff.require(&[Role::Support])?;
    let known = service.db.read(store::ById(id)).await?.ok_or(Error::NotFound)?;
    Ok(Json(known.into()))
}
