//! Table: a file of comma-separated values with a head (RFC 4180).

use std::path::Path;

use anyhow::{Context, bail, ensure};

/// Rows under a head.
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or a row has more or fewer cells than the head.
    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        Self::of(&text).with_context(|| format!("cannot read {}", file.display()))
    }

    fn of(text: &str) -> anyhow::Result<Self> {
        let mut lines = cells(text)?.into_iter();
        let head = lines.next().context("it is empty")?;
        let rows: Vec<_> = lines.collect();
        for (at, row) in rows.iter().enumerate() {
            ensure!(row.len() == head.len(), "row {} has {} cells, and the head {}", at + 1, row.len(), head.len());
        }
        Ok(Self { head, rows })
    }

    /// Returns how many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns the texts of a column.
    ///
    /// # Errors
    /// There is none of this name.
    pub(crate) fn column(&self, name: &str) -> anyhow::Result<Vec<&str>> {
        let Some(at) = self.head.iter().position(|it| it == name) else {
            bail!("there is no column `{name}`; there are: {}", self.head.join(", "));
        };
        Ok(self.rows.iter().map(|row| row[at].as_str()).collect())
    }

    /// Returns the numbers of a column.
    ///
    /// # Errors
    /// There is none of this name, or a cell is no number.
    pub(crate) fn numbers(&self, name: &str) -> anyhow::Result<Vec<f64>> {
        let number = |(at, text): (usize, &str)| {
            let number = text.trim().parse();
            number.with_context(|| format!("row {}, column `{name}`: `{text}` is no number", at + 1))
        };
        self.column(name)?.into_iter().enumerate().map(number).collect()
    }
}

/// Parts a text into lines and cells; a cell in quotes may hold commas, line ends, and quotes written twice.
fn cells(text: &str) -> anyhow::Result<Vec<Vec<String>>> {
    let (mut lines, mut line, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => line.push(std::mem::take(&mut cell)),
            '\r' if !quoted && chars.peek() == Some(&'\n') => {}
            '\n' if !quoted => {
                line.push(std::mem::take(&mut cell));
                lines.push(std::mem::take(&mut line));
            }
            c => cell.push(c),
        }
    }
    ensure!(!quoted, "a quote is never closed");
    if !cell.is_empty() || !line.is_empty() {
        line.push(cell);
        lines.push(line);
    }
    // Empty lines say nothing.
    lines.retain(|line| line.len() > 1 || !line[0].is_empty());
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read_as_they_are_quoted() {
        let table = Table::of("a,\"b, c\"\r\n1,\"say \"\"x\"\"\"\n\n 2.5 ,\"two\nlines\"").expect("a table");
        assert_eq!(table.numbers("a").expect("numbers"), [1.0, 2.5]);
        assert_eq!(table.column("b, c").expect("a column"), ["say \"x\"", "two\nlines"]);
        for (text, words) in [
            ("", "it is empty"),
            ("a,b\n1", "row 1 has 1 cells, and the head 2"),
            ("a\n\"1", "a quote is never closed"),
        ] {
            assert!(format!("{:#}", Table::of(text).expect_err(words)).contains(words));
        }
        let refused = |of: anyhow::Result<Vec<f64>>| format!("{:#}", of.expect_err("refused"));
        assert!(refused(table.numbers("c")).contains("there is no column `c`; there are: a, b, c"));
        assert!(refused(table.numbers("b, c")).contains("row 1, column `b, c`: `say \"x\"` is no number"));
    }
}
