//! Where a stream commits, and what a failure before that looks like (`failures.md`, F-120, F-121).

use std::{collections::BTreeMap, path::Path};

use crate::client::{CONFIG, Kit};

async fn kit(commit: &str) -> Kit {
    let config = CONFIG.replacen("    deadline: 3s\n", &format!("    deadline: 3s\n    commit: {commit}\n"), 1);
    Kit::of(&config, Path::new("."), BTreeMap::new()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn f_120_f_121_a_whole_answer_is_verified_before_any_of_it_is_sent() {
    for (fault, result) in [
        ("{fault: cut, after_tokens: 6, how: rst}", "target.truncated"),
        ("{fault: cut, after_tokens: 6, how: between_events}", "target.truncated"),
        ("{fault: stall, after_tokens: 6}", "target.stall"),
        ("{fault: error_event, after_tokens: 6}", "target.error_in_stream"),
        ("{fault: finish_missing}", "target.truncated"),
        ("{fault: garbled_event, at_token: 6}", "target.decode_failed"),
        ("{fault: endless, every_ms: 0}", "target.answer_too_large"),
        ("{fault: keepalive_only, kind: role, every_ms: 10}", "target.keepalive_only"),
    ] {
        let kit = kit("full").await;
        kit.break_primary(fault);
        let got = kit.chat("chat", true).await;
        let record = kit.record(&got).await;
        assert!(got.is_whole() && got.header("evenkeel-tier") == "1", "{fault}: {got:?}");
        assert_eq!(got.events().iter().filter(|event| event.contains("evenkeel")).count(), 1, "{got:?}");
        assert_eq!(record["attempts"][0]["result"], result, "{fault}: {record}");
        assert_eq!(record["outcome"]["end"], "answered", "an ordinary fallback: {record}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_121_a_whole_answer_is_still_sent_as_a_stream() {
    let (plain, full) = (Kit::start().await, kit("full").await);
    let (one, other) = (plain.chat("chat", true).await, full.chat("chat", true).await);
    assert!(other.is_whole() && other.header("content-type").starts_with("text/event-stream"), "{other:?}");
    assert_eq!((one.said(), one.events().len()), (other.said(), other.events().len()));
    assert_eq!(full.record(&other).await["outcome"]["tier"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_121_n_chars_of_content_are_held_and_no_more() {
    // The mock's words have two characters at least and ten at most.
    for (commit, tokens, committed) in [("{n_chars: 40}", 3, "1"), ("{n_chars: 4}", 3, "0"), ("first_content", 1, "0")]
    {
        let kit = kit(commit).await;
        kit.break_primary(&format!("{{fault: cut, after_tokens: {tokens}, how: rst}}"));
        let got = kit.chat("chat", true).await;
        assert_eq!((got.status, got.header("evenkeel-tier")), (200, committed), "{commit}: {got:?}");
    }
    // What never says so much is sent with its verified end.
    let kit = kit("{n_chars: 9999}").await;
    let got = kit.chat("chat", true).await;
    assert!(got.is_whole() && got.header("evenkeel-tier") == "0", "{got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_121_a_hold_never_outlives_the_deadline() {
    let config = CONFIG.replacen("    deadline: 3s\n", "    deadline: 2s\n    commit: {n_chars: 9999}\n", 1);
    let kit = Kit::of(&config, Path::new("."), BTreeMap::new()).await;
    // Eight tokens take 2 s; a quarter of the deadline is kept for `small`.
    kit.break_primary("{fault: slow_tokens, every_ms: 250}");
    let got = kit.chat("chat", true).await;
    let record = kit.record(&got).await;
    assert!(got.is_whole() && got.header("evenkeel-tier") == "0", "{got:?} {record}");
    assert!(record["outcome"]["latency_us"].as_u64() >= Some(1_900_000), "{record}");
}
