//! Log: the whole log of a folder, entry by entry and tile by tile.
//!
//! # When it misleads
//! Entries behind the last checkpoint are not signed yet: their chain is looked at, but the last of them can be changed
//! unseen until a checkpoint covers it, ten seconds at most. And a log that was cut back to an older checkpoint of its own is
//! whole: only who has a later one (`since`), or a witness, sees that.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use jiff::Timestamp;
use serde_json::Value;

use super::{
    files::{Bundles, Name, ReadError, WIDTH, below, entries, read, within},
    hash::{Growing, Hash, hex, leaf, root},
    note::{Checkpoint, Signed, Vkey},
    policy::Policy,
    report::{Check, Report},
    segments::Segments,
};
use crate::audit::base64;

/// What is to be verified, and by what.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The folder of the log; segments of decisions are looked for in `instances` beside it.
    pub log: &'a Path,
    /// The key of the log.
    pub key: &'a Vkey,
    /// Whose cosignatures are asked for.
    pub policy: Option<&'a Policy>,
    /// An older checkpoint of the log, and what it is called in words.
    pub since: Option<(&'a [u8], &'a str)>,
    /// From when on decisions are kept: a segment of later ones is there.
    pub kept_from: Timestamp,
}

/// Verifies a log from its files.
///
/// # Errors
/// A file cannot be read for another reason than that it is not there.
///
/// # Cost
/// One pass over everything; memory for the hash of each 256 entries, and for the number of each segment of decisions.
pub fn verify(asked: &Asked<'_>) -> Result<Report, ReadError> {
    let mut report = Report::default();
    let checkpoint = read(&asked.log.join("checkpoint"))?;
    let checkpoint = signed("checkpoint", checkpoint.as_deref(), asked.key, asked.policy);
    report.add(
        Check::Signature,
        checkpoint.as_ref().map(|_| format!("{} Ed25519", asked.key.name)).map_err(Clone::clone),
    );
    let Ok(checkpoint) = checkpoint else {
        let rest = [Check::Chain, Check::Tree, Check::Consistency, Check::Witnesses, Check::Decisions];
        rest.into_iter().for_each(|it| report.skip(it, "rests on the signature"));
        return Ok(report);
    };
    let since = asked.since.map(|(bytes, named)| (signed(named, Some(bytes), asked.key, None), named));
    let older = since.as_ref().and_then(|(older, _)| older.as_ref().ok()).map_or(0, |it| it.size);
    let mut told = Told::begin(asked, checkpoint.size, older)?;
    match told.chain()? {
        Err(broken) => {
            report.add(Check::Chain, Err(broken));
            let rest = [Check::Tree, Check::Consistency, Check::Decisions];
            rest.into_iter().for_each(|it| report.skip(it, "rests on the chain"));
        }
        Ok(()) => {
            report.add(Check::Chain, Ok(told.words()));
            report.add(Check::Tree, told.tree(&checkpoint)?);
            match since {
                None => report.skip(Check::Consistency, "no older checkpoint was given"),
                Some((older, named)) => {
                    report.add(Check::Consistency, older.and_then(|it| told.since(&it, named, checkpoint.size)));
                }
            }
            told.segments.judge(&mut report)?;
        }
    }
    match asked.policy {
        None => report.skip(Check::Witnesses, "no policy was given"),
        Some(policy) => report.add(Check::Witnesses, witnessed(policy, &checkpoint)),
    }
    Ok(report)
}

