//! Watch: one open request as the oracle sees it, and its attempts.

use evenkeel_core::{
    Admit, AttemptId, Features, MEMBERS, Nanos, Operation, Path, PathId, ReplicaId, RequestId, ResultCode, Revision,
    Role, Route, Rows, SECOND, Start, Where,
};

use super::Broken;

/// The longest that a request waits for some tier to recover (F-166).
const PATIENCE: Nanos = 3 * SECOND;

/// Attempts of one request at once: a hedge beside the first, or the members of an ensemble.
pub(super) const AT_ONCE: usize = MEMBERS;

/// An attempt that runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Running {
    pub(super) attempt: AttemptId,
    pub(super) request: RequestId,
    pub(super) tier: u8,
    pub(super) path: PathId,
    pub(super) replica: ReplicaId,
    pub(super) operation: Operation,
    /// Rows of its answer that its tier does not accept, where somebody looked.
    pub(super) low: Option<u64>,
}

impl Running {
    /// An attempt that has just been started.
    pub(super) fn of(start: &Start, operation: Operation) -> Self {
        let Start { request, attempt, tier, path, replica, .. } = *start;
        Self { attempt, request, tier, path, replica, operation, low: None }
    }

    /// Says whether it is a member of an ensemble.
    pub(super) fn is_member(&self, revision: &Revision, admit: &Admit) -> bool {
        revision.routes[admit.route.index()].tiers[usize::from(self.tier)].ensemble.is_some()
    }
}

/// An open request.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    pub(super) admit: Admit,
    /// When it was admitted.
    pub(super) at: Nanos,
    pub(super) deadline_at: Nanos,
    /// The position of its revision among those that were applied.
    pub(super) revision: u32,
    pub(super) running: [Option<Running>; AT_ONCE],
    /// The tier and the result of the attempt that ended last.
    pub(super) last: Option<(u8, ResultCode)>,
    /// Attempts that nobody paid for, but for the first on each tier.
    pub(super) free: u8,
    /// Attempts on a tier that had just said "not now".
    pub(super) told: u8,
    /// Tiers at which something may have been done, by an attempt that has ended.
    pub(super) done: Vec<u8>,
    /// Tiers that were silent.
    pub(super) silent: Vec<u8>,
    pub(super) starts: u8,
    pub(super) remote: u8,
    pub(super) committed: Option<AttemptId>,
    /// The committed stream broke, in a way that may be mended.
    pub(super) broke: bool,
    /// What was started last to mend it, and the attempt that has said again what was sent.
    pub(super) mends: Option<Role>,
    pub(super) matched: Option<AttemptId>,
    /// The tier whose members voted last, and when they were started.
    pub(super) voted: Option<(u8, Nanos)>,
    /// Rows that are still to be answered, and the attempt whose answer is to be kept in part (OIP-35).
    pub(super) rows: Rows,
    pub(super) part: Option<AttemptId>,
    /// The terminal outcome is out, with the tier that the client was told.
    pub(super) over: Option<Option<u8>>,
}

impl Watch {
    /// Returns an attempt that runs.
    pub(super) fn running(&self, attempt: AttemptId) -> Option<&Running> {
        self.running.iter().flatten().find(|it| it.attempt == attempt)
    }

    /// Rule 2: what its tier asks starts alone, or as a hedge at another replica, or as one of those that vote; says whether it
    /// is one of these.
    pub(super) fn may_start(&mut self, now: Nanos, start: &Start, revision: &Revision) -> Result<bool, Broken> {
        let broken = |what: String| Err(("rule 2", Some(start.request), what));
        let tier = &revision.routes[self.admit.route.index()].tiers[usize::from(start.tier)];
        if tier.ensemble.as_ref().is_some_and(|it| it.members.contains(&start.path)) {
            return self.may_vote(now, start).map(|()| true);
        }
        let other = self.running.iter().flatten().next();
        let beside = |it: &Running| it.path == start.path && it.replica != start.replica;
        if other.is_some_and(|it| !beside(it) || !revision.paths[start.path.index()].hedge) {
            return broken("a second attempt runs, and is no hedge at another replica".into());
        }
        if tier.path != start.path {
            return broken(format!("tier {} is not {:?}", start.tier, start.path));
        }
        Ok(false)
    }

