//! Sequence: what the spools of all instances hold becomes entries, each line once (G-090, G-096).
//!
//! # Invariants
//! - `SEQ-1`: a line is in the log once, whatever was stopped when: an entry names the last line that it is made of, and
//!   what the log holds is what counts, not the cursor.
//! - `SEQ-2`: a line that cannot be entered any more, as its segment is damaged or gone, is declared by an `audit.gap`.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use evenkeel_api::evidence::{Cursor, Ending, Event, Members, Segment, Stream, instances, segments};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    entry::{Draft, Source, hex},
    log::{Log, LogError},
    tree::{leaf, root},
};

/// The name under which cursors are kept.
pub const READER: &str = "audit";
/// Entries that are put on disk at once: a bundle more than is full never waits behind another.
const AT_ONCE: usize = 64;
/// How many passes follow the names of segments before the folders are looked through, which may hold millions. What is next has the
/// next number, so this finds only what was damaged, or taken away.
const LOOK_EVERY: u32 = 60;

/// Reads the spools of a `data_dir`.
#[derive(Debug)]
pub(super) struct Sequencer {
    data_dir: PathBuf,
    passes: u32,
    saved: BTreeMap<String, Cursor>,
}

/// What a line of decisions says of who answered; of a whole record it stands in its outcome.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Told {
    route: String,
    tier: Option<u8>,
    outcome: Outcome,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Outcome {
    tier: Option<u8>,
}

impl Sequencer {
    pub(super) fn new(data_dir: &Path) -> Self {
        Self { data_dir: data_dir.into(), passes: 0, saved: BTreeMap::new() }
    }

    /// Enters what closed segments hold beyond what is in the log, and publishes checkpoints that are due on the way.
    ///
    /// # Errors
    /// A segment cannot be read, or the log not be written; what was entered before stays.
    pub(super) fn pass(&mut self, now: Timestamp, log: &mut Log) -> Result<(), LogError> {
        let look = self.passes.is_multiple_of(LOOK_EVERY);
        for instance in instances(&self.data_dir)? {
            for stream in [Stream::Events, Stream::Decisions] {
                self.stream(now, log, (&instance, stream), look)?;
            }
            let read = Stream::ALL.map(|it| log.last(&instance, it.name()));
            let read = Cursor { decisions: read[0], events: read[1] };
            if self.saved.get(&instance) != Some(&read) {
                read.save(&self.folder(&instance), READER)?;
                self.saved.insert(instance, read);
            }
        }
        self.passes = self.passes.wrapping_add(1);
        Ok(())
    }

    fn folder(&self, instance: &str) -> PathBuf {
        self.data_dir.join("instances").join(instance)
    }

    fn stream(
        &self,
        now: Timestamp,
        log: &mut Log,
        (instance, stream): (&str, Stream),
        look: bool,
    ) -> Result<(), LogError> {
        let folder = self.folder(instance);
        let from = Origin { instance, stream };
        let (mut last, mut drafts) = (log.last(instance, stream.name()), Vec::new());
        loop {
            let next = match begun_at(&folder, stream, last + 1) {
                Some(next) => Some(next),
                None if look => beyond(&folder, stream, last)?,
                None => None,
            };
            let Some(segment) = next else { break };
            let made = from.drafts(now, &segment, last)?;
            let Some(made) = made.or_else(|| from.lost(now, &segment, &folder, last)) else { break };
            last = made.last().and_then(|it| it.source.as_ref()).map_or(last, |it| it.n);
            drafts.extend(made);
            if drafts.len() >= AT_ONCE {
                enter(now, log, &mut drafts)?;
            }
        }
        enter(now, log, &mut drafts)
    }
}

/// Enters drafts, and publishes a checkpoint where one is due.
fn enter(now: Timestamp, log: &mut Log, drafts: &mut Vec<Draft>) -> Result<(), LogError> {
    for some in drafts.chunks(AT_ONCE) {
        log.append(some)?;
        if log.due(now) {
            log.publish(now)?;
        }
    }
    drafts.clear();
    Ok(())
}

/// Where lines come from.
#[derive(Clone, Copy)]
struct Origin<'a> {
    instance: &'a str,
    stream: Stream,
}

