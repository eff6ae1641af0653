//! What would be, as a table for people, and as JSON for programs.

use std::{
    collections::BTreeSet,
    fmt::{self, Display},
};

use evenkeel_core::Nanos;
use serde_json::{Value, json};

use super::{Called, Calls, Cost, Given, Right, Rightness, RouteChange, Side, WhatIf};
use crate::report::{share, time};

/// What would be, beside what somebody else knows of prices and of right answers.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a>(&'a WhatIf, &'a Given);

impl Display for WhatIf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.told(&Given::default()).fmt(f)
    }
}

impl Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(what_if, given) = self;
        for (name, route) in &what_if.routes {
            writeln!(f, "route {name}: {} requests", route.requests)?;
            route.table(f, (name, given))?;
        }
        what_if.left_out(f)?;
        if given.prices.is_empty() {
            writeln!(
                f,
                "what calls cost is in no log: --price ROUTE/TIER=N says what a thousand tokens, or KiB, cost"
            )?;
        }
        if given.right.is_empty() {
            writeln!(
                f,
                "whether answers would be right is in no log: --quality FILE says how often those of tiers are"
            )?;
        }
        Ok(())
    }
}

impl WhatIf {
    fn left_out(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (path, calls) in &self.unknown {
            writeln!(
                f,
                "nothing is known of {path}: {calls} calls of it are taken to answer well, after what is reserved for it"
            )?;
        }
        if self.homeless > 0 {
            writeln!(f, "{} requests are of routes that the other configuration does not have", self.homeless)?;
        }
        if self.unfinished > 0 {
            writeln!(f, "{} requests are left out: their end is not in the log", self.unfinished)?;
        }
        if self.broken {
            writeln!(
                f,
                "the core panicked under the other configuration: what comes after that is left out; please tell us"
            )?;
        }
        Ok(())
    }
}

impl RouteChange {
    fn table(&self, f: &mut fmt::Formatter<'_>, (name, given): (&str, &Given)) -> fmt::Result {
        let sides = [&self.before, &self.after];
        let mut line = |what: &str, [before, after]: [String; 2]| writeln!(f, "  {what:<28} {before:>22} {after:>22}");
        line("", ["as it was".into(), "as it would be".into()])?;
        let names: BTreeSet<&String> = sides.iter().flat_map(|it| it.by.keys()).collect();
        for name in names {
            line(name, sides.map(|it| part(it.by.get(name).copied().unwrap_or(0), self.requests)))?;
        }
        line("latency p50", sides.map(|it| it.latency(500).map_or("-".into(), time)))?;
        line("latency p95", sides.map(|it| it.latency(950).map_or("-".into(), time)))?;
        line("attempts", sides.map(|it| it.attempts.to_string()))?;
        let unit = if self.inferences { "KiB" } else { "tokens" };
        let called: BTreeSet<&Called> = sides.iter().flat_map(|it| it.calls.keys()).collect();
        for it in called {
            let of = if it.copy {
                format!("copies to {}, {unit}", it.path)
            } else {
                format!("calls of {}, {unit}", it.path)
            };
            line(&of, sides.map(|side| side.calls.get(it).map_or("-".into(), calls)))?;
        }
        if sides.iter().any(|it| given.cost(name, it).is_some()) {
            line("cost", sides.map(|it| given.cost(name, it).map_or("-".into(), cost)))?;
        }
        if sides.iter().any(|it| given.rightness(name, it).is_some()) {
            line(
                "right answers, estimated",
                sides.map(|it| given.rightness(name, it).map_or("unknown".into(), right)),
            )?;
        }
        let answering: BTreeSet<&String> = sides.iter().flat_map(|it| it.answers.keys()).collect();
        for tier in answering {
            if let Some(it) = given.right.get(&(name.to_owned(), tier.clone())) {
                let Right { value, low, high, n, method } = it;
                writeln!(f, "    {tier}: right {value:.3} ({low:.3}..{high:.3}), {method}, n = {n}")?;
            }
        }
        let (counted, estimated, guesses) = (self.counted, self.estimated, self.guesses);
        writeln!(f, "  answered by another tier, or ended otherwise: {counted} counted, {estimated} estimated")?;
        match guesses {
            0 => writeln!(f, "  every call is one that was made"),
            _ => writeln!(
                f,
                "  {} of the requests make a call that was not made: estimates",
                part(guesses, self.requests)
            ),
        }
    }

    fn json(&self, (name, given): (&str, &Given)) -> Value {
        let side = |it: &Side| {
            let millis = |at: Option<Nanos>| at.map(|it| it / 1_000_000);
            let (p50, p95) = (millis(it.latency(500)), millis(it.latency(950)));
            let calls: Vec<_> = it.calls.iter().map(|(called, calls)| self.calls_json(called, calls)).collect();
            json!({
                "by": it.by, "latency_p50_ms": p50, "latency_p95_ms": p95, "attempts": it.attempts, "calls": calls,
                "cost": given.cost(name, it).map(|it| json!({"known": it.known, "of_it_estimated": it.estimated, "calls_without_price": it.unpriced})),
                "right": given.rightness(name, it).map(|it| json!({
                    "estimate": it.value, "low": it.low, "high": it.high, "answers": it.answers, "answers_unknown": it.unknown, "n": it.n,
                })),
            })
        };
        let Self { requests, before, after, counted, estimated, guesses, .. } = self;
        json!({
            "requests": requests, "before": side(before), "after": side(after), "changed": {"counted": counted, "estimated": estimated},
            "requests_with_estimates": guesses,
        })
    }
}

impl RouteChange {
    fn calls_json(&self, called: &Called, it: &Calls) -> Value {
        let unit = if self.inferences { "asked_kib" } else { "asked_tokens" };
        let asked = |asked: u64| asked as f64 / 1e3;
        json!({
            "path": called.path, "copies": called.copy, "calls": it.calls, unit: asked(it.asked),
            "estimated": {"calls": it.estimated, unit: asked(it.estimated_asked)},
        })
    }
}

impl WhatIf {
    /// Returns it in words, beside what somebody else knows.
    pub const fn told<'a>(&'a self, given: &'a Given) -> Told<'a> {
        Told(self, given)
    }

    /// Returns it as JSON.
    pub fn to_json(&self, given: &Given) -> Value {
        let json = |(name, it): (&String, &RouteChange)| (name.clone(), it.json((name, given)));
        let routes: serde_json::Map<_, _> = self.routes.iter().map(json).collect();
        let Self { homeless, unfinished, unknown, broken, .. } = self;
        json!({"routes": routes, "without_route": homeless, "unfinished": unfinished, "unknown_paths": unknown, "panicked": broken})
    }
}

/// Writes calls, and what they ask in whole units; `~` before what some of it is an estimate of.
fn calls(it: &Calls) -> String {
    let mark = if it.estimated > 0 { "~" } else { "" };
    format!("{mark}{} ({mark}{})", it.calls, it.asked / 1_000)
}

fn cost(it: Cost) -> String {
    let mark = if it.estimated > 0.0 { "~" } else { "" };
    match it.unpriced {
        0 => format!("{mark}{:.4}", it.known),
        calls => format!("{mark}{:.4} + {calls} calls", it.known),
    }
}

fn right(it: Rightness) -> String {
    let (mean, ends) = (format!("{:.3} ({:.3}..{:.3})", it.value, it.low, it.high), it.answers);
    match it.unknown {
        0 => mean,
        unknown => format!("{mean} of {ends}, {unknown} unknown"),
    }
}

fn part(number: u64, of: u64) -> String {
    format!("{number} ({})", share(number, of))
}
