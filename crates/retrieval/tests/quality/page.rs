//! Page: where measured numbers stand in a page, between marks that only their command writes between.

use std::{fmt::Write as _, fs, path::PathBuf, sync::Mutex};

use evenkeel_retrieval::Measured;

const END: &str = "<!-- end -->";
const COMMAND: &str = "EVENKEEL_BLESS=1 cargo test -p evenkeel-retrieval --test quality";

/// Pages are written one after another.
static ONE: Mutex<()> = Mutex::new(());

/// A page.
pub(crate) struct Page(pub(crate) PathBuf);

impl Page {
    /// Holds what stands between the marks of a name against a text, or writes it there; a count may be another by so many.
    pub(crate) fn holds(&self, mark: &str, text: &str, near: u32) {
        let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let page = fs::read_to_string(&self.0).expect("the page");
        let begin = format!("<!-- measured {mark} -->\n");
        let (head, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("{}: no {begin}", self.0.display()));
        let (old, tail) = rest.split_once(END).expect("the mark where it ends");
        if std::env::var_os("EVENKEEL_BLESS").is_some() {
            fs::write(&self.0, [head, &begin, text, END, tail].concat()).expect("written");
        } else if old != text {
            let is_near = near > 0 && is_near(&counts(old), &counts(text), near);
            assert!(is_near, "{}: `{COMMAND}` writes it\n{old}\nis\n{text}", self.0.display());
        }
    }
}

/// Returns what is counted in a text: `54 of 88` is 54 and 88.
fn counts(text: &str) -> Vec<(u32, u32)> {
    let words: Vec<_> = text.split_whitespace().collect();
    let number = |word: &str| word.parse::<u32>().ok();
    words.windows(3).filter(|it| it[1] == "of").filter_map(|it| Some((number(it[0])?, number(it[2])?))).collect()
}

fn is_near(old: &[(u32, u32)], new: &[(u32, u32)], near: u32) -> bool {
    let all = |(a, b): (&(u32, u32), &(u32, u32))| a.1 == b.1 && a.0.abs_diff(b.0) <= near;
    old.len() == new.len() && !new.is_empty() && old.iter().zip(new).all(all)
}

/// Returns the rows of a set of questions.
pub(crate) fn rows(name: &str, measured: &Measured) -> String {
    measured.shares().iter().map(|share| format!("| {name} {}\n", share.cells())).collect()
}

pub(crate) fn table(rows: &str) -> String {
    format!("| questions | what | of | share | 95 % interval (Wilson) |\n|---|---|---|---|---|\n{rows}")
}

/// Returns a list of what was measured, for a page that says it in passing.
pub(crate) fn summary(measured: &Measured) -> String {
    let mut text = String::new();
    for share in measured.shares() {
        let ((low, high), ratio) = (share.interval(), share.ratio());
        writeln!(
            text,
            "- {}: {} of {} ({ratio:.2}; 95 % interval {low:.2} to {high:.2})",
            share.what, share.of, share.all
        )
        .expect("written");
    }
    text
}

#[test]
fn counts_are_near_where_each_is() {
    let page = "| a | 54 of 88 | 0.6 |\n| b | 5 of 60 |";
    assert_eq!(counts(page), [(54, 88), (5, 60)]);
    assert!(is_near(&counts(page), &[(52, 88), (7, 60)], 2));
    for other in [&[(51, 88), (5, 60)][..], &[(54, 87), (5, 60)], &[(54, 88)], &[]] {
        assert!(!is_near(&counts(page), other, 2), "{other:?}");
    }
}
