//! Judge: looks at each row of a model's answer, or at its text, and says of which the model is not sure enough (OIP-35).
//!
//! It measures: how many such rows move an answer is the core's to say. It stands behind the path, so it sees what the route
//! promises, whoever answered, and whatever the client asked for: an output that it needs is asked for as well, and left out
//! again.
//!
//! # Invariants
//! - `JUDGE-1`: what a client gets has the outputs, and the log-probabilities, that it asked for and no others, judged or not.
//!
//! # Source
//! `docs/design/protocols.md`, section 3.2; OIP-34.

use std::{borrow::Cow, cmp::Ordering, sync::Arc};

use evenkeel_config::{Accept, Confidence, Looked, Row, Scalar, Take, Taken, Worth};
use evenkeel_core::Permille;

use crate::{
    ask::{Ask, Inference, Question},
    path::{Attempting, Ended, Left, Path},
    sure::{Kind, Sure, time},
    tensor::{Datatype, Extra, Infer, InferAnswer, Parameters, Tensor, Wanted},
    upstream::Call,
    vote::read::labels,
};

pub(crate) mod text;

/// Rows that are looked at before others get their turn.
const TURN: usize = 64;

/// What a client asks of an answer, besides what its tier does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// How likely it must be right, in thousandths; none where that is not asked.
    pub(crate) min_confidence: Option<u16>,
}

/// How sure a model was of its answer, as it was compared.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Judged {
    /// Rows that are not accepted; of a text at most one.
    pub(crate) low: u64,
    /// How sure it was in the row in which it was least; none where that cannot be computed of some row, or there are none.
    pub(crate) least: Option<f64>,
    /// How sure it was of each row; none where that cannot be computed.
    pub(crate) said: Arc<[Option<f64>]>,
    /// What was asked for.
    pub(crate) at_least: f64,
    /// How likely each row is right, in thousandths; none where that was not learnt, or is not known of all.
    pub(crate) rows: Option<Arc<[u16]>>,
    /// By what that is known.
    pub(crate) by: Option<Arc<Worth>>,
}

impl Judged {
    /// Sums up what was seen.
    fn of(looked: &[Looked], accept: &Accept, asked: Asked) -> Self {
        let low = looked.iter().filter(|it| !asked.accepts(it)).count() as u64;
        let least = looked.iter().map(|it| it.said).reduce(|a, b| Some(a?.min(b?))).flatten();
        let rows = looked.iter().map(|it| it.right).collect::<Option<Vec<_>>>().filter(|it| !it.is_empty());
        let said = looked.iter().map(|it| it.said).collect();
        Self { low, least, said, at_least: accept.at_least, rows: rows.map(Arc::from), by: accept.worth.clone() }
    }

    /// Returns how sure it was in thousandths, as answers are told apart by that; 0 where that is not known.
    pub(crate) fn sureness(&self) -> Permille {
        let right = self.rows.as_ref().and_then(|it| it.iter().min().copied());
        let said = || self.least.map_or(0, |it| (it.clamp(0.0, 1.0) * 1e3) as u16);
        Permille::new(right.unwrap_or_else(said))
    }

    /// Returns what was compared with what is asked for, of the row in which that is least: how likely it is right where that was
    /// learnt, else how sure it was; none where that is not known.
    pub(crate) fn compared(&self) -> Option<f64> {
        match &self.by {
            Some(_) => self.rows.as_ref()?.iter().min().map(|it| f64::from(*it) / 1e3),
            None => self.least.filter(|it| it.is_finite()),
        }
    }

    /// Returns what a client is told of how likely it is right; none where that is nothing.
    pub(crate) fn sure(&self) -> Option<Sure> {
        let learnt = &self.by.as_ref()?.learnt;
        Some(Sure { kind: Kind::Calibrated, rows: self.rows.clone()?, n: learnt.n, as_of: time(learnt.as_of) })
    }
}

impl Asked {
    fn accepts(self, it: &Looked) -> bool {
        it.accepted && self.min_confidence.is_none_or(|least| it.right.is_some_and(|right| right >= least))
    }
}

/// Makes an attempt, and has its answer looked at.
pub(crate) fn attempt(
    path: Arc<dyn Path>,
    ask: &Arc<Ask>,
    call: Call,
    (accept, by_client): (Accept, Asked),
) -> Attempting {
    let wanted = match &ask.question {
        Question::Infer(Inference { infer, .. }) => infer.outputs.clone(),
        Question::Chat(_) | Question::Embeddings(_) => Vec::new(),
    };
    let label = accept.label.as_deref();
    let asked = with_outputs(ask, accept.confidence.taken().iter().map(|it| it.output.as_str()).chain(label));
    Box::pin(async move {
        let ended = path.attempt(asked, call, None).await;
        let left = looked_at(ended.left, (&accept, by_client), |answer| reduced(answer, &wanted)).await;
        Ended { left, ..ended }
    })
}

