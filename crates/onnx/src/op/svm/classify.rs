//! Support vectors that tell classes: each two classes have a judge, and the class with the most votes has the label.

use super::{Kernel, Operator, Vectors, couple::couple, room};
use crate::{
    attribute::Attributes,
    extent::Extent,
    op::Labels,
    post::{Post, Second, logistic},
    tensor::Tensor,
};

/// The most classes: each two have a judge, and the room for them grows with the square.
const MAX_CLASSES: usize = 1_024;

/// Vectors that tell classes.
#[derive(Debug)]
pub(in crate::op) struct Classifier {
    vectors: Vectors,
    labels: Labels,
    post: Post,
    scores: Scores,
}

/// How what the vectors say becomes scores.
#[derive(Debug)]
enum Scores {
    /// Each class has a vector of its own, and the same is added to all.
    Own { rho: f32, all_positive: bool },
    /// Judges of two classes each.
    Judges { weights: Vec<f32>, rho: Vec<f32>, starts: Vec<usize>, sigmoids: Vec<(f32, f32)> },
}

impl Classifier {
    pub(in crate::op) fn new(attributes: Attributes<'_>) -> Result<Self, String> {
        let labels = Labels::read(attributes, "classlabels_ints")?;
        let classes = labels.len();
        if !(2..=MAX_CLASSES).contains(&classes) {
            return Err(format!("{classes} classes are below 2 or above {MAX_CLASSES}"));
        }
        let (weights, rho) = (attributes.floats("coefficients"), attributes.floats("rho"));
        let post = Post::named(attributes.text("post_transform").as_deref())?;
        let counts = attributes.indices("vectors_per_class")?;
        let mut starts = vec![0_usize];
        for count in &counts {
            let before = starts[starts.len() - 1];
            starts.push(before.checked_add(*count as usize).ok_or("there are too many vectors")?);
        }
        let count = starts[starts.len() - 1];
        if count == 0 {
            let rho = *rho.first().ok_or("`rho` is missing")?;
            let vectors = Vectors::new(Kernel::Linear, weights, classes)?;
            let scores = Scores::Own { rho, all_positive: weights.iter().all(|it| *it >= 0.0) };
            return Ok(Self { vectors, labels, post, scores });
        }
        let vectors = Vectors::new(Kernel::read(attributes)?, attributes.floats("support_vectors"), count)?;
        let judges = classes * (classes - 1) / 2;
        let (a, b) = (attributes.floats("prob_a"), attributes.floats("prob_b"));
        let is_right = counts.len() == classes
            && (classes - 1).checked_mul(count).is_some_and(|it| weights.len() >= it)
            && rho.len() >= judges
            && a.len() == b.len()
            && (a.is_empty() || a.len() >= judges);
        if !is_right {
            return Err(format!("its lists do not fit {classes} classes and {count} vectors"));
        }
        if classes == 2 && a.is_empty() && post == Post::Probit {
            return Err("PROBIT of one sum says nothing of the second class".into());
        }
        let sigmoids = a.iter().copied().zip(b.iter().copied()).collect();
        let scores = Scores::Judges { weights: weights.into(), rho: rho.into(), starts, sigmoids };
        Ok(Self { vectors, labels, post, scores })
    }

    /// How many scores a row has: of classes, or of judges.
    fn width(&self) -> usize {
        let classes = self.labels.len();
        match &self.scores {
            Scores::Judges { sigmoids, .. } if sigmoids.is_empty() && classes > 2 => classes * (classes - 1) / 2,
            _ => classes,
        }
    }

    /// Finishes a row: writes its scores, and returns its class.
    fn finish(&self, near: &[f32], out: &mut Vec<f32>) -> usize {
        let classes = self.labels.len();
        match &self.scores {
            Scores::Own { rho, all_positive } => {
                let mut sums: Vec<f32> = near.iter().map(|it| it + rho).collect();
                let most = first_of_most(&sums);
                let is_second = if *all_positive { sums[most] >= 0.5 } else { sums[most] > 0.0 };
                self.post.write(&mut sums, Second::Absent, out);
                if classes == 2 && is_second { 1 } else { most }
            }
            Scores::Judges { weights, rho, starts, sigmoids } => {
                let mut sums = judge((weights, rho), starts, near);
                let chosen = votes(&sums, classes);
                let mut sums: Vec<f32> = sums.drain(..).map(|it| it as f32).collect();
                if !sigmoids.is_empty() {
                    let mut likely = couple(&beside(&sums, sigmoids, classes), classes);
                    self.post.write(&mut likely, Second::Absent, out);
                } else {
                    // One sum is a margin where nothing is made of it, and a probability else.
                    let second = match (sums.len(), self.post) {
                        (1, Post::None) => Second::Opposite,
                        (1, _) => Second::Complement,
                        _ => Second::Absent,
                    };
                    self.post.write(&mut sums, second, out);
                }
                chosen
            }
        }
    }
}

impl Operator for Classifier {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let width = self.width();
        let rows = inputs[0].rows().map_or(0, |it| it.0);
        room(&[rows, width])?;
        room(&[rows, self.labels.len()])?;
        let (mut chosen, mut out) = (Vec::new(), Vec::new());
        let rows = self.vectors.run(inputs[0], |near| chosen.push(self.finish(near, &mut out)))?;
        Ok(vec![self.labels.of(&chosen)?, Tensor::table(rows, width, out)])
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        vec![Extent::of_table(inputs, 1), Extent::of_table(inputs, 2)]
    }
}

/// Returns what each judge says: above zero for the first of its two classes. Products are f32, their sums f64.
fn judge((weights, rho): (&[f32], &[f32]), starts: &[usize], near: &[f32]) -> Vec<f64> {
    let (classes, count) = (starts.len() - 1, near.len());
    let sum = |row: usize, class: usize, start: f64| {
        let vectors = starts[class]..starts[class + 1];
        vectors.fold(start, |sum, at| sum + f64::from(weights[row * count + at] * near[at]))
    };
    let mut said = Vec::with_capacity(classes * (classes - 1) / 2);
    for i in 0..classes {
        for j in i + 1..classes {
            let both = sum(i, j, sum(j - 1, i, 0.0));
            said.push(both + f64::from(rho[said.len()]));
        }
    }
    said
}

/// Returns the class that most judges are for; the first of equals.
fn votes(said: &[f64], classes: usize) -> usize {
    let mut votes = vec![0_usize; classes];
    let mut said = said.iter();
    for i in 0..classes {
        for j in i + 1..classes {
            votes[if said.next().is_some_and(|it| *it > 0.0) { i } else { j }] += 1;
        }
    }
    let most = votes.iter().copied().max().unwrap_or(0);
    votes.iter().position(|it| *it == most).unwrap_or(0)
}

/// Returns how likely each class is beside each other one.
fn beside(sums: &[f32], sigmoids: &[(f32, f32)], classes: usize) -> Vec<f32> {
    const LEAST: f32 = 1.0e-7;
    let mut all = vec![0.0; classes * classes];
    let mut judges = sums.iter().zip(sigmoids);
    for i in 0..classes {
        for j in i + 1..classes {
            let Some((sum, (a, b))) = judges.next() else { return all };
            let likely = (1.0 - logistic(sum * a + b)).clamp(LEAST, 1.0 - LEAST);
            (all[i * classes + j], all[j * classes + i]) = (likely, 1.0 - likely);
        }
    }
    all
}

fn first_of_most(sums: &[f32]) -> usize {
    let mut most = 0;
    for (at, sum) in sums.iter().enumerate() {
        if *sum > sums[most] {
            most = at;
        }
    }
    most
}
