//! The row that a request leaves behind, once its client has been answered, for whoever compares it with the reference of its route.
//!
//! # Invariants
//! - `LEAVE-1`: of several rows one is left, drawn by a hash of the request; of its outputs those of the first tier alone, as they
//!   were before the steps of the route. The words of a chat are those after them.
//! - `LEAVE-2`: what the first tier was not sure enough of counts as what it was sure of: else the threshold would be what drifts.

use std::{borrow::Cow, sync::Arc};

use evenkeel_config::Answered;
use evenkeel_core::{AttemptId, AttemptRecord, Decision, ResultCode, Role, Source};

use super::Task;
use crate::{
    ask::Question,
    bill::Spent,
    drift::{Held, Monitor, Output, Row, Words, chosen, nanos},
    events::Whose,
    guard::{Seen, decimal},
    path::{Chunk, Left},
    shadow::Given,
    tensor::{Datatype, InferAnswer, Tensor},
};

/// The rows of a request that was judged.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) seen: Vec<Seen>,
    /// How many there are, of which some were seen.
    pub(super) of: u64,
    /// What the first tier has answered to them.
    pub(super) first: First,
}

/// The attempt in which the first tier has answered, whether that was accepted or not.
#[derive(Debug, Default)]
pub(super) struct First {
    attempt: Option<AttemptId>,
    /// How sure it was of each row, where somebody asked.
    sure: Arc<[Option<f64>]>,
    /// What it cost, where the server told.
    tokens: Option<u64>,
}

/// What was said of a stream, and by whom; nothing where several have written it.
#[derive(Debug, Default)]
pub(super) struct Spoken {
    by: Option<AttemptId>,
    words: Words,
}

impl Task {
    fn monitor(&self) -> Option<&Arc<Monitor>> {
        self.it.applied.monitors[self.it.route.index()].as_ref()
    }

    /// Notes an event of a stream, where its words are compared.
    pub(super) fn hear(&mut self, chunk: &Chunk) {
        let wanted = self.monitor().is_some_and(|it| it.reads_words());
        let Some(by) = self.attempt.as_ref().map(|it| it.id).filter(|_| wanted) else { return };
        if self.spoken.by != Some(by) {
            self.spoken = Spoken { by: Some(by), words: Words::default() };
        }
        self.spoken.words.note(chunk);
    }

    /// Notes all of a stream that was held to its end.
    pub(super) fn hear_held(&mut self) {
        if !self.monitor().is_some_and(|it| it.reads_words()) {
            return;
        }
        let chunks = self.hold.take();
        chunks.iter().for_each(|it| self.hear(it));
        self.hold.replace(chunks);
    }

    /// Returns how the first tier has answered; nothing where it did not, or by a vote.
    pub(super) fn first(&self, decision: &Decision, spent: &[(AttemptId, Spent)]) -> First {
        let route = &decision.revision.routes[decision.route.index()];
        if self.monitor().is_none() || route.tiers[0].ensemble.is_some() {
            return First::default();
        }
        let answers = |it: ResultCode| it.is_ok() || it == ResultCode::LowConfidence;
        let own = |it: &&AttemptRecord| it.tier == 0 && it.role == Role::Answer && answers(it.result);
        let Some(id) = decision.attempts.iter().rfind(own).map(|it| it.attempt) else { return First::default() };
        let mut notes = self.notes.iter().filter(|(whose, _)| *whose == Whose::Attempt(id));
        let judged = notes.find_map(|(_, notes)| notes.judged.as_ref());
        let told = spent.iter().find(|it| it.0 == id && !it.1.estimated);
        First {
            attempt: Some(id),
            sure: judged.map(|it| it.said.clone()).unwrap_or_default(),
            tokens: told.map(|it| it.1.usage.completion_tokens),
        }
    }

    /// Leaves a row behind, where somebody compares it.
    pub(super) fn leave_row(&mut self) {
        let Rows { mut seen, of, first } = std::mem::take(&mut self.rows);
        let Some(monitor) = self.monitor() else { return };
        let (read, entropy) = (seen.len() as u64, self.it.terms.entropy);
        let at = chosen(entropy, read) as usize;
        if at >= seen.len() {
            return;
        }
        let Seen { scalars, score } = seen.swap_remove(at);
        monitor.offer(entropy, || {
            // Of rows that were picked out of many it is not known which they are in the answer.
            let wanted = read == of && monitor.reads_answers();
            let answer = if wanted { self.first_answer(&first) } else { Answer::default() };
            let value = |it| answer.value(it, &first, (at, of));
            Row {
                at: nanos(self.driver.clock.wall(self.driver.clock.now())),
                entropy,
                session: self.it.ask.turn().map(|turn| turn.sequence.key).or(self.it.terms.session),
                inputs: scalars,
                score: score.map(|it| f64::from(it.s)),
                outputs: monitor.outputs.iter().map(value).collect(),
                text: answer.words.as_ref().filter(|_| monitor.text).map(|it| it.text().map(Into::into)),
            }
        });
    }

