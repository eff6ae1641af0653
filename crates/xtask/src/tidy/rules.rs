//! Rules: what tests and pages say of them agrees, in both directions.
//!
//! - `NAMED-1`: an id that a test bears stands in a design page.
//! - `NAMED-2`: a rule of `failures.md` is named by a test, or stands in the page's own list of those that are not, with the
//!   reason; so that none is forgotten.
//! - `NAMED-3`: a key in the column of defaults of that page is a field of the schema, where the rule is built.

use std::collections::{BTreeMap, BTreeSet};

use super::{Report, Source};

const PAGE: &str = "docs/design/failures.md";
/// The heading of the list of rules that no test names.
const UNNAMED: &str = "Rules that no test names";
/// Where the fields of the configuration are declared.
const SCHEMA: &str = "crates/config/src/schema/";

/// How an id looks in a test's name, and how the pages write it.
const IDS: [(&str, &str, usize); 13] = [
    ("f", "F-", 3),
    ("g", "G-", 3),
    ("oip", "OIP-", 2),
    ("oai", "OAI-", 2),
    ("cl", "CL-", 2),
    ("hp", "HP-", 2),
    ("up", "UP-", 2),
    ("st", "ST-", 2),
    ("tn", "TN-", 2),
    ("cf", "CF-", 2),
    ("ov", "OV-", 2),
    ("se", "SE-", 2),
    ("pr", "PR-", 2),
];

pub(super) fn check(rust: &[Source], text: &[Source], report: &mut Report) {
    let pages: String =
        text.iter().filter(|it| it.path.starts_with("docs/design/")).map(|it| it.text.as_str()).collect();
    let mut named = BTreeSet::new();
    for source in rust {
        for (at, line) in source.text.lines().enumerate() {
            let Some(name) = line.trim_start().strip_prefix("fn ").or(line.trim_start().strip_prefix("async fn "))
            else {
                continue;
            };
            for id in ids(name) {
                if !is_known(&id, &pages) {
                    report.error(&source.path, at + 1, format!("{id} is in no page of docs/design"));
                }
                named.insert(id);
            }
        }
    }
    let schema: String = rust.iter().filter(|it| it.path.starts_with(SCHEMA)).map(|it| it.text.as_str()).collect();
    if let Some(page) = text.iter().find(|it| it.path == PAGE) {
        for (line, message) in forgotten(&page.text, &named).into_iter().chain(unbuilt(&page.text, &schema)) {
            report.error(PAGE, line, message);
        }
    }
}

/// Returns the ids that the name of a test begins with: `f_062_f_063_…` gives two, and `rule_08_f_182_…` one.
fn ids(name: &str) -> Vec<String> {
    let words: Vec<&str> = name.split(['_', '(', '<']).collect();
    let mut found = Vec::new();
    for pair in words.chunks(2) {
        let [kind, number] = pair else { break };
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            break;
        }
        if let Some((_, written, _)) = IDS.iter().find(|(word, _, digits)| word == kind && number.len() == *digits) {
            found.push(format!("{written}{number}"));
        }
    }
    found
}

/// OAI ids are written as a list, of which only the first has its word.
fn is_known(id: &str, pages: &str) -> bool {
    match id.strip_prefix("OAI-") {
        Some(number) => number == "01" || pages.contains(&format!("· {number} ")),
        None => pages.contains(id),
    }
}

/// Returns the rules of the page that are neither named nor listed, and what is listed without need (NAMED-2).
fn forgotten(page: &str, named: &BTreeSet<String>) -> Vec<(usize, String)> {
    let (rules, listed) = (rows(page), list(page));
    let told = |message: &str, (id, line): (&str, usize)| (line, format!("{id} {message}"));
    let unnamed = rules.iter().filter(|(id, _)| !named.contains(**id) && !listed.contains_key(**id));
    let idle = listed.iter().filter(|(id, _)| named.contains(**id) || !rules.contains_key(**id));
    let unnamed =
        unnamed.map(|(id, row)| told(&format!("is named by no test, and not listed in \"{UNNAMED}\""), (id, row.0)));
    let idle = idle.map(|(id, line)| told("is listed without a test, and has one, or is no rule", (id, *line)));
    unnamed.chain(idle).collect()
}

