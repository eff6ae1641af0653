//! Plan: which streams of a route are watched, and where their values stand in a row.
//!
//! # Invariants
//! - `WATCH-1`: a stream has a reference of at least 1,000 rows in each of its buckets; what has fewer is named, and not watched.
//! - `WATCH-2`: an output counts in the rows that the first tier has answered with it: that it gives another one is no drift.

use std::sync::Arc;

use evenkeel_config::DriftWatch;
use evenkeel_signals::{
    cells::{Cells, Value},
    drift::{Evidence, Group, LEAST_ROWS, Panel, Refused, Settings, Watched, weights},
    reference::{ColumnKind, Reference, Role, Scalar},
};

use super::row::{Held, Row};

/// The name of the stream of row scores.
pub(crate) const ROW_SCORE: &str = "row_score";

/// Where the value of a stream comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// The scalar of this place among those of a live row.
    Scalar(usize),
    RowScore,
    /// The output of this place.
    Output(usize),
}

/// An output of the first tier that is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) name: String,
    /// It is a label; a number otherwise.
    pub(crate) names: bool,
}

/// What is watched of a route.
#[derive(Debug)]
pub(crate) struct Plan {
    from: Vec<From>,
    pub(crate) outputs: Vec<Output>,
    /// What is not watched for want of rows: its name, and how many it has.
    pub(crate) too_few: Vec<(String, u64)>,
}

/// A stream that may be watched.
struct Candidate {
    name: String,
    group: Group,
    from: From,
    cells: Vec<Arc<Cells>>,
}

/// What a route watches, and of whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Of<'a> {
    pub(crate) reference: &'a Reference,
    pub(crate) watch: DriftWatch,
    /// The name of the first tier.
    pub(crate) primary: &'a str,
    /// Its answers are tensors, with outputs.
    pub(crate) tensors: bool,
}

impl Plan {
    /// Makes a plan, and the panel that goes with it.
    ///
    /// # Errors
    /// There is nothing to watch.
    pub(crate) fn new(of: Of<'_>, settings: Settings) -> Result<(Self, Panel), Refused> {
        let buckets = of.reference.seasons().map_or(1, |it| it.buckets());
        let (mut candidates, outputs) = (Vec::new(), outputs(of));
        if of.watch.inputs {
            candidates.extend(inputs(of.reference));
        }
        if let Some(cells) = of.reference.score_cells().filter(|_| of.watch.row_score) {
            let cells = vec![Arc::new(cells.clone())];
            candidates.push(Candidate { name: ROW_SCORE.into(), group: Group::RowScore, from: From::RowScore, cells });
        }
        candidates.extend(outputs.iter().enumerate().map(|(at, (scalar, output))| Candidate {
            name: format!("output:{}.{}", of.primary, output.name),
            group: Group::Output,
            from: From::Output(at),
            cells: cells(of.reference, *scalar),
        }));
        let rows = |it: &Candidate| it.cells.iter().map(|it| it.rows()).min().unwrap_or(0);
        let (enough, few): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|it| rows(it) >= LEAST_ROWS);
        let too_few = few.into_iter().map(|it| (it.name.clone(), rows(&it))).collect();
        let groups: Vec<Group> = enough.iter().map(|it| it.group).collect();
        let from = enough.iter().map(|it| it.from).collect();
        let watched = enough.into_iter().zip(weights(&groups)).map(|(it, weight)| Watched {
            name: it.name,
            weight,
            // What has one distribution for all times has it at each of them.
            cells: if it.cells.len() == buckets { it.cells } else { vec![it.cells[0].clone(); buckets] },
        });
        let panel = Panel::new(settings, watched.collect())?;
        let outputs = outputs.into_iter().map(|(_, output)| output).collect();
        Ok((Self { from, outputs, too_few }, panel))
    }

    /// Lets a panel look at a row.
    pub(crate) fn show(&self, row: &Row, panel: &mut Panel) -> Option<Evidence> {
        let outputs = row.outputs.as_ref();
        let value = |from: &From| match from {
            From::Scalar(at) => Some(row.inputs.get(*at).map_or(Value::Missing, Held::value)),
            // A row without a score has no part in this, as in the reference: what is invalid shows in its own stream.
            From::RowScore => row.score.map(Value::Number),
            From::Output(at) => outputs.and_then(|it| it.get(*at)?.as_ref()).map(Held::value),
        };
        let shown: Vec<Option<Value<'_>>> = self.from.iter().map(value).collect();
        panel.update(row.at, row.entropy, &shown)
    }
}

/// The scalars of the inputs, in the order in which live rows have them: a private name has none, its key is not known.
fn inputs(reference: &Reference) -> Vec<Candidate> {
    let (scalars, schema) = (reference.scalars(), &reference.header().schema);
    let live = |it: &(usize, &Scalar)| {
        let of = &schema[it.1.column];
        of.role == Role::Input && !(of.private && of.kind == ColumnKind::Category)
    };
    let candidate = |(at, (scalar, of)): (usize, (usize, &Scalar))| Candidate {
        name: format!("feature:{}", of.name),
        group: Group::Other,
        from: From::Scalar(at),
        cells: cells(reference, scalar),
    };
    // What a merge has dropped the cells of is not there to be compared with.
    scalars.iter().enumerate().filter(live).enumerate().map(candidate).filter(|it| !it.cells.is_empty()).collect()
}

/// The outputs that the first tier gives, each with its scalar.
fn outputs(of: Of<'_>) -> Vec<(usize, Output)> {
    let scalars = of.reference.scalars();
    let schema = &of.reference.header().schema;
    let output = |(scalar, it): (usize, &Scalar)| {
        let column = &schema[it.column];
        let plain = matches!(column.kind, ColumnKind::Number | ColumnKind::Category) && !column.private;
        let watched = of.watch.outputs && plain && column.role == Role::Output && of.tensors;
        let names = column.kind == ColumnKind::Category;
        (watched && !cells(of.reference, scalar).is_empty())
            .then(|| (scalar, Output { name: column.name.clone(), names }))
    };
    scalars.iter().enumerate().filter_map(output).collect()
}

fn cells(reference: &Reference, scalar: usize) -> Vec<Arc<Cells>> {
    reference.buckets(scalar).iter().map(|it| Arc::new(it.clone())).collect()
}
