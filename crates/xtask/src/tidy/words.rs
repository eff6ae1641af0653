//! Words that have no place in the repository: promises for later, and the places of somebody's own machine.

use super::{Report, Source};

/// Split, so that this file does not find itself.
const WORDS: [(&str, &str, &str); 6] = [
    ("TO", "DO", "write the thing, or an issue"),
    ("FIX", "ME", "mend it"),
    ("#[ig", "nore", "a test that is not run is no test"),
    ("to", "do!(", "write the thing"),
    ("unimple", "mented!(", "write the thing"),
    ("/ro", "ot/", "the path of one machine"),
];

pub(super) fn check(sources: &[Source], report: &mut Report) {
    for source in sources.iter().filter(|it| !it.path.starts_with("docs/design/") && !it.path.ends_with(".lock")) {
        for (at, line) in source.text.lines().enumerate() {
            for (head, tail, instead) in WORDS {
                if line.contains(&format!("{head}{tail}")) {
                    report.error(&source.path, at + 1, format!("`{head}{tail}` stands here: {instead}"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_for_later_is_found() {
        let text = format!("// {}{}: later", "TO", "DO");
        let mut report = Report::default();
        check(&[Source { path: "a.rs".into(), text }], &mut report);
        assert_eq!(report.errors.len(), 1);
    }
}
