//! The events as an AsyncAPI 3 document: a channel for each type, the envelope around its payload,
//! and the newest golden file as the example.

use std::collections::BTreeMap;

use contracts::events::{EventKind, PayloadSchema, schemas};
use serde_json::{Map, Value, json};

use crate::tree::Tree;

/// Writes the document.
///
/// # Errors
/// When two schemas share a name, or a type has no golden file.
pub fn write(tree: &Tree) -> Result<String, String> {
    let document = document(&schemas(), |kind| example(tree, kind))?;
    serde_json::to_string_pretty(&document).map_err(|error| error.to_string())
}

fn document(
    events: &[(EventKind, PayloadSchema)],
    example: impl Fn(&str) -> Result<Value, String>,
) -> Result<Value, String> {
    let mut schemas = Schemas::default();
    schemas.put("Envelope", envelope())?;
    schemas.put(
        "Actor",
        json!({
            "type": "string",
            "description": "On whose behalf: `customer`, `staff:<name>` or `service:<name>`.",
            "examples": ["customer", "staff:anna", "service:warehouse"],
        }),
    )?;
    let (mut channels, mut operations, mut messages) = (Map::new(), Map::new(), Map::new());
    for (kind, payload) in events {
        let (type_, name) = (kind.name, payload.name.as_str());
        schemas.put(name, value(&payload.schema)?)?;
        for (name, schema) in &payload.refers_to {
            schemas.put(name, value(schema)?)?;
        }
        let summary = schemas.description(name);
        let tags = json!([{ "name": kind.source.name() }]);
        channels.insert(
            type_.into(),
            json!({
                "address": format!("kontor.{type_}"),
                "messages": { name: { "$ref": format!("#/components/messages/{name}") } },
            }),
        );
        operations.insert(format!("publish.{type_}"), json!({
            "action": "send",
            "summary": format!("The {} service alone says it.", kind.source),
            "channel": { "$ref": format!("#/channels/{}", type_.replace('~', "~0").replace('/', "~1")) },
            "messages": [{ "$ref": format!("#/channels/{type_}/messages/{name}") }],
            "tags": tags,
        }));
        messages.insert(
            name.into(),
            json!({
                "name": type_,
                "title": name,
                "summary": summary,
                "contentType": "application/cloudevents+json",
                "tags": tags,
                "payload": { "allOf": [
                    { "$ref": "#/components/schemas/Envelope" },
                    { "type": "object", "properties": {
                        "type": { "const": type_ },
                        "source": { "const": kind.source.name() },
                        "data": { "$ref": format!("#/components/schemas/{name}") },
                    }},
                ]},
                "examples": [{ "name": type_, "payload": example(type_)? }],
            }),
        );
    }
    Ok(json!({
        "asyncapi": "3.0.0",
        "info": info(),
        "defaultContentType": "application/cloudevents+json",
        "channels": channels,
        "operations": operations,
        "components": { "messages": messages, "schemas": schemas.0 },
    }))
}

fn info() -> Value {
    json!({
        "title": "Kontor: what the services say",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "Every event, as it is kept in the outbox and sent on the bus: CloudEvents 1.0, \
            structured mode. Delivery is at least once and in any order; `id` is the same on every \
            delivery, and of one `subject` an older `version` never overwrites a newer one. An added \
            field with a default keeps the version of a type; whoever reads passes over what it does \
            not know.",
        "license": { "name": "Apache-2.0" },
    })
}

fn envelope() -> Value {
    let text = |about: &str| json!({ "type": "string", "description": about });
    json!({
        "type": "object",
        "description": "What is around every event.",
        "required": ["specversion", "id", "source", "type", "subject", "version", "time",
            "correlation", "actor", "datacontenttype", "data"],
        "properties": {
            "specversion": { "const": "1.0" },
            "id": { "type": "string", "format": "uuid", "description": "Unique, and the same on every delivery." },
            "source": text("The service that says it."),
            "type": text("Which event, and which version of it."),
            "subject": text("The aggregate it is about: an order's id, a sku."),
            "version": { "type": "integer", "format": "int64",
                "description": "Its position in that aggregate's history." },
            "time": { "type": "string", "format": "date-time", "description": "When it happened, by the publisher's clock." },
            "causation": { "type": "string", "format": "uuid", "description": "The event that led to this one." },
            "correlation": text("What all events of one story share: the order's id, mostly."),
            "traceparent": { "type": "string", "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$",
                "description": "The trace it belongs to (W3C Trace Context)." },
            "actor": { "$ref": "#/components/schemas/Actor" },
            "datacontenttype": { "const": "application/json" },
            "data": { "type": "object", "description": "What happened." },
        },
    })
}

