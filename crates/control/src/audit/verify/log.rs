//! Log: the whole log of a folder, entry by entry and tile by tile.
//!
//! # When it misleads
//! Entries behind the last checkpoint are not signed yet: their chain is looked at, but the last of them can be changed
//! unseen until a checkpoint covers it, ten seconds at most. And a log that was cut back to an older checkpoint of its own is
//! whole: only who has a later one (`since`), or a witness, sees that.

use std::path::Path;

use serde_json::Value;

use super::{
    files::{Bundles, Name, ReadError, WIDTH, below, entries, read},
    hash::{Hash, hex, leaf, root},
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
}

/// Verifies a log from its files.
///
/// # Errors
/// A file cannot be read for another reason than that it is not there.
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
    let mut told = Told::default();
    match told.chain(asked.log, checkpoint.size)? {
        Err(broken) => {
            report.add(Check::Chain, Err(broken));
            let rest = [Check::Tree, Check::Consistency, Check::Decisions];
            rest.into_iter().for_each(|it| report.skip(it, "rests on the chain"));
        }
        Ok(()) => {
            report.add(Check::Chain, Ok(told.words(checkpoint.size)));
            report.add(Check::Tree, told.tree(asked.log, &checkpoint)?);
            match asked.since {
                None => report.skip(Check::Consistency, "no older checkpoint was given"),
                Some(since) => report.add(Check::Consistency, told.since(since, asked, &checkpoint)),
            }
            told.segments.judge(asked.log, &mut report)?;
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

/// What the entries tell.
#[derive(Default)]
struct Told {
    /// The hashes of all entries, those behind the checkpoint, too.
    leaves: Vec<Hash>,
    /// Entries behind the checkpoint.
    behind: u64,
    /// Declared gaps, and the lines that they count.
    gaps: (u64, u64),
    segments: Segments,
}

impl Told {
    /// Follows the chain of entries to the checkpoint, and behind it as far as it goes.
    fn chain(&mut self, log: &Path, size: u64) -> Result<Result<(), String>, ReadError> {
        for bundle in Bundles::new(log, size) {
            let (name, entries) = bundle?;
            let followed = entries.and_then(|it| it.iter().try_for_each(|entry| self.follow(entry, &name)));
            if followed.is_err() {
                return Ok(followed);
            }
        }
        let (n, width) = (size / WIDTH, size % WIDTH);
        let wider = |name: &String| Name::read(name).filter(|it| it.n == n && it.width > width);
        let found = below(log, "tile/entries")?.into_iter().filter_map(|it| wider(&it)).max_by_key(|it| it.width);
        let Some(name) = found.map(Name::written) else { return Ok(Ok(())) };
        let bytes = read(&log.join(&name))?.unwrap_or_default();
        let Some(found) = entries(&bytes) else {
            return Ok(Err(format!("{name} is cut, or the length of an entry was changed")));
        };
        for entry in found.into_iter().skip(width as usize) {
            if let Err(broken) = self.follow(entry, &name) {
                return Ok(Err(broken));
            }
            self.behind += 1;
        }
        Ok(Ok(()))
    }

    /// Takes an entry, if it is the next one.
    fn follow(&mut self, entry: &[u8], bundle: &str) -> Result<(), String> {
        let seq = self.leaves.len() as u64;
        let said = |why: &str| format!("entry {seq} ({bundle}) {why}");
        let read: Value = serde_json::from_slice(entry).map_err(|_| said("is no JSON"))?;
        if read["seq"] != seq {
            return Err(said(&format!("says that it is entry {}", read["seq"])));
        }
        let prev = self.leaves.last().copied().unwrap_or_default();
        if read["prev"] != hex(&prev) {
            return Err(said("does not follow on the entry before it: one of the two was changed"));
        }
        let formed = read["v"] == 1 && ["time", "type", "actor"].iter().all(|it| read[it].is_string());
        if !formed || !read["data"].is_object() {
            return Err(said("is not an entry of version 1"));
        }
        if read["type"] == "audit.gap" {
            self.gaps = (self.gaps.0 + 1, self.gaps.1 + read["data"]["count"].as_u64().unwrap_or(0));
        }
        self.segments.take(seq, &read);
        self.leaves.push(leaf(entry));
        Ok(())
    }

    fn words(&self, size: u64) -> String {
        let behind =
            if self.behind == 0 { String::new() } else { format!(", {} more behind the checkpoint", self.behind) };
        let (gaps, lines) = self.gaps;
        let gaps =
            if gaps == 0 { String::new() } else { format!(" ({gaps} audit.gap entries, {lines} lines, declared)") };
        format!("{size} entries, no hole{gaps}{behind}")
    }

    /// Holds the root, and all tiles that are there or have to be, against the entries.
    fn tree(&self, log: &Path, checkpoint: &Checkpoint) -> Result<Result<String, String>, ReadError> {
        let covered = &self.leaves[..checkpoint.size as usize];
        let computed = base64::encode(&root(covered));
        if root(covered) != checkpoint.root {
            let signed = base64::encode(&checkpoint.root);
            return Ok(Err(format!("the entries give the root {computed}, the checkpoint says {signed}")));
        }
        let levels = levels(&self.leaves);
        let mut names = below(log, "tile")?;
        for (level, size) in (0_u32..).map(|it| (it, checkpoint.size >> (8 * it))).take_while(|(_, size)| *size > 0) {
            let of = |n, width| Name { level: Some(level), n, width }.written();
            names.extend((0..size / WIDTH).map(|n| of(n, WIDTH)));
            let (n, width) = (size / WIDTH, size % WIDTH);
            // A part may be gone once the whole is there.
            if width > 0 && !names.contains(&of(n, WIDTH)) {
                names.push(of(n, width));
            }
        }
        names.sort();
        names.dedup();
        for name in &names {
            if let Err(wrong) = self.tile(log, name, &levels)? {
                return Ok(Err(wrong));
            }
        }
        Ok(Ok(format!("size {} root {computed}", checkpoint.size)))
    }

    /// Holds a tile against the entries.
    fn tile(&self, log: &Path, name: &str, levels: &[Vec<Hash>]) -> Result<Result<(), String>, ReadError> {
        let Some(Name { level, n, width }) = Name::read(name) else { return Ok(Err(format!("{name} is no tile"))) };
        let Some(bytes) = read(&log.join(name))? else { return Ok(Err(format!("{name} is not there"))) };
        let hashes = levels.get(level.unwrap_or(0) as usize);
        let hashes = hashes.and_then(|it| it.get((n * WIDTH) as usize..(n * WIDTH + width) as usize));
        let right = match (hashes, level) {
            (None, _) => false,
            (Some(hashes), Some(_)) => hashes.as_flattened() == bytes,
            (Some(hashes), None) => {
                entries(&bytes).is_some_and(|it| it.iter().map(|entry| leaf(entry)).eq(hashes.iter().copied()))
            }
        };
        Ok(if right { Ok(()) } else { Err(format!("{name} is not the tile of these entries")) })
    }

    /// Holds an older checkpoint against the entries.
    fn since(&self, (bytes, named): (&[u8], &str), asked: &Asked<'_>, now: &Checkpoint) -> Result<String, String> {
        let older = signed(named, Some(bytes), asked.key, None)?;
        if older.size > now.size {
            return Err(format!("{named} covers {} entries, the log has {}: it was cut", older.size, now.size));
        }
        match root(&self.leaves[..older.size as usize]) == older.root {
            true => Ok(format!("{named} ({}) → now", older.size)),
            false => Err(format!("the first {} entries are not those of {named}: the log was begun anew", older.size)),
        }
    }
}

/// Returns the hashes of all tiles by level: those of the leaves, then the root of each full tile below.
fn levels(leaves: &[Hash]) -> Vec<Vec<Hash>> {
    let mut levels = vec![leaves.to_vec()];
    while let Some(below) = levels.last().filter(|it| it.len() as u64 >= WIDTH) {
        let (tiles, _) = below.as_chunks::<{ WIDTH as usize }>();
        let above = tiles.iter().map(|it| root(it)).collect();
        levels.push(above);
    }
    levels
}
