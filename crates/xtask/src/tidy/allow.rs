//! The list of exceptions, `tidy.allow`, which may only shrink.
//!
//! Its first line is `max: N`, the number of its entries; an entry is `path: reason`. An entry that is no longer needed
//! is an error, and so is one more than `max` says: growing takes a visible edit of the first line.

use std::{fs, path::Path};

use super::{Report, shape::Finding};

pub(super) fn filter(root: &Path, findings: Vec<Finding>, report: &mut Report) -> anyhow::Result<()> {
    let text = fs::read_to_string(root.join("tidy.allow")).unwrap_or_else(|_| "max: 0\n".into());
    judge(&text, findings, report);
    Ok(())
}

fn judge(text: &str, findings: Vec<Finding>, report: &mut Report) {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let max = lines.next().and_then(|line| line.strip_prefix("max: ")).and_then(|it| it.trim().parse::<usize>().ok());
    let entries: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(": ")).collect();
    if max != Some(entries.len()) {
        report.error(
            "tidy.allow",
            1,
            format!("the first line must be `max: {}`, the number of entries", entries.len()),
        );
    }
    for (path, _) in &entries {
        if !findings.iter().any(|it| it.refused && it.path == *path) {
            report.error("tidy.allow", 1, format!("`{path}` needs no exception any more: remove it"));
        }
    }
    for it in findings {
        let excused = entries.iter().any(|(path, _)| *path == it.path);
        match it.refused && !excused {
            true => report.error(&it.path, it.line, it.message),
            false => report.warning(&it.path, it.line, it.message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_is_counted_and_must_be_needed() {
        let finding = || vec![Finding { path: "a.rs".into(), line: 1, message: "long".into(), refused: true }];
        let errors = |text: &str, findings| {
            let mut report = Report::default();
            judge(text, findings, &mut report);
            report.errors.len()
        };
        assert_eq!(errors("max: 1\na.rs: one table\n", finding()), 0);
        assert_eq!(errors("max: 0\n", finding()), 1);
        assert_eq!(errors("max: 1\na.rs: one table\n", Vec::new()), 1, "no longer needed");
        assert_eq!(errors("max: 0\na.rs: one table\n", finding()), 1, "grown in silence");
    }
}
