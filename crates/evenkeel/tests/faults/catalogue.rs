//! Catalogue: the rows of `docs/design/fault-catalogue.md`, read from the page itself, so that nothing is written twice.

use std::path::{Path, PathBuf};

/// One row of the catalogue.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// `UP-06`.
    pub(crate) id: String,
    /// One of the sixteen.
    pub(crate) starred: bool,
    /// What happens.
    pub(crate) fault: String,
}

/// Returns a file of the repository.
pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

/// Reads the catalogue, in its order.
pub(crate) fn read() -> Vec<Entry> {
    let text = std::fs::read_to_string(file("docs/design/fault-catalogue.md")).expect("the catalogue is there");
    text.lines().filter_map(entry).collect()
}

/// Returns the cells of a line of a table.
pub(crate) fn cells(line: &str) -> Option<Vec<&str>> {
    let line = line.strip_prefix('|')?.strip_suffix('|')?;
    Some(line.split(" | ").map(str::trim).collect())
}

/// Says whether a cell is the id of a row.
pub(crate) fn is_id(cell: &str) -> bool {
    cell.split_once('-').is_some_and(|(kind, number)| {
        kind.len() == 2
            && kind.bytes().all(|it| it.is_ascii_uppercase())
            && number.len() == 2
            && number.bytes().all(|it| it.is_ascii_digit())
    })
}

fn entry(line: &str) -> Option<Entry> {
    let cells = cells(line)?;
    let (first, fault) = (cells.first()?, cells.get(1)?);
    let (id, starred) = match first.strip_suffix('★') {
        Some(id) => (id.trim(), true),
        None => (*first, false),
    };
    is_id(id).then(|| Entry { id: id.into(), starred, fault: (*fault).into() })
}
