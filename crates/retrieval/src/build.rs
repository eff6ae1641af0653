//! Build: makes an index of a folder, or brings one up to date: what has not changed is not indexed again.
//!
//! A build writes a generation beside the one that is searched, which it begins with, and names it when it is whole. Whoever
//! searches the old one goes on with it. The words of a generation are one segment without anything deleted in it.
//!
//! # Invariants
//! - `RET-2`: an index that was built step by step answers as one that was built at once of the same documents.
//! - `BUILD-1`: a folder that is not empty and no index is not touched.
//!
//! # Cost
//! A build merges all segments into one: it copies what is there already, about as fast as the disk.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use tantivy::{Index, IndexWriter, Term, merge_policy::NoMergePolicy};

use crate::{
    document::Document,
    read::{Folder, Left, Why},
    schema::Fields,
    store::{DOCUMENTS, FILE, Header, OpenError},
};

/// Memory for the words of documents until they are written out.
const MEMORY: usize = 256 << 20;
const LOCK: &str = ".building";

/// How far a build is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Files that were read.
    pub read: usize,
    /// All files.
    pub of: usize,
}

/// What a build did.
#[derive(Clone, Debug)]
pub struct Built {
    /// Documents in the index.
    pub documents: u64,
    /// What was not there before.
    pub added: u64,
    /// What was there and is another now.
    pub changed: u64,
    /// What was there and is gone.
    pub removed: u64,
    /// What was there and stayed as it was.
    pub kept: u64,
    /// What is no document, and why.
    pub left: Vec<Left>,
    /// The size of the index.
    pub bytes: u64,
    /// How many documents each language has.
    pub languages: BTreeMap<String, u64>,
    /// Why what was there could not be built upon.
    pub anew: Option<String>,
}

/// Why there is no index after a build; what was there before is as it was.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There is nothing to index; why each file is none.
    #[error("`{0}` has no document to index")]
    Nothing(PathBuf, Vec<Left>),
    /// Something else is there.
    #[error("`{0}` is a folder of something else: name one that is empty or not there")]
    Taken(PathBuf),
    /// Somebody else builds it.
    #[error("`{0}` is being built by another process")]
    Busy(PathBuf),
    /// The system does not let us write it.
    #[error("`{path}` cannot be written: {error}")]
    Unwritable {
        /// Where.
        path: PathBuf,
        /// The system's words.
        error: String,
    },
    /// tantivy cannot index.
    #[error("the words cannot be indexed: {0}")]
    Words(#[from] tantivy::TantivyError),
}

/// A line of [`DOCUMENTS`].
#[derive(Serialize, Deserialize)]
struct Known {
    id: String,
    digest: String,
}

/// Builds an index of a folder, or brings it up to date.
///
/// # Errors
/// There is no document, or it cannot be written.
pub fn build(from: &Folder, index: &Path, mut tell: impl FnMut(Progress)) -> Result<Built, BuildError> {
    let unwritable = |error: io::Error| BuildError::Unwritable { path: index.into(), error: error.to_string() };
    let (old, anew) = standing(index)?;
    fs::create_dir_all(index).map_err(unwritable)?;
    let lock = File::create(index.join(LOCK)).map_err(unwritable)?;
    lock.try_lock().map_err(|_| BuildError::Busy(index.into()))?;
    let mut writing = Writing::begin(index, old).map_err(unwritable)??;
    let (files, left) = from.list();
    writing.left = left;
    for (at, file) in files.iter().enumerate() {
        tell(Progress { read: at, of: files.len() });
        file.read(|place, read| writing.take(place, read));
        if let Some(error) = writing.failed.take() {
            return Err(error.into());
        }
    }
    tell(Progress { read: files.len(), of: files.len() });
    if writing.seen.is_empty() {
        let _ = fs::remove_dir_all(&writing.folder);
        return Err(BuildError::Nothing(from.path.clone(), writing.left));
    }
    let built = writing.end(index).map_err(unwritable)??;
    // Gone only now: whoever comes next takes the same lock, or makes another of a file that nobody holds.
    let _ = fs::remove_file(index.join(LOCK));
    Ok(Built { anew, ..built })
}

/// Returns the whole index that is there, if one is, and why it cannot be built upon.
fn standing(index: &Path) -> Result<(Option<Header>, Option<String>), BuildError> {
    match Header::read(index).and_then(|(header, _)| header.verify(index).map(|_| header)) {
        Ok(header) => Ok((Some(header), None)),
        Err(OpenError::Absent(_)) if is_free(index) => Ok((None, None)),
        Err(OpenError::Absent(_) | OpenError::Foreign(_)) => Err(BuildError::Taken(index.into())),
        Err(why) => Ok((None, Some(why.to_string()))),
    }
}

/// Says whether a folder is not there, or has nothing in it but what a build that was cut short has left.
fn is_free(index: &Path) -> bool {
    let Ok(entries) = fs::read_dir(index) else { return !index.exists() };
    let ours = |name: &str| name.parse::<u64>().is_ok() || name == LOCK || name == format!(".{FILE}");
    entries.flatten().all(|entry| ours(&entry.file_name().to_string_lossy()))
}

/// A generation that is being written.
struct Writing {
    folder: PathBuf,
    generation: u64,
    fields: Fields,
    writer: IndexWriter,
    /// The documents of the generation before, with their digests, until they are seen again.
    before: BTreeMap<String, String>,
    /// The documents of this one, each with its digest and its place.
    seen: BTreeMap<String, (String, String)>,
    languages: BTreeMap<String, u64>,
    left: Vec<Left>,
    counts: [u64; 3],
    failed: Option<tantivy::TantivyError>,
}

