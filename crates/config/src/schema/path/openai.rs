//! `openai`: a model on an OpenAI-compatible server.

use evenkeel_core::{Nanos, SECOND};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Kind, PathKind, Site, Target};
use crate::{
    check::Checks,
    outside::Outside,
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

/// What stands in the file is what the gateway gets.
pub(crate) type Block = Openai;

impl PathKind for Block {
    fn check(&self, key: &Key, site: Site<'_>, checks: &mut Checks<'_>) {
        checks.serves(key, site.route, &[RouteProtocol::OpenaiChat, RouteProtocol::OpenaiEmbeddings]);
        checks.upstream(&key.field("upstream"), &self.upstream, &[UpstreamProtocol::Openai]);
        checks.not_empty(
            &key.field("model"),
            &self.model,
            "the model has no name",
            "write the name the upstream knows",
        );
    }

    fn ready(&self, _: Site<'_>, _: &Outside) -> Kind {
        Kind::Openai(self.clone())
    }

    fn target(&self) -> Target<'_> {
        Target::Upstream(&self.upstream)
    }

    fn model(&self) -> Option<&str> {
        Some(&self.model)
    }

    fn need(&self) -> Nanos {
        5 * SECOND
    }
}
