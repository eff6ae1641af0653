//! Promise: what one request may see (rules 1, 2, 3, 7, 9, 10; F-026, F-031, F-034, F-036,
//! F-043, F-051, F-052, F-126, F-166; OIP-35), and what an ensemble may do (VOTE-1, VOTE-2).
//!
//! Open requests are watched in a table by their place; a place is free again once the record of its request is out.

use std::sync::Arc;

use evenkeel_core::{
    Admit, AttemptId, Class, CommitPoint, Core, Decision, Disclosure, End, Event, Nanos, Refusal, RequestId, Rescue,
    ResultCode, Revision, Role, RowRule, Rows, SECOND, Source, Start, Where,
};

use super::{
    Broken,
    watch::{AT_ONCE, Again, Running, Watch},
};
use crate::world::place;

/// Tries of a request for which nobody pays, at most (F-043).
const FREE: u8 = 2;
/// Tries of a request on a tier that has just said "not now", at most: one at another replica (F-051), one after a wait (F-052).
const TOLD: u8 = 2;

/// What was promised to the open requests.
#[derive(Debug)]
pub(super) struct Promises {
    /// Every revision that was applied, in order.
    revisions: Vec<Arc<Revision>>,
    table: Vec<Option<Watch>>,
    open: usize,
    /// The newest attempt, plus one.
    next: u64,
}

impl Promises {
    pub(super) fn new(revision: Arc<Revision>) -> Self {
        Self { revisions: vec![revision], table: Vec::new(), open: 0, next: 0 }
    }

    pub(super) fn open(&self) -> usize {
        self.open
    }

    pub(super) fn find(&self, request: RequestId) -> Option<&Watch> {
        self.table.get(place(request))?.as_ref().filter(|it| it.admit.request == request)
    }

    /// Returns an open request and the revision that it was admitted under.
    pub(super) fn open_one(&mut self, request: RequestId) -> Result<(&mut Watch, &Revision), Broken> {
        let found = self.table.get_mut(place(request)).and_then(Option::as_mut);
        let found = found.filter(|it| it.admit.request == request);
        let watch =
            found.ok_or_else(|| ("rule 1", Some(request), "something is said of a request that is over".into()))?;
        let revision = &self.revisions[watch.revision as usize];
        Ok((watch, revision))
    }

    /// Returns the revision that is in force.
    pub(super) fn revision(&self) -> &Revision {
        self.revisions.last().expect("it starts with one")
    }

    pub(super) fn revised(&mut self, revision: Arc<Revision>) {
        self.revisions.push(revision);
    }

    pub(super) fn admitted(&mut self, now: Nanos, admit: &Admit) {
        let at = place(admit.request);
        if self.table.len() <= at {
            self.table.resize(at + 1, None);
        }
        let deadline = self.revision().routes[admit.route.index()].deadline;
        self.open += 1;
        self.table[at] = Some(Watch {
            admit: admit.clone(),
            at: now,
            deadline_at: now + admit.deadline.map_or(deadline, |client| client.min(deadline)),
            revision: self.revisions.len() as u32 - 1,
            running: [None; AT_ONCE],
            last: None,
            free: 0,
            told: 0,
            done: Vec::new(),
            silent: Vec::new(),
            starts: 0,
            remote: 0,
            committed: None,
            broke: false,
            mends: None,
            matched: None,
            rows: admit.rows,
            voted: None,
            part: None,
            over: None,
        });
    }

    pub(super) fn ended(&mut self, request: RequestId, attempt: AttemptId, result: ResultCode) {
        let Ok((watch, _)) = self.open_one(request) else { return };
        let running = watch.running.iter_mut().find(|it| it.is_some_and(|it| it.attempt == attempt));
        if let Some(running) = running.and_then(Option::take) {
            watch.last = Some((running.tier, result));
            if !result.left_nothing() {
                watch.done.push(running.tier);
            }
            if matches!(result, ResultCode::FirstTokenTimeout | ResultCode::TotalTimeout | ResultCode::KeepaliveOnly) {
                watch.silent.push(running.tier);
            }
            watch.broke |= watch.committed == Some(attempt) && result.is_break();
        }
    }

    /// Notes that an attempt has said again what was sent of a stream.
    pub(super) fn matched(&mut self, request: RequestId, attempt: AttemptId) {
        if let Ok((watch, _)) = self.open_one(request)
            && watch.running(attempt).is_some()
        {
            watch.matched = Some(attempt);
        }
    }

