//! Instance: the folder of one process in a `data_dir`, and its name in the store.
//!
//! # Invariants
//! - `INS-1`: a folder has one name for as long as it is there, whatever loses power: it is on disk before it is used, and what is no
//!   name is an error, not another name.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

use ring::rand::{SecureRandom as _, SystemRandom};

/// The name under which it is told how far segments are read.
pub const READER: &str = "store";

/// Returns the name of an instance in the store. A folder that is made anew counts from 1 again, and several machines may have an `i1`,
/// so each folder has an id of its own.
pub(super) fn identity(folder: &Path) -> io::Result<String> {
    let (name, file) = (folder.file_name().unwrap_or_default().to_string_lossy(), folder.join("id"));
    let id = match fs::read_to_string(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => new_id(folder, &file)?,
        read => read?,
    };
    let id = id.trim();
    if id.len() == 16 && id.bytes().all(|it| it.is_ascii_hexdigit()) {
        return Ok(format!("{name}@{id}"));
    }
    // Under another id every line would be stored once more.
    let (file, wrong) = (file.display(), io::ErrorKind::InvalidData);
    let how = format!(
        "write those that follow `{name}@` in the table `cursors` of the store, or remove the file where none do"
    );
    Err(io::Error::new(wrong, format!("{file} has not the 16 hex digits by which this folder is known: {how}")))
}

/// Gives a folder an id. It is on disk before anything is stored under it: else a loss of power would leave lines in the store that
/// nobody knows to be those of this folder, and they would be stored once more.
fn new_id(folder: &Path, file: &Path) -> io::Result<String> {
    let mut bits = [0; 8];
    SystemRandom::new().fill(&mut bits).map_err(|_| io::Error::other("the system has no entropy"))?;
    let (id, next) = (format!("{:016x}\n", u64::from_be_bytes(bits)), folder.join("id.new"));
    let mut written = File::create(&next)?;
    written.write_all(id.as_bytes())?;
    written.sync_all()?;
    fs::rename(next, file)?;
    File::open(folder)?.sync_all()?;
    Ok(id)
}
