//! Build: a reference of the rows of one source. More sources are as many references, and their merge.

use std::collections::BTreeSet;

use super::{
    Part, Reference, SAMPLE,
    assemble::{self, Basis},
    header::{Column, ColumnKind, Header, Repeats, Rows, Source},
    sample::{self, Sampled},
    scalar::{self, Held, Keyed, Private},
};
use crate::{
    cells::Cells,
    row::{RowId, Value},
    text::{Counts, TextModel},
};

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
    /// Traffic repeats itself, and a row has no time.
    #[error("row {0} has no time, and `repeats` needs one")]
    NoTime(u64),
    /// A private category has no key.
    #[error("column `{0}` is a private category, which needs a key")]
    NoKey(String),
    /// A rate that is none.
    #[error("a false-alarm rate of {0} in a million is none: 1 to 999999")]
    Rate(u32),
}

impl Reference {
    /// Builds a reference of the rows of one source, whose digest is SHA-256 of its bytes.
    ///
    /// # Errors
    /// Says what is wrong with the plan or a row. A value that does not fit its column is no error: it is counted as invalid.
    pub fn build(plan: &Plan, digest: [u8; 32], rows: &[SourceRow<'_>]) -> Result<Self, Unbuildable> {
        check(plan, rows)?;
        let source = u64::from_be_bytes(digest[..8].try_into().expect("eight bytes"));
        let id = |it: &SourceRow<'_>| RowId { source, number: it.number };
        let texts = texts(plan, rows);
        let mut order: Vec<&SourceRow<'_>> = rows.iter().collect();
        order.sort_by_key(|it| sample::key(id(it)));
        order.truncate(SAMPLE);
        let sampled = |it: &&SourceRow<'_>| Sampled { id: id(it), at: it.at, values: public(plan, it, &texts) };
        let sample = order.iter().map(sampled).collect();
        let (private, counts) = private(plan, rows);
        let times = || rows.iter().filter_map(|it| it.at);
        let row_count = u64::try_from(rows.len()).expect("a count");
        let source =
            Source { digest: scalar::hex(&digest), rows: row_count, from_ns: times().min(), to_ns: times().max() };
        let header = Header {
            route: plan.route.clone(),
            schema: plan.schema.clone(),
            seed: plan.seed,
            false_alarms_per_million: plan.false_alarms_per_million,
            repeats: plan.repeats,
            sources: vec![source],
            rows: Rows::default(),
            labels: plan.schema.iter().any(|it| it.role == super::Role::Label),
            tool: plan.tool.clone(),
        };
        Ok(assemble::assemble(Basis { header, parts: vec![Part { digest, texts, private: counts }], private, sample }))
    }
}

fn check(plan: &Plan, rows: &[SourceRow<'_>]) -> Result<(), Unbuildable> {
    if plan.schema.is_empty() {
        return Err(Unbuildable::NoColumns);
    }
    if !(1..1_000_000).contains(&plan.false_alarms_per_million) {
        return Err(Unbuildable::Rate(plan.false_alarms_per_million));
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
    if rows.is_empty() {
        return Err(Unbuildable::NoRows);
    }
    let mut numbers = BTreeSet::new();
    for row in rows {
        let (values, columns) = (row.values.len(), plan.schema.len());
        if values != columns {
            return Err(Unbuildable::Values { row: row.number, values, columns });
        }
        if plan.repeats != Repeats::Never && row.at.is_none() {
            return Err(Unbuildable::NoTime(row.number));
        }
        if !numbers.insert(row.number) {
            return Err(Unbuildable::TwoRows(row.number));
        }
    }
    Ok(())
}

/// Counts the trigrams of each public text column.
fn texts(plan: &Plan, rows: &[SourceRow<'_>]) -> Vec<Counts> {
    let columns = plan.schema.iter().enumerate().filter(|it| it.1.kind == ColumnKind::Text && !it.1.private);
    let count = |(at, _): (usize, &Column)| {
        let mut counts = Counts::default();
        for row in rows {
            if let Value::Text(text) = row.values[at] {
                counts.add(text);
            }
        }
        counts
    };
    columns.map(count).collect()
}

/// What a row is in its public scalars; each text is judged by the model of the others.
fn public(plan: &Plan, row: &SourceRow<'_>, texts: &[Counts]) -> Vec<Held> {
    let (mut held, mut text) = (Vec::new(), 0);
    for (column, value) in plan.schema.iter().zip(&row.values).filter(|it| !it.0.private) {
        let mut model = TextModel::none();
        if column.kind == ColumnKind::Text {
            if let Value::Text(it) = value {
                model = texts[text].without(it);
            }
            text += 1;
        }
        held.extend(scalar::held(column, *value, &model, None, plan.seed));
    }
    held
}

/// The cells of the private scalars, and their counts, of all rows (`REF-4`).
fn private(plan: &Plan, rows: &[SourceRow<'_>]) -> (Vec<Option<Private>>, Vec<Vec<u64>>) {
    let none = TextModel::none();
    let (mut kinds, mut counts) = (Vec::new(), Vec::new());
    for (at, column) in plan.schema.iter().enumerate().filter(|it| it.1.private) {
        let held = |it: &SourceRow<'_>| scalar::held(column, it.values[at], &none, plan.keyed.as_ref(), plan.seed);
        let held: Vec<Vec<Held>> = rows.iter().map(held).collect();
        for scalar in 0..held[0].len() {
            let values = held.iter().map(|it| it[scalar].cell());
            let cells = match earlier(plan, kinds.len()) {
                Some(cells) => counted(&cells, values),
                None if column.kind == ColumnKind::Category => Cells::categories(values),
                None => Cells::numbers(values),
            };
            counts.push(cells.counts().to_vec());
            kinds.push(Some(Private(cells.kind().clone())));
        }
    }
    (kinds, counts)
}

/// The cells that a private scalar has in the reference that is to be followed.
fn earlier(plan: &Plan, private: usize) -> Option<Cells> {
    let like = plan.like.as_ref().filter(|it| it.header.schema == plan.schema)?;
    assemble::sum(&like.private, &like.parts).into_iter().nth(private)?
}

/// Counts values in cells that are there.
fn counted<'a>(cells: &Cells, values: impl Iterator<Item = crate::cells::Value<'a>>) -> Cells {
    let mut counts = vec![0; cells.counts().len()];
    values.for_each(|it| counts[cells.cell(it)] += 1);
    Cells::of(cells.kind().clone(), counts).expect("one count for each cell")
}
