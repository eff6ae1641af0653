//! Post-transforms: what scores go through at the end of a tree ensemble or a linear model.
//!
//! In the order of operations and the width of ONNX Runtime, so that the bits agree.
//!
//! # Source
//! ONNX-ML operators, attribute `post_transform`; probit after S. Winitzki, "A handy approximation for the error
//! function and its inverse" (2008), with a = 0.147.

/// What scores go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Post {
    None,
    Logistic,
    Softmax,
    SoftmaxZero,
    Probit,
}

/// What the second class of a single score is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Second {
    /// There is none.
    Absent,
    /// The score is a probability.
    Complement,
    /// The score is a margin.
    Opposite,
    /// The score would be a margin, had any leaf spoken.
    Untold,
}

impl Post {
    pub(crate) fn named(name: Option<&str>) -> Result<Self, String> {
        Ok(match name {
            None | Some("NONE") => Self::None,
            Some("LOGISTIC") => Self::Logistic,
            Some("SOFTMAX") => Self::Softmax,
            Some("SOFTMAX_ZERO") => Self::SoftmaxZero,
            Some("PROBIT") => Self::Probit,
            Some(other) => return Err(format!("`post_transform` has {other:?}, which is none of its words")),
        })
    }

    /// Writes the scores of one row.
    pub(crate) fn write(self, scores: &mut [f32], second: Second, out: &mut Vec<f32>) {
        match (scores, self) {
            ([score], Self::Probit) => out.push(probit(*score)),
            ([score], _) => match second {
                Second::Absent => out.push(*score),
                _ if self == Self::Logistic => out.extend([logistic(-*score), logistic(*score)]),
                Second::Complement => out.extend([1.0 - *score, *score]),
                Second::Opposite => out.extend([-*score, *score]),
                Second::Untold => out.extend([0.0, 0.0]),
            },
            (scores, Self::None) => out.extend_from_slice(scores),
            (scores, Self::Logistic) => out.extend(scores.iter().map(|it| logistic(*it))),
            (scores, Self::Probit) => out.extend(scores.iter().map(|it| probit(*it))),
            (scores, Self::Softmax | Self::SoftmaxZero) => {
                softmax(scores, self == Self::SoftmaxZero);
                out.extend_from_slice(scores);
            }
        }
    }
}

pub(crate) fn logistic(score: f32) -> f32 {
    let value = 1.0 / (1.0 + (-score.abs()).exp());
    if score < 0.0 { 1.0 - value } else { value }
}

fn softmax(scores: &mut [f32], zero_stays: bool) {
    let most = scores.iter().copied().fold(f32::MIN, f32::max);
    let shrink = (-most).exp();
    let mut sum = 0.0_f32;
    for score in scores.iter_mut() {
        if zero_stays && score.abs() <= 1e-7 {
            *score *= shrink;
        } else {
            *score = (*score - most).exp();
            sum += *score;
        }
    }
    scores.iter_mut().for_each(|score| *score /= sum);
}

fn probit(score: f32) -> f32 {
    std::f32::consts::SQRT_2 * inverse_erf(2.0 * score - 1.0)
}

fn inverse_erf(x: f32) -> f32 {
    let sign = if x < 0.0 { -1.0 } else { 1.0 };
    let log = ((1.0 - x) * (1.0 + x)).ln();
    let v = 2.0 / (std::f32::consts::PI * 0.147) + 0.5 * log;
    let v2 = 1.0 / 0.147 * log;
    let v3 = -v + (v * v - v2).sqrt();
    sign * v3.sqrt()
}
