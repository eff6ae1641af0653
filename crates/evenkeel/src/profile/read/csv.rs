//! CSV: comma-separated values with a head (RFC 4180); another delimiter is said, never guessed.

use anyhow::{bail, ensure};
use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};

use super::{Cell, Counted, LONGEST, Place, Rows};

/// Delimiters that a head is looked through for, where commas find but one column.
const OTHERS: [(char, &str); 3] = [(';', "';'"), ('\t', "'\\t'"), ('|', "'|'")];

pub(super) struct Csv {
    reader: Reader<Counted>,
    names: Vec<String>,
    record: ByteRecord,
    /// The line of the last row with a cell of several lines.
    long: Option<u64>,
    /// Bytes of a row at most, and what the reader has in hand of the rows behind it.
    longest: u64,
}

impl Csv {
    /// Reads the head. The delimiter 0 is a comma that nobody has said.
    pub(super) fn open(mut file: Counted, delimiter: u8) -> anyhow::Result<Self> {
        file.left = LONGEST;
        let said = if delimiter == 0 { b',' } else { delimiter };
        let mut reader = ReaderBuilder::new().delimiter(said).buffer_capacity(1 << 18).from_reader(file);
        let head = reader.byte_headers().cloned();
        let head = match head {
            Ok(head) => head,
            Err(_) if reader.get_ref().left == 0 => bail!(too_long(1, LONGEST)),
            Err(error) => bail!(told(&error)),
        };
        let mut names = Vec::with_capacity(head.len());
        for (at, name) in head.iter().enumerate() {
            let name = if at == 0 { name.strip_prefix(b"\xef\xbb\xbf").unwrap_or(name) } else { name };
            let Ok(name) = std::str::from_utf8(name) else {
                bail!("line 1: the name of column {} is not UTF-8", at + 1)
            };
            let name = name.trim();
            ensure!(!name.is_empty(), "line 1: column {} has no name: the first line names the columns", at + 1);
            ensure!(!names.contains(&name.to_owned()), "line 1: two columns have the name `{name}`: rename one");
            names.push(name.to_owned());
        }
        let other = OTHERS.iter().find(|it| delimiter == 0 && names.len() == 1 && names[0].contains(it.0));
        if let Some((_, written)) = other {
            bail!(
                "line 1: by commas there is one column, `{}`: is the delimiter another one? --delimiter {written}",
                names[0]
            );
        }
        let number = names.iter().find(|it| it.parse::<f64>().is_ok());
        if let Some(name) = number {
            bail!("line 1: `{name}` is a number, and no name of a column: write a head above the rows");
        }
        Ok(Self { reader, names, record: ByteRecord::new(), long: None, longest: LONGEST })
    }
}

impl Rows for Csv {
    fn names(&self) -> &[String] {
        &self.names
    }

    fn next(&mut self, cells: &mut Vec<Cell>) -> anyhow::Result<Option<Place>> {
        cells.clear();
        let line = self.reader.position().line();
        self.reader.get_mut().left = self.longest;
        match self.reader.read_byte_record(&mut self.record) {
            Ok(true) => {}
            Ok(false) => return self.closed().map(|()| None),
            Err(_) if self.reader.get_ref().left == 0 => bail!(too_long(line, self.longest)),
            Err(error) => bail!(told(&error)),
        }
        let line = self.record.position().map_or(line, csv::Position::line);
        self.long = self.record.as_slice().contains(&b'\n').then_some(line);
        for (name, field) in self.names.iter().zip(&self.record) {
            let Ok(text) = std::str::from_utf8(field) else {
                bail!(
                    "line {line}, column `{name}`: it is not UTF-8: `iconv -f ISO-8859-1 -t UTF-8`, or whatever it is, makes UTF-8 of it"
                )
            };
            cells.push(if text.trim().is_empty() { Cell::Missing } else { Cell::Raw(text.to_owned()) });
        }
        Ok(Some(Place::Line(line)))
    }

    fn done(&self) -> f64 {
        self.reader.get_ref().done()
    }
}

impl Csv {
    /// Refuses a file whose last cell goes on to its end: all rows after the quote would be one.
    fn closed(&self) -> anyhow::Result<()> {
        match self.long {
            Some(line) if self.reader.get_ref().quotes % 2 == 1 => {
                bail!("line {line}: a quote is never closed, and the rest of the file stands in one cell")
            }
            _ => Ok(()),
        }
    }
}

fn too_long(line: u64, most: u64) -> String {
    format!("line {line}: the row that begins there is longer than {} MiB: is a quote never closed?", most >> 20)
}

fn told(error: &csv::Error) -> String {
    match error.kind() {
        ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let line = pos.as_ref().map_or(0, csv::Position::line);
            format!(
                "line {line} has {}, and the head {expected_len}: is a quote missing, or the delimiter (--delimiter) another one?",
                crate::cmd::counted(usize::try_from(*len).unwrap_or(usize::MAX), "cell")
            )
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::profile::read::Source;

    #[test]
    fn a_row_without_an_end_is_read_as_far_as_a_row_may_be_and_named_by_the_line_where_it_began() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("open.csv");
        let mut file = std::fs::File::create(&path).expect("made");
        file.write_all(b"a,b\n1,2\n3,\"x\n").expect("written");
        let rest = b"4,5\n".repeat(1 << 20);
        file.write_all(&rest).expect("written");
        let source = Source::look(&path, None).expect("it is there");
        let mut rows = Csv::open(source.counted(std::fs::File::open(&path).expect("it is there")), 0).expect("a head");
        rows.longest = 1 << 20;
        let mut cells = Vec::new();
        assert!(rows.next(&mut cells).expect("a row").is_some());
        let refused = rows.next(&mut cells).expect_err("no end").to_string();
        assert_eq!(refused, "line 3: the row that begins there is longer than 1 MiB: is a quote never closed?");
        assert!(rows.reader.get_ref().read < 2 << 20, "no more was read: {}", rows.reader.get_ref().read);
    }
}
