//! Passes: a reference of rows that need not be in memory at once: they are gone through two or three times.
//!
//! First the sample is drawn and trigrams are counted; then what the drawn rows hold is kept, each text judged by the model of the
//! others; then, where there are private columns and more rows than the sample has, all rows are counted in their cells.
//!
//! # Cost
//! Memory of the sample alone, 20,000 rows in their scalars, however many rows there are and however long their texts.

use std::collections::{BTreeMap, BinaryHeap};

use super::{
    Part, Reference, SAMPLE,
    assemble::{self, Basis},
    build::{self, Plan, SourceRow, Unbuildable},
    header::{Column, ColumnKind, Header, Repeats, Role, Rows, Source},
    meanings::{Ask, Asking},
    sample::{self, Sampled},
    scalar::{self, Form, Held, Private},
};
use crate::{
    cells::Cells,
    row::{RowId, Value},
    text::{Counts, TextModel},
};

/// What is done with a row.
pub type EachRow<'a> = dyn FnMut(&SourceRow<'_>) -> Result<(), Unbuildable> + 'a;

impl Reference {
    /// Builds a reference of the rows of one source, whose digest is SHA-256 of its bytes. `pass` goes through all rows once, by
    /// ascending number, and is called two or three times; each time it brings the same.
    ///
    /// # Errors
    /// Says what is wrong with the plan or a row, or what `pass` says. A value that does not fit its column is no error: it is
    /// counted as invalid.
    pub fn build_in_passes<E: From<Unbuildable>>(
        plan: &Plan,
        digest: [u8; 32],
        pass: impl FnMut(&mut EachRow<'_>) -> Result<(), E>,
    ) -> Result<Self, E> {
        Self::build_asking(plan, digest, pass, None)
    }

    /// Builds one likewise, and asks for what the drawn rows' texts mean: `ask` returns a vector for each text, in their order. A row
    /// that brings its own vector is not asked about.
    ///
    /// # Errors
    /// As before; and what `ask` says, or that its vectors are not as the plan has them.
    pub fn build_asking<E: From<Unbuildable>>(
        plan: &Plan,
        digest: [u8; 32],
        mut pass: impl FnMut(&mut EachRow<'_>) -> Result<(), E>,
        ask: Option<&mut Ask<'_, E>>,
    ) -> Result<Self, E> {
        build::check(plan)?;
        let source = u64::from_be_bytes(digest[..8].try_into().expect("eight bytes"));
        let mut drawn = Drawn::new(plan, source);
        pass(&mut |row| drawn.add(row))?;
        if drawn.rows == 0 {
            return Err(Unbuildable::NoRows.into());
        }
        let mut kept = Kept::default();
        let mut asking = ask.and_then(|ask| Asking::new(plan, ask));
        pass(&mut |row| {
            let drawn = drawn.keep(row, &mut kept);
            asking.iter_mut().filter(|_| drawn).for_each(|it| it.take(row, &mut kept.sample));
            Ok(())
        })?;
        asking.map_or(Ok(()), |it| it.end(&mut kept.sample))?;
        let kinds = kinds(plan, &kept.private);
        let all_drawn = kept.private.len() as u64 == drawn.rows;
        // Cells that were made of these rows know which of them may be counted in them.
        let counted = all_drawn && plan.like.is_none();
        let begun = |it: &Cells| if counted { it.counts().to_vec() } else { vec![0; it.counts().len()] };
        let mut counts: Vec<Vec<u64>> = kinds.iter().map(begun).collect();
        let mut count = |held: &[Held]| {
            let cells = held.iter().zip(&kinds).map(|(it, cells)| cells.cell(it.cell()));
            counts.iter_mut().zip(cells).for_each(|(counts, cell)| counts[cell] += 1);
        };
        match all_drawn {
            _ if kinds.is_empty() || counted => {}
            true => kept.private.values().for_each(|it| count(it)),
            false => pass(&mut |row| {
                count(&drawn.hidden(row));
                Ok(())
            })?,
        }
        let header = drawn.header(&digest);
        let private = kinds.iter().map(|it| Some(Private(it.kind().clone()))).collect();
        let texts = drawn.texts;
        let parts = vec![Part { digest, texts, private: counts }];
        Ok(assemble::assemble(Basis { header, parts, private, sample: sample::smallest(kept.sample) }))
    }
}

/// The sample as it is drawn, and what is counted of all rows.
struct Drawn<'a> {
    plan: &'a Plan,
    source: u64,
    rows: u64,
    last: Option<u64>,
    times: Option<(u64, u64)>,
    /// The smallest keys, the largest of them first.
    keys: BinaryHeap<(u64, RowId)>,
    texts: Vec<Counts>,
    /// Per column; a text's knows nothing.
    forms: Vec<Form>,
}

/// What drawn rows hold.
#[derive(Default)]
struct Kept {
    sample: Vec<Sampled>,
    /// The private scalars, by the number of the row.
    private: BTreeMap<u64, Vec<Held>>,
}

impl<'a> Drawn<'a> {
    fn new(plan: &'a Plan, source: u64) -> Self {
        let texts = plan.schema.iter().filter(|it| it.kind == ColumnKind::Text && !it.private);
        let texts = texts.map(|_| Counts::default()).collect();
        let forms = plan.schema.iter().map(|it| Form::of(it, plan.seed, TextModel::none)).collect();
        Self { plan, source, rows: 0, last: None, times: None, keys: BinaryHeap::new(), texts, forms }
    }

