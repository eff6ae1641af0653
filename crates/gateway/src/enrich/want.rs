//! Want: what a request lacks, of whom, and the one question that asks for it.
//!
//! # Invariants
//! - `WANT-1`: an entity stands in a question once, however many rows are about it, and only if one of them lacks something.
//! - `WANT-2`: no more than [`MOST_VALUES`] values are asked for at once, about entities of at most [`MOST_NAME`] bytes.

use std::collections::BTreeMap;

use evenkeel_config as config;
use serde_json::Value;
use thiserror::Error;

use super::Plan;
use crate::{
    protocol::feast::Asked,
    tensor::{Datatype, Infer, Tensor},
};

/// Values that are asked for at once, at most.
const MOST_VALUES: usize = 10_000;
/// Bytes of the text of an entity, at most.
const MOST_NAME: usize = 256;

/// What is missing in a request.
pub(super) struct Wanted {
    /// Features that are missing somewhere, by their places in the plan.
    pub(super) features: Vec<usize>,
    /// Whose.
    pub(super) entities: Vec<Entity>,
    /// By row, whom it is about; of rows that lack nothing it says nothing.
    pub(super) rows: Vec<u32>,
}

/// Somebody that features are about.
pub(super) struct Entity {
    /// By join key.
    keys: Vec<Value>,
    /// All of them as one text.
    pub(super) name: String,
}

/// Why a request is not enriched: what its client got wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Unasked {
    /// Something is missing, and nobody says whose it is.
    #[error("input '{0}' is missing: it says whose features are to be fetched")]
    Nobody(String),
    /// More than may be asked for at once.
    #[error("{0} features are missing, more than the {MOST_VALUES} that are fetched at once; send fewer rows")]
    TooMany(usize),
    /// A text that no feature server has.
    #[error("input '{input}' row {row}: an entity is a text of at most {MOST_NAME} bytes")]
    Name {
        /// The input.
        input: String,
        /// Which row, from 0.
        row: usize,
    },
}

impl Wanted {
    /// Finds what is missing; none where nothing is.
    pub(super) fn of(infer: &Infer, plan: &Plan) -> Result<Option<Self>, Unasked> {
        let (spec, columns) = (&plan.spec, plan.columns);
        let Some(tensor) = infer.input(&plan.tensor) else { return Ok(None) };
        let features = lacking(tensor, plan);
        if features.is_empty() {
            return Ok(None);
        }
        let values: Vec<f32> = tensor.values().map(f32::from_le_bytes).collect();
        let missing = |row: &[f32]| features.iter().any(|feature| row[spec.features[*feature].column].is_nan());
        let keys = spec.entity.iter().map(|key| Column::of(infer, key)).collect::<Result<Vec<_>, _>>()?;
        let (mut entities, mut places) = (Vec::new(), BTreeMap::new());
        let mut rows = Vec::with_capacity(values.len() / columns);
        for (at, row) in values.chunks_exact(columns).enumerate() {
            if !missing(row) {
                rows.push(0);
                continue;
            }
            let entity = Entity::of(&keys, at)?;
            let next = entities.len() as u32;
            let place = *places.entry(entity.name.clone()).or_insert(next);
            if place == next {
                entities.push(entity);
            }
            if entities.len() * features.len() > MOST_VALUES {
                return Err(Unasked::TooMany(entities.len() * features.len()));
            }
            rows.push(place);
        }
        Ok(Some(Self { features, entities, rows }))
    }

    /// Makes the question of it.
    pub(super) fn question<'a>(&self, spec: &'a config::Enrich) -> Asked<'a> {
        let feature = |at: &usize| (spec.features[*at].view.as_str(), spec.features[*at].feature.as_str());
        let values = |key: usize| self.entities.iter().map(|entity| entity.keys[key].clone()).collect();
        Asked {
            features: self.features.iter().map(feature).collect(),
            keys: spec.entity.iter().enumerate().map(|(at, key)| (key.name.as_str(), values(at))).collect(),
        }
    }
}

/// Returns the features that are missing in some row. What lacks nothing is looked at once, where it stands.
fn lacking(tensor: &Tensor, plan: &Plan) -> Vec<usize> {
    let features = &plan.spec.features;
    let feature = |column: usize| features.iter().position(|it| it.column == column);
    let mut columns: Vec<_> = (0..plan.columns).map(|column| (feature(column), false)).collect();
    let nan = tensor.values().map(f32::from_le_bytes).enumerate().filter(|(_, value)| value.is_nan());
    nan.for_each(|(at, _)| columns[at % plan.columns].1 = true);
    let mut lacking: Vec<_> = columns.into_iter().filter_map(|(feature, nan)| feature.filter(|_| nan)).collect();
    lacking.sort_unstable();
    lacking
}

/// The values of a join key, by row.
struct Column<'a> {
    input: &'a str,
    values: Vec<Option<Value>>,
}

impl<'a> Column<'a> {
    fn of(infer: &'a Infer, key: &'a config::JoinKey) -> Result<Self, Unasked> {
        let tensor = infer.input(&key.input).ok_or_else(|| Unasked::Nobody(key.input.clone()))?;
        Ok(Self { input: &key.input, values: values(tensor) })
    }
}

fn values(tensor: &Tensor) -> Vec<Option<Value>> {
    let text = |bytes: &[u8]| Some(std::str::from_utf8(bytes).ok().filter(|it| it.len() <= MOST_NAME)?.into());
    match tensor.datatype() {
        Datatype::Int64 => tensor.values().map(|bytes| Some(i64::from_le_bytes(bytes).into())).collect(),
        Datatype::Int32 => tensor.values().map(|bytes| Some(i32::from_le_bytes(bytes).into())).collect(),
        _ => tensor.strings().map(text).collect(),
    }
}

impl Entity {
    fn of(keys: &[Column<'_>], row: usize) -> Result<Self, Unasked> {
        let value = |key: &Column<'_>| {
            let value = key.values.get(row).cloned().flatten();
            value.ok_or_else(|| Unasked::Name { input: key.input.into(), row })
        };
        let keys = keys.iter().map(value).collect::<Result<Vec<_>, _>>()?;
        // As JSON, where the parts of a text cannot be taken for those of another.
        let name = Value::from(keys.clone()).to_string();
        Ok(Self { keys, name })
    }
}
