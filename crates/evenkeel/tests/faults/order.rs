//! Order: what the command line asks for, in the words of the standard harness.
//!
//! To nextest, which starts a process per test, all rows are one test: they are to run at once.
//!
//! A row may be named as the catalogue writes it (`UP-34`) or as a test is named (`up_34`).

use crate::{row::Row, rows, scorecard};

/// The name of all rows as one test.
pub(crate) const EVERY: &str = "every_row_is_survived";
/// The name of the test of the scorecard.
const CARD: &str = "the_scorecard_lists_the_catalogue";

/// The name of the test of how rows are named.
const NAMES: &str = "a_row_is_found_by_its_id_and_by_its_name";

/// A test that plays nothing: its name, and what it finds wrong.
type Check = (&'static str, fn() -> Vec<String>);

/// The tests beside the rows.
pub(crate) const CHECKS: [Check; 2] = [(CARD, scorecard::check), (NAMES, check)];

/// What is asked for.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// Print names, and run nothing.
    pub(crate) list: Option<List>,
    wanted: Vec<String>,
    exact: bool,
}

/// Which names to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    /// For people: every row.
    Rows,
    /// For programs: what runs in a process of its own.
    Tests,
    /// Tests that are left out by default: none.
    Ignored,
}

impl Order {
    /// Reads the arguments; what the standard harness knows and this one does not need is passed over.
    pub(crate) fn of(arguments: impl Iterator<Item = String>) -> Order {
        let (mut order, mut terse, mut ignored, mut list) = (Order::default(), false, false, false);
        let mut arguments = arguments.peekable();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--list" => list = true,
                "--ignored" => ignored = true,
                "--exact" => order.exact = true,
                "--format" => terse = arguments.next().as_deref() == Some("terse"),
                "--test-threads" | "--color" | "--skip" | "--logfile" | "-Z" => drop(arguments.next()),
                it if it.starts_with('-') => {}
                _ => order.wanted.push(argument),
            }
        }
        order.list = list.then_some(match (ignored, terse) {
            (true, _) => List::Ignored,
            (false, true) => List::Tests,
            (false, false) => List::Rows,
        });
        order
    }

    /// Returns the rows that are asked for.
    pub(crate) fn rows(&self) -> Vec<&'static Row> {
        let all = self.asks(EVERY);
        rows::all().filter(|row| all || self.asks(&row.name())).collect()
    }

    /// Says whether a test is asked for by this name.
    pub(crate) fn asks(&self, name: &str) -> bool {
        self.wanted.is_empty() || self.wanted.iter().any(|wanted| self.fits(wanted, name))
    }

    /// Returns what is asked for and is the name, or a part of the name, of nothing that is here. That is no error: the same
    /// words are given to the tests of all crates.
    pub(crate) fn unknown(&self) -> Vec<&str> {
        let tests = || CHECKS.iter().map(|(name, _)| (*name).to_owned()).chain([EVERY.to_owned()]);
        let names: Vec<String> = rows::all().map(Row::name).chain(tests()).collect();
        let here = |wanted: &&String| names.iter().any(|name| self.fits(wanted, name));
        self.wanted.iter().filter(|wanted| !here(wanted)).map(String::as_str).collect()
    }

    fn fits(&self, wanted: &str, name: &str) -> bool {
        let wanted = wanted.to_lowercase().replace('-', "_");
        if self.exact { name == wanted } else { name.contains(&wanted) }
    }
}

/// Holds the names under which rows may be asked for against the rows that are found. Returns what is wrong.
fn check() -> Vec<String> {
    let mut wrong = Vec::new();
    let tries: [(&[&str], &[&str], &[&str]); 5] = [
        (&["UP-34"], &["UP-34"], &[]),
        (&["up_34"], &["UP-34"], &[]),
        (&["--exact", "Up-34", "st_01"], &["UP-34", "ST-01"], &[]),
        (&["UP-34", "UP-99"], &["UP-34"], &["UP-99"]),
        (&["--exact", "up_3"], &[], &["up_3"]),
    ];
    for (asked, rows, unknown) in tries {
        let order = Order::of(asked.iter().map(|it| (*it).to_owned()));
        let found: Vec<&str> = order.rows().iter().map(|row| row.id).collect();
        if found != rows || order.unknown() != unknown {
            wrong.push(format!("{asked:?} finds {found:?} and does not find {:?}", order.unknown()));
        }
    }
    wrong
}

/// Prints names, one a line.
pub(crate) fn print(list: List) {
    match list {
        List::Rows => rows::all().for_each(|row| println!("{}: test", row.name())),
        List::Tests => println!("{EVERY}: test"),
        List::Ignored => return,
    }
    CHECKS.iter().for_each(|(name, _)| println!("{name}: test"));
}
