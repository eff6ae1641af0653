//! Diagnostic: one mistake in a file, with what, where, and how to mend it.

use std::fmt;

use serde::Serialize;

/// How bad a mistake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file works, but probably not as meant.
    Warning,
    /// The file does not work.
    Error,
}

/// One mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The kind of mistake, stable, for programs.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The file as it was named.
    pub file: String,
    /// From 1; 0 where the mistake has no place, such as an unreadable file.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// The key, as `routes.support-chat.tiers[0].stall`.
    pub key: String,
    /// What is wrong, with the value and the limit.
    pub message: String,
    /// How to mend it.
    pub hint: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {severity}[{}]", self.code)?;
        if !self.key.is_empty() {
            write!(f, " {}", self.key)?;
        }
        write!(f, ": {}", self.message)?;
        if !self.hint.is_empty() {
            write!(f, "\n    hint: {}", self.hint)?;
        }
        Ok(())
    }
}

/// Returns the known name that is nearest to a mistyped one, where one is near.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = |other: &str| distance(name, other);
    known.into_iter().map(|other| (near(other), other)).filter(|(d, _)| *d <= 1 + name.len() / 4).min().map(|it| it.1)
}

/// The edit distance of Levenshtein, a swap of neighbours counting as one (Damerau, optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_and_a_far_one_is_not() {
        let known = ["stall", "total", "first_token"];
        assert_eq!(nearest("stal", known), Some("stall"));
        assert_eq!(nearest("frist_token", known), Some("first_token"));
        assert_eq!(nearest("colour", known), None);
    }
}
