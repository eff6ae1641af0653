//! Compare: the same scenario and seeds under two configurations, side by side.

use std::{collections::BTreeSet, fmt::Write};

use evenkeel_core::Nanos;

use super::{Sweep, histogram::Histogram, middle_and_last, share, text::cost, time};

/// The width of a column whose name is short.
const NARROW: usize = 24;

/// Returns a table with a column for each of two configurations, under the names that they go by.
pub fn compare(names: [&str; 2], sweeps: [&Sweep; 2]) -> String {
    let mut table = String::new();
    // A name is never cut: two long paths often differ in their beginnings.
    let [wide, wider] = names.map(|name| name.chars().count().max(NARROW));
    let mut line = |what: &str, [a, b]: [String; 2]| {
        writeln!(table, "  {what:<26} {a:>wide$} {b:>wider$}").expect("a text takes everything");
    };
    line(&sweeps[0].name, names.map(str::to_owned));
    let each = |of: &dyn Fn(&Sweep) -> String| sweeps.map(of);
    line("requests", each(&|it| it.counts.requests.to_string()));
    let paths: BTreeSet<&String> = sweeps.iter().flat_map(|it| &it.paths).collect();
    for path in paths {
        let part = |it: &Sweep| {
            let at = it.paths.iter().position(|name| name == path);
            let answers = at.and_then(|at| it.counts.answers.get(at));
            answers.map_or("-".into(), |answers| share(answers.count(), it.counts.requests))
        };
        line(&format!("answered by {path}"), each(&part));
    }
    line("failed", each(&|it| share(it.counts.failed(), it.counts.requests)));
    line("of that, broken streams", each(&|it| share(it.counts.broken, it.counts.requests)));
    for (name, permille) in [("latency p50", 500), ("latency p95", 950), ("latency p99", 990)] {
        line(name, each(&|it| all(it).quantile(permille).map_or("-".into(), time)));
    }
    line("fail-over p50 / max", each(&|it| range(&it.failovers)));
    line("all well p50 / max", each(&|it| range(&it.recoveries)));
    line("switches", each(&|it| it.counts.transitions.to_string()));
    line("remote attempts a request", each(&|it| ratio(it.counts.remote, it.counts.requests)));
    line("seeds that fail", each(&|it| format!("{} of {}", it.failures.len(), it.seeds)));
    for (name, sweep) in names.iter().zip(sweeps) {
        writeln!(table, "  {name} {}", cost(&sweep.counts)).expect("a text takes everything");
    }
    table
}

fn all(sweep: &Sweep) -> Histogram {
    let mut all = Histogram::default();
    sweep.counts.answers.iter().for_each(|it| all.merge(it));
    all
}

fn range(times: &[Nanos]) -> String {
    middle_and_last(times).map_or("-".into(), |(middle, last)| format!("{} / {}", time(middle), time(last)))
}

fn ratio(part: u64, whole: u64) -> String {
    let permille = part * 1_000 / whole.max(1);
    format!("{}.{:03}", permille / 1_000, permille % 1_000)
}
