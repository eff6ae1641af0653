//! Fit: a value made to fit a schema where that loses nothing: types that convert, unknown fields, missing defaults.
//!
//! It follows what a schema says directly (`properties`, `items`, `$ref` within itself), not its alternatives: what would have
//! to be chosen is not mended. Whether the whole is valid then is the validator's to say.

use serde_json::{Map, Number, Value};

/// Names that are followed from one to the next.
const REFERENCES: usize = 16;
/// The deepest nesting.
const DEEPEST: usize = 64;

/// Makes a value fit, as far as that is possible; returns what was mended, and how often.
pub(super) fn fit(value: &mut Value, schema: &Value) -> Vec<(&'static str, u64)> {
    let mut fit = Fit { root: schema, converted: 0, removed: 0, added: 0 };
    fit.value(value, schema, 0);
    let Fit { converted, removed, added, .. } = fit;
    [("type", converted), ("unknown", removed), ("default", added)].into_iter().filter(|it| it.1 > 0).collect()
}

struct Fit<'s> {
    root: &'s Value,
    converted: u64,
    removed: u64,
    added: u64,
}

impl<'s> Fit<'s> {
    fn value(&mut self, value: &mut Value, schema: &'s Value, depth: usize) {
        let Some(schema) = self.resolve(schema).filter(|_| depth < DEEPEST) else { return };
        if let Some(converted) = convert(value, schema) {
            (*value, self.converted) = (converted, self.converted + 1);
        }
        match value {
            Value::Object(map) => self.object(map, schema, depth),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item, &schema["items"], depth + 1)),
            _ => {}
        }
    }

    fn object(&mut self, map: &mut Map<String, Value>, schema: &'s Value, depth: usize) {
        let empty = Map::new();
        let known = schema["properties"].as_object().unwrap_or(&empty);
        if schema["additionalProperties"] == Value::Bool(false) && schema.get("patternProperties").is_none() {
            let before = map.len();
            map.retain(|name, _| known.contains_key(name));
            self.removed += (before - map.len()) as u64;
        }
        for (name, of) in schema["properties"].as_object().into_iter().flatten() {
            let default = self.resolve(of).and_then(|of| of.get("default"));
            match (map.get_mut(name), default) {
                (Some(value), _) => self.value(value, of, depth + 1),
                (None, Some(default)) => {
                    map.insert(name.clone(), default.clone());
                    self.added += 1;
                }
                (None, None) => {}
            }
        }
    }

    /// Follows names within the schema.
    fn resolve(&self, mut schema: &'s Value) -> Option<&'s Value> {
        for _ in 0..REFERENCES {
            let Some(name) = schema.get("$ref").and_then(Value::as_str) else { return Some(schema) };
            schema = self.root.pointer(name.strip_prefix('#')?)?;
        }
        None
    }
}

/// Returns the value as the type that the schema wants, or as the one of its listed values that it is but for case; none
/// where it is that already, or is something else.
fn convert(value: &Value, schema: &Value) -> Option<Value> {
    let listed = schema["enum"].as_array().map(Vec::as_slice).unwrap_or_default();
    if let (Value::String(text), false) = (value, listed.contains(value)) {
        let same = |it: &&Value| it.as_str().is_some_and(|it| it.to_lowercase() == text.trim().to_lowercase());
        if let Some(same) = listed.iter().find(same) {
            return Some(same.clone());
        }
    }
    let wanted = schema["type"].as_str()?;
    match (wanted, value) {
        ("integer", Value::Number(number)) if number.is_f64() => whole(number.as_f64()?),
        ("integer", Value::String(text)) => text.trim().parse::<i64>().ok().map(Value::from),
        ("number", Value::String(text)) => {
            let number = serde_json::from_str::<Number>(text.trim()).ok()?;
            Some(Value::Number(number))
        }
        ("boolean", Value::String(text)) => match text.trim().to_lowercase().as_str() {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        },
        ("string", Value::Number(number)) => Some(Value::String(number.to_string())),
        ("string", Value::Bool(it)) => Some(Value::String(it.to_string())),
        ("null", Value::String(text)) if matches!(text.as_str(), "" | "null" | "None") => Some(Value::Null),
        _ => None,
    }
}

/// Returns a number without a fraction as a whole one, where it is one for sure.
fn whole(number: f64) -> Option<Value> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() <= EXACT).then(|| Value::from(number as i64))
}
