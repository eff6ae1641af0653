//! Confidence: how sure a model is of a row of its answer, as an expression over its outputs says.
//!
//! It does not know tensors: whoever has them hands it one row at a time.
//!
//! Accepted: `outputs.score`, `max(outputs.score, 1.0 - outputs.score)`, `max(outputs.probabilities)`. Rejected by
//! `check`: an output that the route does not promise, and an expression that is no number.
//!
//! # Invariants
//! - `CONF-1`: what cannot be computed, and what is no number, is below every threshold (OIP-35).
//! - `CONF-2`: an expression over FP32 is held against the threshold as FP32, so that 0.7 is at least 0.7.

use std::{cmp::Ordering, collections::BTreeMap};

use evenkeel_core::RowRule;

pub use crate::expr::{Take, Taken};
use crate::{
    diagnostic::nearest,
    expr::{Expr, Inputs, Problem, Range, Row, Type},
    schema::{
        accept,
        contract::{Datatype, OutputTensor},
    },
};

/// How sure a model must be of each row of its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Accept {
    /// How sure it is.
    pub confidence: Confidence,
    /// The least that is accepted.
    pub at_least: f64,
    /// When rows below that move.
    pub rows: RowRule,
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
    pub(crate) fn new(it: &accept::Accept, outputs: &BTreeMap<String, OutputTensor>) -> Result<Self, Vec<Problem>> {
        let confidence = Confidence::read(&it.confidence, outputs)?;
        Ok(Self { confidence, at_least: it.at_least, rows: it.rows.in_core() })
    }

    /// Says whether a row is accepted. Its values are asked for by their positions among [`Confidence::taken`].
    pub fn accepts(&self, row: &dyn Row) -> bool {
        let Some(confidence) = self.confidence.of(row) else { return false };
        let order = match self.confidence.single {
            true => (confidence as f32).partial_cmp(&(self.at_least as f32)),
            false => confidence.partial_cmp(&self.at_least),
        };
        matches!(order, Some(Ordering::Greater | Ordering::Equal))
    }
}

impl Confidence {
    /// Returns how sure a model is of a row; none where that cannot be computed. Its values are asked for as those of
    /// [`Accept::accepts`] are.
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
        let (expr, taken) = Expr::over_outputs(source, typed)?;
        if taken.is_empty() {
            let (message, hint) =
                ("it names no output, so it says the same of every answer", "for example `outputs.score`");
            return Err(vec![Problem { at: 0, message: message.into(), hint: hint.into() }]);
        }
        let types = taken.iter().map(|(taken, found)| (taken.name(), *found)).collect();
        Ok(Self { expr, types, taken: taken.into_iter().map(|(taken, _)| taken).collect(), single })
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
            taken.and_then(|it| outputs.get(&it.output)).map_or(Range::ANY, bounds)
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

/// Returns the type of what is taken of an output; or why it cannot be, with a hint.
fn of(taken: &Taken, outputs: &BTreeMap<String, OutputTensor>) -> Result<Type, (String, String)> {
    let Taken { output: name, take } = taken;
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
