//! Terms, withdrawal, privacy and imprint: texts of the theme, with their version.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use minijinja::context;
use pages::Refusal;

use crate::Storefront;
use crate::visitor::Visitor;

/// The texts there are, each a template of its own.
const TEXTS: [(&str, &str); 4] = [
    ("terms", "legal/terms.html"),
    ("withdrawal", "legal/withdrawal.html"),
    ("privacy", "legal/privacy.html"),
    ("imprint", "legal/imprint.html"),
];

/// One of them.
pub async fn show(
    State(_): State<Arc<Storefront>>,
    visitor: Visitor,
    Path(text): Path<String>,
) -> Response {
    match TEXTS.iter().find(|(name, _)| *name == text) {
        Some((_, template)) => visitor.show(template, context! {}),
        None => visitor.refused(&Refusal::not_found()),
    }
}
