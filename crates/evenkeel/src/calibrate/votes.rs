//! Votes: what the members of an ensemble are worth, learnt from rows whose truth is known, and how their votes fare on rows that
//! have not taught it.

use std::fmt::Write as _;

use anyhow::{Context, ensure};
use evenkeel_config::{Confidence, Datatype, Voted};
use evenkeel_signals::{
    calibrate::{Asked, Said, Teacher, VoteCalibration, ece},
    votes::{Ballot, EQUAL, Read, Tally, read, record, trusted, weight},
};
use serde_json::{Value, json};

use super::table::Table;

/// Parts of the rows, by their place in the file: each is judged by what the others have taught.
const FOLDS: usize = 5;

/// What was learnt of an ensemble.
#[derive(Debug)]
pub(crate) struct Learnt {
    classes: u32,
    n: u64,
    members: Vec<Member>,
    majority: f64,
    by_accuracy: f64,
    /// By the weights that are printed.
    by_weight: f64,
    /// By each answer's own probability of being right.
    calibrated: f64,
    /// How far the share of the winner is from what comes true: as it is, and re-calibrated.
    raw: f64,
    recalibrated: f64,
    /// What all rows have taught.
    pub(crate) whole: VoteCalibration,
}

/// How what stands in a table is said where votes are taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form<'a> {
    /// What is voted on.
    pub(crate) on: &'a Voted,
    /// Of an output, its type.
    pub(crate) datatype: Option<Datatype>,
    /// How sure a member is, as it is asked there.
    pub(crate) confidence: Option<&'a Confidence>,
}

impl Form<'_> {
    /// Writes an answer in the form that equal answers share; none where it is no such answer.
    fn answer(self, cell: &str) -> Option<String> {
        let field = |name: &String| read(cell, &Read::Field(name.clone()));
        match self.on {
            Voted::Label(_) => match self.datatype {
                Some(Datatype::Bytes) | None => Some(cell.to_owned()),
                Some(Datatype::Bool) => match cell.to_lowercase().as_str() {
                    "true" | "1" => Some("true".to_owned()),
                    "false" | "0" => Some("false".to_owned()),
                    _ => None,
                },
                Some(_) => cell.parse::<i64>().ok().map(|it| it.to_string()),
            },
            // What a model said, or the value of the field alone.
            Voted::Field(name) => field(name).or_else(|| read(cell, &Read::Whole)),
            Voted::Fields(names, ..) => names.iter().map(field).collect::<Option<Vec<_>>>().map(|it| record(&it)),
            Voted::Choice(letters) => read(cell, &Read::Choice(letters.clone())),
            Voted::Number(..) | Voted::Text => None,
        }
    }
}

/// One member.
#[derive(Debug)]
struct Member {
    name: String,
    /// The share of its answers that is right.
    accuracy: f64,
    trust: f64,
    /// What its vote counts where all of its answers count the same.
    weight: f64,
}

/// Reads rows of a table: the truth, and of each member a column of answers and, after a colon, one of confidences. An empty cell is
/// no answer. With a form all is written as it is where votes are taken.
///
/// # Errors
/// A column is not there, a confidence is no number, or an answer is none that can be voted on.
pub(crate) fn rows(
    table: &Table,
    truth: &str,
    members: &[String],
    form: Option<Form<'_>>,
) -> anyhow::Result<Vec<Asked>> {
    let answer = |at: usize, cell: &str| {
        let written = form.map_or_else(|| Some(cell.to_owned()), |it| it.answer(cell));
        written.with_context(|| format!("line {}: `{cell}` is no answer that is voted on", table.line(at)))
    };
    let said = |(at, it): (usize, &str)| Ok(Asked { said: Vec::new(), truth: answer(at, it.trim())? });
    let mut rows: Vec<Asked> = table.column(truth)?.into_iter().enumerate().map(said).collect::<anyhow::Result<_>>()?;
    for member in members {
        let (label, confidence) = member.split_once(':').map_or((member.as_str(), None), |(a, b)| (a, Some(b)));
        let labels = table.column(label)?;
        let confidences = confidence.map(|it| table.column(it)).transpose()?;
        for (at, (row, label)) in rows.iter_mut().zip(labels).enumerate() {
            let cell = confidences.as_ref().zip(confidence);
            let confidence = cell.map(|(cells, name)| table.sure(at, name, cells[at])).transpose()?.flatten();
            let confidence =
                form.and_then(|it| it.confidence).zip(confidence).map_or(confidence, |(it, n)| Some(it.as_said(n)));
            let label = label.trim();
            row.said.push(match label.is_empty() {
                true => None,
                false => Some(Said { label: answer(at, label)?, confidence }),
            });
        }
    }
    Ok(rows)
}

