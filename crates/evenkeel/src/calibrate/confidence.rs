//! Confidence: what it is worth that a tier is sure, learnt from rows whose truth is known, and how that fares on rows that have not
//! taught it.

use std::fmt::Write as _;

use anyhow::ensure;
use evenkeel_signals::{
    calibrate::{Calibrator, Row, Teacher, ece},
    votes::{Read, read},
};
use serde_json::{Value, json};

use super::table::Table;

/// Parts of the rows, by their place in the file: each is judged by what the others have taught.
const FOLDS: usize = 5;
/// Fewer rows are no confidence (signals.md, section 8).
const ENOUGH: usize = 50;
/// A squared error that is less by so small a share is no less.
const NOISE: f64 = 0.01;
/// What belongs to no time is taught, and read, at this one.
const TIMELESS: u64 = 0;
/// Probabilities at which it is told how many answers would be accepted.
const THRESHOLDS: [f64; 7] = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99];

/// One answer of which it is known whether it was right.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answered {
    /// What was answered, where labels count; else the same of all.
    pub(crate) label: String,
    pub(crate) confidence: Option<f64>,
    pub(crate) right: bool,
}

/// Where the answers stand in a table, and how they are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Columns<'a> {
    pub(crate) truth: &'a str,
    pub(crate) answer: &'a str,
    pub(crate) confidence: &'a str,
    /// Answers are told apart by what they say.
    pub(crate) labels: bool,
}

/// What was learnt of a tier.
#[derive(Debug)]
pub(crate) struct Learnt {
    n: usize,
    /// The share of right answers.
    accuracy: f64,
    /// How far a probability is from what comes true, and the mean of its squares; the latter also of the share of right answers
    /// alone.
    off: f64,
    brier: f64,
    base: f64,
    /// By threshold: the share that is accepted, and the shares of right answers among those and among the others.
    accepted: Vec<(f64, f64, Option<f64>, Option<f64>)>,
    /// What all rows have taught.
    pub(crate) whole: Calibrator,
}

/// Reads rows of a table. An answer is right that says what is true: in the same words but for marks and letters' case, or the same
/// number. A row without an answer is left out; a cell without a confidence is one that could not be computed.
///
/// # Errors
/// A column is not there, or a confidence is no number.
pub(crate) fn rows(table: &Table, it: Columns<'_>, as_said: impl Fn(f64) -> f64) -> anyhow::Result<Vec<Answered>> {
    let confidences = table.column(it.confidence)?;
    let rows = table.column(it.truth)?.into_iter().zip(table.column(it.answer)?).zip(confidences).enumerate();
    let answered = rows.filter(|(_, ((_, answer), _))| !answer.trim().is_empty());
    let row = |(at, ((truth, answer), confidence)): (usize, ((&str, &str), &str))| {
        let confidence = table.sure(at, it.confidence, confidence)?.map(&as_said);
        let label = if it.labels { answer.trim().to_owned() } else { String::new() };
        Ok(Answered { label, confidence, right: same(truth.trim(), answer.trim()) })
    };
    answered.map(row).collect()
}

/// Says whether an answer says what is true.
pub(crate) fn same(truth: &str, answer: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok();
    let words = |text: &str| read(text, &Read::Whole);
    truth == answer || number(truth).is_some_and(|it| number(answer) == Some(it)) || {
        let (truth, answer) = (words(truth), words(answer));
        truth.is_some() && truth == answer
    }
}

/// Learns from rows.
///
/// # Errors
/// There are too few.
pub(crate) fn learn(rows: &[Answered]) -> anyhow::Result<Learnt> {
    let n = rows.len();
    ensure!(n >= ENOUGH, "{n} rows with an answer are too few to learn from: {ENOUGH} are enough for a confidence");
    let mut judged = Vec::with_capacity(n);
    let mut base = 0.0;
    for fold in 0..FOLDS {
        let part = |apart: bool| {
            rows.iter().enumerate().filter(move |(at, _)| (at % FOLDS == fold) == apart).map(|(_, it)| it)
        };
        let learnt = taught(part(false));
        let alone = accuracy(part(false));
        for it in part(true) {
            let p = learnt.read(TIMELESS, &it.label, it.confidence).p;
            base += squared(alone, it.right);
            judged.push((p, it.right));
        }
    }
    let share = |of: f64| of / n as f64;
    let at = |threshold: f64| {
        let (above, below): (Vec<_>, Vec<_>) = judged.iter().partition(|it| it.0 >= threshold);
        let right = |of: &[(f64, bool)]| {
            let right = of.iter().filter(|it| it.1).count() as f64;
            (!of.is_empty()).then(|| right / of.len() as f64)
        };
        (threshold, share(above.len() as f64), right(&above), right(&below))
    };
    Ok(Learnt {
        n,
        accuracy: accuracy(rows.iter()),
        off: ece(&judged).unwrap_or(0.0),
        brier: share(judged.iter().map(|it| squared(it.0, it.1)).sum()),
        base: share(base),
        accepted: THRESHOLDS.into_iter().map(at).collect(),
        whole: taught(rows.iter()),
    })
}

