//! What a client gets, once the core has said from where: written here, sent by the task.

use bytes::Bytes;
use evenkeel_core::{AttemptId, Class, Disclosure, Nanos, PathId, Reason, Refusal, Rescue, ResultCode, Source, Where};
use http::{HeaderMap, HeaderValue};
use tokio::sync::mpsc;

use super::{Finish, Task};
use crate::{
    ask::{Inference, Question},
    events::Whose,
    path::{Certain, Chunk, Left, Notes},
    protocol::{
        front::Front,
        oip_grpc::{self, status::Code},
        oip_rest,
        openai::error::{error_event, relay},
        problem::Problem,
    },
    reply::{self, Reply, Terms, Told},
    sequence::Turn,
    sse,
    tensor::{Infer, InferAnswer, classify},
};

/// What a client is told that wants to go on with what is not there.
pub(super) const SEQUENCE_LOST: &str =
    "the sequence is lost: nothing has its state any more; begin it again with sequence_start";

impl Task {
    pub(super) fn told<'a>(&'a self, disclosure: &'a Disclosure) -> Told<'a> {
        let revision = &self.it.applied.deployment.revision;
        Told {
            ask: &self.it.ask,
            revision,
            route: &revision.routes[self.it.route.index()].name,
            disclosure,
            parts: &self.parts,
            cache: self.told_of_cache(disclosure.reason),
            sure: self.sure(disclosure.reason, disclosure.answered.map(|(.., path)| path)),
        }
    }

    pub(super) fn answer(&mut self, source: Source, disclosure: &Disclosure) -> Finish {
        match source {
            Source::Attempt(_) if self.client.is_streaming() => Finish::Events(self.ending(disclosure)),
            Source::Attempt(attempt) => Finish::Reply(self.attempt_answer(attempt, disclosure)),
            Source::Certain(path) => Finish::Reply(self.certain(path, disclosure)),
            Source::Stored(_) => Finish::Reply(self.earlier_answer(disclosure)),
            Source::Error(attempt) => Finish::Reply(self.own_error(attempt, disclosure)),
            Source::Broken(_, result) => {
                let message = format!("the answer broke off: {}", result.code());
                Finish::Events(vec![error_event(result, &message, &self.told(disclosure).json())])
            }
        }
    }

    /// The whole answer of an attempt, or a stream that ended before anything in it was content.
    fn attempt_answer(&mut self, attempt: AttemptId, disclosure: &Disclosure) -> Reply {
        if self.is_vote(attempt) {
            self.recall(attempt);
            if let Some(answer) = self.voted() {
                return self.together(&answer, disclosure);
            }
        }
        if let Some(at) = self.unsure.iter().position(|it| it.0 == attempt) {
            let (_, stream) = self.unsure.swap_remove(at);
            self.look_at(stream);
        }
        if self.it.ask.is_stream() {
            let held = self.hold.take();
            if let Some(copy) = &mut self.copy {
                held.iter().for_each(|chunk| copy.add(chunk));
            }
            let told = self.told(disclosure);
            let (json, headers) = (told.json(), told.headers(self.headers.clone()));
            let mut events = labelled(held, &json, &self.model);
            events.push(Bytes::from_static(sse::DONE));
            return stream_of(events, headers);
        }
        let told = self.told(disclosure);
        match self.ended.iter().find(|it| it.0 == attempt).map(|it| &it.3) {
            Some(Left::Answer { headers, body, envelope, model, .. }) => {
                let body = envelope.insert(body, &told.json(), model);
                Reply::Whole { status: 200, headers: reply::json(told.headers(headers.clone())), body: body.into() }
            }
            Some(Left::Infer(answer) | Left::Judged(answer, _)) => self.together(answer, disclosure),
            _ => self.refusal(Problem::Overloaded, "the answer was lost", None, disclosure),
        }
    }

    /// An inference, together with the rows of it that others have answered (OIP-35).
    fn together(&self, last: &InferAnswer, disclosure: &Disclosure) -> Reply {
        match self.batch.whole(last) {
            Some(whole) => self.tensors(&whole, disclosure),
            None => self.refusal(Problem::Overloaded, "the answer was lost", None, disclosure),
        }
    }

