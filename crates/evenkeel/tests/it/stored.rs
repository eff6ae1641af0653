//! Decisions that are stored: by a gateway that runs, and read without one.

use std::{fs, io::Write as _, path::Path};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

use crate::process::{Serving, evenkeel, evenkeel_with, until};

const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "ADMIN"}
decisions: {keep: KEEP}
routes:
  chat: {protocol: openai-chat, tiers: [{name: default, fixed: {content: "Later."}}]}
"#;

/// The configuration with an admin address, which keeps what is stored as long as can be said.
fn config(admin: &str) -> String {
    CONFIG.replace("ADMIN", admin).replace("KEEP", "366d")
}

/// Writes a segment as the data plane does: a line of an ordinary answer, and the record of another.
fn segment(data: &Path) {
    let common = |id: &str, time: &str, reason: &str| {
        json!({"id": id, "time": time, "route": "score", "revision": "sha256:0123456789ab", "operation": "infer", "phase": "normal",
            "reason": reason})
    };
    let with = |mut it: Value, more: Value| {
        it.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        it
    };
    let line = with(
        common("01LINE", "2026-11-23T08:00:00Z", "PRIMARY_HEALTHY"),
        json!({
            "schema": "evenkeel.decision-line/v1", "tier": 0, "method": "primary", "degraded": false, "end": "answered", "status": 200,
            "latency_us": 7_000, "attempts": 1,
        }),
    );
    let whole = with(
        common("01WHOLE", "2026-11-23T08:00:01Z", "UPSTREAM_5XX"),
        json!({
            "schema": "evenkeel.decision/v1", "trace": null, "protocol": "oip", "core_version": "0.1.0", "episode": null, "deadline_ms": 300,
            "inputs": [], "attempts": [],
            "candidates": [{"tier": 1, "method": "rules", "path": "rules", "verdict": "selected", "reasons": ["NEXT_ELIGIBLE_TIER"]}],
            "outcome": {"tier": 1, "method": "rules", "path": "rules", "degraded": true, "end": "answered", "status": 200, "latency_us": 9_000},
            "explanation": "Answered by tier 1 (rules, rules): server error.",
        }),
    );
    let folder = data.join("instances/i9/decisions");
    fs::create_dir_all(&folder).expect("made");
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    [line, whole].iter().for_each(|it| writeln!(encoder, "{it}").expect("written"));
    fs::write(folder.join(format!("{:020}.jsonl.gz", 1)), encoder.finish().expect("ended")).expect("written");
}

fn decisions(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = evenkeel(&[&["decisions"], arguments].concat());
    let text = |it: &[u8]| String::from_utf8_lossy(it).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_gateway_stores_what_is_on_disk_and_what_it_stored_is_read_without_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("evenkeel.yaml");
    fs::write(&file, config("127.0.0.1:0")).expect("written");
    let data = folder.path().join("evenkeel-data");
    segment(&data);
    let serving = Serving::start(&file);
    let admin = format!("http://{}", serving.admin);
    let shown = until("the stored decision", || {
        let (code, shown, _) = decisions(&["show", "01LINE", "--url", &admin]);
        (code == Some(0)).then_some(shown)
    });
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["schema"], "evenkeel.decision-line/v1");
    let (code, lines, _) = decisions(&["list", "--url", &admin, "--route", "score"]);
    let ids: Vec<_> = lines.lines().filter_map(|line| line.split("  ").next()).collect();
    assert_eq!((code, ids), (Some(0), vec!["01WHOLE", "01LINE"]), "{lines}");
    let standing = crate::process::get(serving.admin, "/api/v1/standing");
    assert_eq!(standing["store"]["engine"], "sqlite", "{standing}");
    drop(serving);

    // Nobody listens there any more.
    fs::write(&file, config("127.0.0.1:1")).expect("written");
    let (store, config) = (data.join("evenkeel.db"), file.to_str().expect("text"));
    let store = store.to_str().expect("text");
    for place in [["--store", store], ["-c", config]] {
        let list = |more: &[&str]| {
            let (code, lines, said) = decisions(&[&["list"], &place[..], more].concat());
            let ids: Vec<_> = lines.lines().filter_map(|line| Some(line.split("  ").next()?.to_owned())).collect();
            (code, ids.join(" "), said)
        };
        let found = |more: &[&str]| (list(more).0, list(more).1);
        assert_eq!(found(&["--route", "score"]), (Some(0), "01WHOLE 01LINE".into()));
        assert_eq!(found(&["--tier", "1"]), (Some(0), "01WHOLE".into()));
        assert_eq!(found(&["--degraded"]), (Some(0), "01WHOLE".into()));
        assert_eq!(found(&["--reason", "PRIMARY_HEALTHY"]), (Some(0), "01LINE".into()));
        assert_eq!(found(&["--from", "2026-11-23T08:00:01Z"]), (Some(0), "01WHOLE".into()));
        assert_eq!(found(&["--to", "2026-11-23T08:00:01Z"]), (Some(0), "01LINE".into()));
        assert_eq!(found(&["--status", "503"]), (Some(1), String::new()));
        let (_, first, said) = list(&["--last", "1", "--route", "score"]);
        let next =
            said.lines().find_map(|it| it.split_once("older ones: --before ")).expect("there is more").1.to_owned();
        assert_eq!(first, "01WHOLE");
        assert_eq!(found(&["--before", &next]), (Some(0), "01LINE".into()));
        let (code, words, _) = decisions(&["explain", "01LINE", place[0], place[1]]);
        let expected = "Answered by tier 0 (primary): PRIMARY_HEALTHY.\nStatus 200 after 7.0 ms, 1 attempt.\nOnly this line was kept";
        assert!(code == Some(0) && words.contains(expected), "{words}");
        let (code, words, _) = decisions(&["explain", "01WHOLE", place[0], place[1]]);
        assert!(code == Some(0) && words.contains("Answered by tier 1 (rules, rules): server error."), "{words}");
        assert_eq!(decisions(&["show", "01NOBODY", place[0], place[1]]).0, Some(1));
    }
    let (_, _, said) = decisions(&["list", "-c", config]);
    assert!(said.contains("nobody answers at http://127.0.0.1:1: this is what "), "{said}");
}

