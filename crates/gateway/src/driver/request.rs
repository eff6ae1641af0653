//! The task of one request: it admits, carries out what the core wants, reports what happens, and ends with the record.
//!
//! It owns the request, not the connection's handler (F-171): when the handler is dropped, a guard says so, and the task
//! still runs to the record.
//!
//! # Invariants
//! - `TASK-1`: nothing goes to the client before the core commits or answers (rule 7).
//! - `TASK-2`: the record is kept before the client can have read the end of its answer.
//! - `TASK-3`: while we wait for the client to read, its path is not blamed for silence (CL-05).

mod answer;
mod client;
mod recover;

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use evenkeel_core::{
    Admit, AttemptId, CommitPoint, Decision, Disclosure, Event, Input, Nanos, Operation, Output, PathId, RequestId,
    ResultCode, Role, RouteId, Start,
};
use http::HeaderMap;
use tokio::sync::{mpsc, oneshot};

pub(crate) use self::client::Presence;
use self::{
    answer::{labelled, skipped},
    client::{Client, UNEXCUSED, Unread},
    recover::Mending,
};
use super::{
    Driver, Mail, Mailbox,
    hold::{Full, Hold},
};
use crate::{
    ask::Ask,
    bodies::Held,
    events::Events,
    path::{Attempting, Chunk, Ended, Left, Meaning, Piece},
    protocol::{
        openai::{envelope::Identity, error::error_event},
        problem::Problem,
    },
    reply::{self, Reply},
    snapshot::Applied,
    splice::Sent,
    sse,
    upstream::Call,
};

/// Pieces of a stream that wait to be carried on.
const PIECES: usize = 16;

/// A request on its way, from the handler's side.
pub(crate) struct Submission {
    pub(crate) applied: Arc<Applied>,
    pub(crate) route: RouteId,
    pub(crate) ask: Arc<Ask>,
    pub(crate) terms: Terms,
    /// Counts the body until the request is over.
    pub(crate) _held: Arc<Held>,
}

/// What the client asks of the decision itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) operation: Operation,
    pub(crate) entropy: u64,
    pub(crate) deadline: Option<Nanos>,
    pub(crate) max_tier: Option<u8>,
    pub(crate) cost: u64,
    pub(crate) weight: u64,
    pub(crate) tokens: u64,
    pub(crate) needs: evenkeel_core::Features,
    pub(crate) bodies: evenkeel_core::Permille,
}

/// Admits a request and starts its task; returns where its reply arrives, and the guard to keep until it was sent. None
/// where another revision has come into force since the submission was made: it is to be made again.
pub(crate) fn submit(
    driver: &Arc<Driver>,
    events: &Arc<Events>,
    it: Submission,
) -> Option<(oneshot::Receiver<Reply>, Presence)> {
    let (id, mail) = driver.admit(&it.applied.deployment.revision, |id| it.admission(id))?;
    let (reply, receiver) = oneshot::channel();
    let (presence, gone) = Presence::new();
    let task = Task {
        client: Client::new(reply, gone, Duration::from_nanos(it.applied.deployment.server.write.0)),
        attempt: None,
        beside: None,
        ended: Vec::new(),
        hold: Hold::new(CommitPoint::FirstContent, 0),
        headers: HeaderMap::new(),
        model: "".into(),
        object: String::new(),
        sent: Sent::default(),
        identity: None,
        mending: None,
        skipped: false,
        parts: Vec::new(),
        finish: None,
        told_at: 0,
        unread: false,
        id,
        driver: driver.clone(),
        events: events.clone(),
        it,
    };
    #[expect(clippy::disallowed_methods, reason = "the driver counts its open requests, and a drain waits for them")]
    tokio::spawn(task.run(mail));
    Some((receiver, presence))
}

impl Submission {
    fn admission(&self, request: RequestId) -> Admit {
        let Terms { operation, entropy, deadline, max_tier, cost, weight, tokens, needs, bodies } = self.terms;
        Admit {
            request,
            route: self.route,
            operation,
            deadline,
            entropy,
            cost,
            weight,
            needs,
            tokens,
            max_tier,
            pure: self.ask.is_pure(),
            bodies,
        }
    }
}

