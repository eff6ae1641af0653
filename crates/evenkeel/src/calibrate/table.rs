//! Table: a file of comma-separated values with a head (RFC 4180).

use std::path::Path;

use anyhow::{Context, bail, ensure};
use sha2::{Digest, Sha256};

use crate::output;

/// Rows under a head.
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Where each row begins in the file, from 1.
    lines: Vec<usize>,
}

impl Table {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or a row has more or fewer cells than the head.
    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        Ok(Self::read_whole(file)?.0)
    }

    /// Reads a file, and returns SHA-256 of it, too, in hexadecimal digits.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) fn read_whole(file: &Path) -> anyhow::Result<(Self, String)> {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let table = Self::of(&text).with_context(|| format!("cannot read {}", file.display()))?;
        Ok((table, crate::profile::hex(&Sha256::digest(text))))
    }

    fn of(text: &str) -> anyhow::Result<Self> {
        let mut lines = cells(text)?.into_iter();
        let (_, head) = lines.next().context("it is empty")?;
        let (lines, rows): (Vec<_>, Vec<_>) = lines.unzip();
        for (at, row) in rows.iter().enumerate() {
            ensure!(row.len() == head.len(), "row {} has {} cells, and the head {}", at + 1, row.len(), head.len());
        }
        Ok(Self { head, rows, lines })
    }

    /// Returns how many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Leaves out the rows of which nobody knows what is true, and says how many.
    ///
    /// # Errors
    /// There is no such column, or none of the rows has a truth.
    pub(crate) fn leave_out_untrue(&mut self, truth: &str) -> anyhow::Result<()> {
        let known: Vec<bool> = self.column(truth)?.iter().map(|it| !it.trim().is_empty()).collect();
        let (all, with) = (known.len(), known.iter().filter(|it| **it).count());
        ensure!(
            with > 0 || all == 0,
            "column `{truth}` is empty in each of {all} rows: nothing is known of what is true"
        );
        let mut of_rows = known.iter();
        self.rows.retain(|_| of_rows.next() == Some(&true));
        let mut of_lines = known.iter();
        self.lines.retain(|_| of_lines.next() == Some(&true));
        if with < all {
            output::note(format_args!("{} without a truth were left out", crate::cmd::counted(all - with, "row")));
        }
        Ok(())
    }

    /// Returns the bytes of each row, whatever way it was quoted: a digest of it does not depend on where it stands.
    pub(crate) fn bytes(&self) -> Vec<Vec<u8>> {
        let cell = |cell: &String| [&(cell.len() as u64).to_be_bytes()[..], cell.as_bytes()].concat();
        self.rows.iter().map(|row| row.iter().flat_map(cell).collect()).collect()
    }

    /// Returns the line of the file in which a row begins.
    pub(crate) fn line(&self, row: usize) -> usize {
        self.lines[row]
    }

    /// Reads how sure a model was: a cell of a row, and of a column; none where nothing stands there.
    ///
    /// # Errors
    /// It is no number, NaN or an infinity.
    pub(crate) fn sure(&self, row: usize, column: &str, cell: &str) -> anyhow::Result<Option<f64>> {
        let cell = cell.trim();
        if cell.is_empty() {
            return Ok(None);
        }
        let number = cell.parse().ok().filter(|it: &f64| it.is_finite());
        number.map(Some).with_context(|| {
            let line = self.line(row);
            format!("line {line}, column `{column}`: `{cell}` is no confidence: write a number, or nothing where there is none")
        })
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
    /// There is none of this name, or a cell is no number, NaN or an infinity.
    pub(crate) fn numbers(&self, name: &str) -> anyhow::Result<Vec<f64>> {
        let number = |(at, text): (usize, &str)| {
            let number = text.trim().parse().ok().filter(|it: &f64| it.is_finite());
            number.with_context(|| {
                let line = self.line(at);
                format!("line {line}, column `{name}`: `{text}` is no number: leave out rows that have none")
            })
        };
        self.column(name)?.into_iter().enumerate().map(number).collect()
    }
}

/// Parts a text into lines, each with its number, and cells; a cell in quotes may hold commas, line ends, and quotes written twice.
fn cells(text: &str) -> anyhow::Result<Vec<(usize, Vec<String>)>> {
    let (mut lines, mut line, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let (mut at, mut begin) = (1, 1);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        at += usize::from(c == '\n');
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => line.push(std::mem::take(&mut cell)),
            '\r' if !quoted && chars.peek() == Some(&'\n') => {}
            '\n' if !quoted => {
                line.push(std::mem::take(&mut cell));
                lines.push((begin, std::mem::take(&mut line)));
                begin = at;
            }
            c => cell.push(c),
        }
    }
    ensure!(!quoted, "a quote is never closed");
    if !cell.is_empty() || !line.is_empty() {
        line.push(cell);
        lines.push((begin, line));
    }
    // Empty lines say nothing.
    lines.retain(|(_, line)| line.len() > 1 || !line[0].is_empty());
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read_as_they_are_quoted() {
        let table = Table::of("a,\"b, c\"\r\n1,\"say \"\"x\"\"\"\n\n 2.5 ,\"two\nlines\"").expect("a table");
        assert_eq!(table.numbers("a").expect("numbers"), [1.0, 2.5]);
        assert_eq!([table.line(0), table.line(1)], [2, 4], "empty lines count");
        assert_eq!(table.column("b, c").expect("a column"), ["say \"x\"", "two\nlines"]);
        for (text, words) in [
            ("", "it is empty"),
            ("a,b\n1", "row 1 has 1 cells, and the head 2"),
            ("a\n\"1", "a quote is never closed"),
        ] {
            assert!(format!("{:#}", Table::of(text).expect_err(words)).contains(words));
        }
        assert_eq!([" ", "0.5"].map(|it| table.sure(0, "a", it).ok()), [Some(None), Some(Some(0.5))]);
        for cell in ["NaN", "inf", "-inf", "high"] {
            let refused = table.sure(1, "a", cell).expect_err(cell).to_string();
            assert!(refused.contains(&format!("line 4, column `a`: `{cell}` is no confidence")), "{refused}");
        }
        let refused = |of: anyhow::Result<Vec<f64>>| format!("{:#}", of.expect_err("refused"));
        assert!(refused(table.numbers("c")).contains("there is no column `c`; there are: a, b, c"));
        let mut half = Table::of("truth,x\nyes,1\n,2\n ,3\nno,4").expect("a table");
        half.leave_out_untrue("truth").expect("two are left");
        assert_eq!((half.column("x").expect("a column"), half.line(1)), (vec!["1", "4"], 5));
        for cell in ["NaN", "inf", "-Infinity", ""] {
            let table = Table::of(&format!("id,s\n1,0.5\n2,{cell}")).expect("a table");
            let refused = refused(table.numbers("s"));
            assert!(refused.contains(&format!("line 3, column `s`: `{cell}` is no number")), "{refused}");
        }
        let none = Table::of("truth\n \n \n").expect("a table").leave_out_untrue("truth").expect_err("none");
        assert!(none.to_string().contains("`truth` is empty in each of 2 rows"), "{none}");
        assert!(refused(table.numbers("b, c")).contains("line 2, column `b, c`: `say \"x\"` is no number"));
    }
}
