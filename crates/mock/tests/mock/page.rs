//! The page of the mock: its table lists every fault as the code declares it, and each example is taken.

use std::{collections::BTreeSet, path::Path};

use evenkeel_mock::{Rule, parse_faults_yaml};
use serde_json::{Map, Value};

/// Keys that every entry may have, and that are no parameters.
const COMMON: [&str; 5] = ["model", "fault", "share", "times", "on"];

/// A row of the table.
struct Row {
    name: String,
    parameters: String,
    example: Map<String, Value>,
}

fn page() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides/mock.md");
    std::fs::read_to_string(page).expect("the page is there")
}

fn rows() -> Vec<Row> {
    let page = page();
    let lines = page.lines().filter(|line| line.starts_with("| `") && line.contains("{\"fault\""));
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [name, _, parameters, example] = cells[..] else { panic!("four cells: {line}") };
        let example = serde_json::from_str(example.trim_matches('`')).unwrap_or_else(|error| panic!("{line}: {error}"));
        Row { name: name.trim_matches('`').to_owned(), parameters: parameters.to_owned(), example }
    };
    lines.map(row).collect()
}

/// Reads one entry.
fn read(entry: &Map<String, Value>) -> Result<Rule, String> {
    let list = Value::Array(vec![Value::Object(entry.clone())]).to_string();
    parse_faults_yaml(&list).map(|mut rules| rules.remove(0)).map_err(|error| error.to_string())
}

/// Returns what a refusal names as possible; none where it names nothing.
fn expected(refusal: &str) -> Vec<String> {
    let listed = refusal.split_once(", expected ").map_or("", |(_, rest)| rest);
    let listed = listed.split("; `fault`").next().unwrap_or_default();
    listed.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn with(entry: &Map<String, Value>, key: &str, value: &str) -> Map<String, Value> {
    let mut entry = entry.clone();
    entry.insert(key.into(), value.into());
    entry
}

/// Says what a parameter is, as the table does: its words, the default first; else its default; `none` where it may be
/// left out; and nothing more where it may not.
fn described(entry: &Map<String, Value>, parameter: &str) -> String {
    let words = match read(&with(entry, parameter, "no such word")) {
        Err(refusal) if refusal.contains("unknown variant") => expected(&refusal),
        _ => Vec::new(),
    };
    let mut without = entry.clone();
    without.remove(parameter);
    let default = match read(&without) {
        Ok(rule) => Some(rule.to_json().get(parameter).cloned()),
        Err(refusal) => {
            assert!(refusal.contains("missing field"), "{parameter}: {refusal}");
            None
        }
    };
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match (default, words.is_empty()) {
        (None, true) => format!("`{parameter}`"),
        (None, false) => format!("`{parameter}`: {}", quoted(&words)),
        (Some(None), _) => format!("`{parameter}`: none"),
        (Some(Some(default)), true) => format!("`{parameter}`: `{}`", word(&default)),
        (Some(Some(default)), false) => {
            let first = word(&default);
            let others = words.into_iter().filter(|it| *it != first);
            format!("`{parameter}`: {}", quoted(&[first.clone()].into_iter().chain(others).collect::<Vec<_>>()))
        }
    }
}

fn quoted(words: &[String]) -> String {
    words.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(" or ")
}

#[test]
fn the_page_lists_every_fault_once() {
    let refusal = parse_faults_yaml("[{fault: no_such_fault}]").expect_err("it is none").to_string();
    let known: BTreeSet<String> = expected(&refusal).into_iter().collect();
    let told: Vec<String> = rows().into_iter().map(|row| row.name).collect();
    assert_eq!(told.iter().cloned().collect::<BTreeSet<_>>(), known);
    assert_eq!(told.len(), known.len(), "none stands twice");
}

#[test]
fn the_page_tells_the_parameters_as_the_code_has_them_and_each_example_is_taken() {
    let mut wrong = Vec::new();
    for Row { name, parameters, example } in rows() {
        let rule = read(&example).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(rule.name(), name);
        let refusal = read(&with(&example, "no_such_parameter", "x")).expect_err("it is none");
        let known = expected(&refusal);
        let told = match known.is_empty() {
            true => "–".to_owned(),
            false => known.iter().map(|it| described(&example, it)).collect::<Vec<_>>().join(", "),
        };
        if parameters != told {
            wrong.push(format!("{name}: {told}"));
        }
        assert!(example.keys().all(|key| known.contains(key) || COMMON.contains(&key.as_str())), "{name}");
    }
    assert!(wrong.is_empty(), "the page has to say:\n{}", wrong.join("\n"));
}
