//! The numbers that were compared, each in a sentence.

mod input;

use crate::decision::Input;

/// Says what was compared, and whether it spoke against the tier.
pub(super) fn words(it: &Input) -> String {
    let verdict = if it.breached { "against it" } else { "nothing against it" };
    let again = if it.again { ", for another attempt" } else { "" };
    format!("{} ({verdict}{again}).", measured(it))
}

fn measured(it: &Input) -> String {
    let aside = lacking(it).or_else(|| beside(it)).or_else(|| voted(it)).or_else(|| kept(it));
    let aside = aside.or_else(|| input::words(it));
    if let Some(aside) = aside {
        return aside;
    }
    let (value, threshold) = (number(&it.signal, &it.value), number(&it.signal, &it.threshold));
    match it.signal.as_str() {
        "time_left_ns" => format!("{value} were left, and it wants {threshold}"),
        "breaker_open_ns" => format!("its breaker lets a probe through in {value}"),
        "breaker_leases" => format!("{value} of {threshold} probes were on their way"),
        "ramp_lot_permille" => format!("the lot of the request was {value}, and the share that it gets {threshold}"),
        "gate_closed_ns" => format!("its quota is closed for {value} more"),
        "credential_gate_closed_ns" => format!("our credential is not used there for {value} more"),
        "stream_broken_ns" => format!("a stream broke there, and none is begun for {value} more"),
        "route_held_ns" => format!("the route fell too often, and is held below for {value} more"),
        "in_flight" => format!("with this request {value} units would be in flight, of {threshold}"),
        "bodies_permille" => format!("{value} of the memory for bodies were in use, and {threshold} may be"),
        "imputed_permille" => format!("{value} of its input were imputed, and it takes {threshold}"),
        "rows_fit" => format!("{value} rows are for it, and it needs {threshold}"),
        "rows_apart" => format!("{value} rows were set apart from it"),
        "rows_low" => format!("{value} rows were below the confidence that it must have, and it bears {threshold}"),
        "sequence_elsewhere" => format!("the state of the sequence is elsewhere: {}", yes(&it.value)),
        "probes_refused" => format!("{value} probes in a row were refused, and {threshold} take it out"),
        "replicas_admitted" => format!("{value} of its replicas were admitted, and it needs {threshold}"),
        "remote_attempts" => format!("{value} attempts were made, of at most {threshold}"),
        "crashes" => format!("{value} models broke under this request, and {threshold} may be chance"),
        "max_tier" => format!("the client takes no tier below {threshold}, and this is {value}"),
        "min_confidence_permille" => {
            format!("its answers are right with a probability of {value} at most, and the client wants {threshold}")
        }
        "stands_permille" => format!("it was sure by {value}: the surest may stand where no model gives a surer one"),
        "context_tokens" => format!("the request needs {value} tokens, and its window has {threshold}"),
        "context_larger_than" => format!("its window has {value} tokens, and one of {threshold} was too small"),
        "waited_ns" => format!("the request had waited {value} for a tier, of at most {threshold}"),
        "first_token_ns" => format!("it was silent for {value}, and may be for {threshold}"),
        "tokens_in_10s" => format!("it said {value} tokens in ten seconds, and must say {threshold}"),
        "retry_cost_milli" => format!("another attempt costs {value}, and the purse holds {threshold}"),
        "retry_time_left_ns" => format!("{value} were left for another attempt, which wants {threshold}"),
        "retry_breaker" | "hedge_breaker" => format!("its breaker is not closed: {}", yes(&it.value)),
        "unrepeatable" => format!("what was asked, or sent, cannot be said again: {}", yes(&it.value)),
        "no_model" => format!("it is no model that could mend a stream: {}", yes(&it.value)),
        "gate_waiters" => format!("{value} requests waited at its gate, of at most {threshold}"),
        "default_barred" => format!("a default may not stand in for this request: {}", yes(&it.value)),
        "only_default" => format!("only the default may answer after a refusal of the content: {}", yes(&it.value)),
        signal => format!("{signal} was {value}, and {} {threshold} is too much", it.op),
    }
}