    /// An inference, whoever made it.
    pub(super) fn tensors(&self, answer: &InferAnswer, disclosure: &Disclosure) -> Reply {
        let told = self.told(disclosure);
        let Question::Infer(Inference { infer, version, front, .. }) = &self.it.ask.question else {
            return self.refusal(Problem::Overloaded, "the answer was lost", None, disclosure);
        };
        let classified = match classified(answer, infer) {
            Ok(classified) => classified,
            Err(message) => return self.refusal(Problem::Invalid, &message, None, disclosure),
        };
        self.note_said(answer);
        let answer = classified.as_ref().unwrap_or(answer);
        let mut parameters = told.parameters();
        let last = self.batch.last().unwrap_or_default();
        parameters.extend(self.batch.told((last, disclosure.reason)));
        parameters.extend(self.it.ask.turn().map(Turn::told).into_iter().flatten());
        let said = oip_rest::answer::Told { route: told.route, version, request: infer, evenkeel: &parameters };
        let mut headers = told.headers(HeaderMap::new());
        let body = match front {
            Front::OipGrpc => oip_grpc::answer::encode(answer, said),
            _ => {
                let written = oip_rest::answer::encode(answer, said);
                written.label(&mut headers);
                written.body
            }
        };
        Reply::Whole { status: 200, headers, body }
    }

    pub(super) fn refusal(
        &self,
        problem: Problem,
        message: &str,
        retry_after: Option<Nanos>,
        disclosure: &Disclosure,
    ) -> Reply {
        let headers = self.told(disclosure).headers(HeaderMap::new());
        reply::refused(self.it.ask.front(), problem, message, Terms { headers, retry_after })
    }

    fn certain(&mut self, path: PathId, disclosure: &Disclosure) -> Reply {
        let revision = &self.it.applied.deployment.revision;
        let route = &revision.routes[self.it.route.index()];
        let tier = route.tiers.iter().position(|tier| tier.path == path).unwrap_or_default() as u8;
        let ask = self.batch.ask(&self.it.ask, (tier, route.imputed));
        let told = self.told(disclosure);
        let posted = self.it.applied.paths[path.index()].posted().to_vec();
        let certain = ask.and_then(|ask| self.it.applied.paths[path.index()].certain(&ask, &told.json()));
        if !posted.is_empty() {
            self.notes.push((Whose::Certain(path), Notes { posted, ..Notes::default() }));
        }
        let told = self.told(disclosure);
        let headers = told.headers(HeaderMap::new());
        match certain {
            Some(Certain::Whole(body)) => {
                Reply::Whole { status: 200, headers: reply::json(headers), body: body.into() }
            }
            Some(Certain::Events(events)) => stream_of(events, headers),
            Some(Certain::Infer(answer)) => self.together(&answer, disclosure),
            None => self.refusal(Problem::Exhausted, "no tier of this route can answer now", None, disclosure),
        }
    }

    /// An upstream's error that is the client's to see.
    fn own_error(&self, attempt: AttemptId, disclosure: &Disclosure) -> Reply {
        let ended = self.ended.iter().find(|it| it.0 == attempt);
        let (status, result, body) = match ended {
            Some((_, status, result, Left::Error(body) | Left::NoAnswer(body, _))) => (*status, *result, body.clone()),
            Some((_, status, result, _)) => (*status, *result, Bytes::new()),
            None => (None, ResultCode::CallerInvalid, Bytes::new()),
        };
        let status = status.filter(|status| (400..500).contains(status)).unwrap_or(400);
        let mut headers = reply::json(self.told(disclosure).headers(HeaderMap::new()));
        reply::hold_back(status, &mut headers);
        let body = match self.it.ask.front() {
            Front::Openai => relay(&body, result),
            Front::Oip => oip_rest::error::relay(&body),
            Front::OipGrpc => {
                headers.insert(reply::GRPC_STATUS, HeaderValue::from(Code::of_status(status).0));
                oip_rest::error::relayed(&body).into()
            }
        };
        Reply::Whole { status, headers, body: body.into() }
    }

