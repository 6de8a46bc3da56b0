//! HTTP in, HTTP out: the shop's shelves for everybody, and the staff's hand on them.

mod history;
mod read;
mod staff;
mod view;

use std::sync::Arc;
use std::time::Duration;

use platform::http::Allowance;
use platform::http::openapi::allowing;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Catalogue;

/// An import may be this large, counted after decompression.
const IMPORT: Allowance =
    Allowance { body_bytes: 64 * 1024 * 1024, deadline: Duration::from_secs(300) };

/// The routes, below `/api/v1`.
pub fn routes(service: Arc<Catalogue>) -> OpenApiRouter {
    let import = allowing(OpenApiRouter::new().routes(routes!(staff::import)), IMPORT);
    OpenApiRouter::new()
        .routes(routes!(read::list, staff::create))
        .routes(routes!(read::one, staff::replace))
        .routes(routes!(read::categories, staff::name_category))
        .routes(routes!(staff::publish))
        .routes(routes!(staff::withdraw))
        .routes(routes!(history::of_product))
        .routes(routes!(history::of_category))
        .merge(import)
        .with_state(service)
}
