//! How the scores of a tier are brought to the scale of another, as the gateway does it.

use std::sync::Arc;

use crate::{calibration::ScoreMaps, outside::Outside, schema::path::Site};

/// The maps that a tier's scores go through, and the name under which records have them.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// The maps.
    pub maps: Arc<ScoreMaps>,
}

/// Makes what the gateway gets of `calibrate_to`.
pub(super) fn calibration(site: Site<'_>, outside: &Outside) -> Option<Arc<Calibration>> {
    let file = &site.tier.calibrate_to.as_ref()?.file;
    let (sha256, maps) = (outside.file(file).sha256, outside.calibration(file));
    Some(Arc::new(Calibration { sha256, maps }))
}
