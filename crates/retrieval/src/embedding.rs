//! Embedding: what passages of documents mean, as an embedder has it, and how near that is to a question; the same wherever the
//! vectors are kept.
//!
//! The network is not here: whoever builds an index, or asks it, brings an [`Embedder`], or the vector of the question.

use crate::{
    document::{Document, MOST_BODY},
    passage::passages,
};

/// Texts that are embedded at once.
const BATCH: usize = 32;
/// Passages of which the cosines to each other are taken for those of all.
const SAMPLE: u64 = 256;
/// Numbers that a vector has at most.
pub(crate) const MOST_NUMBERS: usize = 1 << 14;

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

/// The passages of documents, on their way to be vectors.
pub struct Embedding<'a> {
    embedder: &'a mut dyn Embedder,
    numbers: usize,
    /// Texts that are not embedded yet.
    texts: Vec<String>,
}

impl<'a> Embedding<'a> {
    /// Begins; vectors have so many numbers, or as many as the first one that comes where that is 0.
    pub fn new(embedder: &'a mut dyn Embedder, numbers: usize) -> Self {
        Self { embedder, numbers, texts: Vec::new() }
    }

    /// Returns the model that makes the vectors.
    pub fn model(&self) -> &str {
        self.embedder.model()
    }

    /// Returns how many numbers a vector has; 0 where none has come yet.
    pub fn numbers(&self) -> usize {
        self.numbers
    }

    /// Takes the passages of a document; returns how many they are.
    pub fn take(&mut self, document: &Document) -> usize {
        let body = &document.body[..document.body.floor_char_boundary(MOST_BODY)];
        let before = self.texts.len();
        let texts = passages(body).into_iter().map(|passage| format!("{}\n{}", document.title, &body[passage]));
        self.texts.extend(texts);
        self.texts.len() - before
    }

    /// Returns the vectors, of length 1, of the passages that wait, in their order; unless it is for `all`, those that fill a batch.
    ///
    /// # Errors
    /// The embedder says why, or its vectors are none.
    pub fn vectors(&mut self, all: bool) -> Result<Vec<Vec<f32>>, String> {
        let (mut made, least) = (Vec::new(), if all { 1 } else { BATCH });
        while self.texts.len() >= least {
            let batch: Vec<_> = self.texts.drain(..BATCH.min(self.texts.len())).collect();
            let vectors = self.embedder.embed(&batch)?;
            if vectors.len() != batch.len() {
                return Err(format!("{} texts were embedded, and {} vectors came", batch.len(), vectors.len()));
            }
            for vector in vectors {
                if self.numbers == 0 && vector.len() <= MOST_NUMBERS {
                    self.numbers = vector.len();
                }
                if vector.len() != self.numbers {
                    return Err(format!("a vector has {} numbers, others {}", vector.len(), self.numbers));
                }
                made.push(normalised(&vector).ok_or("a vector has no direction")?);
            }
        }
        Ok(made)
    }
}

/// Returns a vector of length 1 in the same direction; nothing where there is no direction.
pub fn normalised(vector: &[f32]) -> Option<Vec<f32>> {
    let length = vector.iter().map(|it| it * it).sum::<f32>().sqrt();
    (length.is_finite() && length > 0.0).then(|| vector.iter().map(|it| it / length).collect())
}

/// How the cosines between passages lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Background {
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation.
    pub spread: f64,
}

impl Background {
    /// Returns which of so many passages it is taken of: some that are spread over all, in their order.
    pub fn sample(passages: u64) -> impl Iterator<Item = u64> {
        let taken = passages.min(SAMPLE);
        (0..taken).map(move |at| at * passages / taken)
    }

    /// Takes it of the vectors of these.
    pub fn of(rows: &[Vec<f32>]) -> Self {
        let (mut sum, mut squares, mut count) = (0.0, 0.0, 0.0);
        for (at, a) in rows.iter().enumerate() {
            for b in &rows[at + 1..] {
                let cosine = f64::from(a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>());
                (sum, squares, count) = (sum + cosine, squares + cosine * cosine, count + 1.0);
            }
        }
        // A handful of passages says nothing of a spread.
        if count < 28.0 {
            return Self { mean: 0.25, spread: 0.15 };
        }
        let mean: f64 = sum / count;
        Self { mean, spread: (squares / count - mean * mean).max(1e-6).sqrt() }
    }

    /// Returns how many spreads a cosine is above the mean of these; see `confidence.rs`.
    pub(crate) fn nearness(self, cosine: f64) -> f64 {
        (cosine - self.mean) / self.spread
    }
}
