//! Promise: what one request may see (rules 1, 2, 3, 7, 9, 10; F-031).
//!
//! Open requests are watched in a table by their place; a place is free again once the record of its request is out.

use std::sync::Arc;

use evenkeel_core::{
    Admit, AttemptId, Core, Decision, Disclosure, End, Nanos, PathId, Refusal, ReplicaId, RequestId, ResultCode,
    Revision, SECOND, Source, Start, Where,
};

use super::Broken;
use crate::world::place;

/// Attempts of one request at once.
const AT_ONCE: usize = 1;

/// An attempt that runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Running {
    pub(super) attempt: AttemptId,
    pub(super) request: RequestId,
    pub(super) tier: u8,
    pub(super) path: PathId,
    pub(super) replica: ReplicaId,
    pub(super) operation: evenkeel_core::Operation,
}

/// An open request.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    pub(super) admit: Admit,
    deadline_at: Nanos,
    revision: Arc<Revision>,
    running: Vec<Running>,
    /// The tier and the result of the attempt that ended last.
    last: Option<(u8, ResultCode)>,
    starts: u8,
    remote: u8,
    committed: Option<AttemptId>,
    /// The terminal outcome is out, with the tier that the client was told.
    over: Option<Option<u8>>,
}

impl Watch {
    /// Returns an attempt that runs.
    pub(super) fn running(&self, attempt: AttemptId) -> Option<&Running> {
        self.running.iter().find(|it| it.attempt == attempt)
    }

    /// Says whether no other attempt was made for it.
    pub(super) fn alone(&self) -> bool {
        self.starts == 1
    }

    /// Says whether no attempt of it has failed, and at most one was made.
    pub(super) fn untouched(&self) -> bool {
        self.starts <= 1 && self.last.is_none()
    }
}

/// How an attempt came to be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// The first of its request.
    First,
    /// On another tier: a fallback.
    Fallback,
    /// On the same tier, and to be paid for.
    Paid,
    /// On the same tier, where proof was that no work had started (F-043).
    Free,
}

/// What was promised to the open requests.
#[derive(Debug)]
pub(super) struct Promises {
    revision: Arc<Revision>,
    table: Vec<Option<Watch>>,
    open: usize,
    /// The newest attempt, plus one.
    next: u64,
}

impl Promises {
    pub(super) fn new(revision: Arc<Revision>) -> Self {
        Self { revision, table: Vec::new(), open: 0, next: 0 }
    }

    pub(super) fn open(&self) -> usize {
        self.open
    }

    pub(super) fn find(&self, request: RequestId) -> Option<&Watch> {
        self.table.get(place(request))?.as_ref().filter(|it| it.admit.request == request)
    }

    fn find_mut(&mut self, request: RequestId) -> Result<&mut Watch, Broken> {
        let found = self.table.get_mut(place(request)).and_then(Option::as_mut);
        let found = found.filter(|it| it.admit.request == request);
        found.ok_or_else(|| ("rule 1", Some(request), "something is said of a request that is over".into()))
    }

    pub(super) fn revised(&mut self, revision: Arc<Revision>) {
        self.revision = revision;
    }

    pub(super) fn admitted(&mut self, now: Nanos, admit: &Admit) {
        let at = place(admit.request);
        if self.table.len() <= at {
            self.table.resize(at + 1, None);
        }
        let deadline = self.revision.routes[admit.route.index()].deadline;
        self.open += 1;
        self.table[at] = Some(Watch {
            admit: admit.clone(),
            deadline_at: now + admit.deadline.map_or(deadline, |client| client.min(deadline)),
            revision: self.revision.clone(),
            running: Vec::new(),
            last: None,
            starts: 0,
            remote: 0,
            committed: None,
            over: None,
        });
    }

    pub(super) fn ended(&mut self, request: RequestId, attempt: AttemptId, result: ResultCode) {
        let Ok(watch) = self.find_mut(request) else { return };
        if let Some(at) = watch.running.iter().position(|it| it.attempt == attempt) {
            watch.last = Some((watch.running.swap_remove(at).tier, result));
        }
    }