    fn id(&self, row: &SourceRow<'_>) -> RowId {
        RowId { source: self.source, number: row.number }
    }

    fn add(&mut self, row: &SourceRow<'_>) -> Result<(), Unbuildable> {
        let (values, columns) = (row.values.len(), self.plan.schema.len());
        if values != columns {
            return Err(Unbuildable::Values { row: row.number, values, columns });
        }
        if self.plan.repeats != Repeats::Never && row.at.is_none() {
            return Err(Unbuildable::NoTime(row.number));
        }
        match self.last {
            Some(last) if last == row.number => return Err(Unbuildable::TwoRows(last)),
            Some(last) if last > row.number => return Err(Unbuildable::Order(row.number)),
            _ => self.last = Some(row.number),
        }
        self.rows += 1;
        if let Some(at) = row.at {
            self.times = Some(self.times.map_or((at, at), |(from, to)| (from.min(at), to.max(at))));
        }
        let key = sample::key(self.id(row));
        if self.keys.len() < SAMPLE {
            self.keys.push(key);
        } else if self.keys.peek().is_some_and(|it| key < *it) {
            self.keys.pop();
            self.keys.push(key);
        }
        let texts =
            self.plan.schema.iter().zip(&row.values).filter(|it| it.0.kind == ColumnKind::Text && !it.0.private);
        for ((_, value), counts) in texts.zip(&mut self.texts) {
            if let Value::Text(text) = value {
                counts.add(text);
            }
        }
        Ok(())
    }

    /// Keeps a row, where it was drawn; says whether it was.
    fn keep(&self, row: &SourceRow<'_>, kept: &mut Kept) -> bool {
        let id = self.id(row);
        if self.keys.peek().is_none_or(|it| sample::key(id) > *it) {
            return false;
        }
        kept.sample.push(Sampled { id, at: row.at, values: self.public(row) });
        let private = self.hidden(row);
        if !private.is_empty() {
            kept.private.insert(row.number, private);
        }
        true
    }

    /// What a row is in its public scalars; each text is judged by the model of the others.
    fn public(&self, row: &SourceRow<'_>) -> Vec<Held> {
        let (mut held, mut texts) = (Vec::new(), self.texts.iter());
        for ((column, form), value) in self.columns().zip(&row.values).filter(|it| !it.0.0.private) {
            let counts = if column.kind == ColumnKind::Text { texts.next() } else { None };
            let others = match (counts, value) {
                (Some(counts), Value::Text(text)) => Some(Form::Text(Box::new(counts.without(text)))),
                _ => None,
            };
            held.extend(scalar::held(column, others.as_ref().unwrap_or(form), *value, None));
        }
        held
    }

    /// What a row is in its private scalars.
    fn hidden(&self, row: &SourceRow<'_>) -> Vec<Held> {
        let private = self.columns().zip(&row.values).filter(|it| it.0.0.private);
        private.flat_map(|((of, form), value)| scalar::held(of, form, *value, self.plan.keyed.as_ref())).collect()
    }

    fn columns(&self) -> impl Iterator<Item = (&Column, &Form)> {
        self.plan.schema.iter().zip(&self.forms)
    }

    fn header(&self, digest: &[u8; 32]) -> Header {
        let plan = self.plan;
        let (from_ns, to_ns) = self.times.unzip();
        Header {
            route: plan.route.clone(),
            schema: plan.schema.clone(),
            seed: plan.seed,
            false_alarms_per_million: plan.false_alarms_per_million,
            repeats: plan.repeats,
            sources: vec![Source { digest: scalar::hex(digest), rows: self.rows, from_ns, to_ns }],
            rows: Rows::default(),
            labels: plan.schema.iter().any(|it| it.role == Role::Label),
            tool: plan.tool.clone(),
            key: plan.checked_key(),
        }
    }
}

/// The cells of the private scalars: those that are to be followed, or those of the drawn rows (`REF-4`).
fn kinds(plan: &Plan, private: &BTreeMap<u64, Vec<Held>>) -> Vec<Cells> {
    let scalars = scalar::of(&plan.schema);
    let like = plan.like.as_ref().filter(|it| it.header.schema == plan.schema);
    let mut earlier = like.map(|it| assemble::sum(&it.private, &it.parts)).unwrap_or_default().into_iter();
    let of = |(at, scalar): (usize, &scalar::Scalar)| {
        let values = || private.values().map(|it| it[at].cell());
        earlier.next().flatten().unwrap_or_else(|| match scalar.names {
            true => Cells::categories(values()),
            false => Cells::private_numbers(values()),
        })
    };
    scalars.iter().filter(|it| it.private).enumerate().map(of).collect()
}
