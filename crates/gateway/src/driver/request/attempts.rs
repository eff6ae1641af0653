//! The attempts of a request, as its task runs them: one, or several at once of which the task looks at the one that was heard
//! last: a hedge beside the first (F-090), the members of an ensemble.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Context, Poll},
};

use evenkeel_core::{AttemptId, CommitPoint, Nanos, PathId, ResultCode, Role, Start};
use http::HeaderMap;
use tokio::sync::mpsc;

use super::{Task, recover::Mending};
use crate::{
    driver::hold::Hold,
    judge,
    path::{Attempting, Ended, Piece},
    post::Posting,
    upstream::Call,
};

/// Pieces of a stream that wait to be carried on.
pub(super) const PIECES: usize = 16;

/// An attempt that runs beside the one that was heard last, with everything that it has said.
pub(super) struct Beside {
    running: Option<Running>,
    hold: Hold,
    headers: HeaderMap,
    model: Arc<str>,
    told_at: Nanos,
}

pub(super) struct Running {
    pub(super) id: AttemptId,
    pub(super) path: PathId,
    /// Only a stream has pieces.
    pieces: Option<mpsc::Receiver<Piece>>,
    future: Attempting,
    /// How it ended, while its last pieces are still on their way.
    ended: Option<Ended>,
}

impl Running {
    /// An attempt that has just been started.
    pub(super) fn new(
        (id, path): (AttemptId, PathId),
        pieces: Option<mpsc::Receiver<Piece>>,
        future: Attempting,
    ) -> Self {
        Self { id, path, pieces, future, ended: None }
    }
}

impl Task {
    pub(super) fn start(&mut self, start: &Start) {
        if self.attempt.is_some() {
            let aside = self.aside();
            self.beside.push(aside);
        }
        self.forget();
        let voter = self.votes(start);
        let path = self.it.applied.paths[start.path.index()].clone();
        let call = Call { replica: start.replica.index(), budget: start.budget, fresh: start.fresh };
        let (out, pieces) = match self.it.ask.is_stream() {
            true => Some(mpsc::channel(PIECES)).unzip(),
            false => (None, None),
        };
        let deployment = &self.it.applied.deployment;
        let most = usize::try_from(deployment.paths[start.path.index()].max_answer).unwrap_or(usize::MAX);
        // Nobody knows yet whose it will be, so all of it is held.
        let commit = if voter { CommitPoint::Full } else { deployment.revision.routes[self.it.route.index()].commit };
        self.hold = Hold::new(commit, most);
        self.steps = start.steps;
        let accept = self.accept(start.path);
        let ask = self.batch.ask(&self.it.ask, (start.tier, self.it.imputed()));
        debug_assert!(self.batch.agrees(start.rows), "BATCH-2: the core counts the same rows");
        let sent = if start.role == Role::Continue { self.sent.text().chars().count() } else { 0 };
        let mut posting =
            Posting::new(&deployment.routes[self.it.route.index()].post, &self.it.ask, self.is_early(), sent);
        let out = posting.between(out);
        let asked = self.asked();
        let future = match (self.search(start), start.role, ask) {
            (Some(search), ..) => search,
            (None, Role::Answer | Role::Splice, None) => lost(),
            (None, Role::Answer | Role::Splice, Some(ask)) => match (self.voted_output().filter(|_| voter), accept) {
                (Some(output), accept) => judge::voter(path, &ask, call, (accept, output, self.voted_confidence())),
                (None, Some(accept)) if accept.confidence.is_of_text() => {
                    judge::text::attempt(path, &ask, (call, out), (accept, asked))
                }
                (None, Some(accept)) => judge::attempt(path, &ask, call, (accept, asked)),
                (None, None) => path.attempt(ask, call, out),
            },
            (None, Role::Continue, _) => {
                self.bill.reads(start.attempt, self.sent.text().len());
                self.go_on(&path, call, out)
            }
        };
        let future = posting.behind(future);
        self.mending = (start.role != Role::Answer).then(|| Mending::new(start.role));
        self.attempt = Some(Running::new((start.attempt, start.path), pieces, future));
    }

