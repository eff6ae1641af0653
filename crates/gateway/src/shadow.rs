//! Shadow: whether a copy of a request was answered as its client was (F-150).
//!
//! Numbers are near or far, texts and labels the same or not. Of a chat it can only be said that two short answers are alike,
//! or not, in the form that votes compare: of long ones nobody knows by their letters, so nothing is said.
//!
//! # Invariants
//! - `AGREE-1`: what was not compared is no disagreement.
//!
//! # When it misleads
//! It holds one answer against another, not against the truth: two that are wrong alike agree.

use evenkeel_core::{Nanos, PathId, ResultCode, Revision};
use evenkeel_signals::votes::canonical;

use crate::tensor::{InferAnswer, Tensor};

/// Bytes of a text that is held against another; a longer one says too many things at once.
pub(crate) const SHORT: usize = 256;
/// Rows that are compared, at most, and pairs that are handed on.
const ROWS: usize = 1_024;

/// What a client got, as far as it can be compared.
#[derive(Clone, Debug, Default)]
pub(crate) enum Given {
    #[default]
    Nothing,
    /// The text of a chat.
    Text(String),
    /// Tensors.
    Infer(InferAnswer),
}

/// Two numbers of the same row and output: what the client got, and what the shadow says. What learns to map the one to the
/// other (`calibrate_to`) learns from these.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// The output, as the route names it.
    pub output: String,
    /// What the client got.
    pub given: f64,
    /// What the shadow says.
    pub shadow: f64,
}

/// How an answer compares with another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compared {
    /// Rows that were compared; one for a text.
    pub rows: u64,
    /// Those that agree in every output.
    pub agreed: u64,
    /// The numbers that were compared, at most 1,024.
    pub pairs: Vec<Pair>,
}

/// A copy of a request that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Shadowed {
    /// The request, by its decision.
    pub decision: String,
    /// The route.
    pub route: String,
    /// The tier that was asked, and its path.
    pub tier: u8,
    /// The path.
    pub path: String,
    /// How it ended.
    pub result: &'static str,
    /// How long it took, in nanoseconds.
    pub took: Nanos,
    /// The tier whose answer the client got; none where several gave rows of it. A map to the scores of the primary is learned
    /// from those of tier 0 alone.
    pub against: Option<u8>,
    /// How its answer compares with the client's; none where the two cannot be compared.
    pub compared: Option<Compared>,
}

impl Shadowed {
    /// Names what ended.
    pub(crate) fn new(
        revision: &Revision,
        (decision, tier, path): (&str, u8, PathId),
        (result, took): (ResultCode, Nanos),
    ) -> Self {
        let path = &revision.paths[path.index()];
        Self {
            decision: decision.into(),
            route: revision.routes[path.route.index()].name.clone(),
            tier,
            path: path.name.clone(),
            result: result.name(),
            took,
            against: None,
            compared: None,
        }
    }
}

/// Compares what a client got with what a shadow says; none where that cannot be compared.
pub(crate) fn compare(given: &Given, shadow: &Given, tolerance: u16) -> Option<Compared> {
    match (given, shadow) {
        (Given::Text(given), Given::Text(shadow)) => texts(given, shadow),
        (Given::Infer(given), Given::Infer(shadow)) => tensors(given, shadow, tolerance),
        _ => None,
    }
}

fn texts(given: &str, shadow: &str) -> Option<Compared> {
    if given.len().max(shadow.len()) > SHORT || given.is_empty() {
        return None;
    }
    let agreed = canonical(given) == canonical(shadow);
    Some(Compared { rows: 1, agreed: agreed.into(), pairs: Vec::new() })
}

fn tensors(given: &InferAnswer, shadow: &InferAnswer, tolerance: u16) -> Option<Compared> {
    let mut rows: Vec<bool> = Vec::new();
    let mut pairs = Vec::new();
    for output in &given.outputs {
        let (given, Some(shadow)) = (&output.tensor, shadow.output(output.tensor.name())) else { continue };
        let alike = alike((given, shadow), tolerance, &mut pairs)?;
        rows.resize(rows.len().max(alike.len()), true);
        rows.iter_mut().zip(alike).for_each(|(row, alike)| *row &= alike);
    }
    let agreed = rows.iter().filter(|row| **row).count() as u64;
    (!rows.is_empty()).then_some(Compared { rows: rows.len() as u64, agreed, pairs })
}

