//! Provider: one `evenkeel mock` as a process: broken through its control port, and asked for what it saw.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use evenkeel_mock::parse_faults_yaml;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    client::{Client, Got},
    process::Process,
};

/// The header of requests by which the bench itself asks a mock; they are not part of what a provider saw.
const OWN: &str = "x-bench";

/// One mock.
pub(crate) struct Provider {
    pub(crate) process: Process,
    pub(crate) models: SocketAddr,
    control: SocketAddr,
    client: Client,
}

/// One attempt as the provider saw it. Times are milliseconds by the provider's own clock.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Attempt {
    pub(crate) at_ms: f64,
    /// It came on a connection that had carried a request before.
    pub(crate) reused: bool,
    pub(crate) path: String,
    pub(crate) headers: std::collections::BTreeMap<String, String>,
    pub(crate) header_names: Vec<String>,
    #[serde(default)]
    pub(crate) body: String,
    pub(crate) tokens: u32,
    pub(crate) tokens_after_gone: u32,
    pub(crate) ended_ms: Option<f64>,
    pub(crate) client_gone: bool,
    pub(crate) client_gone_ms: Option<f64>,
}

impl Attempt {
    /// Returns its body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// Returns how long the client stayed; none for one that stayed to the end.
    pub(crate) fn left_after(&self) -> Option<Duration> {
        Some(millis(self.client_gone_ms? - self.at_ms))
    }
}

/// Returns how long after one attempt another came.
pub(crate) fn between(earlier: &Attempt, later: &Attempt) -> Duration {
    millis(later.at_ms - earlier.at_ms)
}

/// Returns how many of some attempts were there at once, at most.
pub(crate) fn most_at_once(attempts: &[Attempt]) -> usize {
    let there = |at: f64| attempts.iter().filter(|it| it.at_ms <= at && it.ended_ms.is_none_or(|end| end > at)).count();
    attempts.iter().map(|it| there(it.at_ms)).max().unwrap_or(0)
}

fn millis(it: f64) -> Duration {
    Duration::from_secs_f64(it.max(0.0) / 1e3)
}

impl Provider {
    /// Starts a mock on a free port.
    pub(crate) async fn start(arguments: &[&str]) -> Provider {
        let process = Process::start(&[&["mock", "--listen", "127.0.0.1:0"], arguments].concat()).await;
        let (models, control) = (process.address("models at http://"), process.address("control at http://"));
        Provider { process, models, control, client: Client::new() }
    }

    /// Puts the faults of one model in force, in place of its old ones; an entry or several, in YAML, without brackets.
    pub(crate) async fn set_faults(&self, model: &str, faults: &str) {
        let rules = parse_faults_yaml(&format!("[{faults}]")).unwrap_or_else(|error| panic!("{faults}: {error}"));
        let list: Value = rules.iter().map(evenkeel_mock::Rule::to_json).map(|it| unnamed(it, model)).collect();
        // What closes the port is of no single model.
        let closes = faults.contains("refuse") || faults.contains("syn_swallowed");
        let of = if closes { String::new() } else { format!("?model={model}") };
        let put = self.client.send(self.control, "PUT", &format!("/mock/faults{of}"), list.to_string()).await;
        assert_eq!(put.status, 200, "{faults}: {}", put.text());
    }

    /// Returns what it saw of a model, oldest first.
    pub(crate) async fn saw(&self, model: &str) -> Vec<Attempt> {
        let at = format!("/mock/log?bodies=true&model={model}");
        let got = self.client.send(self.control, "GET", &at, String::new()).await;
        let attempts: Vec<Attempt> = serde_json::from_value(got.json()["attempts"].take()).expect("a list of attempts");
        attempts.into_iter().filter(|it| !it.headers.contains_key(OWN)).collect()
    }

    /// Asks a model itself, so that it is known what the gateway should have passed on.
    pub(crate) async fn say(&self, body: &Value) -> Got {
        let headers = [(OWN, "1"), ("content-type", "application/json")];
        let body = Bytes::from(body.to_string());
        self.client.post(self.models, "/v1/chat/completions", body, &headers).await.expect("the mock answers")
    }
}

/// Turns an entry to a model, unless it says itself whom it is meant for.
fn unnamed(mut entry: Value, model: &str) -> Value {
    if entry["model"] == "*" && !["refuse", "syn_swallowed"].iter().any(|it| entry["fault"] == *it) {
        entry["model"] = model.into();
    }
    entry
}
