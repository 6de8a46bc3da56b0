//! HTTP in, HTTP out: payments for their guests and for staff, providers' webhooks, invoices,
//! credit notes and the books.

mod access;
mod commands;
mod documents;
mod fields;
mod ledger;
mod payments;
mod views;
mod webhooks;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::PaymentService;

/// The routes, below `/api/v1`.
pub fn routes(service: Arc<PaymentService>) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(payments::list))
        .routes(routes!(payments::read))
        .routes(routes!(payments::come_back))
        .routes(routes!(commands::choose_method))
        .routes(routes!(commands::collect))
        .routes(routes!(commands::pay_out))
        .routes(routes!(commands::retry))
        .routes(routes!(commands::settle))
        .routes(routes!(webhooks::take))
        .routes(routes!(webhooks::quarantine))
        .routes(routes!(documents::list_invoices))
        .routes(routes!(documents::read_invoice))
        .routes(routes!(documents::show_invoice))
        .routes(routes!(documents::list_credit_notes))
        .routes(routes!(documents::read_credit_note))
        .routes(routes!(documents::show_credit_note))
        .routes(routes!(ledger::list))
        .routes(routes!(ledger::balance))
        .with_state(service)
}
