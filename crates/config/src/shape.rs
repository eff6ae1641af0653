//! Shape: holds a tree against the JSON schema that the types declare, and reports every misfit.
//!
//! It knows no field by name: keys, types, ranges and formats come from the schema, so a field that is added to a type
//! is checked from then on. What fits comes out as JSON, which the types then read; their own errors would be the
//! second opinion of the same schema. Where something required is missing or wrong, a stand-in of the right shape takes
//! its place, so that the rules across fields still see the rest; those rules do not speak about stand-ins.
//!
//! # Invariants
//! - `SHAPE-1`: what comes out deserialises, whatever the tree was.
//! - `SHAPE-2`: a key that the schema does not name is an error, wherever it stands; `x-misplaced` of a schema has words for one that
//!   stands elsewhere.
//! - `SHAPE-3`: what comes out is the file's own word, or its key is in `doubts`, or the key is optional and left out.

mod scalar;
mod stand_in;

use serde_json::{Map, Value};

use crate::{
    diagnostic::{Diagnostic, Severity, nearest},
    tree::{Key, Node, NodeKind, Place},
};

/// A tree as JSON, and what was wrong with it.
#[derive(Debug)]
pub(crate) struct Shaped {
    pub(crate) value: Value,
    pub(crate) found: Vec<Diagnostic>,
    /// Keys about which something is said already.
    pub(crate) doubts: Vec<Key>,
}

/// Holds trees against one schema.
pub(crate) struct Shape<'a> {
    file: &'a str,
    schema: &'a Value,
    found: Vec<Diagnostic>,
    doubts: Vec<Key>,
}

/// What is wrong with a node, before it has a place.
struct Misfit {
    code: &'static str,
    message: String,
    hint: String,
}

/// Follows references in a schema, and an optional thing to the thing. Of several alternatives it takes the one that is
/// written as the node is: as a map, a list or a single value.
pub(crate) fn resolve<'a>(root: &'a Value, schema: &'a Value, node: Form) -> &'a Value {
    if let Some(name) = schema["$ref"].as_str() {
        return resolve(root, &root["$defs"][name.trim_start_matches("#/$defs/")], node);
    }
    let Some(any) = schema["anyOf"].as_array() else { return schema };
    let mut inner = any.iter().filter(|it| it["type"] != "null").map(|it| resolve(root, it, node));
    let first = inner.clone().next().unwrap_or(schema);
    inner.find(|it| form(kind(it)) == node).unwrap_or(first)
}

/// How something is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Scalar,
    List,
    Map,
}

/// Returns how a type is written.
fn form(kind: &str) -> Form {
    match kind {
        "object" => Form::Map,
        "array" => Form::List,
        _ => Form::Scalar,
    }
}

/// Returns the one type that a value should have. A choice of words is a string; several types are any `scalar`.
pub(crate) fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(only) => only,
        Value::Array(any) => {
            let mut any = any.iter().filter_map(Value::as_str).filter(|it| *it != "null");
            match (any.next(), any.next()) {
                (Some(only), None) => only,
                _ => "scalar",
            }
        }
        _ => "string",
    }
}

impl<'a> Shape<'a> {
    /// Checks a tree; returns it as JSON with everything that is wrong with it.
    pub(crate) fn check(file: &'a str, schema: &'a Value, tree: &Node) -> Shaped {
        let mut shape = Self { file, schema, found: Vec::new(), doubts: Vec::new() };
        let value = shape.value(tree, schema, &Key::default());
        Shaped { value, found: shape.found, doubts: shape.doubts }
    }

    /// Reports a misfit, for which a stand-in is used.
    fn doubt(&mut self, place: Place, key: &Key, misfit: Misfit) {
        self.report(place, key, misfit);
        self.doubts.push(key.clone());
    }

    fn report(&mut self, place: Place, key: &Key, misfit: Misfit) {
        let Misfit { code, message, hint } = misfit;
        let (file, key) = (self.file.to_owned(), key.to_string());
        let Place { line, column } = place;
        self.found.push(Diagnostic { code, severity: Severity::Error, file, line, column, key, message, hint });
    }

