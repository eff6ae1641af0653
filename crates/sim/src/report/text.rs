//! Text: a run, or many, as tables for people; the report of a run is its golden output.

use std::fmt;

use evenkeel_core::{Nanos, PathId, ResultCode, Rule, Transition};

use super::{Counts, Report, Sweep, Tally, middle_and_last, share, time};

/// Switches that are listed; a run that has more is a case for `--json`.
const LISTED: usize = 40;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tally, outcome) = (&self.outcome.tally, &self.outcome);
        writeln!(f, "{}: {}", self.name, self.about)?;
        let counts = &tally.counts;
        let retries = counts.requests - counts.arrived;
        write!(f, "seed {}, {} requests over {}", outcome.seed, counts.arrived, time(tally.ended))?;
        writeln!(f, "{}", if retries > 0 { format!(", and {retries} retries of clients") } else { String::new() })?;
        if let Some((from, until)) = tally.trouble {
            writeln!(f, "trouble from {} to {}", time(from), time(until))?;
        }
        timeline(f, tally)?;
        answers(f, tally)?;
        attempts(f, tally)?;
        summary(f, tally)?;
        if let Some(hash) = outcome.hash {
            writeln!(f, "\noutput log {hash:#018x}")?;
        }
        if !outcome.trace.is_empty() {
            writeln!(f, "\nwhat went in and came out last\n{}", outcome.trace.join("\n"))?;
        }
        for line in self.outcome.violation.iter().map(ToString::to_string).chain(self.misses.iter().cloned()) {
            writeln!(f, "BROKEN {line}")?;
        }
        if let Some(command) = &self.command {
            writeln!(f, "to see it again: {command}")?;
        }
        match self.short_of {
            _ if !self.holds() => Ok(()),
            None => writeln!(f, "every rule and every expectation holds"),
            Some(all) => {
                writeln!(f, "every rule holds; what is expected is judged only where all {all} requests arrive")
            }
        }
    }
}

fn timeline(f: &mut fmt::Formatter<'_>, tally: &Tally) -> fmt::Result {
    writeln!(f, "\ntimeline of tiers")?;
    writeln!(f, "  {:>12}  {:<16} {:<14} because", "at", "route", "tier")?;
    for transition in tally.transitions.iter().take(LISTED) {
        let route = &tally.revision.routes[transition.route.index()];
        let name = |tier: u8| route.tiers.get(usize::from(tier)).map_or("none", |it| it.name.as_str());
        let tiers = format!("{} -> {}", transition.from, transition.to);
        let (at, name) = (time(transition.at), name(transition.to));
        writeln!(f, "  {at:>12}  {:<16} {tiers:<8} {name:<12} {}", route.name, because(transition, tally))?;
    }
    match tally.transitions.len().saturating_sub(LISTED) {
        0 if tally.transitions.is_empty() => writeln!(f, "  every route starts at tier 0, always"),
        0 => Ok(()),
        more => writeln!(f, "  and {more} more"),
    }
}

fn because(transition: &Transition, tally: &Tally) -> String {
    let path = &tally.revision.paths[transition.path.index()].name;
    match transition.trip {
        _ if transition.rule != Rule::Breaker => {
            format!("{}: {path} by {}", transition.reason.name(), transition.rule.name())
        }
        Some(trip) => {
            let (reason, last) = (transition.reason.name(), trip.result.map(|it| format!(", last {}", it.name())));
            let last = last.unwrap_or_default();
            format!("{reason}: {path} by {}, {} of {} bad{last}", trip.rule, trip.bad, trip.of)
        }
        None => format!("{}: {path}", transition.reason.name()),
    }
}

fn answers(f: &mut fmt::Formatter<'_>, tally: &Tally) -> fmt::Result {
    let counts = &tally.counts;
    writeln!(f, "\nanswers by tier")?;
    writeln!(f, "  {:<28} {:>9} {:>8} {:>10} {:>10} {:>10}", "", "requests", "share", "p50", "p95", "p99")?;
    for route in &tally.revision.routes {
        for (at, tier) in route.tiers.iter().enumerate() {
            let answers = &counts.answers[tier.path.index()];
            let [p50, p95, p99] = [500, 950, 990].map(|it| answers.quantile(it).map_or("-".into(), time));
            let name = format!("{} {at} {}", route.name, tier.name);
            let part = share(answers.count(), counts.requests);
            writeln!(f, "  {name:<28} {:>9} {part:>8} {p50:>10} {p95:>10} {p99:>10}", answers.count())?;
        }
    }
    for (what, count) in ends(counts) {
        if count > 0 {
            writeln!(f, "  {what:<28} {count:>9} {:>8}", share(count, counts.requests))?;
        }
    }
    if counts.mended > 0 {
        let part = share(counts.mended, counts.requests);
        writeln!(f, "  {:<28} {:>9} {part:>8}", "a stream that was mended", counts.mended)?;
    }
    if counts.reasons.is_empty() {
        return Ok(());
    }
    let reasons: Vec<_> = counts.reasons.iter().map(|(reason, count)| format!("{} {count}", reason.name())).collect();
    writeln!(f, "  tier 0 did not answer because of {}", reasons.join(", "))
}

