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

mod writing;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use self::writing::Writing;
use crate::{
    document::Moment,
    embedding::Embedder,
    read::{Folder, Left},
    store::{FILE, Header, OpenError},
    synonyms::Synonyms,
};

const LOCK: &str = ".building";

/// What a build is made with, besides the documents.
#[derive(Default)]
pub struct With<'a> {
    /// The time at which it is counted which documents hold.
    pub now: Moment,
    /// What users say for what the documents say.
    pub synonyms: Synonyms,
    /// Who says what passages mean; without one, documents are found by their words alone.
    pub embedder: Option<&'a mut dyn Embedder>,
}

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
    /// Those of the documents that have expired: they never answer.
    pub expired: u64,
    /// Those that say that they will be verified only later: until then they do not answer.
    pub future: u64,
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
    /// What passages mean could not be found out.
    #[error("the documents cannot be embedded: {0}")]
    Embedding(String),
    /// tantivy cannot index.
    #[error("the words cannot be indexed: {0}")]
    Words(#[from] tantivy::TantivyError),
}

/// Builds an index of a folder, or brings it up to date.
///
/// # Errors
/// There is no document, or it cannot be written.
pub fn build(from: &Folder, index: &Path, with: With<'_>, mut tell: impl FnMut(Progress)) -> Result<Built, BuildError> {
    let unwritable = |error: io::Error| BuildError::Unwritable { path: index.into(), error: error.to_string() };
    let (old, anew) = standing(index)?;
    fs::create_dir_all(index).map_err(unwritable)?;
    let lock = File::create(index.join(LOCK)).map_err(unwritable)?;
    lock.try_lock().map_err(|_| BuildError::Busy(index.into()))?;
    let mut writing = Writing::begin(index, old, with).map_err(unwritable)??;
    let (files, left) = from.list();
    writing.left = left;
    for (at, file) in files.iter().enumerate() {
        tell(Progress { read: at, of: files.len() });
        file.read(|place, read| writing.take(place, read));
        if let Some(error) = writing.failed.take() {
            return Err(error);
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

#[cfg(test)]
mod tests;