/// What is sent once the record is kept.
enum Finish {
    Reply(Reply),
    /// The last events of a stream that has begun.
    Events(Vec<Bytes>),
}

struct Task {
    driver: Arc<Driver>,
    events: Arc<Events>,
    it: Submission,
    id: RequestId,
    client: Client,
    attempt: Option<Running>,
    /// The other of two that run (F-090).
    beside: Option<Beside>,
    /// What attempts that are over left for the client, in case it is theirs to see.
    ended: Vec<(AttemptId, Option<u16>, ResultCode, Left)>,
    hold: Hold,
    /// Headers that the running attempt brought, and who answers in it.
    headers: HeaderMap,
    model: Arc<str>,
    /// What the first chunk of the stream said of itself.
    object: String,
    /// What of the stream was sent, and what every chunk of it has in common.
    sent: Sent,
    identity: Option<Identity>,
    /// The attempt that runs is to mend the stream.
    mending: Option<Mending>,
    /// A malformed event of the stream was left out (F-128).
    skipped: bool,
    /// Whose words were sent, in order.
    parts: Vec<PathId>,
    finish: Option<Finish>,
    /// When the core last heard of progress.
    told_at: Nanos,
    /// The client did not read for too long.
    unread: bool,
}

/// An attempt that runs beside the one that was heard last, with everything that it has said.
struct Beside {
    running: Option<Running>,
    hold: Hold,
    headers: HeaderMap,
    model: Arc<str>,
    told_at: Nanos,
}

struct Running {
    id: AttemptId,
    path: PathId,
    /// Only a stream has pieces.
    pieces: Option<mpsc::Receiver<Piece>>,
    future: Attempting,
    /// How it ended, while its last pieces are still on their way.
    ended: Option<Ended>,
}

impl Task {
    async fn run(mut self, mail: Mailbox) {
        // However this ends, a panic of ours included, nobody puts letters where nobody takes them.
        let _closing = Closing { driver: self.driver.clone(), request: self.id };
        loop {
            tokio::select! {
                biased;
                letter = mail.take() => match letter {
                    Mail::Output(output) => {
                        if self.obey(output).await {
                            break;
                        }
                    }
                    Mail::Lost => {
                        self.lost().await;
                        break;
                    }
                },
                why = self.client.gone() => self.left(why),
                () = recover::patience(&mut self.mending) => self.client.offer(Bytes::from_static(sse::KEEP_ALIVE)),
                happened = next(&mut self.attempt) => self.happened(happened).await,
                happened = beside(&mut self.beside) => {
                    self.turn();
                    self.happened(happened).await;
                }
            }
        }
    }

    /// Does what the core wants; says whether the request is over.
    async fn obey(&mut self, output: Output) -> bool {
        match output {
            Output::Start(start) => self.start(&start),
            Output::Cancel { attempt, .. } => {
                self.drop_attempt(attempt);
                // What is dropped closes its connection, or resets its stream: more cannot be seen from here (F-172).
                self.driver.feed(Input::Attempt { attempt, event: Event::Closed });
            }
            Output::Commit { disclosure, .. } => self.commit(&disclosure).await,
            Output::Answer { source, disclosure, .. } => self.finish = Some(self.answer(source, &disclosure)),
            Output::Refuse { why, retry_after, disclosure, .. } => {
                self.finish = Some(Finish::Reply(self.refuse(why, retry_after, &disclosure)));
            }
            Output::Decision(decision) => {
                self.over(*decision).await;
                return true;
            }
            Output::Transition(_) | Output::CancelIgnored { .. } | Output::Probe(_) => {}
        }
        false
    }

    fn start(&mut self, start: &Start) {
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
        let future = match start.role {
            Role::Answer | Role::Splice => path.attempt(self.it.ask.clone(), call, out),
            Role::Continue => self.go_on(&path, call, out),
        };
        self.mending = (start.role != Role::Answer).then(|| Mending::new(start.role));
        self.attempt = Some(Running { id: start.attempt, path: start.path, pieces, future, ended: None });
    }

