//! A model in this process that is replaced while it is asked: old requests end on the old file, new ones get the new, and
//! each record says which.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
};

use serde_json::Value;

use crate::process::{Serving, evenkeel, get, http, until};

const ROW: &str = r#"{"inputs": [{"name": "x", "datatype": "FP32", "shape": [2, 8], "data": [8.3, 41, 6.9, 1.02, 322, 2.5, 37.9, -122.2, 2.1, 20, 4, 1.1, 900, 3.5, 34.1, -118.3]}]}"#;

fn model(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/home-value").join(name)
}

fn configuration(more: &str) -> String {
    format!(
        "version: 1\nserver: {{listen: \"127.0.0.1:0\", admin: \"127.0.0.1:0\"}}\nroutes:\n  home:\n    protocol: oip\n    tiers:\n      - \
         {{name: model, onnx: {{file: m.onnx{more}}}}}\n"
    )
}

#[test]
fn f_161_a_model_is_swapped_while_it_is_asked_and_each_record_names_the_file_that_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    let (config, file) = (folder.path().join("evenkeel.yaml"), folder.path().join("m.onnx"));
    std::fs::write(&config, configuration(", threads: 2")).expect("written");
    std::fs::copy(model("distilled.onnx"), &file).expect("copied");
    let serving = Serving::start(&config);
    let ask = || {
        let (status, body) = http(serving.data, "POST", "/v2/models/home/infer", ROW);
        assert_eq!(status, 200, "{body}");
        let answer: Value = serde_json::from_str(&body).expect("JSON");
        let id = answer["parameters"]["evenkeel.decision"].as_str().expect("an id").to_owned();
        let record = get(serving.data, &format!("/v1/decisions/{id}"));
        let sha256 = record["attempts"][0]["model"]["sha256"].as_str().expect("its file").to_owned();
        assert!(record["attempts"][0]["model"]["signed_by"].is_null(), "nobody asks for a signature");
        (sha256, answer["outputs"][0]["data"].clone())
    };
    let old = ask();
    assert_eq!(old.0.len(), 64);
    let over = AtomicBool::new(false);
    let new = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = vec![ask()];
                    while !over.load(Ordering::Relaxed) {
                        seen.push(ask());
                    }
                    seen.push(ask());
                    seen
                })
            })
            .collect();
        // As a deployment replaces it: whole, by a rename.
        let beside = folder.path().join("new");
        std::fs::copy(model("primary.onnx"), &beside).expect("copied");
        std::fs::rename(&beside, &file).expect("replaced");
        let new = until("the new model", || Some(ask()).filter(|it| it.0 != old.0));
        over.store(true, Ordering::Relaxed);
        for client in clients {
            let seen = client.join().expect("no client fails");
            assert!(seen.iter().all(|it| *it == old || *it == new), "each is of one file, and told so: {seen:?}");
            assert_eq!(seen.last(), Some(&new));
        }
        new
    });
    assert_ne!(old.1, new.1, "another model answers otherwise");
}

#[test]
fn tn_13_a_model_with_another_checksum_or_a_signature_of_nobody_is_refused_before_it_serves() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("evenkeel.yaml");
    std::fs::copy(model("distilled.onnx"), folder.path().join("m.onnx")).expect("copied");
    // The key of RFC 8410, section 10.1.
    let key = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    std::fs::write(folder.path().join("key.pem"), key).expect("written");
    std::fs::write(folder.path().join("m.sig"), [7; 64]).expect("written");
    let refused = |more: &str, words: &str| {
        std::fs::write(&config, configuration(more)).expect("written");
        let checked = evenkeel(&["check", config.to_str().expect("text")]);
        let said = [checked.stdout, checked.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(!checked.status.success() && said.contains(words), "{said}");
    };
    refused(", sha256: \"00\"", "has the SHA-256");
    refused(", signature: m.sig, public_key: key.pem", "signs, or not with this `public_key`");
    refused(", signature: m.sig, public_key: m.onnx", "is not UTF-8");
}
