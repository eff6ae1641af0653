//! What is kept on disk: it outlives `kill -9`, anybody can read it, and its lines are as many as there were requests.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use evenkeel_api::{
    Told,
    evidence::{Cursor, Members, Stream, segments},
};
use serde_json::{Value, json};

use crate::process::{Serving, evenkeel, get, http, until};

/// A route that is well, and one whose primary nobody listens for.
fn config(more: &str) -> String {
    format!(
        "version: 1\nserver: {{listen: \"127.0.0.1:0\", admin: \"127.0.0.1:0\", data_dir: kept}}\n{more}upstreams:\n  gone: \
         {{protocol: openai, url: \"http://127.0.0.1:9/v1\"}}\nroutes:\n  well:\n    protocol: openai-chat\n    tiers: [{{name: \
         first, fixed: {{content: \"yes\"}}}}]\n  ill:\n    protocol: openai-chat\n    tiers:\n      - {{name: big, openai: {{upstream: \
         gone, model: m}}}}\n      - {{name: default, fixed: {{content: later}}}}\n"
    )
}

/// Sends one chat with more headers; returns the status, none where it was not answered.
pub(crate) fn chat(address: SocketAddr, route: &str, headers: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(address).ok()?;
    let body = json!({"model": route, "messages": [{"role": "user", "content": "x"}]}).to_string();
    let (path, length) = ("/v1/chat/completions", body.len());
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n");
    stream.write_all([head, body].concat().as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}

/// The sum of what metrics say under this name, with these labels.
pub(crate) fn sum(metrics: &str, name: &str, label: &str) -> u64 {
    let lines = metrics.lines().filter(|line| line.split(['{', ' ']).next() == Some(name) && line.contains(label));
    lines.map(|line| line.rsplit(' ').next().and_then(|it| it.parse::<u64>().ok()).expect(line)).sum()
}

fn durable(serving: &Serving) -> u64 {
    sum(&http(serving.admin, "GET", "/metrics", "").1, "evenkeel_audit_durable_seq", "stream=\"decisions\"")
}

/// The bytes that wait for whoever reads them.
fn waiting(serving: &Serving) -> u64 {
    sum(&http(serving.admin, "GET", "/metrics", "").1, "evenkeel_audit_spool_bytes", "")
}

/// The whole lines of a stream, by their numbers, as our own reader finds them.
fn lines(instance: &Path, stream: Stream) -> Vec<(u64, Vec<u8>)> {
    let mut lines = Vec::new();
    for segment in segments(instance, stream).expect("read") {
        let bytes = segment.read().expect("read");
        Members::new(&bytes, segment.first).for_each(|it| lines.extend(it.lines().map(|(n, line)| (n, line.to_vec()))));
    }
    lines
}

/// The lines of the closed files of a folder, as gzip unpacks them.
fn unpacked(folder: PathBuf) -> Vec<Value> {
    let mut files: Vec<_> = fs::read_dir(folder).expect("there").map(|it| it.expect("an entry").path()).collect();
    files.sort();
    assert!(files.iter().all(|it| it.extension().is_some_and(|it| it == "gz")), "all are closed: {files:?}");
    let output = Command::new("gzip").arg("-dc").args(&files).output().expect("gzip runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[test]
fn da_01_g_096_what_was_acknowledged_outlives_kill_9_and_the_rest_is_a_declared_gap() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("e.yaml");
    fs::write(&file, config("")).expect("written");
    let instance = folder.path().join("kept/instances/i1");
    let mut known = 0;
    for round in 1..=3 {
        let serving = Serving::start(&file);
        let (data, stopped) = (serving.data, AtomicBool::new(false));
        let acknowledged = thread::scope(|scope| {
            for route in ["well", "ill"] {
                let stopped = &stopped;
                scope.spawn(move || {
                    while !stopped.load(Relaxed) {
                        chat(data, route, "");
                    }
                });
            }
            let acknowledged =
                until("some lines more", || Some(durable(&serving)).filter(|it| *it >= known + 20 * round));
            serving.signal("KILL");
            stopped.store(true, Relaxed);
            acknowledged
        });
        drop(serving);
        let found = lines(&instance, Stream::Decisions);
        assert!(found.len() as u64 >= acknowledged, "{} lines, {acknowledged} were acknowledged", found.len());
        assert!(
            found.iter().zip(1..).all(|((n, _), expected)| *n == expected),
            "no number is missing, none comes twice"
        );
        known = found.len() as u64;
    }
    let serving = Serving::start(&file);
    until("the gap", || (durable(&serving) == known).then_some(()));
    serving.signal("TERM");
    assert_eq!(serving.ended(), Some(0));
    let decisions = unpacked(instance.join("decisions"));
    assert_eq!(decisions.len() as u64, known);
    let ids: BTreeSet<_> = decisions.iter().map(|it| it["id"].as_str().expect("an id")).collect();
    assert_eq!(ids.len() as u64, known, "no request is there twice");
    let events = unpacked(instance.join("events"));
    let gaps: Vec<_> = events.iter().filter(|it| it["type"] == "audit.gap").collect();
    let unclean = gaps.iter().filter(|it| it["data"]["stream"] == "decisions" && it["data"]["why"] == "unclean_stop");
    let from: Vec<_> = unclean.map(|it| it["data"]["from"].as_u64().expect("a number")).collect();
    assert_eq!((from.len(), from.last()), (3, Some(&(known + 1))), "one for each stop: {gaps:?}");
    assert!(events.iter().zip(1..).all(|(it, n)| it["n"] == n), "{events:?}");
}

#[test]
fn g_112_every_request_is_kept_whole_or_in_a_line_and_the_counts_agree() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("e.yaml");
    fs::write(&file, config("decisions: {sample: 0}\n")).expect("written");
    let serving = Serving::start(&file);
    for _ in 0..9 {
        assert_eq!(chat(serving.data, "well", ""), Some(200));
    }
    assert_eq!(chat(serving.data, "well", "evenkeel-explain: full\r\n"), Some(200));
    assert_eq!(chat(serving.data, "well", "evenkeel-explain: all\r\n"), Some(400), "refused before it is admitted");
    for _ in 0..6 {
        assert_eq!(chat(serving.data, "ill", ""), Some(200));
    }
    assert_eq!(chat(serving.data, "ill", "evenkeel-accept: max-tier=0\r\n"), Some(503));
    // The next configuration is refused, the one behind it is not, and keeps all of them whole.
    fs::write(&file, "version: 7\n").expect("written");
    until("the refusal", || (!get(serving.admin, "/readyz")["rejected"].is_null()).then_some(()));
    fs::write(&file, config("")).expect("written");
    until("the new revision", || get(serving.admin, "/readyz")["rejected"].is_null().then_some(()));
    assert_eq!(chat(serving.data, "well", ""), Some(200));
    until("all of them", || (durable(&serving) == 18).then_some(()));
    let metrics = http(serving.admin, "GET", "/metrics", "").1;
    assert_eq!(sum(&metrics, "evenkeel_requests_total", ""), 18);
    assert_eq!(sum(&metrics, "evenkeel_audit_gap_total", ""), 0);
    until("store and audit log to have read all of it", || (waiting(&serving) == 0).then_some(()));
    let evidence = &get(serving.admin, "/api/v1/standing")["evidence"];
    assert_eq!(
        (&evidence["instance"], &evidence["streams"]["decisions"]["durable"]),
        (&json!("i1"), &json!(18)),
        "{evidence}"
    );
    serving.signal("TERM");
    assert_eq!(serving.ended(), Some(0));

    let instance = folder.path().join("kept/instances/i1");
    let decisions = unpacked(instance.join("decisions"));
    let of = |schema: &str, route: &str| {
        decisions.iter().filter(|it| it["schema"] == schema && it["route"] == route).cloned().collect::<Vec<_>>()
    };
    let [whole, line] = ["evenkeel.decision/v1", "evenkeel.decision-line/v1"].map(|it| [of(it, "well"), of(it, "ill")]);
    assert_eq!([&whole, &line].map(|it| it.each_ref().map(Vec::len)), [[2, 7], [9, 0]]);
    assert_eq!(
        (&line[0][0]["tier"], &line[0][0]["attempts"], &line[0][0]["degraded"]),
        (&json!(0), &json!(0), &json!(false))
    );
    for (_, line) in lines(&instance, Stream::Decisions) {
        let read: Told = serde_json::from_slice(&line).expect("it is read");
        let again = evenkeel_api::evidence::canonical(&read);
        assert_eq!(again.expect("it has a form"), line, "it is the form that is hashed");
    }
    let events = unpacked(instance.join("events"));
    let kinds: Vec<_> = events.iter().map(|it| it["type"].as_str().expect("a kind")).collect();
    let configured: Vec<_> = kinds.iter().filter(|it| it.starts_with("config.")).collect();
    assert_eq!(configured, [&"config.applied", &"config.rejected", &"config.applied"]);
    let moved = events.iter().find(|it| it["type"] == "route.transition").expect("the route has left its first tier");
    assert_eq!(
        (&moved["actor"], &moved["data"]["route"], &moved["data"]["to"]),
        (&json!("rule:breaker"), &json!("ill"), &json!(1))
    );
}

#[test]
fn f_160_a_reader_that_was_switched_off_is_waited_for_no_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("e.yaml");
    let instance = folder.path().join("kept/instances/i1");
    for (more, readers) in [("", ["audit", "store"].as_slice()), ("audit: {level: off}\nstore: off\n", &[])] {
        fs::write(&file, config(more)).expect("written");
        let serving = Serving::start(&file);
        let known = durable(&serving);
        assert_eq!(chat(serving.data, "well", ""), Some(200));
        until("the line", || (durable(&serving) > known).then_some(()));
        until("that nothing waits", || (waiting(&serving) == 0).then_some(()));
        serving.signal("TERM");
        assert_eq!(serving.ended(), Some(0));
        let cursors = Cursor::all(&instance).expect("read");
        let there: BTreeSet<_> = cursors.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(there, BTreeSet::from_iter(readers.iter().copied()), "{more}");
    }
}