/// Reads a checkpoint and holds it against the key.
pub(super) fn signed(
    named: &str,
    checkpoint: Option<&[u8]>,
    key: &Vkey,
    policy: Option<&Policy>,
) -> Result<Checkpoint, String> {
    let bytes = checkpoint.ok_or_else(|| format!("{named} is not there"))?;
    let read = Checkpoint::read(bytes).map_err(|why| format!("{named} is no checkpoint: {why}"))?;
    let known = policy.is_none_or(|it| it.logs.is_empty() || it.logs.contains(key));
    if !known {
        return Err(format!("{} is none of the logs of the policy", key.name));
    }
    if read.origin != key.name {
        return Err(format!("{named} is of the log {}, the key of {}", read.origin, key.name));
    }
    match read.signed_by(key) {
        Signed::Yes => Ok(read),
        Signed::No => Err(format!("{named} is not signed by this key of {}", key.name)),
        Signed::Wrongly => Err(format!("{named} is not what {} has signed", key.name)),
    }
}

/// Holds the cosignatures of a checkpoint against a policy.
pub(super) fn witnessed(policy: &Policy, checkpoint: &Checkpoint) -> Result<String, String> {
    match policy.judge(checkpoint) {
        (signed, of, true) => Ok(format!("{signed} of {of}")),
        (signed, of, false) => {
            Err(format!("{signed} of {of} have cosigned it, which the policy does not take for enough"))
        }
    }
}

/// What the entries tell, tile by tile.
struct Told<'a> {
    log: &'a Path,
    /// The entries that the checkpoint covers.
    size: u64,
    /// The tiles and bundles that were there when it began; what is written or removed meanwhile is no fault.
    there: BTreeSet<Name>,
    /// A file among them that is none.
    foreign: Option<String>,
    /// Entries that were followed, and the hash of the last of them.
    seq: u64,
    prev: Hash,
    /// The hashes of the entries of the tile that is followed.
    open: Vec<Hash>,
    /// By level from the first on: the roots of the full tiles below.
    above: Vec<Vec<Hash>>,
    tree: Growing,
    /// The roots at the sizes that are asked for.
    roots: BTreeMap<u64, Hash>,
    /// The first tile that is not that of its entries.
    wrong: Option<String>,
    /// Declared gaps, and the lines that they count.
    gaps: (u64, u64),
    segments: Segments,
}

impl<'a> Told<'a> {
    fn begin(asked: &Asked<'a>, size: u64, older: u64) -> Result<Self, ReadError> {
        let mut it = Self {
            log: asked.log,
            size,
            there: BTreeSet::new(),
            foreign: None,
            seq: 0,
            prev: [0; 32],
            open: Vec::new(),
            above: Vec::new(),
            tree: Growing::default(),
            roots: BTreeMap::from([size, older].map(|it| (it, root(&[])))),
            wrong: None,
            gaps: (0, 0),
            segments: Segments::beside(asked.log, asked.kept_from),
        };
        for name in below(asked.log, "tile")? {
            match Name::read(&name) {
                Some(name) => drop(it.there.insert(name)),
                None => it.foreign = it.foreign.or(Some(name)),
            }
        }
        Ok(it)
    }

    /// Follows the chain of entries to the checkpoint, and behind it as far as it goes.
    fn chain(&mut self) -> Result<Result<(), String>, ReadError> {
        for bundle in Bundles::new(self.log, self.size) {
            let followed = match bundle? {
                (name, Ok(entries)) => self.bundle(&entries, &name)?,
                (_, Err(broken)) => Err(broken),
            };
            if followed.is_err() {
                return Ok(followed);
            }
        }
        while let Some((name, bytes)) = self.behind()? {
            let followed = match entries(&bytes).filter(|it| it.len() as u64 == name.width) {
                None => Err(format!("{} is cut, or the length of an entry was changed", name.written())),
                Some(found) => {
                    let (known, new) = found.split_at(self.open.len());
                    match known.iter().map(|it| leaf(it)).eq(self.open.iter().copied()) {
                        true => self.bundle(new, &name.written())?,
                        false => Err(format!("{} does not begin with the entries before it", name.written())),
                    }
                }
            };
            if followed.is_err() || !self.open.is_empty() {
                self.tiles()?;
                return Ok(followed);
            }
        }
        self.tiles()?;
        Ok(Ok(()))
    }

