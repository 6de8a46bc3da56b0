//! What went wrong, as a page for who asked for one. Wherever an answer is a problem, be it of the API, of a
//! path that is not there or of a shop with too much to do, a browser gets the page that says what can be done.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, Limited};
use pages::Refusal;
use serde_json::Value;

use crate::Storefront;
use crate::visitor::Visitor;

/// What programs ask for is answered to programs.
const API: &str = "/api/";
/// The largest problem that is read, in bytes.
const LARGEST: usize = 64 << 10;

/// These routes, whose problems are pages for browsers.
pub fn problem_pages(storefront: Arc<Storefront>, routes: Router) -> Router {
    routes.layer(from_fn_with_state(storefront, show))
}

async fn show(State(shop): State<Arc<Storefront>>, request: Request, next: Next) -> Response {
    if request.uri().path().starts_with(API) || !wants_a_page(request.headers()) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let Ok(visitor) = Visitor::from_request_parts(&mut parts, &shop).await;
    let answer = next.run(Request::from_parts(parts, body)).await;
    if !is_problem(answer.headers()) {
        return answer;
    }
    let (head, body) = answer.into_parts();
    let read = Limited::new(body, LARGEST).collect().await;
    let problem: Option<Value> =
        read.ok().and_then(|read| serde_json::from_slice(&read.to_bytes()).ok());
    let refusal = Refusal::of(head.status, problem.unwrap_or_default());
    let mut page = visitor.refused(&refusal);
    for (name, value) in &head.headers {
        if !page.headers().contains_key(name) && name != header::CONTENT_LENGTH {
            page.headers_mut().append(name, value.clone());
        }
    }
    page
}

fn wants_a_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

fn is_problem(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/problem+json")
}
