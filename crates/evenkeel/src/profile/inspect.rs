//! Inspect: what speaks against a reference, said to whoever made it. It is made all the same.

use evenkeel_signals::{
    cells::{Kind, Label, Value},
    drift::LEAST_ROWS,
    reference::{Column, ColumnKind, Reference, Role},
    replay,
};
use serde_json::{Value as Json, json};

use super::build::rows;

/// Rows that a reference should have.
const RECOMMENDED: u64 = 5_000;
/// Days that it should span: a week has quiet days.
const DAYS: u64 = 7;
const DAY_NS: u64 = 86_400 * 1_000_000_000;
/// Rows from which on a column can be said to be an id, or to know the label.
const SUSPICIOUS: usize = 100;
/// Names under which labels are found.
const LABELS: [&str; 10] =
    ["label", "labels", "target", "truth", "ground_truth", "y", "y_true", "outcome", "is_fraud", "clf_target"];

/// One thing that speaks against a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Warning {
    pub(crate) code: &'static str,
    pub(crate) column: Option<String>,
    pub(crate) message: String,
}

impl Warning {
    pub(crate) fn json(&self) -> Json {
        json!({"code": self.code, "column": self.column, "message": self.message})
    }
}

/// Says everything that speaks against a reference.
pub(crate) fn inspect(reference: &Reference) -> Vec<Warning> {
    let mut all = Vec::new();
    all.extend(size(reference));
    all.extend(span(reference));
    for column in &reference.header().schema {
        all.extend(contents(reference, column));
        all.extend(named_label(reference, column));
    }
    all.extend(ids(reference));
    all.extend(telling(reference).into_iter().map(|it| it.0));
    let moved = replay::moved(reference).into_iter().map(|(name, odds)| Warning {
        code: "moves",
        message: format!("`{name}` moves inside the data: its later half is not like the earlier one (odds against chance {}): which of them was well?", said(odds)),
        column: Some(name),
    });
    all.extend(moved);
    all
}

/// Odds as people read them.
fn said(odds: f64) -> String {
    if odds < 1e9 { format!("{odds:.0} to 1") } else { "beyond 10^9 to 1".into() }
}

fn of_all(code: &'static str, message: String) -> Warning {
    Warning { code, column: None, message }
}

fn size(reference: &Reference) -> Option<Warning> {
    let all = reference.header().rows.all;
    let few = rows(all);
    if all < LEAST_ROWS {
        return Some(of_all(
            "few-rows",
            format!(
                "{few}: guards alone can judge by it; the row score and drift want {LEAST_ROWS}, and should have {RECOMMENDED}"
            ),
        ));
    }
    (all < RECOMMENDED).then(|| of_all("few-rows", format!("{few}: with {RECOMMENDED} drift would be noticed earlier")))
}

fn span(reference: &Reference) -> Option<Warning> {
    let sources = &reference.header().sources;
    let from = sources.iter().filter_map(|it| it.from_ns).min()?;
    let to = sources.iter().filter_map(|it| it.to_ns).max()?;
    let short = to.saturating_sub(from) < DAYS * DAY_NS;
    let days = (to - from) as f64 / DAY_NS as f64;
    short.then(|| {
        of_all("short-span", format!("its rows span {days:.1} days: below {DAYS} they do not know what a week is like"))
    })
}

/// What stands in a column, or does not.
fn contents(reference: &Reference, column: &Column) -> Option<Warning> {
    let (scalar, _) = scalar(reference, column)?;
    let cells = reference.buckets(scalar).first()?;
    let (all, missing) = (cells.rows(), cells.counts()[0]);
    let warning = |code, message: String| Some(Warning { code, column: Some(column.name.clone()), message });
    let name = &column.name;
    if missing == all {
        return warning("empty", format!("`{name}` has no value in any row: leave it out by --drop {name}"));
    }
    let invalid: u64 = reference.buckets(scalar).iter().filter_map(|it| it.counts().last()).sum();
    if invalid > 0 {
        let many = rows(invalid);
        return warning(
            "invalid",
            format!("`{name}` is NaN, infinite or of another kind in {many}: such rows have no row score"),
        );
    }
    let regular = &cells.counts()[1..cells.counts().len() - 1];
    if all > 1 && regular.contains(&all) && column.kind != ColumnKind::Text {
        let named = cells.counts()[1] == all && matches!(cells.label(1), Some(Label::Category(_)));
        let only = named || matches!(cells.kind(), Kind::Numbers(_));
        return only.then(|| Warning {
            code: "constant",
            column: Some(name.clone()),
            message: format!("`{name}` is the same in all rows: it says nothing until another value comes"),
        });
    }
    None
}

/// The first scalar of a column, with its name.
fn scalar(reference: &Reference, column: &Column) -> Option<(usize, String)> {
    let scalars = reference.scalars();
    let at = scalars.iter().position(|it| reference.header().schema[it.column].name == column.name)?;
    Some((at, scalars[at].name.clone()))
}

fn named_label(reference: &Reference, column: &Column) -> Option<Warning> {
    let labels = reference.header().schema.iter().any(|it| it.role == Role::Label);
    let suspicious =
        column.role == Role::Input && !labels && LABELS.contains(&column.name.to_ascii_lowercase().as_str());
    let name = &column.name;
    suspicious.then(|| Warning {
        code: "label",
        column: Some(name.clone()),
        message: format!(
            "`{name}` is an input, and called like a label: --label {name} keeps it apart, --drop {name} leaves it out"
        ),
    })
}

