//! Told: a decision as the store tells it: the whole record, or the line that was kept of it.
//!
//! # Invariants
//! - `TOLD-1`: which of the two it is stands in `schema`; a line never passes for a record, nor what is neither for one of them, and a
//!   line says in words that the rest was not kept.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::{Decision, Explained, evidence::DecisionLine, explain};

/// A decision, as far as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The whole record.
    Whole(Box<Decision>),
    /// A line of it.
    Line(Box<DecisionLine>),
}

/// Decisions, as far as they were kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decisions {
    /// The newest first.
    pub decisions: Vec<Told>,
    /// What `before` takes for those that follow; absent where nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Why older ones may be missing; absent where none are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<String>,
}

/// How the decision store stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreState {
    /// `sqlite` or `postgres`.
    pub engine: String,
    /// `waiting` (nothing was recorded yet), `current`, `behind`, `away` (it cannot be written), or `standby` (another process does it).
    pub state: String,
    /// Since when.
    pub since: Timestamp,
    /// Records that are known to wait on disk, at least.
    pub behind_n: u64,
    /// Lines that were passed over since the process started, as this version does not know their schema.
    #[serde(default)]
    pub unknown_n: u64,
    /// Segments of which a part cannot be read, as they are damaged, since the process started.
    #[serde(default)]
    pub damaged_n: u64,
    /// Numbers that were passed over since the process started, as no line had them: in damaged segments, and behind them.
    #[serde(default)]
    pub lacking_n: u64,
    /// Instances whose folder cannot be read, and the kind of the error; absent where all can.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unread: BTreeMap<String, String>,
    /// The kind of the last error; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// What decisions came to, in spans.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Seconds of a span.
    pub span_s: u64,
    /// Those in which something was asked, the oldest first.
    pub spans: Vec<Span>,
    /// What `from` takes for those that follow; absent where nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Timestamp>,
    /// Why those of `next` cannot be told; absent where they can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<String>,
}

/// What decisions of one route, tier and reason came to in a span.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// When it begins.
    pub start: Timestamp,
    /// The route.
    pub route: String,
    /// The tier that answered.
    pub tier: Option<u8>,
    /// The closest reason.
    pub reason: String,
    /// How many requests.
    pub requests: u64,
    /// How many of them another tier than 0 answered.
    pub degraded: u64,
    /// How many were refused.
    pub refused: u64,
    /// How many ended with an error, or broke.
    pub errors: u64,
    /// Microseconds that all took together.
    pub latency_us: u64,
    /// How many took at most 1, 2, 5, 10, 20, 50, 100, 200, 500 ms, 1, 2, 5, 10, 20, 60 s, and longer; each counts once.
    pub latency: Vec<u64>,
}

impl Told {
    /// Returns its id.
    pub fn id(&self) -> &str {
        match self {
            Self::Whole(it) => &it.id,
            Self::Line(it) => &it.id,
        }
    }

    /// Returns when the request was over.
    pub fn time(&self) -> Timestamp {
        match self {
            Self::Whole(it) => it.time,
            Self::Line(it) => it.time,
        }
    }

    /// Returns the line that would be kept of it.
    pub fn line(&self) -> DecisionLine {
        match self {
            Self::Whole(it) => DecisionLine::of(it),
            Self::Line(it) => DecisionLine::clone(it),
        }
    }

    /// Says in words why this tier answered, as far as that was kept.
    pub fn explain(&self) -> Explained {
        match self {
            Self::Whole(it) => explain(it),
            Self::Line(it) => it.explain(),
        }
    }
}

impl fmt::Display for StoreState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} since {:.0}", self.engine, self.state, self.since)?;
        if self.behind_n > 0 {
            write!(f, ", {} records or more wait", self.behind_n)?;
        }
        for (number, what) in [
            (self.unknown_n, "lines of another version"),
            (self.damaged_n, "damaged segments"),
            (self.lacking_n, "numbers without a line"),
        ] {
            if number > 0 {
                write!(f, ", {what}: {number}")?;
            }
        }
        self.unread.iter().try_for_each(|(name, why)| write!(f, ", {name} cannot be read ({why})"))?;
        self.last_error.iter().try_for_each(|it| write!(f, ", last error: {it}"))
    }
}

