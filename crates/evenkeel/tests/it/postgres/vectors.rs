//! What passages mean, in a table (pgvector): judged as in an index in files, kept up to date, and never of what does not hold.

use std::path::Path;

use evenkeel_postgres::{BuildError, Documents, Target, build};
use evenkeel_retrieval::{Built, Embedder, Folder, Hit, Index, Language, Synonyms, With, build as build_files};
use serde_json::Value;

use super::{
    build as build_by_command, cheques, index, line,
    search::{NOW, ask_by, over, target},
    server::PASSWORD,
    with_each, with_vectors, write,
};
use crate::process::{Mocking, skip, until};

/// Says that a text means its words, whatever their order; counts what it is asked, and can be down.
struct Words {
    model: &'static str,
    numbers: usize,
    asked: usize,
    down: bool,
}

impl Words {
    fn new(model: &'static str, numbers: usize) -> Self {
        Self { model, numbers, asked: 0, down: false }
    }

    fn vector(&self, text: &str) -> Vec<f32> {
        let mut vector = vec![0.01; self.numbers];
        for word in text.to_lowercase().split(|it: char| !it.is_alphanumeric()).filter(|it| !it.is_empty()) {
            // FNV-1a.
            let hash = word
                .bytes()
                .fold(0xcbf2_9ce4_8422_2325u64, |hash, it| (hash ^ u64::from(it)).wrapping_mul(0x0100_0000_01b3));
            vector[(hash >> 8) as usize % self.numbers] += if hash.is_multiple_of(2) { 1.0 } else { -1.0 };
        }
        vector
    }
}

impl Embedder for Words {
    fn model(&self) -> &str {
        self.model
    }

    fn embed(&mut self, texts: &[String]) -> Result<Vec<Vec<f32>>, String> {
        self.asked += texts.len();
        if self.down { Err("it is down".into()) } else { Ok(texts.iter().map(|it| self.vector(it)).collect()) }
    }
}

fn folder(path: &Path) -> Folder {
    Folder { path: path.into(), language: Language::of("en") }
}

fn with<'a>(synonyms: &str, embedder: &'a mut Words) -> With<'a> {
    With { now: NOW, synonyms: Synonyms::parse(synonyms).expect("right"), embedder: Some(embedder) }
}

fn build_with(from: &Path, target: &Target, embedder: &mut Words) -> Result<Built, BuildError> {
    build(&folder(from), target, With { embedder: Some(embedder), ..With::default() }, |_| {})
}

/// The documents that a table finds for a question, by what it means, too, with their confidence.
fn found(table: &Documents, embedder: &Words, question: &str, now: i64) -> Vec<(String, f64)> {
    let vector = embedder.vector(question);
    let hits = ask_by((question, Some(&vector)), table, now);
    hits.into_iter().map(|hit| (hit.id, hit.confidence)).collect()
}

fn ids(hits: &[(String, f64)]) -> Vec<&str> {
    hits.iter().map(|it| &*it.0).collect()
}

