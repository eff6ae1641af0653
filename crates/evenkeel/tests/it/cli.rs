//! The command line: what it prints, and its exit codes 0, 1, 2.

use serde_json::Value;

use crate::process::evenkeel;

/// Ten mistakes of ten kinds.
pub(crate) const TEN_MISTAKES: &str = r#"version: 1
server: {listen: "here", drain: 30}
upstreams:
  big: {protocol: openai, url: "ftp://x"}
  small: {protocol: openai, url: "http://y", api_key: "${env:EVENKEEL_NO_SUCH_VARIABLE}"}
routes:
  chat:
    protocol: openai-chat
    tiers:
      - {name: primary, openai: {upstream: bigg, model: m}, stal: 5s}
      - {name: primary, openai: {upstream: small, model: m}}
      - {name: last, fixed: {content: "ok"}, first_token: 5 seconds, breaker: {ramp: [0.5, 0.2]}, retries: 99}
"#;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn check_prints_ten_diagnostics_for_ten_mistakes_each_with_line_and_hint() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("e.yaml");
    std::fs::write(&file, TEN_MISTAKES).expect("written");
    let path = file.to_str().expect("text");
    let output = evenkeel(&["check", path]);
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    let errors: Vec<&str> = printed.lines().filter(|line| line.contains(": error[")).collect();
    assert_eq!(errors.len(), 10, "{printed}");
    assert!(errors.iter().all(|line| line.starts_with(&format!("{path}:"))), "{printed}");
    assert_eq!(printed.matches("    hint: ").count(), 10, "{printed}");
    assert!(printed.contains(":10:") && printed.contains("did you mean `stall`?"), "{printed}");

    let output = evenkeel(&["check", path, "--json"]);
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&json["ok"], json["diagnostics"].as_array().map(Vec::len)), (&false.into(), Some(10)));
    for it in json["diagnostics"].as_array().expect("a list") {
        for key in ["code", "severity", "file", "line", "column", "key", "message", "hint"] {
            assert!(!it[key].is_null(), "{key} in {it}");
        }
    }
}

