//! Read: rows of a file, one after the other, whatever it is written in.
//!
//! What a file is says its beginning, not its name. No file is held in memory: rows are gone through as often as they are needed.

mod csv;
mod json;
mod parquet;

use std::{
    fs::File,
    io::{BufReader, Read, Seek},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use sha2::{Digest, Sha256};

use super::cell::Cell;

/// Bytes by which a file is known.
const BEGIN: usize = 64 * 1_024;

/// What a file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Csv {
        delimiter: u8,
    },
    Json,
    Parquet,
    /// It holds no rows, but is made of some.
    Reference,
}

/// A file of rows.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) format: Format,
    /// SHA-256 of its bytes.
    pub(crate) digest: [u8; 32],
    pub(crate) bytes: u64,
}

/// Rows, one after the other.
pub(crate) trait Rows {
    /// The names of the columns so far: there may be more after the next row.
    fn names(&self) -> &[String];

    /// Reads the next row, one cell for each name, and returns where it stands; none after the last.
    fn next(&mut self, cells: &mut Vec<Cell>) -> anyhow::Result<Option<Place>>;

    /// The share of the file that was read, 0 to 1.
    fn done(&self) -> f64;
}

/// Where a row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Line(u64),
    Row(u64),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Line(it) => write!(f, "line {it}"),
            Self::Row(it) => write!(f, "row {it}"),
        }
    }
}

/// Bytes of a row at most: what is longer is none.
const LONGEST: u64 = 256 << 20;

impl Source {
    /// Looks at a file: what it is written in, and its digest.
    ///
    /// # Errors
    /// It cannot be read, is empty, or is written in something else.
    pub(crate) fn look(path: &Path, delimiter: Option<u8>) -> anyhow::Result<Self> {
        let look = || -> anyhow::Result<Self> {
            ensure!(!path.is_dir(), "it is a folder: name the files in it");
            let mut file = File::open(path)?;
            let mut begin = Vec::new();
            file.by_ref().take(BEGIN as u64).read_to_end(&mut begin)?;
            let format = format(&begin, path, delimiter)?;
            file.rewind()?;
            let (mut hash, mut buffer, mut bytes) = (Sha256::new(), vec![0; 1 << 20], 0);
            loop {
                let read = file.read(&mut buffer)?;
                if read == 0 {
                    break;
                }
                hash.update(&buffer[..read]);
                bytes += read as u64;
            }
            Ok(Self { path: path.into(), format, digest: hash.finalize().into(), bytes })
        };
        look().with_context(|| format!("cannot read {}", path.display()))
    }

    /// Opens it to go through its rows once.
    ///
    /// # Errors
    /// It cannot be read, or its head is wrong.
    pub(crate) fn rows(&self) -> anyhow::Result<Box<dyn Rows>> {
        let open = || -> anyhow::Result<Box<dyn Rows>> {
            let file = File::open(&self.path)?;
            Ok(match self.format {
                Format::Csv { delimiter } => Box::new(csv::Csv::open(self.counted(file), delimiter)?),
                Format::Json => Box::new(json::Json::open(self.counted(file))),
                Format::Parquet => Box::new(parquet::Parquet::open(file)?),
                Format::Reference => {
                    bail!("it is a reference, not rows: `evenkeel profile merge` puts references together")
                }
            })
        };
        open().with_context(|| format!("cannot read {}", self.path.display()))
    }

    fn counted(&self, file: File) -> Counted {
        Counted { file: BufReader::with_capacity(1 << 18, file), read: 0, of: self.bytes, quotes: 0, left: u64::MAX }
    }
}

/// Says what bytes begin.
fn format(begin: &[u8], path: &Path, delimiter: Option<u8>) -> anyhow::Result<Format> {
    ensure!(!begin.is_empty(), "it is empty");
    if begin.starts_with(b"EKREF") {
        return Ok(Format::Reference);
    }
    if begin.starts_with(b"PAR1") {
        return Ok(Format::Parquet);
    }
    for (magic, what) in [
        (&b"\x1f\x8b"[..], "gzip: `gunzip` it"),
        (b"PK\x03\x04", "a ZIP archive or a spreadsheet: save it as comma-separated values"),
        (b"\x28\xb5\x2f\xfd", "zstd: `unzstd` it"),
        (b"ORC", "ORC: write it as Parquet"),
        (b"ARROW1", "an Arrow file: write it as Parquet"),
        (b"Obj\x01", "Avro: write it as Parquet"),
    ] {
        ensure!(!begin.starts_with(magic), "it is {what} first");
    }
    let wide = begin.starts_with(b"\xff\xfe") || begin.starts_with(b"\xfe\xff") || begin.contains(&0);
    ensure!(!wide, "it is UTF-16, or no text: `iconv -f UTF-16 -t UTF-8` makes UTF-8 of it");
    let text = begin.strip_prefix(b"\xef\xbb\xbf").unwrap_or(begin);
    match text.iter().find(|it| !it.is_ascii_whitespace()) {
        None => bail!("it has nothing but white space"),
        Some(b'{') => Ok(Format::Json),
        Some(b'[') => bail!("it is one JSON array: `jq -c '.[]'` makes lines of it, an object each"),
        Some(_) => {
            let tabs = path.extension().is_some_and(|it| it == "tsv" || it == "tab");
            let delimiter = delimiter.unwrap_or(if tabs { b'\t' } else { 0 });
            Ok(Format::Csv { delimiter })
        }
    }
}

/// A file that says how much of it was read.
pub(super) struct Counted {
    file: BufReader<File>,
    read: u64,
    of: u64,
    /// Quotes that were read.
    quotes: usize,
    /// Bytes that may still be read, for whoever bounds a row by them.
    left: u64,
}

impl Counted {
    fn done(&self) -> f64 {
        self.read as f64 / self.of.max(1) as f64
    }
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.left == 0 {
            return Err(std::io::Error::other("no row is as long as that"));
        }
        let most = usize::try_from(self.left).map_or(into.len(), |it| it.min(into.len()));
        let read = self.file.read(&mut into[..most])?;
        self.left -= read as u64;
        self.read += read as u64;
        self.quotes += into[..read].iter().filter(|it| **it == b'"').count();
        Ok(read)
    }
}