/// Says of each row of an output whether the two agree; none where they are not of the same shape.
fn alike((given, shadow): (&Tensor, &Tensor), tolerance: u16, pairs: &mut Vec<Pair>) -> Option<Vec<bool>> {
    let rows = usize::try_from(given.shape().first().copied().unwrap_or(1)).ok()?;
    let near = |(a, b): (f64, f64)| a == b || (a - b).abs() <= f64::from(tolerance) / 1_000.0 * a.abs().max(1.0);
    let mut alike: Vec<bool> = match (given.numbers(), shadow.numbers()) {
        (Some(given_numbers), Some(shadow_numbers)) => {
            let both: Vec<_> = given_numbers.zip(shadow_numbers).collect();
            if both.len() == rows {
                let room = ROWS.saturating_sub(pairs.len());
                let pair = |(a, b): &(f64, f64)| Pair { output: given.name().into(), given: *a, shadow: *b };
                pairs.extend(both.iter().take(room).map(pair));
            }
            both.into_iter().map(near).collect()
        }
        (None, None) => given.strings().zip(shadow.strings()).map(|(a, b)| a == b).collect(),
        _ => return None,
    };
    if given.shape() != shadow.shape() || rows == 0 || alike.is_empty() {
        return None;
    }
    let each = alike.len() / rows;
    alike = alike.chunks(each.max(1)).map(|row| row.iter().all(|it| *it)).collect();
    alike.truncate(ROWS);
    Some(alike)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Output;

    fn text(text: &str) -> Given {
        Given::Text(text.into())
    }

    fn answer(outputs: Vec<Tensor>) -> Given {
        let outputs = outputs.into_iter().map(|tensor| Output { tensor, parameters: Default::default() }).collect();
        Given::Infer(InferAnswer { outputs, ..InferAnswer::default() })
    }

    fn scores(values: &[f64]) -> Tensor {
        Tensor::from_f64("score", vec![values.len() as u64], values).expect("it fits")
    }

    fn labels(values: &[&str]) -> Tensor {
        Tensor::from_bytes("label", vec![values.len() as u64], values).expect("it fits")
    }

    fn agreed(given: &Given, shadow: &Given) -> Option<(u64, u64)> {
        compare(given, shadow, 50).map(|it| (it.rows, it.agreed))
    }

    #[test]
    fn f_150_short_texts_agree_but_for_how_they_are_written_and_long_ones_say_nothing() {
        for (given, shadow, expected) in [
            ("Yes.", "yes", Some((1, 1))),
            ("  Paris\n", "paris!", Some((1, 1))),
            ("Yes", "No", Some((1, 0))),
            ("", "No", None),
        ] {
            assert_eq!(agreed(&text(given), &text(shadow)), expected, "{given:?} and {shadow:?}");
        }
        assert_eq!(agreed(&text(&"x".repeat(SHORT + 1)), &text("x")), None, "AGREE-1");
        assert_eq!(agreed(&Given::Nothing, &text("x")), None);
    }

    #[test]
    fn f_150_rows_agree_by_every_output_within_the_tolerance() {
        let given = answer(vec![scores(&[0.5, 0.9, 100.0]), labels(&["a", "b", "c"])]);
        let near = answer(vec![scores(&[0.549, 0.9, 104.9]), labels(&["a", "b", "c"])]);
        assert_eq!(agreed(&given, &near), Some((3, 3)));
        let far = answer(vec![scores(&[0.551, 0.9, 105.1]), labels(&["a", "x", "c"])]);
        assert_eq!(agreed(&given, &far), Some((3, 0)));
        let compared = compare(&given, &far, 50).expect("compared");
        let pair = Pair { output: "score".into(), given: 0.5, shadow: 0.551 };
        assert_eq!((compared.pairs.len(), &compared.pairs[0]), (3, &pair), "for who learns a map of scores");
        assert_eq!(agreed(&given, &answer(vec![scores(&[0.5])])), None, "of another shape");
        assert_eq!(agreed(&given, &answer(vec![labels(&["a", "b", "c"])])), Some((3, 3)), "what both say");
        assert_eq!(agreed(&answer(vec![scores(&[f64::NAN])]), &answer(vec![scores(&[f64::NAN])])), Some((1, 0)));
    }
}
