//! ST: streams after the first content.

use std::time::Duration;

use serde_json::{Value, json};

use super::{streams_starred::spliced, upstream_starred::answered};
use crate::{
    exchange::Exchange,
    row::{
        Forms::{Both, Streamed},
        MODELS_ONLY, Row, SHORT, STARRED, Variant, act,
    },
    run::{Run, Side},
};

/// The rows of this file. An answer has 24 tokens.
pub(crate) const ROWS: &[Row] = &[
    Row::new(
        "ST-06",
        Streamed,
        &[
            Variant::named("a clean end", "{fault: cut, after_tokens: 8, how: between_events}", SHORT),
            Variant::named("FIN", "{fault: cut, after_tokens: 8, how: fin_between_events}", SHORT),
        ],
        act!(st_06),
    ),
    Row::new(
        "ST-07",
        Streamed,
        &[
            Variant::named("first event", "{fault: error_event, role: false}", SHORT),
            Variant::named("later event", "{fault: error_event, after_tokens: 8}", SHORT),
            Variant::named("quota first", "{fault: error_event, role: false, code: insufficient_quota}", SHORT),
        ],
        act!(st_07),
    ),
    Row::new("ST-08", Streamed, &[Variant::named("", "{fault: error_event}", MODELS_ONLY)], act!(st_08)),
    Row::new("ST-09", Streamed, &[Variant::named("", "{fault: cut, after_tokens: 8}", OTHER_WORDS)], act!(st_09)),
    Row::new("ST-10", Streamed, &[Variant::named("", "{fault: cut, after_tokens: 8}", SHORT)], act!(st_10)),
    Row::new("ST-11", Streamed, &[Variant::named("", "{fault: cut, after_tokens: 1}", SHORT)], act!(st_11)),
    Row::new(
        "ST-12",
        Streamed,
        &[
            Variant::named("LF", "{fault: split_events, bytes: 1}", STARRED),
            Variant::named("CR LF", "{fault: split_events, bytes: 1, line_end: crlf, comments: true}", STARRED),
            Variant::named("CR", "{fault: split_events, bytes: 1, line_end: cr}", STARRED),
            Variant::named("mixed", "{fault: split_events, bytes: 3, line_end: mixed, comments: true}", STARRED),
        ],
        act!(st_12),
    ),
    Row::new(
        "ST-13",
        Streamed,
        &[
            Variant::named("before commit", "{fault: huge_line, at_token: 1}", STARRED),
            Variant::named("after", "{fault: huge_line, at_token: 8}", STARRED),
        ],
        act!(st_13),
    )
    .single(),
    Row::new(
        "ST-14",
        Streamed,
        &[
            Variant::named("two `[DONE]`", "{fault: after_done, what: done}", SHORT),
            Variant::named("content after it", "{fault: after_done, what: content}", SHORT),
        ],
        act!(st_14),
    ),
    Row::new(
        "ST-15",
        Both,
        &[
            Variant::named("missing", "{fault: usage_missing}", SHORT),
            Variant::named("absurd", "{fault: usage_absurd}", SHORT),
        ],
        act!(st_15),
    ),
    Row::new(
        "ST-16",
        Streamed,
        &[
            Variant::named("before commit", "{fault: slow_tokens, every_ms: 1000}", WHOLE),
            Variant::named("after", "{fault: slow_tokens, every_ms: 1000}", STARRED),
            Variant::named("thoughts", "{fault: reasoning, tokens: 60, every_ms: 1000}", STARRED),
        ],
        act!(st_16),
    )
    .long(),
    Row::new("ST-17", Streamed, &[Variant::named("", "{fault: endless, every_ms: 1}", SHORT)], act!(st_17)),
    Row::new(
        "ST-18",
        Streamed,
        &[Variant::named("", "{fault: reasoning, tokens: 150, every_ms: 400}", LONG)],
        act!(st_18),
    )
    .long(),
    Row::new(
        "ST-19",
        Both,
        &[
            Variant::named("length", "{fault: finish_reason, reason: length}", SHORT),
            Variant::named("content_filter", "{fault: finish_reason, reason: content_filter}", SHORT),
        ],
        act!(st_19),
    ),
    Row::new("ST-20", Streamed, &[Variant::named("", "{fault: error_event}", MODELS_ONLY)], act!(st_20)),
];

/// A fallback that says other words.
const OTHER_WORDS: &str = "
    protocol: openai-chat
    deadline: 8s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}, first_token: 1s, stall: 1s}
      - {name: lower, openai: {upstream: lower, model: MODEL-small}, first_token: 1s, stall: 1s}
";

