//! What enters the core.

use alloc::sync::Arc;

use crate::{
    cache::{Lookup, Near},
    capability::Wants,
    class::ResultCode,
    clock::Nanos,
    drift::RouteSignal,
    ensemble::Tally,
    guard::GuardVerdict,
    id::{AttemptId, ProbeId, RequestId, RouteId},
    probe::Found,
    revision::{Features, Operation, Revision},
    rows::Rows,
    sequence::Sequence,
    unit::Permille,
};

/// Everything that can happen to the core.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "an admission is made where it is handled, and kept in no queue of inputs"
)]
pub enum Input {
    /// A request that was read and found well-formed.
    Admit(Admit),
    /// Something happened to an attempt.
    Attempt {
        /// Which attempt.
        attempt: AttemptId,
        /// What happened.
        event: Event,
    },
    /// How an attempt that is to mend a broken stream compares with what was sent of it.
    Splice {
        /// Which attempt.
        attempt: AttemptId,
        /// How.
        splice: Splice,
    },
    /// The answer to a request that others may wait for is theirs now, or cannot be; it has been told of before ([`Admit::cache`]).
    Landed {
        /// Whose answer.
        request: RequestId,
        /// The shell has it for them.
        kept: bool,
    },
    /// The client went away.
    ClientGone {
        /// Whose client.
        request: RequestId,
    },
    /// A probe of a replica is over.
    Probed {
        /// Which probe.
        probe: ProbeId,
        /// What it found.
        found: Found,
    },
    /// How a route stands by what the shell measures of it, told when it has changed and every ten seconds at the least: what was
    /// not told for a minute is unknown.
    Signal {
        /// The route, in the revision that the core holds now.
        route: RouteId,
        /// What was measured.
        name: RouteSignal,
        /// What it is.
        value: u64,
        /// On how many rows.
        samples: u64,
    },
    /// A new revision is to be applied; open requests finish on theirs (rule 9).
    Revision(Arc<Revision>),
    /// The time of [`Core::next_timeout`](crate::Core::next_timeout) has come.
    Timeout,
    /// The process stops: open requests end with what they can still get at once (F-175).
    Drain,
}

/// A request, as far as a decision needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admit {
    /// The shell's number for it, never reused.
    pub request: RequestId,
    /// The route, in the revision that the core holds now.
    pub route: RouteId,
    /// What is asked.
    pub operation: Operation,
    /// The client's own deadline from now, where it gave one; it may shorten the route's, never lengthen it (F-021).
    pub deadline: Option<Nanos>,
    /// 64 uniform bits for every draw that this request makes.
    pub entropy: u64,
    /// What it costs to try once, in thousandths of the route's unit (F-044).
    pub cost: u64,
    /// What it weighs among the work of a replica (F-080); at least 1.
    pub weight: u64,
    /// What the answer must be able to do.
    pub needs: Features,
    /// The languages that it is in, the datatypes of its tensors, and the regions that it may go to.
    pub wants: Wants,
    /// Tokens that it fills of a context window, as estimated.
    pub tokens: u64,
    /// The lowest tier that the client accepts (F-168).
    pub max_tier: Option<u8>,
    /// How likely an answer must be right that the client accepts, as it is told that; none where it takes any (F-168).
    pub min_confidence: Option<Permille>,
    /// Whether it may be asked twice, for all that is known beside its sequence: nothing is kept of it (F-034).
    pub pure: bool,
    /// Its client wants no copy of it made: it is asked of whoever answers it, and of nobody else (F-151).
    pub private: bool,
    /// The share of the memory for request bodies that is in use, its own among them (F-087).
    pub bodies: Permille,
    /// The time that was spent on it before it was admitted, fetching features: it comes out of the deadline (F-037).
    pub spent: Nanos,
    /// The share of imputed values among the enriched ones of the row that has the most of them (F-037).
    pub imputed: Permille,
    /// Its rows, where its route judges rows by themselves (OIP-35).
    pub rows: Rows,
    /// The sequence that it belongs to (OIP-36).
    pub sequence: Option<Sequence>,
    /// What is known of earlier answers to the same request (F-143).
    pub cache: Lookup,
    /// What guards have measured of its input.
    pub verdict: GuardVerdict,
}

/// How an attempt that is to mend a broken stream compares with what was sent of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Splice {
    /// It has said all of it: what follows goes to the client.
    Matched,
    /// It says something else.
    Diverged,
}

/// What can happen to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The first piece that a client can use (F-023).
    FirstContent,
    /// What is held back has reached what the route wants to see first (F-121), or the most that is held (F-023).
    Enough,
    /// Another piece of content; before the first, a piece of reasoning, which stops the first-content clock.
    Progress,
    /// What was sent can no longer be said again by another: there is a piece of a call in it, or more than is kept (F-124).
    Unrepeatable,
    /// It has said so many tokens in the last [`RATE_WINDOW`](crate::RATE_WINDOW) in which somebody waited for them, and
    /// that may be less than a stream of its path must (F-029). Told where it is less, once is enough.
    Slow {
        /// Tokens, estimated rather high than low.
        said: u64,
    },
    /// The rows of its answer, which is whole, were looked at, and so many of them are below what its tier accepts. Told before
    /// its end, and only where its tier says when that moves an answer.
    Judged {
        /// Rows of low confidence; of an answer without rows at most one.
        low: u64,
        /// How sure its model was in the row in which it was least; 0 where that is not known.
        sure: Permille,
    },
    /// The nearest earlier answer to other words that was found at a tier that answers from the cache. Told before its end (F-147).
    Similar(Near),
    /// How the votes of its ensemble stand once it has ended. Told before the end of every member, and once more where one was
    /// cancelled and others still run.
    Voted(Tally),
    /// Bytes that are neither, such as a keep-alive: a sign of life and no progress.
    Alive,
    /// It was cancelled before, and its call is closed now: it takes no more room at its replica (F-172).
    Closed,
    /// The attempt is over.
    Ended {
        /// How.
        result: ResultCode,
        /// The status that the upstream sent, where it sent one.
        status: Option<u16>,
        /// How long the upstream asked to be left alone, where it did (F-050).
        after: Option<Nanos>,
    },
}
