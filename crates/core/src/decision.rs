//! The decision record: what remains of a request, enough to make its decision again (rule 10).
//!
//! It holds no payload and no text of anybody's: facts with their thresholds, attempts with their results, an outcome.
//! Names come from the revision that it points at.
//!
//! # Invariants
//! - `DEC-1`: [`Decision::rederive`] of a record gives the candidates, the tier and the reason that it holds.
//! - `DEC-2`: numbers that entered a comparison are stored as compared.

pub(crate) mod derive;

use alloc::{sync::Arc, vec::Vec};

use crate::{
    class::ResultCode,
    clock::Nanos,
    fact::Fact,
    id::{AttemptId, PathId, ReplicaId, RequestId, RouteId},
    output::Refusal,
    reason::Reason,
    revision::{Operation, Revision},
    route::Phase,
};

/// What was decided about a tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It answered, at least for some rows.
    Selected,
    /// Its own state or answer spoke against it.
    Rejected,
    /// It was not asked, for reasons that lie in the request.
    Skipped,
}

impl Verdict {
    /// Returns the word that records use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Selected => "selected",
            Self::Rejected => "rejected",
            Self::Skipped => "skipped",
        }
    }
}

/// A tier with its verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which tier.
    pub tier: u8,
    /// What was decided.
    pub verdict: Verdict,
    /// Why, the closest first; never empty.
    pub reasons: Vec<Reason>,
}

/// What an attempt is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// To answer.
    #[default]
    Answer,
    /// To say again what was sent of a stream that broke, word for word, and go on from there (F-123).
    Splice,
    /// To go on with what was sent of a stream that broke (F-126).
    Continue,
}

impl Role {
    /// Returns the word that records use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Splice => "splice",
            Self::Continue => "continue",
        }
    }
}

/// What became of a stream that broke after its client had begun to get it (F-133).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rescue {
    /// Nothing broke.
    #[default]
    None,
    /// Another attempt said the same, and more, to its verified end.
    Spliced,
    /// Another attempt went on with it, to its verified end.
    Continued,
    /// Its client was told that it broke.
    Truncated,
}

impl Rescue {
    /// Returns the word that records use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Spliced => "spliced",
            Self::Continued => "continued",
            Self::Truncated => "truncated",
        }
    }
}

/// One attempt, as it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptRecord {
    /// Its number.
    pub attempt: AttemptId,
    /// The tier that it served.
    pub tier: u8,
    /// What was called.
    pub path: PathId,
    /// Which replica.
    pub replica: ReplicaId,
    /// Since admission.
    pub start: Nanos,
    /// Until its end.
    pub duration: Nanos,
    /// From its start to its first content, where there was one.
    pub first_content: Option<Nanos>,
    /// How it ended.
    pub result: ResultCode,
    /// The upstream's status, where there was one.
    pub status: Option<u16>,
    /// Whether it was a leased probe.
    pub probe: bool,
    /// What it was for.
    pub role: Role,
    /// Whether any of what it said had gone to the client before its end (F-120).
    pub sent: bool,
    /// What became of its rows, where its route judges rows by themselves (OIP-35).
    pub rows: Option<KeptRows>,
}

/// The rows that an attempt was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptRows {
    /// How many.
    pub asked: u64,
    /// Of how many its answer was kept: the client has them where the request was answered, and nothing where it was not.
    pub kept: u64,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With an accepted answer.
    Answered,
    /// With an attempt's own error, which was the client's to see.
    Error(ResultCode),
    /// With a terminal error in a stream that had begun.
    Broken(ResultCode),
    /// With a refusal.
    Refused(Refusal),
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The tier that answered, the lowest of several, or whose stream broke; none on a refusal or an error passed on.
    pub tier: Option<u8>,
    /// How it ended.
    pub end: End,
    /// The HTTP status that it maps to.
    pub status: u16,
    /// From admission to the end.
    pub latency: Nanos,
}

/// The record of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Which request.
    pub request: RequestId,
    /// The revision that decided; names are in it.
    pub revision: Arc<Revision>,
    /// Which route.
    pub route: RouteId,
    /// What was asked.
    pub operation: Operation,
    /// When it was admitted, on the shell's clock.
    pub at: Nanos,
    /// The deadline that held, from admission.
    pub deadline: Nanos,
    /// The bits that its draws were made from.
    pub entropy: u64,
    /// The route's phase at admission.
    pub phase: Phase,
    /// The episode of degradation that it fell into, counted per route.
    pub episode: Option<u32>,
    /// What was compared, in the order of the comparisons.
    pub facts: Vec<Fact>,
    /// Every tier with its verdict, in order.
    pub candidates: Vec<Candidate>,
    /// Every attempt, in the order of starts.
    pub attempts: Vec<AttemptRecord>,
    /// What became of it.
    pub outcome: Outcome,
    /// The closest reason.
    pub reason: Reason,
}
