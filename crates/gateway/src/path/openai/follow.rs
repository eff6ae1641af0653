//! Follow: one stream of a model, event by event, to its verified end.
//!
//! What an event says is the judge's; when the stream is over for lack of more, or for too much, is decided here.

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use evenkeel_core::{Nanos, ResultCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::{sync::mpsc::Sender, time::Instant};

use self::{
    measure::Measure,
    rate::{Rate, TICK},
};
use crate::{
    path::{Chunk, Meaning, Piece},
    protocol::openai::{
        event::{Step, StreamJudge},
        peek::ChatPeek,
    },
    sse::Scanner,
    upstream::in_body,
};

mod measure;
mod rate;

/// What a path allows its streams, and asks of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Bytes that an answer may have.
    pub(super) max_answer: usize,
    /// How long the end may take once everything is said.
    pub(super) finalise: Duration,
    /// Tokens that a stream must say in ten seconds; 0 where nothing is asked.
    pub(super) least_tokens: u64,
}

/// Follows one stream, event by event, to its verified end.
pub(super) struct Follow {
    judge: StreamJudge,
    scanner: Scanner,
    out: Sender<Piece>,
    finalise: Duration,
    measure: Measure,
    rate: Rate,
    /// That it is slow was told.
    slow: bool,
    /// The client was told of an event that was left out.
    told: bool,
    /// The event with which it failed: an error of the upstream may be the client's to read.
    error: Bytes,
}

impl Follow {
    pub(super) fn new(peek: &ChatPeek, bounds: Bounds, out: Sender<Piece>) -> Self {
        let Bounds { max_answer, finalise, least_tokens } = bounds;
        Self {
            judge: StreamJudge::new(peek),
            scanner: Scanner::default(),
            out,
            finalise,
            measure: Measure::of(peek, max_answer),
            rate: Rate::of(least_tokens),
            slow: false,
            told: false,
            error: Bytes::new(),
        }
    }

    /// Follows it; returns how it ended, and the event that said so, where one did.
    pub(super) async fn run(mut self, body: Incoming) -> (ResultCode, Bytes) {
        let result = self.follow(body).await;
        (result, self.error)
    }

    async fn follow(&mut self, mut body: Incoming) -> ResultCode {
        // Once everything is said, usage and the marker get a moment, then we end it ourselves (F-005): one moment, however
        // many signs of life come in it.
        let mut moment = pin!(tokio::time::sleep(Duration::MAX));
        let mut complete = false;
        let mut tick = pin!(tokio::time::sleep(TICK));
        loop {
            if self.judge.is_complete() && !std::mem::replace(&mut complete, true) {
                moment.set(tokio::time::sleep(self.finalise));
            }
            let since = Instant::now();
            let frame = tokio::select! {
                biased;
                () = &mut moment, if complete => {
                    return over(self.judge.quiet()).unwrap_or(ResultCode::Truncated);
                }
                frame = body.frame() => Some(frame),
                () = &mut tick, if self.rate.is_asked() => None,
            };
            self.waited(since).await;
            let Some(frame) = frame else {
                tick.as_mut().reset(Instant::now() + TICK);
                continue;
            };
            let data = match frame {
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                // Once everything is said, a break takes nothing away (F-004).
                Some(Err(error)) if !self.judge.is_complete() => return in_body(&error),
                Some(Err(_)) => return over(self.judge.quiet()).unwrap_or(ResultCode::Truncated),
                None => {
                    let end = std::mem::take(&mut self.scanner).finish();
                    return over(self.judge.eof(end)).unwrap_or(ResultCode::Truncated);
                }
            };
            self.scanner.push(&data);
            match self.events().await {
                Ok(0) if !data.is_empty() => drop(self.out.send(Piece::Alive).await),
                Ok(_) => {}
                Err(result) => {
                    if result.is_ok() {
                        drain(body);
                    }
                    return result;
                }
            }
        }
    }

    /// Counts a time in which the upstream was waited for, and tells once that it says too little (F-029).
    async fn waited(&mut self, since: Instant) {
        let wait = Nanos::try_from(since.elapsed().as_nanos()).unwrap_or(Nanos::MAX);
        let Some(said) = self.rate.waited(wait).filter(|_| !self.judge.is_complete()) else { return };
        if !std::mem::replace(&mut self.slow, true) {
            let _ = self.out.send(Piece::Slow(said)).await;
        }
    }

    /// Forwards the events that are complete; says how many, or how the stream ended.
    async fn events(&mut self) -> Result<usize, ResultCode> {
        let mut count = 0;
        loop {
            let event = match self.scanner.event() {
                Ok(Some(event)) => event,
                Ok(None) => return Ok(count),
                Err(_) => return Err(over(self.judge.too_long()).unwrap_or(ResultCode::DecodeFailed)),
            };
            let judged = self.judge.event(&event.data);
            if let Some(result) = over(judged.step) {
                self.error = event.data;
                return Err(result);
            }
            if !self.measure.fits(judged.said) {
                return Err(over(self.judge.too_much()).unwrap_or(ResultCode::AnswerTooLarge));
            }
            self.rate.says(judged.said);
            let meaning = match judged.step {
                Step::Content => Meaning::Content,
                Step::Reasoning => Meaning::Reasoning,
                Step::Nothing => Meaning::Nothing,
                Step::Skipped => {
                    let _ = self.out.send(Piece::Skipped).await;
                    continue;
                }
                _ => continue,
            };
            count += 1;
            // The last chunk tells that something was left out before it (F-128).
            let tells =
                self.judge.is_complete() && self.judge.has_skipped() && !std::mem::replace(&mut self.told, true);
            let counts = judged.counts();
            let chunk = Chunk { event, envelope: judged.envelope, says: judged.says, counts };
            let piece = if tells { Piece::Last(chunk) } else { Piece::Event(chunk, meaning) };
            let _ = self.out.send(piece).await;
            if meaning == Meaning::Content {
                // What is out now belongs to the client, or soon will: whoever holds it back knows better.
                self.judge.commit();
            }
        }
    }
}

/// Returns the result with which a stream is over, if it is.
fn over(step: Step) -> Option<ResultCode> {
    match step {
        Step::Complete(result) | Step::Failed(result) => Some(result),
        _ => None,
    }
}

/// What follows the marker is ignored; read to the end, its connection can be used again.
fn drain(mut body: Incoming) {
    #[expect(clippy::disallowed_methods, reason = "at most a second, and nobody waits for what is read")]
    tokio::spawn(async move {
        let rest = async { while let Some(Ok(_)) = body.frame().await {} };
        let _ = tokio::time::timeout(Duration::from_secs(1), rest).await;
    });
}
