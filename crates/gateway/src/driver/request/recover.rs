//! How the task of a request mends a stream that broke: it compares, drops what was sent, and goes on from there.
//!
//! Who is asked, and whether at all, is the core's; what is the same text is `splice`'s. Here the one meets the other, and
//! what a second model says becomes part of the stream that the first began (F-122 to F-126, F-130).
//!
//! # Invariants
//! - `MEND-1`: a client never sees the end of a second answer before that end is verified (F-125).
//! - `MEND-2`: while nothing can be sent, a comment every 5 s says that somebody is there (F-125).

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use evenkeel_core::{Disclosure, Event, Features, Input, ResultCode, Role, Splice};
use tokio::time::{Instant, Interval};

use super::{Task, answer::skipped};
use crate::{
    ask::Question,
    path::{Attempting, Chunk, Ended, Meaning, Part, Path, Pieces},
    splice::{Met, Repeated},
    sse,
    upstream::Call,
};

/// How often a client that waits hears that somebody is there.
const COMMENTS: Duration = Duration::from_secs(5);
/// Events that wait for the verified end, the first of them with the `finish_reason`: usage, and what servers send besides.
/// With more of them the attempt has failed.
const HELD: usize = 16;

/// An attempt that mends a stream.
#[derive(Debug)]
pub(super) struct Mending {
    role: Role,
    repeated: Repeated,
    /// Everything that was sent has been said again.
    caught_up: bool,
    spoken: bool,
    /// The end of its answer, until that is verified: each event, and from where on its text is new.
    held: Vec<(Chunk, usize)>,
    comments: Interval,
}

impl Mending {
    pub(super) fn new(role: Role) -> Self {
        Self::commenting(role, COMMENTS)
    }

    fn commenting(role: Role, every: Duration) -> Self {
        let comments = tokio::time::interval_at(Instant::now() + every, every);
        Self { role, repeated: Repeated::default(), caught_up: false, spoken: false, held: Vec::new(), comments }
    }
}

/// Waits until a client that waits is to hear that somebody is there; for ever where it does not wait.
pub(super) async fn patience(mending: &mut Option<Mending>) {
    match mending {
        Some(mending) if !mending.caught_up => drop(mending.comments.tick().await),
        _ => std::future::pending().await,
    }
}

impl Task {
    /// Notes an event that is sent of a stream, as long as it could be mended.
    pub(super) fn note(&mut self, chunk: &Chunk) {
        if let Some(copy) = &mut self.copy {
            copy.add(chunk);
        }
        if self.is_early() {
            self.hear(chunk);
        }
        let route = &self.it.applied.deployment.revision.routes[self.it.route.index()];
        let Question::Chat(peek) = &self.it.ask.question else { return };
        if !route.rescue || peek.n > 1 {
            return;
        }
        self.identity.get_or_insert_with(|| chunk.envelope.identity(&chunk.event.data));
        if self.sent.note(chunk) {
            self.tell(Event::Unrepeatable);
        }
    }

    /// Starts an attempt that goes on with what was sent; one that cannot be asked so is over.
    pub(super) fn go_on(&self, path: &Arc<dyn Path>, call: Call, out: Pieces) -> Attempting {
        match self.it.ask.begun(self.sent.text()) {
            Some(ask) => path.clone().attempt(Arc::new(ask), call, out),
            None => Box::pin(async { Ended::bare(ResultCode::PrefillRejected, None) }),
        }
    }

    /// Takes an event of the attempt that mends the stream.
    pub(super) async fn mend(&mut self, chunk: Chunk, meaning: Meaning) {
        let Some(mending) = self.mending.as_mut() else { return };
        if mending.caught_up {
            return self.carry(chunk, 0, meaning).await;
        }
        let first = meaning == Meaning::Content && !std::mem::replace(&mut mending.spoken, true);
        let met = match mending.role {
            Role::Continue if meaning == Meaning::Content || chunk.says.finishes => Met::Reached(0),
            Role::Continue => Met::Same,
            Role::Answer | Role::Splice => mending.repeated.meet(self.sent.text(), &chunk),
        };
        match meaning {
            Meaning::Content if first => self.tell(Event::FirstContent),
            Meaning::Content | Meaning::Reasoning => self.tell_now_and_then(),
            Meaning::Nothing => self.tell(Event::Alive),
        }
        match met {
            Met::Same => {}
            Met::Differs => self.compared(Splice::Diverged),
            // The probabilities of a word do not tell those of its second half.
            Met::Reached(from) if from > 0 && from < chunk.text().map_or(0, |it| it.len()) && self.wants_logprobs() => {
                self.compared(Splice::Diverged);
            }
            Met::Reached(from) => {
                self.compared(Splice::Matched);
                let new = chunk.text().map_or(0, |text| text.len()) > from || chunk.says.other || chunk.says.finishes;
                if new {
                    self.carry(chunk, from, meaning).await;
                }
            }
        }
    }

