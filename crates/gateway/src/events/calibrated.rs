//! By which map scores were brought to another scale, in names.

use evenkeel_api as api;
use evenkeel_config::{Calibration, MappedScores};
use evenkeel_core::digest_name;
use evenkeel_signals::score_map::Match;
use jiff::Timestamp;

/// Writes in names what is kept of a map.
pub(crate) fn render(it: &Calibration) -> api::Calibration {
    let shape = |it: &MappedScores| it.maps.first().map(|it| it.shape().to_string());
    let output = |(name, it): &(String, MappedScores)| {
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
