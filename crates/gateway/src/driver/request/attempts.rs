//! The attempts of a request, as its task runs them: one, or two at once of which the task looks at the one that was heard
//! last (F-090).

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::Poll,
};

use evenkeel_core::{AttemptId, CommitPoint, Nanos, PathId, ResultCode, Role, Start};
use http::HeaderMap;
use tokio::sync::mpsc;

use super::{Task, recover::Mending};
use crate::{
    driver::hold::Hold,
    judge,
    path::{Attempting, Ended, Piece},
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
            self.beside = Some(Beside {
                running: None,
                hold: Hold::new(CommitPoint::FirstContent, 0),
                headers: HeaderMap::new(),
                model: "".into(),
                told_at: 0,
            });
            self.turn();
        }
        self.forget();
        let path = self.it.applied.paths[start.path.index()].clone();
        let call = Call { replica: start.replica.index(), budget: start.budget, fresh: start.fresh };
        let (out, pieces) = match self.it.ask.is_stream() {
            true => Some(mpsc::channel(PIECES)).unzip(),
            false => (None, None),
        };
        let deployment = &self.it.applied.deployment;
        let most = usize::try_from(deployment.paths[start.path.index()].max_answer).unwrap_or(usize::MAX);
        self.hold = Hold::new(deployment.revision.routes[self.it.route.index()].commit, most);
        let accept = deployment.paths[start.path.index()].accept.clone();
        let ask = self.batch.ask(&self.it.ask, (start.tier, self.it.imputed()));
        debug_assert!(self.batch.agrees(start.rows), "BATCH-2: the core counts the same rows");
        let future = match (start.role, ask) {
            (Role::Answer | Role::Splice, None) => lost(),
            (Role::Answer | Role::Splice, Some(ask)) => match accept {
                Some(accept) => judge::attempt(path, &ask, call, accept),
                None => path.attempt(ask, call, out),
            },
            (Role::Continue, _) => {
                self.bill.goes_on(start.attempt, self.sent.text().len());
                self.go_on(&path, call, out)
            }
        };
        self.mending = (start.role != Role::Answer).then(|| Mending::new(start.role));
        self.attempt = Some(Running::new((start.attempt, start.path), pieces, future));
    }

    /// Turns to the other of two attempts, with everything that it has said.
    pub(super) fn turn(&mut self) {
        let Some(other) = &mut self.beside else { return };
        std::mem::swap(&mut self.attempt, &mut other.running);
        std::mem::swap(&mut self.hold, &mut other.hold);
        std::mem::swap(&mut self.headers, &mut other.headers);
        std::mem::swap(&mut self.model, &mut other.model);
        std::mem::swap(&mut self.told_at, &mut other.told_at);
    }

    /// Stops an attempt, and turns to the other where there is one.
    pub(super) fn drop_attempt(&mut self, attempt: AttemptId) {
        let is = |running: &Option<Running>| running.as_ref().is_some_and(|it| it.id == attempt);
        if is(&self.attempt) {
            (self.attempt, self.mending) = (None, None);
            self.forget();
            self.turn();
            self.beside = None;
        } else if self.beside.as_ref().is_some_and(|other| is(&other.running)) {
            self.beside = None;
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

/// Waits for what the other of two attempts does next; for ever where none runs beside.
pub(super) async fn beside(other: &mut Option<Beside>) -> Happened {
    match other {
        Some(other) => next(&mut other.running).await,
        None => std::future::pending().await,
    }
}

/// Waits for what a running attempt does next; for ever where none runs. Pieces come before the end that followed them.
pub(super) async fn next(attempt: &mut Option<Running>) -> Happened {
    let Some(running) = attempt else { return std::future::pending().await };
    poll_fn(|context| {
        loop {
            if let Some(pieces) = &mut running.pieces
                && let Poll::Ready(Some(piece)) = pieces.poll_recv(context)
            {
                return Poll::Ready(Happened::Piece(piece));
            }
            if let Some(ended) = running.ended.take() {
                return Poll::Ready(Happened::Ended(ended));
            }
            // A path that panics costs its attempt, and no more (TN-14).
            let polled = catch_unwind(AssertUnwindSafe(|| running.future.as_mut().poll(context)));
            match polled.unwrap_or_else(|_| Poll::Ready(Ended::bare(ResultCode::PathPanic, None))) {
                Poll::Ready(ended) => running.ended = Some(ended),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await
}
