//! Vectors: what the passages of the documents mean, as an embedder has it, in a file of their own beside the words.
//!
//! ```text
//! INDEX/7/vectors.f32     a row of numbers for each passage, of length 1, little-endian
//! INDEX/7/vectors.json    who made them, how many numbers a row has, and how many rows each document
//! ```
//! The network is not here: whoever builds an index, or asks it, brings an [`Embedder`], or the vector of the question.

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
    document::{Document, MOST_BODY},
    passage::passages,
};

pub(crate) const ROWS: &str = "vectors.f32";
pub(crate) const NAMES: &str = "vectors.json";
/// Texts that are embedded at once.
const BATCH: usize = 32;
/// Rows of which the cosines to each other are taken for those of all.
const SAMPLE: usize = 256;
/// Numbers that a row has at most.
const MOST_NUMBERS: usize = 1 << 14;

/// Whoever turns texts into vectors.
pub trait Embedder {
    /// What the vectors are named by: those of another name are made anew.
    fn model(&self) -> &str;

    /// Returns a vector for each text, in their order.
    ///
    /// # Errors
    /// Why there is none, in words for a person.
    fn embed(&mut self, texts: &[String]) -> Result<Vec<Vec<f32>>, String>;
}

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
    mean: f64,
    spread: f64,
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
        Ok(Some(Self { rows, numbers, model, mean, spread, documents, places }))
    }

    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    pub(crate) fn numbers(&self) -> usize {
        self.numbers
    }

    /// Returns how many spreads a cosine is above the mean of those of this index; see `confidence.rs`.
    pub(crate) fn nearness(&self, cosine: f32) -> f64 {
        (f64::from(cosine) - self.mean) / self.spread
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

/// Returns a vector of length 1 in the same direction; nothing where there is no direction.
pub(crate) fn normalised(vector: &[f32]) -> Option<Vec<f32>> {
    let length = vector.iter().map(|it| it * it).sum::<f32>().sqrt();
    (length.is_finite() && length > 0.0).then(|| vector.iter().map(|it| it / length).collect())
}

/// Returns mean and standard deviation of the cosines between rows that are spread over a file.
fn background(path: &Path, numbers: usize) -> io::Result<(f64, f64)> {
    let (mut file, row) = (File::open(path)?, numbers as u64 * 4);
    let all = file.metadata()?.len().checked_div(row).unwrap_or(0);
    let taken = all.min(SAMPLE as u64);
    let mut rows = Vec::new();
    for at in 0..taken {
        let mut bytes = vec![0; numbers * 4];
        file.seek(SeekFrom::Start(at * all / taken * row))?;
        file.read_exact(&mut bytes)?;
        rows.push(bytes.chunks_exact(4).map(|it| f32::from_le_bytes([it[0], it[1], it[2], it[3]])).collect::<Vec<_>>());
    }
    let (mut sum, mut squares, mut count) = (0.0, 0.0, 0.0);
    for (at, a) in rows.iter().enumerate() {
        for b in &rows[at + 1..] {
            let cosine = f64::from(a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>());
            (sum, squares, count) = (sum + cosine, squares + cosine * cosine, count + 1.0);
        }
    }
    // A handful of passages says nothing of a spread.
    if count < 28.0 {
        return Ok((0.25, 0.15));
    }
    let mean: f64 = sum / count;
    Ok((mean, (squares / count - mean * mean).max(1e-6).sqrt()))
}

/// The vectors of a generation that is being written.
pub(crate) struct Writing<'a> {
    embedder: &'a mut dyn Embedder,
    file: BufWriter<File>,
    names: Names,
    old: Option<Vectors>,
    /// Texts that are not embedded yet.
    texts: Vec<String>,
}

impl<'a> Writing<'a> {
    /// Begins the vectors of a generation; those of the one before stay where the embedder is the same.
    pub(crate) fn begin(folder: &Path, old: Option<&Path>, embedder: &'a mut dyn Embedder) -> io::Result<Self> {
        let old = match old {
            Some(old) => Vectors::open(old)?.filter(|old| old.model() == embedder.model()),
            None => None,
        };
        let numbers = old.as_ref().map_or(0, Vectors::numbers);
        let names = Names { model: embedder.model().to_owned(), numbers, ..Names::default() };
        let file = BufWriter::new(File::create(folder.join(ROWS))?);
        Ok(Self { embedder, file, names, old, texts: Vec::new() })
    }

    /// Takes a document; one that `is_kept` has the vectors that it had.
    pub(crate) fn take(&mut self, document: &Document, is_kept: bool) -> Result<(), String> {
        if is_kept && self.old.as_ref().is_some_and(|old| old.places.contains_key(&document.id)) {
            self.embed(1)?;
            if let Some((rows, number)) = self.old.as_ref().and_then(|old| old.raw(&document.id)) {
                self.file.write_all(rows).map_err(|error| error.to_string())?;
                self.names.documents.push((document.id.clone(), number));
            }
            return Ok(());
        }
        let body = &document.body[..document.body.floor_char_boundary(MOST_BODY)];
        let texts = passages(body).into_iter().map(|passage| format!("{}\n{}", document.title, &body[passage]));
        let before = self.texts.len();
        self.texts.extend(texts);
        self.names.documents.push((document.id.clone(), (self.texts.len() - before) as u32));
        self.embed(BATCH)
    }

    /// Embeds what is waiting where that is so much.
    fn embed(&mut self, least: usize) -> Result<(), String> {
        while !self.texts.is_empty() && self.texts.len() >= least {
            let batch: Vec<_> = self.texts.drain(..BATCH.min(self.texts.len())).collect();
            let vectors = self.embedder.embed(&batch)?;
            if vectors.len() != batch.len() {
                return Err(format!("{} texts were embedded, and {} vectors came", batch.len(), vectors.len()));
            }
            for vector in vectors {
                if self.names.numbers == 0 && vector.len() <= MOST_NUMBERS {
                    self.names.numbers = vector.len();
                }
                if vector.len() != self.names.numbers {
                    return Err(format!("a vector has {} numbers, others {}", vector.len(), self.names.numbers));
                }
                let vector = normalised(&vector).ok_or("a vector has no direction")?;
                let bytes: Vec<u8> = vector.iter().flat_map(|it| it.to_le_bytes()).collect();
                self.file.write_all(&bytes).map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }

    /// Writes what is left, and the names.
    pub(crate) fn end(mut self, folder: &Path) -> Result<(), String> {
        self.embed(1)?;
        let Self { file, mut names, .. } = self;
        let write = || -> io::Result<()> {
            file.into_inner()?.sync_all()?;
            (names.mean, names.spread) = background(&folder.join(ROWS), names.numbers)?;
            let mut file = File::create(folder.join(NAMES))?;
            serde_json::to_writer(&mut file, &names)?;
            file.sync_all()
        };
        write().map_err(|error| error.to_string())
    }
}