    fn wants_logprobs(&self) -> bool {
        let Question::Chat(peek) = &self.it.ask.question else { return false };
        peek.needs.missing_in(Features::LOGPROBS) != peek.needs
    }

    /// Tells the core how the attempt compares with what was sent.
    fn compared(&mut self, splice: Splice) {
        let (Some(running), Some(mending)) = (&self.attempt, &mut self.mending) else { return };
        mending.caught_up = splice == Splice::Matched;
        if mending.caught_up {
            self.parts.push(running.path);
        }
        self.driver.feed(Input::Splice { attempt: running.id, splice });
    }

    /// Sends an event of the attempt that mends the stream; the end of its answer waits until that is verified (MEND-1).
    async fn carry(&mut self, chunk: Chunk, from: usize, meaning: Meaning) {
        let Some(mending) = self.mending.as_mut() else { return };
        if !chunk.says.finishes && mending.held.is_empty() {
            let (identity, usage) = (self.identity.clone().unwrap_or_default(), self.told_usage(&chunk));
            let part = Part { identity: &identity, model: &self.model, evenkeel: None, usage: usage.as_deref() };
            let event = chunk.adopt(part, from);
            return self.pass_on(event, meaning).await;
        }
        if mending.held.len() == HELD {
            return self.ended(Ended::bare(ResultCode::DecodeFailed, Some(200)));
        }
        mending.held.push((chunk, from));
        self.tell_now_and_then();
    }

    /// Returns what stands in place of what an event says that the answer has cost: where it goes on with what another has
    /// begun, it knows of its own part alone (F-131).
    fn told_usage(&self, chunk: &Chunk) -> Option<String> {
        let goes_on = self.mending.as_ref().is_some_and(|mending| mending.role == Role::Continue);
        chunk.counts.told.filter(|_| goes_on).map(|last| self.bill.sum(self.begun, last))
    }

    /// Returns the last events of a stream that was sent: of one that was mended what waited for its end, with who has
    /// finished it in the very last.
    pub(super) fn ending(&mut self, disclosure: &Disclosure) -> Vec<Bytes> {
        let held = self.mending.as_mut().map(|mending| std::mem::take(&mut mending.held)).unwrap_or_default();
        let told = self.told(disclosure).json();
        let object = if self.skipped { skipped(&told) } else { told };
        let identity = self.identity.clone().unwrap_or_default();
        let last = held.len().saturating_sub(1);
        let write = |(at, (chunk, from)): (usize, (Chunk, usize))| {
            let usage = self.told_usage(&chunk);
            let evenkeel = (at == last).then_some(&*object);
            chunk.adopt(Part { identity: &identity, model: &self.model, evenkeel, usage: usage.as_deref() }, from)
        };
        let mut events: Vec<Bytes> = held.into_iter().enumerate().map(write).collect();
        events.push(Bytes::from_static(sse::DONE));
        self.mending = None;
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn f_125_a_client_that_waits_hears_of_somebody_again_and_again() {
        assert_eq!(COMMENTS, Duration::from_secs(5));
        let mut mending = Some(Mending::commenting(Role::Splice, Duration::from_millis(1)));
        for _ in 0..3 {
            patience(&mut mending).await;
        }
        mending.as_mut().expect("it is there").caught_up = true;
        for mut quiet in [mending, None] {
            tokio::select! {
                biased;
                () = patience(&mut quiet) => panic!("what follows is sent as it comes"),
                () = tokio::task::yield_now() => {}
            }
        }
    }
}
