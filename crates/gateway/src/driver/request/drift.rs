//! The row that a request leaves behind, once its client has been answered, for whoever compares it with the reference of its route.
//!
//! # Invariants
//! - `LEAVE-1`: of several rows one is left, drawn by a hash of the request; of its outputs those of the first tier alone, as they
//!   were before the steps of the route.

use evenkeel_core::Source;

use super::Task;
use crate::{
    drift::{Held, Output, Row, chosen, nanos},
    guard::{Seen, SeenValue, decimal},
    shadow::Given,
    tensor::{Datatype, InferAnswer, Tensor},
};

/// The rows of a request that was judged.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) seen: Vec<Seen>,
    /// How many there are, of which some were seen.
    pub(super) of: u64,
}

impl Task {
    /// Leaves a row behind, where somebody compares it.
    pub(super) fn leave_row(&mut self) {
        let Rows { mut seen, of } = std::mem::take(&mut self.rows);
        let Some(monitor) = &self.it.applied.monitors[self.it.route.index()] else { return };
        let (read, entropy) = (seen.len() as u64, self.it.terms.entropy);
        let at = chosen(entropy, read) as usize;
        if at >= seen.len() {
            return;
        }
        let Seen { scalars, score } = seen.swap_remove(at);
        // Of rows that were picked out of many it is not known which they are in the answer.
        let first = if read == of { self.first_answer() } else { None };
        monitor.offer(entropy, || Row {
            at: nanos(self.driver.clock.wall(self.driver.clock.now())),
            entropy,
            session: self.it.ask.turn().map(|turn| turn.sequence.key),
            inputs: scalars.into_iter().map(held).collect(),
            score: score.map(|it| f64::from(it.s)),
            outputs: first.map(|answer| monitor.outputs.iter().map(|it| output(&answer, it, (at, of))).collect()),
        });
    }

    /// Returns what the first tier answered, where it alone did.
    fn first_answer(&self) -> Option<InferAnswer> {
        let Some((Source::Attempt(attempt), Some(0))) = self.source else { return None };
        match self.given(attempt) {
            Given::Infer(answer) if self.batch.is_of_one() => Some(answer),
            _ => None,
        }
    }
}

fn held(value: SeenValue) -> Held {
    match value {
        SeenValue::Missing => Held::Missing,
        SeenValue::Invalid => Held::Invalid,
        SeenValue::Number(number) => Held::Number(number),
        SeenValue::Name(name) => Held::Name(name),
    }
}

/// Returns an output of one row; none where the answer does not have it row by row.
fn output(answer: &InferAnswer, of: &Output, (at, rows): (usize, u64)) -> Option<Held> {
    let tensor = answer.unposted(&of.name)?;
    let row_by_row = matches!(*tensor.shape(), [it] | [it, 1] if it == rows);
    row_by_row.then(|| element(tensor, at, of.names))
}

fn element(tensor: &Tensor, at: usize, names: bool) -> Held {
    let number = match tensor.datatype() {
        Datatype::Bytes => {
            let text = tensor.strings().nth(at).and_then(|it| std::str::from_utf8(it).ok()).filter(|_| names);
            return text.map_or(Held::Invalid, |it| Held::Name(it.into()));
        }
        Datatype::Fp32 => tensor.element(at).map(|it| decimal::of(f32::from_le_bytes(it))),
        _ => tensor.number(at),
    };
    match number {
        Some(number) if names && number.is_finite() => Held::Name(number.to_string().into()),
        Some(number) if !names => Held::Number(number),
        _ => Held::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leave_1_an_output_is_that_of_the_row_and_of_the_kind_that_the_reference_has() {
        let score = Tensor::from_f32("score", vec![3, 1], &[0.1, 0.2, 0.3]).expect("three");
        let label = Tensor::from_bytes("label", vec![3], &["a", "b", "c"]).expect("three");
        let wide = Tensor::from_f32("wide", vec![3, 2], &[0.0; 6]).expect("six");
        let answer = InferAnswer::of([score, label, wide]);
        let read = |name: &str, names| output(&answer, &Output { name: name.into(), names }, (1, 3));
        assert_eq!(read("score", false), Some(Held::Number(0.2)), "the decimal that was written");
        assert_eq!(read("label", true), Some(Held::Name("b".into())));
        assert_eq!(read("label", false), Some(Held::Invalid), "a text is no number");
        assert_eq!(read("score", true), Some(Held::Name("0.2".into())));
        assert_eq!([read("wide", false), read("other", false)], [None, None], "there is no such value of a row");
    }
}
