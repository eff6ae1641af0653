//! Batches in which much of some rows is imputed: which of them decides where the batch starts (OIP-35).

use super::*;

/// Of customer 1 all is known, of customer 2 nothing.
async fn judged(rule: &str) -> (Feast, Kit) {
    let feast = Feast::start(&[(1, 7, 12.5, 60)]).await;
    let output = "    output: {tensors: {score: {datatype: FP32}}}\n    enrich:\n";
    let config = CONFIG.replace("    enrich:\n", output);
    let config =
        config.replace("timeout: 300ms", &format!("timeout: 300ms\n      max_imputed: 0.5\n      rows: {rule}"));
    let kit = over(&feast, &config).await;
    (feast, kit)
}

async fn ask(kit: &Kit, customers: &[i64]) -> Got {
    let values: Vec<_> = (0..customers.len()).map(|at| json!([at, null, null])).collect();
    kit.infer("fraud", &rows(customers, &json!(values))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_35_f_037_the_row_that_decides_is_that_of_the_rule() {
    for (rule, customers, tier) in [
        ("any", &[1, 1, 1][..], "0"),
        ("any", &[1, 2, 1], "1"),
        ("all", &[2, 2, 1], "0"),
        ("all", &[2, 2, 2], "1"),
        ("{fraction: 0.5}", &[1, 2, 1], "0"),
        ("{fraction: 0.5}", &[2, 2, 1], "1"),
        ("split", &[1, 1, 1], "0"),
        ("split", &[2, 2, 2], "1"),
    ] {
        let (_feast, kit) = judged(rule).await;
        let got = ask(&kit, customers).await;
        assert_eq!((got.status, got.header("evenkeel-tier")), (200, tier), "{rule} {customers:?}: {got:?}");
        let score = if tier == "0" { 0.25 } else { 0.5 };
        assert_eq!(got.scores(), vec![score; 3], "{rule} {customers:?}");
        assert_eq!(got.json()["parameters"].get("evenkeel.row_tiers"), None, "nothing was split");
        if tier == "1" {
            assert_eq!(got.header("evenkeel-reason"), "FEATURE_MISSING");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_35_f_037_a_split_batch_starts_row_by_row() {
    let (_feast, kit) = judged("split").await;
    let got = ask(&kit, &[1, 2, 1, 2]).await;
    assert_eq!(
        (got.status, got.header("evenkeel-tier"), got.header("evenkeel-degraded")),
        (200, "1", "true"),
        "{got:?}"
    );
    assert_eq!(got.scores(), [0.25, 0.5, 0.25, 0.5]);
    let parameters = got.json()["parameters"].clone();
    assert_eq!(parameters["evenkeel.row_tiers"], "0,1,0,1");
    assert_eq!(parameters["evenkeel.row_reasons"], ",FEATURE_MISSING,,FEATURE_MISSING");
    assert_eq!(parameters["evenkeel.reason"], "FEATURE_MISSING");
    assert_eq!(sent(&kit).await["inputs"][0]["data"], json!([0.0, 7.0, 12.5, 2.0, 7.0, 12.5]), "and no others");
    let record = kit.record(&got).await;
    assert_eq!(record["attempts"][0]["rows"], json!({"asked": 2, "kept": 2}));
    assert_eq!(record["attempts"][0]["result"], "ok_part");
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_35_oip_36_the_rows_of_a_sequence_stay_together() {
    let (_feast, kit) = judged("split").await;
    let mut body = rows(&[1, 2], &json!([[0, null, null], [1, null, null]]));
    body["parameters"] = json!({"sequence_id": 7, "sequence_start": true});
    let got = kit.infer("fraud", &body).await;
    assert_eq!((got.status, got.scores().len()), (200, 2), "{got:?}");
    assert_eq!(got.json()["parameters"].get("evenkeel.row_tiers"), None, "nothing was split: {got:?}");
}
