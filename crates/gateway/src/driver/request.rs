//! The task of one request: it carries out what the core wants, reports what happens, and ends with the record.
//!
//! It owns the request, not the connection's handler (F-171): when the handler is dropped, a guard says so, and the task
//! still runs to the record.
//!
//! # Invariants
//! - `TASK-1`: nothing goes to the client before the core commits or answers (rule 7).
//! - `TASK-2`: the record is kept before the client can have read the end of its answer.
//! - `TASK-3`: while we wait for the client to read, its path is not blamed for silence (CL-05).

mod answer;
mod attempts;
mod batch;
mod cached;
mod client;
mod drift;
mod guarding;
mod held;
mod recover;
mod shadow;
mod submit;
mod vote;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use evenkeel_config::{Accept, Calibration};
use evenkeel_core::{
    AttemptId, Decision, Disclosure, Event, Input, Nanos, Output, PathId, Permille, RequestId, ResultCode, Source,
};
use http::HeaderMap;

use self::{
    answer::{SEQUENCE_LOST, labelled, skipped},
    attempts::{Beside, Happened, Running, beside, next},
    batch::Batch,
    client::{Client, UNEXCUSED, Unread},
    drift::{Rows, Spoken},
    guarding::Judging,
    recover::Mending,
    shadow::Wanted,
    vote::Panel,
};
pub(crate) use self::{
    client::Presence,
    submit::{Size, Submission, Terms, submit},
};
use super::{
    Driver, Mail, Mailbox,
    hold::{Full, Hold},
};
use crate::{
    ask::Question,
    bill::{Bill, Counts},
    cache::{Came, Copy, Entry, Similar},
    events::{Attempts, Events, Whose},
    guard::Lesson,
    judge::{self, Asked, Judged},
    path::{Chunk, Ended, Left, Meaning, Notes, Piece, Search},
    post::{self, Posted},
    protocol::{
        openai::{envelope::Identity, error::error_event},
        problem::Problem,
    },
    quality::Value,
    reply::{self, Reply},
    splice::Sent,
    sse,
    tensor::InferAnswer,
    vote::Cast,
};

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
    /// The others of several that run (F-090).
    beside: Vec<Beside>,
    /// The vote that is taken, or was.
    panel: Option<Panel>,
    /// The streams of answers that were not accepted and may stand, to be sent if one does.
    unsure: Vec<(AttemptId, Beside)>,
    /// How the members of ensembles above that have voted.
    votes: Vec<(AttemptId, Cast)>,
    /// What attempts that are over left for the client, in case it is theirs to see.
    ended: Vec<(AttemptId, Option<u16>, ResultCode, Left)>,
    /// Which of its rows are answered, where its route judges rows by themselves.
    batch: Batch,
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
    /// Whose answer the client began to get.
    begun: Option<AttemptId>,
    /// What the attempts have cost.
    bill: Bill,
    /// The documents that they found.
    found: Vec<(AttemptId, Search)>,
    /// The earlier answer that was held when it was admitted.
    earlier: Option<Arc<Entry>>,
    /// That answer was another request's, which it has waited for (F-145).
    waited: bool,
    /// The nearest earlier answer to other words, where one was found, and what came of looking for it (F-147).
    near: Option<Similar>,
    came: Option<Came>,
    /// What was sent of the stream, where it may be kept.
    copy: Option<Copy>,
    /// By which maps their scores were brought to another scale.
    calibrated: Vec<(AttemptId, Arc<Calibration>)>,
    /// What else only we know of them.
    notes: Vec<(Whose, Notes)>,
    /// What the answer says of each row, where a label is compared with that.
    said: OnceLock<Vec<Option<Value>>>,
    finish: Option<Finish>,
    /// Where its answer comes from, and which tier that is; and the copy that is wanted of it (F-150).
    source: Option<(Source, Option<u8>)>,
    shadow: Option<Wanted>,
    /// How many steps safer the attempt that runs must be than its configuration says.
    steps: u8,
    /// When the core last heard of progress.
    told_at: Nanos,
    /// The client did not read for too long.
    unread: bool,
    /// Its input is being judged.
    judging: Option<Judging>,
    /// Its rows, for whoever compares them, and what was said of its stream.
    rows: Rows,
    /// What its label may teach of inputs like its own.
    lesson: Option<Lesson>,
    spoken: Spoken,
}

