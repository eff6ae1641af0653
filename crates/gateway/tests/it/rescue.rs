//! Streams that break after their client has begun to get them, and are mended (`failures.md`, F-122 to F-133).

use serde_json::{Value, json};

use crate::client::{CONFIG, Got, Kit};

/// Faults that break a stream of eight tokens after five, with the result that they lead to.
const BREAKS: [(&str, &str); 7] = [
    ("{fault: cut, after_tokens: 5, how: rst}", "target.truncated"),
    ("{fault: cut, after_tokens: 5, how: fin}", "target.truncated"),
    ("{fault: cut, after_tokens: 5, how: between_events}", "target.truncated"),
    ("{fault: stall, after_tokens: 5}", "target.stall"),
    ("{fault: error_event, after_tokens: 5}", "target.error_in_stream"),
    ("{fault: error_event, after_tokens: 5, code: insufficient_quota}", "capacity.quota_exhausted"),
    ("{fault: finish_missing}", "target.truncated"),
];

const CUT: &str = "{fault: cut, after_tokens: 5, how: rst}";

/// The example with a line more for the lower model.
fn with(small: &str) -> String {
    CONFIG.replacen(
        "model: little}, first_token: 300ms, stall: 300ms}",
        &format!("model: little}}, first_token: 300ms, stall: 300ms, {small}}}"),
        1,
    )
}

/// Asks for a stream with more in the request.
async fn ask(kit: &Kit, more: Value) -> Got {
    let mut body = json!({"model": "chat", "stream": true, "messages": [{"role": "user", "content": "hello"}]});
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    kit.post("/v1/chat/completions", body.to_string(), &[]).await
}

fn done(got: &Got) -> usize {
    got.events().iter().filter(|event| *event == "[DONE]").count()
}

fn results(record: &Value) -> Vec<&str> {
    let attempts = record["attempts"].as_array().expect("a list");
    attempts.iter().map(|it| it["result"].as_str().expect("a word")).collect()
}

