//! Serving what pages load.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header;
use platform::http::Problem;
use theme::Assets;

/// At its own address an asset never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// At the address of another version it may be another the next time.
const NOT_KEPT: &str = "no-cache";

/// The routes of these assets, below `base`.
pub fn assets(base: &str, assets: Arc<Assets>) -> Router {
    let serve = async move |Path((hash, name)): Path<(String, String)>| -> Response {
        let Some((asset, is_this)) = assets.get(&hash, &name) else {
            return Problem::not_found().into_response();
        };
        let caching = if is_this { FOR_EVER } else { NOT_KEPT };
        let headers = [
            (header::CONTENT_TYPE, asset.media_type),
            (header::CACHE_CONTROL, caching),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        (headers, asset.content.clone()).into_response()
    };
    Router::new().route(&format!("{base}/{{hash}}/{{*name}}"), get(serve))
}
