//! Post: what a route does to every answer, done in one place, whichever tier gave it and however it is sent.
//!
//! What the steps are, and what each does to a text or a number, is `config`'s. Here an answer is taken apart and put together
//! again: tensors, the texts of a completion, and the pieces of a stream. It stands behind the contract and behind whoever
//! judges a confidence, before anything is kept of an answer or sent.
//!
//! # Invariants
//! - `POST-4`: nothing that a step has not seen reaches a client: an answer that cannot be taken apart is not given.
//! - `POST-5`: what a step changed is told with the position of the step and how often, and never what.
//! - `POST-6`: a step that says no, or fails to run, is no evidence against the path: it did its work (F-010).

mod chat;
mod stream;
mod tensors;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use bytes::Bytes;
use evenkeel_config::{Changes, Failed, PASSED, Post, Said};
use evenkeel_core::ResultCode;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::{
    ask::{Ask, Question},
    path::{Attempting, Chunk, Ended, Left, Notes, Piece, Pieces},
    protocol::openai::{answer::judge_chat, peek::ChatPeek},
    tensor::{InferAnswer, Prepared, Tensor},
};

/// Pieces of a stream that wait to be looked at.
const PIECES: usize = 16;

/// What a step did to an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Posted {
    /// Its position among the steps of the route, from 0.
    pub(crate) step: usize,
    /// Its key.
    pub(crate) name: &'static str,
    /// The output that it is about; none where it is about the text.
    pub(crate) output: Option<String>,
    /// Which part of it: a pattern, or what was mended; none where it has one part only.
    pub(crate) part: Option<String>,
    /// How often it changed something.
    pub(crate) changes: u64,
    /// It did not let the answer pass.
    pub(crate) failed: bool,
}

impl Posted {
    /// Says whether something was changed, and not only let pass.
    pub(crate) fn is_change(&self) -> bool {
        self.changes > 0 && self.part.as_deref() != Some(PASSED)
    }
}

/// Tells what was done.
fn told(post: &Post, changes: &Changes, failed: Option<Failed>) -> Vec<Posted> {
    let posted = |step: usize, part: &str, changes, failed| {
        let it = &post.steps()[step];
        let part = Some(part.to_owned()).filter(|part| part != it.name);
        Posted { step, name: it.name, output: it.output.clone(), part, changes, failed }
    };
    let changed = changes.iter().map(|(step, part, times)| posted(step, part, times, false));
    let failed = failed.map(|it| posted(it.step, post.steps()[it.step].name, 0, true));
    changed.chain(failed).collect()
}

/// Why an answer is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// A step does not let it pass.
    Failed(Failed),
    /// It has another form than can be looked at.
    Form(ResultCode),
}

impl From<Failed> for Unfit {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed)
    }
}

impl Unfit {
    fn result(self) -> ResultCode {
        match self {
            Self::Failed(Failed { schema: true, .. }) => ResultCode::ContractSchema,
            Self::Failed(_) => ResultCode::GuardOutput,
            Self::Form(result) => result,
        }
    }

    fn step(self) -> Option<Failed> {
        match self {
            Self::Failed(failed) => Some(failed),
            Self::Form(_) => None,
        }
    }
}

/// Does something with the steps; one that panics has not let the answer pass.
fn guarded<T>(does: impl FnOnce() -> Result<T, Unfit>) -> Result<T, Unfit> {
    catch_unwind(AssertUnwindSafe(does)).unwrap_or(Err(Unfit::Form(ResultCode::GuardOutput)))
}

/// What is done to the answer of one attempt.
pub(crate) struct Posting {
    post: Arc<Post>,
    ask: Arc<Ask>,
    /// A stream is sent before it is whole.
    early: bool,
    /// Characters of it that were sent before.
    sent: usize,
    between: Option<(Sender<Piece>, Receiver<Piece>)>,
}

impl Posting {
    /// Begins with an attempt for a request; a stream that is sent before it is whole goes on with so many characters.
    pub(crate) fn new(post: &Arc<Post>, ask: &Arc<Ask>, early: bool, sent: usize) -> Self {
        Self { post: post.clone(), ask: ask.clone(), early, sent, between: None }
    }

    /// Steps between an attempt and whoever takes its pieces; returns where the attempt sends them.
    pub(crate) fn between(&mut self, out: Pieces) -> Pieces {
        let out = out?;
        if !self.early || self.post.is_empty() {
            return Some(out);
        }
        let (sender, pieces) = channel(PIECES);
        self.between = Some((out, pieces));
        Some(sender)
    }

    /// Has the answer of the attempt go through the steps.
    pub(crate) fn behind(self, attempt: Attempting) -> Attempting {
        let Self { post, ask, sent, between, .. } = self;
        if post.is_empty() {
            return attempt;
        }
        match (between, &ask.question) {
            (Some(between), Question::Chat(_)) => Box::pin(stream::follow(attempt, between, post, sent)),
            // A stream that is whole before it is sent is looked at where it is held.
            _ if ask.is_stream() => attempt,
            _ => Box::pin(async move { whole(attempt.await, &post, &ask.question) }),
        }
    }
}

