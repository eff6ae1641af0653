//! Docs: rule ids that tests name exist in the design pages, and links between our own pages lead somewhere.

use std::path::Path;

use super::{Report, Source};

/// How an id looks at the beginning of a test's name, and how the pages write it.
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

pub(super) fn check(root: &Path, rust: &[Source], text: &[Source], report: &mut Report) -> anyhow::Result<()> {
    let pages: String =
        text.iter().filter(|it| it.path.starts_with("docs/design/")).map(|it| it.text.as_str()).collect();
    for source in rust {
        for (at, line) in source.text.lines().enumerate() {
            let Some(name) = line.trim_start().strip_prefix("fn ").or(line.trim_start().strip_prefix("async fn "))
            else {
                continue;
            };
            for id in ids(name).into_iter().filter(|id| !is_known(id, &pages)) {
                report.error(&source.path, at + 1, format!("{id} is in no page of docs/design"));
            }
        }
    }
    for source in text.iter().filter(|it| it.path.ends_with(".md") && !it.path.starts_with("docs/design/")) {
        links(root, source, report);
    }
    Ok(())
}

/// Returns the ids that the name of a test begins with: `f_062_f_063_…` gives two.
fn ids(name: &str) -> Vec<String> {
    let words: Vec<&str> = name.split(['_', '(', '<']).collect();
    let mut found = Vec::new();
    for pair in words.chunks(2) {
        let [kind, number] = pair else { break };
        let known = IDS.iter().find(|(word, _, digits)| word == kind && number.len() == *digits);
        match known.filter(|_| number.bytes().all(|byte| byte.is_ascii_digit())) {
            Some((_, written, _)) => found.push(format!("{written}{number}")),
            None => break,
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

fn links(root: &Path, source: &Source, report: &mut Report) {
    let folder = root.join(&source.path).parent().map(Path::to_path_buf).unwrap_or_default();
    for (at, line) in source.text.lines().enumerate() {
        for target in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            if !file.is_empty() && !file.contains("://") && !folder.join(file).exists() {
                report.error(&source.path, at + 1, format!("the link to `{target}` leads nowhere"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_from_the_names_of_tests() {
        assert_eq!(ids("f_062_f_063_the_trip_rules()"), ["F-062", "F-063"]);
        assert_eq!(ids("oai_04_oip_12_x"), ["OAI-04", "OIP-12"]);
        assert!(ids("a_share_draws()").is_empty() && ids("f_x_y()").is_empty());
    }

    #[test]
    fn an_id_that_no_page_knows_is_found() {
        assert!(is_known("F-062", "| F-062 | trips"));
        assert!(!is_known("F-999", "| F-062 | trips"));
        assert!(is_known("OAI-03", "OAI-01 verbatim · 03 every SSE rule"));
    }
}
