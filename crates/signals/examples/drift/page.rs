//! Page: tables of `docs/quality.md`, between their marks.

use std::{fs, path::PathBuf};

/// Puts tables between the marks of their names, and writes the page.
pub(crate) fn write(tables: &[(&str, String)]) {
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/quality.md");
    let text = fs::read_to_string(&page).expect("docs/quality.md");
    let text = tables.iter().fold(text, |text, (name, table)| between(&text, name, table));
    fs::write(&page, text).expect("docs/quality.md is written");
}

fn between(text: &str, name: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let (head, rest) = text.split_once(&begin).expect("the mark where the table begins");
    let (_, tail) = rest.split_once(&end).expect("the mark where the table ends");
    format!("{head}{begin}{table}{end}{tail}")
}

/// The head of a table.
pub(crate) fn head(columns: &[&str]) -> String {
    format!("| {} |\n|{}\n", columns.join(" | "), "---|".repeat(columns.len()))
}
