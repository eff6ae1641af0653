//! Measure: how well questions whose answers are known find them, and how well the others are declined.
//!
//! A question is a line of JSON: `{"question": "…", "documents": ["id", …]}`, any of which counts as found; without documents, none
//! answers it. Who searches is not here: what was found comes in, from whichever index it is.
//!
//! # Source
//! E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927, for the intervals.

use serde::Deserialize;

use crate::index::Hit;

/// Documents among which one that answers must be.
const MOST: usize = 3;
/// The quantile of the normal distribution that leaves out 2.5 % on either side.
const Z: f64 = 1.959_964;

/// A question whose answers are known.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The question.
    pub question: String,
    /// The ids of all documents that answer it; none where none does.
    #[serde(default)]
    pub documents: Vec<String>,
}

/// Why a file of questions is none.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct AskedError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: serde_json::Error,
}

impl Asked {
    /// Reads questions, one a line; lines without anything are passed over.
    ///
    /// # Errors
    /// A line is no question.
    pub fn read(text: &str) -> Result<Vec<Self>, AskedError> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        lines.map(|(at, line)| serde_json::from_str(line).map_err(|why| AskedError { line: at + 1, why })).collect()
    }
}

/// What came of questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Questions that documents answer.
    pub asked: u32,
    /// Those of which the first document that was found answers.
    pub first: u32,
    /// Those of which one of the first three does.
    pub among_three: u32,
    /// Those that were answered, whatever with.
    pub answered: u32,
    /// Questions that no document answers.
    pub off: u32,
    /// Those of them that were declined.
    pub declined: u32,
}

impl Measured {
    /// Counts a question by what was found, the best first; from `min_score` on it is answered.
    pub fn count(&mut self, asked: &Asked, hits: &[Hit], min_score: f64) {
        let is_answered = hits.first().is_some_and(|hit| hit.confidence >= min_score);
        if asked.documents.is_empty() {
            self.off += 1;
            self.declined += u32::from(!is_answered);
            return;
        }
        let found = hits.iter().take(MOST).position(|hit| asked.documents.contains(&hit.id));
        self.asked += 1;
        self.first += u32::from(found == Some(0));
        self.among_three += u32::from(found.is_some());
        self.answered += u32::from(is_answered);
    }

    /// Returns what is told of them, each of so many; nothing where there was no such question.
    pub fn shares(&self) -> Vec<Share> {
        let Self { asked, first, among_three, answered, off, declined } = *self;
        let all = [
            ("a document that answers is among the first three (recall@3)", among_three, asked),
            ("it is the first", first, asked),
            ("a question that documents answer is answered", answered, asked),
            ("a question that none answers is declined", declined, off),
        ];
        all.into_iter().filter(|it| it.2 > 0).map(|(what, of, all)| Share { what, of, all }).collect()
    }
}

/// A share of questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// What they have in common.
    pub what: &'static str,
    /// How many they are.
    pub of: u32,
    /// Of how many, never 0.
    pub all: u32,
}

impl Share {
    /// Returns the share.
    pub fn ratio(&self) -> f64 {
        f64::from(self.of) / f64::from(self.all)
    }

    /// Returns the 95 % interval of the share (Wilson).
    pub fn interval(&self) -> (f64, f64) {
        let (n, p) = (f64::from(self.all), self.ratio());
        let middle = p + Z * Z / (2.0 * n);
        let width = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        let whole = 1.0 + Z * Z / n;
        ((middle - width) / whole, (middle + width) / whole)
    }

    /// Returns it as cells of a table: what, of how many, share, interval.
    pub fn cells(&self) -> String {
        let (low, high) = self.interval();
        let Self { what, of, all } = self;
        format!("| {what} | {of} of {all} | {:.3} | {low:.3} to {high:.3} |", self.ratio())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(id: &str, confidence: f64) -> Hit {
        let [title, source, passage] = [(); 3].map(|()| String::new());
        Hit { id: id.into(), title, source, verified_at: 0, confidence, passage }
    }

    #[test]
    fn a_question_counts_by_where_its_document_is_and_by_whether_it_is_answered() {
        let questions = "{\"question\": \"a\", \"documents\": [\"x\", \"y\"]}\n\n{\"question\": \"b\"}\n";
        let questions = Asked::read(questions).expect("two questions");
        let mut measured = Measured::default();
        for ids in [["y", "n", "n", "n"], ["n", "n", "x", "n"], ["n", "n", "n", "x"]] {
            let hits = ids.map(|id| hit(id, if ids[0] == "y" { 0.5 } else { 0.49 }));
            questions.iter().for_each(|asked| measured.count(asked, &hits, 0.5));
        }
        let expected = Measured { asked: 3, first: 1, among_three: 2, answered: 1, off: 3, declined: 2 };
        assert_eq!(measured, expected);
        let declined = measured.shares()[3];
        assert_eq!(declined.cells(), "| a question that none answers is declined | 2 of 3 | 0.667 | 0.208 to 0.939 |");
        let none = Measured { off: 0, ..measured };
        assert_eq!(none.shares().len(), 3, "nothing is said of questions that there were not");
        let error = Asked::read("{\"question\": \"a\"}\n\nwhat?").expect_err("no question");
        assert!(error.to_string().starts_with("line 3: "), "{error}");
    }
}
