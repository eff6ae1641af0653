//! Bad input: a clear verdict, or a refusal that says which file, where, and how to mend it.

use super::{Folder, column, desk, err, out, warnings};

/// Builds of one file, and returns what is said on a refusal.
fn refused(folder: &Folder, arguments: &[&str]) -> String {
    let output = folder.profile(&[arguments, &["-o", "@no.ref"]].concat());
    let said = err(&output);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}{}", out(&output));
    assert!(!folder.path("no.ref").exists(), "nothing is written");
    said
}

#[test]
fn files_that_hold_no_rows_are_refused_by_name_and_what_mends_them() {
    let folder = Folder::new();
    let wide = |text: &str| [b"\xff\xfe".to_vec(), text.encode_utf16().flat_map(u16::to_le_bytes).collect()].concat();
    let cases: &[(&str, Vec<u8>, &[&str])] = &[
        ("empty.csv", Vec::new(), &["it is empty"]),
        ("blank.csv", b" \n\n".to_vec(), &["nothing but white space"]),
        ("head.csv", b"a,b\n".to_vec(), &["no row below its head"]),
        ("headless.csv", b"1,2\n3,4\n".to_vec(), &["line 1", "`1` is a number", "write a head"]),
        ("semicolons.csv", b"a;b\n1;2\n".to_vec(), &["by commas there is one column, `a;b`", "--delimiter ';'"]),
        ("tabs.csv", b"a\tb\n1\t2\n".to_vec(), &["--delimiter '\\t'"]),
        ("twice.csv", b"a,b,a\n1,2,3\n".to_vec(), &["line 1", "two columns have the name `a`", "rename one"]),
        ("nameless.csv", b"a,,c\n1,2,3\n".to_vec(), &["line 1", "column 2 has no name"]),
        ("torn.csv", b"a,b\n1,2\n3\n".to_vec(), &["line 3 has 1 cell, and the head 2"]),
        ("quote.csv", b"a,b\n1,2\n3,\"x\n4,5\n".to_vec(), &["line 3", "a quote is never closed"]),
        ("latin.csv", b"a,b\n1,caf\xe9\n".to_vec(), &["line 2, column `b`", "not UTF-8", "iconv"]),
        ("wide.csv", wide("a,b\n1,2\n"), &["UTF-16", "iconv -f UTF-16 -t UTF-8"]),
        ("packed.csv.gz", b"\x1f\x8b\x08\0".to_vec(), &["gunzip"]),
        ("book.xlsx", b"PK\x03\x04".to_vec(), &["spreadsheet", "comma-separated"]),
        ("array.json", b"[{\"a\": 1}]".to_vec(), &["jq -c '.[]'"]),
        ("torn.jsonl", b"{\"a\": 1}\n{\"a\": \n".to_vec(), &["line 2", "no object in JSON"]),
        ("list.jsonl", b"{\"a\": 1}\n[1]\n".to_vec(), &["line 2", "no object in JSON"]),
        ("twice.jsonl", b"{\"a\": 1, \"a\": 2}\n".to_vec(), &["line 1", "`a` stands there twice"]),
        ("broken.parquet", b"PAR1 and nothing else".to_vec(), &["broken, or was cut off"]),
        ("broken.ref", b"EKREF\x01\0nonsense".to_vec(), &["broken.ref"]),
    ];
    for (name, bytes, parts) in cases {
        folder.write(name, bytes);
        let said = refused(&folder, &[&format!("@{name}")]);
        for part in [&[*name], *parts].concat() {
            assert!(said.contains(part), "{name}: {part}: {said}");
        }
    }
    let said = refused(&folder, &["@nowhere.csv"]);
    assert!(said.contains("nowhere.csv") && said.contains("No such file"), "{said}");
    folder.write("one.csv", "a;b\n1;2\n");
    let told = folder.json(&["@one.csv", "-o", "@one.ref", "--delimiter", ";"]);
    assert_eq!(told["columns"].as_array().map(Vec::len), Some(2));
}

