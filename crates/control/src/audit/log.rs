//! Log: the tamper-evident log while it is written (C2SP `tlog-tiles`; `governance.md`, section 10).
//!
//! It is not what verifies one: `verify` shares none of its code.
//!
//! # Invariants
//! - `LOG-1`: entries are on disk before a checkpoint covers them, and so are all tiles of its tree.
//! - `LOG-2`: what a checkpoint covers is not gone on with where it has changed: entries and tiles that are written again, those of
//!   the open tile, are held against its root first; where they are others the folder is refused, not repaired. Full tiles are
//!   never written again; what has changed there finds `verify`.
//! - `LOG-3`: what `append` has returned of is in the log after any crash; what it failed with is not, or whole.
//!
//! # How it is kept
//! Every file is put whole (DISK-1). The open bundle of entries has one name for each of its widths, so a step never writes
//! over what an earlier one wrote. What lies beyond the checkpoint is taken up again at the start as far as its chain goes.

use std::{collections::BTreeMap, io};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    base64,
    disk::Disk,
    entry::{Draft, Source, hex},
    key::Signer,
    tree::{Hash, Tree, WIDTH, leaf, name, root},
};

/// How long entries wait for a checkpoint, and how many do. The numbers are governance.md's.
const CHECKPOINT_EVERY: SignedDuration = SignedDuration::from_secs(10);
const CHECKPOINT_ENTRIES: u64 = 256;

/// Where the last lines are noted that entries were made of; a hint that spares reading the whole log at a start.
pub(super) const SOURCES: &str = "sources";

/// The last line that was entered, by instance and stream.
pub(super) type Sources = BTreeMap<(String, String), u64>;

/// Why a log cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The disk is full, read-only or away.
    #[error("write the audit log")]
    Disk(#[from] io::Error),
    /// Its checkpoint is of another log or key, or was changed.
    #[error(
        "go on with the audit log: its checkpoint is not signed by this key as {0}; give the key and origin that it was begun with, or begin one in another folder"
    )]
    Checkpoint(String),
    /// Its entries are not those that the checkpoint is of.
    #[error("go on with the audit log: {0}; `evenkeel audit verify` says more, and the folder is left as it is")]
    Damaged(String),
}

/// A log that is being written.
pub(super) struct Log {
    disk: Box<dyn Disk>,
    signer: Signer,
    tree: Tree,
    /// The hash of the last entry.
    prev: Hash,
    /// The entries of the open tile, as its bundle holds them.
    bundle: Vec<u8>,
    /// The tree of the last checkpoint.
    published: u64,
    published_at: Timestamp,
    /// It, as it is on disk.
    told: Vec<u8>,
    /// The last line of each stream of the spool that is in the log.
    sources: Sources,
    /// A step failed: the disk may hold bundles of entries that are not in this log.
    unclean: bool,
}

impl Log {
    /// Takes up the log of a folder, or begins one.
    ///
    /// # Errors
    /// The disk does not answer, or what is there is not a log of this key (LOG-2).
    pub(super) fn open(now: Timestamp, disk: Box<dyn Disk>, signer: Signer) -> Result<Self, LogError> {
        let mut log = Self {
            disk,
            signer,
            tree: Tree::default(),
            prev: [0; 32],
            bundle: Vec::new(),
            published: 0,
            published_at: now,
            told: Vec::new(),
            sources: BTreeMap::new(),
            unclean: true,
        };
        match log.disk.read("checkpoint")? {
            None => log.checkpoint(now)?,
            Some(written) => log.restore(&written)?,
        }
        log.note_sources()?;
        log.resume()?;
        Ok(log)
    }

    /// Returns the number of entries.
    pub(super) fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Returns the number of entries that a checkpoint covers, and since when.
    pub(super) fn published(&self) -> (u64, Timestamp) {
        (self.published, self.published_at)
    }

    /// Returns the last checkpoint.
    pub(super) fn told(&self) -> &[u8] {
        &self.told
    }

    /// Returns the number of the last line of a stream that is in the log.
    pub(super) fn last(&self, instance: &str, stream: &str) -> u64 {
        self.sources.get(&(instance.to_owned(), stream.to_owned())).copied().unwrap_or(0)
    }

