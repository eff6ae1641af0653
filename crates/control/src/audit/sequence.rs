//! Sequence: what the spools of all instances hold becomes entries, each line once (G-090, G-096).
//!
//! # Invariants
//! - `SEQ-1`: a line is in the log once, whatever was stopped when: an entry names the last line that it is made of, and
//!   what the log holds is what counts, not the cursor.
//! - `SEQ-2`: a line that cannot be entered any more, as its segment is damaged or gone, is declared by an `audit.gap`.
//! - `SEQ-3`: the spool of one instance that cannot be read, or in which nothing can be noted, keeps nobody else's lines out of the log:
//!   it is told, once, and tried again.

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
    entry::{Draft, Source, hex, named},
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
/// The most bytes of the counts of a segment by route and tier: with all else an entry is then shorter than it may be. What is
/// longer is named by its digest, and computed again from the segment by whoever verifies it.
const MOST_COUNTS: usize = 48 << 10;

/// Reads the spools of a `data_dir`.
#[derive(Debug)]
pub(super) struct Sequencer {
    data_dir: PathBuf,
    passes: u32,
    saved: BTreeMap<String, Cursor>,
    /// What was told of what cannot be read or noted, by its place: it is told again once it is another fault.
    told: BTreeMap<PathBuf, String>,
}

/// What a line of decisions says of who answered; of a whole record it stands in its outcome.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Told {
    route: String,
    time: String,
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
        Self { data_dir: data_dir.into(), passes: 0, saved: BTreeMap::new(), told: BTreeMap::new() }
    }

    /// Enters what closed segments hold beyond what is in the log, and publishes checkpoints that are due on the way.
    ///
    /// # Errors
    /// The log cannot be written, or not be told which instances there are; what was entered before stays.
    pub(super) fn pass(&mut self, now: Timestamp, log: &mut Log) -> Result<(), LogError> {
        let look = self.passes.is_multiple_of(LOOK_EVERY);
        for instance in instances(&self.data_dir)? {
            for stream in [Stream::Events, Stream::Decisions] {
                self.stream(now, log, Origin { instance: &instance, stream }, look)?;
            }
            self.save(log, instance);
        }
        self.passes = self.passes.wrapping_add(1);
        Ok(())
    }

    /// Notes how far an instance was read, for whoever makes room there (SEQ-3).
    fn save(&mut self, log: &Log, instance: String) {
        let read = Stream::ALL.map(|it| log.last(&instance, it.name()));
        let read = Cursor { decisions: read[0], events: read[1] };
        if self.saved.get(&instance) == Some(&read) {
            return;
        }
        let folder = self.folder(&instance);
        match read.save(&folder, READER) {
            Ok(()) => {
                self.told.remove(&folder);
                self.saved.insert(instance, read);
            }
            Err(error) => self.tell(
                &folder,
                "how far it is in the log cannot be noted, so nothing makes room there",
                &error.to_string(),
            ),
        }
    }

    /// Says what is wrong in the spool, once (SEQ-3).
    fn tell(&mut self, place: &Path, what: &str, why: &str) {
        if self.told.insert(place.into(), why.into()).as_deref() != Some(why) {
            tracing::error!(target: "evenkeel::audit", place = %place.display(), why, "{what}");
        }
    }

    fn folder(&self, instance: &str) -> PathBuf {
        self.data_dir.join("instances").join(instance)
    }

    fn stream(&mut self, now: Timestamp, log: &mut Log, from: Origin<'_>, look: bool) -> Result<(), LogError> {
        let folder = self.folder(from.instance);
        let (mut last, mut drafts) = (log.last(from.instance, from.stream.name()), Vec::new());
        loop {
            let made = match self.next(now, from, last, look) {
                Ok(made) => {
                    if made.is_some() || look {
                        self.told.remove(&folder.join(from.stream.name()));
                    }
                    made
                }
                Err(error) => {
                    let place = folder.join(from.stream.name());
                    self.tell(&place, "what waits there cannot be read, and is not in the log", &error.to_string());
                    None
                }
            };
            let Some(made) = made else { break };
            last = made.last().and_then(|it| it.source.as_ref()).map_or(last, |it| it.n);
            drafts.extend(made);
            if drafts.len() >= AT_ONCE {
                enter(now, log, &mut drafts)?;
            }
        }
        enter(now, log, &mut drafts)
    }

    /// Makes entries of what comes behind a line; none where nothing does yet.
    fn next(&mut self, now: Timestamp, from: Origin<'_>, last: u64, look: bool) -> io::Result<Option<Vec<Draft>>> {
        let folder = self.folder(from.instance);
        let next = match begun_at(&folder, from.stream, last + 1) {
            Some(next) => Some(next),
            None if look => beyond(&folder, from.stream, last)?,
            None => None,
        };
        let Some(segment) = next else { return Ok(None) };
        if let Some(made) = from.drafts(now, &segment, last)? {
            return Ok(Some(made));
        }
        self.tell(&segment.path, "a segment is damaged; its lines are declared missing", "damaged");
        from.lost(now, &segment, &folder, last)
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
    /// Makes entries of a segment's lines behind `last`; none of one that is damaged, or that has no lines, which is never written.
    fn drafts(&self, now: Timestamp, segment: &Segment, last: u64) -> io::Result<Option<Vec<Draft>>> {
        let bytes = segment.read()?;
        let mut members = Members::new(&bytes, segment.first);
        let lines: Vec<_> = members.by_ref().collect();
        if *members.ending() != Ending::Whole || lines.is_empty() {
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
    fn lost(&self, now: Timestamp, segment: &Segment, folder: &Path, last: u64) -> io::Result<Option<Vec<Draft>>> {
        let behind = segments(folder, self.stream)?.into_iter().find(|it| it.first > segment.first);
        Ok(behind.map(|it| vec![self.gap(now, last + 1, it.first, "damaged")]))
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
        let it: Event = serde_json::from_slice(line).ok().filter(|it: &Event| it.data.is_object())?;
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
        let mut until: Option<Timestamp> = None;
        for (_, line) in lines {
            leaves.push(leaf(line));
            let told: Told = serde_json::from_slice(line).unwrap_or_default();
            let tier = told.tier.or(told.outcome.tier).map_or("none".into(), |it| it.to_string());
            until = until.max(told.time.parse().ok());
            *by_route.entry(told.route).or_default().entry(tier).or_default() += 1;
        }
        let file = segment.path.file_name().unwrap_or_default().to_string_lossy();
        let by_route = match json!(by_route) {
            counts if counts.to_string().len() > MOST_COUNTS => named(&counts),
            counts => counts,
        };
        let data = json!({
            "segment": format!("{}/{}/{file}", self.instance, self.stream.name()),
            "count": leaves.len(),
            "by_route": by_route,
            "until": format!("{:.3}", until.unwrap_or(now)),
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
