//! Batch: which rows of a request are answered, by whom, and which are left, where its route judges rows by themselves (OIP-35).
//!
//! The core counts rows; here is which they are. What an attempt answers in part is kept, the tiers below are asked for the
//! rest, and in the end all is put together in the order in which it came.
//!
//! # Invariants
//! - `BATCH-1`: a row is kept once; what is put together has every row, or nothing is.
//! - `BATCH-2`: all attempts on a tier, until something is kept, are asked for the same rows.

use std::{borrow::Cow, sync::Arc};

use evenkeel_core::{ImputedPolicy, Reason, RowRule, Rows, Tier};

use super::Submission;
use crate::{
    ask::{Ask, Inference, Question},
    tensor::{InferAnswer, Parameter},
};

/// The rows of a request.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// How many there are; 0 where none goes its own way.
    all: usize,
    /// Those that are still to be answered, in ascending order.
    left: Vec<usize>,
    /// Of each row, why it goes on by itself.
    why: Vec<Option<Reason>>,
    kept: Vec<Part>,
    /// Something that the core takes for kept could not be.
    lost: bool,
    /// What the tier is asked that was started last.
    asked: Option<Asked>,
}

/// Rows that one tier has answered.
#[derive(Debug)]
struct Part {
    tier: u8,
    rows: Vec<usize>,
    answer: InferAnswer,
}

#[derive(Debug)]
struct Asked {
    tier: u8,
    rows: Vec<usize>,
    ask: Arc<Ask>,
}

/// Returns the rows of a request, as the core counts them; none where its route does not judge rows by themselves.
pub(super) fn rows(it: &Submission) -> Rows {
    let (revision, Question::Infer(Inference { infer, enriched, .. })) =
        (&it.applied.deployment.revision, &it.ask.question)
    else {
        return Rows::default();
    };
    let judged = revision.paths.iter().any(|path| path.route == it.route && path.accept.is_some());
    if !judged && !it.imputed().split {
        return Rows::default();
    }
    let apart = enriched.as_ref().filter(|_| it.imputed().split).map_or(0, |it| it.apart.len() as u64);
    Rows { all: infer.batch(), apart }
}

impl Batch {
    /// Begins with all rows, where they may go different ways; else nobody has to know which they are.
    pub(super) fn of(it: &Submission) -> Self {
        let revision = &it.applied.deployment.revision;
        let route = &revision.routes[it.route.index()];
        let splits = |tier: &Tier| revision.paths[tier.path.index()].accept == Some(RowRule::Split);
        let set_apart = it.imputed().split;
        if !set_apart && !route.tiers.iter().any(splits) {
            return Self::default();
        }
        let all = usize::try_from(rows(it).all).unwrap_or(0);
        let mut why = vec![None; all];
        let apart = it.ask.enriched().filter(|_| set_apart).map(|it| it.apart.as_slice()).unwrap_or_default();
        apart.iter().for_each(|row| why[*row] = Some(Reason::FeatureMissing));
        Self { all, left: (0..all).collect(), why, ..Self::default() }
    }

    /// Returns what a tier is asked: all that is left, or what of that was not set apart from it. None where that cannot be told
    /// apart, which `check` has ruled out.
    pub(super) fn ask(&mut self, whole: &Arc<Ask>, (tier, imputed): (u8, ImputedPolicy)) -> Option<Arc<Ask>> {
        if self.all == 0 {
            return Some(whole.clone());
        }
        if let Some(asked) = self.asked.as_ref().filter(|asked| asked.tier == tier) {
            return Some(asked.ask.clone());
        }
        let apart = whole.enriched().map(|it| it.apart.as_slice()).unwrap_or_default();
        let takes = |row: &usize| !imputed.sets_apart(tier) || apart.binary_search(row).is_err();
        let rows: Vec<usize> = self.left.iter().copied().filter(takes).collect();
        let ask = match (rows.len() == self.all, &whole.question) {
            (false, Question::Infer(Inference { infer, .. })) => Arc::new(whole.asking(infer.rows(&rows)?)?),
            _ => whole.clone(),
        };
        self.asked = Some(Asked { tier, rows, ask: ask.clone() });
        Some(ask)
    }

    /// Returns the tier that was started last.
    pub(super) fn last(&self) -> Option<u8> {
        self.asked.as_ref().map(|asked| asked.tier)
    }

    /// Says whether the tier that was started last is asked for so many rows, as the core counts them.
    pub(super) fn agrees(&self, rows: u64) -> bool {
        self.asked.as_ref().is_none_or(|asked| asked.rows.len() as u64 == rows)
    }

    /// Keeps what the tier that was started last has answered, but for some of its rows.
    pub(super) fn keep(&mut self, answer: &InferAnswer, low: &[usize]) {
        let Some(Asked { tier, rows, .. }) = self.asked.take() else { return };
        let (mut places, mut kept) = (Vec::new(), Vec::new());
        for (place, row) in rows.iter().enumerate() {
            if low.binary_search(&place).is_ok() {
                self.why[*row] = Some(Reason::LowConfidence);
            } else {
                places.push(place);
                kept.push(*row);
            }
        }
        let Some(answer) = answer.rows(&places) else {
            self.lost = true;
            return;
        };
        self.left.retain(|row| kept.binary_search(row).is_err());
        self.kept.push(Part { tier, rows: kept, answer });
    }

    /// Says whether one attempt answers all rows.
    pub(super) fn is_of_one(&self) -> bool {
        self.kept.is_empty()
    }