    pub(super) fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Enters what is new, and returns once it is on disk (LOG-3).
    ///
    /// # Errors
    /// The disk does not take it; then nothing was entered.
    pub(super) fn append(&mut self, drafts: &[Draft]) -> Result<(), LogError> {
        if self.unclean {
            self.clean()?;
        }
        let (mut tree, mut prev, mut bundle) = (self.tree.clone(), self.prev, self.bundle.clone());
        self.unclean = true;
        for draft in drafts {
            let entry = draft.entry(tree.size(), &prev);
            bundle.extend(framed(&entry));
            prev = leaf(&entry);
            tree.push(prev);
            if tree.size().is_multiple_of(WIDTH) {
                self.disk.put(&name(None, tree.size() / WIDTH - 1, WIDTH), &bundle)?;
                bundle.clear();
            }
        }
        if !tree.size().is_multiple_of(WIDTH) {
            self.disk.put(&name(None, tree.size() / WIDTH, tree.size() % WIDTH), &bundle)?;
        }
        self.unclean = false;
        let before = std::mem::replace(&mut self.tree, tree).size();
        (self.prev, self.bundle) = (prev, bundle);
        drafts.iter().filter_map(|it| it.source.as_ref()).for_each(|it| note(&mut self.sources, it));
        if before != self.published && before != self.size() && before % WIDTH != 0 {
            // No checkpoint is of this width, so nobody asks for it; one that stays is in nobody's way.
            let _ = self.disk.remove(&name(None, before / WIDTH, before % WIDTH));
        }
        Ok(())
    }

    /// Says whether a checkpoint is due.
    pub(super) fn due(&self, now: Timestamp) -> bool {
        let waiting = self.size() - self.published;
        waiting >= CHECKPOINT_ENTRIES || (waiting > 0 && now.duration_since(self.published_at) >= CHECKPOINT_EVERY)
    }

    /// Publishes a checkpoint of all entries.
    ///
    /// # Errors
    /// The disk does not take it; the one before stays.
    pub(super) fn publish(&mut self, now: Timestamp) -> Result<(), LogError> {
        if self.size() == self.published {
            return Ok(());
        }
        self.checkpoint(now)?;
        // A hint: without it the next start reads more.
        let _ = self.hint();
        Ok(())
    }

    /// Shows that the disk still takes something, where nothing is to be entered: a log that could not be written would else not be
    /// missed before something is.
    ///
    /// # Errors
    /// The disk does not take it.
    pub(super) fn prove(&mut self, now: Timestamp) -> Result<(), LogError> {
        if self.size() != self.published {
            return self.publish(now);
        }
        Ok(self.hint()?)
    }

    fn hint(&mut self) -> io::Result<()> {
        let noted = self.sources.iter().map(|((instance, stream), n)| json!([instance, stream, n]));
        let noted = json!({"size": self.size(), "sources": noted.collect::<Vec<_>>()}).to_string();
        self.disk.put(SOURCES, format!("{noted}\n{}\n", hex(&leaf(noted.as_bytes()))).as_bytes())
    }

    fn checkpoint(&mut self, now: Timestamp) -> Result<(), LogError> {
        let tiles: Vec<_> = self.tree.tiles().collect();
        for tile in &tiles {
            let name = name(Some(tile.level), tile.n, tile.hashes.len() as u64);
            self.disk.put(&name, tile.hashes.as_flattened())?;
        }
        let checkpoint = self.signer.checkpoint(self.size(), &self.tree.root());
        self.disk.put("checkpoint", checkpoint.as_bytes())?;
        (self.published, self.published_at) = (self.size(), now);
        self.told = checkpoint.into_bytes();
        self.tree.written();
        for tile in tiles.iter().filter(|it| it.hashes.len() as u64 == WIDTH) {
            let levels = [Some(tile.level)].into_iter().chain((tile.level == 0).then_some(None));
            levels.for_each(|level| self.forget_parts(level, tile.n));
        }
        Ok(())
    }

    /// Removes the parts of a tile that is full now.
    fn forget_parts(&mut self, level: Option<u32>, n: u64) {
        let folder = format!("{}.p", name(level, n, WIDTH));
        for part in self.disk.list(&folder).unwrap_or_default() {
            // They say what the full tile says, so they may stay as well.
            let _ = self.disk.remove(&format!("{folder}/{part}"));
        }
    }

    /// Removes bundles beyond the end of the log: a step wrote them that failed.
    fn clean(&mut self) -> io::Result<()> {
        let (n, width) = (self.size() / WIDTH, self.size() % WIDTH);
        for n in [n, n + 1] {
            self.disk.remove(&name(None, n, WIDTH))?;
            let folder = format!("{}.p", name(None, n, WIDTH));
            for part in self.disk.list(&folder)? {
                if n > self.size() / WIDTH || part.parse::<u64>().ok().is_none_or(|it| it > width) {
                    self.disk.remove(&format!("{folder}/{part}"))?;
                }
            }
        }
        Ok(())
    }

