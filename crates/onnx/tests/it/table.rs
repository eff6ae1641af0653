//! The table of operators in `docs/guides/models-in-process.md`: each has a fixture, and what is promised is in it.

use std::{collections::BTreeSet, path::Path};

use crate::recorded::{load, recorded};

fn page(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(path)).expect("the page is there")
}

/// The rows of the table: operator and fixture.
fn rows() -> Vec<(String, String)> {
    let guide = page("docs/guides/models-in-process.md");
    let table = guide.split("| operator | fixture |").nth(1).expect("the table").trim_start();
    let cells = |line: &str| {
        let mut cells = line.split('|').map(|it| it.trim().trim_matches('`').to_owned()).skip(1);
        Some((cells.next()?, cells.next()?))
    };
    table.lines().take_while(|it| it.starts_with('|')).skip(1).filter_map(cells).collect()
}

#[test]
fn every_operator_of_the_guide_is_in_its_fixture() {
    let rows = rows();
    assert!(rows.len() >= 50, "{}", rows.len());
    for (operator, fixture) in rows {
        // The field of a node that names its operator: number 4, a text of that length.
        let field = [&[0x22, operator.len() as u8], operator.as_bytes()].concat();
        let (bytes, _) = recorded(&fixture);
        assert!(bytes.windows(field.len()).any(|it| it == field), "{fixture} has no {operator}");
        load(&fixture);
    }
}

#[test]
fn every_operator_that_the_design_promises_is_in_the_guide() {
    let design = page("docs/design/dependencies.md");
    let promised = design.split("**`ai.onnx.ml` evaluator**").nth(1).expect("section 7");
    let promised = promised.split("as pipelines of").next().expect("its lists");
    let is_name = |it: &&str| it.len() > 1 && it.starts_with(char::is_uppercase) && it.chars().any(char::is_lowercase);
    const WORDS: [&str; 4] = ["Built", "Also", "Plain", "As"];
    let promised: BTreeSet<&str> =
        promised.split(|it: char| !it.is_alphanumeric()).filter(is_name).filter(|it| !WORDS.contains(it)).collect();
    let told: BTreeSet<String> = rows().into_iter().map(|(operator, _)| operator).collect();
    let told: BTreeSet<&str> = told.iter().map(String::as_str).collect();
    assert_eq!(promised.symmetric_difference(&told).collect::<Vec<_>>(), Vec::<&&str>::new());
}

#[test]
fn every_operator_that_is_built_is_in_the_guide_and_no_other() {
    let source = include_str!("../../src/op.rs");
    let arm = |line: &'static str| line.trim_start().strip_prefix('"')?.split_once("\" =>").map(|it| it.0);
    let built: BTreeSet<&str> = source.lines().filter_map(arm).collect();
    assert!(built.len() >= 50, "{built:?}");
    let told: BTreeSet<String> = rows().into_iter().map(|(operator, _)| operator).collect();
    let told: BTreeSet<&str> = told.iter().map(String::as_str).collect();
    assert_eq!(built.symmetric_difference(&told).collect::<Vec<_>>(), Vec::<&&str>::new());
}

#[cfg(feature = "neural")]
#[test]
fn every_operator_of_a_network_is_in_the_guide_and_was_asked_of_the_runtime() {
    let source = include_str!("../../src/neural.rs");
    let offered =
        source.split("const OFFERED: &str = \"").nth(1).and_then(|it| it.split('"').next()).expect("its list");
    let offered: BTreeSet<&str> = offered.split_whitespace().filter(|it| *it != "\\").collect();
    let guide = page("docs/guides/models-in-process.md");
    let told =
        guide.split("may have these operators:").nth(1).and_then(|it| it.split("\n\n").next()).expect("its list");
    let told: BTreeSet<&str> = told.split('`').skip(1).step_by(2).collect();
    assert_eq!(offered.symmetric_difference(&told).collect::<Vec<_>>(), Vec::<&&str>::new());
    let (bytes, _) = crate::recorded::read("networks", "network-operators");
    for operator in offered {
        // The field of a node that names its operator, as above.
        let field = [&[0x22, operator.len() as u8], operator.as_bytes()].concat();
        assert!(bytes.windows(field.len()).any(|it| it == field), "the fixture has no {operator}");
    }
}