#[test]
fn ret_6_a_table_with_vectors_finds_what_an_index_in_files_finds_with_the_same_confidence() {
    with_vectors("postgres vectors", |postgres| {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/support-chat");
        let from = folder(&example.join("help-centre"));
        let elsewhere = tempfile::tempdir().expect("a folder");
        let files = elsewhere.path().join("index");
        let synonyms = std::fs::read_to_string(example.join("synonyms.txt")).expect("the file is there");
        let mut words = Words::new("words", 64);
        build_files(&from, &files, with(&synonyms, &mut words), |_| {}).expect("an index");
        build(&from, &target(postgres, "documents"), with(&synonyms, &mut words), |_| {}).expect("a table");

        let (files, table) = (Index::open(&files).expect("opens"), over(postgres, "documents"));
        let (mut all, mut same, mut moved, mut furthest) = (0, 0, 0, 0.0f64);
        for questions in ["in-corpus.jsonl", "near-miss.jsonl"] {
            let questions = std::fs::read_to_string(example.join("questions").join(questions)).expect("it is there");
            for question in questions.lines() {
                let question: Value = serde_json::from_str(question).expect("JSON");
                let question = question["question"].as_str().expect("text");
                let vector = words.vector(question);
                let in_files = files.search_with((question, Some(&vector)), NOW, 3).expect("searched");
                let in_table = ask_by((question, Some(&vector)), &table, NOW);
                for hit in &in_table {
                    if let Some(other) = in_files.iter().find(|it| it.id == hit.id) {
                        let far = (hit.confidence - other.confidence).abs();
                        assert!(far < 1e-6, "{question}: {hit:?} {other:?}");
                        assert_eq!(hit, &Hit { confidence: hit.confidence, ..other.clone() }, "{question}");
                        furthest = furthest.max(far);
                    }
                }
                let ids = |hits: &[Hit]| hits.iter().map(|it| it.id.clone()).collect::<Vec<_>>();
                all += 1;
                same += usize::from(ids(&in_files) == ids(&in_table));
                let by_words = files.search(question, NOW, 3).expect("searched");
                moved += usize::from(ids(&by_words) != ids(&in_table));
            }
        }
        println!(
            "{same} of {all} questions find the same three documents in the same order, {moved} others than by words"
        );
        println!("the furthest two confidences are {furthest:e} from one another");
        assert!(all >= 60 && same * 100 >= all * 95, "{same} of {all}: only what is looked at closely may differ");
        assert!(moved > 0, "what is meant counts");
        let vector = words.vector("the and of");
        let in_files = files.search_with(("the and of", Some(&vector)), NOW, 3).expect("searched");
        assert_eq!(
            ids(&found(&table, &words, "the and of", NOW)),
            in_files.iter().map(|it| &*it.id).collect::<Vec<_>>()
        );
    });
}

#[test]
fn ret_1_pg_1_what_expired_or_is_not_verified_yet_is_not_found_by_what_it_means_either() {
    with_vectors("postgres vectors", |postgres| {
        let from = tempfile::tempdir().expect("a folder");
        let lines = [
            cheques("valid", "2020-01-01", None),
            cheques("expires", "2020-01-01", Some("2025-01-01")),
            cheques("later", "2028-01-01", None),
        ];
        write(from.path(), &lines);
        let (mut words, target) = (Words::new("words", 16), target(postgres, "valid"));
        build_with(from.path(), &target, &mut words).expect("a table");
        let table = over(postgres, "valid");
        // No word of the question is in a document: they are found by a vector that is theirs.
        let vector = words.vector("Cheques\nWe take cheques.");
        let found = |now: i64| {
            let hits = ask_by(("volcano", Some(&vector)), &table, now);
            let mut ids: Vec<_> = hits.into_iter().map(|it| it.id).collect();
            ids.sort();
            ids.join(" ")
        };
        let [new_year_2025, new_year_2028] = [1_735_689_600, 1_830_297_600];
        assert_eq!(found(new_year_2025 - 1), "expires valid");
        assert_eq!(found(new_year_2025), "valid", "it holds until then, and no longer");
        assert_eq!(found(new_year_2028), "later valid");

        // A document that expires without a new text takes its vectors along.
        write(from.path(), &[cheques("valid", "2020-01-01", Some("2024-01-01")), lines[2].clone()]);
        build_with(from.path(), &target, &mut words).expect("a table");
        assert_eq!(found(new_year_2025), "");
    });
}