    /// VOTE-1: the members of an ensemble start at one moment, once each, and nobody else runs then.
    fn may_vote(&mut self, now: Nanos, start: &Start) -> Result<(), Broken> {
        let broken = |what: &str| Err(("VOTE-1", Some(self.admit.request), format!("{what}: {start:?}")));
        if self.running.iter().flatten().any(|it| it.tier != start.tier || it.path == start.path) {
            return broken("a member starts beside another tier, or itself");
        }
        match self.voted {
            Some((tier, at)) if tier == start.tier && at != now => broken("a member starts after the others"),
            Some((tier, _)) if tier == start.tier => Ok(()),
            _ => {
                self.voted = Some((start.tier, now));
                Ok(())
            }
        }
    }

    /// Says whether a member that runs at this tier asks a server: all members together are one attempt (F-031).
    pub(super) fn asks_elsewhere(&self, tier: u8, revision: &Revision) -> bool {
        let remote = |it: &Running| matches!(revision.paths[it.path.index()].place, Where::Remote(_));
        self.running.iter().flatten().any(|it| it.tier == tier && remote(it))
    }

    /// F-122: a stream is recovered once: by a splice, and by going on with what that found to be different.
    pub(super) fn may_mend(&self, role: Role) -> bool {
        let diverged = self.last.is_some_and(|(_, result)| result == ResultCode::SpliceDiverged);
        match role {
            Role::Answer => false,
            Role::Splice => self.mends.is_none(),
            Role::Continue => self.mends == Some(Role::Splice) && diverged,
        }
    }

    /// Rule 3: it leaves before its deadline; timeouts come on time here, so at the deadline at the latest.
    pub(super) fn in_time(&self, now: Nanos) -> Result<(), Broken> {
        match now.checked_sub(self.deadline_at) {
            Some(late) if late > 0 => Err(("rule 3", Some(self.admit.request), format!("it leaves {late} ns late"))),
            _ => Ok(()),
        }
    }

    /// F-166: what nobody was asked for has waited for a tier to recover, in all no longer than it may.
    pub(super) fn in_patience(&self, now: Nanos) -> Result<(), Broken> {
        let (waited, most) = (now - self.at, PATIENCE.min((self.deadline_at - self.at) / 2));
        // Who waits for the answer to another one of the same does so by its deadline (F-145).
        let alone = self.admit.cache.key.is_none();
        match alone && self.starts == 0 && waited > most {
            true => Err(("F-166", Some(self.admit.request), format!("it waited {waited} ns, and may wait {most}"))),
            false => Ok(()),
        }
    }

    /// OIP-35: a tier is asked for the rows that are left for it, once what was answered before is kept.
    pub(super) fn asks_for_rows(&self, start: &Start, route: &Route) -> Result<(), Broken> {
        let asked = self.rows.asked(!route.imputed.sets_apart(start.tier));
        match self.part.is_some() || start.rows != asked {
            true => Err(("OIP-35", Some(self.admit.request), format!("{start:?}, where {asked} rows are left for it"))),
            false => Ok(()),
        }
    }

    /// F-034, F-036, F-126: a path is asked for what it can do, for what may be done twice, and not to go on with what a machine
    /// reads.
    pub(super) fn may_ask(&self, start: &Start, path: &Path) -> Result<(), Broken> {
        let broken = |rule, what: &str| Err((rule, Some(self.admit.request), format!("{what}: {start:?}")));
        let strict = Features::TOOLS.with(Features::TOOL_REQUIRED).with(Features::JSON).with(Features::SCHEMA);
        // Of the members of an ensemble each is asked once.
        let again = self.done.contains(&start.tier) || self.running.iter().flatten().any(|it| it.tier == start.tier);
        match start.role {
            _ if !self.admit.needs.missing_in(path.features).is_empty() => {
                broken("F-036", "a path is asked for what it cannot do")
            }
            _ if !path.can.serves(self.admit.wants) => {
                broken("F-036", "a path is asked for a language, a datatype or in a region that is not its own")
            }
            _ if path.context.is_some_and(|context| self.admit.tokens + path.added.least > context) => {
                broken("F-036", "a path is asked for more than its window holds")
            }
            _ if again && (!self.admit.pure || path.effects) => broken("F-034", "what changes something is done twice"),
            Role::Continue if self.admit.needs.missing_in(strict) != self.admit.needs => {
                broken("F-126", "an answer for a machine is gone on with in the middle")
            }
            _ => Ok(()),
        }
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
    /// Beside another, and to be paid for twice (F-093).
    Hedge,
    /// On the same tier, where proof was that no work had started (F-043).
    Free,
}
