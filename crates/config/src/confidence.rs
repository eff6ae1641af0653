//! Confidence: how sure a model is of a row of its answer, as an expression over its outputs says, or of a text, as one over the
//! log-probabilities of its tokens does.
//!
//! It does not know tensors, nor completions: whoever has them hands it one row at a time, or the four numbers of a text.
//!
//! Accepted: `outputs.score`, `max(outputs.score, 1.0 - outputs.score)`, `max(outputs.probabilities)`, `exp(logprobs.mean)`. Rejected
//! by `check`: an output that the route does not promise, and an expression that is no number.
//!
//! # Invariants
//! - `CONF-1`: what cannot be computed, and what is no number, is below every threshold (OIP-35), unless it was written that it passes.
//! - `CONF-2`: an expression over FP32 is held against the threshold as FP32, so that 0.7 is at least 0.7.

use std::{cmp::Ordering, collections::BTreeMap, sync::Arc};

use evenkeel_core::RowRule;

pub use crate::expr::{Root, Take, Taken};
use crate::{
    calibration::LearntConfidence,
    diagnostic::nearest,
    expr::{Expr, Inputs, Problem, Range, Row, Scalar, Type},
    schema::contract::{Datatype, OutputTensor},
};

/// How sure a model must be of its answer: of each row, or of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Accept {
    /// How sure it is.
    pub confidence: Confidence,
    /// The least that is accepted.
    pub at_least: f64,
    /// When rows below that move.
    pub rows: RowRule,
    /// What cannot be computed passes.
    pub passes: bool,
    /// The output whose value is the label by which that was learnt.
    pub label: Option<String>,
    /// What that is worth, where it was learnt.
    pub worth: Option<Arc<Worth>>,
}

/// What a confidence is worth, and the name under which records have it.
#[derive(Clone, Debug, PartialEq)]
pub struct Worth {
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// What stands in it.
    pub learnt: Arc<LearntConfidence>,
}

/// What comes of looking at a row, or a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Looked {
    /// How sure its model is; none where that cannot be computed.
    pub said: Option<f64>,
    /// How likely it is right, in thousandths; none where that was not learnt, or cannot be computed.
    pub right: Option<u16>,
    /// It is accepted.
    pub accepted: bool,
}

/// What the log-probabilities of the tokens of a text come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Logprobs {
    /// Their mean.
    pub mean: f64,
    /// The least of them.
    pub min: f64,
    /// That of the first token.
    pub first: f64,
    /// How many there are.
    pub count: u32,
}

impl Logprobs {
    /// The names that an expression has for them.
    pub(crate) const NAMES: [&'static str; 4] = ["mean", "min", "first", "count"];

    /// Sums up those of the tokens of a text, in their order; none where there are none, or one is no number.
    pub fn of(tokens: &[f64]) -> Option<Self> {
        let sum: f64 = tokens.iter().sum();
        let min = tokens.iter().copied().reduce(f64::min).filter(|_| sum.is_finite())?;
        let count = u32::try_from(tokens.len()).ok()?;
        Some(Self { mean: sum / f64::from(count), min, first: tokens[0], count })
    }
}

/// An expression that is a number, over the outputs of a route.
#[derive(Clone, Debug, PartialEq)]
pub struct Confidence {
    expr: Expr,
    /// By the name that stands for each, sorted.
    types: Vec<(String, Type)>,
    taken: Vec<Taken>,
    /// An output of FP32, or of fewer digits, is in it.
    single: bool,
}

impl Accept {
    /// Looks at a row: its values are asked for by their positions among [`Confidence::taken`]. What it says counts where that was
    /// learnt by labels.
    pub fn look_at(&self, row: &dyn Row, label: Option<&str>) -> Looked {
        self.look(self.confidence.of(row), label)
    }

    /// Looks at a text; none of whose log-probabilities are known where they did not come.
    pub fn look_at_text(&self, logprobs: Option<&Logprobs>) -> Looked {
        let said = logprobs.and_then(|it| self.confidence.of(&Text { confidence: &self.confidence, logprobs: it }));
        self.look(said, None)
    }