    /// Puts what was kept together with what answers the rest; none where that leaves rows out. Where nothing was kept, it is
    /// what answers.
    pub(super) fn whole<'a>(&self, last: &'a InferAnswer) -> Option<Cow<'a, InferAnswer>> {
        if self.kept.is_empty() || self.lost {
            return Some(Cow::Borrowed(last)).filter(|_| !self.lost);
        }
        let mut parts: Vec<(&[usize], &InferAnswer)> = self.kept.iter().map(|it| (&it.rows[..], &it.answer)).collect();
        parts.push((&self.left, last));
        InferAnswer::of_rows(&parts, self.all).map(Cow::Owned)
    }

    /// Returns by which tier each row was answered, the rest by `last`; none where one tier answered all.
    pub(super) fn tiers(&self, last: u8) -> Option<Vec<u8>> {
        let mut tiers = vec![last; self.all];
        for part in &self.kept {
            part.rows.iter().for_each(|row| tiers[*row] = part.tier);
        }
        (!self.kept.is_empty()).then_some(tiers)
    }

    /// Returns what a client reads of its rows, where several tiers answered them: by which each was, the rest by `last`, and
    /// why not by the first, which is for the reason of the answer where the row has none of its own.
    pub(super) fn told(&self, (last, reason): (u8, Reason)) -> Vec<(&'static str, Parameter)> {
        let Some(tiers) = self.tiers(last) else { return Vec::new() };
        let why = |(tier, why): (&u8, &Option<Reason>)| match tier {
            0 => "",
            _ => why.unwrap_or(reason).name(),
        };
        let reasons: Vec<_> = tiers.iter().zip(&self.why).map(why).collect();
        let tiers: Vec<_> = tiers.iter().map(u8::to_string).collect();
        [("evenkeel.row_tiers", tiers.join(",")), ("evenkeel.row_reasons", reasons.join(","))]
            .map(|(name, text)| (name, Parameter::String(text)))
            .into()
    }

    /// Forgets what was kept: the answer is another's, as a whole.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        protocol::front::Front,
        tensor::{Form, Infer, Tensor},
    };

    fn answer(values: &[i64]) -> InferAnswer {
        InferAnswer::of([Tensor::from_i64("y", vec![values.len() as u64], values).expect("it fits")])
    }

    /// A batch of which a tier is asked for all that is left.
    fn asks(batch: &mut Batch, tier: u8) {
        let ask = Ask {
            question: Question::Infer(Inference {
                infer: Infer {
                    id: None,
                    parameters: Vec::new(),
                    inputs: Vec::new(),
                    outputs: Vec::new(),
                    form: Form::Text,
                    extra: Vec::new(),
                    count: crate::tensor::Count::default(),
                },
                version: "1".into(),
                front: Front::Oip,
                turn: None,
                enriched: None,
            }),
            body: Default::default(),
            headers: Default::default(),
            decision: String::new(),
            revision: String::new(),
            created: 0,
        };
        batch.asked = Some(Asked { tier, rows: batch.left.clone(), ask: ask.into() });
    }

    #[test]
    fn oip_35_batch_1_three_tiers_answer_and_each_row_is_in_its_place() {
        let mut batch = Batch { all: 5, left: (0..5).collect(), why: vec![None; 5], ..Batch::default() };
        asks(&mut batch, 0);
        batch.keep(&answer(&[0, 1, 2, 3, 4]), &[1, 3, 4]);
        asks(&mut batch, 1);
        batch.keep(&answer(&[10, 30, 40]), &[0]);
        assert_eq!(batch.left, [1]);
        let whole = batch.whole(&answer(&[100])).map(Cow::into_owned).expect("every row");
        assert_eq!(whole.outputs[0].tensor.to_f64(), Some(vec![0.0, 100.0, 2.0, 30.0, 40.0]));
        let told = batch.told((2, Reason::LowConfidence));
        let text = |at: usize| match &told[at] {
            (name, Parameter::String(text)) => (*name, text.clone()),
            other => panic!("{other:?}"),
        };
        assert_eq!(text(0), ("evenkeel.row_tiers", "0,2,0,1,1".into()));
        assert_eq!(text(1), ("evenkeel.row_reasons", ",LOW_CONFIDENCE,,LOW_CONFIDENCE,LOW_CONFIDENCE".into()));
        assert_eq!(batch.whole(&answer(&[])).map(Cow::into_owned), None, "BATCH-1");
    }

    #[test]
    fn oip_35_batch_1_an_answer_with_other_rows_than_were_asked_for_loses_the_whole() {
        let mut batch = Batch { all: 3, left: (0..3).collect(), why: vec![None; 3], ..Batch::default() };
        asks(&mut batch, 0);
        batch.keep(&answer(&[0, 1]), &[1]);
        assert_eq!(batch.whole(&answer(&[7])).map(Cow::into_owned), None);
    }

    #[test]
    fn oip_35_nothing_is_told_of_rows_where_one_tier_answers_all() {
        let batch = Batch { all: 2, left: vec![0, 1], why: vec![None; 2], ..Batch::default() };
        assert_eq!(batch.told((1, Reason::Upstream5xx)), []);
        assert_eq!(batch.whole(&answer(&[7])).map(Cow::into_owned), Some(answer(&[7])), "as it is");
    }

    #[test]
    fn oip_35_a_row_without_a_reason_of_its_own_has_that_of_the_answer() {
        let mut batch =
            Batch { all: 2, left: vec![0, 1], why: vec![None, Some(Reason::FeatureMissing)], ..Batch::default() };
        asks(&mut batch, 1);
        batch.keep(&answer(&[1, 2]), &[1]);
        let told = batch.told((2, Reason::BreakerOpen));
        assert!(matches!(&told[1].1, Parameter::String(text) if text == "BREAKER_OPEN,LOW_CONFIDENCE"), "{told:?}");
    }
}