/// Makes an attempt of one who votes: its answer has the output that is voted on, and whatever else was looked at.
pub(crate) fn voter(
    path: Arc<dyn Path>,
    ask: &Arc<Ask>,
    call: Call,
    (accept, voted, confidence): (Option<Accept>, &str, Option<&Confidence>),
) -> Attempting {
    let sure = accept.iter().map(|it| &it.confidence).chain(confidence);
    let taken = sure.flat_map(Confidence::taken).map(|it| it.output.as_str());
    let asked = with_outputs(ask, taken.chain([voted]));
    Box::pin(async move {
        let ended = path.attempt(asked, call, None).await;
        let Some(accept) = accept else { return ended };
        Ended { left: looked_at(ended.left, (&accept, Asked::default()), |answer| answer).await, ..ended }
    })
}

/// Looks at an answer among what an attempt has left, and gives what is to be given of it; what was noted beside it stays.
async fn looked_at(
    left: Left,
    (accept, asked): (&Accept, Asked),
    give: impl FnOnce(InferAnswer) -> InferAnswer,
) -> Left {
    let (mut notes, left) = left.notes();
    let left = match left {
        Left::Infer(answer) => {
            let looked = looked(&answer, accept).await;
            let low = (0..).zip(&looked).filter(|(_, it)| !asked.accepts(it)).map(|(row, _)| row).collect();
            notes.judged = Some(Judged::of(&looked, accept, asked));
            Left::Judged(give(answer), low)
        }
        left => left,
    };
    left.noted(notes)
}

/// Returns a request in which these outputs are asked for, too.
fn with_outputs<'n>(ask: &Arc<Ask>, names: impl Iterator<Item = &'n str>) -> Arc<Ask> {
    let Question::Infer(Inference { infer, .. }) = &ask.question else { return ask.clone() };
    let mut outputs = Cow::Borrowed(&infer.outputs);
    for output in names {
        // Where none is named, all are wanted.
        if !outputs.is_empty() && !outputs.iter().any(|it| it.name == *output) {
            outputs.to_mut().push(bare(output));
        }
    }
    match outputs {
        Cow::Borrowed(_) => ask.clone(),
        Cow::Owned(outputs) => ask.asking(Infer { outputs, ..infer.clone() }).map_or_else(|| ask.clone(), Arc::new),
    }
}

fn bare(name: &str) -> Wanted {
    // As bytes, in which everything has a form: no client reads it.
    Wanted { name: name.into(), binary: Some(true), classes: None, parameters: Parameters::new(), extra: Extra::new() }
}

/// Leaves out what only we had asked for.
pub(crate) fn reduced(mut answer: InferAnswer, wanted: &[Wanted]) -> InferAnswer {
    answer.outputs.retain(|it| wanted.is_empty() || wanted.iter().any(|wanted| wanted.name == it.tensor.name()));
    answer
}

/// Looks at each row of an answer.
async fn looked(answer: &InferAnswer, accept: &Accept) -> Vec<Looked> {
    let columns: Vec<Column<'_>> = accept.confidence.taken().iter().map(|it| Column::of(answer, it)).collect();
    // An output that counts other rows than the others leaves rows without a value, and those are not accepted.
    let rows = columns.iter().map(Column::rows).max().unwrap_or(0);
    let labels = accept.label.as_ref().and_then(|it| answer.output(it)).map(labels);
    let mut looked = Vec::with_capacity(rows);
    for row in 0..rows {
        if row > 0 && row % TURN == 0 {
            tokio::task::yield_now().await;
        }
        let label = labels.as_ref().and_then(|it| it.get(row)).map(String::as_str);
        looked.push(accept.look_at(&At { columns: &columns, row }, label));
    }
    looked
}

/// Returns how sure a model is of each row; none where that cannot be computed.
pub(crate) fn sureness(answer: &InferAnswer, confidence: &Confidence) -> Vec<Option<f64>> {
    let columns: Vec<Column<'_>> = confidence.taken().iter().map(|it| Column::of(answer, it)).collect();
    let rows = columns.iter().map(Column::rows).max().unwrap_or(0);
    (0..rows).map(|row| confidence.of(&At { columns: &columns, row }).filter(|it| it.is_finite())).collect()
}

