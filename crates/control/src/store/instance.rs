//! Instance: the folder of one process in a `data_dir`: its name in the store, and how far the store has read it.
//!
//! # Invariants
//! - `STO-4`: what was read is told (`read/store`) once it is committed, and not before.

use std::{
    fs::File,
    io::{self, Write as _},
    path::Path,
};

use ring::rand::{SecureRandom as _, SystemRandom};

/// The name under which it is told how far segments are read.
pub const READER: &str = "store";

/// Returns the folders within one, in order; none where it is not.
pub(super) fn folders(within: &Path) -> io::Result<Option<Vec<String>>> {
    let entries = match std::fs::read_dir(within) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.extend(entry.file_name().into_string().ok());
        }
    }
    names.sort_unstable();
    Ok(Some(names))
}

/// Returns the name of an instance in the store. A folder that is made anew counts from 1 again, and several machines may have an `i1`,
/// so each folder has an id of its own.
pub(super) fn identity(folder: &Path) -> io::Result<String> {
    let (name, file) = (folder.file_name().unwrap_or_default().to_string_lossy().into_owned(), folder.join("id"));
    let id = match std::fs::read_to_string(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut bits = [0; 8];
            SystemRandom::new().fill(&mut bits).map_err(|_| io::Error::other("the system has no entropy"))?;
            let id = format!("{:016x}\n", u64::from_be_bytes(bits));
            std::fs::write(folder.join("id.new"), &id)?;
            std::fs::rename(folder.join("id.new"), &file)?;
            id
        }
        read => read?,
    };
    Ok(format!("{name}@{}", id.trim()))
}

/// Tells whoever keeps the segments how far they are read.
pub(super) fn tell(folder: &Path, [decisions, events]: [u64; 2]) -> io::Result<()> {
    let folder = folder.join("read");
    std::fs::create_dir_all(&folder)?;
    // A name that begins with a dot is no reader's.
    let mut file = File::create(folder.join(".store"))?;
    file.write_all(format!("{{\"decisions\":{decisions},\"events\":{events}}}\n").as_bytes())?;
    file.sync_all()?;
    std::fs::rename(folder.join(".store"), folder.join(READER))
}