    /// Turns to the other of two attempts, with everything that it has said.
    fn turn(&mut self) {
        let Some(other) = &mut self.beside else { return };
        std::mem::swap(&mut self.attempt, &mut other.running);
        std::mem::swap(&mut self.hold, &mut other.hold);
        std::mem::swap(&mut self.headers, &mut other.headers);
        std::mem::swap(&mut self.model, &mut other.model);
        std::mem::swap(&mut self.told_at, &mut other.told_at);
    }

    /// Stops an attempt, and turns to the other where there is one.
    fn drop_attempt(&mut self, attempt: AttemptId) {
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
    fn forget(&mut self) {
        self.headers = HeaderMap::new();
        self.hold = Hold::new(CommitPoint::FirstContent, 0);
        self.told_at = 0;
    }

    async fn happened(&mut self, happened: Happened) {
        match happened {
            Happened::Piece(Piece::Begin(headers, model)) => (self.headers, self.model) = (headers, model),
            Happened::Piece(Piece::Alive) => self.tell(Event::Alive),
            Happened::Piece(Piece::Slow(said)) => self.tell(Event::Slow { said }),
            Happened::Piece(Piece::Event(chunk, meaning)) if self.mending.is_some() => self.mend(chunk, meaning).await,
            // That something was left out is told with who finished.
            Happened::Piece(Piece::Last(chunk)) if self.mending.is_some() => self.mend(chunk, Meaning::Nothing).await,
            Happened::Piece(Piece::Last(Chunk { event, envelope, .. })) => {
                // Nothing is left out before commit, so the stream has begun and its object is known.
                let event = sse::write_event(&envelope.insert(&event.data, &skipped(&self.object), &self.model));
                self.pass_on(event, Meaning::Nothing).await;
            }
            Happened::Piece(Piece::Skipped) if self.client.is_streaming() => self.skipped = true,
            // What is not sent yet needs no excuse: another tier can say it whole (F-128).
            Happened::Piece(Piece::Skipped) => self.ended(Ended::bare(ResultCode::DecodeFailed, Some(200))),
            Happened::Piece(Piece::Event(chunk, meaning)) if self.client.is_streaming() => {
                self.note(&chunk);
                self.pass_on(chunk.event.forward(), meaning).await;
            }
            Happened::Piece(Piece::Event(chunk, meaning)) => self.hold(chunk, meaning),
            Happened::Ended(ended) => self.ended(ended),
        }
    }

    /// Holds an event back, and tells the core how far the hold has come (F-120).
    fn hold(&mut self, chunk: Chunk, meaning: Meaning) {
        let first = meaning == Meaning::Content && !self.hold.has_content();
        let full = self.hold.keep(chunk, meaning);
        if first {
            self.tell(Event::FirstContent);
        }
        match (meaning, full) {
            (_, Some(Full::Spoken)) => self.tell(Event::Enough),
            // So much, and not a word: it is alive, and that is all.
            (_, Some(Full::Silent)) => self.ended(Ended::bare(ResultCode::KeepaliveOnly, Some(200))),
            (_, Some(Full::TooLarge)) => self.ended(Ended::bare(ResultCode::AnswerTooLarge, Some(200))),
            (Meaning::Content, None) if self.hold.is_enough() => self.tell(Event::Enough),
            (Meaning::Content, None) if !first => self.tell_now_and_then(),
            (Meaning::Content, None) => {}
            (Meaning::Reasoning, None) => self.tell(Event::Progress),
            (Meaning::Nothing, None) => self.tell(Event::Alive),
        }
    }

    /// Keeps what the running attempt has left, and tells the core how it ended.
    fn ended(&mut self, ended: Ended) {
        let Ended { result, status, after, left } = ended;
        let Some(running) = self.attempt.take() else { return };
        self.ended.push((running.id, status, result, left));
        self.driver.feed(Input::Attempt { attempt: running.id, event: Event::Ended { result, status, after } });
    }

    fn tell(&mut self, event: Event) {
        if let Some(running) = &self.attempt {
            self.driver.feed(Input::Attempt { attempt: running.id, event });
        }
    }

    /// Sends an event of a committed stream, and tells the core of progress now and then.
    async fn pass_on(&mut self, event: Bytes, meaning: Meaning) {
        let Some(running) = &self.attempt else { return };
        let (attempt, path) = (running.id, running.path);
        if meaning != Meaning::Nothing {
            self.tell_now_and_then();
        }
        let driver = self.driver.clone();
        let progress = || driver.feed(Input::Attempt { attempt, event: Event::Progress });
        let excuse = Some((Duration::from_nanos(self.stall(path) / 4), progress));
        if let Err(why) = self.client.send(event, excuse).await {
            self.left(why);
        }
    }

    /// Tells the core that the client is gone, or does not read, which is nobody's fault but its own.
    fn left(&mut self, why: Unread) {
        match (why, &self.attempt) {
            (Unread::Slow, Some(running)) => {
                let attempt = running.id;
                (self.attempt, self.unread) = (None, true);
                let event = Event::Ended { result: ResultCode::ClientSlow, status: None, after: None };
                self.driver.feed(Input::Attempt { attempt, event });
            }
            _ => self.driver.feed(Input::ClientGone { request: self.id }),
        }
    }

    fn stall(&self, path: PathId) -> Nanos {
        self.it.applied.deployment.revision.paths[path.index()].clocks.stall
    }

    /// Tells the core of progress. A stall is measured in seconds; to feed every token would cost more than it tells.
    fn tell_now_and_then(&mut self) {
        let Some(running) = &self.attempt else { return };
        let stall = self.stall(running.path);
        let now = self.driver.clock.now();
        if now.saturating_sub(self.told_at) >= (stall / 8).min(250_000_000) {
            self.told_at = now;
            self.tell(Event::Progress);
        }
    }

    async fn commit(&mut self, disclosure: &Disclosure) {
        let brought = std::mem::take(&mut self.headers);
        let headers = reply::events(self.told(disclosure).headers(brought));
        self.object = self.told(disclosure).json();
        let held = self.hold.take();
        self.parts.extend(self.attempt.as_ref().map(|running| running.path));
        held.iter().for_each(|chunk| self.note(chunk));
        let held = labelled(held, &self.object, &self.model);
        self.client.begin(headers);
        for event in held {
            self.pass_on(event, Meaning::Nothing).await;
        }
    }

    /// Keeps the record, then lets the client have the end of its answer (TASK-2).
    async fn over(&mut self, decision: Decision) {
        (self.attempt, self.beside) = (None, None);
        self.events.decision(decision, &self.it.ask);
        match self.finish.take() {
            Some(Finish::Reply(reply)) => self.client.reply(reply),
            Some(Finish::Events(events)) => {
                for event in events {
                    match self.unread {
                        // It has had its time: what ends the stream is there if it comes to read after all.
                        true => self.client.offer(event),
                        false => drop(self.client.send(event, UNEXCUSED).await),
                    }
                }
            }
            None => {}
        }
    }

    /// The core that held this request is gone: the safe default where there is one, else an explicit error.
    async fn lost(&mut self) {
        (self.attempt, self.beside) = (None, None);
        self.events.lost();
        let message = "the decision was lost; the request may be sent again";
        if self.client.is_streaming() {
            let _ = self.client.send(error_event(ResultCode::PathPanic, message, "{}"), UNEXCUSED).await;
            return;
        }
        let reply = self
            .safe_default()
            .unwrap_or_else(|| reply::refused(self.it.ask.front(), Problem::Overloaded, message, reply::Terms::soon()));
        self.client.reply(reply);
    }
}

/// Closes the mailbox of a request when its task ends.
struct Closing {
    driver: Arc<Driver>,
    request: RequestId,
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.driver.close(self.request);
    }
}

/// What a running attempt does next.
enum Happened {
    Piece(Piece),
    Ended(Ended),
}

/// Waits for what the other of two attempts does next; for ever where none runs beside.
async fn beside(other: &mut Option<Beside>) -> Happened {
    match other {
        Some(other) => next(&mut other.running).await,
        None => std::future::pending().await,
    }
}

/// Waits for what a running attempt does next; for ever where none runs. Pieces come before the end that followed them.
async fn next(attempt: &mut Option<Running>) -> Happened {
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
