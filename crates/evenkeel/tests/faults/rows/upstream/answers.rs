//! UP: answers that are none, that look like none, and that come in crumbs.

use serde_json::json;

use super::{asked, first_result};
use crate::{
    exchange::Exchange,
    row::{Forms::Both, Row, SHORT, STARRED, Variant, act},
    rows::upstream_starred::{answered, whole},
    run::{Run, Side},
};

/// The rows of this file.
pub(crate) const ROWS: &[Row] = &[
    Row::new(
        "UP-09",
        Both,
        &[
            Variant::named("502 with a page", "{fault: status, status: 502, body: html}", SHORT),
            Variant::named("HTML under 200", "{fault: wrong_content_type}", SHORT),
            Variant::named("302", "{fault: redirect}", SHORT),
            Variant::named("204", "{fault: empty_answer, what: status_204}", SHORT),
        ],
        act!(up_09),
    ),
    Row::new(
        "UP-27",
        Both,
        &[
            Variant::named("an error body", "{fault: error_in_body}", SHORT),
            Variant::named("no body", "{fault: empty_answer, what: body}", SHORT),
            Variant::named("no choices", "{fault: empty_answer, what: choices}", SHORT),
            Variant::named("no text and 0 tokens", "{fault: empty_answer, what: text}", SHORT),
            Variant::named("no embeddings", "{fault: empty_answer, what: data}", VECTORS).plain(),
            Variant::named("an empty embedding", "{fault: empty_answer, what: embedding}", VECTORS).plain(),
        ],
        act!(up_27),
    ),
    Row::new(
        "UP-28",
        Both,
        &[
            Variant::named("a tool call", "", SHORT),
            Variant::named("after a tool turn", "{fault: empty_answer, what: text}", SHORT),
        ],
        act!(up_28),
    ),
    Row::new(
        "UP-30",
        Both,
        &[
            Variant::named("a byte a segment", "{fault: slow_drip, bytes: 1, every_ms: 0}", STARRED),
            Variant::named("jitter", "{fault: slow_drip, bytes: 700, every_ms: 100}", STARRED),
            Variant::named("1 KB/s", "{fault: slow_drip, bytes: 1000, every_ms: 1000}", STARRED),
            Variant::named(
                "a slow close",
                "{fault: slow_drip, bytes: 4000, every_ms: 1, close_after_ms: 1000}",
                STARRED,
            ),
        ],
        act!(up_30),
    ),
];

/// Two models of one space of vectors.
const VECTORS: &str = "
    protocol: openai-embeddings
    deadline: 8s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}, space: s}
      - {name: lower, openai: {upstream: lower, model: MODEL}, space: s}
";

async fn up_09(run: &mut Run) {
    let it = run.once().await;
    answered(run, &it, 1);
    run.must(!it.got.text().contains('<'), "HTML is never seen", &it.got.text());
    let wanted = match run.which.variant.name {
        "502 with a page" => "target.status_5xx",
        "HTML under 200" => "target.wrong_content_type",
        "302" => "target.protocol_error",
        _ => "target.empty_answer",
    };
    first_result(run, &it, wanted);
}

async fn up_27(run: &mut Run) {
    let it = if run.which.variant.forms.is_none() {
        let it = run.once().await;
        answered(run, &it, 1);
        it
    } else {
        vectors(run).await
    };
    asked(run, 1).await;
    if run.is("no text and 0 tokens") {
        let told = run.house.primary.say(&run.chat(&run.route)).await.usage();
        run.must_be(&told["completion_tokens"], &0.into(), "the primary says that it has made none");
    }
    let results = it.results("primary");
    let wanted = match run.which.variant.name {
        "an error body" => "target.error_in_body",
        _ => "target.empty_answer",
    };
    run.must(results.first() == Some(&wanted), wanted, &results);
}

/// Asks for two vectors of a primary that gives none, or empty ones.
async fn vectors(run: &mut Run) -> Exchange {
    run.break_primary().await;
    let body = json!({"model": run.route, "input": ["a", "b"]}).to_string();
    let headers = [("content-type", "application/json")];
    let got = run.house.client.post(run.house.data, "/v1/embeddings", body.into(), &headers).await;
    let it = run.recorded(got.unwrap_or_else(|error| panic!("no answer at all: {error}"))).await;
    run.describe(&it).await;
    whole(run, &it, 1);
    let filled = (0..2).all(|at| it.got.json()["data"][at]["embedding"].as_array().is_some_and(|it| !it.is_empty()));
    run.must(filled, "a vector for each input", &it.got);
    it
}

async fn up_28(run: &mut Run) {
    run.break_primary().await;
    let mut body = run.chat(&run.route);
    if run.is("a tool call") {
        body["tools"] = json!([{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]);
        body["tool_choice"] = "required".into();
    } else {
        let call = json!({"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}});
        body["messages"] = json!([
            {"role": "user", "content": "look"},
            {"role": "assistant", "content": null, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": "done"},
        ]);
    }
    let it = run.ask_with(&body, &[]).await;
    run.describe(&it).await;
    run.must(it.got.is_whole() && it.got.tier() == Some(0), "that answer", &it.got);
    run.must(it.got.said().is_empty(), "without text", &it.got);
    run.must(!run.is("a tool call") || it.got.text().contains("tool_calls"), "the tool call", &it.got.text());
    run.must_be(it.results("primary"), vec!["ok"], "success");
}

async fn up_30(run: &mut Run) {
    let whole = run.whole_text().await;
    let it = run.once().await;
    answered(run, &it, 0);
    run.must_be(it.got.said(), whole, "identical text");
    // A slow end is not waited for (F-005).
    let results = it.results("primary");
    // A kilobyte a second is less than two events: `slow`, where somebody sees it (F-029).
    let drips = run.is("1 KB/s") && run.stream();
    let wanted =
        matches!(results[..], ["ok" | "ok_done_missing"]) && !drips || drips && matches!(results[..], ["ok_slow"]);
    run.must(wanted, "the record", &it.record);
    run.timed(Side::Client, "answered after", it.got.took);
}
