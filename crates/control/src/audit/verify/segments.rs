//! Segments: the decisions that entries are of, line by line.
//!
//! What is no longer kept is counted and said, not missed: only from the beginning of an instance on, as retention removes it.
//! One that is gone from the middle is found.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::Path,
};

use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    files::{ReadError, below, read},
    hash::{hex, leaf, root},
    report::{Check, Report},
};

/// The most that a segment may hold, so that a small file cannot fill the memory of who verifies it.
const LARGEST: u64 = 4 << 30;

/// What entries say of segments.
#[derive(Debug, Default)]
pub(super) struct Segments {
    /// Batches in the order of the log.
    batches: Vec<(u64, Value)>,
    /// Gaps that are declared: instance, stream, first line, lines.
    gaps: BTreeSet<(String, String, u64, u64)>,
}

/// What was found of them.
#[derive(Default)]
struct Kept {
    looked: usize,
    not_kept: usize,
    decisions: u64,
    /// By instance: the number of the line that is next, and whether a segment was there.
    next: BTreeMap<String, (u64, bool)>,
    /// The names of those in the log.
    named: BTreeSet<String>,
}

impl Segments {
    /// Takes what an entry says of segments.
    pub(super) fn take(&mut self, seq: u64, entry: &Value) {
        let data = &entry["data"];
        if entry["type"] == "decision.batch" {
            self.batches.push((seq, data.clone()));
        }
        let text = |key: &str| data[key].as_str().map(str::to_owned);
        // What a spool declares has no numbers, so it makes no hole; what the log has missed has.
        let missed = data["why"] == "damaged" || data["why"] == "removed";
        if let (true, Some(instance), Some(stream)) =
            (entry["type"] == "audit.gap" && missed, text("instance"), text("stream"))
        {
            let number = |key: &str| data[key].as_u64().unwrap_or(0);
            self.gaps.insert((instance, stream, number("from"), number("count")));
        }
    }

    /// Holds what is kept against what the log says of it.
    pub(super) fn judge(&self, log: &Path, report: &mut Report) -> Result<(), ReadError> {
        let folder = log.parent().unwrap_or(Path::new("")).join("instances");
        if !folder.is_dir() {
            let said = format!("none of {} segments are beside the log", self.batches.len());
            report.skip(Check::Decisions, &said);
            return Ok(());
        }
        let mut kept = Kept::default();
        for (seq, batch) in &self.batches {
            if let Err(wrong) = self.batch(&folder, batch, &mut kept)? {
                report.add(Check::Decisions, Err(format!("entry {seq}: {wrong}")));
                return Ok(());
            }
        }
        let found = kept.others(&folder)?.map(|waiting| {
            let of = self.batches.len();
            let not_kept =
                if kept.not_kept == 0 { String::new() } else { format!(", {} no longer kept", kept.not_kept) };
            let waiting = if waiting == 0 { String::new() } else { format!(", {waiting} not yet in the log") };
            format!(
                "{} of {of} segments, {} decisions, roots and counts match{not_kept}{waiting}",
                kept.looked, kept.decisions
            )
        });
        report.add(Check::Decisions, found);
        Ok(())
    }

    fn batch(&self, folder: &Path, batch: &Value, kept: &mut Kept) -> Result<Result<(), String>, ReadError> {
        let Some((name, instance, first)) = batch["segment"].as_str().and_then(parts) else {
            return Ok(Err("it names no segment".into()));
        };
        let Some(count) = batch["count"].as_u64() else { return Ok(Err("it has no count".into())) };
        let (next, seen) = kept.next.get(instance).copied().unwrap_or((1, false));
        let gap = (instance.to_owned(), "decisions".to_owned(), next, first.saturating_sub(next));
        if first != next && !self.gaps.contains(&gap) {
            return Ok(Err(format!("{name} does not follow on line {} of {instance}", next - 1)));
        }
        kept.named.insert(name.to_owned());
        let Some(bytes) = read(&folder.join(name))? else {
            kept.not_kept += 1;
            kept.next.insert(instance.into(), (first + count, seen));
            return Ok(if seen { Err(format!("{name} is not there, and earlier ones are")) } else { Ok(()) });
        };
        kept.next.insert(instance.into(), (first + count, true));
        kept.looked += 1;
        kept.decisions += count;
        Ok(matches(name, &bytes, batch))
    }
}

impl Kept {
    /// Counts the segments that are not in the log; what says that it is older than the last of them does not belong there.
    fn others(&self, folder: &Path) -> Result<Result<usize, String>, ReadError> {
        let mut waiting = 0;
        let root = folder.parent().unwrap_or(Path::new(""));
        for name in below(root, "instances")? {
            let name = name.strip_prefix("instances/").unwrap_or(&name);
            let Some((name, instance, first)) = parts(name).filter(|(name, ..)| !self.named.contains(*name)) else {
                continue;
            };
            if first < self.next.get(instance).map_or(1, |it| it.0) {
                return Ok(Err(format!("{name} is not in the log, and later ones are")));
            }
            waiting += 1;
        }
        Ok(Ok(waiting))
    }
}

/// Takes apart the name of a closed segment of decisions: itself, its instance, and the number of its first line.
fn parts(name: &str) -> Option<(&str, &str, u64)> {
    let (instance, rest) = name.split_once('/')?;
    let digits = rest.strip_prefix("decisions/")?.strip_suffix(".jsonl.gz")?;
    let plain = digits.len() == 20 && digits.bytes().all(|it| it.is_ascii_digit());
    let safe = !instance.is_empty() && instance.bytes().all(|it| it.is_ascii_alphanumeric());
    Some((name, instance, digits.parse().ok().filter(|_| plain && safe)?))
}

/// Holds the bytes of a segment against its entry.
fn matches(name: &str, bytes: &[u8], batch: &Value) -> Result<(), String> {
    if batch["file_sha256"] != hex(&Sha256::digest(bytes)) {
        return Err(format!("{name} is not the file that was entered"));
    }
    let lines = lines(bytes).ok_or_else(|| format!("{name} cannot be unpacked"))?;
    if batch["count"] != lines.len() {
        return Err(format!("{name} has {} decisions, the entry says {}", lines.len(), batch["count"]));
    }
    let leaves: Vec<_> = lines.iter().map(|it| leaf(it)).collect();
    if batch["merkle_root"] != hex(&root(&leaves)) {
        return Err(format!("the decisions of {name} do not give the root of the entry"));
    }
    match batch["by_route"] == by_route(&lines) {
        true => Ok(()),
        false => Err(format!("the decisions of {name} by route and tier are not those of the entry")),
    }
}

/// Returns the lines of a segment, without their ends.
pub(crate) fn lines(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut text = Vec::new();
    MultiGzDecoder::new(bytes).take(LARGEST).read_to_end(&mut text).ok()?;
    let lines = text.strip_suffix(b"\n")?;
    Some(lines.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect())
}

/// Counts decisions by route and tier.
fn by_route(lines: &[Vec<u8>]) -> Value {
    let mut counted: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for line in lines {
        let read: Value = serde_json::from_slice(line).unwrap_or_default();
        let tier = read["tier"].as_u64().or(read["outcome"]["tier"].as_u64());
        let tier = tier.map_or("none".to_owned(), |it| it.to_string());
        let route = read["route"].as_str().unwrap_or_default().to_owned();
        *counted.entry(route).or_default().entry(tier).or_default() += 1;
    }
    json!(counted)
}