/// Says what the tier lacks, by name; none where the number speaks for itself.
fn lacking(it: &Input) -> Option<String> {
    let (what, nothing) = match it.signal.as_str() {
        "features_missing" => ("it lacks what the request needs", "it has all features that the request needs"),
        "languages_missing" => ("it does not understand", "it understands the language of the request"),
        "datatypes_missing" => ("it does not take", "it takes the datatypes of the request"),
        "regions_barred" => ("the request may not go to", "the request may go where it is"),
        _ => return None,
    };
    Some(match it.lacks.as_slice() {
        [] if it.breached => format!("{what}, and the record does not name it"),
        [] => nothing.to_owned(),
        names => format!("{what}: {}", names.join(", ")),
    })
}

/// Says what was compared for a second call beside a slow one; none where it is something else.
fn beside(it: &Input) -> Option<String> {
    let (value, threshold) = (number(&it.signal, &it.value), number(&it.signal, &it.threshold));
    Some(match it.signal.as_str() {
        "hedge_samples" => {
            format!("{value} of its answers were measured, and a second call beside a slow one wants {threshold}")
        }
        "hedge_pushed_back_ago_ns" => format!("it pushed back {value} ago, and gets no second call for {threshold}"),
        "hedge_limit_lowered_ago_ns" => {
            format!("its limit was lowered {value} ago, and it gets no second call for {threshold}")
        }
        "hedge_in_flight_permille" => {
            format!("with a second call {value} of its limit would be in use, of {threshold}")
        }
        "hedge_late_permille" => {
            format!("{value} of its answers are late, and where more than {threshold} are, all are slow")
        }
        "hedge_won_permille" => format!("{value} of its second calls were first, and {threshold} must be"),
        "hedge_cost_milli" => format!("a second call costs {value}, and the purses hold {threshold}"),
        _ => return None,
    })
}

/// Says what was compared of a vote.
fn voted(it: &Input) -> Option<String> {
    let (value, threshold) = (number(&it.signal, &it.value), number(&it.signal, &it.threshold));
    Some(match it.signal.as_str() {
        "several_at_once" => format!("the request may not be asked of several at once: {}", yes(&it.value)),
        "members" => format!("{value} of its members may be asked, and {threshold} must vote"),
        "votes" => format!(
            "{value} votes there were, or may still come, where they are fewest, of the {threshold} that it needs"
        ),
        "vote_open_rows" => format!("the leader may still be passed in {value} rows"),
        "agreement_permille" => {
            format!("{value} of the votes agreed where they agreed least, and it needs {threshold}")
        }
        _ => return None,
    })
}

/// Says what was compared of an earlier answer, or of one that another request is about to get.
fn kept(it: &Input) -> Option<String> {
    let (value, threshold) = (number(&it.signal, &it.value), number(&it.signal, &it.threshold));
    Some(match it.signal.as_str() {
        "cache_fresh_age_ns" => format!("the earlier answer was {value} old, and is fresh for {threshold}"),
        "cache_missing" => format!("no earlier answer is held: {}", yes(&it.value)),
        "cache_stale_age_ns" => format!("the earlier answer was {value} old, and may stand in for {threshold}"),
        "client_max_age_ns" => format!("the earlier answer was {value} old, and the client takes {threshold}"),
        "similarity_permille" | "similar_fresh_permille" => {
            format!("the nearest question that was answered is near by {value}, and {threshold} is near enough")
        }
        "similar_age_ns" => format!("the answer to it was {value} old, and may stand in for {threshold}"),
        "similar_fresh_age_ns" => format!("the answer to it was {value} old, and is fresh for {threshold}"),
        "flight_waiters" => {
            format!("{value} requests waited for the answer to another of the same, of at most {threshold}")
        }
        "flight_waited_ns" => {
            format!("it had waited {value} for the answer to another of the same, of at most {threshold}")
        }
        "flight_failed" => format!("it has just failed another request of the same: {}", yes(&it.value)),
        _ => return None,
    })
}

/// Writes a number as people read it.
fn number(signal: &str, written: &str) -> String {
    let Ok(value) = written.parse::<u64>() else { return written.to_owned() };
    match signal {
        it if it.ends_with("_ns") => {
            let tenths = value / 100_000;
            format!("{}.{} ms", tenths / 10, tenths % 10)
        }
        it if it.ends_with("_permille") => format!("{}.{} %", value / 10, value % 10),
        _ => value.to_string(),
    }
}

fn yes(value: &str) -> &'static str {
    if value == "0" { "no" } else { "yes" }
}
