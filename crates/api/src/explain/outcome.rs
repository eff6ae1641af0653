//! What came of a request, and what was fetched for it before it was decided.

use super::{counted, millis};
use crate::decision::{Decision, Imputed};

pub(super) fn lines(it: &Decision) -> Vec<String> {
    let outcome = &it.outcome;
    let mut lines = vec![
        format!("Decision {}", it.id),
        format!("Route {} ({}), {}, revision {}, {}", it.route, it.protocol, it.operation, it.revision, it.time),
        it.explanation.clone(),
        format!(
            "Status {} after {} of the {} ms that there were.",
            outcome.status,
            millis(outcome.latency_us),
            it.deadline_ms
        ),
    ];
    let episode = it.episode.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
    if it.phase != "normal" || it.episode.is_some() {
        lines.push(format!("The route was {} when the request came{episode}.", it.phase));
    }
    lines.extend(match outcome.rescue.as_str() {
        "spliced" => Some("A stream broke, and another attempt said the same again and went on.".to_owned()),
        "continued" => Some("A stream broke, and another attempt went on with what had been sent.".to_owned()),
        "truncated" => Some("A stream broke, and its client was told that it did.".to_owned()),
        _ => None,
    });
    lines
}

/// What stands in for what a client left out (F-037).
pub(super) fn fetched(it: &Decision) -> Vec<String> {
    let Some(enrichment) = &it.enrichment else { return Vec::new() };
    let how = match enrichment.result.as_str() {
        "ok" => "answered".to_owned(),
        "breaker_open" => "was not asked: its breaker is open".to_owned(),
        "nothing_missing" => "was not asked: nothing was missing".to_owned(),
        result => format!("failed ({result})"),
    };
    let mut lines = vec![format!("{} {how}, {}.", enrichment.upstream, millis(enrichment.duration_us))];
    let imputed = |it: &Imputed| {
        let age = it.age_ms.map(|age| format!(", {age} ms old")).unwrap_or_default();
        let from = if it.from == "last_known" { "the last known value" } else { "the default" };
        format!("  {}: {from} stands in in {}{age}.", it.feature, counted(it.rows, "row"))
    };
    lines.extend(enrichment.imputed.iter().map(imputed));
    lines
}
