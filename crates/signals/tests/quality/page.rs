//! Page: what was found, kept as lines of `bench/signals/*.csv` and shown as tables of `docs/quality.md`.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// One line of what was found: names first, then numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) names: Vec<String>,
    pub(crate) numbers: Vec<f64>,
}

impl Line {
    pub(crate) fn of(names: &[&str], numbers: &[f64]) -> Self {
        Self { names: names.iter().map(|it| (*it).to_owned()).collect(), numbers: numbers.to_vec() }
    }

    fn text(&self) -> String {
        let numbers = self.numbers.iter().map(|it| format!("{it:.6}"));
        self.names.iter().cloned().chain(numbers).collect::<Vec<_>>().join(",")
    }

    /// Says whether two are the same as they are written.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

/// A file of lines, with the names of its columns.
pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../bench/signals/{name}.csv"))
}

/// The folder of data that comes from elsewhere; none where it is absent.
pub(crate) fn data(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    folder.is_dir().then_some(folder)
}

pub(crate) fn keep(name: &str, columns: &str, lines: &[Line]) {
    let text: String = lines.iter().map(|it| it.text() + "\n").collect();
    fs::write(file(name), format!("{columns}\n{text}")).expect("the file is written");
}

/// Reads what was kept.
pub(crate) fn kept(name: &str, columns: &str) -> Vec<Line> {
    let text = fs::read_to_string(file(name)).expect("what the bench found");
    assert!(text.starts_with(columns), "bench/signals/{name}.csv has other columns: run bench/signals/{name}");
    let line = |it: &str| {
        let mut line = Line { names: Vec::new(), numbers: Vec::new() };
        for cell in it.split(',') {
            match cell.parse() {
                Ok(number) => line.numbers.push(number),
                Err(_) => line.names.push(cell.to_owned()),
            }
        }
        line
    };
    text.lines().skip(1).map(line).collect()
}

/// A table of Markdown.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|it| (*it).to_owned()).collect();
    let rule = format!("|{}\n", "---|".repeat(head.len()));
    line(&head) + &rule + &rows.iter().map(|it| line(it)).collect::<String>()
}

/// Puts a table between its marks.
pub(crate) fn write(mark: &str, table: &str) {
    let (page, head, _, tail) = parts(mark);
    fs::write(page, format!("{head}{table}{tail}")).expect("docs/quality.md is written");
}

/// Writes a drawing beside the page.
pub(crate) fn drawing(name: &str, svg: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/{name}.svg"));
    fs::write(file, svg).expect("the drawing is written");
}

/// Compares the page with the table.
pub(crate) fn compare(mark: &str, table: &str) {
    let (_, _, old, _) = parts(mark);
    assert_eq!(old, table, "docs/quality.md is not what was found: run bench/signals/{mark} and read the difference");
}

fn parts(mark: &str) -> (PathBuf, String, String, String) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/quality.md");
    let text = fs::read_to_string(&page).expect("docs/quality.md");
    let (begin, end) = (format!("<!-- {mark}: begin -->\n"), format!("<!-- {mark}: end -->"));
    let at = text.find(&begin).expect("the mark where the table begins") + begin.len();
    let to = text.find(&end).expect("the mark where the table ends");
    (page, text[..at].to_owned(), text[at..to].to_owned(), text[to..].to_owned())
}

/// The mean; NaN of nothing.
pub(crate) fn mean(all: impl IntoIterator<Item = f64>) -> f64 {
    let (n, sum) = all.into_iter().fold((0.0, 0.0), |(n, sum), it| (n + 1.0, sum + it));
    sum / n
}

/// The number below which that part of all lie; NaN of nothing.
pub(crate) fn quantile(mut all: Vec<f64>, part: f64) -> f64 {
    all.sort_by(f64::total_cmp);
    let at = ((all.len() as f64 * part) as usize).min(all.len().saturating_sub(1));
    all.get(at).copied().unwrap_or(f64::NAN)
}

/// A bar on the screen, where somebody watches.
pub(crate) fn progress(name: &str, done: usize, of: usize) {
    let full = 40 * done / of.max(1);
    eprint!("\r{name} [{}{}] {done}/{of}", "#".repeat(full), " ".repeat(40 - full));
    if done == of {
        eprintln!();
    }
}

/// Runs jobs on all cores, with a bar; what they give comes in their order.
pub(crate) fn all_of<T: Send>(name: &str, jobs: usize, run: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let done = std::sync::Mutex::new(Vec::new());
    let work = || {
        loop {
            let job = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if job >= jobs {
                return;
            }
            let found = run(job);
            let mut done = done.lock().expect("no job panics");
            done.push((job, found));
            progress(name, done.len(), jobs);
        }
    };
    std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        (0..cores).for_each(|_| drop(scope.spawn(work)));
    });
    let mut done = done.into_inner().expect("no job panics");
    done.sort_by_key(|it| it.0);
    done.into_iter().map(|it| it.1).collect()
}
