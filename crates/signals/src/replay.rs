//! Replay: the drift detector over the rows of a reference themselves, and what of them moves.
//!
//! A reference promises a mean time between false alarms for rows that are like it and do not hang together. Its own rows say how far
//! that holds: seasons that were not asked for, or rows that follow one another, show as alarms in the very time that is held to be well.
//!
//! # When it misleads
//! The rows are those of the sample, in the order of their times; of more rows than it holds, the alarms are fewer than all of them
//! would bring. They have made the cells that judge them. No alarm in a time that is short beside the wanted one says little.

use std::sync::Arc;

use crate::{
    cells::{Cells, Value},
    drift::{self, Delay, Group, Hold, LEAST_ROWS, Panel, Settings, Stream, Watched},
    eproc::{Every, Form},
    reference::{ColumnKind, Reference, Role, Scalar},
    row::{self, RowId},
};

/// Salt of the lots that break ties.
const LOTS: u64 = 0x52_45_50_4c;
/// How seldom a column of rows that did not move is said to have moved.
const MOVED: f64 = 0.01;
/// The wanted interval in rows, where rows have no times.
pub const ROWS: u64 = 10_000;

/// One row of a sample, with a value for each public scalar.
pub type Sampled<'a> = (RowId, Option<u64>, Vec<Value<'a>>);

/// What is replayed, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The wanted mean time between false alarms, ns; where rows have no times, [`ROWS`] rows.
    pub every_ns: u64,
    /// Something acts on an alarm by itself.
    pub enforced: bool,
    /// What a model is given.
    pub inputs: bool,
    /// How far a row is from the reference.
    pub row_score: bool,
    /// What came out.
    pub outputs: bool,
}

impl Asked {
    /// Asks of everything that nobody acts on.
    pub fn all(every_ns: u64) -> Self {
        Self { every_ns, enforced: false, inputs: true, row_score: true, outputs: true }
    }
}

/// What a replay found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The wanted mean time between false alarms.
    pub every: Every,
    /// Rows that were gone over.
    pub rows: u64,
    /// The time from the first row to the last, ns; none where rows have no times.
    pub span_ns: Option<u64>,
    /// Alarms, each also right after another.
    pub alarms: u64,
    /// Who carried alarms, the most frequent first, with how often.
    pub culprits: Vec<(String, u64)>,
    /// The wanted interval in rows, where as many come in a time as came in the reference.
    pub every_rows: u64,
}

impl Replayed {
    /// Returns the time from one alarm to the next, ns, where that is shorter than the wanted one; none where rows have no times.
    pub fn too_soon(&self) -> Option<u64> {
        let Every::Nanos(wanted) = self.every else { return None };
        self.span_ns?.checked_div(self.alarms).filter(|it| *it < wanted)
    }
}

/// Watches the scalars of a reference whose values are at hand, the row score with them.
#[derive(Debug)]
pub struct Watch {
    /// The detector.
    pub panel: Panel,
    /// The places of the watched scalars among all.
    pub scalars: Vec<usize>,
    /// Whether the row score is the last of them.
    pub scored: bool,
}

