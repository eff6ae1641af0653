//! Npz: reads `X.npy` and `y.npy` of the sets, which are zip files of arrays, deflated.
//!
//! Only what these files are: no pickled objects, no zip64, little-endian numbers of at most two dimensions.

use std::{fs, io::Read as _, path::Path};

/// An array: its numbers, column after column where it has columns.
pub(crate) struct Array {
    shape: Vec<usize>,
    columns_first: bool,
    numbers: Vec<f64>,
}

impl Array {
    pub(crate) fn rows(&self) -> usize {
        self.shape[0]
    }

    pub(crate) fn columns(&self) -> usize {
        self.shape.get(1).copied().unwrap_or(1)
    }

    pub(crate) fn at(&self, row: usize, column: usize) -> f64 {
        let place = if self.columns_first { column * self.rows() + row } else { row * self.columns() + column };
        self.numbers[place]
    }
}

/// Reads both arrays of a file.
pub(crate) fn read(file: &Path) -> (Array, Array) {
    let bytes = fs::read(file).expect("a set");
    (array(&member(&bytes, "X.npy")), array(&member(&bytes, "y.npy")))
}

fn u16_at(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> usize {
    usize::try_from(u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four"))).expect("64 bits")
}

/// Returns a member of a zip file, by its central directory.
fn member(zip: &[u8], name: &str) -> Vec<u8> {
    let end = zip.windows(4).rposition(|it| it == b"PK\x05\x06").expect("the end of a zip file");
    let mut at = u32_at(zip, end + 16);
    while zip[at..].starts_with(b"PK\x01\x02") {
        let (method, packed) = (u16_at(zip, at + 10), u32_at(zip, at + 20));
        let (long, extra, comment) = (u16_at(zip, at + 28), u16_at(zip, at + 30), u16_at(zip, at + 32));
        if &zip[at + 46..at + 46 + long] == name.as_bytes() {
            let head = u32_at(zip, at + 42);
            let begin = head + 30 + u16_at(zip, head + 26) + u16_at(zip, head + 28);
            let data = &zip[begin..begin + packed];
            let mut whole = Vec::new();
            match method {
                0 => whole.extend(data),
                8 => drop(flate2::read::DeflateDecoder::new(data).read_to_end(&mut whole).expect("deflated")),
                other => panic!("method {other}"),
            }
            return whole;
        }
        at += 46 + long + extra + comment;
    }
    panic!("no {name}")
}

/// Reads an array of format 1.
fn array(npy: &[u8]) -> Array {
    assert!(npy.starts_with(b"\x93NUMPY\x01"), "an array of format 1");
    let begin = 10 + u16_at(npy, 8);
    let header = std::str::from_utf8(&npy[10..begin]).expect("text");
    let after = |key: &str| header.split_once(key).expect("its header has it").1;
    let form = after("'descr': '").split('\'').next().expect("a form");
    let shape = after("'shape': (").split(')').next().expect("a shape");
    let shape = shape.split(',').filter_map(|it| it.trim().parse().ok()).collect();
    let columns_first = after("'fortran_order': ").starts_with("True");
    let data = &npy[begin..];
    let wide = form[2..].parse().expect("a width");
    let numbers = data.chunks_exact(wide).map(|it| match form {
        "<f8" => f64::from_le_bytes(it.try_into().expect("eight")),
        #[expect(clippy::cast_precision_loss, reason = "labels")]
        "<i8" => i64::from_le_bytes(it.try_into().expect("eight")) as f64,
        "<i4" => f64::from(i32::from_le_bytes(it.try_into().expect("four"))),
        "<i2" => f64::from(i16::from_le_bytes(it.try_into().expect("two"))),
        "|u1" => f64::from(it[0]),
        other => panic!("numbers of form {other}"),
    });
    Array { shape, columns_first, numbers: numbers.collect() }
}
