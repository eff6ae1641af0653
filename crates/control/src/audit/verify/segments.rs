//! Segments: the decisions that entries are of, line by line.
//!
//! What is no longer kept is counted and said, not missed: only from the beginning of an instance on, as retention removes it.
//! One that is gone from the middle is found, and so is the last one of an instance, which retention never removes, and one whose
//! decisions are younger than it keeps.

use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
};

use evenkeel_api::evidence::canonical;
use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    files::{ReadError, read, within},
    hash::{hex, leaf, root},
    report::{Check, Report},
};

/// The most that a segment may hold, so that a small file cannot fill the memory of who verifies it.
const LARGEST: u64 = 4 << 30;

/// The segments of a log, held against its entries as these are followed.
pub(super) struct Segments {
    /// Where they are; none where they are not beside the log.
    folder: Option<PathBuf>,
    kept_from: Timestamp,
    batches: u64,
    looked: u64,
    decisions: u64,
    instances: BTreeMap<String, Instance>,
    /// What the log says that it has missed: of which instance, from which line on, how many.
    gaps: BTreeMap<(String, u64), u64>,
    /// The first entry that is not what it is of.
    wrong: Option<String>,
}

/// The segments of an instance, in the order of the log.
#[derive(Default)]
struct Instance {
    /// The numbers of the first lines of those in the log.
    firsts: Vec<u64>,
    /// The number of the line behind the last one.
    behind: u64,
    /// Whether one of them was there.
    seen: bool,
    /// The name of the last one, where it was not.
    last_missing: Option<String>,
    missing: u64,
}

impl Segments {
    /// Looks beside a log.
    pub(super) fn beside(log: &Path, kept_from: Timestamp) -> Self {
        let folder = log.parent().unwrap_or(Path::new("")).join("instances");
        Self {
            folder: folder.is_dir().then_some(folder),
            kept_from,
            batches: 0,
            looked: 0,
            decisions: 0,
            instances: BTreeMap::new(),
            gaps: BTreeMap::new(),
            wrong: None,
        }
    }

    /// Takes what an entry says of segments, and holds what is kept against it.
    pub(super) fn take(&mut self, seq: u64, entry: &Value) -> Result<(), ReadError> {
        let data = &entry["data"];
        // What a spool declares has no numbers, so it makes no hole; what the log has missed has.
        let missed = data["why"] == "damaged" || data["why"] == "removed";
        if entry["type"] == "audit.gap" && missed && data["stream"] == "decisions" {
            let place = data["instance"].as_str().map(str::to_owned).zip(data["from"].as_u64());
            self.gaps.extend(place.zip(data["count"].as_u64()));
        }
        if entry["type"] != "decision.batch" {
            return Ok(());
        }
        self.batches += 1;
        if self.wrong.is_none()
            && let Some(folder) = self.folder.clone()
            && let Err(wrong) = self.batch(&folder, entry)?
        {
            self.wrong = Some(format!("entry {seq}: {wrong}"));
        }
        Ok(())
    }

    fn batch(&mut self, folder: &Path, entry: &Value) -> Result<Result<(), String>, ReadError> {
        let batch = &entry["data"];
        let Some((name, instance, first)) = batch["segment"].as_str().and_then(parts) else {
            return Ok(Err("it names no segment".into()));
        };
        let Some(count) = batch["count"].as_u64().filter(|it| first.checked_add(*it).is_some()) else {
            return Ok(Err("it has no count".into()));
        };
        let it = self.instances.entry(instance.to_owned()).or_default();
        let mut next = it.behind.max(1);
        // Gaps may follow on one another.
        while next < first
            && let Some(missed) = self.gaps.remove(&(instance.to_owned(), next)).filter(|it| *it > 0)
        {
            next = next.saturating_add(missed);
        }
        if first != next {
            return Ok(Err(format!("{name} does not follow on line {} of {instance}", next - 1)));
        }
        it.firsts.push(first);
        it.behind = first + count;
        let Some(bytes) = read(&folder.join(name))? else {
            it.missing += 1;
            it.last_missing = Some(name.to_owned());
            return Ok(missing(name, it.seen, entry_until(entry), self.kept_from));
        };
        (it.seen, it.last_missing) = (true, None);
        self.looked += 1;
        self.decisions += count;
        Ok(matches(name, &bytes, batch))
    }

    /// Says what was found of them.
    pub(super) fn judge(&self, report: &mut Report) -> Result<(), ReadError> {
        let Some(folder) = &self.folder else {
            report.skip(Check::Decisions, &format!("none of {} segments are beside the log", self.batches));
            return Ok(());
        };
        let found = match &self.wrong {
            Some(wrong) => Err(wrong.clone()),
            None => self
                .others(folder)?
                .and_then(|waiting| self.ends(&waiting).map(|()| self.words(waiting.values().sum()))),
        };
        report.add(Check::Decisions, found);
        Ok(())
    }

