//! What the task of a request has to do with the cache: it gives an earlier answer, and keeps its own where that may be.

use evenkeel_core::{AttemptId, Decision, Disclosure, Event, PathId, Reason, ResultCode, Source, Start, Where};
use http::HeaderMap;
use jiff::Timestamp;

use super::{Task, answer::stream_of, vote::Panel};
use crate::{
    ask::Question,
    cache::{self, Came, Given, Made, Material, Noted, Said, Told, Unkept, keep},
    events::Whose,
    judge::Judged,
    path::{Attempting, Ended, Left},
    protocol::{openai::envelope::Envelope, problem::Problem},
    reply::{self, Reply},
    sure::Sure,
};

impl Task {
    /// Says what the cache had to do with an answer that is given for a reason; none where the route has no cache.
    pub(super) fn told_of_cache(&self, reason: Reason) -> Option<Told> {
        let policy = self.it.applied.deployment.revision.routes[self.it.route.index()].cache?;
        let now = Timestamp::now();
        let held = self.earlier.as_deref();
        let near = self.near.as_ref().filter(|_| reason == Reason::CacheSemanticHit);
        Some(match (self.waited, near.zip(self.it.asked.as_ref())) {
            (_, Some((near, asked))) => Told::near(policy, asked, (near, now)),
            (true, None) => Told::shared(held.map(|entry| entry.age(now))),
            (false, None) => Told::of(policy, self.it.asked.as_ref(), held, (reason, now)),
        })
    }

    /// Looks for an earlier answer to other words, where that is what an attempt is to do.
    pub(super) fn search(&self, start: &Start) -> Option<Attempting> {
        let place = self.it.applied.deployment.revision.paths[start.path.index()].place;
        let mut asked = self.it.asked.clone().filter(|_| place == Where::Stored)?;
        let (entropy, left) = (self.it.terms.entropy, start.budget);
        Some(Box::pin(async move {
            let (came, found) = asked.search(entropy, left).await;
            let result = if found.is_some() { ResultCode::Ok } else { ResultCode::CacheDissimilar };
            Ended { left: Left::Near(found, came), ..Ended::bare(result, None) }
        }))
    }

    /// Keeps what was found of answers to other words, and tells the core how near it is; returns what else is left.
    pub(super) fn found(&mut self, left: Left) -> Left {
        let Left::Near(found, came) = left else { return left };
        if let Some(found) = &found {
            self.tell(Event::Similar(found.near(Timestamp::now())));
        }
        (self.near, self.came) = (found, came);
        Left::Nothing
    }

    /// Returns how likely what a path answers for a reason is right, as the client is told: an earlier answer as when it was given
    /// (F-142), and none to other words, since nobody has voted on those.
    pub(super) fn sure(&self, reason: Reason, path: Option<PathId>) -> Option<Sure> {
        match self.source {
            Some((Source::Stored(_), _)) if reason == Reason::CacheSemanticHit => None,
            Some((Source::Stored(_), _)) => self.earlier.as_ref()?.sure.clone(),
            _ => self.worth(path?).and_then(|it| it.sure()).or_else(|| self.judged()?.sure()),
        }
    }

    /// Returns how sure its model was of the answer that is given, where somebody asked, and all of it is of that model.
    fn judged(&self) -> Option<&Judged> {
        match self.source {
            Some((Source::Attempt(attempt), _)) => self.judged_of(attempt),
            _ => None,
        }
    }

    fn judged_of(&self, attempt: AttemptId) -> Option<&Judged> {
        let mut notes = self.notes.iter().filter(|(whose, _)| *whose == Whose::Attempt(attempt));
        notes.find_map(|(_, notes)| notes.judged.as_ref()).filter(|_| self.batch.is_of_one() && !self.is_vote(attempt))
    }

