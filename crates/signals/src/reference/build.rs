//! Build: a reference of the rows of one source. More sources are as many references, and their merge.

use std::collections::BTreeSet;

use super::{
    Reference,
    header::{self, Column, ColumnKind, Repeats},
    scalar::Keyed,
};
use crate::row::Value;

/// What is to be built.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The route that it is for.
    pub route: String,
    /// The columns.
    pub schema: Vec<Column>,
    /// What all draws depend on.
    pub seed: u64,
    /// The false-alarm rate that calibrating rows should suffice for, in millionths.
    pub false_alarms_per_million: u32,
    /// How often traffic repeats itself.
    pub repeats: Repeats,
    /// The program that builds.
    pub tool: String,
    /// The key of private names; needed where there are any.
    pub keyed: Option<Keyed>,
    /// A reference whose private cells are taken, so that both can be merged with them.
    pub like: Option<Reference>,
}

impl Plan {
    /// Plans a reference of a route with these columns, built by Evenkeel and with what its command line takes where nothing else is
    /// said: seed 0, a row score for a false-alarm rate of .001, no seasons, no private names.
    pub fn new(route: impl Into<String>, schema: Vec<Column>) -> Self {
        Self {
            route: route.into(),
            schema,
            seed: 0,
            false_alarms_per_million: 1_000,
            repeats: Repeats::Never,
            tool: concat!("evenkeel ", env!("CARGO_PKG_VERSION")).into(),
            keyed: None,
            like: None,
        }
    }

    /// What the key makes of a fixed word, where there is a name that it hashes.
    pub(super) fn checked_key(&self) -> Option<String> {
        let hashed = self.schema.iter().any(|it| it.private && it.kind == ColumnKind::Category);
        self.keyed.as_ref().filter(|_| hashed).map(Keyed::check)
    }
}

/// A row of a source.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceRow<'a> {
    /// Its number in its source: no two are alike.
    pub number: u64,
    /// Its time, ns since the epoch.
    pub at: Option<u64>,
    /// Its values, one for each column.
    pub values: Vec<Value<'a>>,
}

/// Why a reference cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unbuildable {
    /// There are no columns.
    #[error("it has no columns")]
    NoColumns,
    /// There are no rows.
    #[error("it has no rows")]
    NoRows,
    /// Two columns have one name.
    #[error("two columns have the name `{0}`")]
    TwoColumns(String),
    /// A declared range is no range.
    #[error("the range of column `{0}` is not two numbers, the lesser one first")]
    Range(String),
    /// A row has not one value for each column.
    #[error("row {row} has {values} values for {columns} columns")]
    Values {
        /// Its number.
        row: u64,
        /// Its values.
        values: usize,
        /// The columns.
        columns: usize,
    },
    /// Two rows have one number.
    #[error("two rows have the number {0}")]
    TwoRows(u64),
    /// Rows that come one after the other do not ascend by number.
    #[error("row {0} comes after one of a greater number")]
    Order(u64),
    /// Traffic repeats itself, and a row has no time.
    #[error("row {0} has no time, and `repeats` needs one")]
    NoTime(u64),
    /// A private category has no key.
    #[error("column `{0}` is a private category, which needs a key")]
    NoKey(String),
    /// It is not said whose meaning a column is.
    #[error(
        "a column of embeddings says what one column of texts means, an input that is not private, and no other column does"
    )]
    Meaning,
    /// A model says what a text means in a vector of another length than it did.
    #[error("a vector of {found} numbers came where all have {wanted}")]
    Width {
        /// Numbers of the vector.
        found: usize,
        /// Numbers of the column.
        wanted: u32,
    },
    /// So many texts were to have a vector each.
    #[error("{found} vectors came for {wanted} texts")]
    Vectors {
        /// The vectors.
        found: usize,
        /// The texts.
        wanted: usize,
    },
    /// A rate that is none.
    #[error("a false-alarm rate of {0} in a million is none: 1 to 999999")]
    Rate(u32),
}

impl Reference {
    /// Builds a reference of the rows of one source, whose digest is SHA-256 of its bytes. Rows that do not fit into memory are
    /// for [`Self::build_in_passes`].
    ///
    /// # Errors
    /// Says what is wrong with the plan or a row. A value that does not fit its column is no error: it is counted as invalid.
    pub fn build(plan: &Plan, digest: [u8; 32], rows: &[SourceRow<'_>]) -> Result<Self, Unbuildable> {
        let mut ascending: Vec<&SourceRow<'_>> = rows.iter().collect();
        ascending.sort_by_key(|it| it.number);
        Self::build_in_passes(plan, digest, |each| ascending.iter().try_for_each(|it| each(it)))
    }
}

pub(super) fn check(plan: &Plan) -> Result<(), Unbuildable> {
    if plan.schema.is_empty() {
        return Err(Unbuildable::NoColumns);
    }
    if !(1..1_000_000).contains(&plan.false_alarms_per_million) {
        return Err(Unbuildable::Rate(plan.false_alarms_per_million));
    }
    if !header::meanings_fit(&plan.schema) {
        return Err(Unbuildable::Meaning);
    }
    let mut names = BTreeSet::new();
    for column in &plan.schema {
        let name = || column.name.clone();
        if !names.insert(&column.name) {
            return Err(Unbuildable::TwoColumns(name()));
        }
        if column.range.is_some() && column.declared_range().is_none() {
            return Err(Unbuildable::Range(name()));
        }
        if column.private && column.kind == ColumnKind::Category && plan.keyed.is_none() {
            return Err(Unbuildable::NoKey(name()));
        }
    }
    Ok(())
}
