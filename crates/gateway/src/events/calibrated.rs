//! Which scores were brought to another scale, and by which map.

use std::sync::Arc;

use evenkeel_api as api;
use evenkeel_config::{Calibration, PathSpec};
use evenkeel_core::{AttemptId, Decision, ResultCode, digest_name};
use evenkeel_signals::score_map::Match;
use jiff::Timestamp;

/// Returns the maps of those attempts whose scores went through one: they have answered, well or not sure enough.
pub(crate) fn of(decision: &Decision, paths: &[PathSpec]) -> Vec<(AttemptId, Arc<Calibration>)> {
    let answered = decision.attempts.iter().filter(|it| it.result.is_ok() || it.result == ResultCode::LowConfidence);
    answered.filter_map(|it| Some((it.attempt, paths.get(it.path.index())?.calibration.clone()?))).collect()
}

/// Writes in names what is kept of a map.
pub(crate) fn render(it: &Calibration) -> api::Calibration {
    let shape = |it: &evenkeel_config::MappedScores| it.maps.first().map(|it| it.shape().to_string());
    let output = |(name, it): &(String, evenkeel_config::MappedScores)| {
        (name.clone(), api::CalibratedOutput { n: it.n, shape: shape(it).unwrap_or_default() })
    };
    let as_of = i64::try_from(it.maps.as_of).ok().and_then(|it| Timestamp::from_second(it).ok());
    api::Calibration {
        map: digest_name(&it.sha256),
        to: it.maps.to.clone(),
        keeps: if it.maps.keeps == Match::Rate { "rate" } else { "mean" }.into(),
        as_of: as_of.unwrap_or(Timestamp::UNIX_EPOCH),
        outputs: it.maps.outputs.iter().map(output).collect(),
    }
}
