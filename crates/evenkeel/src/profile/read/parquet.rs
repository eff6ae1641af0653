//! Parquet: columns with types, uncompressed or by Snappy or gzip.

use std::fs::File;

use anyhow::{Context, bail, ensure};
use parquet::{
    basic::{Compression, ConvertedType, LogicalType, TimeUnit},
    file::reader::{FileReader, SerializedFileReader},
    record::{Field, reader::RowIter},
    schema::types::Type,
};

use super::{Cell, Place, Rows};

/// Row groups that are opened one after the other.
pub(super) struct Parquet {
    rows: RowIter<'static>,
    names: Vec<String>,
    /// The columns that hold ns since the epoch, which have no type of their own in a row.
    nanos: Vec<bool>,
    read: u64,
    of: u64,
}

impl Parquet {
    pub(super) fn open(file: File) -> anyhow::Result<Self> {
        let reader = SerializedFileReader::new(file).context("it begins as Parquet and is broken, or was cut off")?;
        let meta = reader.metadata();
        for group in meta.row_groups() {
            for column in group.columns() {
                let packed = column.compression();
                let reads = matches!(packed, Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::GZIP(_));
                ensure!(
                    reads,
                    "column `{}` is compressed by {packed}: write it with Snappy or gzip (in pandas and polars `compression=\"snappy\"`)",
                    column.column_path().string()
                );
            }
        }
        let schema = meta.file_metadata().schema();
        let of = u64::try_from(meta.file_metadata().num_rows()).context("it has a number of rows below 0")?;
        let names: Vec<String> = schema.get_fields().iter().map(|it| it.name().to_owned()).collect();
        for (at, name) in names.iter().enumerate() {
            ensure!(!names[..at].contains(name), "two columns have the name `{name}`: rename one");
        }
        schema.get_fields().iter().try_for_each(|it| known(it))?;
        let nanos = schema.get_fields().iter().map(|it| is_nanos(it)).collect();
        Ok(Self { rows: RowIter::from_file_into(Box::new(reader)), names, nanos, read: 0, of })
    }
}

impl Rows for Parquet {
    fn names(&self) -> &[String] {
        &self.names
    }

    fn next(&mut self, cells: &mut Vec<Cell>) -> anyhow::Result<Option<Place>> {
        cells.clear();
        let Some(row) = self.rows.next() else {
            ensure!(self.read == self.of, "it says that it has {} rows, and has {}: it is broken", self.of, self.read);
            return Ok(None);
        };
        let row = row.with_context(|| format!("row {}: it is broken, or was cut off", self.read + 1))?;
        self.read += 1;
        let fields = row.into_columns();
        ensure!(fields.len() == self.names.len(), "row {}: it has {} cells", self.read, fields.len());
        cells.extend(fields.into_iter().zip(&self.nanos).map(|((_, field), nanos)| cell(field, *nanos)));
        Ok(Some(Place::Row(self.read)))
    }

    fn done(&self) -> f64 {
        self.read as f64 / self.of.max(1) as f64
    }
}

/// Refuses what the reader of rows does not know.
fn known(of: &Type) -> anyhow::Result<()> {
    if of.is_group() {
        return of.get_fields().iter().try_for_each(|it| known(it));
    }
    match of.get_basic_info().converted_type() {
        ConvertedType::INTERVAL => {
            bail!("column `{}` holds intervals: leave it out when the file is written", of.name())
        }
        _ => Ok(()),
    }
}

fn is_nanos(of: &Type) -> bool {
    let logical = of.get_basic_info().logical_type_ref();
    matches!(logical, Some(LogicalType::Timestamp(it)) if matches!(it.unit, TimeUnit::NANOS))
}

#[expect(clippy::cast_precision_loss, reason = "numbers beyond 2^53 are ids, which are no numbers")]
fn cell(field: Field, nanos: bool) -> Cell {
    match field {
        Field::Null => Cell::Missing,
        Field::Bool(it) => Cell::Bool(it),
        Field::Long(it) if nanos => Cell::Time(it.into()),
        Field::TimestampMillis(it) => Cell::Time(i128::from(it) * 1_000_000),
        Field::TimestampMicros(it) => Cell::Time(i128::from(it) * 1_000),
        Field::Date(it) => Cell::Time(i128::from(it) * 86_400 * 1_000_000_000),
        Field::Str(it) => Cell::Text(it),
        Field::Bytes(it) => match std::str::from_utf8(it.data()) {
            Ok(it) => Cell::Text(it.to_owned()),
            Err(_) => Cell::Odd("bytes that are no text"),
        },
        Field::Long(it) => Cell::Number(it as f64),
        Field::ULong(it) => Cell::Number(it as f64),
        Field::TimeMicros(it) => Cell::Number(it as f64),
        Field::Decimal(it) => decimal(&it).map_or(Cell::Odd("a decimal number too long"), Cell::Number),
        Field::Group(_) => Cell::Odd("an object"),
        Field::MapInternal(_) => Cell::Odd("a map"),
        Field::ListInternal(all) => numbers(all.elements()),
        small => number(&small).map_or(Cell::Odd("something unknown"), Cell::Number),
    }
}

/// The numbers that fit a double as they are.
fn number(field: &Field) -> Option<f64> {
    Some(match field {
        Field::Byte(it) => f64::from(*it),
        Field::Short(it) => f64::from(*it),
        Field::Int(it) | Field::TimeMillis(it) => f64::from(*it),
        Field::UByte(it) => f64::from(*it),
        Field::UShort(it) => f64::from(*it),
        Field::UInt(it) => f64::from(*it),
        Field::Float16(it) => f64::from(*it),
        Field::Float(it) => shortest(*it),
        Field::Double(it) => *it,
        _ => return None,
    })
}

/// The double that the shortest writing of a single stands for: what the same rows in CSV have.
fn shortest(it: f32) -> f64 {
    it.to_string().parse().unwrap_or(f64::from(it))
}

fn decimal(it: &parquet::data_type::Decimal) -> Option<f64> {
    let bytes: [u8; 16] = {
        let data = it.data();
        let sign = if data.first().is_some_and(|it| it & 0x80 != 0) { 0xff } else { 0 };
        let mut all = [sign; 16];
        all[16_usize.checked_sub(data.len())?..].copy_from_slice(data);
        all
    };
    // Written out and read, so that 0.1 is the 0.1 of other files.
    format!("{}e-{}", i128::from_be_bytes(bytes), it.scale()).parse().ok()
}

fn numbers(all: &[Field]) -> Cell {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "embeddings are of single precision"
    )]
    let single = |it: &Field| match it {
        Field::Float(it) => Some(*it),
        Field::Long(it) => Some(*it as f32),
        other => number(other).map(|it| it as f32),
    };
    let numbers: Option<Vec<f32>> = all.iter().map(single).collect();
    numbers.map_or(Cell::Odd("a list that is not of numbers"), Cell::Numbers)
}
