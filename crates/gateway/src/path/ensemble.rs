//! `paths`: what stands for an ensemble. Its members are asked, and it is not.
//!
//! Accepted: `paths: [{onnx: {file: a.onnx}}, {rules: {file: b.rules}}]`. Rejected by `check`: one member, nine, one that cannot
//! fail.

use std::sync::Arc;

use evenkeel_config as config;
use evenkeel_core::ResultCode;

use super::{Attempting, Ended, Path, Pieces, Site};
use crate::{ask::Ask, upstream::Call};

/// Several paths.
pub(crate) struct Ensemble;

impl Ensemble {
    pub(super) fn path(_: &config::kind::Ensemble, _: Site<'_>) -> Result<Arc<dyn Path>, String> {
        Ok(Arc::new(Self))
    }
}

impl Path for Ensemble {
    fn attempt(self: Arc<Self>, _: Arc<Ask>, _: Call, _: Pieces) -> Attempting {
        // The core starts members alone; one that is made all the same has nothing to call.
        Box::pin(std::future::ready(Ended::bare(ResultCode::PathPanic, None)))
    }
}
