//! Vectors: what the passages of the documents, and the questions that they answer, mean, as an embedder has it, in a file of their own beside the words.
//!
//! ```text
//! INDEX/7/vectors.f32     a row of numbers for each passage and question, of length 1, little-endian
//! INDEX/7/vectors.json    who made them, how many numbers a row has, and how many rows each document
//! ```

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
    ops::Range,
    path::Path,
};

use serde::{Deserialize, Serialize};
use tantivy::directory::{Directory, MmapDirectory, OwnedBytes};

use crate::{
    document::Document,
    embedding::{Background, Embedder, Embedding, MOST_NUMBERS, Rows},
};

pub(crate) const ROWS: &str = "vectors.f32";
pub(crate) const NAMES: &str = "vectors.json";

/// What stands in [`NAMES`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Names {
    model: String,
    numbers: usize,
    /// Mean and standard deviation of the cosines between passages.
    mean: f64,
    spread: f64,
    documents: Vec<(String, u32)>,
}

/// The vectors of an index that is open.
pub(crate) struct Vectors {
    rows: OwnedBytes,
    numbers: usize,
    model: String,
    background: Background,
    documents: Vec<(String, Range<usize>)>,
    places: HashMap<String, usize>,
}

impl Vectors {
    /// Opens the vectors of a generation, where it has some.
    pub(crate) fn open(folder: &Path) -> io::Result<Option<Self>> {
        let names = match std::fs::read(folder.join(NAMES)) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut names: Names = serde_json::from_slice(&names)?;
        let directory = MmapDirectory::open(folder).map_err(io::Error::other)?;
        let rows = directory.open_read(Path::new(ROWS)).map_err(io::Error::other)?.read_bytes()?;
        let (mut documents, mut at) = (Vec::with_capacity(names.documents.len()), 0);
        for (id, number) in std::mem::take(&mut names.documents) {
            documents.push((id, at..at + number as usize));
            at += number as usize;
        }
        if names.numbers == 0 || names.numbers > MOST_NUMBERS || rows.len() != at * names.numbers * 4 {
            return Err(io::Error::other(format!("`{ROWS}` has other rows than `{NAMES}` says")));
        }
        let places = documents.iter().enumerate().map(|(at, (id, _))| (id.clone(), at)).collect();
        let Names { model, numbers, mean, spread, .. } = names;
        let background = Background { mean, spread };
        Ok(Some(Self { rows, numbers, model, background, documents, places }))
    }

    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    pub(crate) fn numbers(&self) -> usize {
        self.numbers
    }

    pub(crate) fn background(&self) -> Background {
        self.background
    }

    /// Returns how many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.rows.len() / self.numbers / 4
    }

    /// Returns the ids, in the order of the rows.
    pub(crate) fn id(&self, document: usize) -> &str {
        &self.documents[document].0
    }

    /// Returns the cosine of the passage of each document that is nearest to a vector of length 1, in the order of the rows.
    pub(crate) fn nearest(&self, to: &[f32]) -> Vec<f32> {
        self.documents.iter().map(|(_, rows)| self.best(rows.clone(), to)).collect()
    }

    /// Returns the cosine of the nearest passage of one document.
    pub(crate) fn nearest_of(&self, id: &str, to: &[f32]) -> Option<f32> {
        self.places.get(id).map(|at| self.best(self.documents[*at].1.clone(), to))
    }

    fn best(&self, rows: Range<usize>, to: &[f32]) -> f32 {
        let row = self.numbers * 4;
        let cosine = |row: &[u8]| {
            // Eight sums at once, which the compiler puts side by side.
            let mut sums = [0.0f32; 8];
            for (bytes, numbers) in row.chunks(32).zip(to.chunks(8)) {
                for ((sum, bytes), number) in sums.iter_mut().zip(bytes.chunks_exact(4)).zip(numbers) {
                    *sum += f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) * number;
                }
            }
            sums.iter().sum::<f32>()
        };
        self.rows[rows.start * row..rows.end * row].chunks_exact(row).map(cosine).fold(-1.0, f32::max)
    }

    /// Returns the rows of a document as they stand in the file, and how many there are.
    fn raw(&self, id: &str) -> Option<(&[u8], u32)> {
        let rows = &self.documents[*self.places.get(id)?].1;
        let row = self.numbers * 4;
        Some((&self.rows[rows.start * row..rows.end * row], rows.len() as u32))
    }
}

