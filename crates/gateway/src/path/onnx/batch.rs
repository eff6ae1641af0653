//! Batch: rows of requests that wait at once, computed in one run.
//!
//! Nothing waits for company: what is queued when a thread comes is taken, up to a number of rows. Only models that compute
//! each row for itself are run so, which is proven when they are loaded.
//!
//! # Invariants
//! - `BATCH-1`: together or alone, each request gets the same answer, bit for bit.
//! - `BATCH-2`: what is wrong with one request, a panic included, is its own: the others are computed without it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use evenkeel_core::ResultCode;
use evenkeel_onnx::{Model, Tensor as Array};
use tokio::sync::oneshot;

use super::{answer, inputs, rows};
use crate::{
    path::queue::{Job, Queue},
    tensor::{Infer, InferAnswer, Mapping},
};

/// Named arrays: the inputs of a run, or its outputs.
pub(super) type Arrays = Vec<(String, Array)>;

/// What holds the tensors of a request.
pub(super) trait Asks: Send + 'static {
    /// Returns them; none of what asks for something else.
    fn infer(&self) -> Option<&Infer>;
}

/// A request that waits.
pub(super) struct Waits<A> {
    pub(super) ask: A,
    pub(super) reply: oneshot::Sender<Result<InferAnswer, ResultCode>>,
}

impl<A: Asks> Job for Waits<A> {
    fn is_wanted(&self) -> bool {
        !self.reply.is_closed()
    }
}

impl<A: Asks> Waits<A> {
    fn rows(&self) -> u64 {
        guarded(|| self.ask.infer().map_or(0, Infer::batch)).unwrap_or(0)
    }
}

/// What computes.
pub(super) struct Computer {
    pub(super) model: Model,
    pub(super) mapping: Mapping,
    /// The most rows of several requests that are computed together.
    pub(super) batch: u64,
}

impl Computer {
    /// Computes a request, and those behind it that fit; returns how many.
    pub(super) fn work<A: Asks>(&self, first: Waits<A>, queue: &Queue<Waits<A>>) -> usize {
        let mut rows = first.rows();
        let mut all = vec![first];
        while self.model.is_by_row() && rows < self.batch {
            let Some(next) = queue.next_if(|it| rows + it.rows() <= self.batch) else { break };
            rows += next.rows();
            all.push(next);
        }
        let count = all.len();
        let mut ready = Vec::with_capacity(count);
        for waits in all {
            match guarded(|| waits.ask.infer().and_then(|infer| inputs(&self.model, infer))) {
                // Where it panicked, the reply is dropped.
                None => {}
                Some(Some(inputs)) => ready.push((waits, inputs)),
                // What a request cannot be for this model, it may be for the next tier.
                Some(None) => _ = waits.reply.send(Err(ResultCode::UnsupportedFeature)),
            }
        }
        let together = if ready.len() > 1 { self.together(&ready) } else { None };
        match together {
            Some(parts) => {
                ready.into_iter().zip(parts).for_each(|((waits, _), outputs)| self.reply(waits, |_| Ok(outputs)));
            }
            None => {
                for (waits, inputs) in ready {
                    let inputs: Vec<_> = inputs.iter().map(|(name, it)| (name.as_str(), it.clone())).collect();
                    self.reply(waits, |waits| rows::run(&self.model, &inputs, &|| waits.is_wanted()));
                }
            }
        }
        count
    }

    /// Computes the rows of all in one run, and shares the outputs out; none where anything stands against it.
    fn together<A>(&self, ready: &[(Waits<A>, Arrays)]) -> Option<Vec<Arrays>> {
        let parts: Vec<&Arrays> = ready.iter().map(|it| &it.1).collect();
        guarded(|| together(&self.model, &parts)).flatten()
    }

    fn reply<A: Asks>(&self, waits: Waits<A>, compute: impl FnOnce(&Waits<A>) -> Result<Arrays, ResultCode>) {
        let made = guarded(|| {
            let infer = waits.ask.infer().ok_or(ResultCode::UnsupportedFeature)?;
            self.mapping.accept(answer(compute(&waits)?)?, infer)
        });
        // Where it panicked, the reply is dropped.
        if let Some(made) = made {
            let _ = waits.reply.send(made);
        }
    }
}

/// Computes; none where it panics, which is a bug of an operator and costs one attempt.
fn guarded<T>(compute: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(compute)).ok()
}

/// Computes inputs of several requests in one run; none where they are not rows, or one of them is refused.
fn together(model: &Model, parts: &[&Arrays]) -> Option<Vec<Arrays>> {
    let count = |part: &Arrays| {
        let mut counts = part.iter().map(|(_, it)| it.shape().first().copied());
        let first = counts.next().flatten()?;
        counts.all(|it| it == Some(first)).then_some(first)
    };
    let counts = parts.iter().map(|it| count(it)).collect::<Option<Vec<usize>>>()?;
    let mut whole: Arrays = parts.first()?.to_vec();
    for part in &parts[1..] {
        let joined = whole.into_iter().zip((*part).clone()).map(rows::joined);
        whole = joined.collect::<Result<_, _>>().ok()?;
    }
    let inputs: Vec<_> = whole.iter().map(|(name, it)| (name.as_str(), it.clone())).collect();
    let outputs = model.run(&inputs).ok()?;
    let all: usize = counts.iter().sum();
    if !outputs.iter().all(|(_, it)| it.shape().first() == Some(&all)) {
        return None;
    }
    let mut from = 0;
    let mut shared = Vec::with_capacity(parts.len());
    for count in counts {
        let part = outputs.iter().map(|(name, it)| (name.clone(), rows::cut(it, from..from + count)));
        shared.push(part.collect());
        from += count;
    }
    Some(shared)
}

#[cfg(test)]
mod tests;
