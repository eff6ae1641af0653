//! Prove: which decision is where in the log, and the hashes that show it; and what of the log is for auditors.
//!
//! It reads files alone, with the readers of `verify`, and believes them: whether a proof holds says who checks it.

use std::path::Path;

use evenkeel_api::evidence::canonical;
use serde_json::{Value, json};

use super::{
    base64,
    verify::{Bundles, Checkpoint, Hash, ReadError, leaf, lines, node, read},
};

/// Types that are left out of what Article 12 of the AI Act is about: they are of the log itself.
const OF_THE_LOG: [&str; 3] = ["access.", "key.", "audit.checkpoint"];

/// Why nothing can be proved.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log is not whole.
    #[error("use the log {0}: {1}; `evenkeel audit verify` says more")]
    Broken(String, String),
}

/// A decision, and the proof that it is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proved {
    /// A C2SP `tlog-proof`.
    pub proof: String,
    /// The record, as its segment holds it.
    pub record: Vec<u8>,
}

/// What of a log is asked for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The first moment, in RFC 3339.
    pub from: Option<String>,
    /// The moment behind the last one.
    pub to: Option<String>,
    /// Types, whole or up to their dot; all where there are none.
    pub kinds: Vec<String>,
    /// What Article 12 of the AI Act is about: everything but what is of the log itself.
    pub article12: bool,
}

/// Proves a decision; none of one that is in no segment of the log, or in none that is kept.
///
/// # Errors
/// A file cannot be read, or the log is not whole.
pub fn prove(log: &Path, decision: &str) -> Result<Option<Proved>, ProveError> {
    let taken = Taken::read(log)?;
    let instances = log.parent().unwrap_or(Path::new("")).join("instances");
    for (seq, entry) in taken.entries.iter().enumerate().rev() {
        let Some(name) = batch(entry) else { continue };
        let Some(bytes) = read(&instances.join(&name))? else { continue };
        let lines = lines(&bytes).ok_or_else(|| taken.broken(format!("{name} cannot be unpacked")))?;
        let Some(index) = lines.iter().position(|it| id(it, decision)) else { continue };
        let inner = Subtrees::over(lines.iter().map(|it| leaf(it)).collect()).path(index);
        let extra = json!({
            "v": 1,
            "entry": base64::encode(entry),
            "index": index,
            "count": lines.len(),
            "path": inner.iter().map(|it| base64::encode(it)).collect::<Vec<_>>(),
        });
        let extra = canonical(&extra).map_err(|error| taken.broken(error.to_string()))?;
        let outer: String = taken.tree().path(seq).iter().map(|it| base64::encode(it) + "\n").collect();
        let head = format!("c2sp.org/tlog-proof@v1\nextra {}\nindex {seq}\n{outer}", base64::encode(&extra));
        return Ok(Some(Proved { proof: format!("{head}\n{}", taken.checkpoint), record: lines[index].clone() }));
    }
    Ok(None)
}

/// Returns the entries that are asked for, each with its proof, and the checkpoint that they are proved by as the last.
///
/// # Errors
/// A file cannot be read, or the log is not whole.
pub fn export(log: &Path, wanted: &Wanted) -> Result<Vec<Value>, ProveError> {
    let taken = Taken::read(log)?;
    let tree = taken.tree();
    let mut told = Vec::new();
    for (seq, bytes) in taken.entries.iter().enumerate() {
        let entry: Value =
            serde_json::from_slice(bytes).map_err(|_| taken.broken(format!("entry {seq} is no JSON")))?;
        if wanted.takes(&entry) {
            let path: Vec<_> = tree.path(seq).iter().map(|it| base64::encode(it)).collect();
            told.push(json!({"entry": entry, "index": seq, "path": path}));
        }
    }
    told.push(json!({"checkpoint": taken.checkpoint}));
    Ok(told)
}

impl Wanted {
    fn takes(&self, entry: &Value) -> bool {
        let text = |key: &str| entry[key].as_str().unwrap_or_default();
        // Times of entries are all in one form, so their texts have their order.
        let after = self.from.as_ref().is_none_or(|from| text("time") >= from.as_str());
        let before = self.to.as_ref().is_none_or(|to| text("time") < to.as_str());
        let kind = text("type");
        let of = |it: &String| {
            kind == it || kind.strip_prefix(it.trim_end_matches(".*")).is_some_and(|it| it.starts_with('.'))
        };
        let named = self.kinds.is_empty() || self.kinds.iter().any(of);
        let article12 = !self.article12 || !OF_THE_LOG.iter().any(|it| kind.starts_with(it));
        after && before && named && article12
    }
}

/// The entries that a checkpoint covers.
struct Taken {
    log: String,
    checkpoint: String,
    entries: Vec<Vec<u8>>,
}

impl Taken {
    fn read(log: &Path) -> Result<Self, ProveError> {
        let broken = |why: String| ProveError::Broken(log.display().to_string(), why);
        let checkpoint = read(&log.join("checkpoint"))?.ok_or_else(|| broken("it has no checkpoint".into()))?;
        let size = Checkpoint::read(&checkpoint).map_err(|why| broken(format!("of its checkpoint, {why}")))?.size;
        let mut entries = Vec::new();
        for bundle in Bundles::new(log, size) {
            entries.extend(bundle?.1.map_err(broken)?);
        }
        Ok(Self { log: log.display().to_string(), checkpoint: String::from_utf8_lossy(&checkpoint).into(), entries })
    }

    fn tree(&self) -> Subtrees {
        Subtrees::over(self.entries.iter().map(|it| leaf(it)).collect())
    }

    fn broken(&self, why: String) -> ProveError {
        ProveError::Broken(self.log.clone(), why)
    }
}

/// The roots of all whole subtrees: of one leaf, of two, of four, …
struct Subtrees(Vec<Vec<Hash>>);

impl Subtrees {
    fn over(leaves: Vec<Hash>) -> Self {
        let mut levels = vec![leaves];
        while let Some(below) = levels.last().filter(|it| it.len() > 1) {
            let above = below.as_chunks::<2>().0.iter().map(|[left, right]| node(left, right)).collect();
            levels.push(above);
        }
        Self(levels)
    }

    /// Returns the proof of a leaf, lowest first (RFC 6962, section 2.1.1).
    fn path(&self, index: usize) -> Vec<Hash> {
        let (mut from, mut to, mut path) = (0, self.0[0].len(), Vec::new());
        while to - from > 1 {
            let middle = from + (1 << (to - from - 1).ilog2());
            let beside = if index < middle { (middle, to) } else { (from, middle) };
            path.push(self.root(beside.0, beside.1));
            (from, to) = if index < middle { (from, middle) } else { (middle, to) };
        }
        path.reverse();
        path
    }

    fn root(&self, from: usize, to: usize) -> Hash {
        let width = to - from;
        if width.is_power_of_two() {
            // What is split off on the way begins at a multiple of its width.
            return self.0[width.ilog2() as usize][from >> width.ilog2()];
        }
        let middle = from + (1 << (width - 1).ilog2());
        node(&self.root(from, middle), &self.root(middle, to))
    }
}

/// Returns the name of the segment that an entry is of.
fn batch(entry: &[u8]) -> Option<String> {
    let entry: Value = serde_json::from_slice(entry).ok()?;
    let name = entry["data"]["segment"].as_str().filter(|it| !it.contains(".."))?;
    (entry["type"] == "decision.batch").then(|| name.to_owned())
}

/// Says whether a line is the record of a decision.
fn id(line: &[u8], decision: &str) -> bool {
    serde_json::from_slice::<Value>(line).is_ok_and(|it| it["id"] == decision)
}