#[test]
fn ret_2_only_what_has_changed_is_embedded_again_and_what_is_gone_has_no_vectors() {
    with_vectors("postgres vectors", |postgres| {
        let from = tempfile::tempdir().expect("a folder");
        let (pay, gift) = (line("pay", "Payment", "We take cards."), line("gift", "Gifts", "We wrap them."));
        let long = format!("{}\n\n# More\n\n{}", "Bring it back. ".repeat(60), "Within 30 days. ".repeat(60));
        write(from.path(), &[line("return", "Returns", &long), pay.clone()]);
        let (mut words, target) = (Words::new("words", 16), target(postgres, "steps"));
        let step = |words: &mut Words| {
            let before = words.asked;
            let built = build_with(from.path(), &target, words).expect("a table");
            (
                words.asked - before,
                built.kept,
                postgres.sql("SELECT generation, model, numbers, passages FROM steps_index"),
            )
        };
        let rows = || postgres.sql("SELECT string_agg(id || nth, ' ' ORDER BY id, nth) FROM steps_vectors");
        assert_eq!(step(&mut words), (3, 0, "1|words|16|3".into()));
        assert_eq!(rows(), "pay0 return0 return1");
        assert_eq!(step(&mut words), (0, 2, "1|words|16|3".into()), "nothing is written where nothing has changed");
        write(from.path(), &[line("return", "Returns", "Within 60 days."), pay.clone(), gift.clone()]);
        assert_eq!(step(&mut words), (2, 1, "2|words|16|3".into()));
        assert_eq!(rows(), "gift0 pay0 return0", "of a text that is shorter now nothing is left");
        write(from.path(), &[pay.clone(), gift.clone()]);
        assert_eq!(step(&mut words), (0, 2, "3|words|16|2".into()));
        assert_eq!(rows(), "gift0 pay0");

        // At once, and in files: the same confidence.
        let once = super::search::target(postgres, "once");
        build_with(from.path(), &once, &mut words).expect("a table");
        let elsewhere = tempfile::tempdir().expect("a folder");
        let files = elsewhere.path().join("index");
        build_files(&folder(from.path()), &files, With { embedder: Some(&mut words), ..With::default() }, |_| {})
            .expect("an index");
        let of = |table: &str| found(&over(postgres, table), &words, "Do you wrap gifts?", NOW);
        assert_eq!(of("steps"), of("once"), "RET-2");
        let vector = words.vector("Do you wrap gifts?");
        let in_files = Index::open(&files).expect("opens");
        for (hit, own) in in_files
            .search_with(("Do you wrap gifts?", Some(&vector)), NOW, 3)
            .expect("searched")
            .iter()
            .zip(of("steps"))
        {
            assert!(hit.id == own.0 && (hit.confidence - own.1).abs() < 1e-6, "{hit:?} {own:?}");
        }

        // An embedder that fails leaves all as it was; another model, also of another width, makes all anew.
        let mut down = Words { down: true, ..Words::new("words", 16) };
        write(from.path(), std::slice::from_ref(&pay));
        assert!(build_with(from.path(), &target, &mut down).is_ok(), "nobody is asked for what is known");
        write(from.path(), &[pay.clone(), gift.clone()]);
        let why = build_with(from.path(), &target, &mut down).expect_err("it fails");
        assert!(matches!(&why, BuildError::Embedding(_)) && why.to_string().contains("it is down"), "{why}");
        assert_eq!(rows(), "pay0");
        let mut other = Words::new("others", 24);
        assert_eq!(step(&mut other), (2, 1, "5|others|24|2".into()));
        assert_eq!(ids(&found(&over(postgres, "steps"), &other, "gifts", NOW))[0], "gift");
        let mut wider = Words::new("others", 32);
        write(from.path(), &[pay, gift, line("late", "Late", "It comes.")]);
        let why = build_with(from.path(), &target, &mut wider).expect_err("another width");
        assert!(why.to_string().contains("32 numbers, others 24"), "{why}");

        // Without an embedder it has none, as in files.
        build(&folder(from.path()), &target, With::default(), |_| {}).expect("a table");
        let none = "SELECT model IS NULL, (SELECT count(*) FROM steps_vectors) FROM steps_index";
        assert_eq!(postgres.sql(none), "t|0");
    });
}

