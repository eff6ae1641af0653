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
        None => format!("{}: could not be measured{}.", it.guard, unsaid(it)),
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
        let farthest = if shares.is_empty() { String::new() } else { format!("farthest in {}; ", shares.join(", ")) };
        lines.push(format!("  {farthest}the nearest row of the reference is {nearest}"));
    }
    lines
}

/// Says why nobody knows what a text means.
fn unsaid(it: &Guard) -> String {
    match it.embedder.as_deref() {
        None => String::new(),
        Some("no_text") => ": there is no text".into(),
        Some("not_allowed") => ": the request may not go to who says what it means".into(),
        Some("answered_first") => ": the answer was there before anybody had said what it means".into(),
        Some("breaker_open") => ": who says what it means has failed, and is left alone for a while".into(),
        Some("busy") => ": too many others waited to hear what theirs means".into(),
        Some("other_length") => ": its vector has another length than those of the reference".into(),
        Some("no_direction") => ": its vector has no direction".into(),
        Some(result) => format!(": nobody said what it means ({result})"),
    }
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
        "distance" => format!("p of what it means was {value}, and {threshold} or less is far"),
        "fallback_risk" => {
            format!("the first tier's answer to such a request fails with {value}, and {threshold} is too much")
        }
        other => format!("{other} was {value}, of {threshold}"),
    }
}
