//! Thresholds: what `evenkeel tune` has found (`evenkeel_signals::certify`), as text, as JSON and drawn.

use std::fmt::Write as _;

use evenkeel_signals::certify::{AtLeast, Tuned};
use serde_json::{Value, json};

use crate::plot::{Figure, cost_quality};

/// So many rows are wanted (signals.md, section 6).
const WANTED: usize = 2_000;

/// What was found, to be shown.
#[derive(Debug)]
pub(crate) struct Found(pub(crate) Tuned);

impl Found {
    /// Says what speaks against so few rows.
    pub(crate) fn few(&self) -> Option<String> {
        (self.0.n < WANTED).then(|| {
            format!(
                "{} are few: {WANTED} and more are wanted, and what is earned on fewer hangs on each of them",
                crate::cmd::counted(self.0.n, "row")
            )
        })
    }

    /// Says that what is taken saves nothing, where that is so.
    pub(crate) fn dearer(&self, last: &str) -> Option<String> {
        let cost = self.0.taken().map(|it| it.cost).filter(|it| *it >= 1.0)?;
        Some(format!(
            "with this threshold a request costs {cost:.2} times what it costs to ask `{last}` alone: say with --cost what a call of each \
             model costs, or ask fewer of them"
        ))
    }

    /// Says why nothing is taken, where nothing is.
    pub(crate) fn refused(&self) -> Option<&'static str> {
        match self.0.chosen {
            Some(_) => None,
            None if self.0.spares_nothing() => Some(
                "thresholds keep the promise that spare nothing: at each of them the last model is asked of every row, since the models before \
                 it are never so sure",
            ),
            None => Some("no threshold keeps the promise on so many rows"),
        }
    }

    /// Draws what each threshold costs and how often it is right, beside the last model alone.
    pub(crate) fn figure(&self, route: &str, last: &str) -> Figure {
        let policies: Vec<_> = self.0.curve.iter().map(|it| (it.cost, it.right)).collect();
        cost_quality(route, &policies, self.0.chosen, &[(last, (1.0, self.0.primary))])
    }

    /// Writes it as a table of Markdown, with the curve of cost and quality beside it.
    pub(crate) fn table(&self, last: &str) -> String {
        let Tuned { n, primary, terms, .. } = &self.0;
        let mut text = format!(
            "{n} rows; `{last}` alone is right on {primary:.4} of them, and costs 1\n\n| at_least | kept from `{last}` | cost | right | \
             extra loss | passed at row | cost |\n|---:|---:|---:|---:|---:|---:|---|\n"
        );
        for it in &self.0.curve {
            let passed = it.passed.map_or("–".to_owned(), |row| row.to_string());
            let bar = "█".repeat((it.cost * 20.0).round().clamp(0.0, 40.0) as usize);
            let _ = writeln!(
                text,
                "| {} | {:.4} | {:.4} | {:.4} | {:+.4} | {passed} | {bar} |",
                f64::from(it.at_least) / 1e3,
                it.kept,
                it.cost,
                it.right,
                it.extra
            );
        }
        let (epsilon, delta) = (terms.epsilon(), terms.delta());
        let few = self.few().map(|it| format!(" WARNING: {it}.")).unwrap_or_default();
        let _ = match self.0.taken() {
            Some(it) => writeln!(
                text,
                "\naccept: {{at_least: {}}}: with a probability of {:.4} at least, answers are wrong at most {epsilon} more often than \
                 those of `{last}`, on rows like these.{few}",
                f64::from(it.at_least) / 1e3,
                1.0 - delta
            ),
            None if self.0.spares_nothing() => {
                writeln!(
                    text,
                    "\nNo threshold that keeps the promise spares `{last}` a row: the models before it are never so sure."
                )
            }
            None => writeln!(
                text,
                "\nNo threshold keeps the promise (at most {epsilon} more loss, but for a chance of {delta:.4}) on so many rows: {WANTED} \
                 and more are wanted."
            ),
        };
        text
    }

    /// Writes the same for programs.
    pub(crate) fn json(&self) -> Value {
        let Tuned { n, terms, primary, curve, .. } = &self.0;
        let given = |it: &AtLeast| {
            json!({"at_least": f64::from(it.at_least) / 1e3, "kept": it.kept, "cost": it.cost, "right": it.right,
                   "extra_loss": it.extra, "passed_at": it.passed})
        };
        json!({
            "n": n, "rows_wanted": WANTED, "epsilon": terms.epsilon(), "delta": terms.delta(), "tuning": terms.tuning(),
            "right_of_last": primary, "at_least": self.0.taken().map(|it| f64::from(it.at_least) / 1e3),
            "refused": self.refused(), "curve": curve.iter().map(given).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_signals::certify::{Answers, Terms, tune};

    use super::*;

    /// A cheap model that is sure of every row, and never wrong alone.
    fn found(n: usize, sure: u16) -> Found {
        let rows = vec![Answers { answers: vec![(Some(sure), true), (None, true)] }; n];
        Found(tune(&rows, &[0.1, 1.0], Terms::new(0.01, 0.05, 1).expect("sound")).expect("it runs"))
    }

    #[test]
    fn what_is_taken_is_said_and_few_rows_are_warned_of() {
        let many = found(2_000, 950);
        assert_eq!((many.few(), many.refused(), many.dearer("large")), (None, None, None));
        assert!(many.table("large").contains("accept: {at_least: 0.3}"), "{}", many.table("large"));
        let few = found(1_999, 950);
        assert!(few.table("large").contains("WARNING: 1999 rows are few: 2000"), "{}", few.table("large"));
    }

    #[test]
    fn a_threshold_that_costs_more_than_the_last_model_alone_is_warned_of() {
        // Half of the rows are kept from it, and each model costs 1.
        let row = |at: usize| Answers {
            answers: vec![(Some(if at.is_multiple_of(2) { 950 } else { 100 }), true), (None, true)],
        };
        let rows: Vec<_> = (0..2_000).map(row).collect();
        let found = |cost: f64| {
            let terms = Terms::new(0.01, 0.05, 1).expect("sound");
            Found(tune(&rows, &[cost, 1.0], terms).expect("it runs")).dearer("large")
        };
        assert!(found(1.0).is_some_and(|it| it.contains("costs 1.50 times")));
        assert_eq!(found(0.4), None);
    }

    #[test]
    fn why_nothing_is_taken_is_said() {
        let (short, never) = (found(300, 950), found(2_000, 100));
        assert!(short.table("large").contains("No threshold keeps the promise") && short.json()["at_least"].is_null());
        assert!(never.table("large").contains("spares `large` a row") && never.json()["at_least"].is_null());
        assert!([short, never].iter().all(|it| it.json()["refused"].as_str() == it.refused()));
    }
}