/// A route that shows a stream only once it is whole, so that all of it is before the commit.
const WHOLE: &str = "
    protocol: openai-chat
    deadline: 60s
    commit: full
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}}
      - {name: lower, openai: {upstream: lower, model: MODEL}}
";

/// The deadline that the row names, and all else default.
const LONG: &str = "
    protocol: openai-chat
    deadline: 120s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}}
      - {name: lower, openai: {upstream: lower, model: MODEL}}
";

/// Claims the first result of the primary, and that it was asked once.
async fn result(run: &mut Run, it: &Exchange, wanted: &str) {
    run.must_be(it.results("primary"), vec![wanted], "the record");
    run.must_be(run.primary_saw().await.len(), 1, "P = 1");
}

/// Claims a terminal error, which no client can take for an end.
fn interrupted(run: &mut Run, it: &Exchange, code: &str) {
    run.must(it.got.status == 200 && it.got.is_error(), "a terminal error, no `[DONE]`", &it.got);
    run.must_be(it.got.error_code().as_deref(), Some(code), "its code");
    run.must(it.record["outcome"]["end"] == "broken", "no success in the record", &it.record["outcome"]);
}

async fn st_06(run: &mut Run) {
    let whole = run.whole_text().await;
    let it = run.once().await;
    result(run, &it, "target.truncated").await;
    spliced(run, &it.record, &it.got, &whole);
}

async fn st_07(run: &mut Run) {
    let whole = run.whole_text().await;
    let it = run.once().await;
    match run.which.variant.name {
        "first event" => {
            answered(run, &it, 1);
            result(run, &it, "target.error_in_stream").await;
        }
        "later event" => {
            result(run, &it, "target.error_in_stream").await;
            spliced(run, &it.record, &it.got, &whole);
        }
        _ => {
            answered(run, &it, 1);
            result(run, &it, "capacity.quota_exhausted").await;
            let later = run.ask().await;
            run.must_be(later.reason(), "CAPACITY_DOMAIN_LIMITED", "a gate");
            run.saw(Side::Record, "next: CAPACITY_DOMAIN_LIMITED");
        }
    }
}

async fn st_08(run: &mut Run) {
    run.set_lower("{fault: error_event}").await;
    let it = run.once().await;
    run.must(it.got.status >= 500 && !it.got.streams(), "an ordinary HTTP outcome, not 200", &it.got);
    result(run, &it, "target.error_in_stream").await;
}

async fn st_09(run: &mut Run) {
    let whole = run.house.primary.say(&run.chat(&run.route)).await.said();
    let it = run.once().await;
    interrupted(run, &it, "stream_interrupted");
    run.must(whole.starts_with(&it.got.said()), "nothing after the byte that differs", &it.got.said());
    run.must_be(it.results("lower"), vec!["cancelled.splice_diverged"], "the second attempt");
    run.must_be(run.house.lower.saw(&format!("{}-small", run.route)).await.len(), 1, "one recovery only");
    run.saw(Side::Path, "L = 1");
}

async fn st_10(run: &mut Run) {
    run.set_lower("{fault: cut, after_tokens: 12}").await;
    let it = run.once().await;
    interrupted(run, &it, "stream_interrupted");
    run.must_be(it.results("primary"), vec!["target.truncated"], "the first attempt");
    run.must_be(it.results("lower"), vec!["target.truncated"], "the second attempt");
    run.must_be(run.lower_saw().await.len(), 1, "one recovery only");
    run.saw(Side::Path, "L = 1");
}

async fn st_11(run: &mut Run) {
    run.break_primary().await;
    let mut body = run.chat(&run.route);
    body["tools"] = json!([{"type": "function", "function": {"name": "look", "parameters":
        {"type": "object", "properties": {"where": {"type": "string"}, "when": {"type": "string"}}}}}]);
    body["tool_choice"] = "required".into();
    let it = run.ask_with(&body, &[]).await;
    run.describe(&it).await;
    interrupted(run, &it, "stream_interrupted");
    result(run, &it, "target.truncated").await;
    run.must_be(run.lower_saw().await.len(), 0, "no splice");
}

async fn st_12(run: &mut Run) {
    let whole = run.whole_text().await;
    let it = run.once().await;
    answered(run, &it, 0);
    run.must_be(it.got.said(), whole, "identical text");
    result(run, &it, "ok").await;
}

async fn st_13(run: &mut Run) {
    let whole = run.whole_text().await;
    let before = run.house.rest_kib().await;
    let it = run.once().await;
    result(run, &it, "target.decode_failed").await;
    if run.is("after") {
        spliced(run, &it.record, &it.got, &whole);
    } else {
        answered(run, &it, 1);
    }
    run.grew_by_less_than(before, 32);
}

