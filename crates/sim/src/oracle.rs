//! Oracle: holds the core to the rules of `architecture.md`, section 4, at every event.
//!
//! It sees what went in and what came out, and the states that status pages see. It knows no policy of the core and
//! decides nothing: what it says is only that a promise was broken, which, when, and for which request.
//!
//! | rule | held by |
//! |---|---|
//! | 1, 2, 3, 7, 9, 10, F-034, F-036, F-051, F-122 to F-126, F-166, OIP-35 | `promise`: what one request may see |
//! | 4, 5, 8 | `health`: breakers and switches |
//! | 4, 5, 8 | `replicas`: the breakers of replicas, each by itself |
//! | 6 | `purse`: re-attempts |
//! | F-060 | `changes`: who was told of a breaker that moved |
//! | F-103, F-104 | `ejections`: replicas that are worse than their peers |
//! | F-066, F-067 | `flaps`: how long a path may stay away |
//! | F-051 | `told`: servers that said "not now" |
//! | F-150, F-151 | `shadows`: who is copied to which tier |
//! | F-081, F-151, F-172 | `room`: work at once at a server |
//! | 11 (F-190) | `recovery`: all is well again, and nothing leaked |
//! | 12 | whoever runs a seed twice |

mod changes;
mod ejections;
mod flaps;
mod health;
mod measured;
mod promise;
mod purse;
mod readiness;
mod recovery;
mod replicas;
mod room;
mod shadows;
mod told;
mod watch;

use std::{fmt, sync::Arc};

use evenkeel_core::{Core, Event, Evidence, Input, Nanos, Output, Path, RequestId, Revision, SECOND, Splice, Start};

use self::{
    health::Health, measured::Measured, promise::Promises, purse::Purses, recovery::Recovery, room::Rooms,
    shadows::Shadows, told::Told, watch::Running,
};
use crate::world;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which: a rule of the core by number, or an id of `failures.md`.
    pub rule: &'static str,
    /// When, since the start of the run.
    pub at: Nanos,
    /// For which request, counted from 1, where it is about one.
    pub request: Option<u64>,
    /// What happened.
    pub what: String,
}

impl Violation {
    pub(crate) fn endless(at: Nanos) -> Self {
        Self { rule: "rule 11", at, request: None, what: "it goes on for ever".into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, at, request, what } = self;
        write!(f, "{rule} at {}.{:03} s", at / SECOND, at % SECOND / 1_000_000)?;
        if let Some(request) = request {
            write!(f, ", request {request}")?;
        }
        write!(f, ": {what}")
    }
}