/// The newest golden file of a type.
fn example(tree: &Tree, kind: &str) -> Result<Value, String> {
    let folder = format!("crates/contracts/golden/{kind}/");
    let number = |path: &str| -> Option<u32> {
        path.strip_prefix(&folder)?.strip_suffix(".json")?.parse().ok()
    };
    let newest = tree.files.iter().filter(|file| number(&file.path).is_some());
    let newest = newest.max_by_key(|file| number(&file.path));
    let newest = newest.ok_or_else(|| format!("{kind} has no golden file"))?;
    serde_json::from_str(&newest.text).map_err(|error| format!("{}: {error}", newest.path))
}

fn value(schema: &impl serde::Serialize) -> Result<Value, String> {
    serde_json::to_value(schema).map_err(|error| error.to_string())
}

/// The schemas by name. A name has one meaning.
#[derive(Default)]
struct Schemas(BTreeMap<String, Value>);

impl Schemas {
    fn put(&mut self, name: &str, schema: Value) -> Result<(), String> {
        match self.0.get(name) {
            Some(known) if *known != schema => {
                Err(format!("two different schemas are called {name}"))
            }
            Some(_) => Ok(()),
            None => {
                self.0.insert(name.to_owned(), schema);
                Ok(())
            }
        }
    }

    fn description(&self, name: &str) -> Value {
        self.0.get(name).and_then(|schema| schema.get("description")).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use contracts::Payload;

    use super::*;

    fn made() -> Value {
        let tree = Tree::of_workspace().unwrap();
        document(&schemas(), |kind| example(&tree, kind)).unwrap()
    }

    /// Every `$ref` in the document.
    fn refs(value: &Value, into: &mut BTreeSet<String>) {
        if let Some(target) = value.get("$ref").and_then(Value::as_str) {
            into.insert(target.to_owned());
        }
        let fields = value.as_object().into_iter().flat_map(Map::values);
        let items = value.as_array().into_iter().flatten();
        fields.chain(items).for_each(|inner| refs(inner, into));
    }

    #[test]
    fn every_event_has_a_channel_an_operation_and_a_message_with_an_example() {
        let document = made();
        for kind in Payload::KINDS {
            assert_eq!(document["channels"][kind.name]["address"], format!("kontor.{}", kind.name));
            assert_eq!(document["operations"][format!("publish.{}", kind.name)]["action"], "send");
        }
        let messages = document["components"]["messages"].as_object().unwrap();
        assert_eq!(messages.len(), Payload::KINDS.len());
        for message in messages.values() {
            assert!(message["summary"].as_str().is_some_and(|summary| !summary.is_empty()));
            assert_eq!(message["examples"][0]["payload"]["type"], message["name"]);
        }
    }

    #[test]
    fn nothing_refers_to_what_is_not_there() {
        let document = made();
        let mut targets = BTreeSet::new();
        refs(&document, &mut targets);
        for target in targets {
            let pointer = target.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{target}");
        }
    }

    #[test]
    fn a_name_with_two_meanings_is_refused() {
        let mut schemas = Schemas::default();
        schemas.put("Line", json!({ "type": "object" })).unwrap();
        schemas.put("Line", json!({ "type": "object" })).unwrap();
        assert!(schemas.put("Line", json!({ "type": "string" })).is_err());
    }

    #[test]
    fn the_example_of_a_type_is_its_newest_golden_file() {
        let tree = Tree::made_of(&[
            ("crates/contracts/golden/a.b.v1/2.json", "2"),
            ("crates/contracts/golden/a.b.v1/10.json", "10"),
            ("crates/contracts/golden/a.b.v11/11.json", "11"),
        ]);
        assert_eq!(example(&tree, "a.b.v1"), Ok(json!(10)));
        assert!(example(&tree, "a.c.v1").is_err());
    }
}