impl Task {
    async fn run(mut self, mail: Mailbox) {
        // However this ends, a panic of ours included, nobody puts letters where nobody takes them.
        let _closing = Closing { driver: self.driver.clone(), request: self.id, led: self.it.asked.is_some() };
        loop {
            tokio::select! {
                biased;
                letter = mail.take() => match letter {
                    Mail::Output(output) => {
                        if self.obey(output).await {
                            break;
                        }
                    }
                    Mail::Shared(entry) => (self.earlier, self.waited) = (Some(entry), true),
                    Mail::Lost => {
                        self.lost().await;
                        break;
                    }
                },
                why = self.client.gone() => self.left(why),
                () = recover::patience(&mut self.mending) => self.client.offer(Bytes::from_static(sse::KEEP_ALIVE)),
                happened = next(&mut self.attempt) => self.happened(happened).await,
                (at, happened) = beside(&mut self.beside) => {
                    self.turn(at);
                    self.happened(happened).await;
                }
                () = guarding::go_on(&mut self.judging) => {}
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
                self.left_out(attempt);
            }
            Output::Commit { disclosure, .. } => self.commit(&disclosure).await,
            Output::Answer { source, disclosure, .. } => {
                self.source = Some((source, disclosure.answered.map(|it| it.0)));
                self.finish = Some(self.answer(source, &disclosure));
            }
            Output::Shadow(start) => self.want_shadow(start),
            Output::Refuse { why, retry_after, disclosure, .. } => {
                self.finish = Some(Finish::Reply(self.refuse(why, retry_after, &disclosure)));
            }
            Output::Decision(decision) => {
                self.over(*decision).await;
                self.cast_shadow();
                self.leave_row();
                return true;
            }
            Output::Keep { attempt, .. } => self.keep(attempt),
            Output::Transition(_)
            | Output::Breaker(_)
            | Output::Gate(_)
            | Output::CancelIgnored { .. }
            | Output::Proposed(_)
            | Output::ShadowStop { .. }
            | Output::Probe(_) => {}
        }
        false
    }

    async fn happened(&mut self, happened: Happened) {
        if let (Happened::Piece(Piece::Event(chunk, _) | Piece::Last(chunk)), Some(running)) =
            (&happened, &self.attempt)
        {
            self.bill.add(running.id, chunk.counts);
        }
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
        let Ended { mut result, status, after, left } = ended;
        let (mut notes, left) = left.notes();
        if result.is_ok() && self.it.ask.is_stream() {
            notes.judged = self.judge_held();
        }
        if result.is_ok() && self.it.ask.is_stream() && !self.is_early() {
            (result, notes.posted) = self.post_whole(result);
            self.hear_held();
        }
        if let Some(judged) = &notes.judged {
            self.tell(Event::Judged { low: judged.low, sure: judged.sureness() });
        }
        let unsure = notes.judged.as_ref().is_some_and(|it| it.low > 0);
        let left = self.found(left);
        let Some(running) = self.attempt.take() else { return };
        let (search, left) = left.documents();
        if search.added > 0 {
            self.bill.reads(running.id, search.added);
        }
        if search != Search::default() {
            self.found.push((running.id, search));
        }
        if notes != Notes::default() {
            self.notes.push((Whose::Attempt(running.id), notes));
        }
        match &left {
            Left::Infer(InferAnswer { calibrated: Some(it), .. })
            | Left::Judged(InferAnswer { calibrated: Some(it), .. }, _) => {
                self.calibrated.push((running.id, it.by.clone()));
            }
            Left::Answer { counts, .. } => self.bill.add(running.id, *counts),
            // Of an error nobody knows whether it cost anything, unless it says so (BILL-2).
            Left::NoAnswer(_, counts) if *counts != Counts::default() => self.bill.add(running.id, *counts),
            _ => {}
        }
        self.cast(running.id, (result, &left), unsure);
        if unsure && self.it.applied.deployment.revision.paths[running.path.index()].stands {
            let aside = self.aside();
            self.unsure.push((running.id, aside));
        }
        self.ended.push((running.id, status, result, left));
        self.driver.feed(Input::Attempt { attempt: running.id, event: Event::Ended { result, status, after } });
    }

    /// Looks how sure a model was of a stream that is held to its end, where somebody asks.
    fn judge_held(&mut self) -> Option<Judged> {
        let path = self.attempt.as_ref()?.path;
        let accept = self.accept(path)?;
        let Question::Chat(peek) = &self.it.ask.question else { return None };
        let (chunks, judged) = judge::text::held(self.hold.take(), peek, (&accept, self.asked()));
        self.hold.replace(chunks);
        Some(judged)
    }