    /// The earlier answer, in the form in which this client wants it.
    pub(super) fn earlier_answer(&mut self, disclosure: &Disclosure) -> Reply {
        let lost = |task: &Self| task.refusal(Problem::Overloaded, "the answer was lost", None, disclosure);
        let near = self.near.as_ref().filter(|_| disclosure.reason == Reason::CacheSemanticHit).map(|it| &it.entry);
        let Some(entry) = near.or(self.earlier.as_ref()).cloned() else { return lost(self) };
        let told = self.told(disclosure);
        match (&entry.said, &self.it.ask.question) {
            (Said::Infer(answer), Question::Infer(_)) => {
                self.batch.forget();
                self.tensors(answer, disclosure)
            }
            (Said::Json(body), Question::Chat(peek)) if peek.stream => {
                let headers = told.headers(HeaderMap::new());
                match cache::events(body, peek.include_usage, &told.json()) {
                    Some(events) => stream_of(events, headers),
                    None => lost(self),
                }
            }
            (Said::Json(body), Question::Chat(_) | Question::Embeddings(_)) => {
                let Ok(envelope) = Envelope::read(body, |_, reader| reader.pass()) else { return lost(self) };
                // Who answers was written into it when it was kept.
                let body = envelope.insert(body, &told.json(), "");
                let headers = reply::json(told.headers(HeaderMap::new()));
                Reply::Whole { status: 200, headers, body: body.into() }
            }
            _ => lost(self),
        }
    }

    /// Keeps the answer, where it may be kept, and says what the cache had to do with it.
    pub(super) fn keep_answer(&mut self, decision: &Decision) -> Option<Noted> {
        let Told { status, age, similarity_permille, .. } = self.told_of_cache(decision.reason)?;
        let written = self.it.asked.clone().filter(|_| age.is_none()).map(|asked| {
            let made = Timestamp::now();
            let streamed = self.copy.take().map(|mut copy| Material::Events(copy.take(), &self.model));
            let by_vote = self.answered(decision).filter(|it| self.is_vote(*it));
            let voted = by_vote.and_then(|_| self.voted());
            let sure = by_vote.and_then(|_| self.worth_of_votes()?.sure());
            let sure = sure.or_else(|| self.judged_of(self.answered(decision)?)?.sure());
            let material = match (streamed, &voted) {
                (Some(streamed), _) => streamed,
                (None, Some(voted)) => Material::Tensors(voted),
                (None, None) => self.material(decision),
            };
            let given = Given { material, sure, of_documents: self.is_of_documents(decision) };
            let Made { shared, unkept } = keep(&asked.cache, (decision, &self.it.ask), given, made);
            if let (Some(entry), None) = (&shared, unkept) {
                asked.keep(entry.clone(), &self.it.ask.decision);
            }
            // Kept before it is told of: who comes in between finds the one or the other (F-145).
            self.driver.land(self.id, shared);
            unkept.map_or("stored", Unkept::name)
        });
        let first = self.near.as_ref().filter(|_| similarity_permille.is_some()).map(|near| near.first.clone());
        Some(Noted { status, age, written, similarity_permille, first, searched: self.came.map(Came::name) })
    }

    /// Returns the attempt that answered. Where its client has left, nobody was told, and it is the one that ended well, or that
    /// a vote has decided on (F-145).
    fn answered(&self, decision: &Decision) -> Option<AttemptId> {
        if let Some((Source::Attempt(attempt), _)) = self.source {
            return Some(attempt);
        }
        let well = decision.attempts.iter().find(|it| it.result.is_ok())?.attempt;
        let voted = self.panel.as_ref().filter(|_| self.is_vote(well));
        Some(voted.map_or(well, Panel::leader))
    }

    /// Says whether an attempt that answered, or voted, did so with what it found in documents.
    fn is_of_documents(&self, decision: &Decision) -> bool {
        let mut well = decision.attempts.iter().filter(|it| it.result.is_ok());
        well.any(|it| self.found.iter().any(|(id, search)| *id == it.attempt && !search.documents.is_empty()))
    }

    /// Returns what is left of the attempt that answered.
    fn material(&self, decision: &Decision) -> Material<'_> {
        let left = self.answered(decision).and_then(|whole| self.ended.iter().find(|it| it.0 == whole)).map(|it| &it.3);
        match left {
            Some(Left::Answer { body, envelope, model, .. }) => Material::Body(body, envelope, model),
            Some(Left::Infer(answer) | Left::Judged(answer, _)) => Material::Tensors(answer),
            _ => Material::Nothing,
        }
    }
}
