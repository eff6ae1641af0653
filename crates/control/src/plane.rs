//! The data plane, as the control plane sees it.

use std::sync::Arc;

use evenkeel_api::{Decision, Quality, Rejected, Standing};
use evenkeel_config::{Deployment, Unfit};

/// What the control plane asks of a data plane.
pub trait DataPlane: Send + Sync {
    /// Makes a deployment the one for new requests.
    ///
    /// # Errors
    /// The paths that cannot be made ready; then nothing has changed.
    fn apply(&self, deployment: Arc<Deployment>) -> Result<(), Vec<Unfit>>;

    /// Returns the parts of a deployment that can be made ready now, and not for much longer.
    fn expiring(&self, deployment: &Deployment) -> Vec<Unfit>;

    /// Counts a configuration that was refused.
    fn note_rejected(&self, rejected: &Rejected);

    /// Returns the name of the revision in force.
    fn revision(&self) -> String;

    /// Returns how routes and their tiers stand.
    fn standing(&self) -> Standing;

    /// Finds the record of a request among the last ones.
    fn decision(&self, id: &str) -> Option<Decision>;

    /// Returns the last records, the newest first, `most` at most; of one route where that is named.
    fn decisions(&self, route: Option<&str>, most: usize) -> Vec<Decision>;

    /// Says how often tiers are right, by labels that came after their answers; of one route where that is named.
    fn quality(&self, route: Option<&str>) -> Quality;

    /// Returns all metrics in the text format of Prometheus.
    fn metrics(&self) -> String;
}