impl Watch {
    /// Watches all scalars that are asked for and have enough rows, public ones alone if asked; none where there are none.
    pub fn of(reference: &Reference, (asked, every): (Asked, Every), public: bool, hold: Hold) -> Option<Self> {
        let all = reference.scalars();
        let enough = |it: &usize| {
            let wanted = match reference.header().schema[all[*it].column].role {
                Role::Input => asked.inputs,
                Role::Output | Role::Confidence => asked.outputs,
                // What is true comes later, or never: nobody watches it.
                Role::Label => false,
                // What it means has a distance of its own; while nobody says it, it is no gap that would be news.
                Role::Meaning => false,
            };
            let buckets = reference.buckets(*it);
            wanted && !buckets.is_empty() && buckets.iter().all(|it| it.rows() >= LEAST_ROWS)
        };
        let buckets = reference.seasons().map_or(1, |it| it.buckets());
        let scalars: Vec<usize> = (0..all.len()).filter(enough).filter(|it| !(public && all[*it].private)).collect();
        let scores = reference.score_cells().filter(|it| asked.row_score && it.rows() >= LEAST_ROWS);
        let mut groups: Vec<Group> = scalars.iter().map(|it| group(reference, &all[*it])).collect();
        groups.extend(scores.map(|_| Group::RowScore));
        let many = |it: &[Cells]| (0..buckets).map(|at| Arc::new(it[at.min(it.len() - 1)].clone())).collect();
        let mut named: Vec<(String, Vec<Arc<Cells>>)> =
            scalars.iter().map(|it| (all[*it].name.clone(), many(reference.buckets(*it)))).collect();
        named.extend(scores.map(|it| ("row score".into(), many(std::slice::from_ref(it)))));
        let weights = drift::weights(&groups);
        let watched = named.into_iter().zip(weights).map(|((name, cells), weight)| Watched { name, weight, cells });
        let settings = Settings { every, enforced: asked.enforced, hold, seasons: reference.seasons().cloned() };
        let panel = Panel::new(settings, watched.collect()).ok()?;
        Some(Self { panel, scalars, scored: scores.is_some() })
    }
}

fn group(reference: &Reference, scalar: &Scalar) -> Group {
    let column = &reference.header().schema[scalar.column];
    match column.role {
        Role::Output if column.kind == ColumnKind::Text => Group::Other,
        Role::Output | Role::Confidence => Group::Output,
        Role::Input | Role::Label | Role::Meaning => Group::Other,
    }
}

/// Returns the 64 bits that break the ties of a row.
pub fn lot(id: RowId) -> u64 {
    id.drawn(LOTS)
}

/// The rows of a sample in the order in which they came: by time, where all have one, else by source and number.
fn in_order<'a>(reference: &'a Reference) -> Option<Vec<Sampled<'a>>> {
    let mut rows: Vec<Sampled<'a>> = reference.sample()?.collect();
    let timed = rows.iter().all(|it| it.1.is_some());
    rows.sort_by_key(|it| (it.1.filter(|_| timed), it.0));
    Some(rows)
}

