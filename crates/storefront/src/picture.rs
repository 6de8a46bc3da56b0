//! A picture for a product that has none of its own: drawn from its SKU, so that it is always the same,
//! and by its category, so that what belongs together looks so.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::header;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::Storefront;

/// What the picture is of.
#[derive(Debug, Default, Deserialize)]
pub struct Subject {
    /// The path of its category.
    #[serde(default)]
    category: String,
}

/// The colours of one picture: paper, body and two accents.
struct Palette {
    paper: &'static str,
    body: &'static str,
    accent: &'static str,
    line: &'static str,
}

const PALETTES: [Palette; 6] = [
    Palette { paper: "#efe7da", body: "#1f3a4d", accent: "#b5533c", line: "#8a7f70" },
    Palette { paper: "#e3e9e4", body: "#2f5d50", accent: "#c9973f", line: "#7c8a82" },
    Palette { paper: "#ece4e6", body: "#6b2f45", accent: "#4e7a6f", line: "#8f7d83" },
    Palette { paper: "#e4e8ee", body: "#2b4570", accent: "#c5705d", line: "#7d8797" },
    Palette { paper: "#f0ead8", body: "#6d5a2b", accent: "#3d6b7d", line: "#918764" },
    Palette { paper: "#e6e6df", body: "#3b3b3a", accent: "#a8632d", line: "#85857c" },
];

/// The picture of a unit.
pub async fn show(
    State(_): State<Arc<Storefront>>,
    Path(sku): Path<String>,
    Query(subject): Query<Subject>,
) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CACHE_CONTROL, "public, max-age=86400"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"),
    ];
    (headers, drawn(&sku, &subject.category)).into_response()
}

/// The drawing: a shape by category on paper, its proportions and colours by SKU.
fn drawn(sku: &str, category: &str) -> String {
    let digest = Sha256::digest(sku.as_bytes());
    let number = |index: usize, below: u32| u32::from(digest[index]) % below;
    let palette = &PALETTES[number(0, 6) as usize];
    let kind = category.split('/').next().unwrap_or_default();
    let shape = match kind {
        "books" => book(&number, palette),
        "groceries" => jar(&number, palette),
        "outdoor" => peak(&number, palette),
        _ => parcel(&number, palette),
    };
    let Palette { paper, .. } = palette;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 400 400\" role=\"img\">\
         <rect width=\"400\" height=\"400\" fill=\"{paper}\"/>\
         <ellipse cx=\"200\" cy=\"322\" rx=\"112\" ry=\"12\" fill=\"#000\" opacity=\".09\"/>{shape}</svg>"
    )
}

type Number<'a> = &'a dyn Fn(usize, u32) -> u32;

fn book(number: Number<'_>, palette: &Palette) -> String {
    let Palette { body, accent, paper, .. } = palette;
    let (width, height) = (130 + number(1, 50), 190 + number(2, 50));
    let (x, y) = (200 - width / 2, 320 - height);
    let rule = y + 30 + number(3, 30);
    let (inner, left) = (width - 44, x + 28);
    let band = y + height - 50 - number(4, 30);
    format!(
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"4\" fill=\"{body}\"/>\
         <rect x=\"{x}\" y=\"{y}\" width=\"14\" height=\"{height}\" rx=\"4\" fill=\"#000\" opacity=\".22\"/>\
         <rect x=\"{left}\" y=\"{rule}\" width=\"{inner}\" height=\"5\" fill=\"{paper}\" opacity=\".85\"/>\
         <rect x=\"{left}\" y=\"{second}\" width=\"{half}\" height=\"5\" fill=\"{paper}\" opacity=\".6\"/>\
         <rect x=\"{left}\" y=\"{band}\" width=\"{inner}\" height=\"20\" fill=\"{accent}\"/>",
        second = rule + 16,
        half = inner * 2 / 3,
    )
}

fn jar(number: Number<'_>, palette: &Palette) -> String {
    let Palette { body, accent, paper, .. } = palette;
    let (width, height) = (120 + number(1, 60), 150 + number(2, 60));
    let (x, y) = (200 - width / 2, 320 - height);
    let label = y + height / 3;
    format!(
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"{round}\" fill=\"{body}\"/>\
         <rect x=\"{lid_x}\" y=\"{lid_y}\" width=\"{lid}\" height=\"30\" rx=\"6\" fill=\"{accent}\"/>\
         <rect x=\"{x}\" y=\"{label}\" width=\"{width}\" height=\"{third}\" fill=\"{paper}\" opacity=\".9\"/>\
         <circle cx=\"200\" cy=\"{middle}\" r=\"{dot}\" fill=\"{accent}\"/>",
        round = 14 + number(3, 20),
        lid_x = x + 12,
        lid_y = y - 24,
        lid = width - 24,
        third = height / 3,
        middle = label + height / 6,
        dot = 10 + number(4, 12),
    )
}

fn peak(number: Number<'_>, palette: &Palette) -> String {
    let Palette { body, accent, line, .. } = palette;
    let (top, side) = (110 + number(1, 50), 250 + number(2, 50));
    format!(
        "<circle cx=\"{sun_x}\" cy=\"118\" r=\"30\" fill=\"{accent}\"/>\
         <path d=\"M60 320 L{side} 190 L340 320 Z\" fill=\"{line}\" opacity=\".7\"/>\
         <path d=\"M70 320 L{peak} {top} L310 320 Z\" fill=\"{body}\"/>",
        sun_x = 110 + number(3, 180),
        peak = 150 + number(4, 70),
    )
}

fn parcel(number: Number<'_>, palette: &Palette) -> String {
    let Palette { body, accent, line, .. } = palette;
    let (width, height) = (150 + number(1, 60), 120 + number(2, 60));
    let (x, y) = (200 - width / 2, 320 - height);
    let ribbon = 190 + number(3, 20);
    format!(
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"{body}\"/>\
         <rect x=\"{lid}\" y=\"{above}\" width=\"{wide}\" height=\"30\" rx=\"6\" fill=\"{line}\"/>\
         <rect x=\"{ribbon}\" y=\"{above}\" width=\"20\" height=\"{tall}\" fill=\"{accent}\"/>\
         <path d=\"M{centre} {above} q-46 -46 -10 -52 q22 0 10 52 q-4 -52 18 -52 q34 8 -18 52\" fill=\"none\" \
         stroke=\"{accent}\" stroke-width=\"9\"/>",
        lid = x - 8,
        above = y - 16,
        wide = width + 16,
        tall = height + 16,
        centre = ribbon + 10,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_always_looks_the_same_and_others_look_different() {
        for category in ["books/1950s", "groceries", "outdoor", "gifts", ""] {
            assert_eq!(drawn("A-1", category), drawn("A-1", category));
            assert_ne!(drawn("A-1", category), drawn("A-2", category));
        }
        assert!(!drawn("\"><script>", "<b>").contains("script"));
    }
}
