//! Tally: what is counted while a world runs.

use std::{collections::BTreeMap, sync::Arc};

use evenkeel_core::{
    BreakerState, Decision, End, Nanos, Output, PathId, Reason, Refusal, Rescue, ResultCode, Revision, Start,
    Transition, Where,
};

use super::histogram::Histogram;

/// What adds up over runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// Requests that arrived, and with the retries of clients.
    pub(crate) arrived: u64,
    pub(crate) requests: u64,
    /// By path: requests that it answered, and how long they took.
    pub(crate) answers: Vec<Histogram>,
    /// By path and result: attempts.
    pub(crate) attempts: Vec<Vec<u64>>,
    /// By path: copies of requests that were answered elsewhere (F-150).
    pub(crate) copies: Vec<u64>,
    /// By reason: requests that tiers 0 did not answer.
    pub(crate) reasons: BTreeMap<Reason, u64>,
    pub(crate) broken: u64,
    /// Streams that broke and were whole in the end.
    pub(crate) mended: u64,
    pub(crate) errors: u64,
    pub(crate) gone: u64,
    pub(crate) exhausted: u64,
    pub(crate) late: u64,
    pub(crate) overloaded: u64,
    pub(crate) other: u64,
    pub(crate) transitions: u64,
    /// Remote attempts, and what they and the requests are worth, in tokens.
    pub(crate) remote: u64,
    pub(crate) cost: u64,
    pub(crate) worth: u64,
}

impl Counts {
    /// Adds what was counted elsewhere, for the same paths, or for none by a thread that got no seed.
    pub(crate) fn merge(&mut self, other: &Self) {
        let Self { arrived, requests, answers, attempts, broken, errors, gone, exhausted, late, .. } = other;
        let paths = self.answers.len().max(answers.len());
        self.answers.resize(paths, Histogram::default());
        self.answers.iter_mut().zip(answers).for_each(|(here, there)| here.merge(there));
        self.attempts.resize(paths, vec![0; ResultCode::ALL.len()]);
        for (here, there) in self.attempts.iter_mut().flatten().zip(attempts.iter().flatten()) {
            *here += there;
        }
        self.copies.resize(paths, 0);
        self.copies.iter_mut().zip(&other.copies).for_each(|(here, there)| *here += there);
        for (reason, count) in &other.reasons {
            *self.reasons.entry(*reason).or_default() += count;
        }
        let numbers = [
            (&mut self.arrived, arrived),
            (&mut self.requests, requests),
            (&mut self.broken, broken),
            (&mut self.mended, &other.mended),
            (&mut self.errors, errors),
            (&mut self.gone, gone),
            (&mut self.exhausted, exhausted),
            (&mut self.late, late),
            (&mut self.overloaded, &other.overloaded),
            (&mut self.other, &other.other),
            (&mut self.transitions, &other.transitions),
            (&mut self.remote, &other.remote),
            (&mut self.cost, &other.cost),
            (&mut self.worth, &other.worth),
        ];
        numbers.into_iter().for_each(|(here, there)| *here += there);
    }

    /// Counts the requests that ended without an answer, other than by their client.
    pub(crate) fn failed(&self) -> u64 {
        self.broken + self.errors + self.exhausted + self.late + self.overloaded + self.other
    }
}

/// Requests of a time, and how many of them tiers 0 answered, and any tier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Goodput {
    pub(crate) good: u64,
    pub(crate) answered: u64,
    pub(crate) all: u64,
}

/// What is counted in one run.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    pub(crate) revision: Arc<Revision>,
    pub(crate) counts: Counts,
    pub(crate) trouble: Option<(Nanos, Nanos)>,
    pub(crate) first_fault: Option<Nanos>,
    pub(crate) transitions: Vec<Transition>,
    /// From the first fault to the first good answer of a lower tier that began after it.
    pub(crate) failover: Option<Nanos>,
    /// From the end of the trouble to the arrival of the first request that a tier 0 answers again.
    pub(crate) back: Option<Nanos>,
    /// Attempts at tiers 0 while there is trouble.
    pub(crate) tried: u64,
    /// From the first fault to the first breaker of a lower tier that opens.
    pub(crate) found: Option<Nanos>,
    /// Answers that models below tier 0 give while there is trouble.
    pub(crate) carried: u64,
    /// The longest time that a request waited before it was refused for want of room, since its last attempt if it had one.
    pub(crate) slowest_refusal: Nanos,
    pub(crate) before: Goodput,
    /// Of the last fifth of arrivals, since all is well for good.
    pub(crate) after: Goodput,
    last_from: Option<Nanos>,
    well_since: Option<Nanos>,
    pub(crate) ended: Nanos,
}

impl Tally {
    pub(crate) fn new(revision: &Arc<Revision>, trouble: Option<(Nanos, Nanos)>, first_fault: Option<Nanos>) -> Self {
        let counts = Counts {
            answers: vec![Histogram::default(); revision.paths.len()],
            attempts: vec![vec![0; ResultCode::ALL.len()]; revision.paths.len()],
            copies: vec![0; revision.paths.len()],
            ..Counts::default()
        };
        Self {
            revision: revision.clone(),
            counts,
            trouble,
            first_fault,
            transitions: Vec::new(),
            failover: None,
            back: None,
            tried: 0,
            found: None,
            carried: 0,
            slowest_refusal: 0,
            before: Goodput::default(),
            after: Goodput::default(),
            last_from: None,
            well_since: None,
            ended: 0,
        }
    }

    /// Counts a request that arrives, and those that are still to come.
    pub(crate) fn arrived(&mut self, now: Nanos, left: u64) {
        self.counts.arrived += 1;
        if left * 4 < self.counts.arrived {
            self.last_from.get_or_insert(now);
        }
    }