impl Writing {
    fn begin(index: &Path, old: Option<Header>) -> io::Result<Result<Self, tantivy::TantivyError>> {
        // A generation that was never named may stand at any number.
        let taken =
            fs::read_dir(index)?.flatten().filter_map(|it| it.file_name().to_string_lossy().parse::<u64>().ok());
        let generation = taken.max().unwrap_or(0) + 1;
        let folder = index.join(generation.to_string());
        fs::create_dir_all(&folder)?;
        let mut before = BTreeMap::new();
        if let Some(old) = &old {
            for name in old.files().filter(|name| *name != DOCUMENTS) {
                adopt(&old.folder(index).join(name), &folder.join(name))?;
            }
            for line in BufReader::new(File::open(old.folder(index).join(DOCUMENTS))?).lines() {
                let known: Known = serde_json::from_str(&line?)?;
                before.insert(known.id, known.digest);
            }
        }
        let open = || {
            let (schema, fields) = Fields::new();
            let words = match old {
                Some(_) => Index::open_in_dir(&folder)?,
                None => Index::create_in_dir(&folder, schema)?,
            };
            fields.register(&words);
            // One thread: the same folder makes the same index.
            let writer: IndexWriter = words.writer_with_num_threads(1, MEMORY)?;
            writer.set_merge_policy(Box::new(NoMergePolicy));
            Ok((fields, writer))
        };
        Ok(open().map(|(fields, writer)| Self {
            folder: folder.clone(),
            generation,
            fields,
            writer,
            before,
            seen: BTreeMap::new(),
            languages: BTreeMap::new(),
            left: Vec::new(),
            counts: [0; 3],
            failed: None,
        }))
    }

    /// Takes a document, or the reason why there is none.
    fn take(&mut self, place: &str, read: Result<Document, Why>) {
        let twice = |document: Document| match self.seen.get(&document.id) {
            Some((_, other)) => Err(Why::Twice { id: document.id, other: other.clone() }),
            None => Ok(document),
        };
        match read.and_then(twice) {
            Ok(document) => {
                if let Err(error) = self.index(place, &document) {
                    self.failed.get_or_insert(error);
                }
            }
            Err(why) => self.left.push(Left { place: place.into(), why }),
        }
    }

    fn index(&mut self, place: &str, document: &Document) -> tantivy::Result<()> {
        let digest = document.digest();
        let [added, changed, kept] = &mut self.counts;
        match self.before.remove(&document.id) {
            Some(known) if known == digest => *kept += 1,
            known => {
                if known.is_some() {
                    self.writer.delete_term(Term::from_field_text(self.fields.id, &document.id));
                    *changed += 1;
                } else {
                    *added += 1;
                }
                self.writer.add_document(self.fields.document(document))?;
            }
        }
        *self.languages.entry(document.language.code().to_owned()).or_default() += 1;
        self.seen.insert(document.id.clone(), (digest, place.into()));
        Ok(())
    }

    /// Ends the generation, names it, and removes the others.
    fn end(mut self, index: &Path) -> io::Result<Result<Built, tantivy::TantivyError>> {
        let removed = self.before.len() as u64;
        if let Err(error) = self.commit() {
            return Ok(Err(error));
        }
        let mut known = BufWriter::new(File::create(self.folder.join(DOCUMENTS))?);
        for (id, (digest, _)) in self.seen {
            serde_json::to_writer(&mut known, &Known { id, digest })?;
            known.write_all(b"\n")?;
        }
        known.into_inner()?.sync_all()?;
        let [added, changed, kept] = self.counts;
        let documents = added + changed + kept;
        let header = Header::of(&self.folder, self.generation, documents, self.languages)?;
        let unchanged = added + changed + removed == 0;
        let header = match Header::read(index).ok().filter(|_| unchanged) {
            // Nothing has changed, so that nothing is named anew: who searches need not load anything.
            Some((old, _)) => old,
            None => {
                header.write(index)?;
                header
            }
        };
        for entry in fs::read_dir(index)?.flatten() {
            let number = entry.file_name().to_string_lossy().parse::<u64>();
            if number.is_ok_and(|it| it != header.generation) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        let (bytes, languages) = (header.bytes(), header.languages);
        Ok(Ok(Built { documents, added, changed, removed, kept, left: self.left, bytes, languages, anew: None }))
    }

    /// Writes the words as one segment with nothing deleted in it.
    fn commit(&mut self) -> tantivy::Result<()> {
        for id in self.before.keys() {
            self.writer.delete_term(Term::from_field_text(self.fields.id, id));
        }
        self.writer.commit()?;
        let segments = self.writer.index().searchable_segment_metas()?;
        if segments.len() > 1 || segments.iter().any(|segment| segment.num_deleted_docs() > 0) {
            let ids: Vec<_> = segments.iter().map(tantivy::SegmentMeta::id).collect();
            self.writer.merge(&ids).wait()?;
        }
        self.writer.garbage_collect_files().wait()?;
        Ok(())
    }
}

/// Lets a file belong to another generation, too: its content never changes. tantivy's own two lists do, and are copied.
fn adopt(from: &Path, to: &Path) -> io::Result<()> {
    if from.extension().is_some_and(|it| it == "json") || fs::hard_link(from, to).is_err() {
        fs::copy(from, to)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
