//! `evenkeel profile`: what it builds, shows and merges, and what it refuses, in which words.

mod bad;
mod meaning;
mod over;
mod parquet;
mod route;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::evenkeel;

/// A folder of files, in which the command runs.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).expect("written");
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("there")
    }

    /// Runs `profile`; arguments that begin with `@` are files of the folder.
    fn profile(&self, arguments: &[&str]) -> Output {
        let place = |it: &&str| match it.strip_prefix('@') {
            Some(name) => self.path(name).display().to_string(),
            None => (*it).to_owned(),
        };
        let all: Vec<String> = std::iter::once("profile".to_owned()).chain(arguments.iter().map(place)).collect();
        evenkeel(&all.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Runs it, and returns what it prints in JSON.
    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.profile(&[arguments, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        serde_json::from_slice(&output.stdout).expect("one object")
    }
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The codes of warnings, with their columns.
fn warnings(told: &Value) -> Vec<String> {
    let said = |it: &Value| format!("{} {}", it["code"].as_str().unwrap_or(""), it["column"].as_str().unwrap_or("-"));
    told["warnings"].as_array().expect("a list").iter().map(said).collect()
}

/// What was said of a column.
fn column<'a>(told: &'a Value, name: &str) -> &'a Value {
    told["columns"].as_array().expect("a list").iter().find(|it| it["name"] == name).expect("the column")
}

/// Rows of a desk, by their number: no two runs differ.
fn desk(rows: std::ops::Range<u64>) -> String {
    let mut text = String::from("amount,country,note\n");
    for row in rows {
        let bits = row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let amount = if bits % 50 == 7 { String::new() } else { format!("{:.2}", (bits % 90_000) as f64 / 100.0) };
        let country = ["de", "fr", "it"][usize::try_from(bits % 7 % 3).expect("small")];
        text += &format!("{amount},{country},what do I do about parcel {} now?\n", bits % 1_000);
    }
    text
}

#[test]
fn types_are_inferred_and_shown_and_a_reference_comes_of_rows() {
    let folder = Folder::new();
    folder.write("a.csv", desk(0..1_500));
    let output = folder.profile(&["@a.csv", "-o", "@a.ref", "--route", "desk"]);
    let (said, shown) = (err(&output), out(&output));
    assert_eq!(output.status.code(), Some(0), "{said}");
    for part in [
        "1500 rows of 1 file:",
        "amount                   number         input",
        "country                  category",
        "note                     text",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    for part in [
        "a reference for route `desk`, sha256:",
        "rows have no times",
        "note.byte_entropy",
        "warning: 1500 rows: with 5000",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let again = folder.profile(&["show", "@a.ref"]);
    assert_eq!(out(&again), shown, "a reference says the same when it is read");
    let told = folder.json(&["show", "@a.ref"]);
    assert_eq!((&told["header"]["rows"]["all"], &column(&told, "amount")["type"]), (&1_500.into(), &"number".into()));
    assert!(column(&told, "amount")["missing"].as_u64().is_some_and(|it| (15..60).contains(&it)));
    assert_eq!(warnings(&told), ["few-rows -"]);
}

#[test]
fn the_same_files_give_the_same_bytes_in_any_order_and_one_that_is_there_twice_counts_once() {
    let folder = Folder::new();
    folder.write("a.csv", desk(0..700));
    folder.write("b.csv", desk(700..1_300));
    folder.write("copy.csv", desk(0..700));
    for (files, name) in [(["@a.csv", "@b.csv"], "@1.ref"), (["@b.csv", "@a.csv"], "@2.ref")] {
        assert_eq!(folder.profile(&[&files[..], &["-o", name]].concat()).status.code(), Some(0));
    }
    assert_eq!(folder.read("1.ref"), folder.read("2.ref"));
    let output = folder.profile(&["@a.csv", "@b.csv", "@copy.csv", "-o", "@3.ref"]);
    assert!(err(&output).contains("the same bytes"), "{}", err(&output));
    assert_eq!(folder.read("1.ref"), folder.read("3.ref"));
    // What is built apart and merged is what is built together.
    for (file, name) in [("@a.csv", "@a.ref"), ("@b.csv", "@b.ref")] {
        assert_eq!(folder.profile(&[file, "-o", name]).status.code(), Some(0));
    }
    let told = folder.json(&["merge", "@b.ref", "@a.ref", "-o", "@4.ref"]);
    assert_eq!((folder.read("1.ref"), &told["dropped"]), (folder.read("4.ref"), &Value::Array(Vec::new())));
    folder.json(&["@a.ref", "@b.ref", "-o", "@5.ref"]);
    assert_eq!(folder.read("1.ref"), folder.read("5.ref"), "references among the data merge");
}

#[test]
fn what_does_not_merge_is_said() {
    let folder = Folder::new();
    folder.write("a.csv", desk(0..200));
    folder.write("b.csv", desk(200..400));
    folder.write("key", "7".repeat(64));
    let private = ["--private", "country", "--key", &format!("${{file:{}}}", folder.path("key").display())];
    let build = |file: &str, to: &str, more: &[&str]| {
        let output = folder.profile(&[&[file, "-o", to], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    };
    build("@a.csv", "@a.ref", &private);
    build("@b.csv", "@b.ref", &private);
    let bytes = folder.read("a.ref");
    assert!(!bytes.windows(4).any(|it| it == b"\x02\0\0\0de"), "no name of a private column is kept");
    let output = folder.profile(&["merge", "@a.ref", "@b.ref", "-o", "@m.ref"]);
    let dropped = err(&output).contains("private column `country` is dropped: its cells are not the same");
    let shown = out(&output);
    assert_eq!(dropped, shown.contains("cells dropped"), "{shown}");
    build("@b.csv", "@other.ref", &["--seed", "1"]);
    build("@a.csv", "@plain.ref", &[]);
    let output = folder.profile(&["merge", "@plain.ref", "@other.ref", "-o", "@no.ref"]);
    assert!(output.status.code() == Some(2) && err(&output).contains("their seeds differ"), "{}", err(&output));
    assert!(!folder.path("no.ref").exists());
    let output = folder.profile(&["@a.csv", "@plain.ref", "-o", "@no.ref"]);
    assert!(output.status.code() == Some(2) && err(&output).contains("cannot be taken together"), "{}", err(&output));
    // Files that are built together have the private cells of one of them.
    build("@a.csv", "@x.ref", &[]);
    let told = folder.json(&[&["@a.csv", "@b.csv", "-o", "@both.ref"][..], &private].concat());
    assert_eq!(column(&told, "country")["rows"], 400);
}

#[test]
fn labels_answers_and_times_are_kept_apart_and_seasons_want_times() {
    let folder = Folder::new();
    let mut rows = String::from("{\"x\": 0.5}\n");
    for row in 0..3_000_u64 {
        let (hour, bits) = (row % 24, row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 30);
        rows += &format!(
            "{{\"at\": \"2026-03-{:02}T{hour:02}:00:00Z\", \"x\": {}, \"label\": {}, \"score\": 0.{}, \"sure\": 0.5}}\n",
            1 + row / 24 % 28,
            bits % 97 + hour * 10,
            bits / 97 % 2,
            bits / 200 % 10
        );
    }
    folder.write("timeless.jsonl", &rows);
    let flags = ["--time", "at", "--label", "label", "--answer", "score", "--confidence", "sure"];
    let seasonal = [&flags[..], &["--seasons", "hours"]].concat();
    let output = folder.profile(&[&["@timeless.jsonl", "-o", "@a.ref"][..], &seasonal].concat());
    assert!(
        output.status.code() == Some(2) && err(&output).contains("timeless.jsonl, line 1: it has no time"),
        "{}",
        err(&output)
    );
    folder.write("a.jsonl", rows.split_once('\n').expect("lines").1);
    let told = folder.json(&[&["@a.jsonl", "-o", "@a.ref"][..], &seasonal].concat());
    let roles: Vec<_> =
        ["label", "score", "sure", "x"].map(|it| column(&told, it)["role"].as_str().unwrap_or("")).into();
    assert_eq!(roles, ["label", "output", "confidence", "input"]);
    assert_eq!((&column(&told, "x")["buckets"], &told["header"]["labels"]), (&3.into(), &true.into()));
    let shown = out(&folder.profile(&["show", "@a.ref"]));
    assert!(shown.contains("from 2026-03-01T00:00:00Z to 2026-03-28T23:00:00Z: 28 d"), "{shown}");
    assert!(shown.contains("false alarms replayed: none in 28 d"), "{shown}");
    // 30 days at 3,000 rows in 28: an output alone of three streams, with a third of the weight at the least.
    let told = folder.json(&["show", "@a.ref"]);
    let rows = |of: &str| told["unnoticed_rows"][of].as_u64().expect("it is noticed");
    assert!(rows("quarter") > rows("half") && rows("half") > rows("whole") && rows("whole") > 10, "{told}");
    let line = format!(
        "{} rows by ¼ of its standard deviation, {} by ½, {} by 1 (",
        rows("quarter"),
        rows("half"),
        rows("whole")
    );
    assert!(shown.contains(&line), "{shown}");
    let more = folder.json(&["show", "@a.ref", "--false-alarm-every", "3000d"]);
    assert!(more["unnoticed_rows"]["whole"].as_u64() > Some(rows("whole")), "rarer alarms are later ones: {more}");
    let output = folder.profile(&["@a.jsonl", "-o", "@b.ref", "--seasons", "week", "--drop", "at"]);
    assert!(
        output.status.code() == Some(2) && err(&output).contains("name their column by --time"),
        "{}",
        err(&output)
    );
}

#[test]
fn rows_that_move_are_seen_beside_the_reference_and_drawn() {
    let folder = Folder::new();
    let rows = |from: u64, more: u64| {
        let row = |it: u64| (it.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) % 1_000;
        let line = |it: u64| format!("{},{}\n", row(it) + more, row(it + 77_777));
        format!("x,y\n{}", (from..from + 2_000).map(line).collect::<String>())
    };
    folder.write("well.csv", rows(0, 0));
    folder.write("same.csv", rows(10_000, 0));
    folder.write("moved.csv", rows(20_000, 300));
    assert_eq!(folder.profile(&["@well.csv", "-o", "@well.ref"]).status.code(), Some(0));
    let same = folder.json(&["show", "@well.ref", "--against", "@same.csv"]);
    assert_eq!(
        (&same["state"], &same["alarms"], &same["rows"]),
        (&"Stable".into(), &Value::Array(Vec::new()), &2_000.into())
    );
    let moved = folder.json(&["show", "@well.ref", "--against", "@same.csv", "@moved.csv", "--svg", "@plots"]);
    let alarm = &moved["alarms"][0];
    assert!(moved["state"] == "Drift" && alarm["culprits"][0] == "x", "{moved}");
    let report = |told: &Value, name: &str| {
        let found = told["streams"].as_array().expect("a list").iter().find(|it| it["name"] == name).cloned();
        found.expect("the stream")["report"]["psi"].as_f64().expect("a number")
    };
    assert!(report(&moved, "x") > 5.0 * report(&moved, "y"), "{moved}");
    let svg = String::from_utf8(folder.read("plots/drift.svg")).expect("text");
    assert!(svg.starts_with("<svg ") && svg.contains("stroke-dasharray") && svg.contains(">alarm<"), "{svg}");
    let shown = out(&folder.profile(&["show", "@well.ref", "--against", "@moved.csv", "--plots"]));
    assert!(shown.contains("alarm at row") && shown.contains("┊ alarm"), "{shown}");
    let output = folder.profile(&["show", "@well.ref", "--svg", "@plots", "--plots"]);
    assert!(output.status.code() == Some(0) && out(&output).contains("share of rows"));
    assert!(folder.path("plots/x.svg").is_file() && folder.path("plots/y.svg").is_file());
}

#[test]
fn a_column_that_moves_inside_the_data_and_ids_are_warned_of() {
    let folder = Folder::new();
    let line = |it: u64| {
        let bits = it.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        format!("{it},u{it},{},{},{}\n", bits % 100, if it < 1_300 { 0 } else { bits % 2 }, 5)
    };
    let rows: String = (0..2_600).map(line).collect();
    folder.write("a.csv", format!("row,user,x,later,same\n{rows}"));
    let told = folder.json(&["@a.csv", "-o", "@a.ref"]);
    let said = warnings(&told);
    for part in ["few-rows -", "id row", "id user", "moves later", "moves row", "constant same"] {
        assert!(said.contains(&part.to_owned()), "{part}: {said:?}");
    }
    assert!(!said.contains(&"moves x".to_owned()), "{said:?}");
}

#[test]
fn columns_are_those_of_an_earlier_reference_where_it_is_the_schema() {
    let folder = Folder::new();
    folder.write("a.csv", desk(0..300));
    folder.json(&["@a.csv", "-o", "@a.ref", "--drop", "note", "--types", "amount=category"]);
    folder.write(
        "b.csv",
        format!("{}extra\n", desk(300..600).replace('\n', ",1\n").replacen("note,1", "note,extra", 1))
            .trim_end_matches("extra\n"),
    );
    let told = folder.json(&["@b.csv", "-o", "@b.ref", "--schema", "@a.ref"]);
    assert_eq!(told["header"]["schema"].as_array().map(Vec::len), Some(2), "{told}");
    folder.write("schema.json", told.to_string());
    let again = folder.json(&["@b.csv", "-o", "@c.ref", "--schema", "@schema.json"]);
    assert_eq!(told["digest"], again["digest"]);
    folder.json(&["merge", "@a.ref", "@b.ref", "-o", "@ab.ref"]);
}

#[test]
fn without_a_sample_no_row_is_kept_and_less_is_said() {
    let folder = Folder::new();
    folder.write("a.csv", desk(0..1_200));
    folder.json(&["@a.csv", "-o", "@a.ref"]);
    let told = folder.json(&["@a.csv", "-o", "@bare.ref", "--no-sample"]);
    assert!(folder.read("bare.ref").len() * 2 < folder.read("a.ref").len());
    let shown = folder.json(&["show", "@bare.ref"]);
    assert_eq!((&shown["digest"], &shown["replayed"]), (&told["digest"], &Value::Null));
    assert!(!told["replayed"].is_null(), "what is told at the build is told of all");
}

#[test]
fn a_route_declares_its_columns_and_what_it_does_not_take_is_left_out() {
    let folder = Folder::new();
    let files = [
        "evenkeel.yaml",
        "distilled.onnx",
        "home-value.rules",
        "distilled.map.json",
        "rules.map.json",
        "rows.csv",
        "home-value.ref",
    ];
    files.iter().for_each(|it| assert!(fs::copy(example(it), folder.path(it)).is_ok(), "{it}"));
    let config = folder.path("evenkeel.yaml");
    let config = config.to_str().expect("text");
    let told =
        folder.json(&["@rows.csv", "-o", "@a.ref", "--route", "home-value", "-c", config, "--label", "high_value"]);
    let schema = told["header"]["schema"].as_array().expect("a list");
    let names: Vec<_> = schema.iter().map(|it| it["name"].as_str().unwrap_or("")).collect();
    assert_eq!((names.len(), names[0], names[7], names[8]), (9, "median_income", "longitude", "high_value"));
    let age = schema.iter().find(|it| it["name"] == "house_age").expect("there");
    assert_eq!(age["range"], serde_json::json!(["0", "120"]));
    for (arguments, part) in [
        (&["--route", "other", "-c", config][..], "has no route `other`"),
        (&["--route", "home-value", "-c", "/nowhere.yaml"], "cannot read /nowhere.yaml"),
    ] {
        let output = folder.profile(&[&["@rows.csv", "-o", "@b.ref"], arguments].concat());
        assert!(output.status.code() == Some(2) && err(&output).contains(part), "{}", err(&output));
    }
}

#[test]
fn what_is_not_compared_is_told() {
    let folder = Folder::new();
    let line = |it: u64, more: &str| format!("{},{}{more}\n", it * 7_919 % 1_000, ["de", "fr"][(it % 2) as usize]);
    let rows = |head: &str, more: &str| format!("{head}\n{}", (0..2_000).map(|it| line(it, more)).collect::<String>());
    folder.write("key", "7".repeat(64));
    folder.write("well.csv", rows("x,country", ""));
    folder.write("more.csv", rows("x,country,colour", ",red"));
    folder.write("none.csv", "x,country\n");
    let key = format!("${{file:{}}}", folder.path("key").display());
    let built = folder.profile(&["@well.csv", "-o", "@well.ref", "--private", "country", "--key", &key]);
    assert_eq!(built.status.code(), Some(0), "{}", err(&built));
    let against = ["show", "@well.ref", "--against", "@more.csv"];
    let told = folder.json(&against);
    assert_eq!((&told["new_columns"], &told["unkeyed_columns"]), (&json!(["colour"]), &json!(["country"])), "{told}");
    let shown = out(&folder.profile(&against));
    assert!(shown.contains("without --key private columns are not compared: `country`"), "{shown}");
    assert!(shown.contains("the reference does not have `colour`: not compared"), "{shown}");
    let told = folder.json(&[&against[..], &["--key", &key]].concat());
    assert_eq!(told["unkeyed_columns"], json!([]), "{told}");
    let none = folder.profile(&["show", "@well.ref", "--against", "@none.csv"]);
    assert!(none.status.code() == Some(2) && err(&none).contains("none.csv has no rows"), "{}", err(&none));
}

/// Where a file lies below the folder of the tests' data.
fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/home-value").join(name)
}

#[test]
fn the_reference_of_the_example_can_be_read_and_fits_its_rows() {
    let folder = Folder::new();
    fs::copy(example("home-value.ref"), folder.path("home-value.ref")).expect("copied");
    fs::copy(example("rows.csv"), folder.path("rows.csv")).expect("copied");
    let told = folder.json(&["show", "@home-value.ref"]);
    assert_eq!((&told["header"]["route"], &told["header"]["rows"]["all"]), (&"home-value".into(), &2_832.into()));
    let compared = folder.json(&["show", "@home-value.ref", "--against", "@rows.csv"]);
    assert_eq!((&compared["state"], &compared["rows"]), (&"Stable".into(), &300.into()), "{compared}");
}