    /// Takes up what the checkpoint covers (LOG-2).
    fn restore(&mut self, checkpoint: &[u8]) -> Result<(), LogError> {
        let foreign = || LogError::Checkpoint(self.signer.origin().into());
        let text = str::from_utf8(checkpoint).map_err(|_| foreign())?;
        let mut lines = text.lines().skip(1);
        let size: u64 = lines.next().and_then(|it| it.parse().ok()).ok_or_else(foreign)?;
        let kept = lines.next().and_then(base64::decode).and_then(|it| Hash::try_from(it).ok()).ok_or_else(foreign)?;
        // Ed25519 signs a text in one way, so a checkpoint is of this key if it is what this key would write. Lines that
        // others have signed may stand behind it.
        if !text.starts_with(&self.signer.checkpoint(size, &kept)) {
            return Err(foreign());
        }
        self.tree = match self.tree_of_tiles(size)?.filter(|it| it.root() == kept) {
            Some(tree) => tree,
            None => self.tree_of_entries(size)?,
        };
        if self.tree.root() != kept {
            return Err(LogError::Damaged("its entries do not give the root of its checkpoint".into()));
        }
        if let Some(last) = size.checked_sub(1) {
            let (n, width) = (last / WIDTH, last % WIDTH + 1);
            let bundle = self.bundle_of(n, width)?;
            let leaves: Vec<Hash> = bundle.iter().map(|it| leaf(it)).collect();
            if !self.covers(size, &leaves)? {
                let name = name(None, n, width);
                return Err(LogError::Damaged(format!("the entries of {name} are not those of its checkpoint")));
            }
            self.prev = leaves[leaves.len() - 1];
            if width < WIDTH {
                self.bundle = bundle.iter().flat_map(|it| framed(it)).collect();
            }
        }
        (self.published, self.told) = (size, checkpoint.into());
        for tile in self.tree.tiles() {
            let name = name(Some(tile.level), tile.n, tile.hashes.len() as u64);
            if self.disk.read(&name)?.as_deref() != Some(tile.hashes.as_flattened()) {
                self.disk.put(&name, tile.hashes.as_flattened())?;
            }
        }
        self.tree.written();
        Ok(())
    }

    /// Says whether the last leaves, those of one tile, are those of the tree, whose tiles may have given its root without them.
    fn covers(&self, size: u64, leaves: &[Hash]) -> io::Result<bool> {
        if !size.is_multiple_of(WIDTH) {
            return Ok(self.tree.open(0) == leaves);
        }
        // The last hash of the lowest open tile is over all full tiles below it that end here, each the last hash of the one above.
        let lowest = (1..).find(|level| !(size >> (8 * level)).is_multiple_of(WIDTH)).expect("a size that is not 0");
        let mut above = self.tree.open(lowest as usize).last().copied();
        for level in (1..lowest).rev() {
            let tile =
                self.disk.read(&name(Some(level), (size >> (8 * level)) / WIDTH - 1, WIDTH))?.unwrap_or_default();
            let (hashes, _) = tile.as_chunks::<32>();
            above = hashes.last().copied().filter(|_| above == Some(root(hashes)));
        }
        Ok(above == Some(root(leaves)))
    }

    /// Reads the open tiles of a tree; none where one is not there.
    fn tree_of_tiles(&self, size: u64) -> io::Result<Option<Tree>> {
        let mut open = Vec::new();
        for level in (0..).take_while(|level| size >> (8 * level) > 0) {
            let (n, width) = ((size >> (8 * level)) / WIDTH, (size >> (8 * level)) % WIDTH);
            let tile = match width {
                0 => Vec::new(),
                _ => self.disk.read(&name(Some(level), n, width))?.unwrap_or_default(),
            };
            let (hashes, rest) = tile.as_chunks::<32>();
            if hashes.len() as u64 != width || !rest.is_empty() {
                return Ok(None);
            }
            open.push(hashes.to_vec());
        }
        Ok(Some(Tree::of(size, open)))
    }

    /// Computes a tree from all its entries: its tiles are gone, or are not those of the checkpoint.
    fn tree_of_entries(&self, size: u64) -> Result<Tree, LogError> {
        let mut tree = Tree::default();
        for n in 0..size.div_ceil(WIDTH) {
            let width = (size - n * WIDTH).min(WIDTH);
            self.bundle_of(n, width)?.iter().for_each(|entry| tree.push(leaf(entry)));
        }
        Ok(tree)
    }

