//! Exchange: one request, seen from both sides: what its client got, and what the record says of it.

use std::time::Duration;

use serde_json::Value;

use crate::client::Got;

/// One request, seen from both sides.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) got: Got,
    pub(crate) record: Value,
}

impl Exchange {
    /// Returns the results of the attempts on a path, in order, but for those that never reached it: a kept connection of
    /// another run that was gone, found out and mended for free (UP-11).
    pub(crate) fn results(&self, path: &str) -> Vec<&str> {
        self.all_results(path).into_iter().filter(|it| *it != "target.unsent").collect()
    }

    /// Returns the results of all attempts on a path, in order.
    pub(crate) fn all_results(&self, path: &str) -> Vec<&str> {
        let attempts = self.record["attempts"].as_array().into_iter().flatten();
        attempts.filter(|it| it["path"] == path).filter_map(|it| it["result"].as_str()).collect()
    }

    pub(crate) fn reason(&self) -> &str {
        self.record["reason"].as_str().unwrap_or_default()
    }

    /// Returns a number of nanoseconds that was compared, as a time; none where it was not.
    pub(crate) fn compared(&self, signal: &str) -> Option<Duration> {
        let fact = self.record["inputs"].as_array()?.iter().find(|it| it["signal"] == signal)?;
        Some(Duration::from_nanos(fact["value"].as_str()?.parse().ok()?))
    }
}

/// Says in words what a client got.
pub(crate) fn outcome(got: &Got) -> String {
    let tier = got.tier().map_or(String::new(), |tier| match tier {
        0 => " of the primary".to_owned(),
        _ => format!(" of tier {tier}"),
    });
    match got.error_code() {
        Some(code) if got.streams() => format!("terminal error `{code}`, no `[DONE]`"),
        Some(code) => format!("{} `{code}`", got.status),
        None if got.is_whole() => format!("whole answer{tier}"),
        None => format!("{}{tier}, not whole", got.status),
    }
}