    pub(crate) fn asked(&mut self, tokens: u32) {
        self.counts.requests += 1;
        self.counts.worth += u64::from(tokens);
    }

    /// Counts an attempt that starts, and what it costs.
    pub(crate) fn started(&mut self, now: Nanos, start: &Start, tokens: u32) {
        if matches!(self.revision.paths[start.path.index()].place, Where::Remote(_)) {
            self.counts.remote += 1;
            self.counts.cost += u64::from(tokens);
        }
        let trouble = self.trouble.is_some_and(|(from, until)| (from..until).contains(&now));
        self.tried += u64::from(start.tier == 0 && trouble);
    }

    /// Counts a copy.
    pub(crate) fn copied(&mut self, start: &Start) {
        self.counts.copies[start.path.index()] += 1;
    }

    pub(crate) fn hear(&mut self, now: Nanos, output: &Output, well_since: Option<Nanos>) {
        if self.well_since != well_since {
            (self.well_since, self.after) = (well_since, Goodput::default());
        }
        match output {
            Output::Transition(transition) => {
                self.counts.transitions += 1;
                self.transitions.push((**transition).clone());
            }
            Output::Breaker(change) if change.turn.to == BreakerState::Open && self.is_lower(change.path) => {
                self.found = self.found.or(self.first_fault.and_then(|first| now.checked_sub(first)));
            }
            Output::Decision(decision) => self.decided(now, decision),
            _ => {}
        }
    }

    fn is_lower(&self, path: PathId) -> bool {
        self.revision.routes.iter().all(|route| route.tiers[0].path != path)
    }

    fn decided(&mut self, now: Nanos, decision: &Decision) {
        let counts = &mut self.counts;
        for attempt in &decision.attempts {
            counts.attempts[attempt.path.index()][attempt.result as usize] += 1;
        }
        counts.mended += u64::from(matches!(decision.rescue(), Rescue::Spliced | Rescue::Continued));
        let tier = decision.outcome.tier;
        if decision.outcome.end == End::Refused(Refusal::Overloaded) {
            let tried = decision.attempts.last().map_or(0, |it| it.start + it.duration);
            self.slowest_refusal = self.slowest_refusal.max(decision.outcome.latency - tried);
        }
        if tier != Some(0) || decision.outcome.end != End::Answered {
            *counts.reasons.entry(decision.reason).or_default() += 1;
        }
        match decision.outcome.end {
            End::Answered => {
                let tier = usize::from(tier.unwrap_or(0));
                let path = self.revision.routes[decision.route.index()].tiers[tier].path;
                counts.answers[path.index()].add(decision.outcome.latency);
                let remote = matches!(self.revision.paths[path.index()].place, Where::Remote(_));
                let trouble = self.trouble.is_some_and(|(from, until)| (from..until).contains(&now));
                self.carried += u64::from(tier > 0 && remote && trouble);
                if let Some(fault) = self.first_fault.filter(|fault| tier > 0 && decision.at >= *fault) {
                    self.failover.get_or_insert(now - fault);
                }
                if let Some((_, until)) = self.trouble.filter(|(_, until)| tier == 0 && decision.at >= *until) {
                    self.back.get_or_insert(decision.at - until);
                }
            }
            End::Broken(_) => counts.broken += 1,
            End::Error(_) => counts.errors += 1,
            End::Refused(Refusal::ClientGone) => counts.gone += 1,
            End::Refused(Refusal::Exhausted) => counts.exhausted += 1,
            End::Refused(Refusal::Deadline) => counts.late += 1,
            End::Refused(Refusal::Overloaded) => counts.overloaded += 1,
            End::Refused(_) => counts.other += 1,
        }
        self.compare(decision);
    }

    fn is_at_the_end(&self, at: Nanos) -> bool {
        self.last_from.is_some_and(|from| at >= from) && self.well_since.is_some_and(|since| at >= since)
    }

    /// Counts goodput before the trouble, and at the end.
    fn compare(&mut self, decision: &Decision) {
        let part = match self.trouble {
            Some((from, _)) if decision.at < from => &mut self.before,
            _ if self.is_at_the_end(decision.at) => &mut self.after,
            _ => return,
        };
        if decision.outcome.end != End::Refused(Refusal::ClientGone) {
            part.all += 1;
            let answered = decision.outcome.end == End::Answered;
            part.answered += u64::from(answered);
            part.good += u64::from(answered && decision.outcome.tier == Some(0));
        }
    }

    pub(crate) fn end(&mut self, now: Nanos, well_since: Option<Nanos>) {
        (self.ended, self.well_since) = (now, well_since);
    }

    /// Returns how long after the trouble all was well again.
    pub(crate) fn recovery(&self) -> Option<Nanos> {
        let (_, until) = self.trouble?;
        self.well_since.map(|since| since.saturating_sub(until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sweep_1_a_thread_that_got_no_seed_takes_nothing_away() {
        let mut of_a_run = Counts {
            answers: vec![Histogram::default(); 2],
            attempts: vec![vec![0; ResultCode::ALL.len()]; 2],
            ..Counts::default()
        };
        of_a_run.answers[1].add(7);
        of_a_run.attempts[1][0] = 3;
        let merged = |parts: [&Counts; 2]| {
            let mut all = Counts::default();
            parts.into_iter().for_each(|it| all.merge(it));
            (
                all.answers.iter().map(Histogram::count).collect::<Vec<_>>(),
                all.attempts.iter().map(|it| it[0]).collect(),
            )
        };
        let (idle, all) = (Counts::default(), (vec![0, 1], vec![0, 3]));
        assert_eq!(merged([&idle, &of_a_run]), all);
        assert_eq!(merged([&of_a_run, &idle]), all, "the idle thread may well be the last");
    }
}
