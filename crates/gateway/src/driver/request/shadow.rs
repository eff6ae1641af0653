//! The copy of a request, for a tier that its client did not need (F-150, F-151).
//!
//! Whether there is one, of what, and what its end means is the core's. It has a task of its own: that of its request ends with
//! the record, and a client never waits for this one.
//!
//! # Invariants
//! - `COPY-1`: nothing of it goes to the client, to its record or its bill; it begins when the reply is on its way.
//! - `COPY-2`: the body stays counted for as long as the copy runs (F-087), and nothing else of the request is kept but a short
//!   text, or the tensors, that its client got.
//! - `COPY-3`: the core hears one end of each: how it ended, or that the copy was given up.

use std::sync::Arc;

use evenkeel_config::Post;
use evenkeel_core::{AttemptId, CommitPoint, Event, Input, Nanos, ResultCode, RouteId, Source, Start};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::{
    Task,
    attempts::{Happened, PIECES, Running, next},
};
use crate::{
    ask::Ask,
    bodies::Held,
    calibration::Scale,
    driver::Driver,
    events::Events,
    path::{Chunk, Ended, Left, Meaning, Piece},
    post::Posting,
    quality,
    shadow::{Given, SHORT, Shadowed, compare},
    snapshot::Applied,
    upstream::Call,
};

/// The least time between two words to the core of a stream that goes on.
const NEWS: Nanos = 250_000_000;

/// A copy that the core wants, and what its client got.
pub(super) struct Wanted {
    start: Start,
    given: Given,
    /// Whose answer that is, where one tier gave all of it.
    by: Option<u8>,
}

/// A copy on its way.
struct Copied {
    driver: Arc<Driver>,
    events: Arc<Events>,
    applied: Arc<Applied>,
    route: RouteId,
    ask: Arc<Ask>,
    _held: Arc<Held>,
    start: Start,
    given: Given,
    by: Option<u8>,
    /// When it began, and when the core last heard of progress.
    began: Nanos,
    told_at: Nanos,
    spoken: bool,
    /// What its stream has said, as far as it may be compared.
    text: String,
    /// The core has heard its end.
    over: bool,
}

impl Task {
    /// Notes that a copy is wanted, with what the client gets.
    pub(super) fn want_shadow(&mut self, start: Start) {
        let given = match self.source {
            Some((Source::Attempt(attempt), _)) => self.given(attempt),
            _ => Given::Nothing,
        };
        let by = self.source.and_then(|(_, tier)| tier).filter(|_| self.batch.is_of_one());
        self.shadow = Some(Wanted { start, given, by });
    }

    /// Returns what the client gets of an attempt, as far as it can be compared.
    pub(super) fn given(&self, attempt: AttemptId) -> Given {
        if self.it.ask.is_stream() && self.begun.is_none() {
            // What was held as a whole was not looked at.
            return Given::Nothing;
        }
        if self.it.ask.is_stream() {
            return Given::Text(self.sent.text().chars().take(SHORT + 1).collect());
        }
        if let Some(voted) = Some(attempt).filter(|it| self.is_vote(*it)).and_then(|_| self.voted()) {
            return self.batch.whole(&voted).map_or(Given::Nothing, |whole| Given::Infer(whole.into_owned()));
        }
        match self.ended.iter().find(|it| it.0 == attempt).map(|it| &it.3) {
            Some(Left::Answer { body, .. }) => said(body),
            Some(Left::Infer(last) | Left::Judged(last, _)) => {
                self.batch.whole(last).map_or(Given::Nothing, |whole| Given::Infer(whole.into_owned()))
            }
            _ => Given::Nothing,
        }
    }

    /// Starts the copy that is wanted, if one is.
    pub(super) fn cast_shadow(&mut self) {
        let Some(Wanted { start, given, by }) = self.shadow.take() else { return };
        let Some(stopped) = self.driver.shadowing(start.attempt) else { return };
        let began = self.driver.clock.now();
        let copied = Copied {
            driver: self.driver.clone(),
            events: self.events.clone(),
            applied: self.it.applied.clone(),
            route: self.it.route,
            ask: self.it.ask.clone(),
            _held: self.it._held.clone(),
            start,
            given,
            by,
            began,
            told_at: began,
            spoken: false,
            text: String::new(),
            over: false,
        };
        #[expect(clippy::disallowed_methods, reason = "the core has a clock for it, and ends it with the process")]
        tokio::spawn(copied.run(stopped));
    }
}

impl Drop for Task {
    /// A copy that never began says nothing about its path (COPY-3).
    fn drop(&mut self) {
        if let Some(Wanted { start, .. }) = self.shadow.take() {
            let event = Event::Ended { result: ResultCode::Drained, status: None, after: None };
            self.driver.feed(Input::Attempt { attempt: start.attempt, event });
        }
    }
}

