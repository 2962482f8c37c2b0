//! The JSON Schema of descriptions, for editors that complete and check as people write.

use serde_json::{Map, Value, json};

use super::kinds::{KINDS, Kind};
use super::shape::{Key, Shape};
use super::{boards, document};

/// Where the schema is found.
const ID: &str = "description.schema.json";

/// The JSON Schema of descriptions, made from what the reader of descriptions asks for.
///
/// It says what may stand where. What a schema cannot say, as that links make no cycle, only
/// reading a description tells; and since stages may have keys from what a description includes,
/// nothing is required here.
#[must_use]
pub fn schema() -> Value {
    let mut properties = Map::new();
    for key in document::described() {
        let mut schema = match key.name {
            "stage" => stages(),
            "defaults" => defaults(),
            "board" => board(),
            "vars" => json!({ "type": "object", "additionalProperties": variable_value() }),
            _ => of(&key.shape),
        };
        describe(&mut schema, &key);
        properties.insert(key.name.to_owned(), schema);
    }
    let kinds = KINDS
        .iter()
        .map(|kind| (kind.name.to_owned(), kind_of_stage(kind)));
    let mut definitions: Map<_, _> = kinds.collect();
    definitions.insert(
        "variable".to_owned(),
        json!({ "type": "string", "pattern": "\\$\\{[^}]+\\}", "description": "a variable of [vars]" }),
    );
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": ID,
        "title": "dmaflow pipeline",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "definitions": definitions,
    })
}

fn stages() -> Value {
    let kinds: Vec<_> = KINDS
        .iter()
        .map(|kind| json!({ "$ref": format!("#/definitions/{}", kind.name) }))
        .collect();
    json!({
        "type": "object",
        "propertyNames": { "pattern": "^[A-Za-z0-9_-]+$" },
        "additionalProperties": { "anyOf": kinds },
    })
}

fn kind_of_stage(kind: &Kind) -> Value {
    let mut properties = properties(&kind.described());
    properties.insert("kind".to_owned(), json!({ "const": kind.name }));
    json!({
        "type": "object",
        "description": kind.doc,
        "properties": properties,
        "additionalProperties": false,
    })
}

fn defaults() -> Value {
    let kinds = KINDS.iter().map(|kind| {
        let keys = json!({
            "type": "object",
            "properties": properties(&kind.described()),
            "additionalProperties": false,
        });
        (kind.name.to_owned(), keys)
    });
    json!({
        "type": "object",
        "properties": kinds.collect::<Map<_, _>>(),
        "additionalProperties": false,
    })
}

/// The boards that come with the library; there may be others.
fn board() -> Value {
    let names: Vec<_> = boards::built_in().collect();
    json!({ "anyOf": [{ "enum": names }, { "type": "string" }] })
}

fn variable_value() -> Value {
    json!({ "type": ["string", "number", "boolean", "array"] })
}

fn properties(keys: &[Key]) -> Map<String, Value> {
    let properties = keys.iter().map(|key| {
        let mut schema = of(&key.shape);
        describe(&mut schema, key);
        (key.name.to_owned(), schema)
    });
    properties.collect()
}

fn describe(schema: &mut Value, key: &Key) {
    schema["description"] = key.doc.into();
}

/// What a shape is in the schema's words; anything but a text may be a variable, too.
fn of(shape: &Shape) -> Value {
    let plain = match shape {
        Shape::Text(_) => return json!({ "type": "string" }),
        Shape::Table(keys) => {
            let properties = properties(keys);
            return json!({
                "type": "object",
                "properties": properties,
                "additionalProperties": false,
            });
        }
        Shape::Tables(keys) => {
            let tables = of(&Shape::Table(keys.clone()));
            return json!({ "type": "object", "additionalProperties": tables });
        }
        Shape::Map(shape) => {
            return json!({ "type": "object", "additionalProperties": of(shape) });
        }
        Shape::OneOf(shapes) => {
            let shapes: Vec<_> = shapes.iter().map(of).collect();
            return json!({ "anyOf": shapes });
        }
        Shape::Other => return json!({}),
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::Integer(least, most) => integer(*least, *most),
        Shape::Number => json!({ "type": "number" }),
        Shape::Words(words) => json!({ "enum": words }),
        Shape::List(shape) => json!({ "type": "array", "items": of(shape) }),
    };
    json!({ "anyOf": [plain, { "$ref": "#/definitions/variable" }] })
}

fn integer(least: Option<i128>, most: Option<i128>) -> Value {
    let mut schema = json!({ "type": "integer" });
    for (word, bound) in [("minimum", least), ("maximum", most)] {
        if let Some(bound) = bound.and_then(|bound| i64::try_from(bound).ok()) {
            schema[word] = bound.into();
        }
    }
    schema
}
