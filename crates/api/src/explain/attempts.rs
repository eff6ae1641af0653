//! Each attempt as it went, with what only its kind of path knows: the rules that answered, the documents that were found.

use super::{counted, millis, results};
use crate::{
    calibration::Calibration,
    decision::{Attempt, Decision, Document, RuleRows, Sureness, Votes},
};

pub(super) fn lines(it: &Decision) -> Vec<String> {
    let attempts = it.attempts.iter().enumerate().flat_map(|(at, attempt)| lines_of(at + 1, attempt));
    attempts.chain(it.votes.iter().map(votes)).collect()
}

/// Says what votes are worth.
fn votes(it: &Votes) -> String {
    let part = |permille: u16| format!("{}.{} %", permille / 10, permille % 10);
    let (share, Votes { calibration, as_of, n, .. }) = (part(it.share_permille), it);
    let learnt = format!("by {calibration}, of {as_of}");
    match it.confidence_permille {
        Some(right) => format!(
            "The winner had {share} of the votes where that says least; of {n} such votes {} were right ({learnt}).",
            part(right)
        ),
        None => {
            format!("The winner had {share} of the votes, and how often such a vote is right is not known ({learnt}).")
        }
    }
}

fn lines_of(number: usize, it: &Attempt) -> Vec<String> {
    let role = match it.role.as_str() {
        "splice" => ", to say a broken stream again",
        "continue" => ", to go on with a broken stream",
        _ => "",
    };
    let (start, duration) = (millis(it.start_us), millis(it.duration_us));
    let status = it.status.map(|status| format!(", status {status}")).unwrap_or_default();
    let words = results::words(&it.result);
    let mut lines =
        vec![format!("{number}. {}{role}: after {start}, for {duration}: {words} ({}{status}).", it.path, it.result)];
    if it.probe {
        lines.push("  It was a probe of a path that is coming back.".into());
    }
    if let Some(first) = it.first_content_us {
        lines.push(format!("  Its first words came after {}.", millis(first)));
    }
    if let Some(rows) = &it.rows {
        lines.push(format!("  It was asked for {}, of which {} were kept.", counted(rows.asked, "row"), rows.kept));
    }
    if let Some(usage) = &it.usage {
        let estimated = if usage.estimated { ", as estimated from the bytes" } else { "" };
        let (prompt, completion) = (counted(usage.prompt_tokens, "token"), counted(usage.completion_tokens, "token"));
        lines.push(format!("  It read {prompt} and wrote {completion}{estimated}."));
    }
    if let Some(vote) = &it.vote {
        let (rows, weight) = (counted(vote.rows, "row"), vote.weight_millionths);
        lines.push(format!("  It voted on {rows}, with {weight} millionths, and {} were answered so.", vote.agreed));
        lines.extend(
            vote.class
                .filter(|class| *class > 0)
                .map(|class| format!("  What it said came in place {class} behind what was answered.")),
        );
    }
    if let Some(model) = &it.model {
        let signed = model.signed_by.as_ref().map(|key| format!(", signed by {key}")).unwrap_or_default();
        lines.push(format!("  The file of its model is sha256:{}{signed}.", model.sha256));
    }
    lines.extend(it.confidence.iter().map(sureness));
    lines.extend(it.calibration.iter().map(calibration));
    if let Some(embedder) = it.embedder.as_ref().filter(|it| *it != "ok") {
        lines.push(format!("  It searched by words alone: what the question means was not told ({embedder})."));
    }
    lines.extend(it.documents.iter().map(document));
    lines.extend(it.rules.iter().map(rule));
    lines
}

fn sureness(it: &Sureness) -> String {
    let Sureness { said, at_least, right_permille, learnt, .. } = it;
    let said = said.as_ref().map_or("not known how sure it was".to_owned(), |said| format!("sure by {said}"));
    let asked = match (right_permille, learnt) {
        (Some(right), Some(by)) => format!(
            "which is right with a probability of {}.{:03} by {}, of {} rows of {}, and {at_least} is asked for",
            right / 1_000,
            right % 1_000,
            by.calibration,
            by.n,
            by.as_of
        ),
        _ => format!("and {at_least} is asked for"),
    };
    format!("  It was {said}, {asked}.")
}

fn calibration(it: &Calibration) -> String {
    let outputs: Vec<_> = it.outputs.iter().map(|(name, by)| format!("`{name}` by {} rows", by.n)).collect();
    let Calibration { map, to, as_of, .. } = it;
    format!("  Its scores were brought to the scale of {to} by the map {map}, of {as_of}: {}.", outputs.join(", "))
}

fn document(it: &Document) -> String {
    let Document { id, confidence_permille, window } = it;
    let (whole, rest) = (confidence_permille / 1_000, confidence_permille % 1_000);
    let left = match window.as_deref() {
        Some("cut") => "; the window of the model has room for its beginning alone",
        Some("left_out") => "; the window of the model has no room for it",
        _ => "",
    };
    format!("  Document {id} fits with a confidence of {whole}.{rest:03}{left}.")
}

fn rule(it: &RuleRows) -> String {
    let rows = counted(it.rows, "row");
    match (&it.rule, &it.failed) {
        (Some(rule), _) => format!("  Rule `{rule}` answered {rows}."),
        (None, Some(failed)) => format!("  `otherwise` answered {rows}: rule `{failed}` could not be computed."),
        (None, None) => format!("  `otherwise` answered {rows}: no rule held."),
    }
}
