//! Headers: every file says first what it is; file names say a noun (style, sections 3 and 7).

use super::{Report, Source};

/// Names that say nothing, and so collect everything.
const EMPTY_NAMES: [&str; 8] = ["mod", "utils", "util", "common", "helpers", "types", "manager", "part2"];

pub(super) fn check(sources: &[Source], report: &mut Report) {
    for source in sources.iter().filter(|it| it.path.starts_with("crates/")) {
        if !source.text.starts_with("//!") {
            report.error(&source.path, 1, "the file does not say what it is: begin with a `//!` header");
        }
        let name = source.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
        if EMPTY_NAMES.contains(&name) {
            report.error(&source.path, 1, format!("`{name}` is no noun: name the one concept that is in it"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_header_or_a_name_is_found() {
        let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
        let mut report = Report::default();
        let files = [source("crates/a/src/b.rs", "fn x() {}"), source("crates/a/src/utils.rs", "//! Things.")];
        check(&files, &mut report);
        assert_eq!(report.errors.len(), 2);
    }
}