async fn st_14(run: &mut Run) {
    let whole = run.whole_text().await;
    let it = run.once().await;
    answered(run, &it, 0);
    run.must_be(it.got.said(), whole, "nothing after `[DONE]`");
    result(run, &it, "ok").await;
    // Whether the connection is used again or not: nothing of this answer is in the next.
    let again = run.ask().await;
    answered(run, &again, 0);
    run.must_be(again.got.said(), it.got.said(), "the next answer is whole as well");
    run.saw(Side::Path, "nothing left over for the next request");
}

async fn st_15(run: &mut Run) {
    let it = run.once().await;
    answered(run, &it, 0);
    result(run, &it, "ok").await;
    let usage = it.got.usage();
    run.must(!run.is("missing") || usage.is_null(), "no invented `usage`", &usage);
    run.must(!run.is("absurd") || usage["total_tokens"] == 7, "passed on as it came", &usage);
    let estimated =
        it.record["attempts"].as_array().and_then(|it| it.last()).map(|it| it["usage"]["estimated"].clone());
    run.must_be(estimated, Some(run.is("missing").into()), "estimated in the record where it is missing");
    run.saw(Side::Client, if usage.is_null() { "no `usage`" } else { "`usage` as it came" });
}

async fn st_16(run: &mut Run) {
    let whole = run.whole_text().await;
    let it = run.once().await;
    run.must_be(it.got.said(), whole, "every word once");
    match run.which.variant.name {
        "after" => {
            answered(run, &it, 0);
            result(run, &it, "ok_slow").await;
            run.must(it.got.took > Duration::from_secs(20), "it goes on", &it.got.took);
        }
        _ => {
            answered(run, &it, 1);
            result(run, &it, "target.slow").await;
            run.must_be(it.reason(), "LATENCY_SPIKE", "the reason");
            let left = run.until(async || run.primary_saw().await.first().filter(|it| it.client_gone).cloned()).await;
            run.must(left.is_some(), "cancelled", &left);
            run.must(it.got.took < Duration::from_secs(16), "after ten seconds of it", &it.got.took);
        }
    }
    let facts = it.record["inputs"].as_array().cloned().unwrap_or_default();
    let measured = facts.iter().find(|it| it["signal"] == "tokens_in_10s").cloned();
    let told =
        |fact: &Value| fact["value"].as_str().is_some_and(|it| it.len() == 2 && it < "20") && fact["threshold"] == "20";
    run.must(measured.as_ref().is_some_and(told), "the record holds the number", &measured);
    run.must_be(run.breaker().await, "closed".to_owned(), "soft");
    run.timed(Side::Client, "answered after", it.got.took);
}

async fn st_17(run: &mut Run) {
    run.break_primary().await;
    let mut body = run.chat(&run.route);
    body["max_tokens"] = 50.into();
    let it = run.ask_with(&body, &[]).await;
    interrupted(run, &it, "output_limit");
    let gone = run.until(async || run.primary_saw().await.first().filter(|it| it.client_gone).cloned()).await;
    run.must(gone.is_some(), "cancelled", &gone);
    result(run, &it, "target.answer_too_large").await;
    run.describe(&it).await;
}

async fn st_18(run: &mut Run) {
    let whole = run.whole_text().await;
    let it = run.once().await;
    answered(run, &it, 0);
    run.must_be(it.got.said(), whole, "the content");
    run.must(it.got.text().contains("reasoning"), "the reasoning", &it.got.text().len());
    run.must(it.got.took > Duration::from_secs(59), "no time limit on the hold", &it.got.took);
    run.timed(Side::Client, "answered after", it.got.took);
    result(run, &it, "ok").await;
}

async fn st_19(run: &mut Run) {
    let it = run.once().await;
    answered(run, &it, 0);
    let reason = format!("\"finish_reason\":\"{}\"", run.which.variant.name);
    run.must(it.got.text().contains(&reason), "passed on unchanged", &it.got.text());
    result(run, &it, "ok").await;
}

async fn st_20(run: &mut Run) {
    run.set_lower("{fault: status, status: 500}").await;
    let it = run.once().await;
    run.must(it.got.status == 503 && !it.got.streams(), "an HTTP error, not a 200 with an error", &it.got);
    run.must_be(it.reason(), "ALL_TIERS_EXHAUSTED", "the reason");
    run.must_be(it.results("primary"), vec!["target.error_in_stream"], "each by its class");
    run.must(it.results("lower").contains(&"target.status_5xx"), "each by its class", &it.record["attempts"]);
}
