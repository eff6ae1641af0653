//! Faults in how an answer arrives, or does not.

use serde_json::{Value, json};

use super::{
    Ask::{Embed, Infer, Plain, Stream},
    Case,
    Until::{Bytes, End, Silence},
};
use crate::client::{End as Ended, Seen};

pub(super) fn cases() -> Vec<Case> {
    [connections(), beginnings(), cuts(), marks(), encodings()].concat()
}

/// A stream that is whole but for what the case says.
fn healthy_stream(seen: &Seen) {
    assert!(seen.framed().is_ok() && seen.finished() && seen.done() == 1 && seen.tokens() == 24, "{}", seen.text());
}

/// A stream that stopped after three tokens and said so to nobody.
fn three_tokens(seen: &Seen) {
    assert_eq!((seen.tokens(), seen.finished(), seen.done()), (3, false, 0), "{}", seen.text());
}

fn connections() -> Vec<Case> {
    vec![
        (Plain, json!({"fault": "reset"}), End, |seen| assert_eq!((seen.raw.len(), seen.end), (0, Ended::Rst))),
        (Stream, json!({"fault": "reset", "how": "fin"}), End, |seen| {
            assert_eq!((seen.raw.len(), seen.end), (0, Ended::Fin));
        }),
        (Plain, json!({"fault": "silence"}), Silence, |seen| {
            assert_eq!((seen.raw.len(), seen.end), (0, Ended::Silent))
        }),
        (Stream, json!({"fault": "silence", "for_ms": 5}), End, |seen| {
            assert_eq!((seen.raw.len(), seen.end), (0, Ended::Fin));
        }),
        (Plain, json!({"fault": "headers_then_silence"}), Silence, |seen| {
            assert_eq!((seen.status(), seen.framed(), seen.end), (200, Err(vec![]), Ended::Silent));
        }),
        (Stream, json!({"fault": "headers_then_silence"}), Silence, |seen| {
            assert_eq!((seen.status(), seen.framed(), seen.end), (200, Err(vec![]), Ended::Silent));
        }),
        (Plain, json!({"fault": "latency", "ms": 5}), End, |seen| assert_eq!(seen.status(), 200)),
        (Plain, json!({"fault": "latency", "ms": 600_000}), Silence, |seen| {
            assert_eq!((seen.raw.len(), seen.end), (0, Ended::Silent));
        }),
        (
            Embed,
            json!({"fault": "latency_long_tailed", "shape": "pareto", "median_ms": 1, "spread": 2.5, "max_ms": 3}),
            End,
            |seen| {
                assert_eq!(seen.status(), 200);
            },
        ),
        (
            Plain,
            json!({"fault": "latency_spike", "ms": 600_000, "every_ms": 600_000, "for_ms": 600_000}),
            Silence,
            |seen| {
                assert_eq!((seen.raw.len(), seen.end), (0, Ended::Silent));
            },
        ),
        (Plain, json!({"fault": "slow_drip", "bytes": 100, "every_ms": 1}), End, |seen| {
            assert!(seen.json()["choices"][0]["message"]["content"].is_string());
        }),
        (Stream, json!({"fault": "slow_drip", "bytes": 300, "every_ms": 1, "close_after_ms": 2}), End, healthy_stream),
        (Stream, json!({"fault": "slow_drip", "bytes": 10, "every_ms": 600_000}), Silence, |seen| {
            assert_eq!((&seen.raw[..], seen.end), (&b"HTTP/1.1 2"[..], Ended::Silent));
        }),
        (Plain, json!({"fault": "huge_headers", "bytes": 10_000}), End, |seen| {
            assert_eq!(seen.header("x-filler-2").map(str::len), Some(10_000 - 2 * 4_096));
        }),
        (Plain, json!({"fault": "ignore_cancel", "every_ms": 1}), End, |seen| assert_eq!(seen.status(), 200)),
        (Stream, json!({"fault": "ignore_cancel", "every_ms": 1}), End, healthy_stream),
    ]
}