    pub(super) fn refuse(&self, why: Refusal, retry_after: Option<Nanos>, disclosure: &Disclosure) -> Reply {
        let message = match why {
            Refusal::Exhausted if self.has_unfit_answer() => {
                "what tiers of this route answered was not sure enough or not as it must be, and no other tier can answer now"
            }
            Refusal::Exhausted => "no tier of this route can answer now",
            Refusal::Deadline => "no tier answered within the deadline",
            Refusal::Degradation => "only tiers that `evenkeel-accept` refuses could answer",
            Refusal::Overloaded => "there is more work than room; come back later",
            Refusal::Draining => "this replica is stopping",
            Refusal::ClientGone => "the client went away",
            Refusal::SequenceLost => SEQUENCE_LOST,
            Refusal::SequenceBusy => "the start of this sequence is still being answered; go on when it has been",
        };
        // Nobody reads the reply to a client that is gone.
        let problem = Problem::of(why).unwrap_or(Problem::Overloaded);
        self.refusal(problem, message, retry_after, disclosure)
    }

    /// Says whether something was answered that nobody was given: a model was not sure of it, its votes were too few or too far
    /// apart, or it did not pass.
    fn has_unfit_answer(&self) -> bool {
        self.ended.iter().any(|(_, _, result, _)| matches!(result.class(), Class::Ok | Class::Quality))
    }

    /// The answer of the first tier that cannot fail, where there is one.
    pub(super) fn safe_default(&mut self) -> Option<Reply> {
        let revision = &self.it.applied.deployment.revision;
        let tiers = &revision.routes[self.it.route.index()].tiers;
        let (at, tier) =
            tiers.iter().enumerate().find(|(_, it)| revision.paths[it.path.index()].place == Where::Certain)?;
        let answered = Some((at as u8, tier.method, tier.path));
        let disclosure =
            Disclosure { answered, degraded: at > 0, reason: Reason::InternalError, attempts: 0, rescue: Rescue::None };
        Some(self.certain(tier.path, &disclosure))
    }
}

/// Puts the classes of outputs in place of those of which they are wanted; none where that is nobody's wish.
fn classified(answer: &InferAnswer, infer: &Infer) -> Result<Option<InferAnswer>, String> {
    let wish = |name: &str| infer.outputs.iter().find(|it| it.name == name)?.classes;
    if !answer.outputs.iter().any(|it| wish(it.tensor.name()).is_some()) {
        return Ok(None);
    }
    let mut answer = answer.clone();
    for output in &mut answer.outputs {
        if let Some(most) = wish(output.tensor.name()) {
            let classes = classify::classes(&output.tensor, most);
            output.tensor = classes
                .map_err(|why| format!("output '{}' cannot be told by its classes: {why}", output.tensor.name()))?;
        }
    }
    Ok(Some(answer))
}

/// Writes held events, with the object `evenkeel` in the first.
pub(super) fn labelled(held: Vec<Chunk>, object: &str, model: &str) -> Vec<Bytes> {
    let write = |(at, Chunk { event, envelope, .. }): (usize, Chunk)| match at {
        0 => sse::write_event(&envelope.insert(&event.data, object, model)),
        _ => event.forward(),
    };
    held.into_iter().enumerate().map(write).collect()
}

/// Marks an object `evenkeel` as that of a stream in which an event was left out (F-128).
pub(super) fn skipped(object: &str) -> String {
    let open = object.strip_suffix('}').unwrap_or(object);
    format!("{open},\"result\":\"ok_event_skipped\"}}")
}

/// A stream that is known to its end.
pub(super) fn stream_of(events: Vec<Bytes>, headers: HeaderMap) -> Reply {
    let (sender, receiver) = mpsc::channel(events.len().max(1));
    for event in events {
        sender.try_send(event).expect("the channel was made for them");
    }
    Reply::Stream { headers: reply::events(headers), events: receiver }
}
