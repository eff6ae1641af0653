//! Tests of the stream judge: every way in which a stream can go, by table.

use ResultCode as R;
use serde_json::json;

use super::*;
use crate::protocol::openai::peek::peek_chat;

const ROLE: &str = r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#;
const TEXT: &str = r#"{"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}"#;
const THINK: &str = r#"{"choices":[{"index":0,"delta":{"reasoning_content":"hm"},"finish_reason":null}]}"#;
const STOP: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
const BOTH: &str = r#"{"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}"#;
const USAGE: &str = r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#;
const DONE: &str = "[DONE]";

fn judge_for(request: serde_json::Value) -> StreamJudge {
    StreamJudge::new(&peek_chat(request.to_string().as_bytes()).expect("well-formed"))
}

fn judge() -> StreamJudge {
    judge_for(json!({"model": "m", "messages": [{"role": "user"}]}))
}

/// Plays events; commits at the first content as the core does.
fn play(judge: &mut StreamJudge, events: &[&str]) -> Vec<Step> {
    let step = |event: &&str| {
        let step = judge.event(event.as_bytes()).step;
        if step == Step::Content {
            judge.commit();
        }
        step
    };
    events.iter().map(step).collect()
}

/// Plays a whole stream and returns how it ended.
fn whole(mut judge: StreamJudge, events: &[&str], end: sse::End) -> Step {
    let last = play(&mut judge, events).into_iter().find(|step| matches!(step, Step::Complete(_) | Step::Failed(_)));
    last.unwrap_or_else(|| judge.eof(end))
}

