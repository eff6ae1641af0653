//! `TreeEnsembleClassifier`, `TreeEnsembleRegressor` and `TreeEnsemble`.
//!
//! Sums are taken tree by tree in the width of the weights, as ONNX Runtime takes them on one thread, so that the bits
//! agree. Where the specification is vague (two classes, and weights or base values for one), ONNX Runtime is followed.
//!
//! # Source
//! ONNX-ML operators, versions 1, 3 and 5.

mod classify;
mod ensemble;
mod forest;

pub(super) use classify::Classifier;
pub(super) use ensemble::ensemble;
use forest::{Forest, Score};

use super::{Operator, made};
use crate::{
    attribute::Attributes,
    extent::Extent,
    post::{Post, Second},
    tensor::{Data, Tensor},
};

/// How the trees' answers become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Average,
    Min,
    Max,
}

/// Trees that give numbers.
#[derive(Debug)]
pub(super) struct Regressor {
    forest: Forest,
    aggregate: Aggregate,
    base: Vec<f64>,
    post: Post,
    /// The answers are F64.
    wide: bool,
}

impl Regressor {
    pub(super) fn new(attributes: Attributes<'_>) -> Result<Self, String> {
        let targets = attributes.int("n_targets").unwrap_or(1);
        let targets = usize::try_from(targets).ok().filter(|it| *it > 0);
        let forest = Forest::new(attributes, "target", targets.ok_or("`n_targets` is below 1")?)?;
        let aggregate = match attributes.text("aggregate_function").as_deref() {
            None | Some("SUM") => Aggregate::Sum,
            Some("AVERAGE") => Aggregate::Average,
            Some("MIN") => Aggregate::Min,
            Some("MAX") => Aggregate::Max,
            Some(other) => return Err(format!("`aggregate_function` has {other:?}, which is none of its words")),
        };
        let base = attributes.numbers("base_values")?;
        if !base.is_empty() && base.len() != forest.targets() {
            return Err(format!("`base_values` has {} numbers for {} targets", base.len(), forest.targets()));
        }
        // Each row has a place for each target: a number that no data stand behind must not decide how many.
        if forest.targets() > forest.weights().max(base.len()).max(1) {
            let (targets, weights) = (forest.targets(), forest.weights());
            return Err(format!("`n_targets` has {targets}, more than there are weights ({weights}) or base values"));
        }
        let post = Post::named(attributes.text("post_transform").as_deref())?;
        Ok(Self { forest, aggregate, base, post, wide: false })
    }
}

impl Operator for Regressor {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let combine = |score: &mut Score, weight: f64| match self.aggregate {
            Aggregate::Sum | Aggregate::Average => score.value = self.forest.add(score.value, weight),
            Aggregate::Min if score.seen && score.value <= weight => {}
            Aggregate::Max if score.seen && score.value >= weight => {}
            Aggregate::Min | Aggregate::Max => score.value = weight,
        };
        let (mut out, mut wide) = (Vec::new(), Vec::new());
        let rows = self.forest.run(inputs[0], combine, |scores| {
            // The base value alone is an answer where there is one target, not where there are more.
            let only = scores.len() == 1;
            scores.iter_mut().enumerate().for_each(|(at, score)| self.finish(at, score, only));
            if self.wide {
                wide.extend(scores.iter().map(|it| if it.seen { it.value } else { 0.0 }));
                return;
            }
            let mut row: Vec<f32> = scores.iter().map(Score::told).collect();
            self.post.write(&mut row, Second::Absent, &mut out);
        })?;
        match self.wide {
            true => made(vec![rows, self.forest.targets()], Data::F64(wide)),
            false => Ok(vec![Tensor::table(rows, self.forest.targets(), out)]),
        }
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        vec![Extent::of_table(inputs, 2)]
    }
}

impl Regressor {
    fn finish(&self, target: usize, score: &mut Score, only: bool) {
        if self.aggregate == Aggregate::Average {
            score.value = self.forest.round(score.value / self.forest.trees() as f64);
        }
        let base = self.base.get(target).copied().unwrap_or(0.0);
        score.value = self.forest.add(score.value, base);
        score.seen |= only;
    }
}
