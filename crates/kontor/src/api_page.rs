//! The browsable page of the API, drawn from the OpenAPI document: no JavaScript, one page.

mod schema;

use std::collections::{BTreeMap, BTreeSet};

use minijinja::value::Serde;
use minijinja::{Environment, Value as Shown};
use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::OpenApi;

pub(crate) use schema::prose;
use schema::{Field, Type, entries, example, fields, linked, type_name, types};

const TEMPLATE: &str = include_str!("../templates/api.html");
/// The style sheet of the page, and of the pages about problems.
pub const STYLE: &str = include_str!("../templates/api.css");

#[derive(Serialize)]
struct Page {
    api: Value,
    tags: Vec<(String, Vec<Operation>)>,
    types: Vec<Type>,
}

#[derive(Serialize)]
struct Operation {
    method: String,
    path: String,
    summary: String,
    description: String,
    security: Vec<String>,
    parameters: Vec<Field>,
    body: Option<Body>,
    responses: Vec<Answer>,
    curl: String,
}

#[derive(Serialize)]
struct Body {
    name: String,
    fields: Vec<Field>,
}

#[derive(Serialize)]
struct Answer {
    status: String,
    description: String,
    schema: String,
}

/// The page, as HTML.
///
/// # Errors
/// When the template does not render: a bug.
pub fn render(api: &OpenApi, base: &str) -> Result<String, minijinja::Error> {
    let api = serde_json::to_value(api).unwrap_or_default();
    let mut tags: BTreeMap<String, Vec<Operation>> = BTreeMap::new();
    for (path, item) in entries(&api["paths"]) {
        for (method, operation) in entries(item) {
            if !operation["responses"].is_object() {
                continue;
            }
            let tag = operation["tags"][0].as_str().unwrap_or("other").to_owned();
            tags.entry(tag).or_default().push(operation_of(&api, path, method, operation, base));
        }
    }
    let tags: Vec<(String, Vec<Operation>)> = tags.into_iter().collect();
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::Html);
    let types = types(&api);
    let names: BTreeSet<String> = types.iter().map(|one| one.name.clone()).collect();
    environment
        .add_filter("linked", move |text: &str| Shown::from_safe_string(linked(text, &names)));
    environment.add_filter("prose", |text: &str| Shown::from_safe_string(prose(text)));
    environment.render_named_str("api.html", TEMPLATE, Serde(Page { api, tags, types }))
}

fn operation_of(api: &Value, path: &str, method: &str, raw: &Value, base: &str) -> Operation {
    let parameters: Vec<Field> = raw["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|parameter| Field {
            name: text(&parameter["name"]),
            r#in: text(&parameter["in"]),
            required: parameter["required"] == true,
            r#type: type_name(&parameter["schema"]),
            description: text(&parameter["description"]),
        })
        .collect();
    let schema = &raw["requestBody"]["content"]["application/json"]["schema"];
    let body =
        schema.is_object().then(|| Body { name: type_name(schema), fields: fields(api, schema) });
    let sent = body.as_ref().map(|_| example(api, schema));
    let security: Vec<String> = raw["security"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|one| entries(one).map(|(name, _)| name.to_owned()).collect::<Vec<_>>())
        .collect();
    let responses = entries(&raw["responses"])
        .map(|(status, answer)| Answer {
            status: status.to_owned(),
            description: text(&answer["description"]),
            schema: entries(&answer["content"])
                .next()
                .map_or_else(String::new, |(_, content)| type_name(&content["schema"])),
        })
        .collect();
    Operation {
        curl: curl(path, method, sent.as_ref(), &security, &parameters, base),
        method: method.to_owned(),
        path: path.to_owned(),
        summary: text(&raw["summary"]),
        description: text(&raw["description"]),
        security,
        parameters,
        body,
        responses,
    }
}

fn curl(
    path: &str,
    method: &str,
    body: Option<&Value>,
    security: &[String],
    parameters: &[Field],
    base: &str,
) -> String {
    let mut line = format!("curl -X {} '{base}{path}'", method.to_uppercase());
    if !security.is_empty() {
        line.push_str(" -H \"Authorization: Bearer $TOKEN\"");
    }
    if parameters.iter().any(|parameter| parameter.name.eq_ignore_ascii_case("idempotency-key")) {
        line.push_str(" -H \"Idempotency-Key: $(od -An -N16 -tx1 /dev/urandom | tr -d ' \\n')\"");
    }
    if let Some(body) = body {
        let body = serde_json::to_string_pretty(body).unwrap_or_default();
        line.push_str(&format!(" -H 'Content-Type: application/json' -d '{body}'"));
    }
    line
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop::Shop;
    use crate::site;

    #[tokio::test]
    async fn every_link_on_the_page_leads_somewhere_on_it_and_nothing_needs_a_script() {
        let shop = Shop::in_memory().await.unwrap();
        let (_, api) = site::describe(shop.routes());
        let page = render(&api, "http://shop.example").unwrap();
        let links: Vec<&str> = page
            .split("href=\"#")
            .skip(1)
            .filter_map(|rest| rest.split_once('"').map(|(link, _)| link))
            .collect();
        assert!(links.contains(&"type-OrderView"), "{links:?}");
        for link in links {
            assert!(page.contains(&format!("id=\"{link}\"")), "{link} leads nowhere");
        }
        for lively in ["<script", " onclick", " style="] {
            assert!(!page.contains(lively), "{lively}");
        }
        assert!(page.contains("-d &#x27;{"), "an operation with a body has an example of it");
    }
}
