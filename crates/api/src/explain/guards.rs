//! What guards found in the input.

use super::counted;
use crate::decision::{Decision, Guard};

pub(super) fn lines(it: &Decision) -> Vec<String> {
    let Some(judged) = &it.judged else { return Vec::new() };
    let rows = match judged.rows == judged.of {
        true => counted(judged.of, "row"),
        false => format!("{} of {}", judged.rows, counted(judged.of, "row")),
    };
    let against = judged.reference.as_ref().map(|it| format!(", held against {it}")).unwrap_or_default();
    let mut lines = vec![format!("{rows} looked at{against}.")];
    lines.extend(it.guards.iter().flat_map(guard));
    lines
}

fn guard(it: &Guard) -> Vec<String> {
    let then = match (&it.start_at, it.breached) {
        (Some(tier), true) => format!("; such a request starts at {tier}"),
        (None, true) => "; told, and nothing else".into(),
        (_, false) => String::new(),
    };
    let stale = if it.stale { "; the route drifts, so this may be usual by now" } else { "" };
    let verdict = if it.breached { "in breach" } else { "passed" };
    let mut lines = vec![match &it.value {
        None => format!("{}: could not be measured.", it.guard),
        Some(value) => format!("{}: {} ({verdict}{then}{stale}).", it.guard, measured(it, value)),
    }];
    if !it.features.is_empty() {
        let more = if it.more > 0 { format!(" and {} more", it.more) } else { String::new() };
        lines.push(format!("  {}{more}", it.features.join(", ")));
    }
    if let Some(nearest) = &it.nearest {
        let shares: Vec<_> = it
            .columns
            .iter()
            .map(|it| format!("{} ({}.{} %)", it.column, it.permille / 10, it.permille % 10))
            .collect();
        lines.push(format!("  farthest in {}; the nearest row of the reference is {nearest}", shares.join(", ")));
    }
    lines
}

fn measured(it: &Guard, value: &str) -> String {
    let threshold = &it.threshold;
    let features = || if value == "1" { "1 feature".to_owned() } else { format!("{value} features") };
    match it.guard.as_str() {
        "contract" => format!("{} of the wrong type, or missing though required", features()),
        "missing" => format!("{value} of a row were missing, and {threshold} may be"),
        "range" => format!("{} outside their range", features()),
        "unseen" => format!("{} with a name that was never seen", features()),
        "norm" => format!("{} of a length outside its bounds", features()),
        "noise" if value == "0" => "no more numbers than usual lie at the ends of what the reference has".into(),
        "noise" => "more numbers than usual lie at the ends of what the reference has".into(),
        "staleness" => format!("the oldest feature was {value} ms old, and {threshold} ms may be"),
        "anomaly" => format!("p was {value}, and {threshold} or less is anomalous"),
        "fallback_risk" => {
            format!("the first tier's answer to such a request fails with {value}, and {threshold} is too much")
        }
        other => format!("{other} was {value}, of {threshold}"),
    }
}
