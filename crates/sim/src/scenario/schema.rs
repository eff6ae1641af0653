//! The scenario file as types, one block a file: serde, documentation and defaults, nothing else.
//!
//! Each key is declared once, here; that every mistake is reported with its line and a hint follows from it.

mod drift;
mod expect;
mod fault;
mod load;
mod server;

use std::collections::BTreeMap;

use evenkeel_config::{Configuration, Duration};
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) use self::{
    drift::{Drift, Of, Then},
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
    /// When routes drift.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub(crate) drifts: Vec<Drift>,
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use schemars::schema_for;
    use serde_json::Value;

    use super::*;
    use crate::fault::{FaultKind, On};

    /// A row for each key of a type, as the page of the scenarios tells it.
    fn rows(schema: &Value) -> String {
        let required =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>();
        let of = |(key, it): (&String, &Value)| {
            let means = it["description"].as_str().expect("every key is described").split_whitespace();
            let default = match &it["default"] {
                Value::Null if required.contains(&key.as_str()) => "must be there".into(),
                Value::Null | Value::Object(_) | Value::Array(_) => "–".into(),
                Value::String(word) => format!("`{word}`"),
                value => format!("`{value}`"),
            };
            format!("| `{key}` | {default} | {} |\n", means.collect::<Vec<_>>().join(" "))
        };
        schema["properties"].as_object().expect("keys").iter().map(of).collect()
    }

    #[test]
    fn the_page_of_the_scenarios_tells_every_key() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/README.md");
        let page = std::fs::read_to_string(page).expect("the page is there");
        for (name, schema) in [
            ("the file", schema_for!(Script)),
            ("`servers.NAME`", schema_for!(Server)),
            ("`workload[]`", schema_for!(Load)),
            ("`faults[]`", schema_for!(Fault)),
            ("`drifts[]`", schema_for!(Drift)),
            ("`reloads`", schema_for!(Reloads)),
            ("`expect`", schema_for!(Expect)),
        ] {
            let table = format!(
                "### Keys of {name}\n\n| key | default | means |\n|---|---|---|\n{}\n",
                rows(&schema.to_value())
            );
            assert!(page.contains(&table), "the page has to say:\n{table}");
        }
        for schema in [
            schema_for!(FaultKind),
            schema_for!(On),
            schema_for!(Arrivals),
            schema_for!(WhenFull),
            schema_for!(Then),
            schema_for!(Of),
        ] {
            for word in
                schema.to_value()["oneOf"].as_array().expect("words").iter().filter_map(|it| it["const"].as_str())
            {
                assert!(page.contains(&format!("`{word}`")), "the page does not name `{word}`");
            }
        }
    }
}