/// Returns the keys that the page gives defaults for and that the schema does not know, of rules that are built (NAMED-3).
fn unbuilt(page: &str, schema: &str) -> Vec<(usize, String)> {
    let listed = list(page);
    let mut found = Vec::new();
    for (id, (line, default)) in rows(page).iter().filter(|(id, _)| !listed.contains_key(**id)) {
        for code in default.split('`').skip(1).step_by(2) {
            let before = code.split(':').rev().skip(1);
            let keys =
                before.map(|it| it.rsplit(|c: char| !c.is_ascii_lowercase() && c != '_').next().unwrap_or_default());
            for key in keys.filter(|key| !schema.contains(&format!(" {key}: "))) {
                found.push((*line, format!("{id} gives a default for `{key}`, which no field of {SCHEMA} is called")));
            }
        }
    }
    found
}

/// Returns the rules of the page: where each stands, and its cell of defaults, where its table has one.
fn rows(page: &str) -> BTreeMap<&str, (usize, &str)> {
    let (mut rules, mut has_default) = (BTreeMap::new(), false);
    for (at, line) in page.lines().enumerate() {
        let cells: Vec<&str> = line.strip_prefix("| ").unwrap_or_default().split(" | ").collect();
        if cells[0] == "id" {
            has_default = cells.get(2) == Some(&"default");
        } else if is_id(cells[0]) {
            rules.insert(cells[0], (at + 1, cells.get(2).filter(|_| has_default).copied().unwrap_or_default()));
        }
    }
    rules
}

/// Returns the rules that the page lists as named by no test: points, each with its reason, a colon, and ids.
fn list(page: &str) -> BTreeMap<&str, usize> {
    let lines = page.lines().enumerate().skip_while(|(_, it)| !(it.starts_with("## ") && it.ends_with(UNNAMED)));
    let points = lines.skip(1).take_while(|(_, it)| !it.starts_with("## ")).filter(|(_, it)| it.starts_with("- "));
    let ids = points.filter_map(|(at, it)| Some((at + 1, it.rsplit_once(": ")?.1)));
    ids.flat_map(|(line, ids)| ids.trim_end_matches('.').split(", ").map(move |id| (id, line))).collect()
}

fn is_id(word: &str) -> bool {
    word.strip_prefix("F-").is_some_and(|it| it.len() == 3 && it.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_from_the_names_of_tests() {
        assert_eq!(ids("f_062_f_063_the_trip_rules()"), ["F-062", "F-063"]);
        assert_eq!(ids("oai_04_oip_12_x"), ["OAI-04", "OIP-12"]);
        assert_eq!(ids("rule_08_f_182_wait_1_x"), ["F-182"]);
        assert!(ids("a_share_draws()").is_empty() && ids("f_x_y()").is_empty());
    }

    #[test]
    fn an_id_that_no_page_knows_is_found() {
        assert!(is_known("F-062", "| F-062 | trips"));
        assert!(!is_known("F-999", "| F-062 | trips"));
        assert!(is_known("OAI-03", "OAI-01 verbatim · 03 every SSE rule"));
    }

    const TEXT: &str = "| id | rule | reason |\n|---|---|---|\n| F-001 | by `on_error: next` | – |\n\n\
        | id | rule | default | reason |\n|---|---|---|---|\n| F-002 | x | `open: 10s` | – |\n\
        | F-003 | x | `probe: {every: 10s, low: [2, 3]}`, 4 | – |\n| F-004 | x | `ttl: 5m` | – |\n\n\
        ## 15. Rules that no test names\n\nWords: F-002.\n\n- later, issue 5 (cache: all): F-004, F-005.\n\n## Next\n- not: F-002\n";

    #[test]
    fn a_rule_that_no_test_names_is_found_and_one_that_is_listed_without_need() {
        let found = |named: &[&str]| {
            let named = named.iter().map(|it| (*it).to_owned()).collect();
            forgotten(TEXT, &named).into_iter().map(|(line, it)| format!("{line} {}", &it[..12])).collect::<Vec<_>>()
        };
        assert_eq!(found(&["F-001", "F-002", "F-003"]), ["15 F-005 is lis"], "it is no rule");
        assert_eq!(found(&["F-001", "F-003"]), ["7 F-002 is nam", "15 F-005 is lis"]);
        assert_eq!(found(&["F-001", "F-002", "F-003", "F-004"]), ["15 F-004 is lis", "15 F-005 is lis"]);
    }

    #[test]
    fn a_key_with_a_default_that_the_schema_does_not_know_is_found() {
        let schema = "pub(crate) open: Duration,\npub(crate) probe: Probe,\npub(crate) every: Duration,\n";
        let found = unbuilt(TEXT, schema);
        assert_eq!(found.len(), 1, "what is in other columns, or not built, is no matter: {found:?}");
        assert!(found[0].0 == 8 && found[0].1.starts_with("F-003 gives a default for `low`"), "{found:?}");
    }
}