    /// Reads the widest bundle of the open tile that has more entries than were followed. The writer removes narrower ones as it goes.
    fn behind(&self) -> Result<Option<(Name, Vec<u8>)>, ReadError> {
        let whole = Name { level: None, n: self.seq / WIDTH, width: WIDTH };
        let mut found: Vec<_> = within(self.log, &format!("{}.p", whole.written()))?
            .iter()
            .filter_map(|(name, _)| Name::read(name))
            .filter(|it| it.width > self.open.len() as u64)
            .collect();
        found.push(whole);
        found.sort();
        for name in found.into_iter().rev() {
            if let Some(bytes) = read(&self.log.join(name.written()))? {
                return Ok(Some((name, bytes)));
            }
        }
        Ok(None)
    }

    /// Takes entries of one bundle, if they are the next ones.
    fn bundle(&mut self, entries: &[impl AsRef<[u8]>], name: &str) -> Result<Result<(), String>, ReadError> {
        // It is held against nothing else.
        if let Some(name) = Name::read(name) {
            self.there.remove(&name);
        }
        for entry in entries {
            match self.follow(entry.as_ref(), name) {
                Err(broken) => return Ok(Err(broken)),
                Ok(read) => self.segments.take(self.seq - 1, &read)?,
            }
        }
        if self.open.len() as u64 == WIDTH {
            self.tiles()?;
            self.full();
        }
        Ok(Ok(()))
    }

    /// Takes an entry, if it is the next one.
    fn follow(&mut self, entry: &[u8], bundle: &str) -> Result<Value, String> {
        let seq = self.seq;
        let said = |why: &str| format!("entry {seq} ({bundle}) {why}");
        let read: Value = serde_json::from_slice(entry).map_err(|_| said("is no JSON"))?;
        if read["seq"] != seq {
            return Err(said(&format!("says that it is entry {}", read["seq"])));
        }
        if read["prev"] != hex(&self.prev) {
            return Err(said("does not follow on the entry before it: one of the two was changed"));
        }
        let formed = read["v"] == 1 && ["time", "type", "actor"].iter().all(|it| read[it].is_string());
        if !formed || !read["data"].is_object() {
            return Err(said("is not an entry of version 1"));
        }
        if read["type"] == "audit.gap" {
            self.gaps = (self.gaps.0 + 1, self.gaps.1 + read["data"]["count"].as_u64().unwrap_or(0));
        }
        self.prev = leaf(entry);
        self.open.push(self.prev);
        self.tree.push(self.prev);
        self.seq += 1;
        if let Some(root) = self.roots.get_mut(&self.seq) {
            *root = self.tree.root();
        }
        Ok(read)
    }

    /// Closes the tile that is full.
    fn full(&mut self) {
        let (mut hash, mut level) = (root(&std::mem::take(&mut self.open)), 0);
        loop {
            if self.above.len() == level {
                self.above.push(Vec::new());
            }
            self.above[level].push(hash);
            let hashes = &self.above[level];
            if !(hashes.len() as u64).is_multiple_of(WIDTH) {
                return;
            }
            (hash, level) = (root(&hashes[hashes.len() - WIDTH as usize..]), level + 1);
        }
    }

    fn words(&self) -> String {
        let behind = match self.seq - self.size {
            0 => String::new(),
            behind => format!(", {behind} more behind the checkpoint"),
        };
        let (gaps, lines) = self.gaps;
        let gaps =
            if gaps == 0 { String::new() } else { format!(" ({gaps} audit.gap entries, {lines} lines, declared)") };
        format!("{} entries, no hole{gaps}{behind}", self.size)
    }

