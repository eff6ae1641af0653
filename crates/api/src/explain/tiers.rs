//! Each tier with its verdict, the reasons, and the numbers that were compared for it.

use evenkeel_core::Reason;

use super::signals;
use crate::decision::{Candidate, Decision};

pub(super) fn lines(it: &Decision) -> Vec<String> {
    it.candidates.iter().flat_map(|candidate| tier(candidate, it)).collect()
}

fn tier(candidate: &Candidate, it: &Decision) -> Vec<String> {
    let verdict = match candidate.verdict.as_str() {
        "selected" => "answered",
        "rejected" => "was left for what spoke against it",
        "skipped" => "was not asked, for a reason that lies in the request",
        other => other,
    };
    let Candidate { tier, method, path, .. } = candidate;
    let mut lines = vec![format!("Tier {tier}, {path} ({method}) {verdict}.")];
    lines.extend(candidate.reasons.iter().map(|code| format!("  {code}: {}.", reason(code))));
    for input in &it.inputs {
        match input.of.strip_prefix(path.as_str()) {
            Some("") => lines.push(format!("  {}", signals::words(input))),
            Some(member) if member.starts_with('/') => lines.push(format!("  {}: {}", input.of, signals::words(input))),
            _ => {}
        }
    }
    lines
}

/// Returns the words of a reason; a code of a later version stands for itself.
pub(super) fn reason(code: &str) -> &str {
    Reason::ALL.iter().find(|it| it.name() == code).map_or("a reason of a later version", |it| it.words())
}
