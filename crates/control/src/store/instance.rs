//! Instance: the folder of one process in a `data_dir`, and its name in the store.

use std::{io, path::Path};

use ring::rand::{SecureRandom as _, SystemRandom};

/// The name under which it is told how far segments are read.
pub const READER: &str = "store";

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
