//! Makes a decision again from what its record holds: facts, attempts, and how it ended (rule 10).
//!
//! The machine fills its records by this function, and [`Decision::rederives`] asks it again; the tier that really
//! answered comes from the machine alone, so the two can differ, and a property says that they never do.

mod vote;

use alloc::vec::Vec;

use super::{AttemptRecord, Candidate, Decision, End, Rescue, Role, Verdict};
use crate::{
    class::ResultCode,
    fact::{Fact, Signal},
    first::FIRST_CLOCKS,
    id::{PathId, RouteId},
    output::Refusal,
    reason::Reason,
    revision::{FirstClock, Method, Revision, Where},
};

/// What a record says when it is read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Derived {
    pub(crate) tier: Option<u8>,
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) reason: Reason,
}

impl Decision {
    /// Makes the decision again from facts, attempts and end alone, and says whether it is the one recorded, and one that
    /// the facts allow: no tier was asked that they bar, and none was passed over that they do not.
    pub fn rederives(&self) -> bool {
        let evidence = Evidence { facts: &self.facts, attempts: &self.attempts, end: self.outcome.end };
        let derived = evidence.derive(&self.revision, self.route);
        let same =
            derived.tier == self.outcome.tier && derived.candidates == self.candidates && derived.reason == self.reason;
        let route = &self.revision.routes[self.route.index()];
        same && evidence.follows(derived.tier)
            && evidence.clocks_follow(&self.revision, self.route)
            && evidence.votes_follow(route)
            && evidence.searches_follow(&self.revision, self.route)
    }

    /// Returns the kind of answer that the client was told of; none on a refusal.
    pub fn method(&self) -> Option<Method> {
        let tier = self.outcome.tier?;
        let of = &self.revision.routes[self.route.index()].tiers[usize::from(tier)];
        let earlier = matches!(self.reason, Reason::CacheFreshHit | Reason::CacheSemanticHit);
        Some(if earlier { Method::Cache } else { of.method })
    }

    /// Says what became of a stream that broke after its client had begun to get it (F-133).
    pub fn rescue(&self) -> Rescue {
        Evidence { facts: &self.facts, attempts: &self.attempts, end: self.outcome.end }.rescue()
    }
}

/// What a decision is derived from.
pub(crate) struct Evidence<'a> {
    pub(crate) facts: &'a [Fact],
    pub(crate) attempts: &'a [AttemptRecord],
    pub(crate) end: End,
}