/// Reads something of each of the first rows of an answer, of what is taken of its outputs.
pub(crate) fn rows<T>(answer: &InferAnswer, taken: &[Taken], most: usize, read: impl Fn(&dyn Row) -> T) -> Vec<T> {
    let columns: Vec<Column<'_>> = taken.iter().map(|it| Column::of(answer, it)).collect();
    let rows = columns.iter().map(Column::rows).max().unwrap_or(0);
    (0..rows.min(most)).map(|row| read(&At { columns: &columns, row })).collect()
}

/// What is taken of each row of an output.
enum Column<'a> {
    Whole(Vec<Option<i64>>),
    Numbers(Vec<f64>),
    Flags(Vec<bool>),
    Texts(Vec<&'a [u8]>),
}

impl<'a> Column<'a> {
    fn of(answer: &'a InferAnswer, taken: &Taken) -> Self {
        let Some(tensor) = answer.output(&taken.output) else { return Self::Numbers(Vec::new()) };
        let width = tensor.shape().iter().skip(1).product::<u64>().max(1) as usize;
        match tensor.datatype() {
            Datatype::Bool => Self::Flags(picked(tensor.data().iter().map(|it| *it != 0).collect(), width, taken.take)),
            Datatype::Bytes => Self::Texts(picked(tensor.strings().collect(), width, taken.take)),
            _ => match whole(tensor) {
                Some(values) => {
                    let order = |a: &Option<i64>, b: &Option<i64>| a.zip(*b).map(|(a, b)| a.cmp(&b));
                    Self::Whole(chosen(values, width, taken.take, order))
                }
                None => Self::Numbers(chosen(tensor.to_f64().unwrap_or_default(), width, taken.take, f64::partial_cmp)),
            },
        }
    }

    fn rows(&self) -> usize {
        match self {
            Self::Whole(it) => it.len(),
            Self::Numbers(it) => it.len(),
            Self::Flags(it) => it.len(),
            Self::Texts(it) => it.len(),
        }
    }
}

/// Takes one value of each row.
fn picked<T: Copy>(values: Vec<T>, width: usize, take: Take) -> Vec<T> {
    let at = if let Take::At(at) = take { at } else { 0 };
    if width == 1 { values } else { values.chunks_exact(width).filter_map(|row| row.get(at).copied()).collect() }
}

/// Takes one value of each row, or the largest or smallest; what has no order, not even with itself, is both.
fn chosen<T: Copy>(values: Vec<T>, width: usize, take: Take, order: impl Fn(&T, &T) -> Option<Ordering>) -> Vec<T> {
    let wanted = match take {
        Take::Only | Take::At(_) => return picked(values, width, take),
        Take::Max => Ordering::Greater,
        Take::Min => Ordering::Less,
    };
    let best = |best: T, it: T| match (order(&best, &best), order(&it, &it), order(&it, &best)) {
        (None, ..) => best,
        (_, None, _) => it,
        (.., found) if found == Some(wanted) => it,
        _ => best,
    };
    values.chunks_exact(width).filter_map(|row| row.iter().copied().reduce(best)).collect()
}

/// Reads whole numbers; one beyond 63 bits is none. Nothing for a tensor of anything else.
pub(crate) fn whole(tensor: &Tensor) -> Option<Vec<Option<i64>>> {
    macro_rules! values {
        ($type:ty) => {
            tensor.values().map(|bytes| i64::try_from(<$type>::from_le_bytes(bytes)).ok()).collect()
        };
    }
    Some(match tensor.datatype() {
        Datatype::Uint8 => values!(u8),
        Datatype::Uint16 => values!(u16),
        Datatype::Uint32 => values!(u32),
        Datatype::Uint64 => values!(u64),
        Datatype::Int8 => values!(i8),
        Datatype::Int16 => values!(i16),
        Datatype::Int32 => values!(i32),
        Datatype::Int64 => values!(i64),
        _ => return None,
    })
}

/// One row.
struct At<'a> {
    columns: &'a [Column<'a>],
    row: usize,
}

impl Row for At<'_> {
    fn value(&self, input: usize) -> Option<Scalar<'_>> {
        let row = self.row;
        match &self.columns[input] {
            Column::Whole(values) => values.get(row).copied().flatten().map(Scalar::Int),
            Column::Numbers(values) => values.get(row).copied().map(Scalar::Float),
            Column::Flags(values) => values.get(row).copied().map(Scalar::Bool),
            Column::Texts(values) => std::str::from_utf8(values.get(row)?).ok().map(Scalar::Text),
        }
    }
}

#[cfg(test)]
mod tests;
