//! JSON lines: an object on each line; a name that a line has not is missing there.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read},
};

use anyhow::{bail, ensure};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::{Cell, Counted, LONGEST, Place, Rows};

/// Columns at most: what has more has names for values.
const COLUMNS: usize = 10_000;

pub(super) struct Json {
    file: BufReader<Counted>,
    line: u64,
    text: Vec<u8>,
    names: Vec<String>,
    places: BTreeMap<String, usize>,
}

impl Json {
    pub(super) fn open(file: Counted) -> Self {
        let (file, places) = (BufReader::with_capacity(1 << 18, file), BTreeMap::new());
        Self { file, line: 0, text: Vec::new(), names: Vec::new(), places }
    }

    /// Takes one object.
    fn take(&mut self, cells: &mut Vec<Cell>) -> anyhow::Result<()> {
        let line = self.line;
        let text = self.text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.text);
        let Pairs(pairs) = match serde_json::from_slice(text) {
            Ok(it) => it,
            Err(error) => bail!("line {line}: it is no object in JSON: {error}"),
        };
        cells.resize(self.names.len(), Cell::Missing);
        let mut given = vec![false; self.names.len()];
        for (name, value) in pairs {
            let at = match self.places.get(&name) {
                Some(at) => *at,
                None => {
                    ensure!(
                        self.names.len() < COLUMNS,
                        "line {line}: there are more than {COLUMNS} names: rows want few names, with values below them"
                    );
                    self.places.insert(name.clone(), self.names.len());
                    self.names.push(name.clone());
                    cells.push(Cell::Missing);
                    given.push(false);
                    self.names.len() - 1
                }
            };
            ensure!(!given[at], "line {line}: `{name}` stands there twice");
            (given[at], cells[at]) = (true, cell(value));
        }
        Ok(())
    }
}

impl Rows for Json {
    fn names(&self) -> &[String] {
        &self.names
    }

    fn next(&mut self, cells: &mut Vec<Cell>) -> anyhow::Result<Option<Place>> {
        cells.clear();
        loop {
            self.line += 1;
            self.text.clear();
            let read = self.file.by_ref().take(LONGEST).read_until(b'\n', &mut self.text)?;
            ensure!((read as u64) < LONGEST, "line {}: it is longer than {} MiB", self.line, LONGEST >> 20);
            if read == 0 {
                return Ok(None);
            }
            if !self.text.trim_ascii().is_empty() {
                break;
            }
        }
        self.take(cells)?;
        Ok(Some(Place::Line(self.line)))
    }

    fn done(&self) -> f64 {
        self.file.get_ref().done()
    }
}

/// The pairs of an object as they stand there, two of one name included.
struct Pairs(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Pairs;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        from.deserialize_map(Each)
    }
}

fn cell(value: Value) -> Cell {
    match value {
        Value::Null => Cell::Missing,
        Value::Bool(it) => Cell::Bool(it),
        Value::Number(it) => it.as_f64().map_or(Cell::Odd("a number too large"), Cell::Number),
        Value::String(it) => Cell::Text(it),
        #[expect(clippy::cast_possible_truncation, reason = "embeddings are of single precision")]
        Value::Array(all) => {
            let numbers: Option<Vec<f32>> = all.iter().map(|it| it.as_f64().map(|it| it as f32)).collect();
            numbers.map_or(Cell::Odd("a list that is not of numbers"), Cell::Numbers)
        }
        Value::Object(_) => Cell::Odd("an object"),
    }
}
