//! How a request ends: exactly one terminal outcome, then its record (rules 1, 10).

use alloc::{boxed::Box, vec::Vec};

use crate::{
    attempt::Attempt,
    class::{Class, Next, ResultCode},
    clock::{Nanos, SECOND},
    decision::{
        AttemptRecord, Decision, End, Outcome, Rescue,
        derive::{Derived, Evidence},
    },
    fact::{Fact, Signal},
    output::{Disclosure, Output, Refusal, Source},
    plan::Plan,
    reason::Reason,
    request::{Request, World},
    revision::Method,
};

impl Request {
    /// Ends a request that no tier answered, with the word that helps its client most (F-007, F-009, F-165 to F-168).
    pub(super) fn give_up(&mut self, now: Nanos, world: &mut World<'_>) {
        // Who is to blame for a failure is told so, also where others were asked (OIP-39).
        let own = |result: ResultCode| result.next() != Next::Yes || result.class() == Class::Caller;
        if let Some((attempt, result)) = self.first_failure.filter(|it| own(it.1) && !self.loses(it.1)) {
            return self.finish(now, world, End::Error(result), Some(Source::Error(attempt)));
        }
        if self.stands(now, world) {
            return;
        }
        let refused = self.facts.iter().any(|fact| fact.signal == Signal::MaxTier && fact.breached());
        let refused = refused || self.is_unsure_for_client();
        let why = match now >= self.deadline_at {
            _ if self.has_lost() => Refusal::SequenceLost,
            _ if refused => Refusal::Degradation,
            true => Refusal::Deadline,
            false if self.lacks_room() => Refusal::Overloaded,
            false => Refusal::Exhausted,
        };
        if !self.awaits_recovery(now, world, why) {
            self.finish(now, world, End::Refused(why), None);
        }
    }

    /// Says whether its client has refused what there was: no tier tells enough of its answers, or one that was given is less sure.
    fn is_unsure_for_client(&self) -> bool {
        let told = |fact: &Fact| fact.signal == Signal::MinConfidence && fact.breached();
        let low = |it: &AttemptRecord| matches!(it.result, ResultCode::LowConfidence | ResultCode::Disagreement);
        self.admit.min_confidence.is_some() && (self.facts.iter().any(told) || self.attempts.iter().any(low))
    }

    /// Says whether some tier would have been asked, had it, or this process, had room (F-085, F-106).
    fn lacks_room(&self) -> bool {
        let full = |tier: u8| {
            // That too few of several may be asked follows from what bars each.
            let against = |fact: &&Fact| {
                fact.tier == tier
                    && fact.breached()
                    && !fact.again
                    && fact.signal != Signal::Members
                    && fact.signal.is_about_tier()
            };
            let mut breached = self.facts.iter().filter(against).peekable();
            breached.peek().is_some() && breached.all(|fact| fact.signal.reason() == Reason::CapacityExhausted)
        };
        let ours = |attempt: &AttemptRecord| attempt.result.reason() == Some(Reason::CapacityExhausted);
        (0..self.route().tiers.len() as u8).any(full) || self.attempts.iter().any(ours)
    }

    /// Sends the terminal outcome and the record, once.
    pub(super) fn finish(&mut self, now: Nanos, world: &mut World<'_>, end: End, source: Option<Source>) {
        let begun = self.begun();
        if !self.commit.close() {
            return;
        }
        self.flush(now, world);
        self.lands(world, end, source);
        // Its client is gone, and those who waited have their own records.
        let (end, source) = match self.abandoned {
            true => (End::Refused(Refusal::ClientGone), begun),
            false => (end, source),
        };
        self.leave_sequence(end, source);
        let request = self.admit.request;
        let tier = source.and_then(|source| self.tier_of(source)).map(|tier| self.lowest(tier));
        let evidence = Evidence { facts: &self.facts, attempts: &self.attempts, end };
        let derived = evidence.derive(&self.generation.revision, self.admit.route);
        let mut disclosure =
            Disclosure { rescue: evidence.rescue(), ..self.tell(tier, derived.reason, self.attempts.len()) };
        if let (Some(Source::Stored(_)), Some((_, method, _))) = (source, &mut disclosure.answered) {
            *method = Method::Cache;
        }
        world.outputs.push_back(match (end, source) {
            (End::Refused(why), _) => {
                let retry_after = self.retry_after(now, world, why);
                Output::Refuse { request, why, retry_after, disclosure }
            }
            (_, Some(source)) => Output::Answer { request, source, disclosure },
            (_, None) => unreachable!("only a refusal has no source"),
        });
        self.cast_shadow(now, world, (end, tier));
        let latency = now.saturating_sub(self.at);
        let outcome = Outcome { tier, end, status: self.status(end), latency };
        let decision = self.decision(outcome, derived);
        world.outputs.push_back(Output::Decision(Box::new(decision)));
    }

    /// Says what the client is told if the running attempt goes on to answer.
    pub(super) fn foretell(&self, now: Nanos, running: &Attempt) -> Disclosure {
        let running = running.record(now, self.at, ResultCode::Ok, None);
        let attempts: Vec<AttemptRecord> = self.attempts.iter().copied().chain([running]).collect();
        let evidence = Evidence { facts: &self.facts, attempts: &attempts, end: End::Answered };
        let derived = evidence.derive(&self.generation.revision, self.admit.route);
        self.tell(Some(running.tier), derived.reason, attempts.len())
    }

