//! The service's HTTP side: what comes in, and what is shown.
//!
//! A cart and the order made from it are opened by the cart's token, or by staff. Whatever is
//! not there and whatever is somebody else's get the same answer.

mod carts;
mod delivery;
mod orders;
mod staff;
mod timeline;
mod views;

use std::sync::Arc;

use contracts::OrderId;
use platform::http::{Principal, Role};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Orders;
use crate::error::Error;
use crate::orders::{Access, LookAtOrder};
use crate::store::orders::ShownOrder;

/// All routes, below `/api/v1`.
pub fn routes(service: Arc<Orders>) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(delivery::read))
        .routes(routes!(carts::open))
        .routes(routes!(carts::look, carts::change))
        .routes(routes!(carts::set_line, carts::remove_line))
        .routes(routes!(orders::place))
        .routes(routes!(staff::list))
        .routes(routes!(orders::look))
        .routes(routes!(orders::cancel))
        .routes(routes!(staff::hold))
        .routes(routes!(staff::resume))
        .routes(routes!(staff::refund))
        .routes(routes!(timeline::read))
        .routes(routes!(timeline::follow))
        .with_state(service)
}

/// Who on the staff may look at orders.
const READERS: &[Role] = &[Role::Support, Role::Warehouse];
/// Who on the staff may change them.
const CLERKS: &[Role] = &[Role::Support];

/// By what right the caller reaches for an order.
fn access(principal: &Principal, staff: &[Role]) -> Result<Access, Error> {
    match principal {
        Principal::Anonymous => Err(Error::NotFound),
        Principal::Guest { token_hash } => Ok(Access::Token(token_hash.clone())),
        Principal::Staff { .. } => match principal.staff(staff) {
            Some(_) => Ok(Access::Staff),
            None => Err(Error::Forbidden),
        },
    }
}

/// The order, if the caller may see it.
async fn find(service: &Orders, id: OrderId, access: &Access) -> Result<ShownOrder, Error> {
    let look = LookAtOrder { id, access: access.clone() };
    service.db.read(look).await?.ok_or(Error::NotFound)
}
