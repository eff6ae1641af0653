//! Trees that tell classes: the scores of a row, and the label that has the most.

use super::{Forest, Operator, Score};
use crate::{
    attribute::Attributes,
    extent::Extent,
    op::Labels,
    post::{Post, Second},
    tensor::Tensor,
};

/// Trees that tell classes.
#[derive(Debug)]
pub(in crate::op) struct Classifier {
    forest: Forest,
    labels: Labels,
    base: Vec<f64>,
    post: Post,
    /// Two classes, with weights for one of them.
    one_sided: bool,
    /// A weight is negative: sums are margins, not probabilities.
    margins: bool,
}

impl Classifier {
    pub(in crate::op) fn new(attributes: Attributes<'_>) -> Result<Self, String> {
        let labels = Labels::read(attributes, "classlabels_int64s")?;
        if labels.len() < 2 {
            return Err("a classifier needs two classes or more".into());
        }
        let forest = Forest::new(attributes, "class", labels.len())?;
        let base = attributes.numbers("base_values")?;
        if base.len() > labels.len() || (labels.len() > 2 && !base.is_empty() && base.len() < labels.len()) {
            return Err(format!("`base_values` has {} numbers for {} classes", base.len(), labels.len()));
        }
        let post = Post::named(attributes.text("post_transform").as_deref())?;
        let (margins, weighted) = forest.signs();
        let one_sided = labels.len() == 2 && weighted.len() == 1;
        Ok(Self { forest, labels, base, post, one_sided, margins })
    }

    /// Finishes a row of two classes; returns the label, and what the second score is where there is one score only.
    fn two(&self, scores: &mut Vec<Score>) -> (usize, Second) {
        let add = |score: &mut Score, base: f64| score.value = self.forest.add(score.value, base);
        match self.base[..] {
            [_, second] if scores[1].seen => {
                scores[1].value = self.forest.add(second, scores[0].value);
                scores[0].value = -scores[1].value;
            }
            [first, second] => {
                add(&mut scores[0], first);
                add(&mut scores[1], second);
            }
            [first] => add(&mut scores[0], first),
            _ => {}
        }
        if self.base.len() < 2 && !scores[1].seen {
            scores.pop();
        }
        let decides = match scores[..] {
            [_, second] if second.seen => second.value,
            [first, ..] if first.seen => first.value,
            _ => 0.0,
        };
        match (self.one_sided, self.margins) {
            (true, false) => (usize::from(decides > 0.5), Second::Complement),
            (true, true) if !scores.iter().any(|it| it.seen) => (0, Second::Untold),
            (true, true) => (usize::from(decides > 0.0), Second::Opposite),
            (false, _) => (usize::from(decides > 0.0), Second::Absent),
        }
    }

    /// Finishes a row of more classes; the first of equals has the label.
    fn many(&self, scores: &mut [Score]) -> usize {
        for (score, base) in scores.iter_mut().zip(&self.base) {
            *score = Score { value: if score.seen { self.forest.add(score.value, *base) } else { *base }, seen: true };
        }
        let mut most: Option<(usize, f64)> = None;
        for (at, score) in scores.iter().enumerate().filter(|(_, it)| it.seen) {
            if most.is_none_or(|(_, value)| score.value > value) {
                most = Some((at, score.value));
            }
        }
        most.map_or(0, |(at, _)| at)
    }
}

impl Operator for Classifier {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let (mut chosen, mut out) = (Vec::new(), Vec::new());
        let combine = |score: &mut Score, weight| score.value = self.forest.add(score.value, weight);
        let rows = self.forest.run(inputs[0], combine, |scores| {
            let (label, second) = match self.labels.len() {
                2 => self.two(scores),
                _ => (self.many(scores), Second::Absent),
            };
            chosen.push(label);
            let mut row: Vec<f32> = scores.iter().map(Score::told).collect();
            let from = out.len();
            self.post.write(&mut row, second, &mut out);
            // A row has a place for every class, whatever the trees spoke of.
            out.resize(from + self.labels.len(), 0.0);
        })?;
        Ok(vec![self.labels.of(&chosen)?, Tensor::table(rows, self.labels.len(), out)])
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        vec![Extent::of_table(inputs, 1), Extent::of_table(inputs, 2)]
    }
}
