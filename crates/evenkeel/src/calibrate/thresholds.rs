//! Thresholds: which one lets a route's cheaper models answer as often as may be, with a promise of how much that may cost in right
//! answers.
//!
//! The policies are the thresholds themselves, from one that nobody passes downwards: an order that no row has a part in. So all rows
//! that have not taught a calibration are tested on.

use std::fmt::Write as _;

use anyhow::{Context, ensure};
use evenkeel_signals::certify::{Passed, Terms, walk};
use serde_json::{Value, json};

use crate::plot::{Figure, cost_quality};

/// Thresholds that are tried, in thousandths: from the safest to the cheapest.
const STEPS: [u16; 27] = [
    1_000, 995, 990, 985, 980, 970, 960, 950, 940, 920, 900, 880, 860, 840, 820, 800, 780, 760, 740, 720, 700, 650,
    600, 550, 500, 400, 300,
];
/// So many rows are wanted (signals.md, section 6).
const WANTED: usize = 2_000;

/// One row that every model has answered, from the first that is asked to the last, which is taken for right.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    /// How likely each answer is right, in thousandths, and whether it is; none where that could not be computed, which nobody
    /// accepts.
    pub(crate) answers: Vec<(Option<u16>, bool)>,
}

/// What a threshold gives on rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Given {
    pub(crate) at_least: u16,
    /// The share of rows that the last model was not asked for.
    pub(crate) kept: f64,
    /// What a request costs, of which that of the last model alone is 1.
    pub(crate) cost: f64,
    /// The share of right answers.
    pub(crate) right: f64,
    /// How much more often it is wrong than the last model.
    pub(crate) extra: f64,
    /// The row at which it passed, where it did.
    pub(crate) passed: Option<u64>,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Tuned {
    pub(crate) n: usize,
    pub(crate) terms: Terms,
    /// The share of right answers of the last model.
    primary: f64,
    /// What each threshold gives, the safest first.
    pub(crate) curve: Vec<Given>,
    /// The place of the one that is taken.
    pub(crate) chosen: Option<usize>,
}

/// Tries thresholds on rows; `costs` are those of one call of each model.
///
/// # Errors
/// There are no rows, the last model is never right, or the last model costs nothing, so that nothing can be spared.
pub(crate) fn tune(rows: &[Asked], costs: &[f64], terms: Terms) -> anyhow::Result<Tuned> {
    let last = *costs.last().context("there is no model")?;
    ensure!(!rows.is_empty(), "there is no row");
    ensure!(last > 0.0, "the last model costs nothing, so that nothing can be spared: say what it costs with --cost");
    let right = rows.iter().filter(|row| row.answers.last().is_some_and(|it| it.1)).count() as f64;
    ensure!(
        right > 0.0,
        "the last model is right on no row, and nothing can be lost against it: is --truth the column of what is true, in the words of \
         the answers?"
    );
    let played: Vec<Vec<(f64, f64)>> =
        STEPS.iter().map(|at_least| rows.iter().map(|row| play(row, *at_least, costs)).collect()).collect();
    let found = walk(&terms, played.iter().map(|rows| rows.iter().map(|it| it.0)));
    let chosen = found.passed.map(|Passed { policy, .. }| policy);
    let n = rows.len() as f64;
    let given = |(at, rows_of): (usize, &Vec<(f64, f64)>)| {
        let at_least = STEPS[at];
        let kept = rows.iter().filter(|row| holder(row, at_least) + 1 < costs.len()).count() as f64;
        let right = rows.iter().filter(|row| row.answers[holder(row, at_least)].1).count() as f64;
        let (extra, cost) = rows_of.iter().fold((0.0, 0.0), |(extra, cost), it| (extra + it.0, cost + it.1));
        // Which row each passed at is told of those that were tested.
        let alone = walk(&terms, [rows_of.iter().map(|it| it.0)]).passed.map(|it| it.rows);
        let passed = alone.filter(|_| chosen.is_some_and(|chosen| at <= chosen));
        Given { at_least, kept: kept / n, cost: cost / n / last, right: right / n, extra: extra / n, passed }
    };
    Ok(Tuned {
        n: rows.len(),
        terms,
        primary: right / n,
        curve: played.iter().enumerate().map(given).collect(),
        chosen,
    })
}

/// Returns the model whose answer is given: the first that is as likely right as that, else the last.
fn holder(row: &Asked, at_least: u16) -> usize {
    let (last, above) = (row.answers.len() - 1, &row.answers[..row.answers.len() - 1]);
    above.iter().position(|(right, _)| right.is_some_and(|it| it >= at_least)).unwrap_or(last)
}

/// Plays a row: how much more is lost than by the last model alone, and what it costs.
fn play(row: &Asked, at_least: u16, costs: &[f64]) -> (f64, f64) {
    let (holder, last) = (holder(row, at_least), row.answers.len() - 1);
    let loss = |at: usize| f64::from(u8::from(!row.answers[at].1));
    (loss(holder) - loss(last), costs[..=holder].iter().sum())
}