/// A rule that was broken by an output: which, for whom, and how.
pub(crate) type Broken = (&'static str, Option<RequestId>, String);

/// What holds the core to its rules.
#[derive(Debug)]
pub(crate) struct Oracle {
    promises: Promises,
    health: Health,
    purses: Purses,
    told: Told,
    rooms: Rooms,
    shadows: Shadows,
    measured: Measured,
    recovery: Recovery,
}

impl Oracle {
    pub(crate) fn new(revision: Arc<Revision>, trouble: Option<(Nanos, Nanos)>) -> Self {
        Self {
            promises: Promises::new(revision.clone()),
            health: Health::new(revision.clone()),
            purses: Purses::new(&revision),
            told: Told::new(&revision),
            rooms: Rooms::new(&revision),
            shadows: Shadows::new(&revision),
            measured: Measured::new(revision.clone()),
            recovery: Recovery::new(trouble),
        }
    }

    /// Notes what is about to go in, and about whom.
    pub(crate) fn before(&mut self, now: Nanos, core: &Core, input: &Input, about: Option<RequestId>) {
        let watch = about.and_then(|request| self.promises.find(request));
        if matches!(input, Input::Timeout) || watch.is_some_and(|it| !it.untouched()) {
            // What failed before may count only now: once nobody has mended it (F-073).
            self.health.suspect();
        }
        match input {
            Input::Attempt { attempt, event } => {
                if matches!(event, Event::Ended { .. } | Event::Closed) {
                    self.rooms.left(*attempt);
                }
                if let Some(running) = self.shadows.running(*attempt) {
                    return self.copied(now, core, (running, *event));
                }
                let heard = watch.and_then(|it| it.running(*attempt).copied().map(|running| (running, it.alone())));
                let Some((running, alone)) = heard else { return self.health.before(now, core, false) };
                let event = self.promises.read(&running, *event);
                let neutral = matches!(event, Event::Ended { result, .. }
                    if result.at_tier(running.tier).evidence() == Evidence::None);
                self.health.before(now, core, neutral && alone);
                self.health.event(now, &running, event);
                if let Event::Ended { result, after, .. } = event {
                    let result = result.at_tier(running.tier);
                    self.told.ended(now, &running, result, after);
                    self.promises.ended(running.request, *attempt, result);
                }
            }
            Input::Splice { attempt, splice } => {
                self.health.before(now, core, false);
                if let Some(request) = about.filter(|_| *splice == Splice::Matched) {
                    self.promises.matched(request, *attempt);
                }
            }
            Input::ClientGone { .. } => self.health.before(now, core, watch.is_some_and(|it| it.untouched())),
            Input::Admit(admit) => {
                self.health.before(now, core, false);
                self.promises.admitted(now, admit);
            }
            Input::Revision(revision) => {
                self.health.before(now, core, false);
                self.promises.revised(revision.clone());
            }
            Input::Probed { probe, found } => {
                self.health.before(now, core, false);
                self.health.suspect();
                self.health.probed(*probe, *found);
            }
            Input::Signal { route, name, value, .. } => {
                self.health.before(now, core, false);
                self.measured.told(now, *route, (*name, *value));
            }
            Input::Timeout | Input::Drain | Input::Landed { .. } => self.health.before(now, core, false),
        }
    }

    /// Notes what a copy reports: evidence as any other (F-152).
    fn copied(&mut self, now: Nanos, core: &Core, (running, event): (Running, Event)) {
        let result = match event {
            Event::Ended { result, .. } => Some(result.at_tier(running.tier)),
            _ => None,
        };
        self.health.before(now, core, result.is_some_and(|it| it.evidence() == Evidence::None));
        self.health.event(now, &running, event);
        if let (Some(result), Event::Ended { after, .. }) = (result, event) {
            self.told.ended(now, &running, result, after);
            self.shadows.over(running.attempt);
        }
    }

    /// Judges an output.
    pub(crate) fn hear(&mut self, now: Nanos, output: &Output) -> Result<(), Violation> {
        self.judge(now, output).map_err(|(rule, request, what)| {
            let request = request.map(world::number);
            Violation { rule, at: now, request, what }
        })
    }

    fn judge(&mut self, now: Nanos, output: &Output) -> Result<(), Broken> {
        match output {
            Output::Start(start) => {
                // Counted in any case: what else is wrong with it does not take less room.
                let weight = self.promises.find(start.request).map_or(0, |it| it.admit.weight);
                let room = self.rooms.started(start, weight);
                let again = self.promises.started(now, start)?;
                let watch = self.promises.find(start.request).expect("it was just started");
                let Path { context, added, .. } = self.promises.revision().paths[start.path.index()];
                let added = 1_000 * added.most.min(context.unwrap_or(u64::MAX));
                let (operation, cost) = (watch.admit.operation, watch.admit.cost + added);
                self.told.started(now, start)?;
                self.measured.started(start, watch)?;
                room?;
                self.health.started(now, start, operation)?;
                self.purses.started(now, watch.admit.route, again, cost)
            }
            Output::Shadow(start) => self.copy_started(now, start),
            Output::ShadowStop { attempt, why } => {
                if let Some(running) = self.shadows.running(*attempt) {
                    self.health.ended(now, &running, why.result());
                }
                self.shadows.over(*attempt);
                Ok(())
            }
            Output::Cancel { request, attempt, why } => {
                let result = why.result();
                if let Some(running) = self.promises.find(*request).and_then(|it| it.running(*attempt).copied()) {
                    self.health.ended(now, &running, result);
                }
                self.promises.ended(*request, *attempt, result);
                Ok(())
            }
            Output::Commit { request, attempt, disclosure } => {
                self.promises.committed(now, *request, *attempt, disclosure)
            }
            Output::Keep { request, attempt } => self.promises.kept(*request, *attempt),
            Output::Answer { request, source, disclosure } => {
                if let Some(watch) = self.promises.find(*request).filter(|it| it.starts > 0) {
                    self.shadows.ended(watch.admit.route, watch.admit.cost);
                }
                self.promises.answered(now, *request, *source, disclosure)
            }
            Output::Refuse { request, why, retry_after, .. } => {
                self.promises.refused(now, *request, *why, *retry_after)
            }
            Output::CancelIgnored { attempt, .. } => {
                self.rooms.left(*attempt);
                Ok(())
            }
            Output::Probe(probe) => {
                self.health.asked(probe);
                Ok(())
            }
            Output::Breaker(change) => self.health.told(change),
            Output::Gate(change) => self.told.changed(change),
            Output::Transition(transition) => {
                self.measured.moved(transition)?;
                self.health.moved(transition)
            }
            Output::Proposed(proposal) => self.measured.proposed(proposal),
            Output::Decision(decision) => self.promises.recorded(decision),
        }
    }

    /// Judges that a copy of a request starts.
    fn copy_started(&mut self, now: Nanos, start: &Start) -> Result<(), Broken> {
        let watch = self.promises.find(start.request).cloned();
        let Some(watch) = watch else {
            return Err(("F-150", Some(start.request), format!("a copy of nobody's request: {start:?}")));
        };
        let path = self.promises.revision().paths[start.path.index()].clone();
        let judged = self.shadows.started(now, start, (&watch, &path));
        let room = self.rooms.copied(start, watch.admit.weight);
        judged?;
        self.told.started(now, start)?;
        room?;
        self.health.started(now, start, watch.admit.operation)
    }

    /// Judges how the core stands after an input.
    pub(crate) fn after(&mut self, now: Nanos, core: &Core) -> Result<(), Violation> {
        let judged = self.promises.balance(core).and_then(|()| self.health.after(now, core));
        let judged = judged.and_then(|()| self.rooms.balance(core));
        self.recovery.note(now, self.health.is_well(), self.health.away());
        judged.map_err(|(rule, request, what)| {
            let request = request.map(world::number);
            Violation { rule, at: now, request, what }
        })
    }

    /// Returns since when all is well; none while it is not.
    pub(crate) fn well_since(&self) -> Option<Nanos> {
        self.recovery.well_since()
    }

    /// Judges the end of a run: faults off, everything is as before, and nothing is left behind (rule 11, F-190).
    pub(crate) fn end(&self, now: Nanos, core: &Core, calls: usize, within: Option<Nanos>) -> Result<(), Violation> {
        let leaked = self.promises.open() + self.shadows.open();
        let broken = self.recovery.end(now, core, (leaked, calls), within);
        broken.map_err(|what| Violation { rule: "rule 11 (F-190)", at: now, request: None, what })
    }
}

#[cfg(test)]
mod tests;
