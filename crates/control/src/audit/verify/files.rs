//! Files: where the parts of a log are (C2SP `tlog-tiles`).

use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

/// The width of a tile.
pub(crate) const WIDTH: u64 = 256;

/// What could not be read: no verdict of a log.
#[derive(Debug, thiserror::Error)]
#[error("read {path}")]
pub struct ReadError {
    /// What.
    pub path: PathBuf,
    /// What the system says.
    pub source: io::Error,
}

/// Reads a file; none where there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, ReadError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(source) => Err(ReadError { path: path.into(), source }),
    }
}

/// A tile of hashes, by its level, or a bundle of entries, by its place and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) level: Option<u32>,
    pub(super) n: u64,
    pub(super) width: u64,
}

impl Name {
    /// Writes its name below the folder of the log.
    pub(super) fn written(self) -> String {
        let mut groups = vec![format!("{:03}", self.n % 1000)];
        let mut above = self.n / 1000;
        while above > 0 {
            groups.insert(0, format!("x{:03}", above % 1000));
            above /= 1000;
        }
        let level = self.level.map_or("entries".to_owned(), |it| it.to_string());
        let part = if self.width == WIDTH { String::new() } else { format!(".p/{}", self.width) };
        format!("tile/{level}/{}{part}", groups.join("/"))
    }

    /// Reads a name; none where no tile has it.
    pub(super) fn read(name: &str) -> Option<Self> {
        let (level, rest) = name.strip_prefix("tile/")?.split_once('/')?;
        let level = if level == "entries" { None } else { Some(level.parse().ok()?) };
        let (index, width) = match rest.split_once(".p/") {
            None => (rest, WIDTH),
            Some((index, width)) => (index, width.parse().ok().filter(|it| (1..WIDTH).contains(it))?),
        };
        let n = index.split('/').map(|it| it.trim_start_matches('x')).collect::<String>().parse().ok()?;
        let read = Self { level, n, width };
        (read.written() == name).then_some(read)
    }
}

/// Lists all files below a folder of the log, by their names, sorted; without those that were never finished.
pub(super) fn below(log: &Path, folder: &str) -> Result<Vec<String>, ReadError> {
    let mut names = Vec::new();
    for (name, is_folder) in within(log, folder)? {
        match is_folder {
            true => names.extend(below(log, &name)?),
            false => names.push(name),
        }
    }
    names.sort();
    Ok(names)
}

/// Lists what is in a folder of the log, and whether it is a folder itself; nothing where there is no such folder, and nothing that was
/// never finished.
pub(super) fn within(log: &Path, folder: &str) -> Result<Vec<(String, bool)>, ReadError> {
    let path = log.join(folder);
    let fault = |source| ReadError { path: path.clone(), source };
    let entries = match fs::read_dir(&path) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        entries => entries.map_err(fault)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(fault)?;
        let (name, is_folder) = (entry.file_name(), entry.file_type().map_err(fault)?.is_dir());
        let name = format!("{folder}/{}", name.to_string_lossy());
        if is_folder || !name.ends_with(".tmp") {
            found.push((name, is_folder));
        }
    }
    Ok(found)
}

/// Takes a bundle apart; none where it is cut.
pub(super) fn entries(mut bundle: &[u8]) -> Option<Vec<&[u8]>> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = bundle.split_first_chunk::<2>() {
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry);
        bundle = rest;
    }
    bundle.is_empty().then_some(entries)
}

/// The bundles of a log, one after the other.
#[derive(Debug)]
pub struct Bundles<'a> {
    log: &'a Path,
    size: u64,
    next: u64,
}

impl<'a> Bundles<'a> {
    /// Reads the entries of a log of which `size` are asked.
    pub fn new(log: &'a Path, size: u64) -> Self {
        Self { log, size, next: 0 }
    }

    /// Goes on with the bundle of a place.
    pub(crate) fn at(self, next: u64) -> Self {
        Self { next, ..self }
    }
}

impl Iterator for Bundles<'_> {
    /// The name of a bundle and its entries, or what is wrong with it.
    type Item = Result<(String, Result<Vec<Vec<u8>>, String>), ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let width = self.size.checked_sub(self.next * WIDTH).filter(|it| *it > 0)?.min(WIDTH);
        let mut name = Name { level: None, n: self.next, width };
        self.next += 1;
        let mut found = match read(&self.log.join(name.written())) {
            Ok(found) => found,
            Err(error) => return Some(Err(error)),
        };
        if found.is_none() && width < WIDTH {
            // A part may be gone once the whole is there.
            let whole = Name { width: WIDTH, ..name };
            match read(&self.log.join(whole.written())) {
                Ok(None) => {}
                Ok(whole_found) => (name, found) = (whole, whole_found),
                Err(error) => return Some(Err(error)),
            }
        }
        let written = name.written();
        let taken = match found.as_deref().map(entries) {
            None => Err(format!("{written} is not there")),
            Some(None) => Err(format!("{written} is cut, or the length of an entry was changed")),
            Some(Some(entries)) if entries.len() as u64 != name.width => {
                Err(format!("{written} has {} entries, its name says {}", entries.len(), name.width))
            }
            Some(Some(entries)) => Ok(entries[..width as usize].iter().map(|it| it.to_vec()).collect()),
        };
        Some(Ok((written, taken)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_specification_and_no_others_are_read() {
        let name = |level, n, width| Name { level, n, width };
        for (it, written) in [
            (name(Some(1), 1_234_067, 256), "tile/1/x001/x234/067"),
            (name(None, 0, 17), "tile/entries/000.p/17"),
            (name(Some(0), 1_001, 1), "tile/0/x001/001.p/1"),
            (name(Some(0), 1_000_000, 256), "tile/0/x001/x000/000"),
            (name(Some(2), 67_067, 255), "tile/2/x067/067.p/255"),
        ] {
            assert_eq!((it.written().as_str(), Name::read(written)), (written, Some(it)));
        }
        for wrong in [
            "tile/0/0",
            "tile/0/x000/001",
            "tile/00/000",
            "tile/0/000.p/256",
            "tile/0/000.p/0",
            "tile/0/../000",
            "tile/0/000.p/01",
        ] {
            assert_eq!(Name::read(wrong), None, "{wrong}");
        }
    }
}