impl Tuned {
    /// Says what speaks against so few rows.
    pub(crate) fn few(&self) -> Option<String> {
        (self.n < WANTED).then(|| {
            format!(
                "{} are few: {WANTED} and more are wanted, and what is earned on fewer hangs on each of them",
                crate::cmd::counted(self.n, "row")
            )
        })
    }

    /// Returns what the threshold gives that is taken.
    pub(crate) fn taken(&self) -> Option<&Given> {
        self.chosen.and_then(|at| self.curve.get(at))
    }

    /// Draws what each threshold costs and how often it is right, beside the last model alone.
    pub(crate) fn figure(&self, route: &str, last: &str) -> Figure {
        let policies: Vec<_> = self.curve.iter().map(|it| (it.cost, it.right)).collect();
        cost_quality(route, &policies, self.chosen, &[(last, (1.0, self.primary))])
    }

    /// Writes it as a table of Markdown, with the curve of cost and quality beside it.
    pub(crate) fn table(&self, last: &str) -> String {
        let Self { n, primary, terms, .. } = self;
        let mut text = format!(
            "{n} rows; `{last}` alone is right on {primary:.4} of them, and costs 1\n\n| at_least | kept from `{last}` | cost | right | \
             extra loss | passed at row | cost |\n|---:|---:|---:|---:|---:|---:|---|\n"
        );
        for it in &self.curve {
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
        let _ = match self.taken() {
            Some(it) => writeln!(
                text,
                "\naccept: {{at_least: {}}}: with a probability of {:.4} at least, answers are wrong at most {epsilon} more often than \
                 those of `{last}`, on rows like these.{few}",
                f64::from(it.at_least) / 1e3,
                1.0 - delta
            ),
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
        let given = |it: &Given| {
            json!({"at_least": f64::from(it.at_least) / 1e3, "kept": it.kept, "cost": it.cost, "right": it.right,
                   "extra_loss": it.extra, "passed_at": it.passed})
        };
        json!({
            "n": self.n, "rows_wanted": WANTED, "epsilon": self.terms.epsilon(), "delta": self.terms.delta(), "tuning": self.terms.tuning(),
            "right_of_last": self.primary, "at_least": self.taken().map(|it| f64::from(it.at_least) / 1e3),
            "curve": self.curve.iter().map(given).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number below 1,000, by row and by what it is for (SplitMix64).
    fn drawn(row: usize, of: usize) -> usize {
        let mut bits = ((row as u64) << 20 | of as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ bits >> 31) % 1_000) as usize
    }

    /// A cheap model that is right as often as it says, and a dear one that is right on 95 of 100 rows.
    fn rows(n: usize) -> Vec<Asked> {
        let row = |at: usize| {
            let sure = [995, 950, 700, 400][at % 4];
            let answers = vec![(Some(sure), drawn(at, 1) < usize::from(sure)), (None, drawn(at, 2) < 950)];
            Asked { answers }
        };
        (0..n).map(row).collect()
    }

    #[test]
    fn cert_1_the_cheapest_threshold_that_keeps_the_promise_is_taken() {
        let terms = Terms::new(0.02, 0.05, 1).expect("sound");
        let tuned = tune(&rows(8_000), &[0.1, 1.0], terms).expect("it runs");
        let taken = tuned.taken().expect("one passes");
        assert!((700..=950).contains(&taken.at_least) && taken.extra < 0.02, "{taken:?}");
        assert!((0.45..0.55).contains(&taken.kept) && (0.55..0.65).contains(&taken.cost), "{taken:?}");
        let safest = &tuned.curve[0];
        assert_eq!((safest.kept, safest.extra, safest.right), (0.0, 0.0, tuned.primary));
        assert!((safest.cost - 1.1).abs() < 1e-9, "both are asked: {safest:?}");
        let beyond = tuned.chosen.expect("one passes") + 1;
        assert!(tuned.curve[beyond..].iter().all(|it| it.passed.is_none()) && tuned.curve[beyond].extra > taken.extra);
        assert_eq!(tuned.few(), None);
        assert!(tuned.table("large").contains(&format!("accept: {{at_least: {}}}", f64::from(taken.at_least) / 1e3)));
    }

    #[test]
    fn too_few_rows_promise_nothing_and_a_later_tuning_has_less() {
        let terms = |tuning| Terms::new(0.01, 0.05, tuning).expect("sound");
        assert!(tune(&rows(300), &[0.1, 1.0], terms(1)).expect("it runs").taken().is_none());
        let passed = |tuning| tune(&rows(8_000), &[0.1, 1.0], terms(tuning)).expect("it runs").curve[0].passed;
        assert!(passed(5) > passed(1), "more rows are wanted");
        let some = tune(&rows(1_999), &[0.1, 1.0], terms(1)).expect("it runs");
        assert!(some.taken().is_some() && some.table("large").contains("WARNING: 1999 rows are few: 2000"));
        let mut wrong = rows(1_000);
        wrong.iter_mut().for_each(|it| it.answers[1].1 = false);
        let refused = tune(&wrong, &[0.1, 1.0], terms(1)).expect_err("never right").to_string();
        assert!(refused.contains("right on no row"), "{refused}");
        assert!(tune(&[], &[0.1, 1.0], terms(1)).is_err() && tune(&rows(10), &[0.1, 0.0], terms(1)).is_err());
    }
}
