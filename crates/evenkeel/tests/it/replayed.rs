//! What enters the core of a gateway that serves is on disk, and the same follows when it is read again.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
};

use serde_json::{Value, json};

use crate::{
    evidence::{chat, sum},
    process::{Mocking, Serving, evenkeel, get, http, until},
};

/// Clients that ask at once.
const CLIENTS: usize = 4;

fn config(models: &str, more: &str, deadline: &str) -> String {
    format!(
        "version: 1\nserver: {{listen: \"127.0.0.1:0\", admin: \"127.0.0.1:0\", data_dir: kept}}\n{more}upstreams:\n  models: {{protocol: \
         openai, url: \"http://{models}/v1\"}}\nroutes:\n  chat:\n    protocol: openai-chat\n    deadline: {deadline}\n    shadow: {{share: \
         0.2}}\n    tiers:\n      - {{name: big, openai: {{upstream: models, model: large}}, first_token: 300ms, breaker: {{open: 1s, \
         open_max: 1s}}}}\n      - {{name: small, openai: {{upstream: models, model: small}}}}\n      - {{name: default, fixed: {{content: \
         later}}}}\n"
    )
}

fn metric(serving: &Serving, name: &str, label: &str) -> u64 {
    sum(&http(serving.admin, "GET", "/metrics", "").1, name, label)
}

fn switch(models: &Mocking, faults: &Value) {
    assert_eq!(http(models.control, "PUT", "/mock/faults", &faults.to_string()).0, 200);
}

/// Replays a log; returns the exit code and what is said.
fn replayed(log: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = evenkeel(&[&["replay", log.to_str().expect("text"), "--json"], arguments].concat());
    let said = serde_json::from_slice(&output.stdout);
    (output.status.code(), said.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr))))
}

/// Asks from all sides while something is done; returns how many were answered.
fn asking(data: SocketAddr, act: impl FnOnce(&AtomicU64)) -> u64 {
    let (answered, over) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while over.load(Relaxed) == 0 {
                    answered.fetch_add(chat(data, "chat", "").is_some_and(|it| it == 200).into(), Relaxed);
                }
            });
        }
        act(&answered);
        over.store(1, Relaxed);
    });
    answered.into_inner()
}

fn segments(inputs: &Path) -> Vec<PathBuf> {
    let mut segments: Vec<_> = fs::read_dir(inputs).expect("there").map(|it| it.expect("an entry").path()).collect();
    segments.sort();
    segments
}

#[test]
fn rule_12_what_a_gateway_decides_under_faults_and_through_kill_9_is_decided_again() {
    let (folder, models) = (tempfile::tempdir().expect("a folder"), Mocking::start(&[]));
    let (file, address) = (folder.path().join("e.yaml"), models.models.to_string());
    fs::write(&file, config(&address, "", "5s")).expect("written");
    let inputs = folder.path().join("kept/instances/i1/inputs");
    let ill = [
        json!([{"model": "large", "fault": "status", "status": 503}]),
        json!([{"model": "large", "fault": "silence"}, {"model": "small", "fault": "latency", "ms": 20}]),
        json!([{"fault": "reset"}]),
        json!([]),
    ];
    for round in 1..=3 {
        let serving = Serving::start(&file);
        let answered = asking(serving.data, |answered| {
            for (n, faults) in (1..).zip(&ill) {
                switch(&models, faults);
                until("some answers more", || (answered.load(Relaxed) >= n * 25).then_some(()));
            }
            // Another deadline, which the rest is decided by.
            let revision = || get(serving.admin, "/readyz")["revision"].clone();
            let first = revision();
            fs::write(&file, config(&address, "", &format!("{}s", 5 + round))).expect("written");
            until("the next revision", || (revision() != first).then_some(()));
            let by_now = answered.load(Relaxed);
            until("some answers by it", || (answered.load(Relaxed) > by_now + 25).then_some(()));
            let before = metric(&serving, "evenkeel_replay_log_records_total", "");
            until("more of it on disk", || {
                (metric(&serving, "evenkeel_replay_log_records_total", "") > before).then_some(())
            });
            if round < 3 {
                serving.signal("KILL");
            }
        });
        let asked = if round < 3 { 0 } else { metric(&serving, "evenkeel_requests_total", "") };
        if round == 3 {
            assert_eq!(metric(&serving, "evenkeel_replay_log_ended", ""), 0);
            serving.signal("TERM");
            assert_eq!(serving.ended(), Some(0));
        } else {
            drop(serving);
        }
        let (code, said) = replayed(&inputs, &[]);
        assert_eq!((code, &said["identical"], &said["missing"]), (Some(0), &json!(true), &json!([])), "{said}");
        let processes = said["processes"].as_array().expect("a list");
        assert_eq!(processes.len(), round);
        let last = &processes[round - 1];
        let decisions = last["decisions"].as_u64().expect("a number");
        match round {
            3 => assert_eq!((decisions, &last["end"]["ended"]), (asked, &json!("stopped")), "{answered}: {last}"),
            _ => assert!(decisions > 50 && last["end"]["ended"].is_null(), "{last}"),
        }
    }
    let largest = segments(&inputs).into_iter().max_by_key(|it| fs::metadata(it).expect("a file").len());
    let largest = largest.expect("some");
    let mut bytes = fs::read(&largest).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&largest, bytes).expect("written");
    let (code, said) = replayed(&inputs, &[]);
    let damaged = said["processes"].as_array().expect("a list").iter().find(|it| it["end"]["is"] == "damaged");
    let at = &damaged.expect("it is found")["end"]["at"];
    assert_eq!((code, at["file"].as_str()), (Some(1), largest.to_str()), "{said}");
    assert!(at["byte"].as_u64().is_some_and(|it| it <= middle as u64) && at["record"].is_u64(), "{at}");
}