    /// Says whether a stream of its route may be sent before it is whole.
    pub(super) fn is_early(&self) -> bool {
        self.it.applied.deployment.revision.routes[self.it.route.index()].commit != CommitPoint::Full
    }

    /// Puts the attempt that is looked at aside, with everything that it has said.
    pub(super) fn aside(&mut self) -> Beside {
        let hold = std::mem::replace(&mut self.hold, Hold::new(CommitPoint::FirstContent, 0));
        let (headers, model) = (std::mem::take(&mut self.headers), self.model.clone());
        Beside { running: self.attempt.take(), hold, headers, model, told_at: self.told_at }
    }

    /// Looks at an attempt that was put aside, with everything that it has said.
    pub(super) fn look_at(&mut self, other: Beside) {
        let Beside { running, hold, headers, model, told_at } = other;
        (self.attempt, self.hold, self.headers) = (running, hold, headers);
        (self.model, self.told_at) = (model, told_at);
    }

    /// Turns to another of several attempts.
    pub(super) fn turn(&mut self, to: usize) {
        let other = self.beside.swap_remove(to);
        if self.attempt.is_some() {
            let aside = self.aside();
            self.beside.push(aside);
        }
        self.look_at(other);
    }

    /// Stops an attempt, and turns to another where there is one.
    pub(super) fn drop_attempt(&mut self, attempt: AttemptId) {
        let is = |running: &Option<Running>| running.as_ref().is_some_and(|it| it.id == attempt);
        if is(&self.attempt) {
            (self.attempt, self.mending) = (None, None);
            self.forget();
            if let Some(other) = self.beside.pop() {
                self.look_at(other);
            }
        } else {
            self.beside.retain(|other| !is(&other.running));
        }
    }

    /// What an attempt has said is gone with it (F-020).
    pub(super) fn forget(&mut self) {
        self.headers = HeaderMap::new();
        self.hold = Hold::new(CommitPoint::FirstContent, 0);
        self.told_at = 0;
    }
}

/// An attempt for rows that cannot be told apart.
fn lost() -> Attempting {
    Box::pin(std::future::ready(Ended::bare(ResultCode::PathPanic, None)))
}

/// What a running attempt does next.
pub(super) enum Happened {
    Piece(Piece),
    Ended(Ended),
}

/// Waits for what one of the others does next, and says which; for ever where none runs beside.
pub(super) async fn beside(others: &mut [Beside]) -> (usize, Happened) {
    poll_fn(|context| {
        for (at, other) in others.iter_mut().enumerate() {
            if let Some(Poll::Ready(happened)) = other.running.as_mut().map(|it| it.poll(context)) {
                return Poll::Ready((at, happened));
            }
        }
        Poll::Pending
    })
    .await
}

/// Waits for what a running attempt does next; for ever where none runs.
pub(super) async fn next(attempt: &mut Option<Running>) -> Happened {
    let Some(running) = attempt else { return std::future::pending().await };
    poll_fn(|context| running.poll(context)).await
}

impl Running {
    /// Looks what it does next. Pieces come before the end that followed them.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Happened> {
        loop {
            if let Some(pieces) = &mut self.pieces
                && let Poll::Ready(Some(piece)) = pieces.poll_recv(context)
            {
                return Poll::Ready(Happened::Piece(piece));
            }
            if let Some(ended) = self.ended.take() {
                return Poll::Ready(Happened::Ended(ended));
            }
            // A path that panics costs its attempt, and no more (TN-14).
            let polled = catch_unwind(AssertUnwindSafe(|| self.future.as_mut().poll(context)));
            match polled.unwrap_or_else(|_| Poll::Ready(Ended::bare(ResultCode::PathPanic, None))) {
                Poll::Ready(ended) => self.ended = Some(ended),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