    fn tell(&self, tier: Option<u8>, reason: Reason, attempts: usize) -> Disclosure {
        let answered = tier.map(|tier| {
            let it = &self.route().tiers[usize::from(tier)];
            (tier, it.method, it.path)
        });
        let (degraded, attempts) = (tier.is_some_and(|tier| tier > 0), attempts as u8);
        Disclosure { answered, degraded, reason, attempts, rescue: Rescue::None }
    }

    /// Returns the tier that really gave what the client gets.
    fn tier_of(&self, source: Source) -> Option<u8> {
        let of = |id| self.attempts.iter().find(|attempt| attempt.attempt == id).map(|attempt| attempt.tier);
        match source {
            Source::Attempt(attempt) | Source::Broken(attempt, _) => of(attempt),
            Source::Certain(path) => self.route().tiers.iter().position(|tier| tier.path == path).map(|at| at as u8),
            Source::Stored(tier) => Some(tier),
            Source::Error(_) => None,
        }
    }

    /// Returns the lowest of the tiers whose answers are put together, the last of which is this one (OIP-35).
    fn lowest(&self, last: u8) -> u8 {
        let parts = self.attempts.iter().filter(|attempt| attempt.result == ResultCode::OkPart);
        parts.map(|attempt| attempt.tier).fold(last, u8::max)
    }

    fn decision(&mut self, outcome: Outcome, derived: Derived) -> Decision {
        Decision {
            request: self.admit.request,
            revision: self.generation.revision.clone(),
            route: self.admit.route,
            operation: self.admit.operation,
            at: self.at,
            deadline: self.deadline,
            entropy: self.admit.entropy,
            phase: self.phase,
            episode: self.episode,
            facts: core::mem::take(&mut self.facts),
            candidates: derived.candidates,
            attempts: core::mem::take(&mut self.attempts),
            outcome,
            reason: derived.reason,
        }
    }

    fn status(&self, end: End) -> u16 {
        match end {
            End::Answered | End::Broken(_) => 200,
            End::Error(result) => {
                let attempt = self.attempts.iter().find(|attempt| attempt.result == result);
                attempt.and_then(|attempt| attempt.status).filter(|status| (400..500).contains(status)).unwrap_or(400)
            }
            End::Refused(Refusal::Deadline) => 504,
            End::Refused(Refusal::ClientGone) => 499,
            End::Refused(Refusal::SequenceLost | Refusal::SequenceBusy) => 409,
            End::Refused(_) => 503,
        }
    }

    /// Returns when the soonest tier that the next request like this one could be answered by may be asked, those that this one
    /// has asked among them, one to 300 seconds (F-056, F-165).
    fn retry_after(&self, now: Nanos, world: &World<'_>, why: Refusal) -> Option<Nanos> {
        // To come back with the same request helps nobody who is to begin again.
        if matches!(why, Refusal::ClientGone | Refusal::SequenceLost | Refusal::SequenceBusy) {
            return None;
        }
        let could = |tier| if self.asked(tier) { self.could(tier) } else { self.barred(tier) };
        let soonest = self.soonest(&self.plan(now, world), Nanos::MAX, could);
        Some(soonest.unwrap_or(0).clamp(SECOND, 300 * SECOND))
    }

    /// Returns how long until the soonest tier that this request has not asked, and that is barred for its own state, may be
    /// asked, as far as it is known; for room, which is a guess, at most `guess`.
    pub(super) fn recovery(&self, now: Nanos, world: &World<'_>, guess: Nanos) -> Option<Nanos> {
        // These two do not change while it waits: what it has found of our memory, and of itself.
        let stays = |fact: &Fact| fact.breached() && matches!(fact.signal, Signal::Bodies | Signal::OnlyDefault);
        let stays = |tier| self.facts.iter().any(|fact| fact.tier == tier && stays(fact));
        let waits_for = |tier| !self.asked(tier) && self.barred(tier) && !stays(tier);
        self.soonest(&self.plan(now, world), guess, waits_for)
    }

    pub(super) fn asked(&self, tier: u8) -> bool {
        self.attempts.iter().any(|attempt| attempt.tier == tier)
    }

    /// Says whether a tier that was asked did not fail for what the request is.
    fn could(&self, tier: u8) -> bool {
        let about_request = |class: Class| matches!(class, Class::Caller | Class::Capability | Class::Policy);
        let mut attempts = self.attempts.iter().filter(|attempt| attempt.tier == tier);
        attempts.all(|attempt| !about_request(attempt.result.class()))
    }

    /// Says whether a tier is barred for its own state, and by nothing that lies in the request.
    fn barred(&self, tier: u8) -> bool {
        let against = |fact: &&Fact| fact.tier == tier && fact.breached() && fact.signal.is_about_tier();
        let breached = self.facts.iter().filter(against);
        let mut reasons = breached.map(|fact| fact.signal.reason()).peekable();
        reasons.peek().is_some() && reasons.all(|reason| !reason.about_request())
    }

    /// Returns how long until one of these tiers may be asked, as far as it is known.
    fn soonest(&self, plan: &Plan<'_>, guess: Nanos, which: impl Fn(u8) -> bool) -> Option<Nanos> {
        let tiers = (0..self.route().tiers.len() as u8).filter(|tier| which(*tier));
        tiers.map(|tier| plan.recovers_in(tier, guess)).min()
    }
}
