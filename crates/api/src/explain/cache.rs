//! What the cache had to do with a request: an earlier answer that was given, and whether this one is kept.

use crate::decision::{Cached, Confidence, Decision};

pub(super) fn lines(it: &Decision) -> Vec<String> {
    let Some(Cached { status, age_ms, written, similarity_permille, first, searched }) = &it.cache else {
        return Vec::new();
    };
    let age = age_ms.map(|age| format!(", {age} ms old")).unwrap_or_default();
    let mut lines = vec![match status.as_str() {
        "fresh" => {
            format!("An earlier answer to the same request was given{age}: it was fresh, and no tier was asked.")
        }
        "stale" => format!("An earlier answer to the same request was given{age}: nothing above it had answered."),
        "similar" => {
            let near =
                similarity_permille.map(|near| format!(", near by {}.{} %", near / 10, near % 10)).unwrap_or_default();
            let first = first.as_ref().map(|first| format!("; it was first given by decision {first}"));
            format!(
                "An earlier answer to the same question in other words was given{near}{age}{}.",
                first.unwrap_or_default()
            )
        }
        "shared" => "It waited for the answer to another request of the same, and got that.".to_owned(),
        "miss" => "There was no earlier answer to the same request that was young enough.".to_owned(),
        "refused" => format!("There was an earlier answer{age}, older than the client takes."),
        "bypass" => "The cache was not looked at: nothing may be kept of this request.".to_owned(),
        status => format!("The cache said {status}{age}."),
    }];
    let sure = it.outcome.confidence.as_ref().filter(|_| ["fresh", "stale", "shared"].contains(&status.as_str()));
    lines.extend(sure.map(|Confidence { value, n, as_of, .. }| {
        format!(
            "Its client was told how likely it is right as when it was first given: {value}, by {n} votes of {as_of}."
        )
    }));
    let found = status == "similar";
    lines.extend(
        searched
            .as_ref()
            .filter(|_| !found)
            .map(|came| format!("An answer to other words was looked for: {}.", sought(came))),
    );
    lines.extend(written.as_ref().map(|written| match written.as_str() {
        "stored" => "This answer is kept for later.".to_owned(),
        written => format!("This answer is not kept: {} ({written}).", against(written)),
    }));
    lines
}

/// Says what came of looking for an answer to other words (F-147).
fn sought(came: &str) -> &str {
    match came {
        "found" => "the nearest is not near enough, or too old",
        "nothing" => "none is kept",
        "otherwise" => "those that are near differ in a number, a name, a quotation or a negation",
        "slow" => "who says what the question means took too long",
        "failed" => "who says what the question means failed",
        "garbage" => "what was said of its meaning cannot be",
        "breaker_open" => "who says what questions mean has failed too often to be asked",
        "busy" => "too many others waited for who says what questions mean",
        came => came,
    }
}

/// Says why an answer is not kept (F-140).
fn against(written: &str) -> &'static str {
    match written {
        "no_answer" => "there is none that an attempt gave",
        "lower_tier" => "it is of a tier whose answers are not kept",
        "mended" => "another attempt finished what one had begun",
        "in_part" => "several tiers answered rows of it",
        "done_missing" => "the end mark of its stream never came",
        "event_skipped" => "a malformed event was left out of its stream",
        "slow" => "it was slower than it should have been",
        "finish_reason" => "it did not end because all was said",
        "form" => "it cannot be written in one piece",
        "too_large" => "it is larger than what is kept",
        "no_room" => "the streams that were open with it took all the memory for copies",
        "documents" => "it was made of documents, which answer only while they are valid",
        _ => "for a reason of a later version",
    }
}