    /// Reads the first entries of a tile, of whichever of its bundles has as many.
    fn bundle_of(&self, n: u64, width: u64) -> Result<Vec<Vec<u8>>, LogError> {
        for wider in width.max(1)..=WIDTH {
            let read = self.disk.read(&name(None, n, wider))?;
            if let Some(mut entries) = read.and_then(|it| entries(&it)).filter(|it| it.len() as u64 >= width) {
                entries.truncate(width as usize);
                return Ok(entries);
            }
        }
        let lost = || LogError::Damaged(format!("the first {width} entries of {} are gone", name(None, n, WIDTH)));
        if width == 0 { Ok(Vec::new()) } else { Err(lost()) }
    }

    /// Learns which lines of the spool are in the log, as far as the checkpoint goes.
    fn note_sources(&mut self) -> Result<(), LogError> {
        let hint = self.disk.read(SOURCES)?.and_then(|it| noted(&it)).filter(|(size, _)| *size <= self.published);
        let (from, known) = hint.unwrap_or_default();
        self.sources = known;
        for n in from / WIDTH..self.published.div_ceil(WIDTH) {
            let width = (self.published - n * WIDTH).min(WIDTH);
            let bundle = self.bundle_of(n, width)?;
            bundle.iter().filter_map(|it| source(it)).for_each(|it| note(&mut self.sources, &it));
        }
        Ok(())
    }

    /// Takes up what was entered after the checkpoint.
    fn resume(&mut self) -> Result<(), LogError> {
        loop {
            let (n, width) = (self.size() / WIDTH, self.size() % WIDTH);
            let mut found = None;
            for wider in (width + 1..=WIDTH).rev() {
                let Some(read) = self.disk.read(&name(None, n, wider))? else { continue };
                found = read.starts_with(&self.bundle).then(|| self.chained(&read, wider)).flatten();
                if found.is_some() {
                    break;
                }
                tracing::warn!(target: "evenkeel::audit", bundle = name(None, n, wider), "a bundle beyond the checkpoint was never finished; it is left out");
            }
            let Some(more) = found else { return Ok(()) };
            for entry in &more {
                self.prev = leaf(entry);
                self.tree.push(self.prev);
                self.bundle.extend(framed(entry));
                source(entry).iter().for_each(|it| note(&mut self.sources, it));
            }
            if !self.size().is_multiple_of(WIDTH) {
                return Ok(());
            }
            self.bundle.clear();
        }
    }

    /// Returns the entries of a bundle that follow on this log; none where they do not, or are not as many as its name says.
    fn chained(&self, bundle: &[u8], width: u64) -> Option<Vec<Vec<u8>>> {
        let more = entries(bundle).filter(|it| it.len() as u64 == width)?.split_off((self.size() % WIDTH) as usize);
        let mut prev = self.prev;
        for (entry, seq) in more.iter().zip(self.size()..) {
            let read: Value = serde_json::from_slice(entry).ok()?;
            (read["seq"] == seq && read["prev"] == hex(&prev)).then_some(())?;
            prev = leaf(entry);
        }
        Some(more)
    }
}

/// Returns the entries of a bundle; none where it is cut.
fn entries(mut bundle: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = bundle.split_first_chunk::<2>() {
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry.to_vec());
        bundle = rest;
    }
    bundle.is_empty().then_some(entries)
}

fn framed(entry: &[u8]) -> Vec<u8> {
    let length = u16::try_from(entry.len()).expect("an entry is shortened before it is that long");
    [&length.to_be_bytes(), entry].concat()
}

/// Returns which lines an entry was made of.
fn source(entry: &[u8]) -> Option<Source> {
    let read: Value = serde_json::from_slice(entry).ok()?;
    let text = |key: &str| read["source"][key].as_str().map(str::to_owned);
    Some(Source { instance: text("instance")?, n: read["source"]["n"].as_u64()?, stream: text("stream")? })
}

fn note(sources: &mut Sources, it: &Source) {
    let last = sources.entry((it.instance.clone(), it.stream.clone())).or_default();
    *last = it.n.max(*last);
}

/// Reads the hint of a start; none where it is not what was written.
pub(super) fn noted(hint: &[u8]) -> Option<(u64, Sources)> {
    let (json, hash) = str::from_utf8(hint).ok()?.split_once('\n')?;
    (hash.trim_end() == hex(&leaf(json.as_bytes()))).then_some(())?;
    let read: Value = serde_json::from_str(json).ok()?;
    let mut sources = BTreeMap::new();
    for it in read["sources"].as_array()? {
        sources.insert((it[0].as_str()?.into(), it[1].as_str()?.into()), it[2].as_u64()?);
    }
    Some((read["size"].as_u64()?, sources))
}

#[cfg(test)]
mod tests;