/// The values of a public column that is one scalar, in the order of rows.
fn values<'a>(reference: &Reference, sample: &'a [replay::Sampled<'a>], column: &Column) -> Option<Vec<Value<'a>>> {
    let scalars = reference.scalars();
    let public: Vec<_> = scalars.iter().filter(|it| !it.private).collect();
    let at = public.iter().position(|it| it.name == column.name)?;
    Some(sample.iter().map(|it| it.2[at]).collect())
}

fn ids(reference: &Reference) -> Vec<Warning> {
    let Some(sample) = reference.sample() else { return Vec::new() };
    let mut sample: Vec<_> = sample.collect();
    sample.sort_by_key(|it| it.0);
    let id = |column: &Column| {
        let values = values(reference, &sample, column)?;
        let name = column.name.to_ascii_lowercase();
        let called = ["id", "uuid", "guid", "key", "index"].contains(&name.as_str())
            || ["_id", "_uuid", "_key", "-id"].iter().any(|it| name.ends_with(it));
        let own = values.len() >= SUSPICIOUS && all_differ(&values);
        let number = |it: &Value<'_>| if let Value::Number(it) = it { Some(*it) } else { None };
        let numbers: Option<Vec<f64>> = values.iter().map(number).collect();
        let is = match numbers {
            Some(numbers) => {
                let whole = numbers.iter().all(|it| it.fract() == 0.0);
                whole && (called || numbers.windows(2).all(|it| it[0] < it[1]))
            }
            None => values.iter().all(|it| matches!(it, Value::Category(_))),
        };
        let name = &column.name;
        (own && is).then(|| Warning {
            code: "id",
            column: Some(name.clone()),
            message: format!(
                "`{name}` has another value in each row, as ids have: every new one is unlike all before; --drop {name}"
            ),
        })
    };
    let inputs = reference.header().schema.iter().filter(|it| it.role == Role::Input && !it.private);
    inputs.filter_map(id).collect()
}

/// Sorts values; equal ones stand together.
fn order(a: &Value<'_>, b: &Value<'_>) -> std::cmp::Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.total_cmp(b),
        (Value::Category(a), Value::Category(b)) => a.cmp(b),
        _ => rank(a).cmp(&rank(b)),
    }
}

fn rank(value: &Value<'_>) -> u8 {
    match value {
        Value::Missing => 0,
        Value::Number(_) => 1,
        Value::Category(_) => 2,
        Value::Invalid => 3,
    }
}

fn all_differ(values: &[Value<'_>]) -> bool {
    let mut sorted = values.to_vec();
    sorted.sort_by(order);
    sorted.windows(2).all(|it| order(&it[0], &it[1]).is_ne())
}

/// Returns inputs that say what a label says: each with whether it is a copy of it.
pub(crate) fn telling(reference: &Reference) -> Vec<(Warning, bool)> {
    let Some(sample) = reference.sample() else { return Vec::new() };
    let sample: Vec<_> = sample.collect();
    let schema = &reference.header().schema;
    let columns = |role| schema.iter().filter(move |it: &&Column| it.role == role && !it.private);
    let mut all = Vec::new();
    for label in columns(Role::Label) {
        let Some(truth) = values(reference, &sample, label) else { continue };
        for input in columns(Role::Input) {
            let Some(given) = values(reference, &sample, input) else { continue };
            let copy = truth.iter().zip(&given).all(|(a, b)| order(a, b).is_eq());
            if truth.len() >= SUSPICIOUS && (copy || tells(&given, &truth)) {
                let (name, label) = (&input.name, &label.name);
                let what = if copy { "is a copy of" } else { "says in each row what stands in" };
                let message = format!(
                    "`{name}` {what} the label `{label}`: a model that is given it has nothing to find; --drop {name}"
                );
                all.push((Warning { code: "tells-label", column: Some(name.clone()), message }, copy));
            }
        }
    }
    all
}

/// Says whether the label follows from the value: by a threshold for each label, or by name.
fn tells(given: &[Value<'_>], truth: &[Value<'_>]) -> bool {
    let mut pairs: Vec<_> = given.iter().zip(truth).collect();
    pairs.sort_by(|a, b| order(a.0, b.0).then_with(|| order(a.1, b.1)));
    let mut labels = truth.to_vec();
    labels.sort_by(order);
    labels.dedup_by(|a, b| order(a, b).is_eq());
    let mut names = given.to_vec();
    names.sort_by(order);
    names.dedup_by(|a, b| order(a, b).is_eq());
    let changes = pairs.windows(2).filter(|it| order(it[0].1, it[1].1).is_ne()).count();
    // A value that stands beside two labels tells nothing.
    let torn = pairs.windows(2).any(|it| order(it[0].0, it[1].0).is_eq() && order(it[0].1, it[1].1).is_ne());
    let few = names.len() * 10 <= given.len();
    // Of a label that is a number of its own in each row nothing but a copy can be told.
    let classes = labels.len() > 1 && labels.len() * 10 <= truth.len();
    classes && !torn && (changes + 1 == labels.len() || few)
}
