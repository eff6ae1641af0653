//! What texts mean: a reference that an encoder, or a column of vectors, has said it for; and the route that is held against it.

use serde_json::{Value, json};

use super::{Folder, err, out};
use crate::process::{Mocking, Serving, evenkeel, get, http};

const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams:
  models: {protocol: openai, url: "http://MODELS/v1"}
routes:
  help:
    protocol: openai-chat
    input: {reference: help.ref, text: {embeddings: {upstream: models, model: embed, timeout: 5s}}}
    guards: {anomaly: off, distance: {false_alarm_rate: 0.01, then: {start_at: person}}}
    tiers:
      - {name: primary, openai: {upstream: models, model: large}}
      - {name: person, fixed: {content: "A person will look at it."}}
"#;

const WORDS: [&str; 8] = ["invoice", "refund", "card", "payment", "order", "parcel", "address", "delivery"];

/// A line for each question, with what it means.
fn questions(rows: std::ops::Range<u64>, vector: impl Fn(u64) -> Value) -> String {
    let line = |row: u64| {
        let question = format!("help me with my customer account question about {}", WORDS[row as usize % WORDS.len()]);
        json!({"question": question, "vector": vector(row)}).to_string() + "\n"
    };
    rows.map(line).collect()
}

fn asked(serving: &Serving, question: &str) -> (Value, String) {
    let body = json!({"model": "help", "messages": [{"role": "user", "content": question}]});
    let (status, answer) = http(serving.data, "POST", "/v1/chat/completions", &body.to_string());
    assert_eq!(status, 200, "{answer}");
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let id = answer["evenkeel"]["decision"].as_str().expect("an id").to_owned();
    (get(serving.data, &format!("/v1/decisions/{id}")), id)
}

#[test]
fn a_reference_knows_what_its_texts_mean_and_a_far_one_starts_at_the_tier_that_takes_it() {
    let (folder, models) = (Folder::new(), Mocking::start(&[]));
    folder.write("asked.jsonl", questions(0..1_600, |_| Value::Null));
    folder.write("evenkeel.yaml", CONFIG.replace("MODELS", &models.models.to_string()));
    let url = format!("http://{}/v1", models.models);
    let build = ["@asked.jsonl", "-o", "@help.ref", "--route", "help", "--text", "question", "--drop", "vector"];
    let made =
        folder.json(&[&build[..], &["--embeddings", &url, "--model", "embed", "--false-alarm-rate", "0.01"]].concat());
    let column =
        made["header"]["schema"].as_array().expect("a list").iter().find(|it| it["role"] == "meaning").expect("there");
    assert_eq!(column["meaning"], json!({"of": "question", "model": "embed"}), "{column}");
    assert_eq!((&column["name"], &made["distance"]), (&json!("question.meaning"), &json!("thin")), "{made}");
    let shown = out(&folder.profile(&["show", "@help.ref"]));
    assert!(shown.contains("distance of what texts mean, by `embed`, at a false-alarm rate of 0.01: thin"), "{shown}");
    // What they mean is asked again, so that other rows lack nothing.
    let compared = folder.json(&["show", "@help.ref", "--against", "@asked.jsonl"]);
    assert_eq!(compared["missing_columns"], json!([]), "{compared}");

    let config = folder.path("evenkeel.yaml");
    let check = |text: &str| {
        folder.write("evenkeel.yaml", text.replace("MODELS", &models.models.to_string()));
        evenkeel(&["check", config.to_str().expect("text")])
    };
    let refused = check(&CONFIG.replace("model: embed", "model: other"));
    assert!(refused.status.code() != Some(0), "{}", err(&refused));
    let words = out(&refused) + &err(&refused);
    assert!(words.contains("the reference was made with the model `embed`"), "{words}");
    let taken = check(CONFIG);
    assert_eq!(taken.status.code(), Some(0), "{} {}", out(&taken), err(&taken));

    let serving = Serving::start(&config);
    let (usual, _) = asked(&serving, "help me with my customer account question about parcel");
    assert_eq!(usual["outcome"]["tier"], 0, "{usual}");
    let (far, id) = asked(&serving, "dragon castle wizard sword potion tower");
    assert_eq!((&far["outcome"]["tier"], &far["reason"]), (&json!(1), &json!("OUT_OF_DISTRIBUTION")), "{far}");
    let admin = format!("http://{}", serving.admin);
    let told = out(&evenkeel(&["decisions", "explain", &id, "--url", &admin]));
    assert!(told.contains("or less is far (in breach; such a request starts at person)"), "{told}");
}

