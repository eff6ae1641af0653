//! What is never lost, and what does not fit: files that would be written over, columns that are not there, keys that are others.

use serde_json::json;

use super::{Folder, desk, err, out};

#[test]
fn a_file_that_is_read_or_of_another_kind_is_never_written_over_and_a_reference_only_by_force() {
    let folder = Folder::new();
    folder.write("a.csv", desk(0..300));
    folder.write("notes.txt", "do not lose");
    std::os::unix::fs::symlink(folder.path("a.csv"), folder.path("link.csv")).expect("linked");
    folder.json(&["@a.csv", "-o", "@a.ref"]);
    folder.json(&["@a.csv", "-o", "@b.ref", "--seed", "1"]);
    let before: Vec<_> = ["a.csv", "notes.txt", "a.ref"].map(|it| folder.read(it)).into();
    for (arguments, words) in [
        (&["@a.csv", "-o", "@a.csv", "--force"][..], "which is read here"),
        (&["@a.csv", "-o", "@link.csv", "--force"], "which is read here"),
        (&["@a.csv", "-o", "@notes.txt", "--force"], "is no reference"),
        (&["@a.csv", "-o", "@a.ref"], "--force replaces it"),
        (&["@b.csv", "-o", "@a.ref", "--schema", "@a.ref", "--force"], "which is read here"),
        (&["merge", "@a.ref", "-o", "@a.ref", "--force"], "which is read here"),
        (&["merge", "@a.ref", "-o", "@b.ref"], "--force replaces it"),
    ] {
        folder.write("b.csv", desk(300..600));
        let output = folder.profile(arguments);
        assert!(output.status.code() == Some(2) && err(&output).contains(words), "{arguments:?}: {}", err(&output));
    }
    let after: Vec<_> = ["a.csv", "notes.txt", "a.ref"].map(|it| folder.read(it)).into();
    assert!(before == after, "nothing was touched");
    folder.json(&["merge", "@a.ref", "-o", "@b.ref", "--force"]);
    assert_eq!(folder.read("a.ref"), folder.read("b.ref"));
}

#[test]
fn columns_that_are_not_there_are_named_and_files_of_other_columns_are_refused() {
    let folder = Folder::new();
    folder.write(
        "well.csv",
        (0..1_200).fold("x,y,z\n".to_owned(), |text, it| text + &format!("{},{},1\n", it % 97, it % 89)),
    );
    folder.write("fewer.csv", (0..1_200).fold("x,z\n".to_owned(), |text, it| text + &format!("{},1\n", it % 97)));
    folder.write("other.csv", "a,b\n1,2\n3,4\n");
    folder.write("one.jsonl", "{\"x\": 1, \"y\": 2}\n");
    folder.write("two.jsonl", "{\"x\": 1, \"b\": 2}\n");
    folder.write("less.jsonl", "{\"x\": 1}\n");
    folder.json(&["@well.csv", "-o", "@well.ref"]);
    let compared = folder.json(&["show", "@well.ref", "--against", "@fewer.csv"]);
    assert_eq!(compared["missing_columns"], json!(["y"]));
    let shown = out(&folder.profile(&["show", "@well.ref", "--against", "@fewer.csv"]));
    assert!(shown.contains("WARNING: no file has `y`"), "{shown}");
    let output = folder.profile(&["@fewer.csv", "-o", "@fewer.ref", "--schema", "@well.ref"]);
    assert!(output.status.code() == Some(0) && err(&output).contains("no file has `y`"), "{}", err(&output));
    for (arguments, words) in [
        (&["show", "@well.ref", "--against", "@other.csv"][..], "the rows have none of its columns: it has x, y, z"),
        (
            &["@other.csv", "-o", "@no.ref", "--schema", "@well.ref"],
            "none of the columns that are declared stands in the data",
        ),
        (&["@well.csv", "@other.csv", "-o", "@no.ref"], "has no column"),
        (&["@one.jsonl", "@two.jsonl", "-o", "@no.ref"], "has no column"),
        (&["@well.csv", "-o", "@no.ref", "--text", "nosuch"], "--text nosuch: there is no column"),
        (&["@well.csv", "-o", "@no.ref", "--confidence", "nosuch"], "--confidence nosuch: there is no column"),
        (&["@well.csv", "-o", "@no.ref", "--private", "nosuch"], "--private nosuch: there is no column"),
    ] {
        let output = folder.profile(arguments);
        assert!(output.status.code() == Some(2) && err(&output).contains(words), "{arguments:?}: {}", err(&output));
        assert!(!folder.path("no.ref").exists());
    }
    folder.json(&["@one.jsonl", "@less.jsonl", "-o", "@json.ref"]);
}

#[test]
fn another_key_is_no_key_of_a_reference() {
    let folder = Folder::new();
    folder.write("a.csv", desk(0..1_200));
    let key = |digit: &str| {
        folder.write(digit, digit.repeat(64));
        format!("${{file:{}}}", folder.path(digit).display())
    };
    let (one, other) = (key("7"), key("8"));
    folder.json(&["@a.csv", "-o", "@a.ref", "--private", "country", "--key", &one]);
    folder.json(&["@a.csv", "-o", "@b.ref", "--private", "country", "--key", &other]);
    folder.json(&["show", "@a.ref", "--against", "@a.csv", "--key", &one]);
    for (arguments, words) in [
        (&["show", "@a.ref", "--against", "@a.csv", "--key", &other][..], "--key is another key"),
        (&["merge", "@a.ref", "@b.ref", "-o", "@no.ref"], "hashed by two keys"),
    ] {
        let output = folder.profile(arguments);
        assert!(output.status.code() == Some(2) && err(&output).contains(words), "{}", err(&output));
    }
}

#[test]
fn what_cannot_be_scored_says_why_and_what_would_mend_it() {
    let folder = Folder::new();
    folder.write("constant.csv", format!("x\n{}", "5\n".repeat(2_000)));
    let shown = out(&folder.profile(&["@constant.csv", "-o", "@a.ref"]));
    assert!(!shown.contains("has a value") && shown.contains("row score at a false-alarm rate"), "{shown}");
    let rows = (0..2_000).fold("x\n".to_owned(), |text, it| text + &format!("{}\n", it * 7_919 % 1_009));
    folder.write("few.csv", rows);
    let shown = out(&folder.profile(&["@few.csv", "-o", "@b.ref"]));
    assert!(shown.contains("1000 rows would have to calibrate, a quarter of all: take 4000 rows and more"), "{shown}");
    assert!(!shown.contains("19 of 20"), "nothing can be called anomalous: {shown}");
    let shown = out(&folder.profile(&["@few.csv", "-o", "@c.ref", "--false-alarm-rate", "0.05"]));
    // 500 rows calibrate: Beta(25, 476).
    assert!(
        shown.contains(
            "at a false-alarm rate of 0.05: sound; 19 of 20 references of this size have one of at most 0.06"
        ),
        "{shown}"
    );
}
