//! Parquet: the same rows give the same cells as in other formats, and what is broken is refused.

use std::{fs::File, path::Path, sync::Arc};

use ::parquet::{
    basic::Compression,
    data_type::{ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int64Type},
    file::{
        properties::WriterProperties,
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::parser::parse_message_type,
};

use super::{Folder, err};

const SCHEMA: &str = "message rows {
    optional double x; required float y; required int64 n; optional binary c (UTF8);
    required int64 at (TIMESTAMP(NANOS,true)); }";

/// Writes rows 0 to n; every seventh has no `x`, every fifth no `c`.
fn write(path: &Path, rows: i64, packed: Compression) {
    let properties = Arc::new(WriterProperties::builder().set_compression(packed).build());
    let schema = Arc::new(parse_message_type(SCHEMA).expect("a schema"));
    let mut writer =
        SerializedFileWriter::new(File::create(path).expect("made"), schema, properties).expect("a writer");
    let mut group = writer.next_row_group().expect("a group");
    let there = |every: i64| (0..rows).map(move |it| i16::from(it % every != 0)).collect::<Vec<_>>();
    let x: Vec<f64> = (0..rows).filter(|it| it % 7 != 0).map(|it| it as f64 / 8.0).collect();
    let y: Vec<f32> = (0..rows).map(|it| it as f32 / 10.0).collect();
    let n: Vec<i64> = (0..rows).map(|it| it * 3 % 17).collect();
    let c: Vec<ByteArray> =
        (0..rows).filter(|it| it % 5 != 0).map(|it| if it % 2 == 0 { "even" } else { "odd" }.into()).collect();
    let at: Vec<i64> = (0..rows).map(|it| (1_760_000_000 + it) * 1_000_000_000).collect();
    column::<DoubleType>(&mut group, &x, Some(&there(7)));
    column::<FloatType>(&mut group, &y, None);
    column::<Int64Type>(&mut group, &n, None);
    column::<ByteArrayType>(&mut group, &c, Some(&there(5)));
    column::<Int64Type>(&mut group, &at, None);
    group.close().expect("closed");
    writer.close().expect("closed");
}

/// Writes the next column; `there` says which rows have a value.
fn column<T: DataType>(group: &mut SerializedRowGroupWriter<'_, File>, values: &[T::T], there: Option<&[i16]>) {
    let mut column = group.next_column().expect("readable").expect("a column");
    column.typed::<T>().write_batch(values, there, None).expect("written");
    column.close().expect("closed");
}

#[test]
fn the_same_rows_have_the_same_cells_in_csv_json_and_parquet() {
    let folder = Folder::new();
    let rows = 1_200;
    write(&folder.path("snappy.parquet"), rows, Compression::SNAPPY);
    write(&folder.path("gzip.parquet"), rows, Compression::GZIP(Default::default()));
    let (mut csv, mut json) = (String::from("x,y,n,c,at\n"), String::new());
    for it in 0..rows {
        let x = (it % 7 != 0).then(|| it as f64 / 8.0);
        let (y, n) = (it as f32 / 10.0, it * 3 % 17);
        let c = (it % 5 != 0).then_some(if it % 2 == 0 { "even" } else { "odd" });
        let at = 1_760_000_000 + it;
        csv += &format!("{},{y},{n},{},{at}\n", x.map(|it| it.to_string()).unwrap_or_default(), c.unwrap_or_default());
        json += &format!(
            "{}\n",
            serde_json::json!({"x": x, "y": y.to_string().parse::<f64>().ok(), "n": n, "c": c, "at": at})
        );
    }
    folder.write("a.csv", csv);
    folder.write("a.jsonl", json);
    let mut told = Vec::new();
    for name in ["snappy.parquet", "gzip.parquet", "a.csv", "a.jsonl"] {
        let mut it = folder.json(&[&format!("@{name}"), "-o", "@a.ref", "--time", "at", "--force"]);
        assert_eq!(it["header"]["sources"][0]["from_ns"], 1_760_000_000_000_000_000_u64, "{name}");
        // The counts are those of the rows, whatever they are written in; the digest is that of the bytes.
        told.push((it["columns"].take(), it["header"]["schema"].take()));
    }
    assert!(told.windows(2).all(|it| it[0] == it[1]), "{told:#?}");
}

#[test]
fn what_is_broken_is_refused_and_never_panics() {
    let folder = Folder::new();
    write(&folder.path("a.parquet"), 300, Compression::SNAPPY);
    let whole = folder.read("a.parquet");
    for length in [5, 100, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
        folder.write("cut.parquet", &whole[..length]);
        let output = folder.profile(&["@cut.parquet", "-o", "@no.ref", "--time", "at"]);
        let said = err(&output);
        assert!(
            output.status.code() == Some(2) && said.contains("cut.parquet") && said.contains("broken"),
            "{length}: {said}"
        );
    }
    for at in (4..whole.len()).step_by(whole.len() / 60) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x55;
        folder.write("flip.parquet", &flipped);
        let output = folder.profile(&["@flip.parquet", "-o", "@flip.ref", "--yes", "--force"]);
        let (code, said) = (output.status.code(), err(&output));
        // A value may have changed into another one; nothing else may have happened.
        assert!(code == Some(0) || code == Some(2), "{at}: {code:?} {said}");
        assert!(code == Some(0) || said.contains("flip.parquet"), "{at}: {said}");
        assert!(!said.contains("panicked"), "{at}: {said}");
    }
}

#[test]
fn a_column_of_parquet_that_is_a_time_is_no_input_by_itself() {
    let folder = Folder::new();
    write(&folder.path("a.parquet"), 50, Compression::UNCOMPRESSED);
    let output = folder.profile(&["@a.parquet", "-o", "@no.ref"]);
    let said = err(&output);
    assert!(output.status.code() == Some(2), "{said}");
    assert!(said.contains("a.parquet, row 1, column `at`: `2025-10-09T08:53:20Z` is a time: --time at"), "{said}");
    let told = folder.json(&["@a.parquet", "-o", "@a.ref", "--drop", "at"]);
    assert_eq!(
        (&super::column(&told, "x")["missing"], &super::column(&told, "c")["type"]),
        (&8.into(), &"category".into())
    );
}
