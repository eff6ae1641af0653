//! Entry: what the log holds, one JSON object in canonical form each (`governance.md`, section 10).

use std::borrow::Cow;

use evenkeel_api::evidence::canonical;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::tree::Hash;

/// The most bytes of an entry. The format allows 65,535; what is larger is named by its digest.
const MOST_BYTES: usize = 60 << 10;
/// The most bytes of a type or an actor. Those that are written here are shorter; a name that somebody gave may have any length, and
/// with it an entry that the format cannot hold would end the log.
const LONGEST_NAME: usize = 256;

/// What is to be entered: everything but the place in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// When it happened.
    pub time: Timestamp,
    /// Its type, one of the closed list.
    pub kind: String,
    /// Who did it: `user:…`, `token:…`, `rule:…` or `system:…`.
    pub actor: String,
    /// What happened.
    pub data: Value,
    /// The lines of the spool that it is made of; none of what was entered by hand.
    pub source: Option<Source>,
}

/// Which lines of the spool an entry is made of: so none is entered twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The instance that wrote them.
    pub instance: String,
    /// The number of the last of them.
    pub n: u64,
    /// `decisions` or `events`.
    pub stream: String,
}

impl Draft {
    /// Writes the entry at a place.
    pub(super) fn entry(&self, seq: u64, prev: &Hash) -> Vec<u8> {
        let whole = self.written(seq, prev, self.data.clone());
        if let Some(entry) = whole.filter(|it| it.len() <= MOST_BYTES) {
            return entry;
        }
        // Larger evidence stays where it is, in the spool, and the log holds its digest; so does what has no canonical form.
        self.written(seq, prev, named(&self.data)).expect("a digest has a canonical form")
    }

    fn written(&self, seq: u64, prev: &Hash, data: Value) -> Option<Vec<u8>> {
        let time = format!("{:.3}", self.time);
        let (kind, actor) = (short(&self.kind), short(&self.actor));
        let mut entry = json!({"v": 1, "seq": seq, "time": time, "type": kind, "actor": actor, "prev": hex(prev)});
        entry["data"] = data;
        if let Some(source) = &self.source {
            entry["source"] = json!(source);
        }
        canonical(&entry).ok()
    }
}

/// Names evidence by the digest of its canonical form.
pub(super) fn named(data: &Value) -> Value {
    let form = canonical(data).unwrap_or_else(|_| data.to_string().into_bytes());
    json!({"bytes": form.len(), "sha256": hex(&Sha256::digest(&form))})
}

/// Returns the beginning of a name that is too long, with a mark that something was cut off.
fn short(name: &str) -> Cow<'_, str> {
    match name.len() > LONGEST_NAME {
        true => format!("{}…", &name[..name.floor_char_boundary(LONGEST_NAME - 3)]).into(),
        false => name.into(),
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