fn taught<'a>(rows: impl Iterator<Item = &'a Answered>) -> Calibrator {
    let row = |it: &'a Answered| Row { label: &it.label, confidence: it.confidence, right: it.right };
    Calibrator::taught(Teacher::Labels, TIMELESS, &rows.map(row).collect::<Vec<_>>())
}

fn accuracy<'a>(rows: impl Iterator<Item = &'a Answered>) -> f64 {
    let (right, all) = rows.fold((0.0, 0.0), |(right, all), it| (right + f64::from(u8::from(it.right)), all + 1.0));
    right / f64::max(all, 1.0)
}

fn squared(p: f64, right: bool) -> f64 {
    let off = p - f64::from(u8::from(right));
    off * off
}

impl Learnt {
    /// Says whether it says more than how often the tier is right.
    pub(crate) fn is_better(&self) -> bool {
        self.brier < (1.0 - NOISE) * self.base
    }

    /// Writes it as a table of Markdown.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "{} rows, of which {:.4} are right; each row is judged by what it has not taught\n\n| at_least | accepted | right among \
             them | right among the others |\n|---:|---:|---:|---:|\n",
            self.n, self.accuracy
        );
        let cell = |it: Option<f64>| it.map_or("–".to_owned(), |it| format!("{it:.4}"));
        for (threshold, accepted, above, below) in &self.accepted {
            let _ = writeln!(text, "| {threshold} | {accepted:.4} | {} | {} |", cell(*above), cell(*below));
        }
        let _ = writeln!(
            text,
            "\nA probability is off by {:.4} (expected calibration error). Its squared error is {:.4}, and {:.4} that of the share \
             of right answers alone.",
            self.off, self.brier, self.base
        );
        text
    }

    /// Writes the same for programs.
    pub(crate) fn json(&self) -> Value {
        let at = |(at_least, accepted, above, below): &(f64, f64, Option<f64>, Option<f64>)| json!({"at_least": at_least, "accepted": accepted, "right": above, "right_of_others": below});
        json!({
            "n": self.n, "accuracy": self.accuracy, "ece": self.off, "brier": self.brier, "brier_of_accuracy": self.base,
            "is_better": self.is_better(), "thresholds": self.accepted.iter().map(at).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_right_that_says_what_is_true() {
        for (truth, answer, expected) in [
            ("yes", "yes", true),
            ("Yes.", "yes", true),
            ("yes", "no", false),
            ("1.50", "1.5", true),
            ("", "…", false),
            ("A", "a", true),
        ] {
            assert_eq!(same(truth, answer), expected, "{truth} {answer}");
        }
    }

    /// A number below 1,000, by row and by what it is for (SplitMix64).
    fn drawn(row: usize, of: usize) -> usize {
        let mut bits = ((row as u64) << 20 | of as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ bits >> 31) % 1_000) as usize
    }

    #[test]
    fn what_a_confidence_is_worth_is_judged_by_rows_that_have_not_taught() {
        let row = |at: usize| Answered {
            label: String::new(),
            confidence: (drawn(at, 2) >= 100).then(|| (drawn(at, 2) / 100) as f64 / 10.0),
            right: drawn(at, 1) < 100 * (drawn(at, 2) / 100),
        };
        let rows: Vec<_> = (0..2_000).map(row).collect();
        let learnt = learn(&rows).expect("enough");
        assert!(learnt.is_better() && learnt.off < 0.05, "{learnt:?}");
        let (_, accepted, above, below) = learnt.accepted[2];
        assert!((0.15..0.4).contains(&accepted) && above > Some(0.7) && below < Some(0.5), "{learnt:?}");
        let alike: Vec<_> = rows.iter().map(|it| Answered { confidence: Some(0.5), ..it.clone() }).collect();
        assert!(!learn(&alike).expect("enough").is_better(), "it says nothing more");
        assert!(learn(&rows[..49]).is_err());
    }
}