/// Says that the client was told of the break, and got nothing that passes for an end.
fn is_told(got: &Got) {
    let last = got.chunks().pop().expect("an event");
    assert!(got.status == 200 && !got.torn && done(got) == 0, "F-127: {got:?}");
    assert_eq!(last["error"]["code"], "stream_interrupted", "{last}");
    let finished = got.chunks().iter().any(|chunk| chunk["choices"][0]["finish_reason"].is_string());
    assert!(!finished, "F-127: {got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn st_01_st_02_st_06_st_07_f_123_a_broken_stream_is_whole_no_word_twice() {
    let whole = Kit::start().await.chat("chat", true).await.said();
    for (fault, result) in BREAKS {
        let kit = Kit::start().await;
        kit.break_primary(fault);
        let got = kit.chat("chat", true).await;
        assert!(got.is_whole() && done(&got) == 1, "{fault}: {got:?}");
        assert_eq!(got.said(), whole, "{fault}");
        assert_eq!((got.header("evenkeel-tier"), got.header("evenkeel-degraded")), ("0", "false"), "as at its commit");
        let record = kit.record(&got).await;
        assert_eq!(results(&record), [result, "ok"], "{fault}: {record}");
        assert_eq!(
            (&record["attempts"][0]["role"], &record["attempts"][1]["role"]),
            (&"answer".into(), &"splice".into())
        );
        let outcome = &record["outcome"];
        assert_eq!(
            (&outcome["rescue"], &outcome["tier"], &outcome["end"]),
            (&"spliced".into(), &1.into(), &"answered".into())
        );
        assert!(outcome["latency_us"].as_u64() < Some(1_500_000), "stall, a second, and its own time: {record}");
        assert_eq!((kit.big.log().len(), kit.small.log().len()), (1, 1), "P = 1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_130_f_131_the_parts_are_told_and_usage_is_that_of_the_one_that_finished() {
    let kit = Kit::start().await;
    kit.break_primary(CUT);
    let got = ask(&kit, json!({"stream_options": {"include_usage": true}})).await;
    assert!(got.is_whole(), "{got:?}");
    let chunks = got.chunks();
    assert!(chunks.iter().all(|it| it["id"] == chunks[0]["id"] && it["created"] == chunks[0]["created"]), "{got:?}");
    let models: Vec<_> = chunks.iter().map(|it| it["model"].as_str().expect("a name")).collect();
    let changed = models.iter().position(|model| *model == "little").expect("the second model wrote something");
    assert!(models[..changed].iter().all(|it| *it == "large") && models[changed..].iter().all(|it| *it == "little"));
    let told: Vec<_> = chunks.iter().map(|it| &it["evenkeel"]).filter(|it| it.is_object()).collect();
    assert_eq!(told.len(), 2, "on the first and on the last: {got:?}");
    assert_eq!((&told[0]["tier"], &told[0]["rescue"]), (&0.into(), &Value::Null));
    let last = &chunks.last().expect("an event")["evenkeel"];
    assert_eq!((&last["tier"], &last["path"], &last["method"]), (&1.into(), &"small".into(), &"distilled".into()));
    assert_eq!((&last["rescue"], &last["parts"]), (&"spliced".into(), &json!(["primary", "small"])));
    assert_eq!((&last["attempts"], &last["degraded"]), (&2.into(), &true.into()));
    let usage: Vec<_> = chunks.iter().filter(|it| it["usage"].is_object()).collect();
    assert_eq!(
        (usage.len(), &usage[0]["usage"]["completion_tokens"]),
        (1, &8.into()),
        "a splice wrote the whole answer"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn st_05_f_123_the_lower_model_gets_the_original_request() {
    let kit = Kit::of(&with("prefill: true"), std::path::Path::new("."), Default::default()).await;
    kit.break_primary(CUT);
    // It would reject a prefill: the second request of this client.
    kit.break_small("{fault: latency, ms: 1, times: 1}, {fault: status, status: 400}");
    let got = kit.chat("chat", true).await;
    assert!(got.is_whole(), "{got:?}");
    let body = |mock: &evenkeel_mock::Mock| {
        let log = mock.log();
        String::from_utf8(log[0].body.clone().expect("it is kept").into()).expect("UTF-8")
    };
    assert_eq!(body(&kit.big).replace("large", "little"), body(&kit.small), "unchanged, and no prefill");
    assert_eq!(kit.small.log().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn st_01_f_077_after_a_break_new_streams_start_elsewhere_and_come_back() {
    let kit = Kit::of(
        &CONFIG.replacen("max_answer: 64KiB", "max_answer: 64KiB, after_break: 500ms", 1),
        std::path::Path::new("."),
        Default::default(),
    )
    .await;
    kit.break_primary("{fault: cut, after_tokens: 5, how: rst, times: 1}");
    assert!(kit.chat("chat", true).await.is_whole());
    let next = kit.chat("chat", true).await;
    assert_eq!((next.header("evenkeel-tier"), next.header("evenkeel-reason")), ("1", "STREAM_BROKEN_RECENTLY"));
    assert_eq!(
        kit.chat("chat", false).await.header("evenkeel-tier"),
        "0",
        "one break is no trip, and no stream was asked"
    );
    let back = async {
        while kit.chat("chat", true).await.header("evenkeel-tier") != "0" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), back).await.expect("it comes back");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_123_what_the_second_model_thinks_while_it_catches_up_is_not_sent() {
    let kit = Kit::start().await;
    let whole = kit.chat("chat", true).await.said();
    kit.break_primary(CUT);
    kit.break_small("{fault: reasoning, tokens: 6}");
    let got = kit.chat("chat", true).await;
    assert!(got.is_whole() && got.said() == whole, "{got:?}");
    assert!(!got.events().iter().any(|event| event.contains("reasoning")), "{got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_128_what_the_second_model_leaves_out_is_told_in_the_last_chunk() {
    let kit = Kit::start().await;
    let whole = kit.chat("chat", true).await.said();
    kit.break_primary(CUT);
    kit.break_small("{fault: garbled_event, at_token: 7}");
    let got = kit.chat("chat", true).await;
    assert!(got.is_whole() && done(&got) == 1, "{got:?}");
    assert_eq!(got.said().split(' ').count() + 1, whole.split(' ').count(), "all but the one event: {got:?}");
    let last = got.chunks().pop().expect("an event");
    assert_eq!(
        (&last["evenkeel"]["result"], &last["evenkeel"]["rescue"]),
        (&"ok_event_skipped".into(), &"spliced".into()),
        "{last}"
    );
    assert_eq!(results(&kit.record(&got).await), ["target.truncated", "ok_event_skipped"]);
    let kit = Kit::start().await;
    kit.break_primary(CUT);
    let got = kit.chat("chat", true).await;
    assert!(got.is_whole() && got.said() == whole, "{got:?}");
    assert_eq!(got.chunks().pop().expect("an event")["evenkeel"]["result"], Value::Null, "nothing was left out");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_123_a_cut_is_mended_by_the_same_path_where_there_is_no_other() {
    let config = CONFIG.replace(
        "      - {name: small, openai: {upstream: small, model: little}, first_token: 300ms, stall: 300ms}\n",
        "",
    );
    let kit = Kit::of(&config, std::path::Path::new("."), Default::default()).await;
    let whole = kit.chat("chat", true).await.said();
    kit.break_primary("{fault: cut, after_tokens: 5, how: rst, times: 1}");
    let got = kit.chat("chat", true).await;
    assert!(got.is_whole() && got.said() == whole, "{got:?}");
    let last = got.chunks().pop().expect("an event");
    assert_eq!(
        (&last["evenkeel"]["parts"], &last["evenkeel"]["degraded"]),
        (&json!(["primary", "primary"]), &false.into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn st_09_f_124_other_words_are_never_sent() {
    for (fault, result) in BREAKS {
        let kit = Kit::unlike(CONFIG).await;
        let whole = kit.chat("chat", true).await.said();
        kit.break_primary(fault);
        let got = kit.chat("chat", true).await;
        is_told(&got);
        assert!(whole.starts_with(&got.said()) && !got.said().is_empty(), "nothing after the break: {got:?}");
        assert!(!got.events().iter().any(|event| event.contains("\"little\"")), "{got:?}");
        let record = kit.record(&got).await;
        assert_eq!(results(&record), [result, "cancelled.splice_diverged"], "{record}");
        assert_eq!((&record["outcome"]["rescue"], &record["outcome"]["tier"]), (&"truncated".into(), &0.into()));
        let state = kit.gateway.route_state("chat").expect("a route");
        assert_eq!(state.tiers[1].breaker, "closed", "neutral");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn st_10_f_122_a_second_break_is_told_and_nothing_is_tried_again() {
    for (second, result, words) in [
        ("{fault: cut, after_tokens: 2, how: rst}", "target.truncated", 5),
        ("{fault: cut, after_tokens: 6, how: rst}", "target.truncated", 6),
        ("{fault: finish_missing}", "target.truncated", 8),
        ("{fault: stall, after_tokens: 6}", "target.stall", 6),
        ("{fault: status, status: 503}", "target.status_5xx", 5),
        ("{fault: silence}", "target.first_token_timeout", 5),
    ] {
        let kit = Kit::start().await;
        kit.break_primary(CUT);
        kit.break_small(second);
        let got = kit.chat("chat", true).await;
        is_told(&got);
        let said = got
            .chunks()
            .iter()
            .filter(|it| it["choices"][0]["delta"]["content"].as_str().is_some_and(|it| !it.is_empty()))
            .count();
        assert_eq!(said, words, "{second}: what was verified as the same goes on: {got:?}");
        let record = kit.record(&got).await;
        assert_eq!(results(&record), ["target.truncated", result], "{second}: {record}");
        assert_eq!(record["reason"], "STREAM_TRUNCATED", "F-007: {record}");
        assert_eq!((kit.big.log().len(), kit.small.log().len()), (1, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mend_1_f_125_the_end_of_a_second_answer_is_never_seen_before_it_is_verified() {
    // With the finish reason itself, sixteen events wait and no more.
    for (events, whole) in [(15, true), (16, false)] {
        let kit = Kit::start().await;
        kit.break_primary(CUT);
        kit.break_small(&format!("{{fault: after_finish, events: {events}}}"));
        let got = kit.chat("chat", true).await;
        let record = kit.record(&got).await;
        if whole {
            assert!(got.is_whole() && done(&got) == 1, "{events}: {got:?}");
            assert_eq!(results(&record), ["target.truncated", "ok"], "{events}");
        } else {
            is_told(&got);
            assert_eq!(results(&record), ["target.truncated", "target.decode_failed"], "{events}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_004_st_07_what_follows_the_end_of_a_stream_never_gives_it_a_second_one() {
    let late = "{fault: after_finish, error: true}";
    for cut_first in [false, true] {
        let kit = Kit::start().await;
        match cut_first {
            false => kit.break_primary(late),
            true => {
                kit.break_primary(CUT);
                kit.break_small(late);
            }
        }
        let got = kit.chat("chat", true).await;
        let finished = got.chunks().iter().filter(|chunk| chunk["choices"][0]["finish_reason"].is_string()).count();
        assert!(got.is_whole() && (finished, done(&got)) == (1, 1), "{cut_first}: {got:?}");
        let record = kit.record(&got).await;
        assert_eq!(results(&record).last(), Some(&"ok_done_missing"), "{cut_first}: {record}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn st_11_f_124_f_034_what_cannot_be_said_again_is_told_at_once() {
    let tool = json!({"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {
        "a": {"type": "string"}, "b": {"type": "string"}, "c": {"type": "integer"}, "d": {"type": "integer"}}}}});
    for more in [json!({"tools": [tool], "tool_choice": "required"}), json!({"n": 2}), json!({"store": true})] {
        let kit = Kit::start().await;
        kit.break_primary("{fault: cut, after_tokens: 3, how: rst}");
        let got = ask(&kit, more.clone()).await;
        is_told(&got);
        let record = kit.record(&got).await;
        assert_eq!(results(&record), ["target.truncated"], "{more}: {record}");
        assert!(kit.small.log().is_empty(), "{more}");
        let inputs = record["inputs"].as_array().expect("a list");
        assert!(inputs.iter().any(|it| it["signal"] == "unrepeatable" && it["breached"] == true), "{record}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_034_a_request_that_is_kept_is_not_sent_to_a_path_twice() {
    for (more, tries) in [(json!({}), 2), (json!({"store": false}), 2), (json!({"store": true}), 1)] {
        let kit = Kit::start().await;
        kit.break_primary("{fault: status, status: 500}");
        let got = ask(&kit, more.clone()).await;
        assert!(got.is_whole() && got.header("evenkeel-tier") == "1", "{got:?}");
        assert_eq!(kit.seen_by_primary().await.len(), tries, "{more}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_126_a_model_that_can_goes_on_with_what_was_said() {
    let kit = Kit::unlike(&with("prefill: true")).await;
    let whole = kit.chat("chat", true).await.said();
    kit.break_primary(CUT);
    let got = kit.chat("chat", true).await;
    assert!(got.is_whole() && done(&got) == 1, "{got:?}");
    let record = kit.record(&got).await;
    assert_eq!(results(&record), ["target.truncated", "cancelled.splice_diverged", "ok"], "{record}");
    assert_eq!(
        (&record["outcome"]["rescue"], &record["attempts"][2]["role"]),
        (&"continued".into(), &"continue".into())
    );
    let asked: Value = serde_json::from_slice(kit.small.log()[1].body.as_ref().expect("it is kept")).expect("JSON");
    let keys: Vec<_> = asked.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["messages", "model", "stream"], "nothing else is asked: {asked}");
    let messages = asked["messages"].as_array().expect("a list");
    assert_eq!((messages.len(), &messages[1]["role"]), (2, &"assistant".into()), "{asked}");
    let begun = messages[1]["content"].as_str().expect("a text");
    assert!(whole.starts_with(begun) && begun.split(' ').count() == 5, "what was sent and no more: {begun}");
    assert!(got.said().starts_with(begun) && got.said().len() > begun.len());
    let last = got.chunks().pop().expect("an event");
    assert_eq!(
        (&last["evenkeel"]["rescue"], &last["evenkeel"]["parts"]),
        (&"continued".into(), &json!(["primary", "small"]))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn f_132_usage_is_asked_where_the_client_asks_and_told_where_it_asked() {
    for (more, told) in [(json!({}), 0), (json!({"stream_options": {"include_usage": true}}), 1)] {
        let kit = Kit::start().await;
        let got = ask(&kit, more.clone()).await;
        assert!(got.is_whole(), "{got:?}");
        let chunks = got.chunks();
        let usage: Vec<_> = chunks.iter().filter(|it| it["usage"].is_object()).collect();
        assert_eq!(usage.len(), told, "{got:?}");
        assert!(told == 1 || chunks.iter().all(|it| it.get("usage").is_none()), "{got:?}");
        let asked: Value = serde_json::from_slice(kit.big.log()[0].body.as_ref().expect("it is kept")).expect("JSON");
        assert_eq!(asked.get("stream_options"), more.get("stream_options"), "no path has a price");
    }
}

/// What an attempt cost, as its record says.
fn usage(record: &Value, attempt: usize) -> (u64, u64, bool) {
    let usage = &record["attempts"][attempt]["usage"];
    let tokens = |key: &str| usage[key].as_u64().unwrap_or_else(|| panic!("no {key}: {record}"));
    (tokens("prompt_tokens"), tokens("completion_tokens"), usage["estimated"] == true)
}

#[tokio::test(flavor = "multi_thread")]
async fn f_131_of_two_that_wrote_a_part_each_no_client_is_told_the_half_and_the_record_holds_both() {
    let kit = Kit::unlike(&with("prefill: true")).await;
    kit.break_primary(CUT);
    let got = ask(&kit, json!({"stream_options": {"include_usage": true}})).await;
    assert!(got.is_whole() && done(&got) == 1, "{got:?}");
    // The first broke off before it told anything, so that nobody knows the sum.
    let told: Vec<_> = got.chunks().into_iter().filter(|it| it["usage"].is_object()).collect();
    assert_eq!(told, Vec::<Value>::new());
    let last = got.chunks().pop().expect("an event");
    assert_eq!((&last["choices"], last.get("usage")), (&json!([]), Some(&Value::Null)));
    let record = kit.record(&got).await;
    assert_eq!(results(&record), ["target.truncated", "cancelled.splice_diverged", "ok"], "{record}");
    let (first, second, last) = (usage(&record, 0), usage(&record, 1), usage(&record, 2));
    assert!(first.2 && first.1 > 0 && second.2, "a cut and a cancelled attempt cost what they said: {record}");
    assert!(!last.2 && last.1 > 0 && last.0 > 0, "as it was told: {record}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_131_the_record_holds_what_every_attempt_cost_and_the_client_hears_of_one() {
    let kit = Kit::start().await;
    // What says nothing in the end was paid all the same; a refusal was not, as far as anybody knows.
    kit.break_primary("{fault: status, status: 500}");
    for stream in [false, true] {
        let got = ask(&kit, json!({"stream": stream, "stream_options": {"include_usage": true}})).await;
        assert!(got.is_whole() && got.header("evenkeel-tier") == "1", "{got:?}");
        let record = kit.record(&got).await;
        let attempts = record["attempts"].as_array().expect("a list");
        let last = attempts.len() - 1;
        assert!(attempts[..last].iter().all(|it| it.get("usage").is_none()), "BILL-2: {record}");
        let told = match stream {
            true => got.chunks().into_iter().rfind(|it| it["usage"].is_object()).expect("it was asked for"),
            false => got.json(),
        };
        let told = (told["usage"]["prompt_tokens"].as_u64(), told["usage"]["completion_tokens"].as_u64());
        let (prompt, completion, estimated) = usage(&record, last);
        assert_eq!((told, estimated), ((Some(prompt), Some(completion)), false), "{record}");
    }
    let kit = Kit::start().await;
    kit.break_primary("{fault: usage_missing}");
    for stream in [false, true] {
        let got = ask(&kit, json!({"stream": stream})).await;
        let (prompt, completion, estimated) = usage(&kit.record(&got).await, 0);
        assert!(prompt > 0 && completion > 0 && estimated, "ST-15: in the record, and there alone");
        assert!(!String::from_utf8_lossy(&got.body).contains("prompt_tokens"), "{got:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_131_an_answer_that_is_none_has_cost_what_it_told_all_the_same() {
    let kit = Kit::start().await;
    kit.break_primary("{fault: empty_answer, what: text}");
    let got = ask(&kit, json!({"stream": false})).await;
    assert!(got.is_whole() && got.header("evenkeel-tier") == "1", "{got:?}");
    let record = kit.record(&got).await;
    assert_eq!(results(&record)[0], "target.empty_answer");
    let (prompt, completion, estimated) = usage(&record, 0);
    assert!(prompt > 0 && completion == 0 && !estimated, "as it was told, which is no guess: {record}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_131_who_goes_on_has_read_what_was_begun_too() {
    let kit = Kit::unlike(&with("prefill: true")).await;
    kit.break_primary(CUT);
    kit.break_small("{fault: usage_missing}");
    let got = ask(&kit, json!({})).await;
    assert!(got.is_whole() && done(&got) == 1, "{got:?}");
    let record = kit.record(&got).await;
    assert_eq!(results(&record), ["target.truncated", "cancelled.splice_diverged", "ok"], "{record}");
    let (first, second, last) = (usage(&record, 0), usage(&record, 1), usage(&record, 2));
    assert!(first.2 && second.2 && last.2, "nobody told: {record}");
    assert_eq!(first.0, second.0, "both were asked the same: {record}");
    let of_first = |chunk: &Value| (chunk["model"] == "large").then(|| chunk["choices"][0]["delta"]["content"].clone());
    let begun = got.chunks().iter().filter_map(of_first).filter_map(|it| it.as_str().map(str::len)).sum::<usize>();
    let asked = "\"hello\"".len();
    let tokens = |bytes: usize| bytes.div_ceil(4) as u64;
    assert_eq!((first.0, last.0), (tokens(asked), tokens(asked + begun)), "{begun} bytes were begun: {record}");
    assert!(begun > 4, "{got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn st_05_f_126_a_rejected_prefill_never_masks_the_first_error() {
    let kit = Kit::unlike(&with("prefill: true")).await;
    kit.break_primary(CUT);
    kit.break_small("{fault: latency, ms: 1, times: 1}, {fault: status, status: 400}");
    let got = kit.chat("chat", true).await;
    is_told(&got);
    let record = kit.record(&got).await;
    let expected = ["target.truncated", "cancelled.splice_diverged", "capability.prefill_rejected"];
    assert_eq!((results(&record), &record["reason"]), (expected.into(), &"STREAM_TRUNCATED".into()), "{record}");
    // A client that has begun the answer itself, or that reads it by machine, gets no other beginning.
    let begun = json!({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "One"}]});
    for (more, attempts) in [(begun, 3), (json!({"response_format": {"type": "json_object"}}), 2)] {
        let kit = Kit::unlike(&with("prefill: true")).await;
        kit.break_primary("{fault: cut, after_tokens: 3, how: rst}");
        let got = ask(&kit, more).await;
        is_told(&got);
        assert_eq!((results(&kit.record(&got).await).len(), kit.small.log().len()), (attempts, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn st_20_a_lower_tier_that_fails_before_any_content_is_an_ordinary_error() {
    let kit = Kit::start().await;
    kit.break_primary("{fault: error_event, after_tokens: 0, role: true}");
    kit.break_small("{fault: cut, after_tokens: 0, how: rst}");
    let got = kit.chat("models-only", true).await;
    assert_eq!((got.status, got.json()["error"]["code"].as_str()), (503, Some("all_tiers_exhausted")), "{got:?}");
    let record = kit.record(&got).await;
    assert_eq!(
        (results(&record), &record["reason"]),
        (vec!["target.error_in_stream", "target.truncated"], &"ALL_TIERS_EXHAUSTED".into())
    );
}
