//! Embedding: what passages of documents mean, and the questions that they answer, as an embedder has it, and how near that is to a
//! question; the same wherever the vectors are kept.
//!
//! The network is not here: whoever builds an index, or asks it, brings an [`Embedder`], or the vector of the question.

use crate::{
    document::{Document, MOST_BODY},
    passage::passages,
};

/// Texts that are embedded at once.
const BATCH: usize = 32;
/// Passages of which the cosines to each other are taken for those of all.
const SAMPLE: usize = 256;
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

/// The vectors of a document: those of its passages come first, then those of the questions that it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    passages: usize,
    questions: usize,
}

impl Rows {
    /// Says which a document has that has so many in all.
    pub fn of(document: &Document, all: usize) -> Self {
        let questions = document.questions.len();
        Self { passages: all.saturating_sub(questions), questions }
    }

    /// Returns how many they are.
    pub fn all(self) -> usize {
        self.passages + self.questions
    }
}

/// The passages and questions of documents, on their way to be vectors.
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

    /// Takes the passages of a document and the questions that it answers; returns the vectors that they will be.
    pub fn take(&mut self, document: &Document) -> Rows {
        let body = &document.body[..document.body.floor_char_boundary(MOST_BODY)];
        let before = self.texts.len();
        let texts = passages(body).into_iter().map(|passage| format!("{}\n{}", document.title, &body[passage]));
        self.texts.extend(texts);
        self.texts.extend(document.questions.iter().cloned());
        Rows::of(document, self.texts.len() - before)
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
    /// Returns which passages it is taken of, some that are spread over all, in their order: the how many-th document, and which of its.
    /// Questions are left out: how many there are, and how short, says nothing of how near a passage is.
    pub fn sample(documents: &[Rows]) -> Vec<(usize, usize)> {
        let all: usize = documents.iter().map(|it| it.passages).sum();
        let taken = all.min(SAMPLE);
        let mut wanted = (0..taken).map(|at| at * all / taken).peekable();
        let (mut from, mut sampled) = (0, Vec::with_capacity(taken));
        for (document, rows) in documents.iter().enumerate() {
            while let Some(at) = wanted.next_if(|at| *at < from + rows.passages) {
                sampled.push((document, at - from));
            }
            from += rows.passages;
        }
        sampled
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_background_is_that_of_passages_which_are_spread_over_all_documents() {
        let rows = |passages, questions| Rows { passages, questions };
        let few = [rows(2, 3), rows(0, 1), rows(1, 0)];
        assert_eq!(Background::sample(&few), [(0, 0), (0, 1), (2, 0)], "no question is among them");
        let many = vec![rows(4, 2); 256];
        assert_eq!(Background::sample(&many), (0..256).map(|document| (document, 0)).collect::<Vec<_>>());
        assert_eq!(Background::sample(&[]), []);
    }
}
