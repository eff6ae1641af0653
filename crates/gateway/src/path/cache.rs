//! `cache`: an earlier answer to the same request, which the core gives without an attempt (F-143).
//!
//! Accepted: `cache: {}` below a tier, on a route with `cache: {}`. Rejected by `check`: on one without, or as the first tier.

use std::sync::Arc;

use evenkeel_config as config;
use evenkeel_core::ResultCode;

use super::{Attempting, Ended, Path, Pieces, Site};
use crate::{ask::Ask, upstream::Call};

/// An earlier answer.
pub(crate) struct Cache;

impl Cache {
    pub(super) fn path(_: &config::kind::Cache, _: Site<'_>) -> Result<Arc<dyn Path>, String> {
        Ok(Arc::new(Self))
    }
}

impl Path for Cache {
    fn attempt(self: Arc<Self>, _: Arc<Ask>, _: Call, _: Pieces) -> Attempting {
        // What is kept is looked up before a tier is asked; one that is asked all the same has nothing to call.
        Box::pin(std::future::ready(Ended::bare(ResultCode::PathPanic, None)))
    }
}