#[test]
fn a_column_of_vectors_says_what_texts_mean_in_place_of_a_server() {
    let folder = Folder::new();
    let vector = |row: u64| json!([1.0, (row * 7_919 % 1_009) as f64 / 1_009.0]);
    folder.write("asked.jsonl", questions(0..1_200, vector));
    let build = ["@asked.jsonl", "-o", "@help.ref", "--text", "question", "--vectors", "vector", "--model", "embed"];
    let made = folder.json(&build);
    let schema = made["header"]["schema"].as_array().expect("a list");
    let is = |it: &Value| (it["name"].clone(), it["role"].clone(), it["kind"].clone());
    assert_eq!(
        schema.iter().map(is).collect::<Vec<_>>(),
        [(json!("question"), json!("input"), json!("text")), (json!("vector"), json!("meaning"), json!({"vector": 2})),]
    );
    // Of the same columns as before, it is said anew who knows what they mean, or nobody does.
    let plain = folder.json(&["@asked.jsonl", "-o", "@plain.ref", "--schema", "@help.ref"]);
    assert_eq!((plain["header"]["schema"].as_array().map(Vec::len), &plain["distance"]), (Some(1), &Value::Null));
    let again =
        ["@asked.jsonl", "-o", "@again.ref", "--schema", "@help.ref", "--vectors", "vector", "--model", "embed"];
    assert_eq!(folder.json(&again)["header"]["schema"], made["header"]["schema"]);
}

#[test]
fn a_server_that_fails_and_texts_that_are_not_one_leave_no_file() {
    let (folder, models) = (Folder::new(), Mocking::start(&[]));
    folder.write("asked.jsonl", questions(0..200, |_| json!([1.0, 0.5])));
    folder.write("two.csv", "a,b,c\nhow is it,where is it,1\nhow was it,where was it,2\n");
    let url = format!("http://{}/v1", models.models);
    let text = ["@asked.jsonl", "-o", "@no.ref", "--text", "question"];
    let by = ["--embeddings", &url, "--model", "embed"];
    let fails = |arguments: &[&[&str]], words: &str| {
        let output = folder.profile(&arguments.concat());
        assert!(output.status.code() == Some(2) && err(&output).contains(words), "{arguments:?}: {}", err(&output));
        assert!(!folder.path("no.ref").exists(), "{arguments:?}");
    };
    fails(&[&text, &["--embeddings", "http://127.0.0.1:1/v1", "--model", "embed"]], "cannot ask what texts mean");
    fails(&[&text, &["--embeddings", "https://x/v1", "--model", "embed"]], "does not begin with http://");
    fails(&[&text, &["--embeddings", &url]], "--model");
    fails(&[&text, &["--model", "embed"]], "add --embeddings URL, or --vectors COLUMN");
    fails(&[&text, &["--vectors", "nosuch", "--model", "embed"]], "there is no column `nosuch`");
    fails(&[&text, &["--vectors", "question", "--model", "embed"]], "it holds no lists of numbers");
    fails(&[&text, &by, &["--private", "question"]], "`question` is private");
    fails(&[&["@two.csv", "-o", "@no.ref", "--text", "a,b"], &by], "there are `a`, `b`: --drop the others");
    fails(&[&["@two.csv", "-o", "@no.ref", "--drop", "a,b"], &by], "no input is a text");
    // It says what the first one means, and then nothing more.
    let broken = r#"[{"times": 1, "fault": "latency", "ms": 0}, {"fault": "status", "status": 500}]"#;
    let (status, said) = http(models.control, "PUT", "/mock/faults", broken);
    assert!(status < 300, "{said}");
    fails(&[&text, &by, &["--drop", "vector"]], "cannot ask what texts mean");
}
