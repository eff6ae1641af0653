//! Snapshot: the applied deployment with everything that it needs ready, swapped as a whole.
//!
//! # Invariants
//! - `SNAP-1`: what is applied is complete: its paths are built, its upstreams have their clients (F-161).
//! - `SNAP-2`: a request keeps the snapshot that it was admitted under (rule 9).

use std::sync::Arc;

use evenkeel_config::Deployment;
use evenkeel_core::Where;
use jiff::Timestamp;

use crate::{
    path::{self, Path},
    upstream::Upstream,
};

/// A deployment that is ready to answer.
pub(crate) struct Applied {
    pub(crate) deployment: Arc<Deployment>,
    /// By path id.
    pub(crate) paths: Vec<Arc<dyn Path>>,
    /// `sha256:` and twelve hex digits.
    pub(crate) name: String,
    pub(crate) at: Timestamp,
}

impl Applied {
    /// Makes a deployment ready.
    pub(crate) fn new(deployment: Arc<Deployment>) -> Arc<Self> {
        let upstreams: Vec<Arc<Upstream>> = deployment.upstreams.iter().map(Upstream::new).collect();
        let paths = deployment.revision.paths.iter().zip(&deployment.paths).map(|(path, spec)| {
            let upstream = match path.place {
                Where::Remote(upstream) => Some(&upstreams[upstream.index()]),
                Where::Local | Where::Certain => None,
            };
            path::build(spec, &path.name, upstream)
        });
        let (paths, name) = (paths.collect(), deployment.name());
        Arc::new(Self { paths, name, at: Timestamp::now(), deployment })
    }
}
