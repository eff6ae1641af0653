//! Shape: holds a tree against the JSON schema that the types declare, and reports every misfit.
//!
//! It knows no field by name: keys, types, ranges and formats come from the schema, so a field that is added to a type
//! is checked from then on. What fits comes out as JSON, which the types then read; their own errors would be the
//! second opinion of the same schema.
//!
//! # Invariants
//! - `SHAPE-1`: a tree without an error diagnostic deserialises.
//! - `SHAPE-2`: a key that the schema does not name is an error, wherever it stands.

use serde_json::{Map, Number, Value};

use crate::{
    diagnostic::{Diagnostic, Severity, nearest},
    schema::scalar::check_format,
    tree::{Key, Node, NodeKind, Place},
};

/// Holds trees against one schema.
pub(crate) struct Shape<'a> {
    file: &'a str,
    schema: &'a Value,
    found: Vec<Diagnostic>,
}

/// What is wrong with a node, before it has a place.
struct Misfit {
    code: &'static str,
    message: String,
    hint: String,
}

impl<'a> Shape<'a> {
    /// Checks a tree; returns it as JSON, as far as it fits, and everything that does not.
    pub(crate) fn check(file: &'a str, schema: &'a Value, tree: &Node) -> (Value, Vec<Diagnostic>) {
        let mut shape = Self { file, schema, found: Vec::new() };
        let value = shape.value(tree, schema, &Key::default());
        (value, shape.found)
    }

    fn report(&mut self, place: Place, key: &Key, misfit: Misfit) {
        let Misfit { code, message, hint } = misfit;
        let (file, key) = (self.file.to_owned(), key.to_string());
        let Place { line, column } = place;
        self.found.push(Diagnostic { code, severity: Severity::Error, file, line, column, key, message, hint });
    }

    fn value(&mut self, node: &Node, schema: &'a Value, key: &Key) -> Value {
        let schema = self.resolve(schema);
        if is_nothing(node) && allows(schema, "null") {
            return Value::Null;
        }
        match (&node.kind, kind(schema)) {
            (NodeKind::Map(fields), "object") => self.object(node.place, fields, schema, key),
            (NodeKind::List(items), "array") => self.array(node.place, items, schema, key),
            (NodeKind::Scalar { text, quoted }, "string" | "number" | "integer" | "boolean") => {
                let read = scalar(text, *quoted, schema);
                read.unwrap_or_else(|misfit| {
                    self.report(node.place, key, misfit);
                    Value::Null
                })
            }
            (found, wanted) => {
                let hint = format!("write {}", article(wanted));
                let message = format!("expected {}, found {}", article(wanted), found.name());
                self.report(node.place, key, Misfit { code: "wrong-type", message, hint });
                Value::Null
            }
        }
    }

    /// Follows references, and an optional thing to the thing.
    fn resolve(&self, schema: &'a Value) -> &'a Value {
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.trim_start_matches("#/$defs/");
            return self.resolve(&self.schema["$defs"][name]);
        }
        match schema["anyOf"].as_array().and_then(|any| any.iter().find(|it| it["type"] != "null")) {
            Some(inner) => self.resolve(inner),
            None => schema,
        }
    }

    fn object(&mut self, place: Place, fields: &[(Place, String, Node)], schema: &'a Value, key: &Key) -> Value {
        let (known, others) = (schema["properties"].as_object(), &schema["additionalProperties"]);
        let mut object = Map::new();
        for (at, name, node) in fields {
            let key = key.field(name);
            if object.contains_key(name) {
                let message = format!("`{name}` stands twice");
                self.report(*at, &key, misfit("duplicate-key", message, "keep one of the two"));
                continue;
            }
            let value = match known.and_then(|known| known.get(name)) {
                Some(schema) => self.value(node, schema, &key),
                None if others.is_object() => self.value(node, others, &key),
                None => {
                    let names = known.into_iter().flatten().map(|(name, _)| name.as_str());
                    self.report(*at, &key, unknown(name, names));
                    continue;
                }
            };
            object.insert(name.clone(), value);
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(name) {
                let message = format!("`{name}` is missing");
                self.report(place, &key.field(name), misfit("missing-key", message, "add it"));
            }
        }
        // Nothing written is the same as a key left out.
        object.retain(|_, value| !value.is_null());
        Value::Object(object)
    }

