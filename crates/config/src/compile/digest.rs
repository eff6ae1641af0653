//! Digest: the name of a configuration (`governance.md`, section 2).
//!
//! # Invariants
//! - `DIG-1`: files that mean the same have the same digest: keys are sorted, defaults written out, durations are
//!   integers in nanoseconds, sizes in bytes, fractions decimal strings, features sorted, addresses without a slash at the
//!   end, and one of them alone under `url`.
//! - `DIG-2`: a file that the configuration names counts with its content, a secret with its reference;
//!   one that stands in the file itself with its digest. Certificates and their keys count with their names: that they are
//!   renewed decides nothing otherwise; what a model must be signed by does, so that counts with its content.
//!
//! # Source
//! The form is that of RFC 8785 for what occurs here: sorted keys, no spaces, integers below 2^53, minimal escapes.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    describe::json_schema,
    outside::Outside,
    schema::{certificate::Mode, file::File, path::Member, scalar::in_units, tier::Tier},
    secret::within,
    shape::{Form, kind, resolve},
};

/// Returns the digest of a file in its canonical form.
pub(super) fn of(canonical: &Value) -> [u8; 32] {
    Sha256::digest(canonical.to_string().as_bytes()).into()
}

/// Keys of a route that say nothing of what it takes and gives, and by whom.
const HOW_A_ROUTE_ASKS: [&str; 19] = [
    "guards",
    "certificate",
    "deadline",
    "max_attempts",
    "on_policy",
    "on_capability",
    "when_exhausted",
    "commit",
    "slo",
    "priority",
    "require_headroom",
    "rescue",
    "retry_budget",
    "max_batch",
    "shadow",
    "drift",
    "rehearsal",
    "quality",
    "journey",
];
/// The same of a tier.
const HOW_A_TIER_IS_ASKED: [&str; 13] = [
    "first_token",
    "stall",
    "total",
    "finalise",
    "min_rate",
    "retries",
    "max_answer",
    "limit",
    "hedge",
    "capacity_domain",
    "after_break",
    "prefill",
    "breaker",
];

/// Returns a digest of what a route takes and gives, and who answers: answers that were kept under another are not its own
/// (F-141). A key that nobody has thought of here counts, which costs no more than answers that are not found.
pub(super) fn contract(canonical: &Value, route: &str) -> [u8; 32] {
    let mut route = canonical["routes"][route].clone();
    let forget = |of: &mut Value, keys: &[&str]| {
        if let Value::Object(fields) = of {
            keys.iter().for_each(|key| drop(fields.remove(*key)));
        }
    };
    forget(&mut route, &HOW_A_ROUTE_ASKS);
    // Whose answers are kept decides whose are given; how long does not.
    route["cache"] = route["cache"]["from"].clone();
    if let Value::Array(tiers) = &mut route["tiers"] {
        tiers.iter_mut().for_each(|tier| forget(tier, &HOW_A_TIER_IS_ASKED));
    }
    Sha256::digest(route.to_string().as_bytes()).into()
}

