//! Tally: what is counted while a world runs.

use std::sync::Arc;

use evenkeel_core::{Decision, End, Nanos, Output, Refusal, ResultCode, Revision, Start, Transition, Where};

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
    pub(crate) broken: u64,
    pub(crate) errors: u64,
    pub(crate) gone: u64,
    pub(crate) exhausted: u64,
    pub(crate) late: u64,
    pub(crate) other: u64,
    pub(crate) transitions: u64,
    /// Remote attempts, and what they and the requests are worth, in tokens.
    pub(crate) remote: u64,
    pub(crate) cost: u64,
    pub(crate) worth: u64,
}

impl Counts {
    pub(crate) fn merge(&mut self, other: &Self) {
        let Self { arrived, requests, answers, attempts, broken, errors, gone, exhausted, late, .. } = other;
        self.answers.resize(answers.len(), Histogram::default());
        self.answers.iter_mut().zip(answers).for_each(|(here, there)| here.merge(there));
        self.attempts.resize(attempts.len(), vec![0; ResultCode::ALL.len()]);
        for (here, there) in self.attempts.iter_mut().flatten().zip(attempts.iter().flatten()) {
            *here += there;
        }
        let numbers = [
            (&mut self.arrived, arrived),
            (&mut self.requests, requests),
            (&mut self.broken, broken),
            (&mut self.errors, errors),
            (&mut self.gone, gone),
            (&mut self.exhausted, exhausted),
            (&mut self.late, late),
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
        self.broken + self.errors + self.exhausted + self.late + self.other
    }
}

/// Requests of a time, and how many of them tiers 0 answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Goodput {
    pub(crate) good: u64,
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
    /// Attempts at tiers 0 while there is trouble.
    pub(crate) tried: u64,
    pub(crate) before: Goodput,
    /// Since all is well for good.
    pub(crate) after: Goodput,
    well_since: Option<Nanos>,
    pub(crate) ended: Nanos,
}

impl Tally {
    pub(crate) fn new(revision: &Arc<Revision>, trouble: Option<(Nanos, Nanos)>, first_fault: Option<Nanos>) -> Self {
        let counts = Counts {
            answers: vec![Histogram::default(); revision.paths.len()],
            attempts: vec![vec![0; ResultCode::ALL.len()]; revision.paths.len()],
            ..Counts::default()
        };
        Self {
            revision: revision.clone(),
            counts,
            trouble,
            first_fault,
            transitions: Vec::new(),
            failover: None,
            tried: 0,
            before: Goodput::default(),
            after: Goodput::default(),
            well_since: None,
            ended: 0,
        }
    }

    pub(crate) fn arrived(&mut self) {
        self.counts.arrived += 1;
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

    pub(crate) fn hear(&mut self, now: Nanos, output: &Output, well_since: Option<Nanos>) {
        match output {
            Output::Transition(transition) => {
                self.counts.transitions += 1;
                self.transitions.push((**transition).clone());
            }
            Output::Decision(decision) => self.decided(now, decision, well_since),
            _ => {}
        }
    }

    fn decided(&mut self, now: Nanos, decision: &Decision, well_since: Option<Nanos>) {
        let counts = &mut self.counts;
        for attempt in &decision.attempts {
            counts.attempts[attempt.path.index()][attempt.result as usize] += 1;
        }
        let tier = decision.outcome.tier;
        match decision.outcome.end {
            End::Answered => {
                let tier = usize::from(tier.unwrap_or(0));
                let path = self.revision.routes[decision.route.index()].tiers[tier].path;
                counts.answers[path.index()].add(decision.outcome.latency);
                if let Some(fault) = self.first_fault.filter(|fault| tier > 0 && decision.at >= *fault) {
                    self.failover.get_or_insert(now - fault);
                }
            }
            End::Broken(_) => counts.broken += 1,
            End::Error(_) => counts.errors += 1,
            End::Refused(Refusal::ClientGone) => counts.gone += 1,
            End::Refused(Refusal::Exhausted) => counts.exhausted += 1,
            End::Refused(Refusal::Deadline) => counts.late += 1,
            End::Refused(_) => counts.other += 1,
        }
        self.compare(decision, well_since);
    }

    /// Counts goodput before the trouble, and after it.
    fn compare(&mut self, decision: &Decision, well_since: Option<Nanos>) {
        if self.well_since != well_since {
            (self.well_since, self.after) = (well_since, Goodput::default());
        }
        let (from, until) = self.trouble.unwrap_or((Nanos::MAX, Nanos::MAX));
        let part = match well_since {
            _ if decision.at < from => &mut self.before,
            Some(since) if decision.at >= since.max(until) => &mut self.after,
            _ => return,
        };
        if decision.outcome.end != End::Refused(Refusal::ClientGone) {
            part.all += 1;
            part.good += u64::from(decision.outcome.end == End::Answered && decision.outcome.tier == Some(0));
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
