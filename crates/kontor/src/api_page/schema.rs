//! What the page shows of a schema: its name, its fields, and an example of it.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value, json};

/// A parameter, or a field of a type.
#[derive(Serialize)]
pub struct Field {
    pub name: String,
    /// Where a parameter stands; empty for a field.
    pub r#in: String,
    pub required: bool,
    pub r#type: String,
    pub description: String,
}

/// A named schema.
#[derive(Serialize)]
pub struct Type {
    pub name: String,
    pub description: String,
    pub fields: Vec<Field>,
    /// What it is made of, where it has no fields.
    pub is: String,
}

/// All named schemas, by name.
pub fn types(api: &Value) -> Vec<Type> {
    entries(&api["components"]["schemas"])
        .map(|(name, schema)| {
            let fields = fields(api, schema);
            let is = if fields.is_empty() { type_name(schema) } else { String::new() };
            Type { name: name.to_owned(), description: description(schema), fields, is }
        })
        .collect()
}

/// The fields of a schema, and of those it is put together from.
pub fn fields(api: &Value, schema: &Value) -> Vec<Field> {
    let schema = resolve(api, schema);
    let parts = schema["allOf"].as_array().into_iter().flatten();
    let mut all: Vec<Field> = parts.flat_map(|part| fields(api, part)).collect();
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    all.extend(entries(&schema["properties"]).map(|(name, property)| Field {
        name: name.to_owned(),
        r#in: String::new(),
        required: required.contains(&name),
        r#type: type_name(property),
        description: description(property),
    }));
    all
}

/// How a type is called: its name, or what it is made of.
pub fn type_name(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return reference.rsplit('/').next().unwrap_or(reference).to_owned();
    }
    let several = ["oneOf", "anyOf"].into_iter().find_map(|key| schema[key].as_array());
    if let Some(options) = several {
        return options.iter().map(type_name).collect::<Vec<_>>().join(" | ");
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(Value::to_string).collect::<Vec<_>>().join(" | ");
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => format!("{}[]", type_name(&schema["items"])),
        Value::String(name) => schema["format"]
            .as_str()
            .map_or_else(|| name.clone(), |format| format!("{name} ({format})")),
        Value::Array(names) => {
            names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" | ")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => "any".to_owned(),
    }
}

/// An example: what the description gives as one, otherwise something of the right type. Fields
/// that may be left out are, unless all may.
pub fn example(api: &Value, schema: &Value) -> Value {
    example_within(api, schema, 0)
}

/// A type may hold itself: at this depth an example says no more.
const DEEPEST: usize = 6;

fn example_within(api: &Value, schema: &Value, depth: usize) -> Value {
    let schema = resolve(api, schema);
    let given = ["example", "default", "const"].into_iter().find_map(|key| schema.get(key));
    let first = |key: &str| schema[key].as_array().and_then(|all| all.first());
    if let Some(given) = given.or_else(|| first("examples")).or_else(|| first("enum")) {
        return given.clone();
    }
    if depth > DEEPEST {
        return Value::Null;
    }
    if let Some(option) = first("oneOf").or_else(|| first("anyOf")) {
        return example_within(api, option, depth + 1);
    }
    let kind = first("type").unwrap_or(&schema["type"]);
    match (kind.as_str(), schema["format"].as_str()) {
        (Some("object"), _) => example_object(api, schema, depth),
        (Some("array"), _) => json!([example_within(api, &schema["items"], depth + 1)]),
        (Some("integer" | "number"), _) => schema.get("minimum").cloned().unwrap_or(json!(1)),
        (Some("boolean"), _) => json!(true),
        (Some("string"), Some("uuid")) => json!("01a20000-0000-7000-8000-000000000000"),
        (Some("string"), Some("date-time")) => json!("2026-01-31T12:00:00Z"),
        (Some("string"), Some("email")) => json!("ada@example.com"),
        (Some("string"), _) => json!("..."),
        _ => json!({}),
    }
}

