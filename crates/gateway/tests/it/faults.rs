//! Rows of `fault-catalogue.md` up to the first content, in their own words: what the client gets, what the provider
//! sees, what the record says, for plain answers and for streams.

use std::{collections::BTreeMap, path::Path};

use crate::client::{CONFIG, Got, Kit};

/// One row.
struct Row {
    id: &'static str,
    fault: &'static str,
    /// The tier that answers a plain request, and a stream.
    tier: [u8; 2],
    /// Attempts that the primary sees.
    primary_sees: usize,
    /// The result of the primary's first attempt.
    result: &'static str,
    reason: &'static str,
}

const fn row(
    id: &'static str,
    fault: &'static str,
    tier: u8,
    sees: usize,
    result: &'static str,
    reason: &'static str,
) -> Row {
    Row { id, fault, tier: [tier, tier], primary_sees: sees, result, reason }
}

const ROWS: &[Row] = &[
    row("UP-02", "{fault: rate_limited}", 1, 1, "capacity.rate_limited", "UPSTREAM_429"),
    row(
        "UP-05",
        "{fault: quota_exhausted, told: status_400}",
        1,
        1,
        "capacity.quota_exhausted",
        "CAPACITY_DOMAIN_LIMITED",
    ),
    row(
        "UP-05",
        "{fault: quota_exhausted, told: in_band}",
        1,
        1,
        "capacity.quota_exhausted",
        "CAPACITY_DOMAIN_LIMITED",
    ),
    row("UP-06", "{fault: status, status: 500, times: 1}", 0, 2, "target.status_5xx", "PRIMARY_HEALTHY"),
    row("UP-07", "{fault: status, status: 503}", 1, 2, "target.status_5xx", "UPSTREAM_5XX"),
    row("UP-09", "{fault: status, status: 502, body: html}", 1, 2, "target.status_5xx", "UPSTREAM_5XX"),
    row("UP-09", "{fault: wrong_content_type}", 1, 1, "target.wrong_content_type", "UPSTREAM_PROTOCOL"),
    row("UP-09", "{fault: broken_chunked, how: bad_size}", 1, 2, "target.protocol_error", "UPSTREAM_PROTOCOL"),
    row("UP-09", "{fault: broken_chunked, how: overflow}", 1, 2, "target.protocol_error", "UPSTREAM_PROTOCOL"),
    row("UP-09", "{fault: broken_chunked, how: short_chunk}", 1, 1, "target.truncated", "STREAM_TRUNCATED"),
    row("UP-09", "{fault: redirect}", 1, 1, "target.protocol_error", "UPSTREAM_PROTOCOL"),
    row("UP-10", "{fault: reset, times: 1}", 0, 2, "target.reset", "PRIMARY_HEALTHY"),
    row("UP-13", "{fault: refuse}", 1, 0, "target.connect_failed", "CONNECT_FAILED"),
    row("UP-21", "{fault: credential_rejected}", 1, 1, "credential.credential_rejected", "CREDENTIAL_REJECTED"),
    row("UP-21", "{fault: credential_forbidden}", 1, 1, "credential.credential_forbidden", "CREDENTIAL_REJECTED"),
    row("UP-23", "{fault: model_missing}", 1, 1, "target.model_missing", "MODEL_MISSING"),
    row("UP-24", "{fault: context_length_exceeded}", 1, 1, "capability.context_exceeded", "CAPABILITY_MISSING"),
    row("UP-26", "{fault: unsupported_feature}", 1, 1, "capability.unsupported_feature", "CAPABILITY_MISSING"),
    row("UP-27", "{fault: error_in_body}", 1, 1, "target.error_in_body", "ERROR_UNDER_200"),
    row("UP-27", "{fault: empty_answer, what: status_204}", 1, 1, "target.empty_answer", "EMPTY_ANSWER"),
    row("UP-27", "{fault: empty_answer, what: text}", 1, 1, "target.empty_answer", "EMPTY_ANSWER"),
    row("UP-27", "{fault: empty_answer, what: body}", 1, 1, "target.empty_answer", "EMPTY_ANSWER"),
    row("UP-27", "{fault: empty_answer, what: choices}", 1, 1, "target.empty_answer", "EMPTY_ANSWER"),
];