    /// Returns how sure a path must be, so many steps back from the certificate of its route as the attempt on it was told.
    fn accept(&self, path: PathId) -> Option<Accept> {
        let deployment = &self.it.applied.deployment;
        let mut accept = deployment.paths[path.index()].accept.clone()?;
        let issued = deployment.routes[self.it.route.index()].certificate.as_ref();
        if let Some(stepped) = issued.and_then(|it| it.stepped(self.steps)) {
            accept.at_least = accept.at_least.max(stepped);
        }
        Some(accept)
    }

    /// Returns what the client asks of an answer.
    fn asked(&self) -> Asked {
        Asked { min_confidence: self.it.terms.min_confidence.map(Permille::thousandths) }
    }

    /// Does to a stream that is held to its end what its route does to every answer.
    fn post_whole(&mut self, result: ResultCode) -> (ResultCode, Vec<Posted>) {
        let post = &self.it.applied.deployment.routes[self.it.route.index()].post;
        if post.is_empty() {
            return (result, Vec::new());
        }
        let (done, posted) = post::held(self.hold.take(), post);
        match done {
            Ok(chunks) => self.hold.replace(chunks),
            Err(result) => return (result, posted),
        }
        (result, posted)
    }

    /// Keeps what an attempt has answered in part.
    fn keep(&mut self, attempt: AttemptId) {
        if self.is_vote(attempt) {
            if let Some(answer) = self.voted() {
                self.batch.keep(&answer, &[]);
            }
            return;
        }
        match self.ended.iter().find(|it| it.0 == attempt).map(|it| &it.3) {
            Some(Left::Judged(answer, low)) => self.batch.keep(answer, low),
            Some(Left::Infer(answer)) => self.batch.keep(answer, &[]),
            _ => {}
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
        self.begun = self.attempt.as_ref().map(|running| running.id);
        held.iter().for_each(|chunk| self.note(chunk));
        let held = labelled(held, &self.object, &self.model);
        self.client.begin(headers);
        for event in held {
            self.pass_on(event, Meaning::Nothing).await;
        }
    }

    /// Keeps the record, then lets the client have the end of its answer (TASK-2).
    async fn over(&mut self, decision: Decision) {
        (self.attempt, self.beside) = (None, Vec::new());
        let spent = std::mem::take(&mut self.bill).settle(&self.it.ask);
        let cached = self.keep_answer(&decision);
        let judged = self.guarded(&decision).await;
        self.rows.first = self.first(&decision, &spent);
        let told = matches!(self.source, Some((Source::Attempt(_) | Source::Stored(_), _)));
        let route = &decision.revision.routes[decision.route.index()];
        let path = decision.outcome.tier.filter(|_| told).map(|tier| route.tiers[usize::from(tier)].path);
        let sure = self.sure(decision.reason, path);
        let mut votes = std::mem::take(&mut self.votes);
        let (last, worth) = self.panel.take().map(Panel::cast).unwrap_or_default();
        votes.extend(last);
        let model = |path: PathId| self.it.applied.paths.get(path.index())?.model().cloned();
        let models = decision.attempts.iter().filter_map(|it| Some((it.attempt, model(it.path)?))).collect();
        let calibrated = std::mem::take(&mut self.calibrated);
        let attempts = Attempts {
            spent,
            found: std::mem::take(&mut self.found),
            notes: std::mem::take(&mut self.notes),
            calibrated,
            models,
            votes,
            worth,
            sure,
            cached,
            judged,
            answered: self.held(),
            explain: self.it.terms.explain,
        };
        self.events.decision(decision, &self.it.ask, attempts);
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
        (self.attempt, self.beside) = (None, Vec::new());
        self.batch.forget();
        self.events.lost();
        let message = "the decision was lost; the request may be sent again";
        if self.client.is_streaming() {
            let _ = self.client.send(error_event(ResultCode::PathPanic, message, "{}"), UNEXCUSED).await;
            return;
        }
        let front = self.it.ask.front();
        let reply = match self.it.ask.turn() {
            // Whatever would answer now has not its state, and nothing is known of it any more.
            Some(_) => reply::refused(front, Problem::SequenceLost, SEQUENCE_LOST, reply::Terms::default()),
            None => self
                .safe_default()
                .unwrap_or_else(|| reply::refused(front, Problem::Overloaded, message, reply::Terms::soon())),
        };
        self.client.reply(reply);
    }
}

/// Closes the mailbox of a request when its task ends.
struct Closing {
    driver: Arc<Driver>,
    request: RequestId,
    /// Others may wait for its answer.
    led: bool,
}

impl Drop for Closing {
    fn drop(&mut self) {
        if self.led {
            // Where its answer has landed, or it leads nobody, that says nothing.
            self.driver.land(self.request, None);
        }
        self.driver.close(self.request);
    }
}