/// Returns the canonical form of a file whose defaults are written out, and that is written in one way (`write_out`).
pub(super) fn canonical(file: &File, outside: &Outside) -> Value {
    let schema = json_schema();
    let written = serde_json::to_value(file).expect("a file that was read can be written");
    let mut canonical = Canonical { schema }.value(written, schema);
    for (name, route) in &file.routes {
        for (at, tier) in route.tiers.iter().enumerate() {
            let canonical = &mut canonical["routes"][name]["tiers"][at];
            with_content(canonical, tier, outside);
            for (at, Member(member)) in tier.kinds.members().iter().enumerate() {
                with_content(&mut canonical["paths"][at], member, outside);
            }
        }
    }
    for (name, route) in &file.routes {
        if let Some(it) = &route.certificate {
            let file = format!("sha256:{}", hex(&outside.file(it.file()).sha256));
            // A file alone is one that is observed, in whichever way that is written.
            let enforced = json!({"file": file, "mode": "enforce"});
            canonical["routes"][name]["certificate"] = if it.mode() == Mode::Enforce { enforced } else { json!(file) };
        }
        for (at, step) in route.post.iter().enumerate() {
            if let Some(json) = &step.json {
                let sha256 = hex(&outside.file(&json.schema).sha256);
                canonical["routes"][name]["post"][at]["json"]["schema"] = json!(format!("sha256:{sha256}"));
            }
        }
    }
    for (name, route) in &file.routes {
        if let Some(file) = route.input.as_ref().and_then(|it| it.reference.as_ref()) {
            let sha256 = hex(&outside.file(file).sha256);
            canonical["routes"][name]["input"]["reference"] = json!(format!("sha256:{sha256}"));
        }
    }
    for (name, upstream) in &file.upstreams {
        if let Some(value) = upstream.api_key.as_ref().filter(|it| within(it).is_none()) {
            let sha256 = hex(&Sha256::digest(value.as_bytes()));
            canonical["upstreams"][name]["api_key"] = json!(format!("sha256:{sha256}"));
        }
    }
    if let Some(value) = file.audit.key.as_ref().filter(|it| within(it).is_none()) {
        canonical["audit"]["key"] = json!(format!("sha256:{}", hex(&Sha256::digest(value.as_bytes()))));
    }
    if let Some(value) = file.shared().filter(|it| within(it).is_none()) {
        let sha256 = json!(format!("sha256:{}", hex(&Sha256::digest(value.as_bytes()))));
        match &mut canonical["shared"] {
            Value::Object(store) => drop(store.insert("url".into(), sha256)),
            address => *address = sha256,
        }
    }
    canonical
}

/// Puts the content of the files that a path names in place of their names.
fn with_content(canonical: &mut Value, tier: &Tier, outside: &Outside) {
    if let Some(file) = tier.calibrate_to.as_ref().and_then(|it| it.file.as_ref()) {
        let sha256 = hex(&outside.file(file).sha256);
        canonical["calibrate_to"]["file"] = json!(format!("sha256:{sha256}"));
    }
    if let Some(file) = tier.accept.as_ref().and_then(|it| it.calibration.as_ref()) {
        let sha256 = hex(&outside.file(file).sha256);
        canonical["accept"]["calibration"] = json!(format!("sha256:{sha256}"));
    }
    if let Some(file) = tier.vote.as_ref().and_then(|it| it.calibration.as_ref()) {
        let sha256 = hex(&outside.file(file).sha256);
        canonical["vote"]["calibration"] = json!(format!("sha256:{sha256}"));
    }
    for (kind, path) in tier.kinds.given() {
        if let Some((key, file)) = path.file() {
            let sha256 = hex(&outside.file(&file).sha256);
            canonical[kind][key] = json!(format!("sha256:{sha256}"));
        }
        for (key, sha256) in path.proofs(outside) {
            canonical[kind][key] = json!(format!("sha256:{}", hex(&sha256)));
        }
    }
}

/// Writes bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// Rewrites values by what the schema says of them.
struct Canonical<'a> {
    schema: &'a Value,
}

impl<'a> Canonical<'a> {
    fn value(&self, value: Value, schema: &'a Value) -> Value {
        let form = match &value {
            Value::Object(_) => Form::Map,
            Value::Array(_) => Form::List,
            _ => Form::Scalar,
        };
        let schema = resolve(self.schema, schema, form);
        match value {
            Value::Object(fields) => {
                let of = |name: &str| match &schema["properties"][name] {
                    Value::Null => &schema["additionalProperties"],
                    known => known,
                };
                fields.into_iter().map(|(name, value)| (name.clone(), self.value(value, of(&name)))).collect()
            }
            Value::Array(items) => {
                let fixed = schema["prefixItems"].as_array();
                let of = |at: usize| fixed.and_then(|fixed| fixed.get(at)).unwrap_or(&schema["items"]);
                items.into_iter().enumerate().map(|(at, item)| self.value(item, of(at))).collect()
            }
            Value::String(text) => match in_units(schema["format"].as_str().unwrap_or_default(), &text) {
                Some(number) => json!(number),
                None => Value::String(text),
            },
            Value::Number(number) if kind(schema) == "number" || number.is_f64() => {
                json!(number.as_f64().map_or(String::new(), |it| it.to_string()))
            }
            other => other,
        }
    }
}
