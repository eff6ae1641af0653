//! Store: what an index is on disk: a folder with `index.json` and one generation of files, named and summed there.
//!
//! ```text
//! INDEX/index.json           what it is, and the size and SHA-256 of each file of its generation
//! INDEX/7/…                  generation 7: tantivy's files, which never change again
//! INDEX/7/documents.jsonl    id and digest of each document, for the next build
//! ```
//! Whoever reads `index.json` has named every byte of the index with it: its digest is that of the whole.
//!
//! # Invariants
//! - `RET-3`: an index is whole, by the checksum of each of its files, or it is refused with words.
//! - `STORE-1`: `index.json` is put in place last and at once, so that a build that was cut short has changed nothing.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read, Write},
    path::{Component, Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::document::hex;

/// The file that names an index and all that it consists of.
pub const FILE: &str = "index.json";
/// The file with what the next build must know of this one.
pub(crate) const DOCUMENTS: &str = "documents.jsonl";
/// The file with the synonyms, where there are some.
pub(crate) const SYNONYMS: &str = "synonyms.txt";
const KIND: &str = "evenkeel-index";
/// The version of files, fields and words. Whoever changes what [`crate::schema`] or [`crate::language`] do raises it: an index of
/// another version is built anew.
pub const FORMAT: u32 = 2;
/// The largest `index.json` that is read: a generation has some dozen files.
const MAX_HEADER: u64 = 1 << 20;

/// What stands in `index.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    kind: String,
    format: u32,
    pub(crate) documents: u64,
    /// How many documents each language has.
    pub(crate) languages: BTreeMap<String, u64>,
    pub(crate) generation: u64,
    files: BTreeMap<String, Sum>,
}

/// What a file must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Sum {
    bytes: u64,
    sha256: String,
}

/// Why there is no index.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is none.
    #[error("`{0}` is not there; `evenkeel index build` makes it")]
    Absent(PathBuf),
    /// The system does not let us read it.
    #[error("`{path}` cannot be read: {error}")]
    Unreadable {
        /// What cannot be read.
        path: PathBuf,
        /// The system's words.
        error: String,
    },
    /// It is something else.
    #[error("`{0}` is no index of Evenkeel")]
    Foreign(PathBuf),
    /// It was made by another version.
    #[error("`{path}` is of version {found}, and this Evenkeel reads {FORMAT}: build it again")]
    Version {
        /// Where it is.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// It is not what was written.
    #[error("`{path}` is damaged: {what}; build it again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

impl OpenError {
    fn unreadable(path: &Path, error: &io::Error) -> Self {
        Self::Unreadable { path: path.into(), error: error.to_string() }
    }

    pub(crate) fn damaged(path: &Path, what: impl ToString) -> Self {
        Self::Damaged { path: path.into(), what: what.to_string() }
    }
}

impl Header {
    /// Sums the files of a generation.
    pub(crate) fn of(
        folder: &Path,
        generation: u64,
        documents: u64,
        languages: BTreeMap<String, u64>,
    ) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if !name.ends_with(".lock") {
                let (bytes, sha256) = sum(&folder.join(&name))?;
                files.insert(name, Sum { bytes, sha256 });
            }
        }
        Ok(Self { kind: KIND.into(), format: FORMAT, documents, languages, generation, files })
    }

    /// Reads `index.json`, and its digest.
    ///
    /// # Errors
    /// It is not there, or not what this version writes.
    pub(crate) fn read(index: &Path) -> Result<(Self, [u8; 32]), OpenError> {
        let path = index.join(FILE);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(OpenError::Absent(index.into())),
            Err(error) => return Err(OpenError::unreadable(&path, &error)),
        };
        let mut bytes = Vec::new();
        file.take(MAX_HEADER).read_to_end(&mut bytes).map_err(|error| OpenError::unreadable(&path, &error))?;
        #[derive(Deserialize)]
        struct Kind {
            kind: String,
            format: u32,
        }
        match serde_json::from_slice::<Kind>(&bytes) {
            Ok(it) if it.kind == KIND && it.format == FORMAT => {}
            Ok(it) if it.kind == KIND => return Err(OpenError::Version { path: index.into(), found: it.format }),
            _ => return Err(OpenError::Foreign(index.into())),
        }
        let header: Self = serde_json::from_slice(&bytes).map_err(|error| OpenError::damaged(&path, error))?;
        Ok((header, Sha256::digest(&bytes).into()))
    }

    /// Holds every file against its sum; returns the folder that they are in.
    ///
    /// # Errors
    /// A file is missing, cannot be read, or is not what was written.
    pub(crate) fn verify(&self, index: &Path) -> Result<PathBuf, OpenError> {
        let folder = self.folder(index);
        for (name, expected) in &self.files {
            let path = folder.join(name);
            let mut parts = Path::new(name).components();
            if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
                return Err(OpenError::damaged(index, format!("`{name}` is no name of a file")));
            }
            let (bytes, sha256) = sum(&path).map_err(|error| OpenError::damaged(&path, error))?;
            if bytes != expected.bytes {
                let what = format!("it has {bytes} bytes in place of {}", expected.bytes);
                return Err(OpenError::damaged(&path, what));
            }
            if sha256 != expected.sha256 {
                return Err(OpenError::damaged(&path, "its content is not what was written"));
            }
        }
        Ok(folder)
    }

    /// Returns the folder of the generation.
    pub(crate) fn folder(&self, index: &Path) -> PathBuf {
        index.join(self.generation.to_string())
    }

    /// Returns the names of its files.
    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Says whether a file is the same in another generation, or in neither.
    pub(crate) fn has_same(&self, other: &Self, name: &str) -> bool {
        self.files.get(name) == other.files.get(name)
    }

    /// Returns the bytes of its files.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.values().map(|it| it.bytes).sum()
    }

    /// Puts it in place, whole or not at all; returns its digest.
    pub(crate) fn write(&self, index: &Path) -> io::Result<[u8; 32]> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        let beside = index.join(format!(".{FILE}"));
        let mut file = File::create(&beside)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&beside, index.join(FILE))?;
        Ok(Sha256::digest(&text).into())
    }
}

/// Returns the size and the digest of a file.
fn sum(path: &Path) -> io::Result<(u64, String)> {
    let (mut file, mut hash, mut piece, mut bytes) = (File::open(path)?, Sha256::new(), vec![0; 64 << 10], 0);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok((bytes, hex(&hash.finalize()))),
            read => {
                hash.update(&piece[..read]);
                bytes += read as u64;
            }
        }
    }
}