    /// Reads what an attempt reports as the rule of its tier says: what its answer comes to, row by row (OIP-35).
    pub(super) fn read(&mut self, running: &Running, event: Event) -> Event {
        let Ok((watch, revision)) = self.open_one(running.request) else { return event };
        let Some(it) = watch.running.iter_mut().flatten().find(|it| it.attempt == running.attempt) else {
            return event;
        };
        match event {
            Event::Judged { low, .. } => it.low = Some(low),
            // What is left is known once the vote is over.
            Event::Ended { result, status, after } if it.is_member(revision, &watch.admit) => {
                let unsure = result.is_ok() && it.low.is_some_and(|low| low >= watch.rows.all.max(1));
                let result = if unsure { ResultCode::LowConfidence } else { result };
                return Event::Ended { result, status, after };
            }
            Event::Ended { result, status, after } if result.is_ok() && watch.rows.all > 0 => {
                let takes_all = !revision.routes[watch.admit.route.index()].imputed.sets_apart(it.tier);
                let judged = revision.paths[it.path.index()].accept.zip(it.low).unwrap_or((RowRule::Any, 0));
                let left = watch.rows.left(takes_all, judged.0, judged.1.min(watch.rows.asked(takes_all)));
                let result = match left {
                    None => ResultCode::LowConfidence,
                    Some(Rows { all: 0, .. }) => result,
                    Some(_) => ResultCode::OkPart,
                };
                watch.part = Some(running.attempt).filter(|_| result == ResultCode::OkPart);
                watch.rows = left.unwrap_or(watch.rows);
                return Event::Ended { result, status, after };
            }
            _ => {}
        }
        event
    }

    /// Judges what is to be kept: an answer in part, at once (OIP-35).
    pub(super) fn kept(&mut self, request: RequestId, attempt: AttemptId) -> Result<(), Broken> {
        let (watch, _) = self.open_one(request)?;
        match watch.part.take() {
            Some(part) if part == attempt && watch.over.is_none() => Ok(()),
            _ => Err(("OIP-35", Some(request), format!("{attempt:?} is kept, which did not answer in part"))),
        }
    }

    /// Judges a start (rule 2), and says what kind it is.
    pub(super) fn started(&mut self, now: Nanos, start: &Start) -> Result<Again, Broken> {
        let next = std::mem::replace(&mut self.next, start.attempt.0 + 1);
        let request = start.request;
        let (watch, revision) = self.open_one(request)?;
        let route = &revision.routes[watch.admit.route.index()];
        let broken = |what: String| Err(("rule 2", Some(request), what));
        if start.attempt.0 < next {
            return broken(format!("{:?} was started before", start.attempt));
        }
        if watch.over.is_some() || (watch.committed.is_some() && start.role == Role::Answer) {
            return broken("an attempt starts after the outcome or the commit".into());
        }
        let mends = start.role != Role::Answer;
        if mends && !(route.rescue && watch.broke && watch.admit.pure && watch.may_mend(start.role)) {
            return Err((
                "F-122",
                Some(request),
                format!("a second recovery, or one of what did not break: {start:?}"),
            ));
        }
        if !mends && (now >= watch.deadline_at || start.budget > watch.deadline_at - now) {
            return broken("an attempt starts after the deadline, or with more time than there is".into());
        }
        let Some(free) = watch.running.iter().position(Option::is_none) else {
            return broken(format!("more than {AT_ONCE} attempts run at once"));
        };
        let other = watch.running.iter().flatten().next().copied();
        let member = watch.may_start(now, start, revision)?;
        if !mends && watch.silent.contains(&start.tier) {
            return Err(("F-026", Some(request), format!("tier {} was silent, and is asked again", start.tier)));
        }
        watch.may_ask(start, &revision.paths[start.path.index()])?;
        watch.asks_for_rows(start, route)?;
        watch.in_patience(now)?;
        if mends {
            (watch.mends, watch.matched) = (Some(start.role), None);
        }
        watch.starts += 1;
        let remote = matches!(revision.paths[start.path.index()].place, Where::Remote(_));
        watch.remote += u8::from(remote && !(member && watch.asks_elsewhere(start.tier, revision)));
        if watch.remote > route.max_attempts {
            return Err(("F-031", Some(request), format!("{} remote attempts", watch.remote)));
        }
        watch.running[free] = Some(Running::of(start, watch.admit.operation));
        let again = match watch.last {
            _ if mends => Again::Paid,
            _ if other.is_some() && member => Again::Fallback,
            _ if other.is_some() => Again::Hedge,
            None => Again::First,
            Some((tier, _)) if tier != start.tier => Again::Fallback,
            Some((_, result)) => match result.again() {
                evenkeel_core::Again::Unsent | evenkeel_core::Again::OtherReplica => Again::Free,
                _ => Again::Paid,
            },
        };
        watch.free += u8::from(again == Again::Free);
        let not_now = watch.last.is_some_and(|(_, result)| result.class() == Class::Capacity);
        watch.told += u8::from(again == Again::Paid && !mends && not_now);
        match (watch.free, watch.told) {
            (0..=FREE, 0..=TOLD) => Ok(again),
            (0..=FREE, more) => Err(("F-051", Some(request), format!("{more} tries of who said \"not now\""))),
            (more, _) => Err(("F-043", Some(request), format!("{more} tries for which nobody paid"))),
        }
    }