    fn look(&self, said: Option<f64>, label: Option<&str>) -> Looked {
        let said = said.filter(|it| !it.is_nan());
        let right = self.worth.as_ref().zip(said).map(|(worth, said)| worth.learnt.right(label, said));
        let order = match (right, said) {
            // As it is told.
            (Some(right), _) => (f64::from(right) / 1e3).partial_cmp(&self.at_least),
            (None, Some(said)) if self.confidence.single => (said as f32).partial_cmp(&(self.at_least as f32)),
            (None, Some(said)) => said.partial_cmp(&self.at_least),
            (None, None) => Some(Ordering::Equal).filter(|_| self.passes),
        };
        Looked { said, right, accepted: matches!(order, Some(Ordering::Greater | Ordering::Equal)) }
    }
}

/// A text, whose numbers stand for the values of a row.
struct Text<'a> {
    confidence: &'a Confidence,
    logprobs: &'a Logprobs,
}

impl Row for Text<'_> {
    fn value(&self, input: usize) -> Option<Scalar<'_>> {
        let Logprobs { mean, min, first, count } = *self.logprobs;
        Some(match self.confidence.taken.get(input)?.output.as_str() {
            "mean" => Scalar::Float(mean),
            "min" => Scalar::Float(min),
            "first" => Scalar::Float(first),
            _ => Scalar::Int(count.into()),
        })
    }
}

impl Confidence {
    /// Returns how sure a model is of a row; none where that cannot be computed. Its values are asked for as those of
    /// [`Accept::look_at`] are.
    pub fn of(&self, row: &dyn Row) -> Option<f64> {
        self.expr.number(&self.types as &Inputs, row).ok()
    }

    /// Returns a confidence that was written down as this expression says it: over FP32 it has no more digits than that (CONF-2).
    pub fn as_said(&self, written: f64) -> f64 {
        if self.single { f64::from(written as f32) } else { written }
    }

    /// Reads an expression over these outputs.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn read(source: &str, outputs: &BTreeMap<String, OutputTensor>) -> Result<Self, Vec<Problem>> {
        let mut single = false;
        let typed = |taken: &Taken| {
            let found = of(taken, outputs)?;
            single |= matches!(outputs[&taken.output].datatype, Datatype::Fp16 | Datatype::Bf16 | Datatype::Fp32);
            Ok(found)
        };
        let (expr, taken) = Expr::over(Root::Outputs, source, typed)?;
        if taken.is_empty() {
            return Err(names_nothing("it names no output, so it says the same of every answer", "`outputs.score`"));
        }
        Ok(Self { single, ..Self::of_taken(expr, taken) })
    }

    /// Reads an expression over the log-probabilities of a text.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn over_logprobs(source: &str) -> Result<Self, Vec<Problem>> {
        let typed = |taken: &Taken| {
            let Taken { output: name, take, .. } = taken;
            match (name.as_str(), take) {
                ("count", Take::Only) => Ok(Type::Int),
                ("mean" | "min" | "first", Take::Only) => Ok(Type::Float),
                _ => {
                    let near = nearest(name, Logprobs::NAMES);
                    let near = near.map(|it| format!("did you mean `logprobs.{it}`?"));
                    let hint = near.unwrap_or_else(|| format!("there are {}", Logprobs::NAMES.join(", ")));
                    Err((format!("there is no `{}` of a text", taken.name()), hint))
                }
            }
        };
        let (expr, taken) = Expr::over(Root::Logprobs, source, typed)?;
        if taken.is_empty() {
            let message = "it names nothing of the log-probabilities, so it says the same of every answer";
            return Err(names_nothing(message, "`exp(logprobs.mean)`"));
        }
        Ok(Self::of_taken(expr, taken))
    }

    fn of_taken(expr: Expr, taken: Vec<(Taken, Type)>) -> Self {
        let types = taken.iter().map(|(taken, found)| (taken.name(), *found)).collect();
        Self { expr, types, taken: taken.into_iter().map(|(taken, _)| taken).collect(), single: false }
    }

    /// Says whether it is over the log-probabilities of a text.
    pub fn is_of_text(&self) -> bool {
        self.taken.iter().any(|it| it.root == Root::Logprobs)
    }

    /// Says which thresholds mean something: those below are passed by every row, and those above by none. Outside of its bounds
    /// the route's contract accepts no value of an output.
    pub(crate) fn range(&self, outputs: &BTreeMap<String, OutputTensor>) -> Range {
        let bounds = |it: &OutputTensor| Range {
            least: it.min.unwrap_or(f64::NEG_INFINITY),
            most: it.max.unwrap_or(f64::INFINITY),
        };
        let of = |name: &str| {
            let taken = self.taken.iter().find(|it| it.name() == name);
            match taken {
                Some(Taken { root: Root::Logprobs, output, .. }) if output == "count" => {
                    Range { least: 1.0, most: u32::MAX.into() }
                }
                Some(Taken { root: Root::Logprobs, .. }) => Range { least: f64::NEG_INFINITY, most: 0.0 },
                taken => taken.and_then(|it| outputs.get(&it.output)).map_or(Range::ANY, bounds),
            }
        };
        let range = self.expr.range(&of);
        match self.single {
            true => Range { least: f64::from(range.least as f32), most: f64::from(range.most as f32) },
            false => range,
        }
    }

    /// Returns a threshold as it is compared.
    pub(crate) fn compared(&self, at_least: f64) -> f64 {
        if self.single { f64::from(at_least as f32) } else { at_least }
    }

    /// Returns what it takes of which outputs, in the positions that [`Row::value`] is asked for.
    pub fn taken(&self) -> &[Taken] {
        &self.taken
    }
}

