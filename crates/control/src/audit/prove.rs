//! Prove: which decision is where in the log, and the hashes that show it; and what of the log is for auditors.
//!
//! It reads files alone, with the readers of `verify`, and believes them: whether a proof holds says who checks it.

use std::path::{Path, PathBuf};

use evenkeel_api::evidence::canonical;
use serde_json::{Value, json};

use super::{
    base64,
    verify::{Bundles, Checkpoint, Hash, ReadError, WIDTH, leaf, lines, node, read},
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
///
/// # Cost
/// It reads back from the newest segment to the one with the decision, then the whole log once; memory for two hashes of each entry.
pub fn prove(log: &Path, decision: &str) -> Result<Option<Proved>, ProveError> {
    let taken = Taken::read(log)?;
    let instances = log.parent().unwrap_or(Path::new("")).join("instances");
    for n in (0..taken.size.div_ceil(WIDTH)).rev() {
        for (seq, entry) in taken.bundle(n)?.iter().rev() {
            let Some(name) = batch(entry) else { continue };
            let Some(bytes) = read(&instances.join(&name))? else { continue };
            let lines = lines(&bytes).ok_or_else(|| taken.broken(format!("{name} cannot be unpacked")))?;
            if let Some(index) = lines.iter().position(|it| id(it, decision)) {
                return taken.proof((*seq, entry), &lines, index).map(Some);
            }
        }
    }
    Ok(None)
}

/// Finds the entries that are asked for.
///
/// # Errors
/// A file cannot be read, or the log is not whole.
///
/// # Cost
/// It reads the log once, and once more as they are printed; memory for two hashes of each entry.
pub fn export(log: &Path, wanted: &Wanted) -> Result<Exported, ProveError> {
    let taken = Taken::read(log)?;
    let (mut leaves, mut entries) = (Vec::new(), 0);
    for n in 0..taken.size.div_ceil(WIDTH) {
        for (seq, bytes) in taken.bundle(n)? {
            leaves.push(leaf(&bytes));
            entries += u64::from(wanted.takes(&taken.parsed(seq, &bytes)?));
        }
    }
    Ok(Exported { entries, tree: Subtrees::over(leaves), wanted: wanted.clone(), taken })
}

/// Entries that were asked for.
pub struct Exported {
    /// How many there are.
    pub entries: u64,
    taken: Taken,
    tree: Subtrees,
    wanted: Wanted,
}

impl Exported {
    /// Returns each entry with its proof, and the checkpoint that they are proved by as the last.
    ///
    /// # Errors
    /// A file cannot be read any more.
    pub fn lines(&self) -> impl Iterator<Item = Result<Value, ProveError>> {
        let bundles = (0..self.taken.size.div_ceil(WIDTH)).flat_map(|n| {
            let (read, broken) = match self.taken.bundle(n) {
                Ok(read) => (read, None),
                Err(error) => (Vec::new(), Some(Err(error))),
            };
            read.into_iter().filter_map(|(seq, bytes)| self.line(seq, &bytes).transpose()).chain(broken)
        });
        bundles.chain(std::iter::once_with(|| Ok(json!({"checkpoint": self.taken.checkpoint}))))
    }

    fn line(&self, seq: u64, bytes: &[u8]) -> Result<Option<Value>, ProveError> {
        let entry = self.taken.parsed(seq, bytes)?;
        let path = || self.tree.path(seq as usize).iter().map(|it| base64::encode(it)).collect::<Vec<_>>();
        Ok(self.wanted.takes(&entry).then(|| json!({"path": path(), "entry": entry, "index": seq})))
    }
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

/// A log, as far as its checkpoint covers it.
struct Taken {
    log: PathBuf,
    checkpoint: String,
    size: u64,
}

impl Taken {
    fn read(log: &Path) -> Result<Self, ProveError> {
        let broken = |why: String| ProveError::Broken(log.display().to_string(), why);
        let checkpoint = read(&log.join("checkpoint"))?.ok_or_else(|| broken("it has no checkpoint".into()))?;
        let size = Checkpoint::read(&checkpoint).map_err(|why| broken(format!("of its checkpoint, {why}")))?.size;
        Ok(Self { log: log.into(), checkpoint: String::from_utf8_lossy(&checkpoint).into(), size })
    }

    /// Reads the entries of a bundle, with their numbers.
    fn bundle(&self, n: u64) -> Result<Vec<(u64, Vec<u8>)>, ProveError> {
        let Some(bundle) = Bundles::new(&self.log, self.size).at(n).next() else { return Ok(Vec::new()) };
        let entries = bundle?.1.map_err(|why| self.broken(why))?;
        Ok((n * WIDTH..).zip(entries).collect())
    }

    fn parsed(&self, seq: u64, entry: &[u8]) -> Result<Value, ProveError> {
        serde_json::from_slice(entry).map_err(|_| self.broken(format!("entry {seq} is no JSON")))
    }

    /// Writes the proof of a line of the segment of an entry.
    fn proof(&self, (seq, entry): (u64, &[u8]), lines: &[Vec<u8>], index: usize) -> Result<Proved, ProveError> {
        let inner = Subtrees::over(lines.iter().map(|it| leaf(it)).collect()).path(index);
        let extra = json!({
            "v": 1,
            "entry": base64::encode(entry),
            "index": index,
            "count": lines.len(),
            "path": inner.iter().map(|it| base64::encode(it)).collect::<Vec<_>>(),
        });
        let extra = canonical(&extra).map_err(|error| self.broken(error.to_string()))?;
        let mut leaves = Vec::new();
        for n in 0..self.size.div_ceil(WIDTH) {
            leaves.extend(self.bundle(n)?.iter().map(|(_, it)| leaf(it)));
        }
        let outer = Subtrees::over(leaves).path(seq as usize);
        let outer: String = outer.iter().map(|it| base64::encode(it) + "\n").collect();
        let head = format!("c2sp.org/tlog-proof@v1\nextra {}\nindex {seq}\n{outer}", base64::encode(&extra));
        Ok(Proved { proof: format!("{head}\n{}", self.checkpoint), record: lines[index].clone() })
    }

    fn broken(&self, why: String) -> ProveError {
        ProveError::Broken(self.log.display().to_string(), why)
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
