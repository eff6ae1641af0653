//! The whole file.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{audit::Audit, decisions::Decisions, route::Route, server::Server, shared::Shared, upstream::Upstream};

/// What `store` is where nothing is stored.
pub(crate) const STORE_OFF: &str = "off";
/// What `store` is for a file in `server.data_dir`.
pub(crate) const STORE_SQLITE: &str = "sqlite";

/// An Evenkeel configuration.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Evenkeel configuration")]
pub(crate) struct File {
    /// The version of this format.
    #[schemars(range(min = 1, max = 1))]
    pub(crate) version: u64,
    /// Where Evenkeel listens, and its limits.
    #[serde(default)]
    pub(crate) server: Server,
    /// Where decisions are stored, to be found again: `sqlite`, a file in `server.data_dir`; a PostgreSQL,
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, written as `${env:NAME}` or `${file:PATH}`; or `off`. Another one is taken at the
    /// next start. No request waits for it.
    #[serde(default = "sqlite")]
    pub(crate) store: String,
    /// A Redis or Valkey in which gateways keep answers together, `redis://HOST:PORT`, encrypted `rediss://HOST:PORT`, or `none`; with a
    /// credential in it (`redis://USER:PASSWORD@HOST:PORT/DATABASE`) write `${env:NAME}` or `${file:PATH}` (F-146).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shared: Option<Shared>,
    /// What is kept of requests on disk, below `server.data_dir`; `off` keeps nothing there.
    #[serde(default)]
    pub(crate) decisions: Decisions,
    /// The tamper-evident log of what was decided and done, below `server.data_dir`.
    #[serde(default)]
    pub(crate) audit: Audit,
    /// Servers that run models, by name.
    #[serde(default)]
    pub(crate) upstreams: BTreeMap<String, Upstream>,
    /// What clients call, by the name that they send as `model`.
    pub(crate) routes: BTreeMap<String, Route>,
}

fn sqlite() -> String {
    STORE_SQLITE.into()
}

impl File {
    /// Returns where gateways keep answers together, as it was written; none where they do not.
    pub(crate) fn shared(&self) -> Option<&str> {
        self.shared.as_ref()?.url()
    }
}