    /// Holds the root, and all tiles that are there or have to be, against the entries.
    fn tree(&mut self, checkpoint: &Checkpoint) -> Result<Result<String, String>, ReadError> {
        let computed = self.roots[&self.size];
        let told = base64::encode(&computed);
        if computed != checkpoint.root {
            let signed = base64::encode(&checkpoint.root);
            return Ok(Err(format!("the entries give the root {told}, the checkpoint says {signed}")));
        }
        for level in 1..=self.above.len() as u32 {
            let hashes = std::mem::take(&mut self.above[level as usize - 1]);
            for (n, tile) in (0_u64..).zip(hashes.chunks(WIDTH as usize)) {
                self.tile((Some(level), n), tile)?;
            }
        }
        Ok(match self.foreign.take().map(|name| format!("{name} is no tile")).or(self.wrong.take()) {
            Some(wrong) => Err(wrong),
            None => Ok(format!("size {} root {told}", self.size)),
        })
    }

    /// Holds the tiles of the entries that are followed, and what else there is of their bundle, against them.
    fn tiles(&mut self) -> Result<(), ReadError> {
        let (open, n) = (std::mem::take(&mut self.open), self.seq.saturating_sub(1) / WIDTH);
        if !open.is_empty() {
            self.tile((None, n), &open)?;
            self.tile((Some(0), n), &open)?;
        }
        self.open = open;
        Ok(())
    }

    /// Holds all widths of a tile that are there, and the one that has to be, against its hashes. What is wider is not known yet.
    fn tile(&mut self, (level, n): (Option<u32>, u64), hashes: &[Hash]) -> Result<(), ReadError> {
        let of = |width| Name { level, n, width };
        let mut names: BTreeSet<_> = self.there.range(of(0)..=of(hashes.len() as u64)).copied().collect();
        let covered = self.size.checked_shr(8 * level.unwrap_or(0)).unwrap_or(0).saturating_sub(n * WIDTH).min(WIDTH);
        // Bundles that have to be there were followed.
        let due = of(covered);
        if covered > 0 && level.is_some() {
            names.insert(due);
        }
        for name in names {
            if let Err(wrong) = matches(self.log, name, hashes, name == due)? {
                self.wrong = self.wrong.take().or(Some(wrong));
            }
        }
        Ok(())
    }

    /// Holds an older checkpoint against the entries.
    fn since(&self, older: &Checkpoint, named: &str, now: u64) -> Result<String, String> {
        if older.size > now {
            return Err(format!("{named} covers {} entries, the log has {now}: it was cut", older.size));
        }
        match self.roots[&older.size] == older.root {
            true => Ok(format!("{named} ({}) → now", older.size)),
            false => Err(format!("the first {} entries are not those of {named}: the log was begun anew", older.size)),
        }
    }
}

/// Holds a tile or a bundle against the first of these hashes.
fn matches(log: &Path, name: Name, hashes: &[Hash], due: bool) -> Result<Result<(), String>, ReadError> {
    let hashes = &hashes[..name.width as usize];
    let written = name.written();
    let (mut bytes, mut whole) = (read(&log.join(&written))?, false);
    if bytes.is_none() && name.width < WIDTH {
        // A part is removed once the whole is there, at any time.
        (bytes, whole) = (read(&log.join(Name { width: WIDTH, ..name }.written()))?, true);
    }
    let Some(bytes) = bytes else {
        // The writer removes parts that no checkpoint is of.
        let gone = name.width < WIDTH && !due;
        return Ok(if gone { Ok(()) } else { Err(format!("{written} is not there")) });
    };
    let right = match name.level {
        Some(_) if whole => bytes.starts_with(hashes.as_flattened()),
        Some(_) => bytes == hashes.as_flattened(),
        None => entries(&bytes).is_some_and(|it| {
            let leaves = it.iter().map(|entry| leaf(entry));
            (whole || it.len() == hashes.len()) && leaves.take(hashes.len()).eq(hashes.iter().copied())
        }),
    };
    Ok(if right { Ok(()) } else { Err(format!("{written} is not the tile of these entries")) })
}
