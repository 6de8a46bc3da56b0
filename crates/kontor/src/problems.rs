//! The pages that the `type` of every problem names: what happened, and what can be done.
//!
//! They are the files of `docs/problems/`, built in.

use axum::Router;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use include_dir::{Dir, include_dir};
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value as Shown};
use platform::http::Problem;
use serde::Serialize;

use crate::api_page::prose;

static PAGES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../docs/problems");
const TEMPLATE: &str = include_str!("../templates/problem.html");

#[derive(Serialize)]
struct Page<'a> {
    code: &'a str,
    codes: Vec<&'a str>,
    blocks: Vec<Block>,
}

#[derive(Serialize)]
struct Block {
    level: usize,
    text: String,
}

/// `/problems` and `/problems/{code}`.
pub fn routes() -> Router {
    Router::new().route("/problems", get(async || index().into_response())).route(
        "/problems/{code}",
        get(async |Path(code): Path<String>| page(&code).into_response()),
    )
}

/// All of them, by their codes.
fn index() -> Result<Response, Problem> {
    let codes: Vec<&str> = PAGES
        .files()
        .filter_map(|file| file.path().file_stem()?.to_str())
        .filter(|code| *code != "README")
        .collect();
    rendered(&Page { code: "Problems", codes, blocks: Vec::new() })
}

fn page(code: &str) -> Result<Response, Problem> {
    let file = PAGES.get_file(format!("{code}.md")).ok_or_else(Problem::not_found)?;
    let blocks = blocks(file.contents_utf8().unwrap_or_default());
    rendered(&Page { code, codes: Vec::new(), blocks })
}

fn rendered(page: &Page<'_>) -> Result<Response, Problem> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_filter("prose", |text: &str| Shown::from_safe_string(prose(text)));
    let html =
        environment.render_str(TEMPLATE, Serde(page)).map_err(|error| Problem::internal(&error))?;
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (header::CONTENT_SECURITY_POLICY, crate::site::PAGE_POLICY),
    ];
    Ok((headers, html).into_response())
}

/// Headings and paragraphs: all that these pages have.
fn blocks(markdown: &str) -> Vec<Block> {
    markdown
        .split("\n\n")
        .map(str::trim)
        .filter(|block| !block.is_empty())
        .map(|block| {
            let level = block.chars().take_while(|c| *c == '#').count();
            Block { level, text: block.trim_start_matches('#').trim().to_owned() }
        })
        .collect()
}
