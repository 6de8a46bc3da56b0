//! The HTTP base: what every route of every service has in common.
//!
//! A service writes handlers over the extractors of [`extract`] and refusals as [`Problem`]s;
//! [`app`] puts the edge around all routes, and [`serve`] the limits around connections. What the
//! routes do is the services' business; idempotency records are the kernel's.
//!
//! **Invariant.** Nothing here touches a database, and no answer tells the cause of a fault.

pub mod auth;
pub mod body;
pub mod client;
mod connection;
mod context;
mod edge;
mod etag;
pub mod extract;
mod fit;
mod idempotency;
mod internal;
mod limits;
mod list;
pub mod openapi;
mod origin;
pub mod problem;
mod problem_pages;
mod server;
mod stats;
mod strict_json;
mod writes;

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, header};

pub use auth::{Principal, Role, Staff, StaffEntry, TokenHash};
pub use context::{HttpContext, HttpSettings, RequestContext};
pub use etag::ETag;
pub use idempotency::IdempotencyKey;
pub use internal::{Part, Readiness, internal};
pub use limits::{Allow, Allowance, Allowed, Limits, allow};
pub use list::{CursorText, Cursors, Limit, List};
pub use origin::{Network, NoNetwork};
pub use problem::{FieldFault, Problem};
pub use problem_pages::{PAGES, ProblemPage};
pub use server::{Drained, serve};
pub use writes::WriteLimit;

/// The routes with everything around them: answers for what is not there, and the edge.
pub fn app(router: Router, context: Arc<HttpContext>) -> Router {
    router
        .fallback(no_such_route)
        .method_not_allowed_fallback(async || method_not_allowed())
        .layer(edge::EdgeLayer(context))
}

async fn no_such_route(method: Method) -> Response {
    if method == Method::TRACE {
        let allow = HeaderValue::from_static("GET,HEAD,POST,PUT,PATCH,DELETE");
        return method_not_allowed().header(header::ALLOW, allow).into_response();
    }
    Problem::not_found().into_response()
}

fn method_not_allowed() -> Problem {
    let detail = "This path does not take that method. The Allow header names those it takes.";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
}
