//! `upstreams.NAME`: a server that runs models, or brings features.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{probe::Probe, scalar::Duration};

/// A server that runs models, or one that brings features.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Upstream {
    /// What it speaks.
    pub(crate) protocol: UpstreamProtocol,
    /// Its address, with the path that comes before `/chat/completions`, `/v2` or `/get-online-features`, such as `https://api.openai.com/v1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    /// Its addresses, where it has several replicas. Exactly one of `url` and `urls`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) urls: Vec<String>,
    /// The credential that it wants: `${env:NAME}` or `${file:PATH}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) api_key: Option<String>,
    /// The quota that it draws on, by any name: one 429 speaks for everything that has the same. Without it each model of
    /// it has a quota of its own, and each replica where it has several (F-051).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) capacity_domain: Option<String>,
    /// Replicas that are left, at least, when they are compared with one another and the worst is left alone for a while;
    /// with fewer than three nothing is compared (F-103, F-104).
    #[serde(default = "min_available")]
    #[schemars(range(min = 0, max = 1_000))]
    pub(crate) min_available: u16,
    /// The habits of an `oip` server; by default it is asked.
    #[serde(default)]
    pub(crate) dialect: Dialect,
    /// How long the resolution of a name may take (F-032).
    #[serde(default = "dns")]
    pub(crate) dns: Duration,
    /// How long a connection may take to be made (F-032).
    #[serde(default = "connect")]
    pub(crate) connect: Duration,
    /// How long the handshake of an encrypted connection may take (F-032).
    #[serde(default = "tls")]
    pub(crate) tls: Duration,
    /// A PEM file: the issuers whose certificates it may show, in place of the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<String>,
    /// How long an idle connection is kept; shorter than the upstream keeps it (F-032).
    #[serde(default = "idle")]
    pub(crate) idle: Duration,
    /// How its replicas are asked whether they are ready, or `off`; an `oip` server by `/v2/health/ready`, an
    /// `oip-grpc` one by `ServerReady`, an `openai` one by
    /// `/models`, which costs nothing (F-111); a feature server is not asked.
    #[serde(default)]
    pub(crate) probe: Probe,
}

/// What an upstream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UpstreamProtocol {
    /// The OpenAI HTTP API.
    Openai,
    /// The Open Inference Protocol over REST.
    Oip,
    /// The Open Inference Protocol over gRPC.
    OipGrpc,
    /// The HTTP API of a Feast feature server, which runs no model: routes name it under `enrich`.
    Feast,
}

/// The habits of an Open Inference Protocol server (`protocols.md`, section 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// It says itself what it is.
    #[default]
    Auto,
    /// NVIDIA Triton.
    Triton,
    /// Seldon MLServer.
    Mlserver,
    /// KServe's model server.
    Kserve,
    /// None in particular.
    Plain,
}

impl UpstreamProtocol {
    /// Returns the word of the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Oip => "oip",
            Self::OipGrpc => "oip-grpc",
            Self::Feast => "feast",
        }
    }
}

impl Upstream {
    /// Returns all its addresses.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &String> {
        self.url.iter().chain(&self.urls)
    }
}

fn min_available() -> u16 {
    1
}

fn dns() -> Duration {
    Duration::seconds(1)
}

fn connect() -> Duration {
    Duration::seconds(1)
}

fn tls() -> Duration {
    Duration::seconds(2)
}

fn idle() -> Duration {
    Duration::seconds(4)
}
