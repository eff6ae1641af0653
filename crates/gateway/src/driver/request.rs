//! The task of one request: it admits, carries out what the core wants, reports what happens, and ends with the record.
//!
//! It owns the request, not the connection's handler (F-171): when the handler is dropped, a guard says so, and the task
//! still runs to the record.
//!
//! # Invariants
//! - `TASK-1`: nothing goes to the client before the core commits or answers (rule 7).
//! - `TASK-2`: the record is kept before the client can have read the end of its answer.
//! - `TASK-3`: while we wait for the client to read, its path is not blamed for silence (CL-05).

mod client;

use std::{future::poll_fn, sync::Arc, task::Poll};

use bytes::Bytes;
use evenkeel_core::{
    Admit, AttemptId, Decision, Disclosure, Event, Input, Nanos, Operation, Output, PathId, Reason, Refusal, RequestId,
    ResultCode, RouteId, Source, Start, Where,
};
use http::HeaderMap;
use tokio::sync::{mpsc, oneshot};

use self::client::Client;
use super::{Driver, Mail, hold::Hold};
use crate::{
    ask::Ask,
    events::Events,
    path::{Attempting, Body, Ended, Left, Meaning, Piece},
    protocol::{
        openai::{
            envelope::Envelope,
            error::{error_event, relay},
        },
        problem::Problem,
    },
    reply::{self, Reply, Told},
    snapshot::Applied,
    sse::{self, Event as SseEvent},
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
}

/// What the client asks of the decision itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) operation: Operation,
    pub(crate) entropy: u64,
    pub(crate) deadline: Option<Nanos>,
    pub(crate) max_tier: Option<u8>,
    pub(crate) cost: u64,
    pub(crate) tokens: u64,
    pub(crate) needs: evenkeel_core::Features,
}

/// Says that somebody waits for the answer, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Presence {
    _alive: oneshot::Sender<()>,
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
    let (alive, gone) = oneshot::channel();
    let task = Task {
        client: Client::new(reply, gone),
        attempt: None,
        ended: Vec::new(),
        hold: Hold::default(),
        headers: HeaderMap::new(),
        model: "".into(),
        object: String::new(),
        finish: None,
        told_at: 0,
        id,
        driver: driver.clone(),
        events: events.clone(),
        it,
    };
    tokio::spawn(task.run(mail));
    Some((receiver, Presence { _alive: alive }))
}

impl Submission {
    fn admission(&self, request: RequestId) -> Admit {
        let Terms { operation, entropy, deadline, max_tier, cost, tokens, needs } = self.terms;
        Admit { request, route: self.route, operation, deadline, entropy, cost, needs, tokens, max_tier }
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
    /// What attempts that are over left for the client, in case it is theirs to see.
    ended: Vec<(AttemptId, Option<u16>, ResultCode, Left)>,
    hold: Hold,
    /// Headers that the running attempt brought, and who answers in it.
    headers: HeaderMap,
    model: Arc<str>,
    /// What the first chunk of the stream said of itself.
    object: String,
    finish: Option<Finish>,
    /// When the core last heard of progress.
    told_at: Nanos,
}

struct Running {
    id: AttemptId,
    path: PathId,
    pieces: mpsc::Receiver<Piece>,
    future: Attempting,
    /// How it ended, while its last pieces are still on their way.
    ended: Option<Ended>,
}

impl Task {
    async fn run(mut self, mut mail: mpsc::UnboundedReceiver<Mail>) {
        loop {
            tokio::select! {
                biased;
                letter = mail.recv() => match letter {
                    Some(Mail::Output(output)) => {
                        if self.obey(output).await {
                            break;
                        }
                    }
                    Some(Mail::Lost) | None => {
                        self.lost().await;
                        break;
                    }
                },
                () = self.client.gone() => self.driver.feed(Input::ClientGone { request: self.id }),
                happened = next(&mut self.attempt) => self.happened(happened).await,
            }
        }
        self.driver.close(self.id);
    }

