//! Rules: what tests and pages say of them agrees, in both directions.
//!
//! - `NAMED-1`: an id that a test bears stands in a design page.
//! - `NAMED-2`: a rule of `failures.md`, or a number of the checklist of `protocols.md`, is named by a test, or stands in the
//!   page's own list of those that are not, with the reason; so that none is forgotten.
//! - `NAMED-3`: a key in the column of defaults of `failures.md` is a field of the schema, where the rule is built.

use std::collections::{BTreeMap, BTreeSet};

use super::{Report, Source};

/// A page whose rules are named by tests.
struct Page {
    path: &'static str,
    /// How an id begins, and how many digits follow.
    id: (&'static str, usize),
    /// Which cells of a row hold one.
    cells: &'static [usize],
    /// The heading, or the line, above the list of those that no test names.
    unnamed: &'static str,
}

const FAILURES: Page =
    Page { path: "docs/design/failures.md", id: ("F-", 3), cells: &[0], unnamed: "Rules that no test names" };
/// The checklist stands in two halves, side by side.
const PROTOCOLS: Page =
    Page { path: "docs/design/protocols.md", id: ("OIP-", 2), cells: &[0, 2], unnamed: "Numbers that no test names" };
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
    for (page, has_keys) in [(&FAILURES, true), (&PROTOCOLS, false)] {
        let Some(source) = text.iter().find(|it| it.path == page.path) else { continue };
        let unbuilt = if has_keys { unbuilt(&source.text, &schema) } else { Vec::new() };
        for (line, message) in forgotten(page, &source.text, &named).into_iter().chain(unbuilt) {
            report.error(page.path, line, message);
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

/// Returns the rules of a page that are neither named nor listed, and what is listed without need (NAMED-2).
fn forgotten(page: &Page, text: &str, named: &BTreeSet<String>) -> Vec<(usize, String)> {
    let (rules, listed) = (page.rows(text), page.list(text));
    let told = |message: &str, (id, line): (&str, usize)| (line, format!("{id} {message}"));
    let unnamed = rules.iter().filter(|(id, _)| !named.contains(**id) && !listed.contains_key(**id));
    let idle = listed.iter().filter(|(id, _)| named.contains(**id) || !rules.contains_key(**id));
    let unnamed = unnamed
        .map(|(id, row)| told(&format!("is named by no test, and not listed in \"{}\"", page.unnamed), (id, row.0)));
    let idle = idle.map(|(id, line)| told("is listed without a test, and has one, or is no rule", (id, *line)));
    unnamed.chain(idle).collect()
}

/// Returns the keys that `failures.md` gives defaults for and that the schema does not know, of rules that are built (NAMED-3).
fn unbuilt(page: &str, schema: &str) -> Vec<(usize, String)> {
    let listed = FAILURES.list(page);
    let mut found = Vec::new();
    for (id, (line, default)) in FAILURES.rows(page).iter().filter(|(id, _)| !listed.contains_key(**id)) {
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

impl Page {
    /// Returns its rules: where each stands, and its cell of defaults, where its table has one.
    fn rows<'t>(&self, text: &'t str) -> BTreeMap<&'t str, (usize, &'t str)> {
        let (mut rules, mut has_default) = (BTreeMap::new(), false);
        for (at, line) in text.lines().enumerate() {
            let cells: Vec<&str> =
                line.strip_prefix("| ").unwrap_or_default().trim_end_matches(" |").split(" | ").collect();
            if cells[0] == "id" {
                has_default = cells.get(2) == Some(&"default");
            }
            let default = cells.get(2).filter(|_| has_default).copied().unwrap_or_default();
            let ids = self.cells.iter().filter_map(|cell| cells.get(*cell)).filter(|cell| self.is_id(cell));
            rules.extend(ids.map(|id| (*id, (at + 1, default))));
        }
        rules
    }

    /// Returns the rules that it lists as named by no test: points, each with its reason, a colon, and ids.
    fn list<'t>(&self, text: &'t str) -> BTreeMap<&'t str, usize> {
        let is_above = |line: &str| {
            line.trim_start_matches(|c: char| "#. ".contains(c) || c.is_ascii_digit()).trim_end_matches(':')
                == self.unnamed
        };
        let lines = text.lines().enumerate().skip_while(|(_, it)| !is_above(it));
        let points = lines.skip(1).take_while(|(_, it)| !it.starts_with('#')).filter(|(_, it)| it.starts_with("- "));
        let ids = points.filter_map(|(at, it)| Some((at + 1, it.rsplit_once(": ")?.1)));
        ids.flat_map(|(line, ids)| ids.trim_end_matches('.').split(", ").map(move |id| (id, line))).collect()
    }

    fn is_id(&self, word: &str) -> bool {
        let (begins, digits) = self.id;
        let number = word.strip_prefix(begins);
        number.is_some_and(|it| it.len() == digits && it.bytes().all(|byte| byte.is_ascii_digit()))
    }
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
            forgotten(&FAILURES, TEXT, &named)
                .into_iter()
                .map(|(line, it)| format!("{line} {}", &it[..12]))
                .collect::<Vec<_>>()
        };
        assert_eq!(found(&["F-001", "F-002", "F-003"]), ["15 F-005 is lis"], "it is no rule");
        assert_eq!(found(&["F-001", "F-003"]), ["7 F-002 is nam", "15 F-005 is lis"]);
        assert_eq!(found(&["F-001", "F-002", "F-003", "F-004"]), ["15 F-004 is lis", "15 F-005 is lis"]);
    }

    #[test]
    fn a_checklist_in_two_halves_is_read_in_both_and_its_list_may_stand_under_a_line() {
        let table = "### 3.4 Checklist\n| no. | requirement | no. | requirement |\n|---|---|---|---|\n\
            | OIP-01 | x | OIP-21 | y |\n| OIP-02 | see OIP-09 | OIP-22 | y |\n";
        let found = |text: &str, named: &[&str]| {
            let named = named.iter().map(|it| (*it).to_owned()).collect();
            let found = forgotten(&PROTOCOLS, text, &named);
            found.into_iter().map(|(line, it)| format!("{line} {}", &it[..13])).collect::<Vec<_>>()
        };
        assert_eq!(found(table, &["OIP-01", "OIP-22"]), ["5 OIP-02 is nam", "4 OIP-21 is nam"]);
        let listed = format!(
            "{table}\nNumbers that no test names:\n\n- being built: OIP-02, OIP-21.\n\n## 4. Next\n- so: OIP-22.\n"
        );
        assert_eq!(found(&listed, &["OIP-01", "OIP-22"]), [""; 0]);
        assert_eq!(found(&listed, &["OIP-01", "OIP-21", "OIP-22"]), ["9 OIP-21 is lis"], "it has a test by now");
    }

    #[test]
    fn a_key_with_a_default_that_the_schema_does_not_know_is_found() {
        let schema = "pub(crate) open: Duration,\npub(crate) probe: Probe,\npub(crate) every: Duration,\n";
        let found = unbuilt(TEXT, schema);
        assert_eq!(found.len(), 1, "what is in other columns, or not built, is no matter: {found:?}");
        assert!(found[0].0 == 8 && found[0].1.starts_with("F-003 gives a default for `low`"), "{found:?}");
    }
}