/// Returns how the cosines lie between passages that are spread over a file, in which each document has these rows.
fn background(path: &Path, numbers: usize, documents: &[Rows]) -> io::Result<Background> {
    let first = documents.iter().scan(0, |at, rows| Some(std::mem::replace(at, *at + rows.all())));
    let (mut file, first) = (File::open(path)?, first.collect::<Vec<_>>());
    let mut rows = Vec::new();
    for (document, nth) in Background::sample(documents) {
        let mut bytes = vec![0; numbers * 4];
        file.seek(SeekFrom::Start(((first[document] + nth) * bytes.len()) as u64))?;
        file.read_exact(&mut bytes)?;
        rows.push(bytes.chunks_exact(4).map(|it| f32::from_le_bytes([it[0], it[1], it[2], it[3]])).collect());
    }
    Ok(Background::of(&rows))
}

/// The vectors of a generation that is being written.
pub(crate) struct Writing<'a> {
    embedding: Embedding<'a>,
    file: BufWriter<File>,
    names: Names,
    /// The rows of each document, in their order.
    rows: Vec<Rows>,
    old: Option<Vectors>,
}

impl<'a> Writing<'a> {
    /// Begins the vectors of a generation; those of the one before stay where the embedder is the same.
    pub(crate) fn begin(folder: &Path, old: Option<&Path>, embedder: &'a mut dyn Embedder) -> io::Result<Self> {
        let old = match old {
            Some(old) => Vectors::open(old)?.filter(|old| old.model() == embedder.model()),
            None => None,
        };
        let names = Names { model: embedder.model().to_owned(), ..Names::default() };
        let embedding = Embedding::new(embedder, old.as_ref().map_or(0, Vectors::numbers));
        let file = BufWriter::new(File::create(folder.join(ROWS))?);
        Ok(Self { embedding, file, names, rows: Vec::new(), old })
    }

    /// Takes a document; one that `is_kept` has the vectors that it had.
    pub(crate) fn take(&mut self, document: &Document, is_kept: bool) -> Result<(), String> {
        if is_kept && self.old.as_ref().is_some_and(|old| old.places.contains_key(&document.id)) {
            self.embed(true)?;
            if let Some((rows, number)) = self.old.as_ref().and_then(|old| old.raw(&document.id)) {
                self.file.write_all(rows).map_err(|error| error.to_string())?;
                self.names.documents.push((document.id.clone(), number));
                self.rows.push(Rows::of(document, number as usize));
            }
            return Ok(());
        }
        let rows = self.embedding.take(document);
        self.names.documents.push((document.id.clone(), rows.all() as u32));
        self.rows.push(rows);
        self.embed(false)
    }

    /// Writes the vectors of what is waiting, or where that is so much.
    fn embed(&mut self, all: bool) -> Result<(), String> {
        for vector in self.embedding.vectors(all)? {
            let bytes: Vec<u8> = vector.iter().flat_map(|it| it.to_le_bytes()).collect();
            self.file.write_all(&bytes).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Writes what is left, and the names.
    pub(crate) fn end(mut self, folder: &Path) -> Result<(), String> {
        self.embed(true)?;
        let Self { embedding, file, mut names, rows, .. } = self;
        names.numbers = embedding.numbers();
        let write = || -> io::Result<()> {
            file.into_inner()?.sync_all()?;
            Background { mean: names.mean, spread: names.spread } =
                background(&folder.join(ROWS), names.numbers, &rows)?;
            let mut file = File::create(folder.join(NAMES))?;
            serde_json::to_writer(&mut file, &names)?;
            file.sync_all()
        };
        write().map_err(|error| error.to_string())
    }
}