impl Origin<'_> {
    /// Makes entries of a segment's lines behind `last`; none of one that is damaged.
    fn drafts(&self, now: Timestamp, segment: &Segment, last: u64) -> io::Result<Option<Vec<Draft>>> {
        let bytes = segment.read()?;
        let mut members = Members::new(&bytes, segment.first);
        let lines: Vec<_> = members.by_ref().collect();
        if *members.ending() != Ending::Whole {
            return Ok(None);
        }
        let gone = (segment.first > last + 1).then(|| self.gap(now, last + 1, segment.first, "removed"));
        let lines = lines.iter().flat_map(|it| it.lines());
        let made: Option<Vec<Draft>> = match self.stream {
            Stream::Decisions => Some(vec![self.batch(now, segment, &bytes, lines)]),
            Stream::Events => lines.filter(|(n, _)| *n > last).map(|(n, line)| self.event(n, line)).collect(),
        };
        Ok(made.map(|made| gone.into_iter().chain(made).collect()))
    }

    /// Declares the lines of a segment that nobody can read, once it is known how many they are; none until then.
    fn lost(&self, now: Timestamp, segment: &Segment, folder: &Path, last: u64) -> Option<Vec<Draft>> {
        let path = segment.path.display();
        tracing::error!(target: "evenkeel::audit", %path, "a segment is damaged; its lines are declared missing");
        let behind = segments(folder, self.stream).ok()?.into_iter().find(|it| it.first > segment.first)?;
        Some(vec![self.gap(now, last + 1, behind.first, "damaged")])
    }

    fn draft(&self, time: Timestamp, (kind, actor): (&str, &str), data: Value, n: u64) -> Draft {
        let source = Source { instance: self.instance.into(), n, stream: self.stream.name().into() };
        Draft { time, kind: kind.into(), actor: actor.into(), data, source: Some(source) }
    }

    fn gap(&self, now: Timestamp, from: u64, to: u64, why: &str) -> Draft {
        let stream = self.stream.name();
        let data = json!({"instance": self.instance, "stream": stream, "from": from, "count": to - from, "why": why});
        self.draft(now, ("audit.gap", "system:audit"), data, to - 1)
    }

    fn event(&self, n: u64, line: &[u8]) -> Option<Draft> {
        let it: Event = serde_json::from_slice(line).ok()?;
        Some(self.draft(it.time, (&it.kind, &it.actor), it.data, n))
    }

    fn batch<'l>(
        &self,
        now: Timestamp,
        segment: &Segment,
        bytes: &[u8],
        lines: impl Iterator<Item = (u64, &'l [u8])>,
    ) -> Draft {
        let mut leaves = Vec::new();
        let mut by_route: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        for (_, line) in lines {
            leaves.push(leaf(line));
            let told: Told = serde_json::from_slice(line).unwrap_or_default();
            let tier = told.tier.or(told.outcome.tier).map_or("none".into(), |it| it.to_string());
            *by_route.entry(told.route).or_default().entry(tier).or_default() += 1;
        }
        let file = segment.path.file_name().unwrap_or_default().to_string_lossy();
        let data = json!({
            "segment": format!("{}/{}/{file}", self.instance, self.stream.name()),
            "count": leaves.len(),
            "by_route": by_route,
            "merkle_root": hex(&root(&leaves)),
            "file_sha256": hex(&Sha256::digest(bytes)),
        });
        let last = segment.first + leaves.len() as u64 - 1;
        self.draft(now, ("decision.batch", "system:audit"), data, last)
    }
}

/// Finds the closed segment that begins with a number.
fn begun_at(folder: &Path, stream: Stream, first: u64) -> Option<Segment> {
    let path = Segment::path(&folder.join(stream.name()), first, true);
    path.is_file().then_some(Segment { first, path, closed: true })
}

/// Finds the closed segment with the next line behind `last`, where it is not the one that would follow.
fn beyond(folder: &Path, stream: Stream, last: u64) -> io::Result<Option<Segment>> {
    let mut closed = segments(folder, stream)?;
    closed.retain(|it| it.closed);
    let behind = closed.partition_point(|it| it.first <= last);
    // A process that was stopped between two bundles may have entered a part of the events of a segment.
    if let Some(begun) = behind.checked_sub(1).map(|at| &closed[at]).filter(|_| stream == Stream::Events) {
        let bytes = begun.read()?;
        let mut members = Members::new(&bytes, begun.first);
        members.by_ref().for_each(drop);
        if members.next_number() > last + 1 {
            return Ok(Some(begun.clone()));
        }
    }
    Ok(closed.get(behind).cloned())
}

#[cfg(test)]
mod tests;