/// Replays the rows of a reference; none where it has no sample, or too few rows.
pub fn replay(reference: &Reference, asked: Asked) -> Option<Replayed> {
    let rows = in_order(reference)?;
    let timed = rows.iter().all(|it| it.1.is_some());
    let every = if timed { Every::Nanos(asked.every_ns) } else { Every::Rows(ROWS) };
    // Each alarm counts, also right after another.
    let mut watch = Watch::of(reference, (asked, every), true, Hold { nanos: 0, rows: 0 })?;
    let places = public(reference, &watch.scalars);
    let score = reference.row_score().ok().filter(|_| watch.scored);
    let features = features(reference);
    let (mut alarms, mut culprits) = (0, std::collections::BTreeMap::<String, u64>::new());
    for (at, (id, time, values)) in rows.iter().enumerate() {
        let mut row: Vec<Option<Value<'_>>> = places.iter().map(|it| Some(values[*it])).collect();
        if let Some(score) = &score {
            let inputs: Vec<_> = features.iter().map(|it| row_value(values[*it])).collect();
            row.push(score.score(&inputs).ok().map(|it| Value::Number(f64::from(it.s))));
        }
        let at = time.unwrap_or(at as u64);
        if let Some(evidence) = watch.panel.update(at, lot(*id), &row) {
            alarms += 1;
            evidence.culprits.first().into_iter().for_each(|it| *culprits.entry(it.name.clone()).or_default() += 1);
        }
    }
    let mut culprits: Vec<_> = culprits.into_iter().collect();
    culprits.sort_by_key(|it| std::cmp::Reverse(it.1));
    let span = |it: &[Sampled<'_>]| Some(it.last()?.1?.saturating_sub(it.first()?.1?));
    let span_ns = timed.then(|| span(&rows)).flatten();
    let every_rows = span_ns.map_or(ROWS, |it| per(asked.every_ns, reference.header().rows.all, it));
    Some(Replayed { every, rows: rows.len() as u64, span_ns, alarms, culprits, every_rows })
}

/// How many rows come in a time, if so many came in so long.
fn per(time: u64, rows: u64, span: u64) -> u64 {
    u64::try_from(u128::from(time) * u128::from(rows) / u128::from(span.max(1))).unwrap_or(u64::MAX).max(1)
}

/// Returns how long shifts go unnoticed of the watched scalar that weighs least, where it alone moves, at so many rows from one false
/// alarm to the next; none where nothing is watched.
///
/// # Cost
/// As [`drift::delay`].
pub fn delay(reference: &Reference, asked: Asked, every_rows: u64) -> Option<Delay> {
    let every = Every::Rows(every_rows);
    let watch = Watch::of(reference, (asked, every), true, Hold { nanos: 0, rows: 0 })?;
    Some(watch.panel.delay(every_rows))
}

/// The places of scalars among the values of a sampled row, which has the public ones alone.
fn public(reference: &Reference, scalars: &[usize]) -> Vec<usize> {
    let all = reference.scalars();
    let before = |it: &usize| all[..*it].iter().filter(|it| !it.private).count();
    scalars.iter().map(before).collect()
}

/// The places of the row score's features among the values of a sampled row.
fn features(reference: &Reference) -> Vec<usize> {
    let all = reference.scalars();
    let inputs = all.iter().filter(|it| !it.private).enumerate();
    inputs.filter(|it| reference.header().schema[it.1.column].role == Role::Input).map(|it| it.0).collect()
}

/// The same value as a row has it.
pub fn row_value(value: Value<'_>) -> row::Value<'_> {
    use row::Value as Row;
    match value {
        Value::Missing => Row::Missing,
        Value::Invalid => Row::Invalid,
        Value::Number(it) => Row::Number(it),
        Value::Category(it) => Row::Category(it),
    }
}

/// Returns the public scalars whose later half is not like the earlier one, with the odds against chance.
///
/// The halves are those of time, or of the order of the rows where they have none; the later one is gone through in the order of the
/// draw, so that a day's course does not count. Nothing is said of fewer than 2,000 rows.
///
/// # Guarantee
/// Of a reference in which nothing moves, some column is named with a probability of a hundredth at most (Ville).
pub fn moved(reference: &Reference) -> Vec<(String, f64)> {
    let Some(rows) = in_order(reference) else { return Vec::new() };
    let half = rows.len() / 2;
    if (half as u64) < LEAST_ROWS {
        return Vec::new();
    }
    let names: Vec<Scalar> = reference.scalars().into_iter().filter(|it| !it.private).collect();
    let (earlier, later) = rows.split_at(half);
    let mut later: Vec<&Sampled<'_>> = later.iter().collect();
    later.sort_by_key(|it| lot(it.0));
    let odds = |at: usize, scalar: &Scalar| {
        let values = || earlier.iter().map(|it| it.2[at]);
        let cells = if scalar.names { Cells::categories(values()) } else { Cells::numbers(values()) };
        let mut stream = Stream::new(Form::Plain);
        let mut most = 0.0_f64;
        for row in &later {
            let lot = drift::share(lot(row.0), at);
            stream.update(0, drift::place(&cells, cells.cell(row.2[at]), lot), cells.rows());
            most = most.max(stream.wealth().number());
        }
        most
    };
    let enough = names.len() as f64 / MOVED;
    let each = names.iter().enumerate().map(|(at, it)| (it.name.clone(), odds(at, it)));
    each.filter(|it| it.1 >= enough).collect()
}