#[test]
fn oai_03_f_023_events_are_what_they_are_to_the_core() {
    let steps = play(&mut judge(), &[ROLE, THINK, TEXT, TEXT, STOP, USAGE, DONE]);
    use Step::{Complete, Content, Nothing, Reasoning};
    assert_eq!(steps, [Nothing, Reasoning, Content, Content, Nothing, Nothing, Complete(R::Ok)]);
    assert_eq!(judge().event(br#"{"choices":[]}"#).step, Nothing, "a first chunk of Azure");
    assert_eq!(judge().event(br#"{"object":"ping"}"#).step, Nothing);
}

#[test]
fn oai_04_st_06_without_every_finish_reason_it_is_truncated() {
    use sse::End::{Clean, Cut, Done};
    let check = |events: &[&str], end: sse::End, expected: Step| {
        assert_eq!(whole(judge(), events, end), expected, "{events:?} {end:?}");
    };
    let truncated = Step::Failed(R::Truncated);
    check(&[ROLE], Clean, truncated);
    check(&[ROLE, TEXT], Clean, truncated);
    check(&[ROLE, TEXT, DONE], Clean, truncated);
    check(&[ROLE, TEXT], Done, truncated);
    check(&[ROLE, TEXT], Cut, truncated);
    check(&[ROLE, TEXT, STOP], Cut, Step::Complete(R::OkDoneMissing));
    check(&[ROLE, BOTH, DONE], Clean, Step::Complete(R::Ok));
    check(&[ROLE, BOTH], Done, Step::Complete(R::Ok));
    let two = || judge_for(json!({"model": "m", "n": 2, "messages": [{}]}));
    let second = r#"{"choices":[{"index":1,"delta":{"content":"x"},"finish_reason":"length"}]}"#;
    assert_eq!(whole(two(), &[BOTH, DONE], Clean), truncated, "one of two");
    assert_eq!(whole(two(), &[second, BOTH, DONE], Clean), Step::Complete(R::Ok));
    let empty_reason = r#"{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":""}]}"#;
    check(&[empty_reason, DONE], Clean, truncated);
}

#[test]
fn oai_05_st_04_f_005_a_missing_done_is_forgiven() {
    assert_eq!(whole(judge(), &[TEXT, STOP], sse::End::Clean), Step::Complete(R::OkDoneMissing));
    let mut silent = judge();
    play(&mut silent, &[TEXT]);
    assert!(!silent.is_complete());
    play(&mut silent, &[STOP, USAGE]);
    assert!(silent.is_complete());
    assert_eq!(silent.quiet(), Step::Complete(R::OkDoneMissing));
    assert_eq!(silent.usage().map(|usage| usage.prompt_tokens), Some(3), "usage is present");
    assert_eq!(silent.quiet(), Step::Ignored);
}

#[test]
fn st_03_f_128_one_malformed_event_after_commit_is_left_out() {
    for bad in ["{\"choices\":[{\"del", "x", "[1]", "\"text\"", r#"{"choices":[{"delta":"x"}]}"#] {
        let mut stream = judge();
        let steps = play(&mut stream, &[TEXT, bad, TEXT, STOP, DONE]);
        assert_eq!(steps[1], Step::Skipped, "{bad}");
        assert_eq!(steps[4], Step::Complete(R::OkEventSkipped), "{bad}");
        assert!(stream.has_skipped());
        let failed = Step::Failed(R::DecodeFailed);
        assert_eq!(play(&mut judge(), &[ROLE, bad])[1], failed, "before commit {bad} fails the attempt");
        assert_eq!(play(&mut judge(), &[TEXT, bad, TEXT, bad])[3], failed, "a second {bad} is a cut");
        for strict in [json!({"tools": [{}]}), json!({"response_format": {"type": "json_object"}})] {
            let mut request = json!({"model": "m", "messages": [{}]});
            request.as_object_mut().expect("an object").extend(strict.as_object().expect("an object").clone());
            assert_eq!(play(&mut judge_for(request), &[TEXT, bad])[1], failed, "{strict}: none is left out");
        }
    }
    let missing_too = whole(judge(), &[TEXT, "x", STOP], sse::End::Clean);
    assert_eq!(missing_too, Step::Complete(R::OkEventSkipped), "soft evidence outweighs a forgiven marker");
}

#[test]
fn st_07_oai_06_an_error_event_has_the_class_of_its_code() {
    let check = |event: &str, expected: R| {
        for before in [&[ROLE][..], &[ROLE, TEXT][..], &[][..]] {
            let events = [before, &[event, STOP, DONE]].concat();
            assert_eq!(whole(judge(), &events, sse::End::Clean), Step::Failed(expected), "{events:?}");
        }
    };
    check(r#"{"error":{"message":"boom","type":"server_error"}}"#, R::ErrorInStream);
    check(r#"{"error":{"code":"insufficient_quota"}}"#, R::QuotaExhausted);
    check(r#"{"error":{"code":"rate_limit_exceeded"}}"#, R::RateLimited);
    check(r#"{"error":{"code":"context_length_exceeded"}}"#, R::ContextExceeded);
    check(r#"{"error":"boom"}"#, R::ErrorInStream);
    check(r#"{"object":"error","message":"boom","code":500}"#, R::ErrorInStream);
    check(r#"{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"error"}]}"#, R::ErrorInStream);
    check(r#"{"choices":[{"index":0,"delta":{"content":"x"}}],"error":{"code":502}}"#, R::ErrorInStream);
    let null = r#"{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}],"error":null}"#;
    assert_eq!(whole(judge(), &[null, DONE], sse::End::Clean), Step::Complete(R::Ok));
}

#[test]
fn f_004_st_07_what_breaks_after_the_end_was_told_takes_nothing_away() {
    let whole_yet = Step::Complete(R::OkDoneMissing);
    for late in [r#"{"error":{"code":"insufficient_quota"}}"#, r#"{"object":"error","message":"boom","code":500}"#] {
        assert_eq!(whole(judge(), &[TEXT, STOP, USAGE, late, DONE], sse::End::Clean), whole_yet, "{late}");
        let two = judge_for(json!({"model": "m", "messages": [{}], "n": 2}));
        assert!(matches!(whole(two, &[TEXT, STOP, late], sse::End::Clean), Step::Failed(_)), "one of two has no end");
        let empty = whole(judge(), &[ROLE, STOP, late], sse::End::Clean);
        assert!(!matches!(empty, Step::Complete(_) | Step::Failed(R::EmptyAnswer)), "its own class: {empty:?}");
    }
    let strict = judge_for(json!({"model": "m", "messages": [{}], "response_format": {"type": "json_object"}}));
    assert_eq!(whole(strict, &[TEXT, STOP, "x"], sse::End::Clean), whole_yet, "nothing malformed was said before");
    let ways: [fn(&mut StreamJudge) -> Step; 2] = [StreamJudge::too_long, StreamJudge::too_much];
    for way in ways {
        let mut judge = judge();
        play(&mut judge, &[TEXT, STOP]);
        assert_eq!(way(&mut judge), whole_yet);
    }
}

#[test]
fn f_006_an_empty_stream_is_no_answer_unless_it_may_be() {
    let finish = |reason: &str| format!(r#"{{"choices":[{{"index":0,"delta":{{}},"finish_reason":"{reason}"}}]}}"#);
    let check =
        |events: &[&str], expected: Step| assert_eq!(whole(judge(), events, sse::End::Clean), expected, "{events:?}");
    check(&[ROLE, STOP, DONE], Step::Failed(R::EmptyAnswer));
    check(&[ROLE, THINK, STOP, DONE], Step::Failed(R::EmptyAnswer));
    let no_choice = r#"{"choices":[]}"#;
    for events in [&[][..], &[DONE], &[no_choice], &[no_choice, USAGE, DONE], &[USAGE]] {
        check(events, Step::Failed(R::EmptyAnswer));
    }
    check(&[no_choice, ROLE], Step::Failed(R::Truncated));
    for reason in ["length", "content_filter", "tool_calls"] {
        check(&[ROLE, &finish(reason), DONE], Step::Complete(R::Ok));
    }
    let after_tool = judge_for(json!({"model": "m", "messages": [{"role": "tool", "content": "x"}]}));
    assert_eq!(whole(after_tool, &[ROLE, STOP, DONE], sse::End::Clean), Step::Complete(R::Ok));
}

#[test]
fn st_13_an_endless_line_fails_before_and_after_commit() {
    assert_eq!(judge().too_long(), Step::Failed(R::DecodeFailed));
    let mut committed = judge();
    play(&mut committed, &[TEXT]);
    assert_eq!(committed.too_long(), Step::Failed(R::DecodeFailed));
}

#[test]
fn st_14_nothing_counts_after_the_end() {
    let mut stream = judge();
    let steps = play(&mut stream, &[TEXT, STOP, DONE, DONE, TEXT, "x", r#"{"error":"late"}"#]);
    assert_eq!(steps[2..], [Step::Complete(R::Ok), Step::Ignored, Step::Ignored, Step::Ignored, Step::Ignored]);
    assert_eq!(stream.eof(sse::End::Cut), Step::Ignored);
    assert_eq!(play(&mut judge(), &[TEXT, STOP, "[DONE] trailing"])[2], Step::Complete(R::Ok));
}

#[test]
fn st_15_the_last_usage_told_counts_and_none_is_invented() {
    let mut stream = judge();
    play(&mut stream, &[r#"{"choices":[],"usage":null}"#, TEXT, STOP]);
    assert_eq!(stream.usage(), None);
    play(&mut stream, &[USAGE]);
    assert_eq!(stream.usage(), Some(Usage { prompt_tokens: 3, completion_tokens: 2 }));
}

#[test]
fn st_19_length_and_content_filter_pass_unchanged() {
    for reason in ["length", "content_filter"] {
        let last = format!(r#"{{"choices":[{{"index":0,"delta":{{}},"finish_reason":"{reason}"}}]}}"#);
        assert_eq!(play(&mut judge(), &[TEXT, &last, DONE])[1..], [Step::Nothing, Step::Complete(R::Ok)]);
    }
}
