//! Sources: the files that a configuration was read from, as they were when it was read.
//!
//! Not a watcher: whoever wants to know asks (`control`). Secrets are not among them: their content is no part of the
//! revision, and an order to reload reads them again. Certificates and their keys are: who renews them gives no order.
//!
//! # Invariants
//! - `SRC-1`: what counts is what was read, not what is there when somebody begins to look: a file that is saved in
//!   between is another one.
//! - `SRC-2`: a look is cheap and bounded: of the configuration it reads as much as may be loaded, of a file that it
//!   names nothing while its mark (size, times, inode) is the same.
//!
//! # When it misleads
//! A named file that is written twice within one tick of the file system's clock, some milliseconds, keeps its mark if it
//! keeps its size and its inode. The next save is seen.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::{compile::Alone, outside::digest};

/// The largest configuration that is read.
pub(crate) const MAX_BYTES: u64 = 4 << 20;

/// The files that a configuration was read from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Empty where a text was loaded.
    file: PathBuf,
    sha256: Option<[u8; 32]>,
    named: BTreeMap<PathBuf, Seen>,
    /// The tier that alone was read of it; none where the whole was.
    alone: Option<Alone>,
}

/// A named file, as it was when it was looked at last; without a digest where it could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    mark: Option<Mark>,
    sha256: Option<[u8; 32]>,
}

/// What tells cheaply that a file is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    inode: (u64, u64),
}

impl Sources {
    /// Looks again, and says whether a file says something else than when it was read, or looked at last.
    pub fn look(&mut self) -> bool {
        let sha256 = bytes(&self.file).ok().map(|it| Sha256::digest(it).into());
        let own = std::mem::replace(&mut self.sha256, sha256) != sha256;
        self.named.iter_mut().fold(own, |changed, (path, seen)| seen.look(path) || changed)
    }

    /// Returns the configuration's own file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Returns the SHA-256 of the configuration's own bytes, where they could be read; of one that is too large, of as
    /// many as were read.
    pub fn digest(&self) -> Option<[u8; 32]> {
        self.sha256
    }

    /// Returns the tier that alone was read; none where the whole was.
    pub(crate) fn alone(&self) -> Option<&Alone> {
        self.alone.as_ref()
    }

    /// Takes note of the configuration's own file, and of what was read of it.
    pub(crate) fn read(&mut self, file: &Path, bytes: Option<&[u8]>, alone: Option<&Alone>) {
        (self.file, self.alone) = (file.into(), alone.cloned());
        self.sha256 = bytes.map(|it| Sha256::digest(it).into());
    }

    /// Takes note of a file that the configuration names; the mark was taken before it was read.
    pub(crate) fn name(&mut self, file: &Path, mark: Option<Mark>, sha256: Option<[u8; 32]>) {
        self.named.insert(file.into(), Seen { mark, sha256 });
    }
}

impl Seen {
    fn look(&mut self, path: &Path) -> bool {
        let mark = Mark::of(path);
        if mark == self.mark {
            return false;
        }
        let seen = Self { mark, sha256: digest(path).ok() };
        std::mem::replace(self, seen).sha256 != self.sha256
    }
}

impl Mark {
    /// Returns the mark of a file that is there.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let it = std::fs::metadata(path).ok()?;
        let (modified, changed) = ((it.mtime(), it.mtime_nsec()), (it.ctime(), it.ctime_nsec()));
        Some(Self { size: it.len(), modified, changed, inode: (it.dev(), it.ino()) })
    }
}

/// Reads at most what a configuration may have and one byte more, whatever the file says of its size.
pub(crate) fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
