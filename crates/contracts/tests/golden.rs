//! Every version of every event ever written still reads.
//!
//! `golden/<type>/<n>.json` are events as they were written. The files are append-only: when a field
//! is added to a payload, the next number is added here, and the old files stay as they are. A file
//! is never edited, since somewhere an outbox or a stream holds just that text.

#![expect(clippy::unwrap_used, reason = "a golden file that cannot be read fails the test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use contracts::{DecodeError, Envelope, Payload};
use serde_json::Value;

/// The golden files of each type, oldest first.
fn golden() -> BTreeMap<String, Vec<PathBuf>> {
    // Where it runs, not where it was built: checkouts share what is built.
    let root = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("golden");
    let mut all = BTreeMap::new();
    for folder in fs::read_dir(root).unwrap() {
        let folder = folder.unwrap();
        let kind = folder.file_name().into_string().unwrap();
        let count = fs::read_dir(folder.path()).unwrap().count();
        // Numbered without a gap from 1: a file that was taken away is noticed.
        let files = (1..=count).map(|n| folder.path().join(format!("{n}.json"))).collect();
        all.insert(kind, files);
    }
    all
}

fn text(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Reads an event's text, and gives what was read and what it is written as today.
fn there_and_back(json: &str) -> (Envelope, Value) {
    let read = Envelope::from_json(json).unwrap();
    let written = serde_json::from_str(&read.to_json()).unwrap();
    (read, written)
}

/// What `old` says that `new` does not, by path. `new` may say more.
fn lost(path: &str, old: &Value, new: &Value) -> Vec<String> {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => old
            .iter()
            .flat_map(|(key, old)| {
                lost(&format!("{path}/{key}"), old, new.get(key).unwrap_or(&Value::Null))
            })
            .collect(),
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => old
            .iter()
            .zip(new)
            .enumerate()
            .flat_map(|(n, (old, new))| lost(&format!("{path}/{n}"), old, new))
            .collect(),
        _ if old == new => vec![],
        _ => vec![format!("{path}: {old} became {new}")],
    }
}

#[test]
fn every_type_of_event_has_a_golden_file() {
    let golden = golden();
    let without: Vec<_> = Payload::KINDS
        .iter()
        .map(|kind| kind.name)
        .filter(|name| golden.get(*name).is_none_or(Vec::is_empty))
        .collect();
    assert!(without.is_empty(), "no golden/<type>/1.json for {without:?}");
}

#[test]
fn every_golden_file_is_of_a_type_that_is_still_known() {
    for (kind, files) in golden() {
        assert!(Payload::KINDS.iter().any(|known| known.name == kind), "{kind} is forgotten");
        for file in files {
            let (read, _) = there_and_back(&text(&file));
            assert_eq!(read.payload.kind().name, kind, "{}", file.display());
        }
    }
}

#[test]
fn what_an_old_event_said_is_still_said_when_it_is_written_again() {
    for file in golden().into_values().flatten() {
        let old: Value = serde_json::from_str(&text(&file)).unwrap();
        let (_, new) = there_and_back(&text(&file));
        let lost = lost("", &old, &new);
        assert!(lost.is_empty(), "{} lost {lost:#?}", file.display());
    }
}

#[test]
fn the_newest_golden_file_of_each_type_is_what_is_written_today() {
    for (kind, files) in golden() {
        let newest = files.last().unwrap();
        let old: Value = serde_json::from_str(&text(newest)).unwrap();
        let (_, new) = there_and_back(&text(newest));
        assert_eq!(old, new, "{kind}: a field was added, so add {}.json", files.len() + 1);
    }
}

#[test]
fn an_event_that_was_read_and_written_reads_the_same() {
    for file in golden().into_values().flatten() {
        let (read, _) = there_and_back(&text(&file));
        assert_eq!(Envelope::from_json(&read.to_json()).unwrap(), read, "{}", file.display());
    }
}