#[test]
fn g_090_what_is_kept_ends_with_the_line_of_who_has_switched_it_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("e.yaml");
    fs::write(&file, config("audit: {level: off}\n")).expect("written");
    let serving = Serving::start(&file);
    assert_eq!(chat(serving.data, "well", ""), Some(200));
    fs::write(&file, config("audit: {level: off}\ndecisions: off\n")).expect("written");
    until("the new revision", || get(serving.admin, "/api/v1/standing")["evidence"].is_null().then_some(()));
    assert_eq!(chat(serving.data, "well", ""), Some(200));
    serving.signal("TERM");
    assert_eq!(serving.ended(), Some(0));
    let instance = folder.path().join("kept/instances/i1");
    assert_eq!(unpacked(instance.join("decisions")).len(), 1);
    let events = unpacked(instance.join("events"));
    let applied: Vec<_> = events.iter().filter(|it| it["type"] == "config.applied").collect();
    assert_eq!((applied.len(), events.last()), (2, applied.last().copied()), "{events:?}");
    assert_ne!(applied[0]["data"]["digest"], applied[1]["data"]["digest"]);
}

#[test]
fn g_090_where_the_spool_was_removed_and_the_audit_log_kept_every_line_is_still_entered_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("e.yaml");
    fs::write(&file, config("")).expect("written");
    let instances = folder.path().join("kept/instances");
    for (before, count) in [(0, 3), (3, 2)] {
        let serving = Serving::start(&file);
        (0..count).for_each(|_| assert_eq!(chat(serving.data, "well", ""), Some(200)));
        until("all of them", || (durable(&serving) == before + count).then_some(()));
        serving.signal("TERM");
        assert_eq!(serving.ended(), Some(0));
        let found = lines(&instances.join("i1"), Stream::Decisions);
        assert_eq!(found.iter().map(|it| it.0).collect::<Vec<_>>(), (before + 1..=before + count).collect::<Vec<_>>());
        fs::remove_dir_all(&instances).expect("removed");
    }
    let log = folder.path().join("kept/audit").display().to_string();
    let exported = evenkeel(&["audit", "export", "--log", &log, "--type", "decision.batch"]);
    let exported = String::from_utf8(exported.stdout).expect("text");
    let entries = exported.lines().filter_map(|it| serde_json::from_str::<Value>(it).ok());
    let entered: u64 = entries.filter_map(|it| it["entry"]["data"]["count"].as_u64()).sum();
    assert_eq!(entered, 5, "{exported}");
}

