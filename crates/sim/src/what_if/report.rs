//! What would be, as a table for people, and as JSON for programs.

use std::{
    collections::BTreeSet,
    fmt::{self, Display},
};

use evenkeel_core::Nanos;
use serde_json::{Value, json};

use super::{RouteChange, Side, WhatIf};
use crate::report::{share, time};

impl Display for WhatIf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, route) in &self.routes {
            writeln!(f, "route {name}: {} requests", route.requests)?;
            route.table(f)?;
        }
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
    fn table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

    fn json(&self) -> Value {
        let side = |it: &Side| {
            let millis = |at: Option<Nanos>| at.map(|it| it / 1_000_000);
            let (p50, p95) = (millis(it.latency(500)), millis(it.latency(950)));
            json!({"by": it.by, "latency_p50_ms": p50, "latency_p95_ms": p95, "attempts": it.attempts})
        };
        let Self { requests, before, after, counted, estimated, guesses } = self;
        json!({
            "requests": requests, "before": side(before), "after": side(after), "changed": {"counted": counted, "estimated": estimated},
            "requests_with_estimates": guesses,
        })
    }
}

impl WhatIf {
    /// Returns it as JSON.
    pub fn to_json(&self) -> Value {
        let routes: serde_json::Map<_, _> = self.routes.iter().map(|(name, it)| (name.clone(), it.json())).collect();
        let Self { homeless, unfinished, unknown, broken, .. } = self;
        json!({"routes": routes, "without_route": homeless, "unfinished": unfinished, "unknown_paths": unknown, "panicked": broken})
    }
}

fn part(number: u64, of: u64) -> String {
    format!("{number} ({})", share(number, of))
}