#[test]
fn the_example_passes_its_own_check_and_the_schema_is_one() {
    let example = evenkeel(&["config", "example"]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("e.yaml");
    std::fs::write(&file, &example.stdout).expect("written");
    let output = evenkeel(&["check", file.to_str().expect("text")]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let schema: Value = serde_json::from_slice(&evenkeel(&["config", "schema"]).stdout).expect("JSON");
    assert!(schema["properties"]["routes"].is_object() && schema["$schema"].is_string());
}

#[test]
fn what_cannot_be_done_exits_with_2() {
    let folder = tempfile::tempdir().expect("a folder");
    let bad = folder.path().join("bad.yaml");
    std::fs::write(&bad, "version: 1\nroutes: {}\n").expect("written");
    let bad = bad.to_str().expect("text");
    for arguments in [
        &["check", "/nowhere/e.yaml"][..],
        &["serve", "-c", "/nowhere/e.yaml"],
        &["serve", "-c", bad],
        &["mock", "--faults", "/nowhere/f.yaml"],
        &["demo", "--for", "soon"],
        // Promised with the console; what would do nothing is not accepted.
        &["demo", "--no-console"],
        &["nonsense"],
        &[],
    ] {
        let output = evenkeel(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
        assert!(!output.stderr.is_empty(), "{arguments:?} says why");
    }
}

#[test]
fn warnings_pass_unless_they_are_denied_and_one_is_not_several() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("e.yaml");
    let path = file.to_str().expect("text");
    let tiers = |tiers: &str| {
        let upstream = "version: 1\nupstreams: {big: {protocol: openai, url: \"http://127.0.0.1:1/v1\"}}\n";
        std::fs::write(&file, format!("{upstream}routes: {{chat: {{protocol: openai-chat, tiers: [{tiers}]}}}}\n"))
            .expect("written");
    };
    let run = |arguments: &[&str]| {
        let output = evenkeel(&[&["check", path], arguments].concat());
        (output.status.code(), text(&output.stdout))
    };
    tiers("{name: primary, openai: {upstream: big, model: m}}");
    let (code, printed) = run(&[]);
    assert!(code == Some(0) && printed.contains("warning[last-tier-can-fail]"), "{printed}");
    assert!(printed.contains(": fine (1 route, sha256:"), "{printed}");
    let (code, printed) = run(&["--deny-warnings"]);
    assert!(code == Some(1) && printed.ends_with(": 1 warning, denied\n"), "{printed}");
    let (code, printed) = run(&["--deny-warnings", "--json"]);
    assert!(code == Some(1) && printed.contains("\"ok\":false"), "{printed}");
    tiers("{name: a, openai: {upstream: big, model: m}}, {name: b, fixed: {content: x}}");
    assert_eq!(run(&["--deny-warnings"]).0, Some(0));
    tiers("{name: primary, openai: {upstream: bigg, model: m}}");
    let (code, printed) = run(&[]);
    assert!(code == Some(1) && printed.ends_with(": 1 error\n"), "{printed}");
}

#[test]
fn an_address_that_is_taken_is_told_once() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("bound").to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("e.yaml");
    let path = file.to_str().expect("text");
    let serve = |listen: &str, admin: &str| {
        let routes = "routes: {chat: {protocol: openai-chat, tiers: [{name: a, fixed: {content: x}}]}}";
        let server = format!("version: 1\nserver: {{listen: \"{listen}\", admin: \"{admin}\"}}\n{routes}\n");
        std::fs::write(&file, server).expect("written");
        evenkeel(&["serve", "-c", path])
    };
    for output in [
        serve(&taken, "127.0.0.1:0"),
        serve("127.0.0.1:0", &taken),
        evenkeel(&["mock", "--listen", &taken]),
        evenkeel(&["mock", "--listen", "127.0.0.1:0", "--control", &taken]),
    ] {
        let said = text(&output.stderr);
        let last = said.lines().last().unwrap_or_default();
        let expected = format!("evenkeel: cannot start: listen on {taken}: Address already in use (os error 98)");
        assert_eq!((output.status.code(), last), (Some(2), expected.as_str()), "{said}");
    }
}

#[test]
fn help_says_what_a_user_looks_for_there() {
    for (arguments, words) in [
        (&["--help"][..], "EVENKEEL_LOG"),
        (&["serve", "--help"], "EVENKEEL_LOG"),
        (&["mock", "--help"], "docs/guides/mock.md"),
        (&["mock", "--help"], "--control <ADDRESS>"),
        (&["simulate", "--help"], "Exit code 0"),
        (&["demo", "--help"], "from 20s to 60m"),
        (&["check", "--help"], "--deny-warnings"),
    ] {
        let output = evenkeel(arguments);
        let printed = text(&output.stdout);
        assert!(output.status.success() && printed.contains(words), "{arguments:?} without {words}: {printed}");
    }
}

#[test]
fn who_stops_reading_is_told_nothing_and_no_verb_panics() {
    let folder = tempfile::tempdir().expect("a folder");
    let wrong = folder.path().join("e.yaml");
    std::fs::write(&wrong, TEN_MISTAKES).expect("written");
    let wrong = wrong.to_str().expect("text");
    let scenarios = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let plain = scenarios.join("plain.yaml");
    let plain = plain.to_str().expect("text");
    let small = folder.path().join("small.yaml");
    std::fs::write(
        &small,
        "version: 1\nroutes: {r: {protocol: openai-chat, tiers: [{name: t, fixed: {content: x}}]}}\n",
    )
    .expect("written");
    let [documents, index, questions] = ["documents", "index", "questions.jsonl"]
        .map(|name| folder.path().join(name).to_str().expect("text").to_owned());
    std::fs::create_dir(&documents).expect("made");
    std::fs::write(format!("{documents}/a.md"), "---\nverified_at: 2026-01-01\n---\n# Parcels\n\nThey come by noon.\n")
        .expect("written");
    std::fs::write(format!("{documents}/b.jsonl"), "no JSON\n").expect("written");
    std::fs::write(&questions, "{\"question\": \"when do parcels come\", \"documents\": [\"a\"]}\n").expect("written");
    // What a verb has found out is its exit code, whoever reads it.
    for (arguments, code) in [
        (&["config", "example"][..], 0),
        (&["config", "schema"], 0),
        (&["check", small.to_str().expect("text")], 0),
        (&["check", wrong], 1),
        (&["check", wrong, "--json"], 1),
        (&["simulate", plain], 0),
        (&["simulate", plain, "--json"], 0),
        (&["simulate", plain, "--seeds", "2"], 0),
        (&["simulate", plain, "--seeds", "2", "--json"], 0),
        (&["simulate", "--help"], 0),
        (&["index", "build", &documents, "-o", &index, "--json"], 1),
        (&["index", "search", &index, "parcels"], 0),
        (&["index", "search", &index, "parcels", "--json"], 0),
        (&["index", "measure", &index, &questions], 0),
        (&["index", "measure", &index, &questions, "--json"], 0),
    ] {
        for both in [false, true] {
            let closed = || {
                let (reader, writer) = std::io::pipe().expect("a pipe");
                drop(reader);
                writer
            };
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_evenkeel"));
            command.args(arguments).stdout(closed());
            if both {
                command.stderr(closed());
            }
            let output = command.output().expect("the binary runs");
            let told = text(&output.stderr);
            assert_eq!((output.status.code(), told.as_str()), (Some(code), ""), "{arguments:?}, both: {both}");
        }
    }
}
