//! The JSON Schema: the one in docs/ is today's, it lets right descriptions pass and finds wrong
//! ones.

use std::fs;

use dmaflow_pipelines::description::schema;
use serde_json::Value;

const KEPT: &str = "../docs/description.schema.json";

#[test]
fn the_schema_in_the_docs_is_todays() {
    let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(KEPT, &text).unwrap();
    }
    let kept = fs::read_to_string(KEPT).unwrap_or_default();
    assert!(kept == text, "write it anew with UPDATE_EXPECTED=1");
}

/// What a schema has against a value, by where that is; knows the words that our schema uses.
fn wrong(schema: &Value, value: &Value, root: &Value, place: &str) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.trim_start_matches("#/definitions/");
        return wrong(&root["definitions"][name], value, root, place);
    }
    let mut found = Vec::new();
    if let Some(any) = schema["anyOf"].as_array() {
        let tries: Vec<_> = any
            .iter()
            .map(|schema| wrong(schema, value, root, place))
            .collect();
        if tries.iter().all(|wrong| !wrong.is_empty()) {
            found.push(format!("{place}: none of {}: {tries:?}", any.len()));
        }
    }
    let types = match &schema["type"] {
        Value::Array(types) => types.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    };
    if !types.is_empty() && !types.iter().any(|wanted| is_a(wanted, value)) {
        found.push(format!("{place}: {value} is no {types:?}"));
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        found.push(format!("{place}: {value} is none of {words:?}"));
    }
    if !schema["const"].is_null() && schema["const"] != *value {
        found.push(format!("{place}: {value} is not {}", schema["const"]));
    }
    let number = value.as_i64();
    if let Some(number) = number
        && (schema["minimum"]
            .as_i64()
            .is_some_and(|least| number < least)
            || schema["maximum"].as_i64().is_some_and(|most| number > most))
    {
        found.push(format!("{place}: {number} is out of range"));
    }
    if let (Some(_), Some(text)) = (schema["pattern"].as_str(), value.as_str())
        && !(text.contains("${") && text.contains('}'))
    {
        found.push(format!("{place}: {text} is no variable"));
    }
    for item in value.as_array().into_iter().flatten() {
        if schema["items"].is_object() {
            found.extend(wrong(&schema["items"], item, root, place));
        }
    }
    for (key, entry) in value.as_object().into_iter().flatten() {
        let place = format!("{place}.{key}");
        match (&schema["properties"][key], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => {
                found.push(format!("{place}: there is no such key"))
            }
            (Value::Null, other) if other.is_object() => {
                found.extend(wrong(other, entry, root, &place));
            }
            (Value::Null, _) => {}
            (known, _) => found.extend(wrong(known, entry, root, &place)),
        }
    }
    found
}

fn is_a(wanted: &Value, value: &Value) -> bool {
    match wanted.as_str().expect("a type's name") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => false,
    }
}

fn check(text: &str) -> Vec<String> {
    let value: toml::Table = text.parse().expect("TOML");
    let value = serde_json::to_value(value).expect("values that JSON has, too");
    let schema = schema();
    wrong(&schema, &value, &schema, "")
}

#[test]
fn right_descriptions_pass() {
    let mut texts = Vec::new();
    for directory in ["../examples", "boards/profiles"] {
        for entry in fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|ending| ending == "toml")
                && !path.ends_with("Cargo.toml")
            {
                texts.push((
                    path.display().to_string(),
                    fs::read_to_string(&path).unwrap(),
                ));
            }
        }
    }
    let docs = fs::read_to_string("../docs/descriptions.md").unwrap();
    let blocks = docs
        .split("```toml\n")
        .skip(1)
        .filter_map(|block| block.split("```").next());
    texts.extend(blocks.map(|block| ("docs/descriptions.md".to_owned(), block.to_owned())));
    for (name, text) in &texts {
        assert_eq!(check(text), [""; 0], "{name}");
    }
    assert!(texts.len() >= 12, "{}", texts.len());
}

#[test]
fn wrong_descriptions_are_found() {
    for (text, place) in [
        ("zero-copy = \"never\"", ".zero-copy"),
        ("version = 2", ".version"),
        ("stages = {}", ".stages"),
        ("links = [5]", ".links"),
        ("links = [{ from = \"a\", too = \"b\" }]", ".links"),
        ("stage.a.kind = \"v4l2\"", ".stage.a"),
        (
            "stage.a = { kind = \"v4l2-src\", mode = \"preferred\" }",
            ".stage.a",
        ),
        (
            "stage.a = { kind = \"v4l2-src\", width = 0, height = 1 }",
            ".stage.a",
        ),
        (
            "stage.a = { kind = \"null-sink\", queue = \"lifo\" }",
            ".stage.a",
        ),
        (
            "stage.a = { kind = \"kms-sink\", place.b = { z = 1 } }",
            ".stage.a",
        ),
        (
            "stage.a = { kind = \"test-src\", restart = { last = \"1s\" } }",
            ".stage.a",
        ),
        (
            "defaults.v4l2-src.card = \"tidss\"",
            ".defaults.v4l2-src.card",
        ),
        ("run.frames = 0", ".run.frames"),
    ] {
        let found = check(text);
        assert!(
            found.iter().any(|wrong| wrong.starts_with(place)),
            "{text}: {found:?}"
        );
    }
}

/// Walks over everything that has properties.
fn visit(schema: &Value, found: &mut Vec<(String, Value)>) {
    match schema {
        Value::Object(entries) => {
            if let Some(properties) = entries.get("properties").and_then(Value::as_object) {
                found.extend(
                    properties
                        .iter()
                        .map(|(key, value)| (key.clone(), value.clone())),
                );
            }
            entries.values().for_each(|value| visit(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| visit(value, found)),
        _ => {}
    }
}

#[test]
fn every_key_is_told_of() {
    let mut keys = Vec::new();
    visit(&schema(), &mut keys);
    assert!(keys.len() > 60, "{}", keys.len());
    for (key, schema) in keys {
        // Kinds are told of as a whole.
        if key == "kind" || schema.get("properties").is_some() {
            continue;
        }
        let doc = schema["description"].as_str().unwrap_or_default();
        assert!(!doc.is_empty(), "`{key}` has no description");
        let says = ["type", "anyOf", "enum"]
            .iter()
            .any(|word| schema.get(word).is_some());
        assert!(says, "`{key}` may be anything");
    }
}
