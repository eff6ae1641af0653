//! Model: what a model says, by seed: text, JSON after a schema, numbers.
//!
//! It is not a language model and not a protocol: words from a list, in an order that follows from seed, model and prompt.
//!
//! # Invariants
//! - `MODEL-1`: the same seed, model and prompt give the same words; how many of them is the caller's business.

use serde_json::{Map, Value, json};

use crate::draw::{Draw, digest};

/// The words. Some are not ASCII, so that events split inside UTF-8 are met in every run.
const WORDS: [&str; 48] = [
    "the", "answer", "to", "your", "question", "is", "in", "order", "and", "we", "will", "send", "it", "again",
    "today", "please", "check", "parcel", "number", "with", "café", "naïve", "Grüße", "über", "das", "Paket", "kommt",
    "morgen", "número", "año", "日本", "→", "one", "two", "three", "four", "a", "person", "helps", "you", "soon",
    "thank", "for", "waiting", "price", "house", "street", "ready",
];
/// How deep a schema is followed; deeper is null.
const MAX_DEPTH: u32 = 12;

/// Returns the draws of one text: part of an answer that follows from seed, model and prompt alone.
pub(crate) fn voice(seed: u64, model: &str, prompt: &[u8], part: u64) -> Draw {
    Draw::new(seed ^ digest(&[model.as_bytes(), prompt]), part)
}

/// Says so many tokens; together they are a text with a full stop now and then.
pub(crate) fn text(draw: &mut Draw, tokens: u32) -> Vec<String> {
    let word = |index: u32| {
        let word = WORDS[draw.below(WORDS.len())];
        match (index, index % 9) {
            (0, _) => word.to_owned(),
            (_, 8) => format!(" {word}."),
            _ => format!(" {word}"),
        }
    };
    (0..tokens).map(word).collect()
}

/// Cuts a text that was made whole into tokens of a few characters.
pub(crate) fn tokenise(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(5).map(|token| token.iter().collect()).collect()
}

/// Makes a small JSON object, as a model in JSON mode would.
pub(crate) fn object(draw: &mut Draw) -> Value {
    json!({"answer": WORDS[draw.below(WORDS.len())], "score": draw.below(100)})
}

/// Makes a value that a JSON schema allows, as far as its common words go.
pub(crate) fn sample(schema: &Value, draw: &mut Draw) -> Value {
    Sampler { root: schema, draw }.value(schema, 0)
}

/// Makes the unit vector of an input.
pub(crate) fn vector(draw: &mut Draw, width: u32) -> Vec<f32> {
    let raw: Vec<f64> = (0..width).map(|_| draw.unit() * 2.0 - 1.0).collect();
    let norm = raw.iter().map(|x| x * x).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    raw.iter().map(|x| (x / norm) as f32).collect()
}

/// Returns the words of a text, in lower case.
pub(crate) fn words(text: &str) -> Vec<String> {
    text.split(|it: char| !it.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// Adds vectors up to one of length 1; the first where they leave nothing.
pub(crate) fn sum(vectors: &[Vec<f32>]) -> Vec<f32> {
    let width = vectors.first().map_or(0, Vec::len);
    let total: Vec<f64> = (0..width).map(|at| vectors.iter().map(|it| f64::from(it[at])).sum()).collect();
    let norm = total.iter().map(|x| x * x).sum::<f64>().sqrt();
    match norm > 1e-9 {
        true => total.iter().map(|x| (x / norm) as f32).collect(),
        false => vectors.first().cloned().unwrap_or_default(),
    }
}

/// A walk through one schema.
struct Sampler<'a> {
    root: &'a Value,
    draw: &'a mut Draw,
}

impl Sampler<'_> {
    fn value(&mut self, schema: &Value, depth: u32) -> Value {
        if depth > MAX_DEPTH {
            return Value::Null;
        }
        if let Some(fixed) = schema.get("const") {
            return fixed.clone();
        }
        if let Some(choices) = schema.get("enum").and_then(Value::as_array).filter(|choices| !choices.is_empty()) {
            return choices[self.draw.below(choices.len())].clone();
        }
        if let Some(path) = schema.get("$ref").and_then(Value::as_str) {
            let target = path.strip_prefix('#').and_then(|path| self.root.pointer(path)).cloned();
            return target.map_or(Value::Null, |target| self.value(&target, depth + 1));
        }
        for union in ["anyOf", "oneOf", "allOf"] {
            if let Some(first) = schema.get(union).and_then(|schemas| schemas.get(0)) {
                return self.value(first, depth + 1);
            }
        }
        let kind = schema.get("type");
        let kind = kind.and_then(|kind| kind.as_str().or_else(|| kind.get(0)?.as_str()));
        match kind {
            Some("string") => WORDS[self.draw.below(WORDS.len())].into(),
            Some("integer") => self.within(schema).into(),
            Some("number") => (self.within(schema) as f64 + 0.5).into(),
            Some("boolean") => self.draw.share(0.5).into(),
            Some("array") => self.array(schema, depth),
            Some("object") => self.object(schema, depth),
            None if schema.get("properties").is_some() => self.object(schema, depth),
            _ => Value::Null,
        }
    }

    fn within(&mut self, schema: &Value) -> i64 {
        let bound = |name: &str| schema.get(name).and_then(Value::as_f64).map(|bound| bound.ceil() as i64);
        let low = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|low| low.saturating_add(1))).unwrap_or(0);
        let high = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|high| high.saturating_sub(1)));
        let span = high.unwrap_or(low.saturating_add(99)).saturating_sub(low).clamp(0, 99);
        low.saturating_add(self.draw.below(span as usize + 1) as i64)
    }

    fn array(&mut self, schema: &Value, depth: u32) -> Value {
        let count = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1).clamp(1, 16);
        let item = schema.get("items").cloned().unwrap_or_else(|| json!({"type": "string"}));
        (0..count).map(|_| self.value(&item, depth + 1)).collect()
    }

    fn object(&mut self, schema: &Value, depth: u32) -> Value {
        let mut object = Map::new();
        for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            object.insert(name.clone(), self.value(property, depth + 1));
        }
        Value::Object(object)
    }
}