    /// Returns what the first tier answered.
    fn first_answer(&self, first: &First) -> Answer<'_> {
        let left = first.attempt.and_then(|id| self.ended.iter().find(|it| it.0 == id)).map(|it| &it.3);
        match (&self.it.ask.question, left) {
            (Question::Chat(_), Some(Left::Answer { body, .. })) => {
                Answer { words: Words::of(body), ..Answer::default() }
            }
            (Question::Chat(peek), _) if peek.stream => {
                let own = first.attempt.is_some() && self.spoken.by == first.attempt && peek.n <= 1;
                Answer { words: own.then(|| self.spoken.words.clone()), ..Answer::default() }
            }
            (Question::Infer(_), Some(Left::Infer(answer) | Left::Judged(answer, _))) => {
                Answer { tensors: Some(Cow::Borrowed(answer)), ..Answer::default() }
            }
            (Question::Infer(_), _) => Answer { tensors: self.voted_first().map(Cow::Owned), ..Answer::default() },
            _ => Answer::default(),
        }
    }

    /// Returns what the first tier answered by a vote, where it alone answered.
    fn voted_first(&self) -> Option<InferAnswer> {
        let Some((Source::Attempt(attempt), Some(0))) = self.source else { return None };
        match self.given(attempt) {
            Given::Infer(answer) if self.batch.is_of_one() => Some(answer),
            _ => None,
        }
    }
}

/// What the first tier answered, in whatever form it did.
#[derive(Default)]
struct Answer<'a> {
    tensors: Option<Cow<'a, InferAnswer>>,
    words: Option<Words>,
}

impl Answer<'_> {
    /// Returns an output of one row; none where the first tier did not give it.
    fn value(&self, of: &Output, first: &First, (at, rows): (usize, u64)) -> Option<Held> {
        let name = |it: &str| Held::Name(it.into());
        match of.is {
            Answered::Tensor => output(self.tensors.as_ref()?, of, (at, rows)),
            // Of fewer rows than there are it is not known which they are.
            Answered::Confidence if first.sure.len() as u64 == rows => {
                Some(first.sure.get(at)?.map_or(Held::Missing, Held::Number))
            }
            Answered::Tokens => first.tokens.map(|it| Held::Number(it as f64)),
            Answered::Finish => Some(self.words.as_ref()?.finish.as_deref().map_or(Held::Missing, name)),
            Answered::Refusal => Some(name(if self.words.as_ref()?.refused { "true" } else { "false" })),
            Answered::Confidence | Answered::Text => None,
        }
    }
}

/// Returns an output of one row; none where the answer does not have it row by row.
fn output(answer: &InferAnswer, of: &Output, (at, rows): (usize, u64)) -> Option<Held> {
    let tensor = answer.unposted(&of.name)?;
    let row_by_row = matches!(*tensor.shape(), [it] | [it, 1] if it == rows);
    row_by_row.then(|| element(tensor, at, of.names))
}

fn element(tensor: &Tensor, at: usize, names: bool) -> Held {
    let number = match tensor.datatype() {
        Datatype::Bytes => {
            let text = tensor.strings().nth(at).and_then(|it| std::str::from_utf8(it).ok()).filter(|_| names);
            return text.map_or(Held::Invalid, |it| Held::Name(it.into()));
        }
        Datatype::Fp32 => tensor.element(at).map(|it| decimal::of(f32::from_le_bytes(it))),
        _ => tensor.number(at),
    };
    match number {
        Some(number) if names && number.is_finite() => Held::Name(number.to_string().into()),
        Some(number) if !names => Held::Number(number),
        _ => Held::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leave_1_an_output_is_that_of_the_row_and_of_the_kind_that_the_reference_has() {
        let score = Tensor::from_f32("score", vec![3, 1], &[0.1, 0.2, 0.3]).expect("three");
        let label = Tensor::from_bytes("label", vec![3], &["a", "b", "c"]).expect("three");
        let wide = Tensor::from_f32("wide", vec![3, 2], &[0.0; 6]).expect("six");
        let answer = InferAnswer::of([score, label, wide]);
        let read =
            |name: &str, names| output(&answer, &Output { name: name.into(), is: Answered::Tensor, names }, (1, 3));
        assert_eq!(read("score", false), Some(Held::Number(0.2)), "the decimal that was written");
        assert_eq!(read("label", true), Some(Held::Name("b".into())));
        assert_eq!(read("label", false), Some(Held::Invalid), "a text is no number");
        assert_eq!(read("score", true), Some(Held::Name("0.2".into())));
        assert_eq!([read("wide", false), read("other", false)], [None, None], "there is no such value of a row");
    }
}