impl Evidence<'_> {
    /// Derives the verdict of every tier, the tier that answered, the lowest of several, and the reason.
    pub(crate) fn derive(&self, revision: &Revision, route: RouteId) -> Derived {
        let tiers = &revision.routes[route.index()].tiers;
        let tier = (0..tiers.len() as u8).rev().find(|&tier| self.answers(revision, tiers[tier as usize].path, tier));
        let candidates: Vec<_> =
            (0..tiers.len() as u8).map(|at| self.candidate(at, tier, tiers[at as usize].method)).collect();
        let reason = self.reason(tier, &candidates);
        Derived { tier, candidates, reason }
    }

    /// Says whether the tier gave what the client got, or some rows of it.
    fn answers(&self, revision: &Revision, path: PathId, tier: u8) -> bool {
        let tried = || self.attempts.iter().filter(|attempt| attempt.tier == tier);
        match self.end {
            // Of two at once any may have answered, whatever became of the other.
            End::Answered if tried().any(|attempt| attempt.result.is_ok()) => true,
            End::Answered if tried().next().is_some() => self.stands() == Some(tier),
            // A stream that had begun was that tier's, as its client was told.
            End::Refused(Refusal::ClientGone) | End::Broken(_) => {
                self.began().is_some_and(|attempt| attempt.tier == tier)
            }
            End::Answered if self.fresh().is_some() => self.fresh() == Some(tier),
            End::Answered if self.stands().is_some() => self.stands() == Some(tier),
            End::Answered => {
                let certain = matches!(revision.paths[path.index()].place, Where::Certain | Where::Stored);
                let about = |fact: &&Fact| fact.tier == tier && fact.signal.is_about_tier();
                let mut facts = self.facts.iter().filter(about).peekable();
                certain && facts.peek().is_some() && facts.all(|fact| !fact.breached())
            }
            _ => false,
        }
    }

    /// Returns the tier whose earlier answer was fresh, and so was given again (F-142), be it one to other words (F-147).
    fn fresh(&self) -> Option<u8> {
        let fresh = |fact: &&Fact| fact.signal == Signal::CacheFresh && !fact.breached();
        self.facts.iter().find(fresh).map(|fact| fact.tier).or_else(|| self.similar_fresh())
    }

    /// Returns the tier whose answer stands though it was not accepted: the surest, of several the first, where nobody gave one that
    /// was (PART-2).
    pub(crate) fn stands(&self) -> Option<u8> {
        let whole = |attempt: &AttemptRecord| attempt.result.is_ok() && attempt.result != ResultCode::OkPart;
        // What was kept below of its rows is more than it can be put together with.
        let kept = |tier: u8| self.has_below(tier, ResultCode::OkPart);
        let facts = self.facts.iter().filter(|fact| fact.signal == Signal::Stands && !kept(fact.tier));
        let surest = facts.reduce(|best, it| if it.value > best.value { it } else { best });
        surest.map(|it| it.tier).filter(|_| !self.attempts.iter().any(whole))
    }

    fn has_below(&self, tier: u8, result: ResultCode) -> bool {
        self.attempts.iter().any(|attempt| attempt.tier > tier && attempt.result == result)
    }

    /// Returns the tier whose earlier answer to other words was near enough, and fresh.
    fn similar_fresh(&self) -> Option<u8> {
        let age = self.facts.iter().find(|fact| fact.signal == Signal::SimilarFreshAge)?;
        self.holds(age.tier, &[Signal::SimilarFresh, Signal::SimilarFreshAge]).then_some(age.tier)
    }

    /// Says whether all of these were compared at a tier, and none is breached.
    fn holds(&self, tier: u8, signals: &[Signal]) -> bool {
        let well = |signal: &Signal| {
            let mut facts = self.facts.iter().filter(|fact| fact.tier == tier && fact.signal == *signal).peekable();
            facts.peek().is_some() && facts.all(|fact| !fact.breached())
        };
        signals.iter().all(well)
    }

    /// Says whether what was found of earlier answers to other words is as it was compared (CACHE-3).
    fn searches_follow(&self, revision: &Revision, route: RouteId) -> bool {
        let tiers = &revision.routes[route.index()].tiers;
        let searches =
            |it: &&AttemptRecord| revision.paths[tiers[usize::from(it.tier)].path.index()].place == Where::Stored;
        self.attempts.iter().filter(searches).all(|attempt| {
            let near = self.holds(attempt.tier, &[Signal::Similarity, Signal::SimilarAge]);
            near == attempt.result.is_ok()
        })
    }

    /// Returns the attempt whose stream the client began to get.
    fn began(&self) -> Option<&AttemptRecord> {
        self.attempts.iter().find(|attempt| attempt.sent && attempt.role == Role::Answer)
    }

    /// Says what became of a stream that broke after its client had begun to get it.
    pub(crate) fn rescue(&self) -> Rescue {
        let broke = self.began().is_some_and(|attempt| !attempt.result.is_ok());
        let last = self.attempts.last().map(|attempt| attempt.role);
        match (self.end, last) {
            (End::Broken(_), _) => Rescue::Truncated,
            (End::Answered, Some(Role::Splice)) if broke => Rescue::Spliced,
            (End::Answered, Some(Role::Continue)) if broke => Rescue::Continued,
            _ => Rescue::None,
        }
    }

    /// Says whether what was asked follows from what was compared.
    fn follows(&self, answered: Option<u8>) -> bool {
        // Where there is a fresh answer nobody is asked.
        if let Some(fresh) = self.fresh() {
            return answered == Some(fresh) && self.attempts.is_empty();
        }
        let asked = |tier: u8| self.attempts.iter().any(|attempt| attempt.tier == tier);
        let barred = |tier: u8| {
            let asking = |fact: &&Fact| {
                fact.tier == tier && !fact.again && !fact.signal.is_about_answer() && fact.signal.is_about_tier()
            };
            self.facts.iter().filter(asking).any(Fact::bars)
        };
        // Nobody is slow of whom nothing was measured (F-029).
        let slow = |attempt: &AttemptRecord| matches!(attempt.result, ResultCode::Slow | ResultCode::OkSlow);
        let measured = |attempt: &AttemptRecord| {
            let mut facts = self.facts.iter().filter(|fact| fact.tier == attempt.tier);
            facts.any(|fact| fact.signal == Signal::TokensSaid && fact.breached())
        };
        if self.attempts.iter().any(|attempt| slow(attempt) && !measured(attempt)) {
            return false;
        }
        // No answer is left, or kept in part, for rows that nobody compared (OIP-35).
        let compared = |attempt: &AttemptRecord, which: &[Signal]| {
            let mut facts = self.facts.iter().filter(|fact| fact.tier == attempt.tier && fact.breached());
            facts.any(|fact| which.contains(&fact.signal))
        };
        if !self.attempts.iter().all(|attempt| match attempt.result {
            ResultCode::LowConfidence => compared(attempt, &[Signal::RowsLow]),
            ResultCode::OkPart => compared(attempt, &[Signal::RowsLow, Signal::RowsApart]),
            _ => true,
        }) {
            return false;
        }
        // Nobody waits for longer than it may (WAIT-2).
        let mut waits = self.facts.iter().filter(|fact| fact.signal == Signal::Waited);
        let waited = waits.next();
        if waited.is_some_and(Fact::breached) || waits.next().is_some() {
            return false;
        }
        // Who has waited starts again from the top: what was found of those that were passed over before is forgotten.
        let before = if waited.is_some() { self.attempts.len().saturating_sub(1) } else { 0 };
        let unasked = answered.filter(|tier| !asked(*tier));
        let reached = self.attempts[before..].iter().map(|attempt| attempt.tier).chain(unasked).max();
        (0..=reached.unwrap_or(0)).all(|tier| match asked(tier) || answered == Some(tier) {
            true => !barred(tier),
            false => barred(tier) || reached.is_none(),
        })
    }

    /// Says whether each clock that was learned is one that can be, of a path that learns, and none fired for which nobody had
    /// waited (F-022).
    fn clocks_follow(&self, revision: &Revision, route: RouteId) -> bool {
        let tier = |fact: &Fact| &revision.routes[route.index()].tiers[usize::from(fact.tier)];
        let path = |fact: &Fact| match (fact.member, &tier(fact).ensemble) {
            (Some(member), Some(it)) => it.members.get(usize::from(member)).copied().unwrap_or(tier(fact).path),
            _ => tier(fact).path,
        };
        let learns = |fact: &Fact| revision.paths[path(fact).index()].clocks.first_content == FirstClock::Auto;
        let [least, most] = FIRST_CLOCKS;
        let mut clocks = self.facts.iter().filter(|fact| fact.signal == Signal::FirstToken);
        clocks.all(|fact| {
            let mut attempts = self.attempts.iter().filter(|attempt| attempt.tier == fact.tier);
            let waited = attempts.any(|attempt| attempt.duration >= fact.threshold);
            learns(fact) && (least..=most).contains(&fact.threshold) && (waited || !fact.breached())
        })
    }

    fn candidate(&self, at: u8, answered: Option<u8>, method: Method) -> Candidate {
        if answered.is_some() && self.has(at, |result| result == ResultCode::OkPart) {
            return Candidate { tier: at, verdict: Verdict::Selected, reasons: self.why_in_part(at) };
        }
        if answered == Some(at) && self.end == End::Answered && self.stands() == answered {
            return Candidate { tier: at, verdict: Verdict::Selected, reasons: [Reason::LowConfidence].into() };
        }
        if answered == Some(at) || self.is_whole(at) {
            return Candidate { tier: at, verdict: Verdict::Selected, reasons: [self.why_selected(at, method)].into() };
        }
        let mut reasons: Vec<Reason> = Vec::new();
        let failed = self.attempts.iter().filter(|attempt| attempt.tier == at).filter_map(|it| it.result.reason());
        let against = |fact: &&Fact| fact.tier == at && fact.breached() && fact.signal.is_about_tier();
        let breached = || self.facts.iter().filter(against);
        let vote = breached().filter(|fact| fact.signal.is_about_vote()).map(|fact| fact.signal.reason());
        for reason in vote.chain(failed).chain(breached().map(|fact| fact.signal.reason())) {
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        if reasons.is_empty() {
            reasons.push(Reason::LowerPreference);
        }
        let about_request = reasons.iter().all(|reason| reason.about_request());
        let verdict = if about_request { Verdict::Skipped } else { Verdict::Rejected };
        Candidate { tier: at, verdict, reasons }
    }

    /// Returns which earlier answer was given, where one was, fresh or by a tier that answers from the cache.
    fn earlier(&self, tier: Option<u8>, candidates: &[Candidate]) -> Option<Reason> {
        let of = tier.and_then(|tier| candidates.get(usize::from(tier)));
        let earlier = [Reason::CacheFreshHit, Reason::CacheStaleHit, Reason::CacheSemanticHit];
        of?.reasons.first().copied().filter(|reason| earlier.contains(reason))
    }

    fn has(&self, tier: u8, which: impl Fn(ResultCode) -> bool) -> bool {
        self.attempts.iter().any(|attempt| attempt.tier == tier && which(attempt.result))
    }

    /// Says whether an attempt on a tier answered all that was left.
    fn is_whole(&self, tier: u8) -> bool {
        self.end == End::Answered && self.has(tier, |result| result.is_ok() && result != ResultCode::OkPart)
    }

    /// Returns why a tier answered for some rows only (OIP-35).
    fn why_in_part(&self, tier: u8) -> Vec<Reason> {
        let about = |fact: &&Fact| fact.tier == tier && fact.signal.is_about_rows() && fact.breached();
        self.facts.iter().filter(about).map(|fact| fact.signal.reason()).collect()
    }

    fn why_selected(&self, tier: u8, method: Method) -> Reason {
        let probe = self.attempts.iter().rev().find(|attempt| attempt.tier == tier).is_some_and(|it| it.probe);
        match (probe, tier, method) {
            _ if self.similar_fresh() == Some(tier) => Reason::CacheSemanticHit,
            _ if self.fresh() == Some(tier) => Reason::CacheFreshHit,
            (_, _, Method::Cache) if self.holds(tier, &[Signal::Similarity]) => Reason::CacheSemanticHit,
            (_, _, Method::Cache) => Reason::CacheStaleHit,
            (true, ..) => Reason::BreakerHalfOpenProbe,
            (_, 0, _) => Reason::PrimaryHealthy,
            (_, _, Method::Default) => Reason::LastResort,
            _ => Reason::NextEligibleTier,
        }
    }

    /// The reason of a degraded answer is that of the first tier that did not give all of it; of an end without an answer, the
    /// end's own.
    fn reason(&self, tier: Option<u8>, candidates: &[Candidate]) -> Reason {
        match self.end {
            End::Error(result) | End::Broken(result) => result.reason().unwrap_or(Reason::InternalError),
            End::Refused(Refusal::Exhausted) => Reason::AllTiersExhausted,
            End::Refused(Refusal::Deadline) => Reason::Timeout,
            End::Refused(Refusal::Degradation) => {
                let tier = |fact: &Fact| fact.signal == Signal::MaxTier && fact.breached();
                let by_tier = self.facts.iter().any(tier);
                if by_tier { Reason::ClientMaxTier } else { Reason::ClientMinConfidence }
            }
            End::Refused(Refusal::Overloaded) => Reason::CapacityExhausted,
            End::Refused(Refusal::Draining) => Reason::Draining,
            End::Refused(Refusal::ClientGone) => Reason::ClientGone,
            // What speaks against the tier that had its state; nothing does where none has it.
            End::Refused(Refusal::SequenceLost) => {
                let rejected = candidates.iter().find(|candidate| candidate.verdict == Verdict::Rejected);
                rejected.and_then(|it| it.reasons.first().copied()).unwrap_or(Reason::CapabilityMissing)
            }
            End::Refused(Refusal::SequenceBusy) => Reason::CallerError,
            // What a client may want to know first of an earlier answer is that it is one (F-143).
            End::Answered if self.earlier(tier, candidates).is_some() => {
                self.earlier(tier, candidates).expect("it was looked at")
            }
            End::Answered => {
                // One that answered all that was left had been barred before, and waited for.
                let above = candidates.iter().take(usize::from(tier.unwrap_or(0))).filter(|it| !self.is_whole(it.tier));
                let first = above.chain(candidates.get(usize::from(tier.unwrap_or(0)))).next();
                first.and_then(|candidate| candidate.reasons.first().copied()).unwrap_or(Reason::InternalError)
            }
        }
    }
}