impl Serialize for Told {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Whole(it) => it.serialize(to),
            Self::Line(it) => it.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Told {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // By its schema, so that a message is about what was written.
        let value = serde_json::Value::deserialize(from)?;
        let read = match value["schema"].as_str() {
            Some(DecisionLine::SCHEMA) => serde_json::from_value(value).map(Self::Line),
            Some(Decision::SCHEMA) => serde_json::from_value(value).map(|it| Self::Whole(Box::new(it))),
            Some(other) => return Err(D::Error::custom(format_args!("`{other}` is no schema of a decision"))),
            None => return Err(D::Error::custom("it has no `schema`")),
        };
        read.map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_says_in_a_line_what_it_has_not() {
        let state = |unread: &[(&str, &str)], [behind_n, unknown_n, damaged_n, lacking_n]: [u64; 4]| {
            let unread = unread.iter().map(|(name, why)| ((*name).into(), (*why).into())).collect();
            let (engine, state) = ("sqlite".into(), "behind".into());
            let it = StoreState {
                engine,
                state,
                unread,
                behind_n,
                unknown_n,
                damaged_n,
                lacking_n,
                ..StoreState::default()
            };
            it.to_string()
        };
        assert_eq!(state(&[], [0; 4]), "sqlite: behind since 1970-01-01T00:00:00Z");
        assert_eq!(
            state(&[("i2", "io")], [9, 3, 1, 7]),
            "sqlite: behind since 1970-01-01T00:00:00Z, 9 records or more wait, lines of another version: 3, \
             damaged segments: 1, numbers without a line: 7, i2 cannot be read (io)"
        );
    }

    #[test]
    fn told_1_a_line_says_that_the_rest_was_not_kept_and_never_passes_for_a_record() {
        let text = r#"{"attempts":1,"degraded":false,"id":"01ABC","latency_us":42350,"method":"primary","operation":"chat",
            "phase":"normal","reason":"PRIMARY_HEALTHY","revision":"sha256:0123456789ab","route":"chat",
            "end":"answered","schema":"evenkeel.decision-line/v1","status":200,"tier":0,"time":"2026-11-23T08:51:07.412Z"}"#;
        let told: Told = serde_json::from_str(text).expect("a line");
        assert!(matches!(&told, Told::Line(line) if line.tier == Some(0)), "{told:?}");
        let words = told.explain().to_string();
        assert!(
            words.contains("Answered by tier 0 (primary): PRIMARY_HEALTHY.\nStatus 200 after 42.3 ms, 1 attempt."),
            "{words}"
        );
        assert!(words.contains(DecisionLine::NOT_KEPT), "{words}");
        let again: Told = serde_json::from_str(&serde_json::to_string(&told).expect("JSON")).expect("a line");
        assert_eq!(told, again);
        // Of what is not ordinary, and too long for a line.
        for (end, tier, words) in [
            ("answered", "1", "Answered by tier 1 (primary): "),
            ("broken", "0", "Broke off while tier 0 (primary) answered: "),
            ("error", "null", "Ended with the model's own error: "),
            ("refused", "null", "Refused: "),
        ] {
            let text =
                text.replace("\"answered\"", &format!("\"{end}\"")).replace("\"tier\":0", &format!("\"tier\":{tier}"));
            let told = serde_json::from_str::<Told>(&text).expect("a line").explain().to_string();
            assert!(told.contains(words) && told.contains(DecisionLine::TOO_LONG), "{told}");
        }
        let not = |schema: &str| {
            let other = text.replace("evenkeel.decision-line/v1", schema);
            serde_json::from_str::<Told>(&other).expect_err("it is no such thing").to_string()
        };
        assert!(!not("evenkeel.decision/v1").contains("schema"), "a record has more than that");
        assert_eq!(not("evenkeel.decision/v2"), "`evenkeel.decision/v2` is no schema of a decision");
        assert!(serde_json::from_str::<Told>("{}").is_err_and(|it| it.to_string() == "it has no `schema`"));
    }
}