/// Learns from rows.
///
/// # Errors
/// There are too few.
pub(crate) fn learn(rows: &[Asked], names: &[String]) -> anyhow::Result<Learnt> {
    ensure!(rows.len() >= 50, "{} rows are too few to learn from: 50 are enough for a confidence", rows.len());
    // All rows are of one time: nothing fades.
    let at = 0;
    let taught =
        |rows: &[Asked]| VoteCalibration::taught(Teacher::Labels, at, rows).ok().context("there is nobody who votes");
    let (mut equal, mut weighted, mut trusting, mut calibrated) = (0, 0, 0, 0);
    let (mut raw, mut again) = (Vec::new(), Vec::new());
    for fold in 0..FOLDS {
        let part = |apart: bool| {
            let of = rows.iter().enumerate().filter(move |(at, _)| (at % FOLDS == fold) == apart);
            of.map(|it| it.1.clone()).collect::<Vec<_>>()
        };
        let (teach, judge) = (part(false), part(true));
        let learnt = taught(&teach)?;
        let known: Vec<i64> = (0..names.len()).map(|it| weight(accuracy(&teach, it), learnt.classes())).collect();
        let trusted = weights(&learnt, &known);
        for row in &judge {
            let right = |tally: &Tally| tally.leader().is_some_and(|it| it.class == row.truth);
            equal += usize::from(right(&tally(row, |_, _| EQUAL)));
            weighted += usize::from(right(&tally(row, |member, _| known[member])));
            trusting += usize::from(right(&tally(row, |member, _| trusted[member])));
            let votes = tally(row, |member, said| learnt.weight(at, member, said));
            calibrated += usize::from(right(&votes));
            if let (Some(share), Some(reading)) = (votes.raw_share(learnt.classes()), learnt.confidence(at, &votes)) {
                raw.push((share, right(&votes)));
                again.push((reading.p, right(&votes)));
            }
        }
    }
    let learnt = taught(rows)?;
    let classes = learnt.classes();
    let known: Vec<i64> = (0..names.len()).map(|it| weight(accuracy(rows, it), classes)).collect();
    let weights = weights(&learnt, &known);
    let member = |(at, name): (usize, &String)| Member {
        name: name.clone(),
        accuracy: accuracy(rows, at),
        trust: learnt.state().members[at].1,
        weight: weights[at] as f64 / 1e6,
    };
    let share = |of: usize| of as f64 / rows.len() as f64;
    Ok(Learnt {
        classes,
        n: rows.len() as u64,
        members: names.iter().enumerate().map(member).collect(),
        majority: share(equal),
        by_accuracy: share(weighted),
        by_weight: share(trusting),
        calibrated: share(calibrated),
        raw: ece(&raw).unwrap_or(0.0),
        recalibrated: ece(&again).unwrap_or(0.0),
        whole: learnt,
    })
}

/// What the votes of members count where all answers of one count the same: the log-odds of their accuracy, with trust.
fn weights(learnt: &VoteCalibration, known: &[i64]) -> Vec<i64> {
    learnt.state().members.iter().zip(known).map(|((_, trust), weight)| trusted(*weight, *trust)).collect()
}

/// The share of a member's answers that is right.
fn accuracy(rows: &[Asked], member: usize) -> f64 {
    let said = || rows.iter().filter_map(|it| it.said[member].as_ref().map(|said| said.label == it.truth));
    said().filter(|it| *it).count() as f64 / said().count().max(1) as f64
}

fn tally(row: &Asked, weight: impl Fn(usize, &Said) -> i64) -> Tally {
    let ballot = |(voter, said): (usize, &Option<Said>)| {
        let said = said.as_ref()?;
        Some(Ballot { voter, weight: weight(voter, said), class: said.label.clone() })
    };
    Tally::of(&row.said.iter().enumerate().filter_map(ballot).collect::<Vec<_>>())
}

impl Learnt {
    /// Says whether the vote is as good as the best of its members, who cannot be known beforehand, within 0.3 points.
    pub(crate) fn is_better(&self) -> bool {
        let best = self.members.iter().map(|it| it.accuracy).fold(0.0, f64::max);
        self.by_weight >= best - 0.003
    }

    /// Says the same of a vote in which each answer has the weight that was learnt of it.
    pub(crate) fn is_calibrated_better(&self) -> bool {
        let best = self.members.iter().map(|it| it.accuracy).fold(0.0, f64::max);
        self.calibrated >= best - 0.003
    }

