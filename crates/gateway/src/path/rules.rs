//! `rules`: conditions that an expert can read, computed here row by row, between other requests.
//!
//! Accepted: `rules: {file: fraud.rules}`. Rejected by `check`: a file whose own tests fail, inputs that the route does
//! not have, an answer that its contract refuses.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use evenkeel_config::{self as config, FeatureKind, OutputTensor, Scalar};
use evenkeel_core::ResultCode;

use super::{Attempting, Ended, Left, Notes, Path, Pieces, Ruled, Site};
use crate::{
    ask::{Ask, Inference, Question},
    post,
    tensor::{Datatype, Infer, InferAnswer, Mapping, Tensor, element},
    upstream::Call,
};

/// Rows that are computed before others get their turn: at worst some milliseconds.
const TURN: usize = 64;

/// Rules that are told of one answer, those with the most rows first: a record is bounded (G-111).
const TOLD: usize = 64;

/// Rules that answer.
pub(crate) struct Rules {
    rules: config::kind::Rules,
    /// Where each input of the rules stands in a request.
    places: Vec<Place>,
    mapping: Mapping,
}

/// Where an input stands.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// A tensor of its own.
    Tensor(String),
    /// A column of the one tensor.
    Column { at: usize, of: usize },
}

impl Rules {
    pub(super) fn path(kind: &config::kind::Rules, site: Site<'_>) -> Result<Arc<dyn Path>, String> {
        let place = |(name, _): &(String, FeatureKind)| {
            let columns = site.known.declared().inputs.first().map(|port| port.values.as_slice()).unwrap_or_default();
            let column = columns.iter().position(|it| it.column.as_deref() == Some(name));
            column.map_or(Place::Tensor(name.clone()), |at| Place::Column { at, of: columns.len() })
        };
        let places = kind.set.inputs().iter().map(place).collect();
        let mapping = site.mapping()?;
        post::tried(mapping.proves(answers(kind))?, site.post)?;
        Ok(Arc::new(Self { rules: kind.clone(), places, mapping }))
    }

    /// Reads the one tensor whose columns the inputs are.
    fn table(&self, asked: &Infer) -> Vec<f64> {
        let columns = self.places.iter().any(|place| matches!(place, Place::Column { .. }));
        let tensor = asked.inputs.first().map(|it| &it.tensor).filter(|_| columns);
        tensor.and_then(Tensor::to_f64).unwrap_or_default()
    }

    async fn answer(&self, asked: &Infer) -> Result<(InferAnswer, Vec<Ruled>), ResultCode> {
        let table = self.table(asked);
        let inputs: Vec<Input<'_>> = self.places.iter().map(|place| Input::of(place, asked, &table)).collect();
        let outputs = &self.rules.outputs;
        let mut columns: Vec<Vec<u8>> = vec![Vec::new(); outputs.len()];
        let mut told: BTreeMap<(Option<&str>, Option<&str>), u64> = BTreeMap::new();
        let rows = usize::try_from(asked.batch()).map_err(|_| ResultCode::ContractShape)?;
        for row in 0..rows {
            if row > 0 && row % TURN == 0 {
                tokio::task::yield_now().await;
            }
            let row = Row { inputs: &inputs, row };
            let answer = self.rules.answer(&row);
            *told.entry((answer.rule, answer.failed)).or_default() += 1;
            for ((column, output), value) in columns.iter_mut().zip(outputs).zip(answer.values.iter()) {
                element::push(column, output.datatype.into(), value).ok_or(ResultCode::ContractRange)?;
            }
        }
        let tensors = outputs.iter().zip(columns).map(|(output, data)| tensor(output, data, rows as u64));
        let tensors = tensors.collect::<Option<Vec<_>>>().ok_or(ResultCode::ContractShape)?;
        let ruled = |((rule, failed), rows): ((Option<&str>, Option<&str>), u64)| Ruled {
            rule: rule.map(str::to_owned),
            failed: failed.map(str::to_owned),
            rows,
        };
        let mut ruled: Vec<Ruled> = told.into_iter().map(ruled).collect();
        ruled.sort_by_key(|it| Reverse(it.rows));
        ruled.truncate(TOLD);
        self.mapping.accept(InferAnswer::of(tensors), asked).map(|answer| (answer, ruled))
    }
}

