//! `evenkeel simulate`: what it prints, and its exit codes.

use std::path::PathBuf;

use serde_json::Value;

use crate::process::evenkeel;

fn scenario(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../scenarios").join(format!("{name}.yaml"));
    path.to_str().expect("text").to_owned()
}

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = evenkeel(&[&["simulate"], arguments].concat());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn one_seed_prints_the_report_that_is_golden() {
    let (code, printed, _) = run(&[&scenario("primary-dies")]);
    let golden =
        std::fs::read_to_string(scenario("golden/primary-dies").replace(".yaml", ".txt")).expect("it is there");
    assert_eq!((code, printed), (Some(0), golden));
}

#[test]
fn many_seeds_print_a_line_for_each_scenario_and_json_tells_the_same() {
    let (plain, dies) = (scenario("plain"), scenario("primary-dies"));
    let (code, printed, _) = run(&[&plain, &dies, "--seeds", "3"]);
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!(printed.lines().filter(|line| line.ends_with("  holds")).count(), 2, "{printed}");
    assert!(printed.contains("6 seeds, 6000 requests in "), "{printed}");
    assert!(
        printed.lines().last().is_some_and(|it| it.starts_with("failed: ") && it.contains("all well: ")),
        "{printed}"
    );
    let (code, printed, _) = run(&[&plain, &dies, "--seeds", "3", "--json"]);
    let json: Value = serde_json::from_str(&printed).expect("JSON");
    assert_eq!((code, &json["holds"], &json["sweeps"][1]["requests"]), (Some(0), &true.into(), &3000.into()));
    let (_, printed, _) = run(&[&dies, "--json", "--seed", "9"]);
    let json: Value = serde_json::from_str(&printed).expect("JSON");
    assert_eq!((&json["runs"][0]["seed"], &json["runs"][0]["holds"]), (&9.into(), &true.into()));
}

#[test]
fn what_does_not_hold_exits_with_1_and_prints_the_command_that_shows_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("strict.yaml");
    let text = std::fs::read_to_string(scenario("primary-dies")).expect("it is there");
    std::fs::write(&file, text.replace("failover: 5s", "failover: 1ms")).expect("written");
    let strict = file.to_str().expect("text");
    let (code, printed, _) = run(&[strict, "--seeds", "2"]);
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains("2 SEEDS FAIL"), "{printed}");
    let command = format!("evenkeel simulate {strict} --seed 2");
    assert!(printed.contains(&command), "{printed}");
    let (code, printed, _) = run(&[strict, "--seed", "2"]);
    assert!(code == Some(1) && printed.contains("BROKEN expect.failover"), "{printed}");
    assert!(printed.ends_with(&format!("{command}\n")), "one seed is told with its command, too: {printed}");
    let (code, printed, _) = run(&[strict, "--seed", "2", "--requests", "10"]);
    assert!(code == Some(0) && !printed.contains("every expectation"), "ten requests expect nothing: {printed}");
}

#[test]
fn two_configurations_are_put_side_by_side() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = std::fs::read_to_string(scenario("primary-dies")).expect("it is there");
    let config = text.split("config:\n").nth(1).and_then(|it| it.split("servers:").next()).expect("it has one");
    let config: String = config.lines().map(|line| format!("{}\n", line.strip_prefix("  ").unwrap_or(line))).collect();
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("text").to_owned()
    };
    let a = file("as-it-is.yaml", config.clone());
    let b = file("patient.yaml", config.replace("first_token: 4s", "first_token: 4s, breaker: {consecutive: 50}"));
    let (code, printed, _) = run(&[&scenario("primary-dies"), "--seeds", "4", "--compare", &a, &b]);
    assert!(code.is_some_and(|code| code < 2), "{printed}");
    let head = printed.lines().next().unwrap_or_default();
    assert!(head.contains(&format!(" {a} ")) && head.ends_with(&format!(" {b}")), "headings are whole: {head}");
    for line in ["answered by chat primary", "failed", "all well p50 / max", "seeds that fail"] {
        assert!(printed.contains(line), "`{line}` is missing: {printed}");
    }
    let (code, printed, _) = run(&[&scenario("primary-dies"), "--config", &a]);
    assert!(code == Some(0) && printed.contains("every rule and every expectation holds"), "{printed}");
    let strict = text.replace("failover: 5s", "failover: 1ms");
    let strict = file("strict.yaml", strict);
    let (code, printed, _) = run(&[&strict, "--config", &a, "--seed", "2"]);
    let command = format!("evenkeel simulate {strict} --config {a} --seed 2\n");
    assert!(code == Some(1) && printed.ends_with(&command), "{printed}");
}

#[test]
fn what_cannot_be_simulated_exits_with_2_and_says_where_it_is_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("wrong.yaml");
    std::fs::write(&file, "about: little\nrequests: 0\nworkload: [{route: chat, rat: 5}]\n").expect("written");
    let wrong = file.to_str().expect("text");
    let (code, _, said) = run(&[wrong]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains(&format!("{wrong}:2:")) && said.contains("did you mean `rate`?"), "{said}");
    for arguments in [&["nowhere.yaml"][..], &[], &[wrong, "--seeds", "0"], &[wrong, "--compare", "a.yaml"]] {
        assert_eq!(run(arguments).0, Some(2), "{arguments:?}");
    }
}