/// Does what is done to an answer in one piece.
fn whole(ended: Ended, post: &Post, question: &Question) -> Ended {
    if !ended.result.is_ok() {
        return ended;
    }
    let (notes, left) = ended.left.notes();
    let mut changes = Changes::default();
    let (left, unfit) = match left {
        Left::Found(found, left) => {
            let (left, unfit) = answer(*left, post, question, &mut changes);
            (Left::Found(found, left.into()), unfit)
        }
        left => answer(left, post, question, &mut changes),
    };
    let result = unfit.map_or(ended.result, Unfit::result);
    let notes = Notes { posted: told(post, &changes, unfit.and_then(Unfit::step)), ..notes };
    Ended { result, left: left.noted(notes), ..ended }
}

/// Returns what is left of an answer, and why it is none, where it is not given.
fn answer(left: Left, post: &Post, question: &Question, changes: &mut Changes) -> (Left, Option<Unfit>) {
    match (left, question) {
        (Left::Infer(mut answer), _) => match guarded(|| tensors::apply(&mut answer, post, changes)) {
            Ok(()) => (Left::Infer(answer), None),
            Err(unfit) => (Left::Nothing, Some(unfit)),
        },
        (Left::Judged(mut answer, low), _) => match guarded(|| tensors::apply(&mut answer, post, changes)) {
            Ok(()) => (Left::Judged(answer, low), None),
            Err(unfit) => (Left::Nothing, Some(unfit)),
        },
        (Left::Answer { headers, body, envelope, model, counts }, Question::Chat(peek)) => {
            match guarded(|| chat(&body, post, peek, changes)) {
                // What it cost was spent, whatever becomes of it.
                Err(unfit) => (Left::NoAnswer(Bytes::new(), counts), Some(unfit)),
                Ok(None) => (Left::Answer { headers, body, envelope, model, counts }, None),
                Ok(Some((body, envelope))) => (Left::Answer { headers, body, envelope, model, counts }, None),
            }
        }
        (left, _) => (left, None),
    }
}

type Enveloped = (Bytes, Box<crate::protocol::openai::envelope::Envelope>);

/// Does what is done to a completion; nothing where that changes nothing.
fn chat(body: &Bytes, post: &Post, peek: &ChatPeek, changes: &mut Changes) -> Result<Option<Enveloped>, Unfit> {
    let Some(body) = chat::whole(body, post, changes)? else { return Ok(None) };
    // Where nothing is left of it, it is no answer any more.
    let judged = judge_chat(&body, peek).map_err(|_| Unfit::Form(ResultCode::GuardOutput))?;
    Ok(Some((body, judged.envelope)))
}

/// Does what is done to a stream that is whole before anything of it is sent.
pub(crate) fn held(chunks: Vec<Chunk>, post: &Post) -> (Result<Vec<Chunk>, ResultCode>, Vec<Posted>) {
    let mut changes = Changes::default();
    let done = guarded(|| stream::whole(chunks, post, &mut changes));
    let failed = done.as_ref().err().and_then(|it| it.step());
    (done.map_err(Unfit::result), told(post, &changes, failed))
}

/// Does what is done to a text that is written down, which cannot fail later.
///
/// # Errors
/// The step that does not let it pass.
pub(crate) fn written(text: &str, post: &Post) -> Result<(String, Vec<Posted>), String> {
    let mut changes = Changes::default();
    let refused = |step: &str| format!("the answer does not pass `{step}` of `post`");
    match post.text(text, Said::Answer, &mut changes) {
        Ok(text) if text.trim().is_empty() => Err("nothing is left of the answer after the steps of `post`".into()),
        Ok(text) => Ok((text, told(post, &changes, None))),
        Err(failed) => Err(refused(post.steps()[failed.step].name)),
    }
}

/// Does what is done to tensors that are written down, for any number of rows.
///
/// # Errors
/// As [`written`].
pub(crate) fn prepared(given: Vec<Prepared>, post: &Post) -> Result<(Vec<Prepared>, Vec<Posted>), String> {
    let tensors = given.iter().map(|it| it.tensor(1)).collect::<Option<Vec<_>>>();
    let (tensors, posted) = tried(tensors.ok_or("a value does not fit its datatype")?, post)?;
    let prepared = given.into_iter().zip(tensors).map(|(it, tensor)| Prepared { data: tensor.data().to_vec(), ..it });
    Ok((prepared.collect(), posted))
}

/// Tries the steps on tensors that a tier may answer.
///
/// # Errors
/// As [`written`].
pub(crate) fn tried(tensors: Vec<Tensor>, post: &Post) -> Result<(Vec<Tensor>, Vec<Posted>), String> {
    let (mut answer, mut changes) = (InferAnswer::of(tensors), Changes::default());
    match tensors::apply(&mut answer, post, &mut changes) {
        Ok(()) => Ok((answer.outputs.into_iter().map(|it| it.tensor).collect(), told(post, &changes, None))),
        Err(unfit) => {
            let step = unfit.step().map_or("a step", |it| post.steps()[it.step].name);
            Err(format!("an answer of this tier does not pass `{step}` of `post`"))
        }
    }
}

#[cfg(test)]
mod tests;
