//! Meanings: what the texts of drawn rows mean, asked of whoever says so, a few at a time.
//!
//! # Invariants
//! - `MEAN-1`: only the texts of drawn rows are asked about, [`AT_ONCE`] of them at once, and no more are held.
//! - `MEAN-2`: who has failed is asked no more, and nothing is built.

use super::{
    build::{Plan, SourceRow, Unbuildable},
    header::ColumnKind,
    sample::Sampled,
    scalar::{self, Form},
};
use crate::{
    anomaly,
    row::Value,
    text::{TextModel, meant},
};

/// Texts that are asked about at once.
const AT_ONCE: usize = 32;

/// Says what texts mean: a vector for each.
pub type Ask<'a, E> = dyn FnMut(&[String]) -> Result<Vec<Vec<f32>>, E> + 'a;

/// Texts on their way to who says what they mean.
pub(super) struct Asking<'a, 'p, E> {
    ask: &'a mut Ask<'p, E>,
    /// The column of texts.
    text: usize,
    /// The column of what they mean, its numbers, its form, and where these stand among the public scalars.
    meaning: usize,
    width: u32,
    form: Form,
    place: usize,
    /// Texts, each with the place of its row in the sample.
    waiting: Vec<(usize, String)>,
    failed: Option<E>,
}

impl<'a, 'p, E: From<Unbuildable>> Asking<'a, 'p, E> {
    /// Begins to ask; none where no column is what a text means.
    pub(super) fn new(plan: &Plan, ask: &'a mut Ask<'p, E>) -> Option<Self> {
        let meaning = plan.schema.iter().position(|it| it.meaning.is_some())?;
        let column = &plan.schema[meaning];
        let of = &column.meaning.as_ref()?.of;
        let text = plan.schema.iter().position(|it| it.name == *of)?;
        let ColumnKind::Vector(width) = column.kind else { return None };
        let place = scalar::of(&plan.schema).iter().filter(|it| !it.private && it.column < meaning).count();
        let form = Form::of(column, plan.seed, TextModel::none);
        Some(Self { ask, text, meaning, width, form, place, waiting: Vec::new(), failed: None })
    }

    /// Takes a row, the last one of the sample.
    pub(super) fn take(&mut self, row: &SourceRow<'_>, sample: &mut [Sampled]) {
        let (Value::Text(text), Value::Missing) = (row.values[self.text], row.values[self.meaning]) else { return };
        let Some(text) = meant(text).filter(|_| self.failed.is_none()) else { return };
        self.waiting.push((sample.len() - 1, text.to_owned()));
        if self.waiting.len() == AT_ONCE {
            self.failed = self.go(sample).err();
        }
    }

    /// Asks about what is left.
    pub(super) fn end(mut self, sample: &mut [Sampled]) -> Result<(), E> {
        match self.failed.take() {
            Some(why) => Err(why),
            None if self.waiting.is_empty() => Ok(()),
            None => self.go(sample),
        }
    }

    fn go(&mut self, sample: &mut [Sampled]) -> Result<(), E> {
        let (rows, texts): (Vec<usize>, Vec<String>) = std::mem::take(&mut self.waiting).into_iter().unzip();
        let vectors = (self.ask)(&texts)?;
        if vectors.len() != texts.len() {
            return Err(Unbuildable::Vectors { found: vectors.len(), wanted: texts.len() }.into());
        }
        let kind = ColumnKind::Vector(self.width);
        for (row, vector) in rows.into_iter().zip(&vectors) {
            if u32::try_from(vector.len()) != Ok(self.width) {
                return Err(Unbuildable::Width { found: vector.len(), wanted: self.width }.into());
            }
            let mut numbers = Vec::with_capacity(anomaly::COLUMNS);
            self.form.write(kind, Value::Vector(vector), &mut numbers);
            let held = &mut sample[row].values[self.place..self.place + anomaly::COLUMNS];
            held.iter_mut().zip(numbers).for_each(|(held, it)| *held = scalar::Held::of(it));
        }
        Ok(())
    }
}
