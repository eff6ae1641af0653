//! Calibrated: scores of a tier brought to the scale of the first one, so that a client's threshold means the same whoever
//! answered (`calibrate_to`).
//!
//! It stands behind `map` and before the contract, so `accept` and everything after it see one scale.
//!
//! # Invariants
//! - `CAL-4`: no two scores change places; what is no number stays none, and the contract refuses it.

use std::sync::Arc;

use evenkeel_config::{Calibration, MappedScores};
use evenkeel_signals::score_map::apply_classes;

use crate::tensor::{Calibrated, Datatype, InferAnswer, Output, Tensor};

/// Maps the scores of an answer. An output that cannot be mapped stays as it is: the contract says what it must be.
pub(super) fn calibrated(mut answer: InferAnswer, by: Arc<Calibration>) -> InferAnswer {
    let mut raw = Vec::new();
    for (name, scores) in &by.maps.outputs {
        if let Some(Output { tensor, .. }) = answer.outputs.iter_mut().find(|it| it.tensor.name() == name)
            && let Some(mapped) = mapped(tensor, scores)
        {
            raw.push(std::mem::replace(tensor, mapped));
        }
    }
    answer.calibrated = Some(Box::new(Calibrated { by, raw }));
    answer
}

fn mapped(tensor: &Tensor, scores: &MappedScores) -> Option<Tensor> {
    let values = match tensor.datatype() {
        Datatype::Fp32 | Datatype::Fp64 => tensor.to_f64()?,
        _ => return None,
    };
    let values: Vec<f64> = match &scores.maps[..] {
        [one] => values.iter().map(|it| one.apply(*it).unwrap_or(*it)).collect(),
        classes if tensor.shape().last() == Some(&(classes.len() as u64)) => {
            let row = |row: &[f64]| apply_classes(classes, row).unwrap_or_else(|| row.to_vec());
            values.chunks_exact(classes.len()).flat_map(row).collect()
        }
        _ => return None,
    };
    let shape = tensor.shape().to_vec();
    match tensor.datatype() {
        Datatype::Fp32 => {
            let narrow: Vec<f32> = values.iter().map(|it| *it as f32).collect();
            Tensor::from_f32(tensor.name(), shape, &narrow).ok()
        }
        _ => Tensor::from_f64(tensor.name(), shape, &values).ok(),
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_config::ScoreMaps;
    use evenkeel_signals::score_map::{Match, Scale, ScoreMap, Shape};

    use super::*;

    fn by(maps: Vec<ScoreMap>) -> Arc<Calibration> {
        let outputs = vec![("score".to_owned(), MappedScores { n: 1_000, maps })];
        let (route, tier, to) = ("r".into(), "small".into(), "large".into());
        let maps = ScoreMaps { route, tier, to, keeps: Match::Mean, as_of: 0, outputs };
        Arc::new(Calibration { sha256: [0; 32], maps: Arc::new(maps) })
    }

    fn halved() -> ScoreMap {
        ScoreMap::of(Shape::Isotonic, Scale::Probability, vec![(0.0, 0.0), (1.0, 0.5)]).expect("it rises")
    }

    fn read(tensor: Tensor, maps: Vec<ScoreMap>) -> Vec<f64> {
        calibrated(InferAnswer::of([tensor]), by(maps)).outputs[0].tensor.to_f64().expect("numbers")
    }

    #[test]
    fn scores_are_mapped_in_their_own_type_and_nothing_else_is() {
        let wide = Tensor::from_f64("score", vec![3], &[0.2, 1.0, 0.0]).expect("it fits");
        assert_eq!(read(wide, vec![halved()]), [0.1, 0.5, 0.0]);
        let narrow = Tensor::from_f32("score", vec![2, 1], &[0.5, f32::NAN]).expect("it fits");
        let mapped = read(narrow, vec![halved()]);
        assert!(mapped[0] == 0.25 && mapped[1].is_nan(), "CAL-4: {mapped:?}");
        let other = Tensor::from_f64("price", vec![1], &[0.2]).expect("it fits");
        assert_eq!(read(other, vec![halved()]), [0.2]);
        let whole = Tensor::from_i64("score", vec![1], &[1]).expect("it fits");
        assert_eq!(read(whole, vec![halved()]), [1.0]);
    }

    #[test]
    fn classes_are_mapped_each_and_sum_to_one_again() {
        let classes = Tensor::from_f64("score", vec![2, 2], &[0.8, 0.2, 0.5, 0.5]).expect("it fits");
        let maps = vec![halved(), ScoreMap::identity(Scale::Probability)];
        let third = 1.0 / 3.0;
        let expected = [0.4 / 0.6, 0.2 / 0.6, third, 2.0 * third];
        let mapped = read(classes, maps.clone());
        assert!(mapped.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{mapped:?}");
        let three = Tensor::from_f64("score", vec![3], &[0.8, 0.1, 0.1]).expect("it fits");
        assert_eq!(read(three, maps), [0.8, 0.1, 0.1], "as many maps as classes, or nothing is done");
    }
}
