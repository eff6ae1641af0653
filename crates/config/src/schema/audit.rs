//! `audit`: the tamper-evident log (`governance.md`, section 10).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scalar::Duration;

/// The tamper-evident log of what was decided and done, below `server.data_dir`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Audit {
    /// How much the log is worth: `off` writes none.
    pub(crate) level: Level,
    /// The name of the log, such as `example.com/audit`, in every checkpoint; without one it is named after its key. It cannot be changed once
    /// the log is begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) origin: Option<String>,
    /// What signs checkpoints, in base64: an Ed25519 key in PKCS#8 (DER), as `openssl genpkey -algorithm ed25519 -outform der | base64` writes it;
    /// `${env:NAME}` or `${file:PATH}`. Without it a key is made at the first start, in the folder of the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    /// A git repository of another owner that checkpoints are committed to: so it is found out where a log was begun anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) git: Option<Repository>,
}

/// A git repository on this machine, bare or not, that keeps checkpoints.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Repository {
    /// The folder of the repository.
    pub(crate) repository: String,
    /// The branch that checkpoints are committed to; it is begun where it is not there.
    #[serde(default = "branch")]
    pub(crate) branch: String,
    /// The least time between two checkpoints that are committed.
    #[serde(default = "every")]
    pub(crate) every: Duration,
}

fn branch() -> String {
    "checkpoints".into()
}

fn every() -> Duration {
    Duration::seconds(3_600)
}

/// How much an audit log is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// There is none.
    Off,
    /// It is written and signed here: who holds the key can begin it anew, unless somebody keeps its checkpoints.
    #[default]
    Local,
}
