//! Line: what one line of a stream says.

use evenkeel_core as core;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::Stream;
use crate::{Decision, Explained, Section, words};

/// What is kept of a request whose record is not kept whole (G-112): of an ordinary answer, and of what is longer than a line may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionLine {
    /// `evenkeel.decision-line/v1`.
    pub schema: String,
    /// The id of its decision.
    pub id: String,
    /// When the request was over.
    pub time: Timestamp,
    /// The route.
    pub route: String,
    /// The revision that decided.
    pub revision: String,
    /// What was asked.
    pub operation: String,
    /// The route's phase at admission.
    pub phase: String,
    /// The tier that answered.
    pub tier: Option<u8>,
    /// The kind of answer.
    pub method: Option<String>,
    /// Whether another tier than 0 answered.
    pub degraded: bool,
    /// `answered`, `error`, `broken` or `refused`.
    pub end: String,
    /// The closest reason.
    pub reason: String,
    /// The HTTP status.
    pub status: u16,
    /// Microseconds from admission to the end.
    pub latency_us: u64,
    /// How many attempts were made.
    pub attempts: u64,
}

impl DecisionLine {
    /// The name of its form.
    pub const SCHEMA: &str = "evenkeel.decision-line/v1";
    /// Says of an ordinary answer that the rest was not kept.
    pub const NOT_KEPT: &str = "Only this line was kept of an ordinary answer, as `decisions.sample` says, or as its record was \
         longer than 60 KiB: what was compared and asked was not.";
    /// Says of any other that the rest was not kept.
    pub const TOO_LONG: &str =
        "Only this line was kept: the record, with what was compared and asked, was longer than 60 KiB.";

    /// Writes the line of a record of the core.
    pub fn render(it: &core::Decision, id: &str, time: Timestamp) -> Self {
        Self {
            schema: Self::SCHEMA.into(),
            id: id.into(),
            time,
            route: it.revision.routes[it.route.index()].name.clone(),
            revision: core::digest_name(&it.revision.digest),
            operation: it.operation.name().into(),
            phase: it.phase.name().into(),
            tier: it.outcome.tier,
            method: it.method().map(|method| method.name().into()),
            degraded: it.outcome.tier.is_some_and(|tier| tier > 0),
            end: words::end(it.outcome.end).into(),
            reason: it.reason.name().into(),
            status: it.outcome.status,
            latency_us: words::micros(it.outcome.latency),
            attempts: it.attempts.len() as u64,
        }
    }

    /// Returns the line of a record that was kept whole.
    pub fn of(it: &Decision) -> Self {
        Self {
            schema: Self::SCHEMA.into(),
            id: it.id.clone(),
            time: it.time,
            route: it.route.clone(),
            revision: it.revision.clone(),
            operation: it.operation.clone(),
            phase: it.phase.clone(),
            tier: it.outcome.tier,
            method: it.outcome.method.clone(),
            degraded: it.outcome.degraded,
            end: it.outcome.end.clone(),
            reason: it.reason.clone(),
            status: it.outcome.status,
            latency_us: it.outcome.latency_us,
            attempts: it.attempts.len() as u64,
        }
    }

    /// Says in words which tier answered, and that the rest was not kept.
    pub fn explain(&self) -> Explained {
        let Self { id, route, operation, revision, time, reason, status, attempts, .. } = self;
        let method = self.method.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
        let (answered, ordinary) = match (self.end.as_str(), self.tier) {
            ("answered", Some(tier)) => (format!("Answered by tier {tier}{method}: {reason}."), tier == 0),
            ("broken", Some(tier)) => (format!("Broke off while tier {tier}{method} answered: {reason}."), false),
            ("error", _) => (format!("Ended with the model's own error: {reason}."), false),
            _ => (format!("Refused: {reason}."), false),
        };
        let took = format!("{}.{} ms", self.latency_us / 1_000, self.latency_us % 1_000 / 100);
        let tries = if *attempts == 1 { "attempt" } else { "attempts" };
        let lines = vec![
            format!("Decision {id}"),
            format!("Route {route}, {operation}, revision {revision}, {time}"),
            answered,
            format!("Status {status} after {took}, {attempts} {tries}."),
            if ordinary { Self::NOT_KEPT.into() } else { Self::TOO_LONG.into() },
        ];
        Explained { sections: vec![Section { title: "", lines }] }
    }
}

/// A line of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its number, which is also its place.
    pub n: u64,
    /// When it was, to the millisecond.
    #[serde(serialize_with = "to_the_millisecond")]
    pub time: Timestamp,
    /// What happened: `route.transition`, `config.applied`, `config.rejected`, `audit.gap`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who did it, as `rule:breaker` or `system:gateway`.
    pub actor: String,
    /// What there is to say of it, by its kind.
    pub data: Value,
}

/// Lines that are missing: declared, so that a hole is never a silent one (G-090).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The process that missed them.
    pub instance: String,
    /// The stream that they are missing in.
    pub stream: String,
    /// The number of the line before which the first of them would have been, as what was never written has none; or its own, where
    /// it was on disk and its file was taken away.
    pub from: u64,
    /// How many; none where nobody could count them.
    pub count: Option<u64>,
    /// Why.
    pub why: Why,
}

/// Why lines are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// They came faster than the disk takes them.
    QueueFull,
    /// Whoever reads them has not, and there is no more room for what waits for that.
    SpoolFull,
    /// The disk does not take them.
    IoError,
    /// The process ended before they were written.
    UncleanStop,
}

impl Why {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::QueueFull, Self::SpoolFull, Self::IoError, Self::UncleanStop];

    /// Returns the word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::SpoolFull => "spool_full",
            Self::IoError => "io_error",
            Self::UncleanStop => "unclean_stop",
        }
    }
}

impl Gap {
    /// The kind of its event.
    pub const KIND: &str = "audit.gap";

    /// Returns its stream, where it names one.
    pub fn of(&self) -> Option<Stream> {
        Stream::ALL.into_iter().find(|it| it.name() == self.stream)
    }
}

fn to_the_millisecond<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&format_args!("{time:.3}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::evidence::canonical;

    #[test]
    fn an_event_is_one_line_whose_time_has_milliseconds_and_that_is_read_again() {
        let gap = Gap { instance: "i1".into(), stream: "decisions".into(), from: 9, count: None, why: Why::QueueFull };
        assert_eq!(gap.of(), Some(Stream::Decisions));
        let data = serde_json::to_value(&gap).expect("JSON");
        let time = "2026-11-23T08:00:00Z".parse().expect("a time");
        let event = Event { n: 7, time, kind: Gap::KIND.into(), actor: "system:gateway".into(), data };
        let line = canonical(&event).expect("it has a form");
        let expected = r#"{"actor":"system:gateway","data":{"count":null,"from":9,"instance":"i1","stream":"decisions","why":"queue_full"},"n":7,"time":"2026-11-23T08:00:00.000Z","type":"audit.gap"}"#;
        assert_eq!(String::from_utf8_lossy(&line), expected);
        assert_eq!(serde_json::from_slice::<Event>(&line).expect("it is read"), event);
        for why in Why::ALL {
            assert_eq!(serde_json::to_value(why).expect("JSON"), json!(why.name()));
        }
    }
}
