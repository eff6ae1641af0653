//! Answered: what of an answer is held until its labels come.

use evenkeel_config::Truth;

use super::{ROWS, Value};
use crate::{guard::Lesson, judge, tensor::InferAnswer};

/// What is held of an answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answered {
    /// Whose request it was.
    pub(crate) whose: u64,
    /// Nothing of what was answered may be kept (`evenkeel-private`).
    pub(crate) private: bool,
    /// Its first rows; none of an answer that has none: it counts as one.
    pub(crate) rows: Vec<Said>,
    /// What labels may teach of requests that looked like this one, where its first tier answered it and somebody asks.
    pub(crate) lesson: Option<Lesson>,
}

/// What is held of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Said {
    /// The tier that answered it; none where that is the one of the whole answer.
    pub(crate) tier: Option<u8>,
    /// What it said, where a label is compared with that.
    pub(crate) value: Option<Value>,
}

/// Reads of each row of an answer what a label is compared with, of the first 1,024.
pub(crate) fn read(answer: &InferAnswer, truth: &Truth) -> Vec<Option<Value>> {
    judge::rows(answer, truth.taken(), ROWS, |row| truth.of(row).map(Value::from))
}
