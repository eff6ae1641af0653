//! How a request ends: exactly one terminal outcome, then its record (rules 1, 10).

use alloc::{boxed::Box, vec::Vec};

use crate::{
    class::{Class, ResultCode},
    clock::{Nanos, SECOND},
    decision::{AttemptRecord, Decision, End, Evidence, Fact, Outcome, Signal},
    output::{Disclosure, Output, Refusal, Source},
    request::{Request, World},
};

impl Request {
    /// Ends a request that no tier answered, with the word that helps its client most (F-007, F-009, F-165 to F-168).
    pub(super) fn give_up(&mut self, now: Nanos, world: &mut World<'_>) {
        if let Some((attempt, result)) = self.first_failure {
            let for_the_client = matches!(result.class(), Class::Capability | Class::Policy);
            if for_the_client {
                return self.finish(now, world, End::Error(result), Some(Source::Error(attempt)));
            }
        }
        let refused = self.facts.iter().any(|fact| fact.signal == Signal::MaxTier && fact.breached());
        let why = match now >= self.deadline_at {
            _ if refused => Refusal::Degradation,
            true => Refusal::Deadline,
            false => Refusal::Exhausted,
        };
        self.finish(now, world, End::Refused(why), None);
    }

    /// Sends the terminal outcome and the record, once.
    pub(super) fn finish(&mut self, now: Nanos, world: &mut World<'_>, end: End, source: Option<Source>) {
        if !self.commit.close() {
            return;
        }
        self.flush(now, world);
        let request = self.admit.request;
        let disclosure = self.disclose(now, end);
        world.outputs.push_back(match (end, source) {
            (End::Refused(why), _) => {
                let retry_after = self.retry_after(now, world, why);
                Output::Refuse { request, why, retry_after, disclosure }
            }
            (_, Some(source)) => Output::Answer { request, source, disclosure },
            (_, None) => unreachable!("only a refusal has no source"),
        });
        let decision = self.decision(now, end);
        world.outputs.push_back(Output::Decision(Box::new(decision)));
    }

    /// Says what the client is told if the request ended like this now.
    pub(super) fn disclose(&self, now: Nanos, end: End) -> Disclosure {
        let running = self.current.as_ref().map(|attempt| attempt.record(now, self.at, ResultCode::Ok, None));
        let attempts: Vec<AttemptRecord> = self.attempts.iter().copied().chain(running).collect();
        let evidence = Evidence { facts: &self.facts, attempts: &attempts, end };
        let derived = evidence.derive(&self.generation.revision, self.admit.route);
        let answered = derived.tier.map(|tier| {
            let it = &self.route().tiers[usize::from(tier)];
            (tier, it.method, it.path)
        });
        let degraded = derived.tier.is_some_and(|tier| tier > 0);
        Disclosure { answered, degraded, reason: derived.reason, attempts: attempts.len() as u8 }
    }

    fn decision(&mut self, now: Nanos, end: End) -> Decision {
        let evidence = Evidence { facts: &self.facts, attempts: &self.attempts, end };
        let derived = evidence.derive(&self.generation.revision, self.admit.route);
        let outcome =
            Outcome { tier: derived.tier, end, status: self.status(end), latency: now.saturating_sub(self.at) };
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
            End::Refused(_) => 503,
        }
    }

    /// Returns when the soonest tier may be back, one to 300 seconds (F-165).
    fn retry_after(&self, now: Nanos, world: &World<'_>, why: Refusal) -> Option<Nanos> {
        if matches!(why, Refusal::ClientGone) {
            return None;
        }
        let barred = |tier: u8| self.facts.iter().any(|fact: &Fact| fact.tier == tier && fact.breached());
        let recovery = (0u8..).zip(&self.route().tiers).filter(|(tier, _)| barred(*tier)).filter_map(|(_, tier)| {
            let lane = world.paths.state(self.generation.slot(tier.path)).seen(self.admit.operation)?;
            Some(lane.recovers_in(now))
        });
        Some(recovery.min().unwrap_or(0).clamp(SECOND, 300 * SECOND))
    }
}
