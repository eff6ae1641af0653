//! Request bodies near the limit of all of them (PR-04).

use std::{collections::BTreeMap, path::Path};

use serde_json::json;

use crate::client::{CONFIG, Kit};

/// A chat request of about so many bytes.
fn body(bytes: usize) -> String {
    json!({"model": "chat", "messages": [{"role": "user", "content": "x".repeat(bytes)}]}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn f_087_pr_04_models_get_no_more_of_the_memory_than_their_part_and_nobody_more_than_all() {
    let config = CONFIG.replace("max_body: 1MiB", "max_body: 100KiB, body_bytes: 100KiB");
    let kit = Kit::of(&config, Path::new("."), BTreeMap::new()).await;
    kit.break_primary("{fault: latency, ms: 1500}");
    let ask = async |bytes| kit.post("/v1/chat/completions", body(bytes), &[]).await;
    // One is with the primary for a moment; whoever comes then finds little room, or none.
    let first = async {
        let got = ask(70 << 10).await;
        assert_eq!((got.status, got.header("evenkeel-tier")), (200, "0"));
    };
    let others = async {
        while kit.big.log().is_empty() {
            tokio::task::yield_now().await;
        }
        let got = ask(10 << 10).await;
        assert_eq!((got.status, got.header("evenkeel-tier")), (200, "2"), "the default has its reserve");
        assert_eq!(got.header("evenkeel-reason"), "CAPACITY_EXHAUSTED");
        let got = ask(40 << 10).await;
        assert_eq!((got.status, got.json()["error"]["code"].as_str()), (503, Some("overloaded")));
        assert!(!got.header("retry-after").is_empty());
    };
    tokio::join!(first, others);
    let metrics = kit.gateway.metrics();
    assert!(metrics.contains("evenkeel_refused_before_admission_total{kind=\"body_bytes\"} 1"), "{metrics}");
    let got = ask(10 << 10).await;
    assert_eq!(got.header("evenkeel-tier"), "0", "all of it was given back");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_087_counted_are_the_bytes_that_clients_sent_and_not_their_copies() {
    let config = CONFIG.replace("max_body: 1MiB", "max_body: 100KiB, body_bytes: 100KiB");
    let kit = Kit::of(&config, Path::new("."), BTreeMap::new()).await;
    kit.break_primary("{fault: latency, ms: 800}");
    let ask = async |bytes| kit.post("/v1/chat/completions", body(bytes), &[]).await;
    let first = async { assert_eq!(ask(60 << 10).await.header("evenkeel-tier"), "0") };
    let second = async {
        while kit.big.log().is_empty() {
            tokio::task::yield_now().await;
        }
        // An attempt holds a copy of the first with another name in it: with that, more than all would be in use.
        assert_eq!(ask(10 << 10).await.header("evenkeel-tier"), "0", "70 of 100 KiB");
        assert_eq!(kit.big.log().len(), 2);
    };
    tokio::join!(first, second);
}
