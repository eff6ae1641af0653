//! The scenario file as types, one block a file: serde, documentation and defaults, nothing else.
//!
//! Each key is declared once, here; that every mistake is reported with its line and a hint follows from it.

mod expect;
mod fault;
mod load;
mod server;

use std::collections::BTreeMap;

use evenkeel_config::{Configuration, Duration};
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) use self::{
    expect::Expect,
    fault::Fault,
    load::{Arrivals, Load, Tokens},
    server::{Server, WhenFull},
};

/// A scenario: a configuration, the servers behind it, who calls, what breaks, and what is expected.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Evenkeel scenario")]
pub(crate) struct Script {
    /// What it shows, in a sentence.
    pub(crate) about: String,
    /// Requests that arrive in all, retries of clients aside.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub(crate) requests: u64,
    /// The configuration that is tried, as in `evenkeel.yaml`.
    pub(crate) config: Configuration,
    /// How the upstreams of the configuration behave while they are well, by their name.
    #[serde(default)]
    pub(crate) servers: BTreeMap<String, Server>,
    /// Who calls, and how often.
    #[schemars(length(min = 1, max = 64))]
    pub(crate) workload: Vec<Load>,
    /// What breaks, and when.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub(crate) faults: Vec<Fault>,
    /// Applies the configuration again and again, each time as a new revision (CF-02).
    #[serde(default)]
    pub(crate) reloads: Option<Reloads>,
    /// What must hold for every seed, beside the rules of the core.
    #[serde(default)]
    pub(crate) expect: Expect,
}

/// Reloads under load.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reloads {
    /// When the first comes.
    pub(crate) at: Duration,
    /// How long they come.
    #[serde(rename = "for")]
    pub(crate) length: Duration,
    /// From one to the next.
    pub(crate) every: Duration,
}
