//! Order: what the command line asks for, in the words of the standard harness.
//!
//! To nextest, which starts a process per test, all rows are one test: they are to run at once.

use crate::{row::Row, rows};

/// The name of all rows as one test.
pub(crate) const EVERY: &str = "every_row_is_survived";
/// The name of the test of the scorecard.
pub(crate) const CARD: &str = "the_scorecard_lists_the_catalogue";

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
        let fits = |wanted: &String| if self.exact { name == wanted } else { name.contains(wanted.as_str()) };
        self.wanted.is_empty() || self.wanted.iter().any(fits)
    }
}

/// Prints names, one a line.
pub(crate) fn print(list: List) {
    match list {
        List::Rows => rows::all().for_each(|row| println!("{}: test", row.name())),
        List::Tests => println!("{EVERY}: test"),
        List::Ignored => return,
    }
    println!("{CARD}: test");
}