/// Returns every value that may be answered, each output in as many rows as the one with the most values (F-163).
fn answers(rules: &config::kind::Rules) -> Option<(Vec<Tensor>, u64)> {
    // Parts of a sum are no answers, and `check` lets nothing be done to one.
    let whole = |at| rules.set.values(at).filter(|(_, whole)| *whole).map(|(value, _)| value);
    let rows = (0..rules.outputs.len()).map(|at| whole(at).count()).max().unwrap_or(0);
    let column = |(at, output): (usize, &OutputTensor)| {
        let mut data = Vec::new();
        let mut values = whole(at).cycle().take(rows);
        values.try_for_each(|value| element::push(&mut data, output.datatype.into(), value))?;
        tensor(output, data, rows as u64)
    };
    Some((rules.outputs.iter().enumerate().map(column).collect::<Option<_>>()?, rows as u64))
}

/// Makes the tensor of an output, one element a row.
fn tensor(output: &OutputTensor, data: Vec<u8>, rows: u64) -> Option<Tensor> {
    let shape = output.shape.iter().map(|dimension| u64::try_from(*dimension).unwrap_or(rows)).collect();
    Tensor::new(output.name.clone(), output.datatype.into(), shape, data.into()).ok()
}

impl Path for Rules {
    fn attempt(self: Arc<Self>, ask: Arc<Ask>, _: Call, _: Pieces) -> Attempting {
        Box::pin(async move {
            let Question::Infer(Inference { infer, .. }) = &ask.question else {
                // `check` lets such a path stand on an `oip` route only.
                return Ended::bare(ResultCode::UnsupportedFeature, None);
            };
            match self.answer(infer).await {
                Ok((answer, rules)) => {
                    let left = Left::Infer(answer).noted(Notes { rules, ..Notes::default() });
                    Ended { result: ResultCode::Ok, status: None, after: None, left }
                }
                Err(result) => Ended::bare(result, None),
            }
        })
    }
}

/// The values of one input, for all rows.
enum Input<'a> {
    Absent,
    Whole(Vec<i64>),
    Numbers(Vec<f64>),
    Column { table: &'a [f64], at: usize, of: usize },
    Flags(&'a [u8]),
    Texts(Vec<&'a [u8]>),
}

impl<'a> Input<'a> {
    fn of(place: &Place, asked: &'a Infer, table: &'a [f64]) -> Self {
        let name = match place {
            Place::Tensor(name) => name,
            Place::Column { at, of } => return Self::Column { table, at: *at, of: *of },
        };
        let Some(tensor) = asked.input(name) else { return Self::Absent };
        match tensor.datatype() {
            Datatype::Int64 => Self::Whole(tensor.values().map(i64::from_le_bytes).collect()),
            Datatype::Bool => Self::Flags(tensor.data()),
            Datatype::Bytes => Self::Texts(tensor.strings().collect()),
            _ => tensor.to_f64().map_or(Self::Absent, Self::Numbers),
        }
    }
}

/// One row of a request.
struct Row<'a> {
    inputs: &'a [Input<'a>],
    row: usize,
}

impl config::Row for Row<'_> {
    fn value(&self, input: usize) -> Option<Scalar<'_>> {
        match &self.inputs[input] {
            Input::Absent => None,
            Input::Whole(values) => values.get(self.row).copied().map(Scalar::Int),
            Input::Numbers(values) => values.get(self.row).copied().map(Scalar::Float),
            Input::Column { table, at, of } => table.get(self.row * of + at).copied().map(Scalar::Float),
            Input::Flags(values) => values.get(self.row).map(|it| Scalar::Bool(*it != 0)),
            Input::Texts(values) => std::str::from_utf8(values.get(self.row)?).ok().map(Scalar::Text),
        }
    }
}
