//! The report of every scenario, seed 1, is what `scenarios/golden` says; `cargo xtask bless` writes it anew.
//!
//! A golden line that moves is a rule that moved: it is read, line by line, before it is kept.

use std::{fs, path::PathBuf};

use evenkeel_sim::{Scenario, play};

/// The folder of the scenarios.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

/// Reads every scenario of the repository, by name.
pub(crate) fn scenarios() -> Vec<Scenario> {
    let entries = fs::read_dir(folder()).expect("the folder is there");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.retain(|file| file.extension().is_some_and(|it| it == "yaml"));
    files.sort();
    let load = |file: &PathBuf| {
        Scenario::load(file, None).unwrap_or_else(|found| {
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            panic!("{}", found.join("\n"))
        })
    };
    files.iter().map(load).collect()
}

#[test]
fn every_scenario_gives_its_golden_output() {
    let blessing = std::env::var_os("EVENKEEL_BLESS").is_some();
    let mut differ = Vec::new();
    for scenario in scenarios() {
        let golden = folder().join("golden").join(format!("{}.txt", scenario.name));
        let report = play(&scenario, 1, None).to_string();
        if blessing {
            fs::write(&golden, &report).expect("writable");
        } else if fs::read_to_string(&golden).unwrap_or_default() != report {
            differ.push(format!("--- {}\n{report}", scenario.name));
        }
    }
    let hint = "read what moved, then `cargo xtask bless` and `git diff scenarios/golden`";
    assert!(differ.is_empty(), "{} goldens differ: {hint}\n{}", differ.len(), differ.join("\n"));
}

#[test]
fn every_golden_output_has_its_scenario() {
    let names: Vec<String> = scenarios().into_iter().map(|it| format!("{}.txt", it.name)).collect();
    for entry in fs::read_dir(folder().join("golden")).expect("the folder is there") {
        let name = entry.expect("readable").file_name().into_string().expect("text");
        assert!(names.contains(&name), "{name} has no scenario");
    }
}

#[test]
fn rule_12_the_same_seed_gives_the_same_run() {
    for scenario in scenarios() {
        let [once, twice] = [7, 7].map(|seed| play(&scenario, seed, None).to_string());
        assert_eq!(once, twice, "{}", scenario.name);
        assert_ne!(once, play(&scenario, 8, None).to_string(), "{}: the seed turns nothing", scenario.name);
    }
}
