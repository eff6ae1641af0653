//! What leaves the core: orders to the shell and records for whoever keeps them.

use alloc::{boxed::Box, sync::Arc};

use crate::{
    change::{BreakerChange, GateChange},
    class::ResultCode,
    clock::Nanos,
    decision::{Decision, Rescue, Role},
    id::{AttemptId, PathId, ProbeId, ReplicaId, RequestId, UpstreamId},
    reason::Reason,
    revision::{Method, Revision},
    transition::{Proposal, Transition},
};

/// Everything that the core can want.
#[derive(Clone, Debug)]
pub enum Output {
    /// Start an attempt.
    Start(Start),
    /// Stop an attempt; nothing that it still reports is heard.
    Cancel {
        /// Whose attempt.
        request: RequestId,
        /// Which attempt.
        attempt: AttemptId,
        /// Why.
        why: Cancelled,
    },
    /// From here on what this attempt sends belongs to the client.
    Commit {
        /// Whose stream.
        request: RequestId,
        /// Which attempt.
        attempt: AttemptId,
        /// What the client is told.
        disclosure: Disclosure,
    },
    /// What this attempt answered is kept, but for the rows that its tier does not accept; the rest is asked of the tiers
    /// below (OIP-35).
    Keep {
        /// Whose answer.
        request: RequestId,
        /// Which attempt.
        attempt: AttemptId,
    },
    /// The request is answered, together with what was kept before: terminal.
    Answer {
        /// Which request.
        request: RequestId,
        /// Where the answer comes from.
        source: Source,
        /// What the client is told.
        disclosure: Disclosure,
    },
    /// The request is refused: terminal.
    Refuse {
        /// Which request.
        request: RequestId,
        /// Why.
        why: Refusal,
        /// When it makes sense to come back, from now.
        retry_after: Option<Nanos>,
        /// What the client is told.
        disclosure: Disclosure,
    },
    /// An attempt was cancelled, and was not seen closed for 30 s: it is no longer counted as work of its replica (F-172).
    CancelIgnored {
        /// The revision that names the path.
        revision: Arc<Revision>,
        /// What was called.
        path: PathId,
        /// Which attempt.
        attempt: AttemptId,
    },
    /// Copy a request that was answered to another tier: no attempt of it, and nobody is told of the answer (F-150). What happens
    /// to it comes as [`Input::Attempt`](crate::Input::Attempt).
    Shadow(Start),
    /// Stop a shadow.
    ShadowStop {
        /// Which.
        attempt: AttemptId,
        /// Why.
        why: Cancelled,
    },
    /// Ask a replica whether it is ready; the answer comes as [`Input::Probed`](crate::Input::Probed).
    Probe(Probe),
    /// A breaker has changed, of a path or of one of its replicas.
    Breaker(Box<BreakerChange>),
    /// A gate has closed, or was lifted.
    Gate(Box<GateChange>),
    /// The tier at which a route starts has changed.
    Transition(Box<Transition>),
    /// A route is proposed to start lower, or is proposed so no more.
    Proposed(Box<Proposal>),
    /// The record of a request that is over.
    Decision(Box<Decision>),
}

/// An attempt to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Whose attempt.
    pub request: RequestId,
    /// Its number.
    pub attempt: AttemptId,
    /// The tier, for the shell's telemetry only.
    pub tier: u8,
    /// What to call.
    pub path: PathId,
    /// Which replica of the path's upstream; 0 for a local path.
    pub replica: ReplicaId,
    /// Time left to this attempt until its answer, or its first content, must be there: to be told to the upstream.
    pub budget: Nanos,
    /// The attempt must not reuse an idle connection: an earlier one was reset under this request.
    pub fresh: bool,
    /// Whether it is to answer, or to mend a stream that broke.
    pub role: Role,
    /// How many rows it is asked for, of those that are left; 0 where nobody counts them (OIP-35).
    pub rows: u64,
    /// How many steps safer its answer must be than the configuration says, by the ladder of the route's certificate.
    pub steps: u8,
}

/// A probe to be made (F-111).
#[derive(Clone, Debug)]
pub struct Probe {
    /// Its number.
    pub probe: ProbeId,
    /// The revision that names the upstream.
    pub revision: Arc<Revision>,
    /// Whose replica.
    pub upstream: UpstreamId,
    /// Which replica.
    pub replica: ReplicaId,
    /// It is to be made at a moment of this length from now that entropy draws, so that probes of several gateways do not come
    /// in step (OV-14).
    pub within: Nanos,
}

/// Why an attempt was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// One of its clocks fired.
    Clock(ResultCode),
    /// The client went away.
    ClientGone,
    /// It says something else than what was sent (F-124).
    Diverged,
    /// The other of two attempts was first.
    HedgeLost,
    /// The vote was over before it answered.
    VoteOver,
    /// The request ended otherwise.
    Drained,
}

impl Cancelled {
    /// Returns what an attempt came to that was stopped so.
    pub const fn result(self) -> ResultCode {
        match self {
            Self::Clock(result) => result,
            Self::ClientGone => ResultCode::ClientGone,
            Self::Diverged => ResultCode::SpliceDiverged,
            Self::HedgeLost => ResultCode::HedgeLost,
            Self::VoteOver => ResultCode::VoteOver,
            Self::Drained => ResultCode::Drained,
        }
    }
}

/// Where an answer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The whole, verified answer of an attempt; for a stream, its verified end.
    Attempt(AttemptId),
    /// A path that cannot fail; no attempt was made.
    Certain(PathId),
    /// An attempt's own error, which is for the client to see (classes `caller`, `capability`, `policy`).
    Error(AttemptId),
    /// What was kept of an earlier answer: told as that of this tier, which gave it, or is one that answers from the cache.
    Stored(u8),
    /// A committed stream broke: a terminal error, never a short success (F-127).
    Broken(AttemptId, ResultCode),
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No tier could answer (F-165).
    Exhausted,
    /// The deadline passed (F-167).
    Deadline,
    /// The client refuses the tiers that could (F-168).
    Degradation,
    /// There is more work than room: a tier that would have answered is full (F-085), or the core is.
    Overloaded,
    /// The process stops.
    Draining,
    /// Nobody is there to read an answer.
    ClientGone,
    /// Nothing has the state of its sequence any more, or what has it may not be asked: it is to be begun again (OIP-36).
    SequenceLost,
    /// The start of its sequence is still being answered (OIP-36).
    SequenceBusy,
}

/// What a client is told about its answer, at the moment when its first byte leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosure {
    /// The tier and how it answers, the lowest where several did; none on a refusal. The path of an ensemble is the one that
    /// stands for it.
    pub answered: Option<(u8, Method, PathId)>,
    /// Whether another tier than 0 answered.
    pub degraded: bool,
    /// The closest reason.
    pub reason: Reason,
    /// Attempts so far.
    pub attempts: u8,
    /// What became of a stream that broke.
    pub rescue: Rescue,
}
