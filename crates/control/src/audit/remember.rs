//! Remember: where the folders of instances were removed and the log was kept, how far it had read them is put back.
//!
//! Whoever begins there anew begins behind the lines that are in the log. With numbers from 1 they would be taken for lines that are
//! entered already (SEQ-1), and never be.
//!
//! # When it misleads
//! What is known is as old as the last checkpoint: where a process was killed as well, the first lines of up to ten seconds may be
//! passed over.

use std::{collections::BTreeMap, io, path::Path};

use evenkeel_api::evidence::{Cursor, Stream};

use super::{
    log::{SOURCES, noted},
    sequence::READER,
};

/// Puts back the cursors of instances whose folders are gone; where the first is there, nothing is read.
///
/// # Errors
/// The log cannot be read, or a cursor not be written.
pub fn remember(data_dir: &Path) -> io::Result<()> {
    let instances = data_dir.join("instances");
    if instances.join("i1").exists() {
        return Ok(());
    }
    let hint = match std::fs::read(data_dir.join("audit").join(SOURCES)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        hint => hint?,
    };
    let mut read: BTreeMap<String, Cursor> = BTreeMap::new();
    for ((instance, stream), n) in noted(&hint).unwrap_or_default().1 {
        let cursor = read.entry(instance).or_default();
        match Stream::ALL.into_iter().find(|it| it.name() == stream) {
            Some(Stream::Decisions) => cursor.decisions = n,
            Some(Stream::Events) => cursor.events = n,
            None => {}
        }
    }
    let is_instance = |it: &str| it.strip_prefix('i').is_some_and(|it| it.parse::<u32>().is_ok());
    for (name, cursor) in read.iter().filter(|(name, _)| is_instance(name)) {
        let folder = instances.join(name);
        if !folder.exists() {
            cursor.save(&folder, READER)?;
        }
    }
    Ok(())
}
