//! Stand-ins: values of the right shape for what is missing or wrong, so that the rest of a file can still be checked.
//!
//! Nothing runs on a stand-in: a file that needs one has an error.

use serde_json::{Map, Value, json};

use super::{Form, kind, resolve, scalar::words};

/// Returns a value that a type with this schema reads.
pub(super) fn of(root: &Value, schema: &Value) -> Value {
    let inner = |schema| of(root, resolve(root, schema, Form::Scalar));
    match kind(schema) {
        "object" => {
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let fields = required.map(|name| (name.to_owned(), inner(&schema["properties"][name])));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        "array" => schema["prefixItems"].as_array().into_iter().flatten().map(inner).collect(),
        "number" | "integer" => schema.get("minimum").cloned().unwrap_or(json!(0)),
        "boolean" => json!(false),
        _ => match (words(schema).first(), schema["examples"][0].as_str()) {
            (Some(word), _) => json!(word),
            (None, example) => json!(example.unwrap_or_default()),
        },
    }
}
