//! `openai`: a model on an OpenAI-compatible server.

use evenkeel_core::{Nanos, SECOND};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PathKind;
use crate::{
    check::Checks,
    schema::{route::RouteProtocol, upstream::UpstreamProtocol},
    tree::Key,
};

/// A model on an OpenAI-compatible server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Openai {
    /// The upstream that runs it.
    pub upstream: String,
    /// Its name there: what the upstream gets as `model`.
    pub model: String,
}

impl PathKind for Openai {
    fn check(&self, key: &Key, _: RouteProtocol, checks: &mut Checks<'_>) {
        checks.upstream(&key.field("upstream"), &self.upstream, UpstreamProtocol::Openai);
        if self.model.is_empty() {
            checks.error("empty", &key.field("model"), "the model has no name", "write the name the upstream knows");
        }
    }

    fn upstream(&self) -> Option<&str> {
        Some(&self.upstream)
    }

    fn is_certain(&self) -> bool {
        false
    }

    fn need(&self) -> Nanos {
        5 * SECOND
    }
}