#[test]
fn a_table_of_many_passages_is_searched_by_an_index_of_them_and_keeps_to_what_holds() {
    with_vectors("postgres vectors", |postgres| {
        let from = tempfile::tempdir().expect("a folder");
        // Beyond 20,000 passages; two of them mean the same, and one of these has expired.
        let of = |at: usize| format!(r#"{{"id":"d{at}","title":"t{at}","body":"b{at}","verified_at":"2020-01-01"}}"#);
        let mut lines: Vec<_> = (0..20_001).map(of).collect();
        lines.push(line("valid", "Volcano", "lava ash magma crater"));
        lines.push(line("expired", "Volcano", "lava ash magma crater").replace('}', r#","expires_at":"2025-01-01"}"#));
        write(from.path(), &lines);
        let (mut words, target) = (Words::new("words", 32), target(postgres, "many"));
        build_with(from.path(), &target, &mut words).expect("a table");
        assert_eq!(postgres.sql("SELECT passages, indexed FROM many_index"), "20003|t");
        let indexes = || {
            postgres.sql(
                "SELECT string_agg(indexname, ' ' ORDER BY indexname) FROM pg_indexes WHERE tablename = 'many_vectors'",
            )
        };
        assert_eq!(indexes(), "many_near_32 many_vectors_pkey");
        let table = over(postgres, "many");
        let vector = words.vector("Volcano\nlava ash magma crater");
        let first = |now: i64| ask_by(("nothing of it", Some(&vector)), &table, now)[0].id.clone();
        assert_eq!(first(1_735_689_600 - 1), "expired", "of two that are as near the id decides");
        assert_eq!(first(NOW), "valid", "RET-1");
        drop(table);
        let scans = "SELECT idx_scan > 0 FROM pg_stat_user_indexes WHERE indexrelname = 'many_near_32'";
        until("the index", || (postgres.sql(scans) == "t").then_some(()));

        // Of another width, and then fewer: no index of what is no more.
        let mut wider = Words::new("wider", 40);
        build_with(from.path(), &target, &mut wider).expect("a table");
        assert_eq!(indexes(), "many_near_40 many_vectors_pkey");
        write(from.path(), &lines[20_000..]);
        build_with(from.path(), &target, &mut wider).expect("a table");
        assert_eq!(postgres.sql("SELECT passages, indexed FROM many_index"), "3|f");
        let table = over(postgres, "many");
        assert_eq!(ids(&found(&table, &wider, "Volcano lava ash magma crater", NOW))[0], "valid");
    });
}

#[test]
fn pg_5_where_no_vectors_can_be_the_exit_code_is_2_and_nothing_is_touched() {
    with_each("postgres vectors", |postgres| {
        let from = tempfile::tempdir().expect("a folder");
        write(from.path(), &[line("a", "Parcels", "They come by courier.")]);
        let mock = Mocking::start(&[]);
        let url = format!("http://{}/v1", mock.models);
        let by = ["--embeddings", &url, "--model", "embed"];
        let build = |more: &[&str]| build_by_command(postgres, from.path(), &[&by[..], more].concat());
        if !postgres.knows_vectors() {
            let (code, said) = build(&[]);
            assert!(code == Some(2) && said.contains("its server has no pgvector: install it there"), "{said}");
            assert!(said.contains("without `--embeddings`"), "{said}");
            assert_eq!(postgres.sql("SELECT to_regclass('documents') IS NULL"), "t");
            return skip("postgres vectors", &format!("{}: it has no pgvector; it refuses them", postgres.name));
        }
        // Who may make tables, and no extension.
        postgres.sql("GRANT CREATE ON SCHEMA public TO reader");
        let arguments = ["index", "build", from.path().to_str().expect("text"), "-o", &postgres.url_of("reader", "x")];
        let output = crate::process::evenkeel(&[&arguments[..], &by].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.code() == Some(2) && said.contains("let one who may run `CREATE EXTENSION vector`"),
            "{said}"
        );
        assert!(!said.contains(PASSWORD), "{said}");

        postgres.sql("CREATE TABLE documents_vectors (x integer); INSERT INTO documents_vectors VALUES (1)");
        let (code, said) = build(&[]);
        assert!(code == Some(2) && said.contains("is of something else"), "{said}");
        assert_eq!(postgres.sql("SELECT x FROM documents_vectors; SELECT to_regclass('documents') IS NULL"), "1\nt");

        let (code, said) = build(&["--table", "others"]);
        assert_eq!(code, Some(0), "{said}");
        let search =
            |by: &[&str]| index(postgres, &[&["search", super::PLACE, "--table", "others", "volcano"], by].concat());
        let (code, said) = search(&by);
        assert!(code == Some(0) && said.contains("a  Parcels"), "no word of it is there: {said}");
        assert_eq!(search(&[]).0, Some(1));
        assert_eq!(build_by_command(postgres, from.path(), &["--table", "plain"]).0, Some(0));
        let (code, said) =
            index(postgres, &[&["search", super::PLACE, "--table", "plain", "volcano"], &by[..]].concat());
        assert!(code == Some(2) && said.contains("has no vectors") && said.contains("--embeddings"), "{said}");
        drop(mock);
        let (code, said) = build(&["--table", "nobody"]);
        assert!(code == Some(2) && said.contains("cannot be embedded"), "{said}");
        assert_eq!(postgres.sql("SELECT to_regclass('nobody') IS NULL"), "t");
    });
}
