//! Plan: which streams of a route are watched, and where their values stand in a row.
//!
//! # Invariants
//! - `WATCH-1`: a stream has a reference of at least 1,000 rows in each of its buckets; what has fewer is named, and not watched.
//! - `WATCH-2`: an output counts in the rows that the first tier has answered with it, accepted or not: that it gives another one is
//!   no drift, and neither is that those below answer more.

use std::sync::Arc;

use evenkeel_config::{Answered, Answers, DriftWatch};
use evenkeel_signals::{
    cells::{Cells, Value},
    drift::{Evidence, Group, LEAST_ROWS, Panel, Refused, Settings, Watched, weights},
    reference::{ColumnKind, Reference, Role, Scalar},
    text::{self, TextModel},
};

use super::{
    answer::{Given, Output, outputs},
    row::{Held, Row},
};

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
    /// The number of this place among those of the text that was answered.
    Text(usize),
}

/// What is watched of a route.
#[derive(Debug)]
pub(crate) struct Plan {
    from: Vec<From>,
    /// What turns the text of an answer into numbers; none where no text is watched.
    pub(crate) text: Option<Box<TextModel>>,
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
    /// What its answers are.
    pub(crate) answers: Answers,
}

impl Plan {
    /// Makes a plan, and the panel that goes with it.
    ///
    /// # Errors
    /// There is nothing to watch.
    pub(crate) fn new(of: Of<'_>, settings: Settings) -> Result<(Self, Panel), Refused> {
        let buckets = of.reference.seasons().map_or(1, |it| it.buckets());
        let given = if of.watch.outputs { outputs(of.reference, of.answers) } else { Vec::new() };
        let candidates = candidates(of, &given);
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
        let text = given.iter().find(|it| it.output.is == Answered::Text);
        let text = text.and_then(|it| of.reference.text_model(&it.column.0)).map(Box::new);
        let outputs = given.into_iter().map(|it| it.output).collect();
        Ok((Self { from, text, outputs, too_few }, panel))
    }

    /// Lets a panel look at a row.
    pub(crate) fn show(&self, row: &Row, panel: &mut Panel) -> Option<Evidence> {
        let text = row.text.as_ref().zip(self.text.as_ref());
        let text = text.map(|(text, model)| text.as_deref().map(|it| text::numbers(it, model)));
        panel.look(row.at, row.entropy, |stream| match self.from.get(stream)? {
            From::Scalar(at) => Some(row.inputs.value(*at)),
            // A row without a score has no part in this, as in the reference: what is invalid shows in its own stream.
            From::RowScore => row.score.map(Value::Number),
            From::Output(at) => row.outputs.get(*at)?.as_ref().map(Held::value),
            From::Text(at) => text.map(|it| it.map_or(Value::Missing, |it| Value::Number(it[*at]))),
        })
    }

    /// Says whether a stream is one of outputs.
    pub(crate) fn is_output(&self, stream: usize) -> bool {
        matches!(self.from.get(stream), Some(From::Output(_) | From::Text(_)))
    }
}

/// Everything that may be watched, in order.
fn candidates(of: Of<'_>, given: &[Given]) -> Vec<Candidate> {
    let mut candidates = if of.watch.inputs { inputs(of.reference) } else { Vec::new() };
    if let Some(cells) = of.reference.score_cells().filter(|_| of.watch.row_score) {
        let cells = vec![Arc::new(cells.clone())];
        candidates.push(Candidate { name: ROW_SCORE.into(), group: Group::RowScore, from: From::RowScore, cells });
    }
    candidates.extend(given.iter().enumerate().map(|(at, it)| {
        let name = match it.output.is {
            Answered::Confidence => format!("confidence:{}", of.primary),
            _ => format!("output:{}.{}", of.primary, it.output.name),
        };
        let (group, from) = match it.output.is {
            Answered::Text => (Group::Other, From::Text(it.column.1)),
            Answered::Tensor | Answered::Confidence => (Group::Output, From::Output(at)),
            Answered::Tokens | Answered::Finish | Answered::Refusal => (Group::Other, From::Output(at)),
        };
        Candidate { name, group, from, cells: cells(of.reference, it.scalar) }
    }));
    candidates
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

fn cells(reference: &Reference, scalar: usize) -> Vec<Arc<Cells>> {
    reference.buckets(scalar).iter().map(|it| Arc::new(it.clone())).collect()
}
