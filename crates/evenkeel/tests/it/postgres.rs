//! Documents in a real PostgreSQL: Debian's, and that of PyPI `pgserver`; built, asked, and gone under load.

mod build;
mod chat;
mod meant;
mod outage;
mod pooler;
mod refused;
mod search;
mod server;
mod vectors;

use std::{fs, path::Path};

use serde_json::json;

use self::server::Postgres;
use crate::process::{evenkeel_with, skip};

/// The variable that holds the URL, as a user would have it.
const VARIABLE: &str = "EVENKEEL_TEST_DATABASE";
const PLACE: &str = "${env:EVENKEEL_TEST_DATABASE}";

/// Runs a test with each server that this machine has.
fn with_each(test: &str, run: impl Fn(&mut Postgres)) {
    if crate::process::is_left_out(test, "it runs PostgreSQL") {
        return;
    }
    let mut found = 0;
    for programs in server::programs() {
        match programs {
            Ok(programs) => {
                println!("{test}: {}", programs.name);
                run(&mut Postgres::start(programs));
                found += 1;
            }
            Err(why) => skip(test, &why),
        }
    }
    println!("{test}: {found} servers");
}

/// Runs a test with each server that this machine has and that knows vectors.
fn with_vectors(test: &str, run: impl Fn(&mut Postgres)) {
    with_each(test, |postgres| {
        if postgres.knows_vectors() {
            run(postgres);
        } else {
            skip(test, &format!("{}: it has no pgvector, without which a table has no vectors", postgres.name));
        }
    });
}

/// A line of documents, verified in 2020.
fn line(id: &str, title: &str, body: &str) -> String {
    json!({"id": id, "title": title, "body": body, "source": format!("http://shop/{id}"), "verified_at": "2020-01-01"})
        .to_string()
}

/// A document about cheques that was verified then, and expires then, where that is said.
fn cheques(id: &str, verified: &str, expires: Option<&str>) -> String {
    let document = json!({"id": id, "title": "Cheques", "body": "We take cheques.", "verified_at": verified});
    let mut document = document.as_object().expect("an object").clone();
    document.extend(expires.map(|it| ("expires_at".to_owned(), json!(it))));
    json!(document).to_string()
}

/// Writes the documents of a shop.
fn shop(folder: &Path) {
    let lines = [
        line("return", "Returns", "You may return what you bought within 30 days."),
        line("pay", "Payment", "We take cards and invoices."),
        line("gift", "Gifts", "We wrap what you bought as a gift."),
    ];
    write(folder, &lines);
}

fn write(folder: &Path, lines: &[String]) {
    fs::create_dir_all(folder).expect("made");
    fs::write(folder.join("documents.jsonl"), lines.join("\n")).expect("written");
}

/// Runs `evenkeel index build`; returns its exit code, and what it said, which never has the password.
fn build(postgres: &Postgres, documents: &Path, more: &[&str]) -> (Option<i32>, String) {
    index(postgres, &[&["build", documents.to_str().expect("text"), "-o", PLACE], more].concat())
}

fn index(postgres: &Postgres, arguments: &[&str]) -> (Option<i32>, String) {
    let output = evenkeel_with(&[&["index"], arguments].concat(), &[(VARIABLE, &postgres.url())]);
    let said = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it).into_owned()).concat();
    assert!(!said.contains(server::PASSWORD), "SE-05: {said}");
    (output.status.code(), said)
}