    /// Returns a node as JSON, or a stand-in; null where nothing is written and nothing has to be.
    fn value(&mut self, node: &Node, schema: &'a Value, key: &Key) -> Value {
        let written = match &node.kind {
            NodeKind::Map(_) => Form::Map,
            NodeKind::List(_) => Form::List,
            NodeKind::Scalar { .. } => Form::Scalar,
        };
        let optional = allows(schema, "null");
        let schema = resolve(self.schema, schema, written);
        if node.is_nothing() && (optional || allows(schema, "null")) {
            return Value::Null;
        }
        let read = match (&node.kind, form(kind(schema))) {
            (NodeKind::Map(fields), Form::Map) => return self.object(node.place, fields, schema, key),
            (NodeKind::List(items), Form::List) => self.array(items, schema, key),
            (NodeKind::Scalar { text, quoted, .. }, Form::Scalar) if !node.is_nothing() => {
                scalar::read(text, *quoted, schema)
            }
            (found, _) => {
                let wanted = scalar::article(kind(schema));
                let message = format!("expected {wanted}, found {}", found.name());
                Err(misfit("wrong-type", message, &format!("write {}", keys(schema).unwrap_or(wanted.into()))))
            }
        };
        read.unwrap_or_else(|misfit| {
            self.doubt(node.place, key, misfit);
            if optional { Value::Null } else { stand_in::of(self.schema, schema) }
        })
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
                    let elsewhere = misplaced(&schema["x-misplaced"][name.as_str()]);
                    self.report(*at, &key, elsewhere.unwrap_or_else(|| unknown(name, names)));
                    continue;
                }
            };
            object.insert(name.clone(), value);
        }
        // Nothing written is the same as a key left out.
        object.retain(|_, value| !value.is_null());
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(name) {
                let message = format!("`{name}` is missing");
                self.doubt(place, &key.field(name), misfit("missing-key", message, "add it"));
                let wanted = resolve(self.schema, &schema["properties"][name], Form::Scalar);
                object.insert(name.to_owned(), stand_in::of(self.schema, wanted));
            }
        }
        Value::Object(object)
    }

    fn array(&mut self, items: &[Node], schema: &'a Value, key: &Key) -> Result<Value, Misfit> {
        let fixed = schema["prefixItems"].as_array();
        let (least, most) = (schema["minItems"].as_u64(), schema["maxItems"].as_u64());
        let count = items.len() as u64;
        if least.is_some_and(|least| count < least) || most.is_some_and(|most| count > most) {
            let stand = if count == 1 { "1 item stands here".into() } else { format!("{count} items stand here") };
            let needed = match (least, most) {
                (Some(only), Some(most)) if only == most => format!("exactly {only}"),
                (Some(least), Some(most)) => format!("{least} to {most}"),
                (Some(least), None) => format!("{least} or more"),
                (None, most) => format!("at most {}", most.unwrap_or_default()),
            };
            let hint = if least.is_some_and(|least| count < least) { "add what is missing" } else { "remove some" };
            return Err(misfit("wrong-length", format!("{stand}, and not {needed}"), hint));
        }
        let of = |at: usize| fixed.and_then(|fixed| fixed.get(at)).unwrap_or(&schema["items"]);
        let items = items.iter().enumerate().map(|(at, item)| self.value(item, of(at), &key.index(at)));
        Ok(Value::Array(items.collect()))
    }
}

/// Returns a map with the keys that it must have, as one writes it; none where no key is needed.
fn keys(schema: &Value) -> Option<String> {
    let needed: Vec<_> =
        schema["required"].as_array()?.iter().filter_map(|it| Some(format!("{}: …", it.as_str()?))).collect();
    (!needed.is_empty()).then(|| format!("`{{{}}}`", needed.join(", ")))
}

fn misfit(code: &'static str, message: String, hint: &str) -> Misfit {
    Misfit { code, message, hint: hint.into() }
}

/// Reads what a schema says of a key that people expect here and that stands elsewhere: why, and what to do.
fn misplaced(words: &Value) -> Option<Misfit> {
    Some(misfit("misplaced-key", words[0].as_str()?.to_owned(), words[1].as_str()?))
}

fn unknown<'b>(name: &str, known: impl Iterator<Item = &'b str> + Clone) -> Misfit {
    let hint = match nearest(name, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known keys are {}", known.collect::<Vec<_>>().join(", ")),
    };
    Misfit { code: "unknown-key", message: format!("`{name}` is not a key here"), hint }
}

/// Says whether a value of this type fits.
fn allows(schema: &Value, kind: &str) -> bool {
    let own = match &schema["type"] {
        Value::String(only) => only == kind,
        Value::Array(any) => any.iter().any(|it| it == kind),
        _ => false,
    };
    own || schema["anyOf"].as_array().is_some_and(|any| any.iter().any(|it| it["type"] == kind))
}