fn beginnings() -> Vec<Case> {
    vec![
        (Plain, json!({"fault": "slow_first_token", "ms": 600_000}), Silence, |seen| {
            assert_eq!((seen.status(), seen.framed(), seen.end), (200, Err(vec![]), Ended::Silent));
        }),
        (Stream, json!({"fault": "slow_first_token", "ms": 600_000}), Silence, |seen| {
            assert_eq!((seen.events().len(), seen.tokens(), seen.end), (1, 0, Ended::Silent), "the role alone");
        }),
        (Stream, json!({"fault": "slow_first_token", "ms": 600_000, "role": false}), Silence, |seen| {
            assert_eq!((seen.status(), seen.events().len(), seen.end), (200, 0, Ended::Silent), "the head alone");
        }),
        (Stream, json!({"fault": "slow_first_token", "ms": 5}), End, healthy_stream),
        (Stream, json!({"fault": "slow_first_token", "ms": 5, "role": false}), End, healthy_stream),
        (Stream, json!({"fault": "keepalive_only", "every_ms": 1}), Bytes(600), |seen| {
            assert!(
                seen.text().ends_with(": keep-alive\n\n") && seen.events().is_empty() && seen.end == Ended::Talking
            );
        }),
        (Stream, json!({"fault": "keepalive_only", "kind": "role", "every_ms": 1}), Bytes(1_200), |seen| {
            assert!(
                seen.events().len() > 1 && seen.events().iter().all(|event| event.contains("{\"role\":\"assistant\"}"))
            );
        }),
        (Stream, json!({"fault": "keepalive_only", "kind": "empty_delta", "every_ms": 1}), Bytes(1_200), |seen| {
            assert!(seen.events().len() > 1 && seen.events().iter().all(|event| event.contains("{\"content\":\"\"}")));
        }),
        (Plain, json!({"fault": "keepalive_only", "every_ms": 1}), Bytes(400), |seen| {
            assert!(seen.text().starts_with("\n\n") && seen.text().trim().is_empty());
        }),
        (Stream, json!({"fault": "slow_tokens", "every_ms": 600_000}), Silence, |seen| {
            assert_eq!((seen.tokens(), seen.end), (0, Ended::Silent));
        }),
        (Stream, json!({"fault": "slow_tokens", "every_ms": 1}), End, healthy_stream),
        (Stream, json!({"fault": "reasoning", "tokens": 4, "every_ms": 1}), End, |seen| {
            healthy_stream(seen);
            assert!(seen.events()[1..5].iter().all(|event| event.contains("{\"reasoning_content\":\" hmm\"}")));
        }),
        (Plain, json!({"fault": "reasoning", "tokens": 2}), End, |seen| {
            assert_eq!(seen.json()["choices"][0]["message"]["reasoning_content"], " hmm hmm");
        }),
        (Stream, json!({"fault": "error_event", "code": "c", "role": false}), End, |seen| {
            assert!(seen.events().len() == 1 && seen.events()[0].starts_with("{\"error\":"));
        }),
        (Stream, json!({"fault": "error_event"}), End, |seen| {
            assert!(seen.events().len() == 2 && seen.events()[1].starts_with("{\"error\":"));
        }),
        (Stream, json!({"fault": "error_event", "after_tokens": 3}), End, |seen| {
            three_tokens(seen);
            assert!(seen.framed().is_ok() && seen.events()[4].contains("\"code\":\"server_error\""));
        }),
    ]
}

fn cuts() -> Vec<Case> {
    vec![
        (Stream, json!({"fault": "cut", "after_tokens": 3}), End, |seen| {
            three_tokens(seen);
            assert!(seen.framed().is_err() && seen.end == Ended::Fin && !seen.text().ends_with("\n\n"));
        }),
        (Stream, json!({"fault": "cut", "after_tokens": 3, "how": "rst"}), End, |seen| {
            assert_eq!(seen.end, Ended::Rst)
        }),
        (Stream, json!({"fault": "cut", "after_tokens": 3, "how": "fin_between_events"}), End, |seen| {
            three_tokens(seen);
            assert!(seen.framed().is_err() && seen.end == Ended::Fin && seen.text().ends_with("\n\n"));
        }),
        (Stream, json!({"fault": "cut", "after_tokens": 3, "how": "between_events"}), End, |seen| {
            three_tokens(seen);
            assert!(seen.framed().is_ok() && seen.end == Ended::Fin);
        }),
        (Stream, json!({"fault": "cut", "after_tokens": 999, "how": "between_events"}), End, |seen| {
            assert_eq!((seen.tokens(), seen.finished(), seen.done()), (24, false, 0));
        }),
        (Plain, json!({"fault": "cut", "after_tokens": 12}), End, |seen| {
            assert!(seen.framed().is_err_and(|part| part.len() > 50) && seen.end == Ended::Fin);
        }),
        (Infer, json!({"fault": "cut", "after_tokens": 0, "how": "between_events"}), End, |seen| {
            let part = seen.framed().expect("the framing is whole");
            assert!(!part.is_empty() && serde_json::from_slice::<Value>(&part).is_err());
        }),
        (Stream, json!({"fault": "stall", "after_tokens": 3}), Silence, |seen| {
            three_tokens(seen);
            assert_eq!(seen.end, Ended::Silent);
        }),
        (Stream, json!({"fault": "stall", "after_tokens": 3, "for_ms": 5}), End, |seen| {
            three_tokens(seen);
            assert_eq!(seen.end, Ended::Fin);
        }),
        (Plain, json!({"fault": "stall", "after_tokens": 3}), Silence, |seen| {
            assert!(seen.framed().is_err_and(|part| !part.is_empty()) && seen.end == Ended::Silent);
        }),
        (Stream, json!({"fault": "garbled_event", "at_token": 2}), End, |seen| {
            assert!(seen.finished() && seen.done() == 1 && seen.framed().is_ok());
            assert!(seen.events()[2].ends_with("<garbled>"), "role, token 1, then token 2");
            assert_eq!(seen.tokens(), 23);
        }),
        (Plain, json!({"fault": "garbled_event"}), End, |seen| {
            assert!(seen.framed().is_ok() && seen.text().ends_with("<garbled>"));
        }),
    ]
}