    /// Judges a commit (rules 3, 7).
    pub(super) fn committed(
        &mut self,
        now: Nanos,
        request: RequestId,
        attempt: AttemptId,
        disclosure: &Disclosure,
    ) -> Result<(), Broken> {
        let (watch, revision) = self.open_one(request)?;
        if watch.over.is_some() || watch.committed.replace(attempt).is_some() {
            return Err(("rule 7", Some(request), "a second commit, or one after the outcome".into()));
        }
        let Some(running) = watch.running(attempt) else {
            return Err(("rule 7", Some(request), "an attempt that does not run is committed".into()));
        };
        if revision.routes[watch.admit.route.index()].commit == CommitPoint::Full {
            return Err(("rule 7", Some(request), "something is sent of an answer that is not whole".into()));
        }
        let told = disclosure.answered.map(|(tier, ..)| tier);
        if told != Some(running.tier) || disclosure.degraded != (running.tier > 0) {
            return Err(("rule 10", Some(request), "the client is told another tier than the one that begins".into()));
        }
        watch.in_time(now)
    }

    /// Judges an answer (rules 1, 3, 7).
    pub(super) fn answered(
        &mut self,
        now: Nanos,
        request: RequestId,
        source: Source,
        disclosure: &Disclosure,
    ) -> Result<(), Broken> {
        let told = disclosure.answered.map(|(tier, ..)| tier);
        let (watch, _) = self.open_one(request)?;
        let broken = |what: &str| Err(("rule 7", Some(request), what.into()));
        match (source, watch.committed) {
            (Source::Attempt(attempt), Some(committed)) if attempt != committed && watch.matched != Some(attempt) => {
                return Err(("F-125", Some(request), "an answer goes on that was not seen to be the same".into()));
            }
            (Source::Broken(attempt, _), Some(committed)) if attempt != committed => {
                return broken("the client gets another answer than the one that it began to get");
            }
            (Source::Broken(..), None) => return broken("a stream breaks that never began"),
            (Source::Certain(_) | Source::Stored(_) | Source::Error(_), Some(_)) => {
                return broken("a second answer after the commit");
            }
            (Source::Stored(_), _) if watch.admit.cache.key.is_none() => {
                return Err((
                    "F-141",
                    Some(request),
                    "an earlier answer, to a request of which none may be kept".into(),
                ));
            }
            _ => {}
        }
        if disclosure.degraded != told.is_some_and(|tier| tier > 0) {
            return Err(("rule 10", Some(request), "the client is told something else than the tier".into()));
        }
        if told.is_some() && watch.voted.map(|it| it.0) == told {
            watch.rows = watch.rows.left(true, RowRule::Any, 0).unwrap_or(watch.rows);
        }
        if matches!(source, Source::Attempt(_)) && watch.rows.all > 0 {
            return Err(("OIP-35", Some(request), format!("it is answered, and {} rows are not", watch.rows.all)));
        }
        if told.is_some() && watch.admit.max_tier.is_some_and(|most| told > Some(most)) {
            return Err(("F-168", Some(request), "a tier answers that the client does not accept".into()));
        }
        self.over(now, request, told)
    }

