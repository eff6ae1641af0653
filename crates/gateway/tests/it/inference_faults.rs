//! Rows of `fault-catalogue.md` for inferences: what the client gets, what the provider sees, what the record says.

use serde_json::json;

use crate::{
    client::{Got, Kit},
    inference::{kit, rows},
};

/// A row: the fault, the attempts that the primary sees, the result of the first, the reason that the client reads.
type Row = (&'static str, &'static str, usize, &'static str, &'static str);

const ROWS: &[Row] = &[
    ("UP-02", "{fault: rate_limited}", 1, "capacity.rate_limited", "UPSTREAM_429"),
    ("UP-07", "{fault: status, status: 503}", 2, "target.status_5xx", "UPSTREAM_5XX"),
    ("UP-09", "{fault: status, status: 502, body: html}", 2, "target.status_5xx", "UPSTREAM_5XX"),
    ("UP-09", "{fault: wrong_content_type}", 1, "target.wrong_content_type", "UPSTREAM_PROTOCOL"),
    ("UP-10", "{fault: reset}", 2, "target.reset", "UPSTREAM_RESET"),
    ("UP-13", "{fault: refuse}", 0, "target.connect_failed", "CONNECT_FAILED"),
    ("UP-15", "{fault: silence}", 1, "target.total_timeout", "TIMEOUT"),
    ("UP-21", "{fault: credential_rejected}", 1, "credential.credential_rejected", "CREDENTIAL_REJECTED"),
    ("UP-23", "{fault: model_missing}", 1, "target.model_missing", "MODEL_MISSING"),
    ("UP-27", "{fault: error_in_body}", 1, "target.error_in_body", "ERROR_UNDER_200"),
    ("UP-27", "{fault: empty_answer, what: body}", 1, "target.empty_answer", "EMPTY_ANSWER"),
    ("UP-27", "{fault: empty_answer, what: outputs}", 1, "target.empty_answer", "EMPTY_ANSWER"),
    ("ST-01", "{fault: cut, after_tokens: 0, how: rst}", 1, "target.truncated", "STREAM_TRUNCATED"),
    ("OIP-40", "{fault: output_wrong_shape}", 1, "target.decode_failed", "UPSTREAM_PROTOCOL"),
    ("TN-07", "{fault: output_wrong_dtype}", 1, "quality.contract_dtype", "OUTPUT_INVALID"),
    ("TN-08", "{fault: output_nonfinite, row: 1}", 1, "quality.contract_nonfinite", "OUTPUT_INVALID"),
    ("TN-09", "{fault: output_out_of_range}", 1, "quality.contract_range", "OUTPUT_OUT_OF_RANGE"),
];

#[tokio::test(flavor = "multi_thread")]
async fn up_02_to_up_27_tn_07_to_tn_09_oip_40_a_lower_tier_answers_and_says_so() {
    for (id, fault, sees, result, reason) in ROWS {
        let kit = kit().await;
        kit.break_primary(fault);
        let got = kit.infer("price", &rows(&[[6.0, 1.0], [1.0, 1.0]])).await;
        let what = format!("{id} {fault}: {got:?}");
        assert_eq!((got.status, got.scores()), (200, vec![0.9, 0.1]), "the rules answer: {what}");
        assert_eq!((got.header("evenkeel-tier"), got.header("evenkeel-degraded")), ("1", "true"), "{what}");
        assert_eq!(got.header("evenkeel-reason"), *reason, "{what}");
        let record = kit.record(&got).await;
        assert_eq!(record["attempts"][0]["result"], *result, "{what}: {record}");
        assert_eq!(attempts(&kit).await, *sees, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tn_07_oip_20_an_output_that_was_wanted_and_did_not_come_is_the_targets_fault() {
    let kit = kit().await;
    kit.break_primary("{fault: output_missing}");
    let mut body = rows(&[[6.0, 1.0]]);
    body["outputs"] = json!([{"name": "score"}, {"name": "label"}]);
    let got = kit.infer("free", &body).await;
    assert_eq!((got.header("evenkeel-tier"), got.header("evenkeel-reason")), ("1", "OUTPUT_INVALID"), "{got:?}");
    assert_eq!(got.json()["outputs"].as_array().map(Vec::len), Some(2), "{got:?}");
    assert_eq!(kit.record(&got).await["attempts"][0]["result"], "target.output_missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_002_a_servers_verdict_on_the_request_is_the_clients_to_read() {
    let kit = kit().await;
    kit.break_primary("{fault: status, status: 400, message: \"rooms are wrong\"}");
    let got = kit.infer("free", &rows(&[[1.0, 1.0]])).await;
    assert_eq!((got.status, got.json()["error"].as_str()), (400, Some("rooms are wrong")), "{got:?}");
    assert_eq!(kit.record(&got).await["attempts"][0]["result"], "caller.caller_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_30_up_11_f_043_a_connection_that_was_kept_and_is_gone_costs_nothing() {
    for how in ["rst", "fin"] {
        let kit = kit().await;
        kit.break_primary(&format!("{{fault: reset_reused, how: {how}}}"));
        let ask = async || kit.infer("price", &rows(&[[1.0, 1.0]])).await;
        let check = |got: &Got| assert_eq!((got.header("evenkeel-tier"), got.scores()), ("0", vec![0.25]), "{got:?}");
        kit.meet_stale_connections("price", ask, check).await;
    }
}

/// Inferences that the primary has seen; looks at health and metadata are not counted.
async fn attempts(kit: &Kit) -> usize {
    kit.seen_by_primary().await.iter().filter(|it| it.model == "price model").count()
}