#[test]
fn g_092_decisions_are_stored_as_long_as_decisions_keep_says_and_another_one_holds_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("evenkeel.yaml");
    fs::write(&file, config("127.0.0.1:0")).expect("written");
    segment(&folder.path().join("evenkeel-data"));
    let serving = Serving::start(&file);
    let admin = format!("http://{}", serving.admin);
    let found = || decisions(&["list", "--url", &admin, "--route", "score"]).0;
    until("the stored decisions", || (found() == Some(0)).then_some(()));
    // They are of another day.
    fs::write(&file, config("127.0.0.1:0").replace("366d", "1h")).expect("written");
    until("that they are gone", || (found() == Some(1)).then_some(()));
}

#[test]
fn a_store_that_cannot_be_meant_is_told_without_its_password() {
    let folder = tempfile::tempdir().expect("a folder");
    let nowhere = folder.path().join("none.db");
    let (code, _, said) = decisions(&["list", "--store", nowhere.to_str().expect("text")]);
    assert!(code == Some(2) && said.contains("none.db") && !nowhere.exists(), "{said}");
    for url in ["postgres://me:hush@127.0.0.1:1/x", "postgres://me:hush@127.0.0.1:1/x?pass=hush"] {
        let output = evenkeel_with(
            &["decisions", "list", "--store", "${env:EVENKEEL_TEST_STORE}"],
            &[("EVENKEEL_TEST_STORE", url)],
        );
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && !said.contains("hush"), "{said}");
    }
    let (code, _, said) = decisions(&["list", "--store", "x.db", "--reason", "SLOW"]);
    assert!(code == Some(2) && said.contains("`reason` is a code"), "{said}");

    let file = folder.path().join("evenkeel.yaml");
    let config = config("127.0.0.1:0") + "store: \"${env:EVENKEEL_TEST_STORE}\"\n";
    fs::write(&file, config).expect("written");
    let checked = |url: &str| {
        let file = file.to_str().expect("text");
        let output = evenkeel_with(&["check", file], &[("EVENKEEL_TEST_STORE", url)]);
        (
            output.status.code(),
            [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned()).concat(),
        )
    };
    let (code, said) = checked("postgres://me:hush@db/x?timeout=hush");
    assert!(code == Some(1) && said.contains("unfit-store") && !said.contains("hush"), "{said}");
    assert_eq!(checked("postgres://me:hush@db/x").0, Some(0));
}

#[test]
fn where_nothing_is_stored_nobody_waits_for_it_and_the_api_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("evenkeel.yaml");
    fs::write(&file, config("127.0.0.1:0") + "store: off\n").expect("written");
    let data = folder.path().join("evenkeel-data");
    segment(&data);
    // It was read by a store that is off now: kept, it would hold back what may go.
    fs::create_dir_all(data.join("instances/i9/read")).expect("made");
    fs::write(data.join("instances/i9/read/store"), "{}").expect("written");
    let serving = Serving::start(&file);
    assert!(!data.join("instances/i9/read/store").exists());
    let (status, body) = crate::process::http(serving.admin, "GET", "/api/v1/decisions/01LINE", "");
    assert!(status == 404 && body.contains("`store: off`"), "{body}");
    assert!(!data.join("evenkeel.db").exists());
}
