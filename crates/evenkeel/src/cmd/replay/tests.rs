//! What is printed of each way in which a log may end, and the exit codes.

use clap::Parser;
use evenkeel_core::Ending;
use evenkeel_sim::{Scenario, record};

use super::*;
use crate::cmd::Cli;

const CONFIG: &str = "version: 1\nupstreams: {u: {protocol: openai, url: \"http://big.example/v1\"}}\nroutes:\n  chat:\n    protocol: \
                      openai-chat\n    tiers: [{name: default, fixed: {content: later}}]\n";

/// Runs the verb, and returns its exit code, as it shows itself.
fn run(words: &[&str]) -> anyhow::Result<String> {
    let cli = Cli::try_parse_from(["evenkeel", "replay"].iter().chain(words))?;
    Ok(format!("{:?}", cli.run()?))
}

fn code(code: u8) -> String {
    format!("{:?}", ExitCode::from(code))
}

#[test]
fn the_exit_code_says_whether_all_is_as_it_was() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/primary-dies.yaml");
    let scenario = Scenario::load(Path::new(path), None).unwrap_or_else(|found| panic!("{found:?}"));
    let mut bytes = record(&scenario, 1, Some(300));
    let folder = tempfile::tempdir().expect("a folder");
    let (log, config) = (folder.path().join("00000000000000000001.ekin"), folder.path().join("new.yaml"));
    let words = [log.to_str().expect("a text"), "--config", config.to_str().expect("a text")];
    std::fs::write(&log, &bytes).expect("written");
    std::fs::write(&config, CONFIG).expect("written");
    assert_eq!(run(&words[..1]).expect("it runs"), code(0));
    assert_eq!(run(&[words[0], "--json"]).expect("it runs"), code(0));
    assert_eq!(run(&words).expect("it runs"), code(0));
    assert!(run(&["/nowhere"]).is_err() && run(&[words[0], "--rule", "x"]).is_err(), "G-054 comes later");
    std::fs::write(&config, "version: 2").expect("written");
    assert!(run(&words).is_err());
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(&log, &bytes).expect("written");
    assert_eq!(run(&words[..1]).expect("it runs"), code(1));
}

#[test]
fn every_end_of_a_log_has_its_words() {
    let place = || Place { file: "1.ekin".into(), byte: 40, record: 7 };
    let difference = Difference {
        place: place(),
        wall_ms: 1_764_000_000_000,
        decision: Some("01KB7Q4Z8E3W5T0N6R2D9C1XAF".into()),
        input: "request 3 asks for chat".into(),
        then: Followed { outputs: 1, hash: 1 },
        now: Followed { outputs: 13, hash: 2 },
        outputs: (0..13).map(|n| format!("output {n}")).collect(),
    };
    for (end, parts) in [
        (End::Told(Ending::Full), &["identical to its end (full)"][..]),
        (End::Untold, &["the process was killed, or still runs"]),
        (
            End::Torn { place: place(), bytes: 1 },
            &["its tail is torn", "1 byte from record 7, in the block at byte 40 of 1.ekin"],
        ),
        (
            End::Damaged { place: place(), what: "its checksum is wrong".into() },
            &["DAMAGED at record 7", "its checksum is wrong"],
        ),
        (
            End::Foreign { core: "0.0.9".into(), what: "semantics changed".into() },
            &["NOT REPLAYED: semantics changed", "0.0.9"],
        ),
        (
            End::Differs(Box::new(difference)),
            &[
                "DIFFERS at record 7",
                "2025-11-24T16:00:00.000Z, decision 01KB7Q4Z8E3W5T0N6R2D9C1XAF",
                "then: 1 output with",
                "and 1 more",
            ],
        ),
    ] {
        let told = words(&end);
        assert!(parts.iter().all(|part| told.contains(part)), "{told}");
        let process = Process { first: 1, records: 6, decisions: 2, lost: 1, span_ms: Some((0, 1)), end };
        let json = process_json(&process);
        let is = ["identical", "damaged", "different", "not_replayed"];
        assert!(is.iter().any(|it| json["end"]["is"] == *it), "{json}");
        assert_eq!(json["end"]["is"] == "identical", process.end.is_identical(), "{json}");
    }
}

#[test]
fn wif_4_what_calls_cost_and_how_often_tiers_are_right_is_given_beside_the_log() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/primary-dies.yaml");
    let scenario = Scenario::load(Path::new(path), None).unwrap_or_else(|found| panic!("{found:?}"));
    let folder = tempfile::tempdir().expect("a folder");
    let [log, config, quality] = ["1.ekin", "new.yaml", "quality.json"].map(|it| folder.path().join(it));
    std::fs::write(&log, record(&scenario, 1, Some(50))).expect("written");
    std::fs::write(&config, CONFIG).expect("written");
    let text = |path: &Path| path.to_str().expect("a text").to_owned();
    let with = |more: &[&str]| {
        let [log, config] = [&log, &config].map(|it| text(it));
        run(&[&[&*log, "--config", &config], more].concat())
    };
    assert_eq!(with(&["--price", "org/chat/big=0.5", "--price", "chat/small=2"]).expect("it runs"), code(0));
    for wrong in ["chat=2", "chat/big", "chat/big=-1", "chat/big=nan"] {
        assert!(with(&["--price", wrong]).is_err(), "{wrong}");
    }
    assert!(run(&[&text(&log), "--price", "chat/big=1"]).is_err(), "there is nothing to compare without --config");
    let file = text(&quality);
    assert!(with(&["--quality", &file]).is_err(), "it is not there");
    let figure = |value: f64, method: &str| {
        json!({
            "value": value, "low": value, "high": value, "n": 9, "as_of": "2026-11-23T08:00:00Z", "method": method, "assumption": "-",
        })
    };
    let mut tier = json!({"tier": 0, "name": "big", "rows": 9, "labels": 9, "accuracy": figure(0.7, "labels")});
    let best = |tier: &Value| known(&serde_json::from_value(tier.clone()).expect("a tier")).map(|it| it.method);
    assert_eq!(best(&tier).as_deref(), Some("labels"));
    tier["copies"] = figure(0.6, "doubly_robust");
    assert_eq!(best(&tier).as_deref(), Some("doubly_robust"), "of all requests of the route");
    let route = json!({"route": "chat", "as_of": "2026-11-23T08:00:00Z", "held": 9, "forgotten": 0, "tiers": [tier]});
    let said = json!({"as_of": "2026-11-23T08:00:00Z", "routes": [route]});
    std::fs::write(&quality, said.to_string()).expect("written");
    assert_eq!(with(&["--quality", &file]).expect("it runs"), code(0));
    std::fs::write(&quality, "{}").expect("written");
    assert!(with(&["--quality", &file]).is_err(), "it is something else");
}