    /// Judges a start (rule 2), and says what kind it is.
    pub(super) fn started(&mut self, now: Nanos, start: &Start) -> Result<Again, Broken> {
        let next = std::mem::replace(&mut self.next, start.attempt.0 + 1);
        let request = start.request;
        let watch = self.find_mut(request)?;
        let route = &watch.revision.routes[watch.admit.route.index()];
        let broken = |what: String| Err(("rule 2", Some(request), what));
        if start.attempt.0 < next {
            return broken(format!("{:?} was started before", start.attempt));
        }
        if watch.over.is_some() || watch.committed.is_some() {
            return broken("an attempt starts after the outcome or the commit".into());
        }
        if now >= watch.deadline_at || start.budget > watch.deadline_at - now {
            return broken("an attempt starts after the deadline, or with more time than there is".into());
        }
        if watch.running.len() >= AT_ONCE {
            return broken(format!("{} attempts run at once", watch.running.len() + 1));
        }
        if route.tiers[usize::from(start.tier)].path != start.path {
            return broken(format!("tier {} is not {:?}", start.tier, start.path));
        }
        watch.starts += 1;
        let remote = matches!(watch.revision.paths[start.path.index()].place, Where::Remote(_));
        watch.remote += u8::from(remote);
        if watch.remote > route.max_attempts {
            return Err(("F-031", Some(request), format!("{} remote attempts", watch.remote)));
        }
        let (tier, path, replica, operation) = (start.tier, start.path, start.replica, watch.admit.operation);
        watch.running.push(Running { attempt: start.attempt, request, tier, path, replica, operation });
        Ok(match watch.last {
            None => Again::First,
            Some((tier, _)) if tier != start.tier => Again::Fallback,
            Some((_, result)) => match result.again() {
                evenkeel_core::Again::Unsent | evenkeel_core::Again::OtherReplica => Again::Free,
                _ => Again::Paid,
            },
        })
    }

    /// Judges a commit (rules 3, 7).
    pub(super) fn committed(&mut self, now: Nanos, request: RequestId, attempt: AttemptId) -> Result<(), Broken> {
        let watch = self.find_mut(request)?;
        if watch.over.is_some() || watch.committed.replace(attempt).is_some() {
            return Err(("rule 7", Some(request), "a second commit, or one after the outcome".into()));
        }
        if watch.running(attempt).is_none() {
            return Err(("rule 7", Some(request), "an attempt that does not run is committed".into()));
        }
        in_time(now, watch)
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
        let watch = self.find_mut(request)?;
        let broken = |what: &str| Err(("rule 7", Some(request), what.into()));
        match (source, watch.committed) {
            (Source::Attempt(attempt) | Source::Broken(attempt, _), Some(committed)) if attempt != committed => {
                return broken("the client gets another answer than the one that it began to get");
            }
            (Source::Broken(..), None) => return broken("a stream breaks that never began"),
            (Source::Certain(_) | Source::Error(_), Some(_)) => return broken("a second answer after the commit"),
            _ => {}
        }
        if disclosure.degraded != told.is_some_and(|tier| tier > 0) {
            return Err(("rule 10", Some(request), "the client is told something else than the tier".into()));
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
        let watch = self.find_mut(request)?;
        let bounds = SECOND..=300 * SECOND;
        let gone = why == Refusal::ClientGone;
        if retry_after.is_none() != gone || retry_after.is_some_and(|after| !bounds.contains(&after)) {
            return Err(("F-165", Some(request), format!("refused with a Retry-After of {retry_after:?} ns")));
        }
        if watch.committed.is_some() && !gone {
            return Err(("rule 7", Some(request), "a refusal after the commit".into()));
        }
        let route = &watch.revision.routes[watch.admit.route.index()];
        let last = route.tiers.last().expect("REV-1");
        let certain = watch.revision.paths[last.path.index()].place == Where::Certain;
        let accepts = watch.admit.max_tier.is_none_or(|most| usize::from(most) + 1 >= route.tiers.len());
        if certain && accepts && matches!(why, Refusal::Exhausted | Refusal::Deadline) {
            return Err(("rule 3", Some(request), "refused, with a safe default at hand".into()));
        }
        self.over(now, request, None)
    }

    fn over(&mut self, now: Nanos, request: RequestId, told: Option<u8>) -> Result<(), Broken> {
        let watch = self.find_mut(request)?;
        if watch.over.replace(told).is_some() {
            return Err(("rule 1", Some(request), "a second terminal outcome".into()));
        }
        if !watch.running.is_empty() {
            return Err(("rule 1", Some(request), "it is over and an attempt still runs".into()));
        }
        if watch.committed.is_some() { Ok(()) } else { in_time(now, watch) }
    }

    /// Judges a record (rules 1, 9, 10).
    pub(super) fn recorded(&mut self, decision: &Decision) -> Result<(), Broken> {
        let request = decision.request;
        let watch = self.find_mut(request)?;
        let Some(told) = watch.over else {
            return Err(("rule 1", Some(request), "a record before the outcome".into()));
        };
        if decision.revision.digest != watch.revision.digest {
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
        if self.open > 0 && core.next_timeout().is_none() {
            return Err(("rule 3", None, "requests are open, and no clock runs".into()));
        }
        Ok(())
    }
}

/// Rule 3: it leaves before its deadline; timeouts come on time here, so at the deadline at the latest.
fn in_time(now: Nanos, watch: &Watch) -> Result<(), Broken> {
    match now.checked_sub(watch.deadline_at) {
        Some(late) if late > 0 => Err(("rule 3", Some(watch.admit.request), format!("it leaves {late} ns late"))),
        _ => Ok(()),
    }
}