    fn words(&self, waiting: u64) -> String {
        let (looked, of, decisions) = (self.looked, self.batches, self.decisions);
        let not_kept = match self.instances.values().map(|it| it.missing).sum() {
            0_u64 => String::new(),
            missing => format!(", {missing} no longer kept"),
        };
        let waiting = if waiting == 0 { String::new() } else { format!(", {waiting} not yet in the log") };
        format!("{looked} of {of} segments, {decisions} decisions, roots and counts match{not_kept}{waiting}")
    }

    /// Holds that the last segment of each instance is there, which retention never removes (ADR 11), as long as none waits behind it.
    fn ends(&self, waiting: &BTreeMap<String, u64>) -> Result<(), String> {
        let ended = self.instances.iter().filter(|(instance, _)| !waiting.contains_key(*instance));
        match ended.filter_map(|(_, it)| it.last_missing.as_ref()).next() {
            None => Ok(()),
            Some(name) => Err(format!("{name} is not there, and the last segment of an instance is always kept")),
        }
    }

    /// Counts the segments that are not in the log, by instance; what says that it is older than the last of them does not belong there.
    fn others(&self, folder: &Path) -> Result<Result<BTreeMap<String, u64>, String>, ReadError> {
        let (mut waiting, mut foreign) = (BTreeMap::new(), Vec::new());
        let nothing = Instance::default();
        for (instance, _) in within(folder, ".")?.into_iter().filter(|(_, is_folder)| *is_folder) {
            let instance = instance.trim_start_matches("./");
            let known = self.instances.get(instance).unwrap_or(&nothing);
            for (name, _) in within(folder, &format!("{instance}/decisions"))? {
                let Some((name, _, first)) = parts(&name) else { continue };
                if known.firsts.binary_search(&first).is_ok() {
                    continue;
                }
                if first < known.behind.max(1) {
                    foreign.push(name.to_owned());
                }
                *waiting.entry(instance.to_owned()).or_default() += 1;
            }
        }
        Ok(match foreign.into_iter().min() {
            None => Ok(waiting),
            Some(name) => Err(format!("{name} is not in the log, and later ones are")),
        })
    }
}

/// Says until when the decisions of a batch go: no file of them is older than that.
fn entry_until(entry: &Value) -> Option<Timestamp> {
    let until = entry["data"]["until"].as_str().or(entry["time"].as_str());
    until.and_then(|it| it.parse().ok())
}

/// Judges that a segment is not there: retention removes the first ones of an instance, once they are old.
fn missing(name: &str, seen: bool, until: Option<Timestamp>, kept_from: Timestamp) -> Result<(), String> {
    if seen {
        return Err(format!("{name} is not there, and earlier ones are"));
    }
    match until {
        Some(until) if until < kept_from => Ok(()),
        _ => Err(format!(
            "{name} is not there, and is younger than decisions are kept; `--keep` says how long that is, as `decisions.keep`"
        )),
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
    let (counts, until) = counted(&lines);
    // Counts that are too long for an entry are in it by their digest.
    let form = canonical(&counts).unwrap_or_default();
    let named = json!({"bytes": form.len(), "sha256": hex(&Sha256::digest(&form))});
    if batch["by_route"] != counts && batch["by_route"] != named {
        return Err(format!("the decisions of {name} by route and tier are not those of the entry"));
    }
    match batch["until"].as_str().is_none_or(|it| until.is_none_or(|until| it == format!("{until:.3}"))) {
        true => Ok(()),
        false => Err(format!("the decisions of {name} do not go until when the entry says")),
    }
}

/// Returns the lines of a segment, without their ends.
pub(crate) fn lines(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut text = Vec::new();
    MultiGzDecoder::new(bytes).take(LARGEST).read_to_end(&mut text).ok()?;
    let lines = text.strip_suffix(b"\n")?;
    Some(lines.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect())
}

/// Counts decisions by route and tier, and says when the last of them was.
fn counted(lines: &[Vec<u8>]) -> (Value, Option<Timestamp>) {
    let mut counted: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    let mut until = None;
    for line in lines {
        let read: Value = serde_json::from_slice(line).unwrap_or_default();
        let tier = read["tier"].as_u64().or(read["outcome"]["tier"].as_u64());
        let tier = tier.map_or("none".to_owned(), |it| it.to_string());
        let route = read["route"].as_str().unwrap_or_default().to_owned();
        *counted.entry(route).or_default().entry(tier).or_default() += 1;
        until = until.max(read["time"].as_str().and_then(|it| it.parse::<Timestamp>().ok()));
    }
    (json!(counted), until)
}
