//! Purity: the core has no clock, no entropy, no IO, no float and no order that depends on a hash (architecture §4).

use super::{Report, Source};

/// What may not stand in the core, and what to do instead.
const BANNED: [(&str, &str); 8] = [
    ("f32", "numbers arrive quantised"),
    ("f64", "numbers arrive quantised"),
    ("HashMap", "its order is not defined: take a BTreeMap or a sorted Vec"),
    ("HashSet", "its order is not defined: take a BTreeSet or a sorted Vec"),
    ("std::", "the core is no_std: take core:: or alloc::"),
    ("Instant", "`now` is an argument"),
    ("SystemTime", "`now` is an argument"),
    ("println", "the core says nothing: it returns what happened"),
];

pub(super) fn check(sources: &[Source], report: &mut Report) {
    for source in sources.iter().filter(|it| it.path.starts_with("crates/core/src/") && !it.is_test()) {
        for (at, line) in source.code().lines().enumerate() {
            for (word, instead) in BANNED.iter().filter(|(word, _)| has_word(line, word)) {
                report.error(&source.path, at + 1, format!("`{word}` in the core: {instead}"));
            }
        }
    }
    let lib = sources.iter().find(|it| it.path == "crates/core/src/lib.rs");
    if lib.is_some_and(|lib| !lib.text.contains("#![no_std]")) {
        report.error("crates/core/src/lib.rs", 1, "the core is `#![no_std]`");
    }
}

/// Says whether a word stands in a line as a word of its own.
fn has_word(line: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(is_name) && (word.ends_with(':') || !after.is_some_and(is_name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_float_in_the_core_is_found_and_one_in_its_tests_is_not() {
        let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
        let errors = |path: &str, text: &str| {
            let mut report = Report::default();
            check(&[source(path, text)], &mut report);
            report.errors.len()
        };
        assert_eq!(errors("crates/core/src/a.rs", "let a: f64 = 1.0;"), 1);
        assert_eq!(errors("crates/core/src/a.rs", "// f64\nlet a = \"f64\"; let buf64 = 1;"), 0);
        assert_eq!(errors("crates/core/src/a.rs", "#[cfg(test)]\nmod tests { use std::vec; }"), 0);
        assert_eq!(errors("crates/core/src/a/tests.rs", "use std::vec;"), 0);
        assert_eq!(errors("crates/gateway/src/a.rs", "let a: f64 = 1.0;"), 0);
    }
}
