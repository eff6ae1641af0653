//! ★ ST: what happens after the first content, in the sixteen well-known scenarios.

use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::upstream_starred::{answered, left_and_not_asked_again};
use crate::{
    exchange::Exchange,
    row::{Forms::Both, Row, STARRED, STARRED_OTHER_WORDS, Variant, act},
    run::{Run, Side},
};

/// The rows of this file. An answer has 24 tokens.
pub(crate) const ROWS: &[Row] = &[
    Row::new(
        "ST-01",
        Both,
        &[
            Variant::named("FIN within an event", "{fault: cut, after_tokens: 16}", STARRED),
            Variant::named("RST", "{fault: cut, after_tokens: 16, how: rst}", STARRED),
            Variant::named("other words below", "{fault: cut, after_tokens: 16}", STARRED_OTHER_WORDS),
        ],
        act!(st_01),
    )
    .sees(STAYS_OFF),
    Row::new("ST-02", Both, &[Variant::starred("{fault: stall, after_tokens: 20, for_ms: 20000}")], act!(st_02)).long(),
    Row::new("ST-03", Both, &[Variant::starred("{fault: garbled_event, at_token: 12}")], act!(st_03)),
    Row::new(
        "ST-04",
        Both,
        &[
            Variant::named("a clean end", "{fault: done_missing}", STARRED),
            Variant::named("held open", "{fault: done_missing, hold: true}", STARRED),
        ],
        act!(st_04),
    ),
    Row::new("ST-05", Both, &[Variant::starred("{fault: cut, after_tokens: 16}")], act!(st_05)),
];

/// What the next request of ST-01 sees, where it comes within the two seconds of F-077.
const STAYS_OFF: &str = "next within 2 s: STREAM_BROKEN_RECENTLY";

async fn st_01(run: &mut Run) {
    let whole = run.whole_text().await;
    run.break_primary().await;
    let body = Bytes::from(run.chat(&run.route).to_string());
    let got = run.post(body.clone(), &[]).await;
    // The next one comes at once, before anything is looked at: the two seconds have begun.
    let again = if run.stream() { Some(run.post(body, &[]).await) } else { None };
    let it = run.recorded(got).await;
    let again = match again {
        Some(again) => Some(run.recorded(again).await),
        None => None,
    };
    let later = |path: &str| again.as_ref().map_or(0, |it| it.results(path).len());
    let saw = run.primary_saw().await;
    let own = saw.len().saturating_sub(later("primary"));
    run.must_be(own, 1, "P = 1");
    run.describe_of(&it, &saw[..own]);
    let results = it.results("primary");
    run.must(results == ["target.truncated"], "hard evidence", &it.record);
    let below = if run.is("other words below") { format!("{}-small", run.route) } else { run.route.clone() };
    original_request(run, &below, 1 + later("lower")).await;
    if !run.stream() {
        answered(run, &it, 1);
        run.must(run.is("other words below") || it.got.said() == whole, "the whole answer", &it.got);
        return;
    }
    if run.is("other words below") {
        run.must(it.got.is_error(), "a terminal error, and never a short success", &it.got);
        run.must_be(it.got.error_code().as_deref(), Some("stream_interrupted"), "its code");
    } else {
        spliced(run, &it.record, &it.got, &whole);
    }
    run.must_be(&it.record["attempts"][0]["status"], &200.into(), "hard evidence, though the status was 200");
    let again = again.expect("a stream is followed by another");
    // A machine that is late asks after the two seconds: then a probe may be due, and says nothing of them. Others have to.
    if began(&again).duration_since(broke(&it)) < SignedDuration::from_millis(1_900) {
        answered(run, &again, 1);
        run.must_be(again.reason(), "STREAM_BROKEN_RECENTLY", "new streams stay off");
        run.must_be(saw.len(), 1, "the path is not asked again at once");
        run.saw(Side::Record, STAYS_OFF);
    }
}

/// Claims that a model of the lower tier was asked so often, and for what the client asked for: no word of an answer is put into
/// its mouth.
async fn original_request(run: &mut Run, model: &str, times: usize) {
    let saw = run.house.lower.saw(model).await;
    run.must_be(saw.len(), times, "the lower tier is asked once for each request");
    let asked = saw.first().map(|it| it.json()["messages"].clone()).unwrap_or_default();
    run.must_be(&asked, &run.chat("")["messages"], "the original request, no prefill");
    run.saw(Side::Path, "the lower tier got the original request");
}

/// Returns when the first attempt of a request was over, by its record: what follows may take a while on a busy machine.
fn broke(it: &Exchange) -> Timestamp {
    let time = |name: &str| it.record["attempts"][0][name].as_i64().unwrap_or(0);
    began(it) + SignedDuration::from_micros(time("start_us") + time("duration_us"))
}