    /// Judges a refusal (rules 1, 3; F-165).
    pub(super) fn refused(
        &mut self,
        now: Nanos,
        request: RequestId,
        why: Refusal,
        retry_after: Option<Nanos>,
    ) -> Result<(), Broken> {
        let (watch, revision) = self.open_one(request)?;
        let bounds = SECOND..=300 * SECOND;
        let gone = why == Refusal::ClientGone;
        let silent = gone || matches!(why, Refusal::SequenceLost | Refusal::SequenceBusy);
        if retry_after.is_none() != silent || retry_after.is_some_and(|after| !bounds.contains(&after)) {
            return Err(("F-165", Some(request), format!("refused with a Retry-After of {retry_after:?} ns")));
        }
        if watch.committed.is_some() && !gone {
            return Err(("rule 7", Some(request), "a refusal after the commit".into()));
        }
        let route = &revision.routes[watch.admit.route.index()];
        let last = route.tiers.last().expect("REV-1");
        let default = &revision.paths[last.path.index()];
        // A text that was written once is no answer for who needs more than text (F-036).
        let certain = default.place == Where::Certain && watch.admit.needs.missing_in(default.features).is_empty();
        let accepts = watch.admit.max_tier.is_none_or(|most| usize::from(most) + 1 >= route.tiers.len());
        if certain && accepts && matches!(why, Refusal::Exhausted | Refusal::Overloaded | Refusal::Deadline) {
            return Err(("rule 3", Some(request), "refused, with a safe default at hand".into()));
        }
        self.over(now, request, None)
    }

    fn over(&mut self, now: Nanos, request: RequestId, told: Option<u8>) -> Result<(), Broken> {
        let (watch, _) = self.open_one(request)?;
        if watch.over.replace(told).is_some() {
            return Err(("rule 1", Some(request), "a second terminal outcome".into()));
        }
        if watch.running.iter().any(Option::is_some) {
            return Err(("rule 1", Some(request), "it is over and an attempt still runs".into()));
        }
        watch.in_patience(now)?;
        if watch.committed.is_some() { Ok(()) } else { watch.in_time(now) }
    }

    /// Judges a record (rules 1, 9, 10).
    pub(super) fn recorded(&mut self, decision: &Decision) -> Result<(), Broken> {
        let request = decision.request;
        let (watch, revision) = self.open_one(request)?;
        let Some(told) = watch.over else {
            return Err(("rule 1", Some(request), "a record before the outcome".into()));
        };
        if decision.revision.digest != revision.digest {
            return Err(("rule 9", Some(request), "decided by another revision than it was admitted under".into()));
        }
        if !decision.rederives() {
            return Err((
                "rule 10",
                Some(request),
                format!("the record does not follow from its facts: {:?}", decision.facts),
            ));
        }
        if matches!(decision.outcome.end, End::Answered | End::Broken(_)) && told != decision.outcome.tier {
            return Err(("rule 10", Some(request), "the client was told another tier than the record says".into()));
        }
        let mended = matches!(decision.rescue(), Rescue::Spliced | Rescue::Continued);
        if mended != (watch.broke && decision.outcome.end == End::Answered) {
            let told = decision.rescue().name();
            return Err((
                "F-133",
                Some(request),
                format!("the record calls a stream {told} that broke: {}", watch.broke),
            ));
        }
        let tier = decision.outcome.tier.filter(|_| decision.outcome.end == End::Answered);
        let ensemble =
            tier.and_then(|tier| revision.routes[decision.route.index()].tiers[usize::from(tier)].ensemble.as_ref());
        let votes = decision.attempts.iter().filter(|it| Some(it.tier) == tier && it.result.is_ok()).count();
        if ensemble.is_some_and(|it| votes < usize::from(it.quorum)) {
            return Err(("VOTE-2", Some(request), format!("answered by {votes} votes, which are too few")));
        }
        if decision.attempts.len() != usize::from(watch.starts) {
            return Err(("rule 10", Some(request), "the record has not every attempt".into()));
        }
        self.table[place(request)] = None;
        self.open -= 1;
        Ok(())
    }

    /// Judges that nothing is forgotten: the core holds as many requests as there are, and has a time for them.
    pub(super) fn balance(&self, core: &Core) -> Result<(), Broken> {
        if core.open() != self.open {
            return Err(("rule 1", None, format!("{} requests are open, the core holds {}", self.open, core.open())));
        }
        if core.waiting() > self.open {
            let places = core.waiting();
            return Err(("F-166", None, format!("{places} places in queues are taken, by {} requests", self.open)));
        }
        if self.open > 0 && core.next_timeout().is_none() {
            return Err(("rule 3", None, "requests are open, and no clock runs".into()));
        }
        Ok(())
    }
}