#[test]
fn columns_that_are_in_doubt_are_named_with_what_settles_them_and_yes_takes_them() {
    let folder = Folder::new();
    folder.write(
        "a.csv",
        "x,when,code,price\n1,2026-01-02,007,\"3,5\"\n2,2026-01-03,012,\"4,5\"\nNA,2026-01-04,100,\"5,5\"\n",
    );
    let said = refused(&folder, &["@a.csv"]);
    for part in [
        "a.csv, line 4, column `x`: `NA`, in a column of 2 numbers and 1 names: --null 'NA' where it stands for nothing",
        "a.csv, line 2, column `when`: `2026-01-02` is a time: --time when",
        "column `price`: `3,5` has a comma for a point",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let settled = ["@a.csv", "-o", "@a.ref", "--null", "NA", "--time", "when", "--types", "price=category"];
    let told = folder.json(&settled);
    assert_eq!((&column(&told, "x")["missing"], &column(&told, "code")["type"]), (&1.into(), &"category".into()));
    assert!(told["header"]["sources"][0]["from_ns"].is_u64());
    let told = folder.json(&["@a.csv", "-o", "@b.ref", "--yes"]);
    assert_eq!((&column(&told, "x")["type"], &column(&told, "x")["invalid"]), (&"number".into(), &1.into()));
    for (arguments, part) in [
        (&["--drop", "nothing"][..], "there is no column `nothing`; there are: code, price, when, x"),
        (&["--types", "x=float"], "a column is a number, category, text or vector"),
        (&["--label", "x", "--drop", "x"], "cannot be what --label and --drop say at once"),
        (&["--drop", "x,when,code,price"], "no column is left"),
        (&["--label", "x", "--drop", "when,code,price", "--null", "NA"], "there is no input"),
        (&["--time", "price"], "`3,5` is no time since 1970"),
        (&["--private", "code", "--yes"], "column `code` is a private category, which needs a key"),
        (&["--false-alarm-rate", "2"], "it is a share"),
    ] {
        let yes: &[&str] = if arguments.contains(&"price") { &["--yes"] } else { &[] };
        let said = refused(&folder, &[&["@a.csv"], arguments, yes].concat());
        assert!(said.contains(part), "{arguments:?}: {said}");
    }
}

#[test]
fn nan_infinities_and_constant_columns_are_counted_and_told() {
    let folder = Folder::new();
    let rows: String = (0..200)
        .map(|it| {
            format!(
                "{},{},5\n",
                if it == 3 { "NaN".into() } else { it.to_string() },
                if it == 4 { "-inf" } else { "0.25" }
            )
        })
        .collect();
    folder.write("a.csv", format!("x,y,same\n{rows}"));
    let told = folder.json(&["@a.csv", "-o", "@a.ref"]);
    let (x, y) = (column(&told, "x"), column(&told, "y"));
    assert_eq!((&x["invalid"], &y["invalid"], &x["missing"]), (&1.into(), &1.into(), &0.into()));
    let said = warnings(&told);
    assert!(["invalid x", "invalid y", "constant same"].iter().all(|it| said.contains(&(*it).to_owned())), "{said:?}");
    assert!(x["quantiles"]["p999"].as_f64().is_some_and(|it| it < 200.0), "no infinity enters a quantile: {x}");
}

#[test]
fn one_row_is_a_reference_that_says_what_it_is_not_good_for() {
    let folder = Folder::new();
    folder.write("a.csv", "x,c\n1,de\n");
    let output = folder.profile(&["@a.csv", "-o", "@a.ref"]);
    let shown = out(&output);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(shown.contains("warning: 1 row: guards alone can judge by it"), "{shown}");
    let output = folder.profile(&["show", "@a.ref", "--against", "@a.csv"]);
    assert!(output.status.code() == Some(2) && err(&output).contains("fewer than 1000 rows"), "{}", err(&output));
}

#[test]
fn a_label_among_the_inputs_is_refused_where_it_is_a_copy_and_else_warned_of() {
    let folder = Folder::new();
    let rows = |copy: bool| -> String {
        let line = |it: u32| {
            let truth = u32::from(it % 7 > 2);
            let other = if copy { truth } else { truth * 50 + it % 50 };
            format!("{},{other},{truth}\n", it * 7_919 % 1_000)
        };
        (0..600).map(line).collect()
    };
    folder.write("copy.csv", format!("x,other,truth\n{}", rows(true)));
    let said = refused(&folder, &["@copy.csv", "--label", "truth"]);
    assert!(said.contains("`other` is a copy of the label `truth`") && said.contains("--drop other"), "{said}");
    folder.json(&["@copy.csv", "-o", "@a.ref", "--label", "truth", "--drop", "other"]);
    folder.write("tells.csv", format!("x,other,truth\n{}", rows(false)));
    let said = warnings(&folder.json(&["@tells.csv", "-o", "@b.ref", "--label", "truth"]));
    assert!(said.contains(&"tells-label other".into()) && !said.contains(&"tells-label x".into()), "{said:?}");
    let said = warnings(&folder.json(&["@tells.csv", "-o", "@c.ref"]));
    assert!(said.contains(&"label truth".into()), "by its name: {said:?}");
}

#[test]
fn a_million_categories_are_bounded_and_called_ids() {
    let folder = Folder::new();
    let rows: String = (0..300_000).map(|it| format!("k{it:06},{}\n", it % 11)).collect();
    folder.write("a.csv", format!("key,x\n{rows}"));
    let told = folder.json(&["@a.csv", "-o", "@a.ref"]);
    assert!(warnings(&told).contains(&"id key".into()), "{:?}", warnings(&told));
    assert!(folder.read("a.ref").len() < 2_000_000, "the sample bounds it");
    assert_eq!(told["header"]["rows"]["sample"], 20_000);
}

#[test]
fn files_of_other_columns_are_refused_and_a_line_of_json_may_lack_a_name() {
    let folder = Folder::new();
    folder.write("a.csv", desk(0..20));
    folder.write("b.csv", desk(20..40).replace("country", "land"));
    let said = refused(&folder, &["@a.csv", "@b.csv"]);
    assert!(said.contains("has no column `") && said.contains("give both the same columns"), "{said}");
    folder.write("a.jsonl", "{\"x\": 1, \"y\": \"a\"}\n{\"y\": \"b\"}\n\n{\"x\": null, \"z\": 2}\n");
    let told = folder.json(&["@a.jsonl", "-o", "@a.ref"]);
    let missing = ["x", "y", "z"].map(|it| column(&told, it)["missing"].as_u64());
    assert_eq!(missing, [Some(2), Some(1), Some(2)]);
}

#[test]
fn an_empty_text_is_a_text_and_one_of_ten_megabytes_is_read_in_pieces() {
    let folder = Folder::new();
    let long = "ten megabytes of words ".repeat(10 * 1_024 * 1_024 / 23);
    let mut rows: String = (0..30).map(|it| format!("{{\"q\": \"how do I open the port number {it}?\"}}\n")).collect();
    rows += &format!("{{\"q\": \"\"}}\n{{\"q\": null}}\n{{\"q\": {}}}\n", serde_json::json!(long));
    folder.write("a.jsonl", rows);
    let told = folder.json(&["@a.jsonl", "-o", "@a.ref", "--text", "q"]);
    let length = column(&told, "q.log_characters");
    assert_eq!((&length["missing"], &length["invalid"]), (&1.into(), &0.into()));
    let most = length["quantiles"]["p999"].as_f64().expect("a number");
    assert!((16.0..16.3).contains(&most), "ln of ten million: {most}");
    assert!(folder.read("a.ref").len() < 1_000_000, "no text is kept");
    // A column of texts and one that is nothing else: lists, objects.
    folder.write("b.jsonl", "{\"q\": \"text\", \"v\": [1, 2]}\n{\"q\": {\"a\": 1}, \"v\": [1]}\n");
    let said = refused(&folder, &["@b.jsonl"]);
    assert!(said.contains("line 2, column `q`: an object") && said.contains("embeddings are of one length"), "{said}");
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_name() {
    let folder = Folder::new();
    folder.write("a.csv", [b"\xef\xbb\xbf".to_vec(), desk(0..20).into_bytes()].concat());
    let told = folder.json(&["@a.csv", "-o", "@a.ref"]);
    assert_eq!(column(&told, "amount")["type"], "number");
    folder.write("a.jsonl", b"\xef\xbb\xbf{\"x\": 1}\n");
    assert_eq!(column(&folder.json(&["@a.jsonl", "-o", "@b.ref"]), "x")["rows"], 1);
}