/// Returns when a request was over, by its record.
fn ended(it: &Exchange) -> Timestamp {
    it.record["time"].as_str().and_then(|it| it.parse().ok()).unwrap_or_default()
}

/// Returns when a request was admitted, by its record.
fn began(it: &Exchange) -> Timestamp {
    ended(it) - SignedDuration::from_micros(it.record["outcome"]["latency_us"].as_i64().unwrap_or(0))
}

/// Claims the whole answer without a word twice, and a record that says how it was rescued.
pub(super) fn spliced(run: &mut Run, record: &serde_json::Value, got: &crate::client::Got, whole: &str) {
    run.must(got.is_whole(), "a whole answer, with one `[DONE]`", got);
    run.must_be(got.said(), whole.to_owned(), "the whole answer, no word twice");
    run.must(record["outcome"]["rescue"] == "spliced", "`spliced` in the record", record);
    run.saw(Side::Client, "no word twice, one `[DONE]`");
    run.saw(Side::Record, "spliced");
}

async fn st_02(run: &mut Run) {
    let whole = run.whole_text().await;
    let it = run.once().await;
    run.timed(Side::Client, if run.stream() { "streamed after" } else { "plain after" }, it.got.took);
    if run.stream() {
        spliced(run, &it.record, &it.got, &whole);
        run.must_be(it.results("primary"), vec!["target.stall"], "the record");
        let own = it.record["attempts"][1]["duration_us"].as_u64().unwrap_or(0);
        run.in_time(&it, Duration::from_secs(11) + Duration::from_micros(own));
        left_and_not_asked_again(run).await;
    } else {
        answered(run, &it, 1);
        run.in_time(&it, Duration::from_secs(30));
        run.must_be(it.got.said(), whole, "the whole answer");
        // Nobody sees within a plain answer whether it stalls; it ends too early.
        run.must_be(it.results("primary"), vec!["target.truncated"], "the record");
        run.must_be(run.primary_saw().await.len(), 1, "P = 1");
    }
    let plain = json!({"model": run.route, "messages": [{"role": "user", "content": "and now?"}]});
    run.set_primary("").await;
    let after = run.ask_with(&plain, &[]).await;
    run.must(after.got.is_whole(), "the gateway serves on", &after.got);
}

async fn st_03(run: &mut Run) {
    let whole = run.whole_text().await;
    let it = run.once().await;
    run.must_be(run.primary_saw().await.len(), 1, "P = 1");
    run.must(!it.got.text().contains("garbled"), "no bad bytes", &it.got.text());
    if !run.stream() {
        answered(run, &it, 1);
        run.must_be(it.results("primary"), vec!["target.decode_failed"], "the record");
        return;
    }
    answered(run, &it, 0);
    run.must_be(it.results("primary"), vec!["ok_event_skipped"], "the record");
    let chunks = it.got.chunks();
    let last = chunks.iter().find(|it| it["choices"][0]["finish_reason"].is_string());
    let told = last.is_some_and(|it| it["evenkeel"].to_string().contains("ok_event_skipped"));
    run.must(told, "the last chunk tells", &last);
    run.must_be(words(&it.got.said()) + 1, words(&whole), "all but the one event");
    run.must_be(run.breaker().await, "closed".to_owned(), "soft");
    run.saw(Side::Client, "without the bad event, the last chunk tells");
}

fn words(text: &str) -> usize {
    text.split(' ').count()
}

async fn st_04(run: &mut Run) {
    let whole = run.whole_text().await;
    let it = run.once().await;
    answered(run, &it, 0);
    run.must_be(it.got.said(), whole, "the whole answer");
    run.must_be(run.primary_saw().await.len(), 1, "P = 1");
    if run.stream() {
        run.timed(Side::Client, "ended after `finish_reason` within", it.got.after_finish);
        let within = Duration::from_millis(2_250) + run.house.late.get();
        run.must(it.got.after_finish <= within, "ended by us within 2 s", &it.got.after_finish);
        run.must(it.got.usage().is_object(), "with usage", &it.got.usage());
        run.must_be(it.results("primary"), vec!["ok_done_missing"], "the record");
    }
    run.must_be(run.breaker().await, "closed".to_owned(), "success");
}

async fn st_05(run: &mut Run) {
    let whole = run.whole_text().await;
    run.set_lower("{fault: prefill_rejected}").await;
    let it = run.once().await;
    if run.stream() {
        spliced(run, &it.record, &it.got, &whole);
    } else {
        answered(run, &it, 1);
    }
    run.must_be(it.results("primary"), vec!["target.truncated"], "the record");
    run.must_be(it.results("lower"), vec!["ok"], "no 400 of the lower tier");
    original_request(run, &run.route.clone(), 1).await;
}