    fn array(&mut self, place: Place, items: &[Node], schema: &'a Value, key: &Key) -> Value {
        let fixed = schema["prefixItems"].as_array();
        let (least, most) = (schema["minItems"].as_u64(), schema["maxItems"].as_u64());
        let count = items.len() as u64;
        if least.is_some_and(|least| count < least) || most.is_some_and(|most| count > most) {
            let bounds =
                format!("{} to {}", least.unwrap_or(0), most.map_or("any number of".into(), |it| it.to_string()));
            let message = format!("{count} items stand here, {bounds} are possible");
            self.report(place, key, misfit("wrong-length", message, "add or remove items"));
            return Value::Null;
        }
        let of = |at: usize| fixed.and_then(|fixed| fixed.get(at)).unwrap_or(&schema["items"]);
        Value::Array(items.iter().enumerate().map(|(at, item)| self.value(item, of(at), &key.index(at))).collect())
    }
}

fn misfit(code: &'static str, message: String, hint: &str) -> Misfit {
    Misfit { code, message, hint: hint.into() }
}

fn unknown<'b>(name: &str, known: impl Iterator<Item = &'b str> + Clone) -> Misfit {
    let hint = match nearest(name, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known keys are {}", known.collect::<Vec<_>>().join(", ")),
    };
    Misfit { code: "unknown-key", message: format!("`{name}` is not a key here"), hint }
}

fn is_nothing(node: &Node) -> bool {
    matches!(&node.kind, NodeKind::Scalar { text, quoted: false } if matches!(text.as_str(), "" | "null" | "~"))
}

/// Says whether a value of this type fits.
fn allows(schema: &Value, kind: &str) -> bool {
    match &schema["type"] {
        Value::String(only) => only == kind,
        Value::Array(any) => any.iter().any(|it| it == kind),
        _ => false,
    }
}

/// Returns the one type that a value should have; a choice of words is a string.
fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(only) => only,
        Value::Array(any) => any.iter().filter_map(Value::as_str).find(|it| *it != "null").unwrap_or("string"),
        _ => "string",
    }
}

fn article(kind: &str) -> &'static str {
    match kind {
        "object" => "a map",
        "array" => "a list",
        "number" => "a number",
        "integer" => "a whole number",
        "boolean" => "true or false",
        _ => "a text",
    }
}

fn scalar(text: &str, quoted: bool, schema: &Value) -> Result<Value, Misfit> {
    let wrong = |wanted: &str| misfit("wrong-type", format!("`{text}` is not {wanted}"), &format!("write {wanted}"));
    match kind(schema) {
        "boolean" => match text {
            "true" if !quoted => Ok(Value::Bool(true)),
            "false" if !quoted => Ok(Value::Bool(false)),
            _ => Err(wrong("true or false")),
        },
        "integer" => {
            let number: i64 = text.parse().ok().filter(|_| !quoted).ok_or_else(|| wrong("a whole number"))?;
            in_range(number as f64, text, schema)?;
            Ok(Value::Number(number.into()))
        }
        "number" => {
            let number: f64 = text.parse().ok().filter(|_| !quoted).ok_or_else(|| wrong("a number"))?;
            in_range(number, text, schema)?;
            Number::from_f64(number).map(Value::Number).ok_or_else(|| wrong("a finite number"))
        }
        _ => {
            one_of(text, schema)?;
            let format = schema["format"].as_str().unwrap_or_default();
            let hint = schema["examples"][0].as_str().map_or(String::new(), |it| format!("for example {it}"));
            check_format(format, text).map_err(|message| Misfit { code: "bad-value", message, hint })?;
            Ok(Value::String(text.into()))
        }
    }
}

fn in_range(number: f64, text: &str, schema: &Value) -> Result<(), Misfit> {
    let (least, most) = (schema["minimum"].as_f64(), schema["maximum"].as_f64());
    if number.is_finite() && least.is_none_or(|it| number >= it) && most.is_none_or(|it| number <= it) {
        return Ok(());
    }
    let end = |it: Option<f64>| it.map_or("any".into(), |it| it.to_string());
    let message = format!("`{text}` is out of range: {} to {}", end(least), end(most));
    Err(misfit("out-of-range", message, "choose a value within the range"))
}

/// A choice of words is an `enum`, or a `oneOf` of constants where each word has a description.
fn one_of(text: &str, schema: &Value) -> Result<(), Misfit> {
    let listed = schema["enum"].as_array().into_iter().flatten();
    let described = schema["oneOf"].as_array().into_iter().flatten().flat_map(|it| match it["enum"].as_array() {
        Some(words) => words.iter().collect::<Vec<_>>(),
        None => vec![&it["const"]],
    });
    let words: Vec<&str> = listed.chain(described).filter_map(Value::as_str).collect();
    if words.is_empty() || words.contains(&text) {
        return Ok(());
    }
    let hint = match nearest(text, words.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("one of {}", words.join(", ")),
    };
    Err(Misfit { code: "unknown-word", message: format!("`{text}` is not possible here"), hint })
}
