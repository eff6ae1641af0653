//! The rows: every fault of the mock that can break a chat, with what a client is to see of it.

/// One fault of the primary, and what the SDK makes of a plain call and of a stream while it lasts.
///
/// `tier N REASON` is a whole answer from that tier; `mended tier N REASON` a stream that broke and that this tier finished;
/// `error CODE REASON` is an exception with that code, or that status.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: &'static str,
    pub(super) fault: &'static str,
    pub(super) plain: &'static str,
    pub(super) stream: &'static str,
}

const fn row(id: &'static str, fault: &'static str, plain: &'static str, stream: &'static str) -> Row {
    Row { id, fault, plain, stream }
}

const fn both(id: &'static str, fault: &'static str, seen: &'static str) -> Row {
    row(id, fault, seen, seen)
}

const FINE: &str = "tier 0 PRIMARY_HEALTHY";
/// Fine, and no usage that nobody has told.
const NO_USAGE: &str = "tier 0 PRIMARY_HEALTHY, no usage";
const LATE: &str = "tier 1 TTFT_BREACH";
const SILENT: &str = "tier 1 TIMEOUT";
const GARBLED: &str = "tier 1 UPSTREAM_PROTOCOL";
const TRUNCATED: &str = "tier 1 STREAM_TRUNCATED";
/// A stream that broke after its first content: the next model says the same words, and finishes it.
const CUT: &str = "mended tier 1 STREAM_TRUNCATED";

pub(super) const ROWS: &[Row] = &[
    both("healthy", "[]", FINE),
    // Whoever asks for no log-probabilities misses none.
    both("healthy", "[{fault: logprobs}]", FINE),
    both("UP-03", "[{fault: rate_limited}]", "tier 1 UPSTREAM_429"),
    both("UP-05", "[{fault: quota_exhausted, told: status_400}]", "tier 1 CAPACITY_DOMAIN_LIMITED"),
    both("UP-05", "[{fault: quota_exhausted, told: in_band}]", "tier 1 CAPACITY_DOMAIN_LIMITED"),
    both("UP-06", "[{fault: status, status: 500, times: 1}]", FINE),
    both("UP-07", "[{fault: status, status: 503}]", "tier 1 UPSTREAM_5XX"),
    both("UP-09", "[{fault: wrong_content_type}]", GARBLED),
    both("UP-09", "[{fault: redirect}]", GARBLED),
    both("UP-09", "[{fault: broken_chunked, how: bad_size}]", GARBLED),
    both("UP-09", "[{fault: broken_chunked, how: short_chunk}]", TRUNCATED),
    both("UP-10", "[{fault: reset, times: 1}]", FINE),
    both("UP-11", "[{fault: reset_reused}]", FINE),
    both("UP-13", "[{fault: refuse}]", "tier 1 CONNECT_FAILED"),
    row("UP-14", "[{fault: syn_swallowed}]", "tier 1 CONNECT_FAILED", LATE),
    row("UP-15", "[{fault: silence}]", SILENT, LATE),
    row("UP-16", "[{fault: slow_first_token, ms: 1000}]", FINE, LATE),
    row("UP-16", "[{fault: latency, ms: 1000}]", FINE, LATE),
    row("UP-16", "[{fault: latency_long_tailed, shape: lognormal, median_ms: 1000, spread: 0.1}]", FINE, LATE),
    row("UP-16", "[{fault: latency_spike, ms: 1000, every_ms: 60000, for_ms: 60000}]", FINE, LATE),
    row("UP-17", "[{fault: headers_then_silence}]", SILENT, LATE),
    row("UP-17", "[{fault: keepalive_only, kind: comment, every_ms: 50}]", SILENT, LATE),
    row("UP-17", "[{fault: keepalive_only, kind: role, every_ms: 50}]", SILENT, LATE),
    row("UP-17", "[{fault: keepalive_only, kind: empty_delta, every_ms: 50}]", SILENT, LATE),
    both("UP-21", "[{fault: credential_rejected}]", "tier 1 CREDENTIAL_REJECTED"),
    both("UP-21", "[{fault: credential_forbidden}]", "tier 1 CREDENTIAL_REJECTED"),
    both("UP-23", "[{fault: model_missing}]", "tier 1 MODEL_MISSING"),
    both("UP-24", "[{fault: context_length_exceeded}]", "tier 1 CAPABILITY_MISSING"),
    both("UP-25", "[{fault: content_filter}]", "error 400 SAFETY_BLOCK"),
    both("UP-26", "[{fault: unsupported_feature}]", "tier 1 CAPABILITY_MISSING"),
    // No request of a client ends in a message of the assistant here, so there is nothing to reject.
    both("ST-05", "[{fault: prefill_rejected}]", FINE),
    both("UP-27", "[{fault: error_in_body}]", "tier 1 ERROR_UNDER_200"),
    both("UP-27", "[{fault: empty_answer, what: text}]", "tier 1 EMPTY_ANSWER"),
    both("UP-29", "[{fault: wrong_model, name: somebody-else}]", FINE),
    both("UP-30", "[{fault: slow_drip, bytes: 40, every_ms: 5}]", FINE),
    // What it does with a call that was cancelled is nothing to the client, who was answered from below.
    row("UP-32", "[{fault: ignore_cancel, every_ms: 600}]", SILENT, LATE),
    row("ST-01", "[{fault: cut, after_tokens: 4, how: rst}]", TRUNCATED, CUT),
    row("ST-02", "[{fault: stall, after_tokens: 4}]", SILENT, "mended tier 1 STREAM_STALLED"),
    row("ST-03", "[{fault: garbled_event, at_token: 4}]", GARBLED, FINE),
    both("ST-04", "[{fault: done_missing, hold: true}]", FINE),
    // Plain, half of the JSON and a clean end.
    row("ST-06", "[{fault: cut, after_tokens: 4, how: between_events}]", GARBLED, CUT),
    row("ST-06", "[{fault: finish_missing}]", TRUNCATED, CUT),
    row("ST-07", "[{fault: error_event, after_tokens: 4}]", FINE, "mended tier 1 ERROR_UNDER_200"),
    row("ST-08", "[{fault: error_event, after_tokens: 0}]", FINE, "tier 1 ERROR_UNDER_200"),
    both("ST-12", "[{fault: split_events, bytes: 1, line_end: crlf, comments: true}]", FINE),
    row("ST-13", "[{fault: huge_line, bytes: 3000000, at_token: 1}]", FINE, GARBLED),
    row("ST-13", "[{fault: huge_line, bytes: 3000000, at_token: 4}]", FINE, "mended tier 1 UPSTREAM_PROTOCOL"),
    both("ST-14", "[{fault: after_done, what: done}]", FINE),
    row("ST-14", "[{fault: after_finish, events: 3}]", FINE, FINE),
    both("ST-15", "[{fault: usage_missing}]", NO_USAGE),
    both("ST-15", "[{fault: usage_absurd}]", FINE),
    row("ST-16", "[{fault: slow_tokens, every_ms: 50}]", FINE, FINE),
    row("ST-16", "[{fault: slow_tokens, every_ms: 1000}]", FINE, LATE),
    row("ST-17", "[{fault: endless, every_ms: 0}]", SILENT, "error output_limit UPSTREAM_PROTOCOL"),
    both("ST-18", "[{fault: reasoning, tokens: 12, every_ms: 100}]", FINE),
    both("ST-19", "[{fault: finish_reason, reason: length}]", FINE),
    both("SE-10", "[{fault: huge_headers, bytes: 1000000}]", GARBLED),
];