fn example_object(api: &Value, schema: &Value, depth: usize) -> Value {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let shown = entries(&schema["properties"])
        .filter(|(name, _)| required.is_empty() || required.contains(name));
    let fields: Map<String, Value> = shown
        .map(|(name, property)| (name.to_owned(), example_within(api, property, depth + 1)))
        .collect();
    Value::Object(fields)
}

fn resolve<'a>(api: &'a Value, schema: &'a Value) -> &'a Value {
    schema["$ref"]
        .as_str()
        .and_then(|reference| api.pointer(reference.trim_start_matches('#')))
        .unwrap_or(schema)
}

/// What a schema says about itself, or about the first thing it may be.
fn description(schema: &Value) -> String {
    let own = schema["description"].as_str();
    own.or_else(|| schema["oneOf"][0]["description"].as_str()).unwrap_or_default().to_owned()
}

/// The entries of an object, in their order.
pub fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

/// A text as HTML, its words that are named types linked to where they are described.
pub fn linked(text: &str, types: &BTreeSet<String>) -> String {
    let mut html = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let word = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        let (name, after) = rest.split_at(word);
        if types.contains(name) {
            html.push_str(&format!("<a href=\"#type-{name}\">{name}</a>"));
        } else {
            html.push_str(name);
        }
        let other = after.find(char::is_alphanumeric).unwrap_or(after.len());
        let (between, next) = after.split_at(other);
        html.push_str(&escaped(between));
        rest = next;
    }
    html
}

/// A text as HTML, what stands in backticks as code.
pub fn prose(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let parts = parts.map(|(index, part)| {
        if index % 2 == 1 { format!("<code>{}</code>", escaped(part)) } else { escaped(part) }
    });
    parts.collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api() -> Value {
        json!({"components": {"schemas": {
            "Line": {"type": "object", "required": ["sku", "quantity"], "properties": {
                "sku": {"type": "string", "examples": ["TEA-1"]},
                "quantity": {"type": "integer", "minimum": 1},
                "note": {"type": "string"}}},
            "Cart": {"type": "object", "properties": {
                "lines": {"type": "array", "items": {"$ref": "#/components/schemas/Line"}},
                "then": {"oneOf": [{"$ref": "#/components/schemas/Cart", "description": "The next."}, {"type": "null"}]}}},
        }}})
    }

    #[test]
    fn an_example_has_what_is_needed_and_what_the_description_gives() {
        let line = json!({"$ref": "#/components/schemas/Line"});
        assert_eq!(example(&api(), &line), json!({"sku": "TEA-1", "quantity": 1}));
    }

    #[test]
    fn an_example_of_what_holds_itself_comes_to_an_end() {
        let cart = json!({"$ref": "#/components/schemas/Cart"});
        let shown = example(&api(), &cart);
        assert_eq!(shown["lines"], json!([{"sku": "TEA-1", "quantity": 1}]));
        assert!(shown.to_string().len() < 1_000, "{shown}");
    }

    #[test]
    fn a_field_is_described_where_its_only_real_option_is() {
        let cart = json!({"$ref": "#/components/schemas/Cart"});
        let fields = fields(&api(), &cart);
        let seen: Vec<_> =
            fields.iter().map(|f| (f.r#type.as_str(), f.description.as_str())).collect();
        assert_eq!(seen, [("Line[]", ""), ("Cart | null", "The next.")]);
    }

    #[test]
    fn named_types_are_linked_and_nothing_else_becomes_html() {
        let types = BTreeSet::from(["Line".to_owned()]);
        assert_eq!(
            linked("Line[] | Lines | \"<b>\"", &types),
            "<a href=\"#type-Line\">Line</a>[] | Lines | &quot;&lt;b&gt;&quot;"
        );
        assert_eq!(prose("a `<b>` & c"), "a <code>&lt;b&gt;</code> &amp; c");
    }
}