fn marks() -> Vec<Case> {
    vec![
        (Stream, json!({"fault": "done_missing"}), End, |seen| {
            assert_eq!((seen.finished(), seen.done(), seen.end), (true, 0, Ended::Fin));
            assert!(seen.framed().is_ok());
        }),
        (Stream, json!({"fault": "done_missing", "hold": true}), Silence, |seen| {
            assert_eq!((seen.finished(), seen.done(), seen.end), (true, 0, Ended::Silent));
        }),
        (Stream, json!({"fault": "done_missing", "reset": true}), End, |seen| {
            assert_eq!((seen.finished(), seen.done(), seen.end), (true, 0, Ended::Rst));
        }),
        (Stream, json!({"fault": "finish_missing"}), End, |seen| {
            assert_eq!((seen.tokens(), seen.finished(), seen.done()), (24, false, 1));
        }),
        (Plain, json!({"fault": "finish_missing"}), End, |seen| {
            assert_eq!(seen.json()["choices"][0]["finish_reason"], Value::Null);
        }),
        (Plain, json!({"fault": "finish_reason", "reason": "length"}), End, |seen| {
            assert_eq!(seen.json()["choices"][0]["finish_reason"], "length");
        }),
        (Stream, json!({"fault": "finish_reason", "reason": "content_filter"}), End, |seen| {
            assert!(seen.text().contains("\"finish_reason\":\"content_filter\""));
        }),
        (Stream, json!({"fault": "after_done"}), End, |seen| assert_eq!(seen.done(), 2)),
        (Stream, json!({"fault": "after_done", "what": "content"}), End, |seen| {
            assert!(seen.done() == 1 && seen.events().last().is_some_and(|last| last.contains("after the end")));
        }),
        (Stream, json!({"fault": "after_finish", "events": 20}), End, |seen| {
            let events = seen.events();
            let finish =
                events.iter().position(|it| it.contains("\"finish_reason\":\"stop\"")).expect("a finish reason");
            let empty = events[finish..].iter().filter(|it| it.contains("\"content\":\"\"")).count();
            assert_eq!((empty, seen.tokens(), seen.done()), (20, 24, 1));
        }),
        (Stream, json!({"fault": "after_finish", "error": true}), End, |seen| {
            let events = seen.events();
            assert!(seen.done() == 0 && seen.finished() && events.last().is_some_and(|it| it.contains("\"error\"")));
        }),
        (Stream, json!({"fault": "endless"}), Bytes(50_000), |seen| assert!(seen.tokens() > 100 && !seen.finished())),
        (Plain, json!({"fault": "endless"}), Bytes(50_000), |seen| assert!(seen.text().ends_with("and on "))),
        (Stream, json!({"fault": "huge_line"}), End, |seen| {
            let longest = seen.events().iter().map(String::len).max();
            assert!(longest >= Some(10 * 1024 * 1024) && seen.finished() && seen.done() == 1);
        }),
    ]
}

fn encodings() -> Vec<Case> {
    vec![
        (Stream, json!({"fault": "split_events", "line_end": "mixed", "comments": true}), End, |seen| {
            assert!(
                seen.text().contains("\r\r") && seen.text().contains("\r\n\r\n") && seen.text().contains(": still")
            );
            healthy_stream(seen);
        }),
        (Stream, json!({"fault": "split_events", "bytes": 7, "line_end": "cr"}), End, |seen| {
            assert!(!seen.text().contains('\n'));
            healthy_stream(seen);
        }),
        (Stream, json!({"fault": "broken_chunked"}), End, |seen| {
            assert!(seen.framed().is_err() && seen.events().len() == 1 && seen.end == Ended::Fin);
        }),
        (Plain, json!({"fault": "broken_chunked", "how": "negative"}), End, |seen| {
            assert!(seen.framed() == Err(vec![]) && String::from_utf8_lossy(&seen.raw).contains("\r\n-1\r\n"));
        }),
        (Plain, json!({"fault": "broken_chunked", "how": "overflow"}), End, |seen| {
            assert_eq!(seen.framed(), Err(vec![]))
        }),
        (Plain, json!({"fault": "broken_chunked", "how": "short_chunk"}), End, |seen| {
            assert!(seen.framed().is_err_and(|part| !part.is_empty()));
        }),
        (Stream, json!({"fault": "broken_chunked", "how": "missing_end"}), End, |seen| {
            assert!(seen.framed().is_err() && seen.done() == 1 && seen.end == Ended::Fin);
        }),
        (Plain, json!({"fault": "wrong_content_type"}), End, |seen| {
            assert_eq!((seen.status(), seen.header("content-type")), (200, Some("text/html; charset=utf-8")));
            assert!(seen.text().starts_with("<!DOCTYPE html>"));
        }),
        (Stream, json!({"fault": "wrong_content_type", "content_type": "a/b", "own_body": true}), End, |seen| {
            assert_eq!(seen.header("content-type"), Some("a/b"));
            healthy_stream(seen);
        }),
        (Plain, json!({"fault": "wrong_content_type", "content_type": "a/b", "own_body": true}), End, |seen| {
            assert!(seen.header("content-type") == Some("a/b") && seen.json()["choices"].is_array());
        }),
    ]
}
