//! JSON: a run, or many, for programs.

use evenkeel_core::{MILLISECOND, Nanos, ResultCode, Rule};
use serde_json::{Map, Value, json};

use super::{Counts, Report, Sweep, Tally, middle_and_last, text::ends};

impl Report {
    /// Returns it as JSON.
    pub fn to_json(&self) -> Value {
        let tally = &self.outcome.tally;
        let transitions = tally.transitions.iter().map(|it| {
            let (route, path) = (&tally.revision.routes[it.route.index()], &tally.revision.paths[it.path.index()]);
            json!({"route": route.name, "from": it.from, "to": it.to, "reason": it.reason.name(), "path": path.name,
                "rule": it.trip.map(|trip| trip.rule).or((it.rule != Rule::Breaker).then(|| it.rule.name())), "at_ms": millis(it.at)})
        });
        let transitions: Vec<_> = transitions.collect();
        let violation = self
            .outcome
            .violation
            .as_ref()
            .map(|it| json!({"rule": it.rule, "at_ms": millis(it.at), "request": it.request, "what": it.what}));
        json!({
            "scenario": self.name, "file": self.file, "seed": self.outcome.seed, "holds": self.holds(),
            "violation": violation, "misses": self.misses, "command": self.command,
            "expectations_judged": self.short_of.is_none() && self.outcome.violation.is_none(),
            "log": self.outcome.hash.map(|hash| format!("{hash:#018x}")),
            "trouble_ms": tally.trouble.map(|(from, until)| [millis(from), millis(until)]),
            "transitions": transitions,
            "failover_ms": tally.failover.map(millis), "back_ms": tally.back.map(millis),
            "recovery_ms": tally.recovery().map(millis),
            "tried_in_fault": tally.tried, "carried": tally.carried, "slowest_refusal_ms": millis(tally.slowest_refusal),
            "counts": counts(&tally.counts, tally),
        })
    }
}

impl Sweep {
    /// Returns it as JSON.
    pub fn to_json(&self) -> Value {
        let range = |times: &[Nanos]| {
            middle_and_last(times).map(|(middle, last)| json!({"p50": millis(middle), "max": millis(last)}))
        };
        let failures = self.failures.iter();
        let failures: Vec<_> =
            failures.map(|it| json!({"seed": it.seed, "what": it.what, "command": it.command})).collect();
        json!({
            "scenario": self.name, "seeds": self.seeds, "holds": self.holds(), "failures": failures,
            "requests": self.counts.requests, "failed": self.counts.failed(), "broken": self.counts.broken,
            "failover_ms": range(&self.failovers), "recovery_ms": range(&self.recoveries),
        })
    }
}

fn counts(counts: &Counts, tally: &Tally) -> Value {
    let (mut answers, mut attempts) = (Map::new(), Map::new());
    for route in &tally.revision.routes {
        let tier = |(at, tier): (usize, &evenkeel_core::Tier)| {
            let it = &counts.answers[tier.path.index()];
            let [p50, p95, p99] = [500, 950, 990].map(|permille| it.quantile(permille).map(millis));
            let of = json!({"name": tier.name, "requests": it.count(), "p50_ms": p50, "p95_ms": p95, "p99_ms": p99});
            (at.to_string(), of)
        };
        answers.insert(route.name.clone(), route.tiers.iter().enumerate().map(tier).collect::<Map<_, _>>().into());
    }
    for (path, results) in tally.revision.paths.iter().zip(&counts.attempts) {
        let seen = ResultCode::ALL.iter().zip(results).filter(|(_, count)| **count > 0);
        let seen: Map<_, _> = seen.map(|(result, count)| (result.name().into(), json!(count))).collect();
        let route = &tally.revision.routes[path.route.index()].name;
        attempts.insert(format!("{route}/{}", path.name), seen.into());
    }
    let reasons: Map<_, _> = counts.reasons.iter().map(|(it, count)| (it.name().into(), json!(count))).collect();
    let ends: Map<_, _> = ends(counts).into_iter().map(|(name, count)| (name.into(), json!(count))).collect();
    json!({
        "arrived": counts.arrived, "requests": counts.requests, "failed": counts.failed(), "mended": counts.mended,
        "answers": answers, "ends": ends, "reasons": reasons, "attempts": attempts, "copies": counts.copies.iter().sum::<u64>(),
        "remote_attempts": counts.remote, "cost_tokens": counts.cost, "worth_tokens": counts.worth,
    })
}

/// Returns whole milliseconds, rounded down.
fn millis(nanos: Nanos) -> u64 {
    nanos / MILLISECOND
}