fn names_nothing(message: &str, example: &str) -> Vec<Problem> {
    vec![Problem { at: 0, message: message.into(), hint: format!("for example {example}") }]
}

/// Returns the type of what is taken of an output; or why it cannot be, with a hint.
pub(crate) fn of(taken: &Taken, outputs: &BTreeMap<String, OutputTensor>) -> Result<Type, (String, String)> {
    let Taken { output: name, take, .. } = taken;
    let Some(tensor) = outputs.get(name) else {
        let hint = match nearest(name, outputs.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `outputs.{near}`?"),
            None => "declare it under `output` of the route".into(),
        };
        return Err((format!("the route has no output `{name}`"), hint));
    };
    let wide = || {
        let row = tensor.shape.get(1..).unwrap_or_default();
        row.iter().try_fold(1_u64, |all, it| all.checked_mul(u64::try_from(*it).ok()?))
    };
    let width = match tensor.shape.first() {
        Some(..0) => wide(),
        _ => {
            let message = format!("the output `{name}` has not one value a row: its shape is {:?}", tensor.shape);
            return Err((message, "name an output whose first dimension is -1".into()));
        }
    };
    let found = match tensor.datatype {
        Datatype::Fp16 | Datatype::Bf16 | Datatype::Fp32 | Datatype::Fp64 => Type::Float,
        Datatype::Bool => Type::Bool,
        Datatype::Bytes => Type::Text,
        _ => Type::Int,
    };
    let shown = format!("outputs.{name}");
    match (take, width) {
        (Take::Only, Some(1)) => Ok(found),
        (Take::Only, _) => Err((
            format!("`{shown}` has several values a row"),
            format!("write `{shown}[0]`, `max({shown})` or `min({shown})`"),
        )),
        (Take::At(at), Some(width)) if (*at as u64) < width => Ok(found),
        (Take::At(at), _) => Err((format!("`{shown}` has no place {at} in a row"), "places count from 0".into())),
        (Take::Max | Take::Min, _) if !tensor.datatype.is_number() => {
            Err((format!("`{shown}` has no order of size"), "name an output of numbers".into()))
        }
        (Take::Max | Take::Min, _) => Ok(found),
    }
}

#[cfg(test)]
mod tests;
