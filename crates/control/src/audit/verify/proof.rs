//! Proof: one decision, in its segment, in the log, in a checkpoint; verified without the log (C2SP `tlog-proof`).
//!
//! # Invariants
//! - `PRF-1`: nothing in `extra` is believed before the outer proof holds: the entry in it is then the one that is in the log.

use std::fmt;

use evenkeel_api::evidence::canonical;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use super::{
    hash::{Hash, hex, leaf, walk},
    log::{signed, witnessed},
    note::{Checkpoint, Vkey, decimal},
    policy::Policy,
    report::{Check, Report},
};
use crate::audit::base64;

/// What the first line of a proof says.
const FIRST: &str = "c2sp.org/tlog-proof@v1";

/// A proof, read and not yet believed.
#[derive(Clone, Debug)]
pub struct Proof {
    entry: Vec<u8>,
    /// The place of the decision in its segment.
    index: u64,
    count: u64,
    inner: Vec<Hash>,
    /// The place of the entry in the log.
    seq: u64,
    outer: Vec<Hash>,
    checkpoint: Vec<u8>,
}

impl Proof {
    /// Reads a proof; a text says what is wrong with one that is none.
    ///
    /// # Errors
    /// It is not in its form.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        let (head, checkpoint) = text.split_once("\n\n").ok_or("no empty line is before its checkpoint")?;
        let mut lines = head.split('\n');
        if lines.next() != Some(FIRST) {
            return Err("its first line is not c2sp.org/tlog-proof@v1");
        }
        let extra = lines.next().and_then(|it| it.strip_prefix("extra ")).and_then(base64::decode);
        let extra = extra.ok_or("its second line is not the `extra` of a decision")?;
        let seq = lines.next().and_then(|it| it.strip_prefix("index ")).and_then(decimal);
        let seq = seq.ok_or("its third line is not an `index`")?;
        let outer = lines.map(hash).collect::<Option<_>>().ok_or("one of its hashes is none")?;
        let read: Value = serde_json::from_slice(&extra).map_err(|_| "its `extra` is no JSON")?;
        let entry = read["entry"].as_str().and_then(base64::decode).ok_or("its `extra` has no entry")?;
        let inner = read["path"].as_array().ok_or("its `extra` has no path")?;
        let inner = inner.iter().map(|it| it.as_str().and_then(hash)).collect::<Option<_>>();
        let inner = inner.ok_or("one of the hashes of its `extra` is none")?;
        let (Some(index), Some(count), Some(1)) = (read["index"].as_u64(), read["count"].as_u64(), read["v"].as_u64())
        else {
            return Err("its `extra` is not of version 1");
        };
        Ok(Self { entry, index, count, inner, seq, outer, checkpoint: checkpoint.into() })
    }
}

/// Reads the record of a decision.
///
/// # Errors
/// It is no JSON, or has a key twice: who reads the first of them sees another record than who reads the last.
pub fn record(text: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice::<Once>(text).map(|it| it.0)
}

/// JSON whose objects have each key once.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(OnceVisitor).map(Once)
    }
}

struct OnceVisitor;

impl<'de> Visitor<'de> for OnceVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, it: bool) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_i64<E: Error>(self, it: i64) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_u64<E: Error>(self, it: u64) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_f64<E: Error>(self, it: f64) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_str<E: Error>(self, it: &str) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(Once(it)) = from.next_element()? {
            all.push(it);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some((key, Once(it))) = from.next_entry::<String, Once>()? {
            if all.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key {key:?} is there twice")));
            }
            all.insert(key, it);
        }
        Ok(Value::Object(all))
    }
}

fn hash(text: &str) -> Option<Hash> {
    base64::decode(text)?.try_into().ok()
}

/// Verifies that a decision is what its proof says, by the key of the log alone.
pub fn check(proof: &Proof, decision: &Value, key: &Vkey, policy: Option<&Policy>) -> Report {
    let mut report = Report::default();
    let checkpoint = signed("the checkpoint of the proof", Some(&proof.checkpoint), key, policy);
    report.add(Check::Signature, checkpoint.as_ref().map(|_| format!("{} Ed25519", key.name)).map_err(Clone::clone));
    let Ok(checkpoint) = checkpoint else {
        [Check::Inclusion, Check::Witnesses].into_iter().for_each(|it| report.skip(it, "rests on the signature"));
        return report;
    };
    report.add(Check::Inclusion, included(proof, decision, &checkpoint));
    match policy {
        None => report.skip(Check::Witnesses, "no policy was given"),
        Some(policy) => report.add(Check::Witnesses, witnessed(policy, &checkpoint)),
    }
    report
}

fn included(proof: &Proof, decision: &Value, checkpoint: &Checkpoint) -> Result<String, String> {
    let top = walk(leaf(&proof.entry), proof.seq, checkpoint.size, &proof.outer);
    if top != Some(checkpoint.root) {
        return Err(format!("the entry is not entry {} of the log", proof.seq));
    }
    let entry: Value = serde_json::from_slice(&proof.entry).map_err(|_| "the entry is no JSON")?;
    let data = &entry["data"];
    if entry["type"] != "decision.batch" || data["count"] != proof.count {
        return Err(format!("entry {} is not of a segment of {} decisions", proof.seq, proof.count));
    }
    let mut record = decision.clone();
    if let Value::Object(fields) = &mut record {
        fields.remove("integrity");
    }
    let record = canonical(&record).map_err(|error| format!("the record has no canonical form: {error}"))?;
    let top = walk(leaf(&record), proof.index, proof.count, &proof.inner);
    if top.is_none_or(|it| data["merkle_root"] != hex(&it)) {
        let segment = data["segment"].as_str().unwrap_or_default();
        return Err(format!("the record is not decision {} of {segment}", proof.index + 1));
    }
    let (at, of) = (proof.index + 1, proof.count);
    Ok(format!("decision {at} of {of} in entry {} of {}", proof.seq, checkpoint.size))
}
