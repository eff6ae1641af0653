//! Tidy: what the repository promises about its own shape, checked by a program and not by reviewers.
//!
//! Each check is a file: it takes the sources and returns findings. A finding says where, what, and how to mend it.

mod allow;
mod docs;
mod edges;
mod headers;
mod purity;
mod rules;
mod shape;
mod source;
mod words;

use std::path::Path;

use anyhow::Context;

use self::source::{Source, sources};

/// What is not as it should be.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The repository does not keep its promise.
    pub(crate) errors: Vec<String>,
    /// It soon will not.
    pub(crate) warnings: Vec<String>,
}

impl Report {
    fn error(&mut self, place: &str, line: usize, message: impl AsRef<str>) {
        self.errors.push(format!("{place}:{line}: {}", message.as_ref()));
    }

    fn warning(&mut self, place: &str, line: usize, message: impl AsRef<str>) {
        self.warnings.push(format!("{place}:{line}: {}", message.as_ref()));
    }
}

/// Runs every check over a repository.
pub(crate) fn run(root: &Path) -> anyhow::Result<Report> {
    let rust = sources(root, &["rs"]).context("cannot read the sources")?;
    let text = sources(root, &["rs", "md", "toml", "yaml", "yml", "py", "sh", "json", ""])?;
    let mut report = Report::default();
    edges::check(root, &mut report)?;
    purity::check(&rust, &mut report);
    headers::check(&rust, &mut report);
    let findings = shape::check(&rust);
    allow::filter(root, findings, &mut report)?;
    words::check(&text, &mut report);
    rules::check(&rust, &text, &mut report);
    docs::check(root, &text, &mut report);
    Ok(report)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_repository_is_tidy() {
        let report = super::run(crate::root()).expect("readable");
        assert!(report.errors.is_empty(), "{}", report.errors.join("\n"));
    }
}