#[test]
fn wif_1_what_a_gateway_decided_under_faults_is_the_same_under_its_own_configuration() {
    let (folder, models) = (tempfile::tempdir().expect("a folder"), Mocking::start(&[]));
    let (file, address) = (folder.path().join("e.yaml"), models.models.to_string());
    fs::write(&file, config(&address, "", "5s")).expect("written");
    let serving = Serving::start(&file);
    asking(serving.data, |answered| {
        for (n, faults) in (1..).zip([json!([]), json!([{"model": "large", "fault": "status", "status": 500}])]) {
            switch(&models, &faults);
            until("some answers more", || (answered.load(Relaxed) >= n * 40).then_some(()));
        }
    });
    serving.signal("TERM");
    assert_eq!(serving.ended(), Some(0));
    let config = file.to_str().expect("text");
    let price = ["--price", "chat/big=2"];
    let (code, said) = replayed(&folder.path().join("kept"), &[&["--config", config][..], &price].concat());
    let chat = &said["what_if"]["routes"]["chat"];
    assert_eq!((code, &chat["changed"]), (Some(0), &json!({"counted": 0, "estimated": 0})), "{said}");
    assert_eq!((&chat["before"], &chat["requests_with_estimates"]), (&chat["after"], &json!(0)), "{said}");
    assert!(chat["before"]["cost"]["known"].as_f64().is_some_and(|it| it > 0.0), "{said}");
    assert!(chat["before"]["cost"]["calls_without_price"].as_u64().is_some_and(|it| it > 0), "small has none: {said}");
}

#[test]
fn inp_3_the_log_of_inputs_is_bounded_or_off_as_the_configuration_says() {
    let (folder, nobody) = (tempfile::tempdir().expect("a folder"), "127.0.0.1:9");
    let (file, inputs) = (folder.path().join("e.yaml"), folder.path().join("kept/instances/i1/inputs"));
    let write = |more: &str| fs::write(&file, config(nobody, more, "5s")).expect("written");
    for off in ["decisions: off\n", "decisions: {inputs: off}\n"] {
        write(off);
        let serving = Serving::start(&file);
        assert_eq!(chat(serving.data, "chat", ""), Some(200));
        serving.signal("TERM");
        assert_eq!((serving.ended(), inputs.exists()), (Some(0), false), "{off}");
    }
    let ended = |serving: &Serving, why: &str| {
        let label = format!("why=\"{why}\"");
        until(why, || (metric(serving, "evenkeel_replay_log_ended", &label) == 1).then_some(()));
    };
    // It begins with 4 KiB, in which there is no room for many requests.
    write("decisions: {inputs: 4KiB}\n");
    let serving = Serving::start(&file);
    asking(serving.data, |_| ended(&serving, "full"));
    drop(serving);
    assert!(segments(&inputs).iter().map(|it| fs::metadata(it).expect("a file").len()).sum::<u64>() <= 4 << 10);
    write("");
    let serving = Serving::start(&file);
    assert_eq!(chat(serving.data, "chat", ""), Some(200));
    write("decisions: {inputs: off}\n");
    ended(&serving, "off");
    write("");
    until("a word of the next start", || {
        serving.log().iter().any(|it| it.to_string().contains("begins at the next start")).then_some(())
    });
    serving.signal("TERM");
    assert_eq!(serving.ended(), Some(0));
    let (code, said) = replayed(&inputs, &[]);
    let ends: Vec<_> = said["processes"].as_array().expect("a list").iter().map(|it| &it["end"]["ended"]).collect();
    assert_eq!((code, ends), (Some(0), vec![&json!("full"), &json!("off")]), "{said}");
}

#[test]
fn f_160_a_log_of_inputs_that_cannot_be_written_says_so_and_nobody_waits_for_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("e.yaml");
    fs::write(&file, config("127.0.0.1:9", "audit: {level: off}\nstore: off\n", "5s")).expect("written");
    // A file stands where the folder should be.
    fs::write(folder.path().join("kept"), "").expect("written");
    let serving = Serving::start(&file);
    assert_eq!(chat(serving.data, "chat", ""), Some(200));
    until("failed", || (metric(&serving, "evenkeel_replay_log_ended", "why=\"failed\"") == 1).then_some(()));
    assert_eq!(chat(serving.data, "chat", ""), Some(200));
}
