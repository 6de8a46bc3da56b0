//! HTTP in, HTTP out: stock for everybody to see and for the warehouse's staff to change, parcels
//! for staff.

mod fields;
mod parcels;
mod stock;
mod views;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Warehouse;

/// The routes, below `/api/v1`.
pub fn routes(service: Arc<Warehouse>) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(stock::list))
        .routes(routes!(stock::read))
        .routes(routes!(stock::receive))
        .routes(routes!(stock::receive_many))
        .routes(routes!(stock::adjust))
        .routes(routes!(stock::limit_backorder))
        .routes(routes!(stock::movements))
        .routes(routes!(parcels::list))
        .routes(routes!(parcels::read))
        .routes(routes!(parcels::pack))
        .routes(routes!(parcels::split))
        .routes(routes!(parcels::dispatch))
        .routes(routes!(parcels::deliver))
        .with_state(service)
}