#[test]
fn f_160_a_folder_that_cannot_be_written_keeps_nobody_from_being_answered_and_off_keeps_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("e.yaml");
    fs::write(&file, config("audit: {level: off}\ndecisions: off\n")).expect("written");
    // A file stands where the folder should be. (With an audit log, which has no other place, no change would be applied: G-090.)
    fs::write(folder.path().join("kept"), "").expect("written");
    let serving = Serving::start(&file);
    assert_eq!(chat(serving.data, "well", ""), Some(200));
    assert!(get(serving.admin, "/api/v1/standing")["evidence"].is_null());
    fs::write(&file, config("audit: {level: off}\n")).expect("written");
    until("the new revision", || (!get(serving.admin, "/api/v1/standing")["evidence"].is_null()).then_some(()));
    assert_eq!(chat(serving.data, "well", ""), Some(200));
    let said = until("what is in the way", || {
        get(serving.admin, "/api/v1/standing")["evidence"]["trouble"].as_str().map(str::to_owned)
    });
    assert!(!said.is_empty());
    let errors: Vec<_> = serving.log().into_iter().filter(|it| it["target"] == "evenkeel::evidence").collect();
    assert_eq!(errors.len(), 1, "it is said once: {errors:?}");
    // Once it can be written, what waited is.
    fs::remove_file(folder.path().join("kept")).expect("removed");
    until("the line", || (durable(&serving) == 1).then_some(()));
    until("that all is well", || get(serving.admin, "/api/v1/standing")["evidence"]["trouble"].is_null().then_some(()));
}