/// Returns the ends that are no answers.
pub(super) fn ends(counts: &Counts) -> [(&'static str, u64); 7] {
    [
        ("refused, no tier is left", counts.exhausted),
        ("refused, out of time", counts.late),
        ("refused, no room", counts.overloaded),
        ("refused, otherwise", counts.other),
        ("an error passed on", counts.errors),
        ("a stream that broke", counts.broken),
        ("a client that left", counts.gone),
    ]
}

fn attempts(f: &mut fmt::Formatter<'_>, tally: &Tally) -> fmt::Result {
    writeln!(f, "\nattempts")?;
    for (at, path) in tally.revision.paths.iter().enumerate() {
        let results = &tally.counts.attempts[PathId(at as u16).index()];
        let seen = ResultCode::ALL.iter().zip(results).filter(|(_, count)| **count > 0);
        let seen: Vec<_> = seen.map(|(result, count)| format!("{} {count}", result.name())).collect();
        if !seen.is_empty() {
            let route = &tally.revision.routes[path.route.index()].name;
            writeln!(f, "  {:<28} {}", format!("{route} {}", path.name), seen.join(", "))?;
        }
        let copies = tally.counts.copies[at];
        if copies > 0 {
            let route = &tally.revision.routes[path.route.index()].name;
            writeln!(f, "  {:<28} copies {copies}", format!("{route} {}", path.name))?;
        }
    }
    Ok(())
}

fn summary(f: &mut fmt::Formatter<'_>, tally: &Tally) -> fmt::Result {
    let counts = &tally.counts;
    let or_none = |it: Option<Nanos>| it.map_or("none".into(), time);
    writeln!(f)?;
    if tally.trouble.is_some() {
        writeln!(f, "fail-over {} after the first fault", or_none(tally.failover))?;
        let (back, well) = (or_none(tally.back), or_none(tally.recovery()));
        writeln!(f, "after the trouble tiers 0 answer again in {back}, all is well in {well}")?;
        let (before, after) = (tally.before, tally.after);
        let (was, is) = (share(before.good, before.all), share(after.good, after.all));
        writeln!(f, "tiers 0 answered {was} before, {is} of the last {}", after.all)?;
        writeln!(f, "tiers 0 were tried {} times in the trouble", tally.tried)?;
        writeln!(f, "models below answered {} times in the trouble", tally.carried)?;
    }
    writeln!(f, "{}", cost(counts))
}

/// Says what was spent, against one attempt for each request.
pub(super) fn cost(counts: &Counts) -> String {
    let ratio = |part: u64, whole: u64| {
        let permille = part * 1_000 / whole.max(1);
        format!("{}.{:03}", permille / 1_000, permille % 1_000)
    };
    let (attempts, worth) = (ratio(counts.remote, counts.requests), ratio(counts.cost, counts.worth));
    format!("cost: {attempts} remote attempts a request, {worth} of the tokens")
}

impl fmt::Display for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let range = |times: &[Nanos]| match middle_and_last(times) {
            Some((middle, last)) => format!("{} / {}", time(middle), time(last)),
            None => "-".into(),
        };
        let counts = &self.counts;
        let lower = share(counts.failed(), counts.requests);
        write!(f, "{:<22} {:>6} {:>10} {lower:>8}", self.name, self.seeds, counts.requests)?;
        write!(f, " {:>22} {:>22}", range(&self.failovers), range(&self.recoveries))?;
        match self.failures.len() {
            0 => f.write_str("  holds"),
            1 => f.write_str("  1 SEED FAILS"),
            several => write!(f, "  {several} SEEDS FAIL"),
        }
    }
}

impl Sweep {
    /// Returns what the columns of a table of sweeps mean.
    pub fn legend() -> &'static str {
        "failed: of all requests, over all seeds; fail-over: from the first fault to the first good answer of a lower tier; all well: \
         from the end of the trouble until every breaker is closed and every route starts at tier 0; half of the seeds / the worst seed"
    }

    /// Returns the head of a table of sweeps.
    pub fn head() -> String {
        let (failover, recovery) = ("fail-over p50 / max", "all well p50 / max");
        format!("{:<22} {:>6} {:>10} {:>8} {failover:>22} {recovery:>22}", "scenario", "seeds", "requests", "failed")
    }
}