#[tokio::test(flavor = "multi_thread")]
async fn f_003_f_006_up_02_up_05_up_06_up_07_up_09_up_10_up_13_up_21_up_23_up_24_up_26_up_27_as_their_rows_say() {
    for row in ROWS {
        for stream in [false, true] {
            let kit = Kit::start().await;
            kit.break_primary(row.fault);
            let got = kit.chat("chat", stream).await;
            let (id, tier) = (row.id, row.tier[usize::from(stream)]);
            let what = format!("{id} {} stream={stream}: {got:?}", row.fault);
            assert!(got.is_whole() && !got.said().is_empty(), "{what}");
            assert_eq!(got.header("evenkeel-tier"), tier.to_string(), "{what}");
            assert_eq!(got.header("evenkeel-degraded"), (tier > 0).to_string(), "{what}");
            assert_eq!(got.header("evenkeel-reason"), row.reason, "{what}");
            let record = kit.record(&got).await;
            assert_eq!(record["attempts"][0]["result"], row.result, "{what}: {record}");
            assert_eq!(record["outcome"]["tier"], tier, "{what}: {record}");
            assert_eq!(kit.seen_by_primary().await.len(), row.primary_sees, "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn up_11_f_043_a_connection_that_was_kept_and_is_gone_costs_nothing() {
    for (how, stream) in [("rst", false), ("rst", true), ("fin", false), ("fin", true)] {
        let kit = Kit::start().await;
        kit.break_primary(&format!("{{fault: reset_reused, how: {how}}}"));
        let check = |got: &Got| assert!(got.is_whole() && got.header("evenkeel-tier") == "0", "{got:?}");
        kit.meet_stale_connections("chat", async || kit.chat("chat", stream).await, check).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn up_15_up_17_silence_and_signs_of_life_are_left_in_time() {
    for (fault, plain, streamed) in [
        ("{fault: silence}", "target.total_timeout", "target.first_token_timeout"),
        ("{fault: headers_then_silence}", "target.total_timeout", "target.first_token_timeout"),
        // Plain, it is white space before JSON that never comes.
        ("{fault: keepalive_only, kind: comment, every_ms: 20}", "target.total_timeout", "target.keepalive_only"),
        ("{fault: keepalive_only, kind: role, every_ms: 20}", "target.total_timeout", "target.keepalive_only"),
    ] {
        for (stream, result) in [(false, plain), (true, streamed)] {
            let kit = Kit::start().await;
            kit.break_primary(fault);
            let got = kit.chat("chat", stream).await;
            let record = kit.record(&got).await;
            assert!(got.is_whole(), "{fault} stream={stream}: {got:?}");
            assert_eq!(record["attempts"][0]["result"], result, "{fault}: {record}");
            assert_eq!(record["outcome"]["tier"], 1, "F-026: {record}");
            assert!(record["outcome"]["latency_us"].as_u64() < Some(3_000_000), "within the deadline: {record}");
            assert_eq!(kit.seen_by_primary().await.len(), 1, "P = 1");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn up_15_f_022_a_clock_that_is_learned_leaves_a_quick_path_after_two_seconds() {
    let learns = CONFIG.replacen("first_token: 300ms", "first_token: auto", 1).replacen("3s", "20s", 1);
    let kit = Kit::of(&learns, Path::new("."), BTreeMap::new()).await;
    for _ in 0..50 {
        assert_eq!(kit.chat("chat", true).await.header("evenkeel-tier"), "0");
    }
    kit.break_primary("{fault: silence}");
    let got = kit.chat("chat", true).await;
    let record = kit.record(&got).await;
    assert!(got.is_whole() && record["outcome"]["tier"] == 1, "{record}");
    let latency = record["outcome"]["latency_us"].as_u64().expect("a number");
    assert!((2_000_000..8_000_000).contains(&latency), "not the ten seconds of a tier that names no clock: {record}");
    let facts = record.to_string();
    assert!(facts.contains("first_token_ns"), "{facts}");
}

#[tokio::test(flavor = "multi_thread")]
async fn up_01_a_server_that_names_a_short_time_is_asked_again_after_it() {
    for stream in [false, true] {
        let kit = Kit::start().await;
        kit.break_primary("{fault: rate_limited, retry_after_ms: 300, times: 1}");
        let got = kit.chat("chat", stream).await;
        let record = kit.record(&got).await;
        assert!(got.is_whole() && got.header("evenkeel-degraded") == "false", "{got:?}");
        let (first, second) = (&record["attempts"][0], &record["attempts"][1]);
        assert_eq!((&first["result"], &second["result"]), (&"capacity.rate_limited".into(), &"ok".into()));
        let pause = second["start_us"].as_u64().expect("a time") - first["duration_us"].as_u64().expect("a time");
        assert!(pause >= 300_000, "never before it: {record}");
        assert_eq!(kit.big.log().len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn up_02_f_051_later_requests_leave_a_limited_server_alone() {
    let kit = Kit::start().await;
    kit.break_primary("{fault: rate_limited, retry_after: 60}");
    for reason in ["UPSTREAM_429", "CAPACITY_DOMAIN_LIMITED", "CAPACITY_DOMAIN_LIMITED"] {
        let got = kit.chat("chat", false).await;
        assert_eq!((got.header("evenkeel-tier"), got.header("evenkeel-reason")), ("1", reason));
    }
    assert_eq!(kit.big.log().len(), 1);
}

/// A gateway before two replicas of one model, the first of which says "not now".
async fn limited(config: &str, fault: &str) -> Kit {
    let kit = Kit::of(config, Path::new("."), BTreeMap::new()).await;
    kit.break_primary(fault);
    kit
}

#[tokio::test(flavor = "multi_thread")]
async fn up_02_f_051_another_replica_of_the_same_model_answers_what_a_limited_one_does_not() {
    let replicas = r#"big: {protocol: openai, urls: ["BIG/v1", "SMALL/v1"], api_key: secret-of-ours}"#;
    let config = CONFIG.replace(r#"big: {protocol: openai, url: "BIG/v1", api_key: secret-of-ours}"#, replicas);
    for fault in ["{fault: rate_limited, retry_after: 5}", "{fault: status, status: 503, retry_after: 5}"] {
        for stream in [false, true] {
            // Which one is asked first is drawn: one gateway in two meets the limited one at once.
            let mut kit = limited(&config, fault).await;
            for _ in 0..40 {
                let got = kit.chat("chat", stream).await;
                assert!(got.is_whole() && got.header("evenkeel-degraded") == "false", "{fault}: {got:?}");
                if !kit.big.log().is_empty() {
                    break;
                }
                kit = limited(&config, fault).await;
            }
            let got = kit.chat("chat", stream).await;
            assert!(got.is_whole() && got.header("evenkeel-degraded") == "false", "{fault}: {got:?}");
            assert_eq!((kit.big.log().len(), kit.small.log().len()), (1, 2), "{fault}: one meets it, and turns");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn up_25_f_003_a_refusal_in_a_stream_reads_as_it_does_in_one_piece() {
    let kit = Kit::start().await;
    kit.break_primary("{fault: error_event, after_tokens: 0, role: false, code: content_filter}");
    let got = kit.chat("chat", true).await;
    assert_eq!((got.status, got.header("evenkeel-reason")), (400, "SAFETY_BLOCK"), "{got:?}");
    assert_eq!(got.json()["error"]["code"], "content_filter", "{got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn up_25_a_refusal_of_content_is_the_answer() {
    let kit = Kit::start().await;
    kit.break_primary("{fault: content_filter}");
    let got = kit.chat("chat", true).await;
    assert_eq!((got.status, got.header("evenkeel-reason")), (400, "SAFETY_BLOCK"));
    assert!(got.json()["error"]["code"].is_string(), "{got:?}");
    assert!(kit.small.log().is_empty(), "no other tier is called");
    assert_eq!(kit.record(&got).await["attempts"][0]["result"], "policy.content_filtered");
}

#[tokio::test(flavor = "multi_thread")]
async fn up_24_without_a_larger_window_the_original_error_goes_back() {
    let kit = Kit::start().await;
    kit.break_primary("{fault: context_length_exceeded}");
    let got = kit.chat("models-only", false).await;
    assert_eq!((got.status, got.json()["error"]["code"].as_str()), (400, Some("context_length_exceeded")));
    assert!(kit.small.log().is_empty(), "no tier of the same size is called");
    assert_eq!(got.header("x-should-retry"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn up_22_the_clients_credential_never_goes_upstream() {
    let kit = Kit::start().await;
    let body = r#"{"model":"chat","messages":[{"role":"user","content":"x"}]}"#;
    kit.post("/v1/chat/completions", body, &[("authorization", "Bearer of-the-client"), ("cookie", "a=b")]).await;
    let seen = kit.seen_by_primary().await;
    assert!(!format!("{seen:?}").contains("of-the-client"), "{seen:?}");
    assert!(!format!("{seen:?}").contains("cookie"), "OAI-11: {seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ov_03_exhausted_says_when_to_come_back_and_not_to_retry() {
    let kit = Kit::start().await;
    let refuse = || evenkeel_mock::parse_faults_yaml("[{fault: refuse}]").expect("a fault");
    kit.big.set_faults(refuse());
    kit.small.set_faults(refuse());
    let got = kit.chat("models-only", false).await;
    assert_eq!((got.status, got.json()["error"]["code"].as_str()), (503, Some("all_tiers_exhausted")), "{got:?}");
    assert_eq!((got.header("x-should-retry"), got.header("evenkeel-reason")), ("false", "ALL_TIERS_EXHAUSTED"));
    assert!(got.header("retry-after").parse::<u64>().is_ok_and(|it| (1..=300).contains(&it)), "{got:?}");
    assert_eq!(got.header("evenkeel-tier"), "", "on a refusal tier, method and path are absent");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_168_a_client_may_refuse_degradation() {
    let kit = Kit::start().await;
    kit.break_primary("{fault: status, status: 503}");
    let body = r#"{"model":"chat","messages":[{"role":"user","content":"x"}]}"#;
    let got = kit.post("/v1/chat/completions", body, &[("evenkeel-accept", "max-tier=0")]).await;
    assert_eq!((got.status, got.json()["error"]["code"].as_str()), (503, Some("degradation_refused")));
    assert!(kit.small.log().is_empty());
}