impl Copied {
    async fn run(mut self, mut stopped: oneshot::Receiver<ResultCode>) {
        let Start { attempt, path, replica, budget, .. } = self.start;
        let call = Call { replica: replica.index(), budget, fresh: false };
        let (out, pieces) = match self.ask.is_stream() {
            true => Some(mpsc::channel(PIECES)).unzip(),
            false => (None, None),
        };
        // What the client got went through the steps of the route, and what a step refuses is no answer of its tier.
        let mut posting = Posting::new(&self.steps(), &self.ask, self.is_early(), 0);
        let out = posting.between(out);
        let future = self.applied.paths[path.index()].clone().attempt(self.ask.clone(), call, out);
        let future = posting.behind(future);
        let mut running = Some(Running::new((attempt, path), pieces, future));
        loop {
            tokio::select! {
                biased;
                result = &mut stopped => {
                    drop(running);
                    self.over = true;
                    self.tell(Event::Closed);
                    // Without a word the core was lost, and what it had begun with it.
                    if let Ok(result) = result {
                        self.record(result, &Given::Nothing);
                    }
                    return;
                }
                happened = next(&mut running) => match happened {
                    Happened::Piece(piece) => self.piece(piece),
                    Happened::Ended(ended) => return self.ended(ended),
                },
            }
        }
    }

    /// Returns what its route does to every answer.
    fn steps(&self) -> Arc<Post> {
        self.applied.deployment.routes[self.route.index()].post.clone()
    }

    /// Says whether a stream of its route may be sent before it is whole.
    fn is_early(&self) -> bool {
        self.applied.deployment.revision.routes[self.route.index()].commit != CommitPoint::Full
    }

    fn piece(&mut self, piece: Piece) {
        match piece {
            Piece::Event(chunk, Meaning::Content) => self.content(&chunk),
            Piece::Event(_, Meaning::Reasoning) => self.progress(),
            Piece::Slow(said) => self.tell(Event::Slow { said }),
            Piece::Event(_, Meaning::Nothing) | Piece::Last(_) | Piece::Alive => self.tell(Event::Alive),
            Piece::Begin(..) | Piece::Skipped => {}
        }
    }

    fn content(&mut self, chunk: &Chunk) {
        if self.text.len() <= SHORT {
            self.text.push_str(&chunk.text().unwrap_or_default());
        }
        match std::mem::replace(&mut self.spoken, true) {
            false => self.tell(Event::FirstContent),
            true => self.progress(),
        }
    }

    /// Tells the core of progress, now and then.
    fn progress(&mut self) {
        let stall = self.applied.deployment.revision.paths[self.start.path.index()].clocks.stall;
        let now = self.driver.clock.now();
        if now.saturating_sub(self.told_at) >= (stall / 8).min(NEWS) || !self.spoken {
            self.told_at = now;
            self.tell(Event::Progress);
        }
    }

    fn ended(mut self, ended: Ended) {
        let Ended { result, status, after, left } = ended;
        self.over = true;
        self.driver.shadow_over(self.start.attempt);
        self.tell(Event::Ended { result, status, after });
        let shadow = match left.notes().1.documents().1 {
            Left::Answer { body, .. } => said(&body),
            Left::Infer(answer) | Left::Judged(answer, _) => Given::Infer(answer),
            // Of a stream that goes through the steps when it is whole, nobody holds all that they need.
            _ if self.ask.is_stream() && !self.is_early() && !self.steps().is_empty() => Given::Nothing,
            _ if result.is_ok() && self.ask.is_stream() => Given::Text(std::mem::take(&mut self.text)),
            _ => Given::Nothing,
        };
        self.record(result, &shadow);
    }

    /// Keeps what came of it.
    fn record(&self, result: ResultCode, shadow: &Given) {
        let deployment = &self.applied.deployment;
        let took = self.driver.clock.now().saturating_sub(self.began);
        let of = (self.ask.decision.as_str(), self.start.tier, self.start.path);
        let mut shadowed = Shadowed::new(&deployment.revision, of, (result, took));
        shadowed.against = self.by;
        if result.is_ok() {
            shadowed.compared = compare(&self.given, shadow, deployment.routes[self.route.index()].tolerance);
        }
        let scale = self.applied.scales[self.start.path.index()].as_ref();
        if let (Some(Scale::Live(live)), true, Given::Infer(first), Given::Infer(own)) =
            (scale, self.by == Some(0) && result.is_ok(), &self.given, shadow)
        {
            live.learn(self.driver.clock.wall(self.driver.clock.now()), first, own);
        }
        let truth = deployment.routes[self.route.index()].quality.truth.as_ref().filter(|_| result.is_ok());
        let said = match (truth, shadow) {
            (Some(truth), Given::Infer(own)) => quality::read_answer(own, truth),
            _ => Vec::new(),
        };
        self.events.shadow(shadowed, said);
    }

    fn tell(&self, event: Event) {
        self.driver.feed(Input::Attempt { attempt: self.start.attempt, event });
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        if !self.over {
            self.driver.shadow_over(self.start.attempt);
            self.tell(Event::Ended { result: ResultCode::Drained, status: None, after: None });
        }
    }
}

/// Returns the text of a chat that was answered whole.
fn said(body: &[u8]) -> Given {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else { return Given::Nothing };
    let choices = answer["choices"].as_array().map_or(&[][..], Vec::as_slice);
    match choices {
        [only] => only["message"]["content"].as_str().map_or(Given::Nothing, |text| Given::Text(text.into())),
        _ => Given::Nothing,
    }
}
