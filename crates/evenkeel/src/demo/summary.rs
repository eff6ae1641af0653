//! What came of a demo: answers by tier, what fell short, transitions, and how long fail-over took.

use std::{collections::BTreeMap, fmt, time::Duration};

use evenkeel_api as api;
use evenkeel_core::Revision;
use serde::Serialize;

/// Causes that are kept; when a demo fails, the first ones tell.
const MOST_CAUSES: usize = 16;

/// What to do when the demo is over.
const NEXT: &str = "next: `evenkeel config example > evenkeel.yaml`, put your servers in, `evenkeel check evenkeel.yaml`, `evenkeel serve`; \
                    or play it yourself: examples/quickstart";

/// What a client saw of one request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seen {
    Answered { tier: u8, late: bool },
    Failed,
    Truncated,
}

/// The counts of a demo that runs.
#[derive(Debug, Default)]
pub(super) struct Tally {
    summary: Summary,
    /// Faults whose first answer from below has not come yet: the tier that broke, and when.
    waiting: Vec<(String, u8, Duration)>,
    failover_ms: Vec<u64>,
    /// What is broken now, by tier.
    pub(super) broken: BTreeMap<u8, &'static str>,
}

/// What came of a demo (`interfaces.md`, section 3).
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Summary {
    pub(crate) requests: u64,
    pub(crate) answered: u64,
    pub(crate) failed: u64,
    pub(crate) truncated: u64,
    pub(crate) late: u64,
    pub(crate) by_tier: BTreeMap<String, BTreeMap<String, u64>>,
    pub(crate) transitions: Vec<Transition>,
    pub(crate) failover_ms: Failover,
    /// Why requests fell short, the first ones; for people, not for programs.
    #[serde(skip)]
    pub(crate) causes: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Transition {
    pub(crate) route: String,
    pub(crate) from: u8,
    pub(crate) to: u8,
    pub(crate) reason: String,
    pub(crate) at_ms: u64,
}

/// From a fault's start to the first good answer of a lower tier that began after it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Failover {
    pub(crate) p50: Option<u64>,
    pub(crate) max: Option<u64>,
}

impl Tally {
    pub(super) fn new(revision: &Revision) -> Self {
        let by_tier = revision.routes.iter().map(|route| (route.name.clone(), BTreeMap::new())).collect();
        Self { summary: Summary { by_tier, ..Summary::default() }, ..Self::default() }
    }

    /// Notes that a tier of every route broke, or is well again.
    pub(super) fn fault(&mut self, tier: u8, words: Option<&'static str>, at: Duration) {
        match words {
            Some(words) => {
                // A tier that is broken already has been left already.
                if self.broken.insert(tier, words).is_none() {
                    let routes = self.summary.by_tier.keys().cloned();
                    self.waiting.extend(routes.map(|route| (route, tier, at)));
                }
            }
            None => {
                self.broken.remove(&tier);
                self.waiting.retain(|(_, broken, _)| *broken != tier);
            }
        }
    }

    pub(super) fn seen(&mut self, route: &str, seen: Seen, began: Duration, now: Duration) {
        let summary = &mut self.summary;
        summary.requests += 1;
        match seen {
            Seen::Failed => summary.failed += 1,
            Seen::Truncated => summary.truncated += 1,
            Seen::Answered { tier, late } => {
                summary.answered += 1;
                summary.late += u64::from(late);
                if let Some(tiers) = summary.by_tier.get_mut(route) {
                    *tiers.entry(tier.to_string()).or_default() += 1;
                }
                let done = |it: &(String, u8, Duration)| it.0 == route && tier > it.1 && began >= it.2;
                for it in self.waiting.extract_if(.., |it| done(it)) {
                    self.failover_ms.push((now - it.2).as_millis() as u64);
                }
            }
        }
    }

    /// Notes why a request fell short.
    pub(super) fn fell_short(&mut self, route: &str, why: &str) {
        let cause = format!("{route}: {why}");
        let causes = &mut self.summary.causes;
        if causes.len() < MOST_CAUSES && !causes.contains(&cause) {
            causes.push(cause);
        }
    }

    pub(super) fn transition(&mut self, it: &api::Transition, at: Duration) {
        self.summary.transitions.push(Transition {
            route: it.route.clone(),
            from: it.from,
            to: it.to,
            reason: it.reason.clone(),
            at_ms: at.as_millis() as u64,
        });
    }

    /// Returns the counts so far.
    pub(super) fn summary(&self) -> Summary {
        let mut times = self.failover_ms.clone();
        times.sort_unstable();
        let failover_ms = Failover { p50: times.get(times.len() / 2).copied(), max: times.last().copied() };
        Summary { failover_ms, ..self.summary.clone() }
    }
}

impl Summary {
    /// Says whether every request was answered whole and in time.
    pub(crate) fn is_whole(&self) -> bool {
        self.failed == 0 && self.truncated == 0 && self.late == 0
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} requests, {} answered", self.requests, self.answered)?;
        writeln!(f, "  failed {}, truncated {}, late {}", self.failed, self.truncated, self.late)?;
        for (route, tiers) in &self.by_tier {
            let shares: Vec<String> = tiers.iter().map(|(tier, count)| format!("tier {tier}: {count}")).collect();
            writeln!(f, "  {route}: {}", shares.join(", "))?;
        }
        for it in &self.transitions {
            writeln!(f, "  {:>6} ms  {}  {} -> {}  {}", it.at_ms, it.route, it.from, it.to, it.reason)?;
        }
        if let (Some(p50), Some(max)) = (self.failover_ms.p50, self.failover_ms.max) {
            writeln!(f, "  fail-over: half within {p50} ms, all within {max} ms")?;
        }
        writeln!(f, "{NEXT}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_falls_short_leaves_its_cause_and_the_json_stays_what_is_promised() {
        let mut tally = Tally::default();
        tally.seen("chat", Seen::Failed, Duration::ZERO, Duration::ZERO);
        for why in ["status 503", "status 503", "status 500"] {
            tally.fell_short("chat", why);
        }
        let summary = tally.summary();
        assert!(!summary.is_whole());
        assert_eq!(summary.causes, ["chat: status 503", "chat: status 500"]);
        assert!(summary.to_string().ends_with("examples/quickstart\n"), "people are told what is next");
        let json = serde_json::to_value(&summary).expect("JSON");
        let keys: Vec<&String> = json.as_object().expect("an object").keys().collect();
        let promised = ["answered", "by_tier", "failed", "failover_ms", "late", "requests", "transitions", "truncated"];
        assert_eq!(keys, promised);
    }
}
