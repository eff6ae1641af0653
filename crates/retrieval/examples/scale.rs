//! Builds an index of N synthetic documents and asks it Q questions: `scale N Q`, for `bench/retrieval`.
//!
//! Words are drawn as in texts: the one of rank r with a frequency of about 1/r, out of 50,000. A document has 200 of them, a title of
//! six, and three questions of ten that it says it answers; what is asked has three to eight. The seed is fixed. What is promised
//! of a question is the CPU time of the thread that searches; the time that it takes is told beside it. With `EVENKEEL_BLESS=1`
//! the table is written into `docs/performance.md`.

#![expect(clippy::disallowed_methods, reason = "it measures how long things take")]

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
    time::Instant,
};

use evenkeel_retrieval::{Folder, Index, Language, With, build};

const WORDS: f64 = 50_000.0;

/// CPU time of a question that is promised, in milliseconds.
const PROMISED: f64 = 20.0;

fn main() {
    let argument = |at| std::env::args().nth(at).and_then(|it| it.parse::<usize>().ok()).expect("usage: scale N Q");
    let (documents, questions) = (argument(1), argument(2));
    let folder = tempfile::tempdir().expect("a folder");
    let (from, index) = (folder.path().join("documents"), folder.path().join("index"));
    let mut draw = Draw(1);
    let bytes = write(&from, documents, &mut draw);
    let make = || {
        let began = Instant::now();
        let folder = Folder { path: from.clone(), language: Language::of("en") };
        let built = build(&folder, &index, With::default(), |_| {}).expect("an index");
        (built, began.elapsed().as_secs_f64())
    };
    let ((built, seconds), (_, again)) = (make(), make());
    let began = Instant::now();
    let index = Index::open(&index).expect("whole");
    let opened = began.elapsed().as_secs_f64();
    let (mut cpu, mut wall): (Vec<f64>, Vec<f64>) = (0..questions).map(|_| ask(&index, &mut draw)).unzip();
    let table = [
        "| what | measured |\n|---|---:|\n".to_owned(),
        format!("| documents | {documents}, with three questions each, {:.0} MiB of JSON lines |\n", mib(bytes)),
        format!("| built | {seconds:.0} s, {:.0} documents a second |\n", built.documents as f64 / seconds),
        format!("| built again with nothing changed | {again:.1} s |\n"),
        format!("| size | {:.0} MiB |\n", mib(built.bytes)),
        format!("| opened, every file held against its checksum | {opened:.2} s |\n"),
        format!("| CPU time of a question, ms | {} |\n", quantiles(&mut cpu)),
        format!("| time of a question, ms | {} |\n", quantiles(&mut wall)),
    ]
    .concat();
    print!("{table}");
    if std::env::var_os("EVENKEEL_BLESS").is_some() {
        bless(&table);
    }
    let p99 = quantile(&cpu, 0.99);
    assert!(p99 <= PROMISED, "a question takes {p99:.1} ms of CPU at p99, {PROMISED} are promised");
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

fn quantiles(times: &mut [f64]) -> String {
    times.sort_by(f64::total_cmp);
    let at = |share| quantile(times, share);
    format!("p50 {:.1}, p95 {:.1}, p99 {:.1}, most {:.1}", at(0.5), at(0.95), at(0.99), at(1.0))
}

/// Writes the table into the page.
fn bless(table: &str) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/performance.md");
    let text = fs::read_to_string(&page).expect("the page");
    let begin = "<!-- bench/retrieval -->\n";
    let (head, rest) = text.split_once(begin).expect("the mark where it begins");
    let (_, tail) = rest.split_once("<!-- end -->").expect("the mark where it ends");
    fs::write(&page, [head, begin, table, "<!-- end -->", tail].concat()).expect("written");
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn write(folder: &Path, documents: usize, draw: &mut Draw) -> u64 {
    fs::create_dir(folder).expect("made");
    let path = folder.join("documents.jsonl");
    let mut file = BufWriter::new(File::create(&path).expect("made"));
    for id in 0..documents {
        let (title, body, questions) = (draw.text(6), draw.text(200), [(); 3].map(|()| draw.text(10)));
        writeln!(
            file,
            r#"{{"id":"d{id}","title":"{title}","body":"{body}","questions":{questions:?},"verified_at":"2026-01-01"}}"#
        )
        .expect("written");
    }
    file.flush().expect("written");
    fs::metadata(&path).expect("there").len()
}

/// Asks one question; returns its milliseconds of CPU, and those that went by.
fn ask(index: &Index, draw: &mut Draw) -> (f64, f64) {
    let words = 3 + (draw.share() * 6.0) as usize;
    let question = draw.text(words);
    let (before, began) = (cpu(), Instant::now());
    let hits = index.search(&question, 1_900_000_000, 3).expect("searched");
    assert!(hits.len() <= 3);
    (cpu() - before, began.elapsed().as_secs_f64() * 1e3)
}

/// Returns the milliseconds that this thread has computed (Linux).
fn cpu() -> f64 {
    let told = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells it");
    told.split_whitespace().next().and_then(|it| it.parse::<f64>().ok()).expect("nanoseconds") / 1e6
}

/// Draws by a linear congruence (D. E. Knuth's MMIX).
struct Draw(u64);

impl Draw {
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn text(&mut self, words: usize) -> String {
        let word = |_| format!("w{:x}q", WORDS.powf(self.share()) as u32);
        (0..words).map(word).collect::<Vec<_>>().join(" ")
    }
}