    /// Does what the core wants; says whether the request is over.
    async fn obey(&mut self, output: Output) -> bool {
        match output {
            Output::Start(start) => self.start(&start),
            Output::Cancel { attempt, .. } => {
                if self.attempt.as_ref().is_some_and(|running| running.id == attempt) {
                    self.attempt = None;
                    self.forget();
                }
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
            Output::Transition(_) => {}
        }
        false
    }

    fn start(&mut self, start: &Start) {
        self.forget();
        let path = self.it.applied.paths[start.path.index()].clone();
        let call = Call { replica: start.replica.index(), budget: start.budget, fresh: start.fresh };
        let (out, pieces) = mpsc::channel(PIECES);
        let future = path.attempt(self.it.ask.clone(), call, out);
        self.attempt = Some(Running { id: start.attempt, path: start.path, pieces, future, ended: None });
    }

    /// What an attempt has said is gone with it (F-020).
    fn forget(&mut self) {
        self.headers = HeaderMap::new();
        self.hold = Hold::default();
        self.told_at = 0;
    }

    async fn happened(&mut self, happened: Happened) {
        match happened {
            Happened::Piece(Piece::Begin(headers, model)) => (self.headers, self.model) = (headers, model),
            Happened::Piece(Piece::Alive) => self.tell(Event::Alive),
            Happened::Piece(Piece::Last(event, envelope)) => {
                // Nothing is left out before commit, so the stream has begun and its object is known.
                let object = self.object.replace('}', ",\"result\":\"ok_event_skipped\"}");
                let event = sse::write_event(&envelope.insert(&event.data, &object, &self.model));
                self.pass_on(event, Meaning::Nothing).await;
            }
            Happened::Piece(Piece::Event(event, _, meaning)) if self.client.is_streaming() => {
                self.pass_on(event.forward(), meaning).await;
            }
            Happened::Piece(Piece::Event(event, envelope, meaning)) => {
                let full = self.hold.keep(event, envelope);
                self.tell(match meaning {
                    Meaning::Content => Event::FirstContent,
                    _ if full => Event::FirstContent,
                    Meaning::Reasoning => Event::Progress,
                    Meaning::Nothing => Event::Alive,
                });
            }
            Happened::Ended(Ended { result, status, left }) => {
                let Some(running) = self.attempt.take() else { return };
                self.ended.push((running.id, status, result, left));
                self.driver.feed(Input::Attempt { attempt: running.id, event: Event::Ended { result, status } });
            }
        }
    }

    fn tell(&mut self, event: Event) {
        if let Some(running) = &self.attempt {
            self.driver.feed(Input::Attempt { attempt: running.id, event });
        }
    }

    /// Sends an event of a committed stream, and tells the core of progress now and then.
    async fn pass_on(&mut self, event: Bytes, meaning: Meaning) {
        let Some(running) = &self.attempt else { return };
        let attempt = running.id;
        if meaning != Meaning::Nothing && self.is_time_to_tell(running.path) {
            self.tell(Event::Progress);
        }
        let driver = self.driver.clone();
        let progress = || driver.feed(Input::Attempt { attempt, event: Event::Progress });
        if self.client.send(event, progress).await.is_err() {
            // The client is gone or does not read; a full close is heard by `gone`, this is the other.
            self.attempt = None;
            let event = Event::Ended { result: ResultCode::ClientSlow, status: None };
            self.driver.feed(Input::Attempt { attempt, event });
        }
    }

    /// A stall is measured in seconds; to feed every token would cost more than it tells.
    fn is_time_to_tell(&mut self, path: PathId) -> bool {
        let stall = self.it.applied.deployment.revision.paths[path.index()].clocks.stall;
        let now = self.driver.clock.now();
        let due = now.saturating_sub(self.told_at) >= (stall / 8).min(250_000_000);
        if due {
            self.told_at = now;
        }
        due
    }

    fn told<'a>(&'a self, disclosure: &'a Disclosure) -> Told<'a> {
        let revision = &self.it.applied.deployment.revision;
        Told { ask: &self.it.ask, revision, route: &revision.routes[self.it.route.index()].name, disclosure }
    }

    async fn commit(&mut self, disclosure: &Disclosure) {
        let brought = std::mem::take(&mut self.headers);
        let headers = reply::events(self.told(disclosure).headers(brought));
        self.object = self.told(disclosure).json();
        let held = labelled(self.hold.take(), &self.object, &self.model);
        self.client.begin(headers);
        for event in held {
            // A client that is gone is heard of elsewhere; sixteen events always fit.
            let _ = self.client.send(event, || ()).await;
        }
    }

    fn answer(&mut self, source: Source, disclosure: &Disclosure) -> Finish {
        match source {
            Source::Attempt(_) if self.client.is_streaming() => Finish::Events(vec![Bytes::from_static(sse::DONE)]),
            Source::Attempt(attempt) => Finish::Reply(self.attempt_answer(attempt, disclosure)),
            Source::Certain(path) => Finish::Reply(self.certain(path, disclosure)),
            Source::Error(attempt) => Finish::Reply(self.own_error(attempt, disclosure)),
            Source::Broken(_, result) => {
                let message = format!("the answer broke off: {}", result.code());
                Finish::Events(vec![error_event(&message, &self.told(disclosure).json())])
            }
        }
    }

    /// The whole answer of an attempt, or a stream that ended before anything in it was content.
    fn attempt_answer(&mut self, attempt: AttemptId, disclosure: &Disclosure) -> Reply {
        let told = self.told(disclosure);
        if self.it.ask.is_stream() {
            let (json, headers) = (told.json(), told.headers(self.headers.clone()));
            let mut events = labelled(self.hold.take(), &json, &self.model);
            events.push(Bytes::from_static(sse::DONE));
            return stream_of(events, headers);
        }
        let left = self.ended.iter().find(|it| it.0 == attempt).map(|it| &it.3);
        let Some(Left::Answer { headers, body, envelope, model }) = left else {
            return reply::refused(Problem::Overloaded, "the answer was lost", told.headers(HeaderMap::new()), None);
        };
        let body = envelope.insert(body, &told.json(), model);
        Reply::Whole { status: 200, headers: reply::json(told.headers(headers.clone())), body }
    }

    fn certain(&self, path: PathId, disclosure: &Disclosure) -> Reply {
        let told = self.told(disclosure);
        let headers = told.headers(HeaderMap::new());
        match self.it.applied.paths[path.index()].certain(&self.it.ask, &told.json()) {
            Some(Body::Whole(body)) => Reply::Whole { status: 200, headers: reply::json(headers), body },
            Some(Body::Events(events)) => stream_of(events, headers),
            None => reply::refused(Problem::Exhausted, "no tier of this route can answer now", headers, None),
        }
    }

    /// An upstream's error that is the client's to see.
    fn own_error(&self, attempt: AttemptId, disclosure: &Disclosure) -> Reply {
        let ended = self.ended.iter().find(|it| it.0 == attempt);
        let (status, result, body) = match ended {
            Some((_, status, result, Left::Error(body))) => (*status, *result, body.clone()),
            Some((_, status, result, _)) => (*status, *result, Bytes::new()),
            None => (None, ResultCode::CallerInvalid, Bytes::new()),
        };
        let status = status.filter(|status| (400..500).contains(status)).unwrap_or(400);
        let headers = reply::json(self.told(disclosure).headers(HeaderMap::new()));
        Reply::Whole { status, headers, body: relay(&body, result) }
    }

    fn refuse(&self, why: Refusal, retry_after: Option<Nanos>, disclosure: &Disclosure) -> Reply {
        let message = match why {
            Refusal::Exhausted => "no tier of this route can answer now",
            Refusal::Deadline => "no tier answered within the deadline",
            Refusal::Degradation => "only tiers that `evenkeel-accept` refuses could answer",
            Refusal::Overloaded => "too many requests are open",
            Refusal::Draining => "this replica is stopping",
            Refusal::ClientGone => "the client went away",
        };
        // Nobody reads the reply to a client that is gone.
        let problem = Problem::of(why).unwrap_or(Problem::Overloaded);
        reply::refused(problem, message, self.told(disclosure).headers(HeaderMap::new()), retry_after)
    }

    /// Keeps the record, then lets the client have the end of its answer (TASK-2).
    async fn over(&mut self, decision: Decision) {
        self.attempt = None;
        self.events.decision(decision, &self.it.ask);
        match self.finish.take() {
            Some(Finish::Reply(reply)) => self.client.reply(reply),
            Some(Finish::Events(events)) => {
                for event in events {
                    let _ = self.client.send(event, || ()).await;
                }
            }
            None => {}
        }
    }

    /// The core that held this request is gone: the safe default where there is one, else an explicit error.
    async fn lost(&mut self) {
        self.attempt = None;
        self.events.lost();
        let message = "the decision was lost; the request may be sent again";
        if self.client.is_streaming() {
            let _ = self.client.send(error_event(message, "{}"), || ()).await;
            return;
        }
        let reply = self
            .safe_default()
            .unwrap_or_else(|| reply::refused(Problem::Overloaded, message, HeaderMap::new(), Some(1_000_000_000)));
        self.client.reply(reply);
    }

    fn safe_default(&self) -> Option<Reply> {
        let revision = &self.it.applied.deployment.revision;
        let tiers = &revision.routes[self.it.route.index()].tiers;
        let (at, tier) =
            tiers.iter().enumerate().find(|(_, it)| revision.paths[it.path.index()].place == Where::Certain)?;
        let answered = Some((at as u8, tier.method, tier.path));
        let disclosure = Disclosure { answered, degraded: at > 0, reason: Reason::InternalError, attempts: 0 };
        Some(self.certain(tier.path, &disclosure))
    }
}

/// Writes held events, with the object `evenkeel` in the first.
fn labelled(held: Vec<(SseEvent, Envelope)>, object: &str, model: &str) -> Vec<Bytes> {
    let write = |(at, (event, envelope)): (usize, (SseEvent, Envelope))| match at {
        0 => sse::write_event(&envelope.insert(&event.data, object, model)),
        _ => event.forward(),
    };
    held.into_iter().enumerate().map(write).collect()
}

/// A stream that is known to its end.
fn stream_of(events: Vec<Bytes>, headers: HeaderMap) -> Reply {
    let (sender, receiver) = mpsc::channel(events.len().max(1));
    for event in events {
        sender.try_send(event).expect("the channel was made for them");
    }
    Reply::Stream { headers: reply::events(headers), events: receiver }
}

/// What a running attempt does next.
enum Happened {
    Piece(Piece),
    Ended(Ended),
}

/// Waits for what a running attempt does next; for ever where none runs. Pieces come before the end that followed them.
async fn next(attempt: &mut Option<Running>) -> Happened {
    let Some(running) = attempt else { return std::future::pending().await };
    poll_fn(|context| {
        loop {
            if let Poll::Ready(Some(piece)) = running.pieces.poll_recv(context) {
                return Poll::Ready(Happened::Piece(piece));
            }
            if let Some(ended) = running.ended.take() {
                return Poll::Ready(Happened::Ended(ended));
            }
            match running.future.as_mut().poll(context) {
                Poll::Ready(ended) => running.ended = Some(ended),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await
}
