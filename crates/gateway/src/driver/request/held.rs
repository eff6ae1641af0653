//! What is held of an answer until its labels come (`quality`): of each row who answered it, and what a label is compared with.

use super::{Submission, Task};
use crate::{
    ask::{Inference, Question},
    quality::{self, Answered, ROWS, Said},
    tensor::InferAnswer,
};

impl Task {
    /// Reads what a label is compared with, of an answer that is about to be sent.
    pub(super) fn note_said(&self, answer: &InferAnswer) {
        let spec = &self.it.applied.deployment.routes[self.it.route.index()].quality;
        if let Some(truth) = spec.truth.as_ref().filter(|_| !self.it.terms.private) {
            self.said.get_or_init(|| quality::read_answer(answer, truth));
        }
    }

    /// Returns what is held of the answer.
    pub(super) fn held(&mut self) -> Answered {
        let (private, whose) = (self.it.terms.private, self.it.terms.whose);
        let said = self.said.take().unwrap_or_default();
        let all = rows(&self.it).max(said.len());
        let last = self.batch.last().unwrap_or_default();
        let tiers = self.batch.tiers(last);
        let row = |at: usize| Said {
            tier: tiers.as_ref().and_then(|it| it.get(at).copied()),
            value: said.get(at).copied().flatten(),
        };
        let lesson = self.lesson.take().filter(|_| !private);
        Answered { whose, private, rows: (0..all.min(ROWS)).map(row).collect(), lesson }
    }
}

/// Returns how many rows an answer has at least; none where it counts as one.
fn rows(it: &Submission) -> usize {
    match &it.ask.question {
        Question::Infer(Inference { infer, .. }) => usize::try_from(infer.batch()).unwrap_or(usize::MAX),
        Question::Chat(_) | Question::Embeddings(_) => 0,
    }
}