    /// Writes it as tables of Markdown.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "{} rows, {} classes; each row is judged by what it has not taught\n\n| who | right | trust | weight |\n|---|---:|---:|---:|\n",
            self.n, self.classes
        );
        for Member { name, accuracy, trust, weight } in &self.members {
            let _ = writeln!(text, "| {name} | {accuracy:.4} | {trust:.3} | {weight:.3} |");
        }
        for (rule, right) in [
            ("majority", self.majority),
            ("log-odds of accuracy", self.by_accuracy),
            ("these weights", self.by_weight),
            ("weights of each answer's own confidence", self.calibrated),
        ] {
            let _ = writeln!(text, "| *{rule}* | {right:.4} | | |");
        }
        let _ = write!(
            text,
            "\nOf the last, the share of the winner is off by {:.4} as it is, and by {:.4} re-calibrated.\n\n",
            self.raw, self.recalibrated
        );
        let weights: Vec<_> = self.members.iter().map(|it| format!("{:.3}", it.weight)).collect();
        let _ = writeln!(text, "vote: {{weights: [{}], classes: {}}}", weights.join(", "), self.classes);
        text
    }

    /// Writes the same for programs.
    pub(crate) fn json(&self) -> Value {
        let member =
            |it: &Member| json!({"name": it.name, "accuracy": it.accuracy, "trust": it.trust, "weight": it.weight});
        json!({
            "n": self.n, "classes": self.classes, "is_better": self.is_better(),
            "is_calibrated_better": self.is_calibrated_better(),
            "members": self.members.iter().map(member).collect::<Vec<_>>(), "majority": self.majority,
            "by_accuracy": self.by_accuracy, "by_weight": self.by_weight, "calibrated": self.calibrated, "ece_raw": self.raw,
            "ece": self.recalibrated,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ensemble_is_learnt_from_columns() {
        let mut text = "truth,a,a_conf,b\n".to_owned();
        for at in 0..200 {
            let truth = at % 2;
            let (a, b) = (if at % 10 == 0 { 1 - truth } else { truth }, if at % 3 == 0 { 1 - truth } else { truth });
            let b = if at % 7 == 0 { String::new() } else { b.to_string() };
            text += &format!("{truth},{a},0.{},{b}\n", at % 9);
        }
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        let table = Table::read(file.path()).expect("a table");
        let names = ["a:a_conf".to_owned(), "b".to_owned()];
        let rows = rows(&table, "truth", &names, None).expect("rows");
        assert!(rows[0].said[1].is_none() && rows[1].said[0].as_ref().is_some_and(|it| it.confidence == Some(0.1)));
        let learnt = learn(&rows, &names).expect("enough");
        assert_eq!((learnt.members[0].accuracy, learnt.members.len()), (0.9, 2));
        assert!(learnt.is_better() && learnt.calibrated >= 0.89, "{learnt:?}");
        assert!(learnt.members[0].weight > learnt.members[1].weight, "{learnt:?}");
        let last = format!(
            "vote: {{weights: [{:.3}, {:.3}], classes: 2}}\n",
            learnt.members[0].weight, learnt.members[1].weight
        );
        assert!(learnt.table().ends_with(&last), "{}", learnt.table());
        assert!(learn(&rows[..40], &names).is_err());
        assert!(self::rows(&table, "truth", &["c".to_owned()], None).is_err());
    }

    #[test]
    fn what_stands_in_a_table_is_written_as_members_say_it() {
        let label = Voted::Label("y".into());
        let fields = Voted::Fields(vec!["a".into(), "b".into()], 0.0, 0.0);
        for (on, datatype, cell, written) in [
            (&label, Some(Datatype::Bytes), "Yes ", Some("Yes ")),
            (&label, Some(Datatype::Int64), "007", Some("7")),
            (&label, Some(Datatype::Int64), "seven", None),
            (&label, Some(Datatype::Bool), "True", Some("true")),
            (&label, Some(Datatype::Bool), "2", None),
            (&Voted::Field("a".into()), None, "Spam", Some("spam")),
            (&Voted::Field("a".into()), None, r#"{"a": "Spam"}"#, Some("spam")),
            (&fields, None, r#"{"a": "X", "b": 1.50}"#, Some("x\n1.5")),
            (&fields, None, r#"{"a": "X"}"#, None),
            (&Voted::Choice("AB".into()), None, "(B).", Some("b")),
        ] {
            let form = Form { on, datatype, confidence: None };
            assert_eq!(form.answer(cell).as_deref(), written, "{cell} of {on:?}");
        }
    }
}
