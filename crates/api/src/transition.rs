//! A change of the tier at which a route starts, as JSON.

use evenkeel_core as core;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::words;

/// A change of the tier at which a route starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// When.
    pub time: Timestamp,
    /// The revision that it cites.
    pub revision: String,
    /// The route.
    pub route: String,
    /// The tier before; the number of tiers where none was left.
    pub from: u8,
    /// The tier now.
    pub to: u8,
    /// The cause.
    pub reason: String,
    /// What moved it: `breaker`, `drift` or `certificate`.
    pub rule: String,
    /// The path whose breaker moved, or the upper one of the two where none did.
    pub path: String,
    /// What tripped it, on the way down.
    pub trip: Option<Trip>,
    /// The episode that it begins, continues or ends.
    pub episode: String,
}

/// What tripped a breaker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trip {
    /// The rule that fired.
    pub rule: String,
    /// The result that was the last straw; none where readiness tripped it (F-113).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// Bad outcomes that the rule counted.
    pub bad: u32,
    /// All outcomes that the rule counted.
    pub of: u32,
}

impl Transition {
    /// Writes a transition of the core in names.
    pub fn render(it: &core::Transition, time: Timestamp) -> Self {
        let result = |it: core::ResultCode| it.name().into();
        let trip =
            |it: core::Trip| Trip { rule: it.rule.into(), result: it.result.map(result), bad: it.bad, of: it.of };
        Self {
            time,
            revision: core::digest_name(&it.revision.digest),
            route: it.revision.routes[it.route.index()].name.clone(),
            from: it.from,
            to: it.to,
            reason: it.reason.name().into(),
            rule: it.rule.name().into(),
            path: it.revision.paths[it.path.index()].name.clone(),
            trip: it.trip.map(trip),
            episode: words::episode(it.episode),
        }
    }
}
