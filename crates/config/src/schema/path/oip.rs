//! `oip`: a model on an Open Inference Protocol server.

use evenkeel_core::Nanos;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Kind, PathKind, Site, Target};
use crate::{
    check::Checks,
    outside::Outside,
    schema::{
        route::RouteProtocol,
        upstream::{Dialect, UpstreamProtocol},
    },
    tree::Key,
};

/// A model on an Open Inference Protocol server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Oip {
    /// The upstream that runs it.
    pub upstream: String,
    /// Its name there.
    pub model: String,
    /// Its version there; the server chooses where this is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// What stands in the file is what the gateway gets.
pub(crate) type Block = Oip;

impl PathKind for Block {
    fn check(&self, key: &Key, site: Site<'_>, checks: &mut Checks<'_>) {
        checks.serves(key, site.route, &[RouteProtocol::Oip]);
        let protocols = [UpstreamProtocol::Oip, UpstreamProtocol::OipGrpc];
        checks.upstream(&key.field("upstream"), &self.upstream, &protocols);
        checks.not_empty(
            &key.field("model"),
            &self.model,
            "the model has no name",
            "write the name the upstream knows",
        );
        let Some(version) = &self.version else { return };
        let at = key.field("version");
        checks.not_empty(&at, version, "the version has no name", "leave `version` out, and the server chooses");
        match checks.file.upstreams.get(&self.upstream).map(|it| it.dialect) {
            Some(Dialect::Kserve) => {
                let message = "a kserve server knows no versions in its addresses, and would answer 501";
                checks.error("version", &at, message, "leave `version` out");
            }
            Some(Dialect::Triton) if !version.chars().all(|c| c.is_ascii_digit()) => {
                let message = format!("`{version}` is not a version of Triton's: those are digits");
                checks.error("version", &at, message, "for example \"3\"");
            }
            _ => {}
        }
    }

    fn ready(&self, _: Site<'_>, _: &Outside) -> Kind {
        Kind::Oip(self.clone())
    }

    fn target(&self) -> Target<'_> {
        Target::Upstream(&self.upstream)
    }

    fn model(&self) -> Option<&str> {
        Some(&self.model)
    }

    fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// A quarter of the deadline, which is the bound of every need.
    fn need(&self) -> Nanos {
        Nanos::MAX
    }
}
