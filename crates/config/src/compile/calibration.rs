//! How the scores of a tier are brought to the scale of another, as the gateway does it.

use std::sync::Arc;

use evenkeel_signals::score_map::Match;

use crate::{
    calibration::ScoreMaps,
    outside::Outside,
    schema::{calibrate_to::Keeps, path::Site, tier::Tier},
};

/// The maps that a tier's scores go through, and the name under which records have them.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// The maps.
    pub maps: Arc<ScoreMaps>,
}

/// Maps that are learnt while serving.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveCalibration {
    /// The route.
    pub route: String,
    /// The tier whose scores are mapped.
    pub tier: String,
    /// The tier whose scale they get.
    pub to: String,
    /// What the maps keep.
    pub keeps: Match,
}

/// Makes what the gateway learns of `calibrate_to` without a file.
pub(super) fn live(route: &str, tier: &Tier) -> Option<LiveCalibration> {
    let it = tier.calibrate_to.as_ref().filter(|it| it.file.is_none())?;
    let keeps = if it.keeps == Keeps::Rate { Match::Rate } else { Match::Mean };
    Some(LiveCalibration { route: route.into(), tier: tier.name.clone(), to: it.path.clone(), keeps })
}

/// Makes what the gateway gets of `calibrate_to`.
pub(super) fn calibration(site: Site<'_>, outside: &Outside) -> Option<Arc<Calibration>> {
    let file = site.tier.calibrate_to.as_ref()?.file.as_ref()?;
    let (sha256, maps) = (outside.file(file).sha256, outside.calibration(file));
    Some(Arc::new(Calibration { sha256, maps }))
}