#[test]
fn a_golden_file_under_a_type_of_the_future_is_passed_over_as_unknown() {
    for (kind, files) in golden() {
        let future = kind.replace(".v1", ".v999");
        let json = text(files.last().unwrap()).replace(&kind, &future);
        let read = Envelope::from_json(&json);
        assert!(
            matches!(&read, Err(DecodeError::UnknownType(unknown)) if *unknown == future),
            "{read:?}"
        );
    }
}

#[test]
fn a_golden_file_without_one_of_its_ids_is_malformed() {
    for (kind, files) in golden() {
        let mut json: Value = serde_json::from_str(&text(files.last().unwrap())).unwrap();
        let data = json["data"].as_object_mut().unwrap();
        data.retain(|key, _| !key.ends_with("_id") && key != "sku");
        let read = Envelope::from_json(&json.to_string());
        assert!(
            matches!(&read, Err(DecodeError::Malformed { kind: claimed, .. }) if *claimed == kind),
            "{read:?}"
        );
    }
}

#[test]
fn a_loss_is_noticed() {
    let old = serde_json::json!({ "a": [1, { "b": 2 }], "c": 3 });
    let same_and_more = serde_json::json!({ "a": [1, { "b": 2, "x": 0 }], "c": 3, "y": 0 });
    let poorer = serde_json::json!({ "a": [1, {}] });
    assert!(lost("", &old, &same_and_more).is_empty());
    assert_eq!(lost("", &old, &poorer), ["/a/1/b: 2 became null", "/c: 3 became null"]);
}

/// The same JSON with a field more in every object that holds fields, and not names.
fn with_more_everywhere(json: &Value) -> Value {
    match json {
        Value::Object(fields) => {
            let mut more: serde_json::Map<String, Value> = fields
                .iter()
                .map(|(key, value)| {
                    // These are maps by name: a name more would be a value more.
                    let names = key == "attributes" || key == "options";
                    let value = if names { value.clone() } else { with_more_everywhere(value) };
                    (key.clone(), value)
                })
                .collect();
            more.insert("of_the_future".to_owned(), serde_json::json!({ "x": [1] }));
            Value::Object(more)
        }
        Value::Array(items) => items.iter().map(with_more_everywhere).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => json.clone(),
    }
}

#[test]
fn an_event_that_says_more_everywhere_still_reads() {
    for file in golden().into_values().flatten() {
        let known: Value = serde_json::from_str(&text(&file)).unwrap();
        let richer = with_more_everywhere(&known).to_string();
        let read = Envelope::from_json(&richer);
        let read = read.unwrap_or_else(|error| panic!("{}: {error:?}", file.display()));
        assert_eq!(read, Envelope::from_json(&known.to_string()).unwrap(), "{}", file.display());
    }
}

#[test]
fn an_actor_of_the_future_stops_no_event() {
    let file = golden().into_values().flatten().next().unwrap();
    let mut json: Value = serde_json::from_str(&text(&file)).unwrap();
    for actor in ["service:search", "partner:acme", "anybody"] {
        json["actor"] = actor.into();
        let read = Envelope::from_json(&json.to_string()).unwrap();
        assert_eq!(read.actor.to_string(), actor);
        assert!(read.to_json().contains(actor));
    }
}

#[test]
fn a_request_may_not_say_what_nobody_reads() {
    use contracts::{AddressInput, ChosenMethodInput, MoneyInput};
    let money = r#"{"amount_minor": 1, "currency": "EUR", "rate": 2}"#;
    let method = r#"{"code": "card", "price": 2}"#;
    let address = r#"{"name": "A", "street": "B", "city": "C", "country": "DE", "vip": true}"#;
    let errors = [
        serde_json::from_str::<MoneyInput>(money).unwrap_err(),
        serde_json::from_str::<ChosenMethodInput>(method).unwrap_err(),
        serde_json::from_str::<AddressInput>(address).unwrap_err(),
    ];
    for error in errors {
        assert!(error.to_string().contains("unknown field"), "{error}");
    }
    assert!(serde_json::from_str::<MoneyInput>(&money.replace(r#", "rate": 2"#, "")).is_ok());
}
