//! The decision record: what remains of a request, enough to make its decision again (rule 10).
//!
//! It holds no payload and no text of anybody's: facts with their thresholds, attempts with their results, an outcome.
//! Names come from the revision that it points at.
//!
//! # Invariants
//! - `DEC-1`: [`Decision::rederive`] of a record gives the candidates, the tier and the reason that it holds.
//! - `DEC-2`: numbers that entered a comparison are stored as compared.

use alloc::{sync::Arc, vec::Vec};

use crate::{
    class::ResultCode,
    clock::Nanos,
    id::{AttemptId, PathId, ReplicaId, RequestId, RouteId},
    output::Refusal,
    reason::Reason,
    revision::{Method, Operation, Revision, Where},
    route::Phase,
};

/// What a fact measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// Nanoseconds to the deadline, against what the tier needs.
    TimeLeft,
    /// Nanoseconds until an open breaker lets a probe through; 0 when it is not open.
    OpenFor,
    /// Leases in use against those there are, while half open.
    Leases,
    /// The lot of this request in permille, against the share of the ramp.
    RampLot,
    /// Replicas that are admitted, against the one that is needed.
    Replicas,
    /// Remote attempts so far, against the most there may be.
    Attempts,
    /// The tier's number, against the lowest that the client accepts.
    MaxTier,
    /// How many of the needed features are missing, against none.
    FeaturesMissing,
    /// Tokens needed, against the tier's window.
    Context,
    /// The window of a tier, against the one that was too small.
    LargerContext,
    /// What a retry costs, against what the purse holds.
    RetryBudget,
    /// 1 where a `default` would stand in for a request that another tier could not do: it may not (F-009).
    DefaultBarred,
    /// 1 where a content refusal leaves only the `default`, and this is another tier (F-008).
    OnlyDefault,
}

impl Signal {
    /// Returns the name that records use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TimeLeft => "time_left_ns",
            Self::OpenFor => "breaker_open_ns",
            Self::Leases => "breaker_leases",
            Self::RampLot => "ramp_lot_permille",
            Self::Replicas => "replicas_admitted",
            Self::Attempts => "remote_attempts",
            Self::MaxTier => "max_tier",
            Self::FeaturesMissing => "features_missing",
            Self::Context => "context_tokens",
            Self::LargerContext => "context_larger_than",
            Self::RetryBudget => "retry_cost_milli",
            Self::DefaultBarred => "default_barred",
            Self::OnlyDefault => "only_default",
        }
    }

    /// Returns the comparison that breaches.
    pub const fn breached_when(self) -> Comparison {
        match self {
            Self::TimeLeft | Self::Replicas => Comparison::Below,
            Self::Leases | Self::RampLot | Self::Attempts => Comparison::AtLeast,
            Self::LargerContext => Comparison::AtMost,
            _ => Comparison::Above,
        }
    }

    /// Returns the reason that a breach gives (`governance.md`, section 12, *From rule to verdict*).
    pub const fn reason(self) -> Reason {
        match self {
            Self::TimeLeft => Reason::DeadlineInsufficient,
            Self::OpenFor | Self::Leases => Reason::BreakerOpen,
            Self::RampLot => Reason::BreakerRamp,
            Self::Replicas => Reason::NoEndpoints,
            Self::Attempts | Self::RetryBudget => Reason::RetryBudgetEmpty,
            Self::MaxTier => Reason::ClientMaxTier,
            Self::FeaturesMissing | Self::Context | Self::LargerContext | Self::DefaultBarred => {
                Reason::CapabilityMissing
            }
            Self::OnlyDefault => Reason::SafetyBlock,
        }
    }
}

/// How a value is held against its threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// value < threshold
    Below,
    /// value <= threshold
    AtMost,
    /// value >= threshold
    AtLeast,
    /// value > threshold
    Above,
}

impl Comparison {
    /// Returns the sign that records use.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Below => "<",
            Self::AtMost => "<=",
            Self::AtLeast => ">=",
            Self::Above => ">",
        }
    }

    /// Compares.
    pub const fn holds(self, value: u64, threshold: u64) -> bool {
        match self {
            Self::Below => value < threshold,
            Self::AtMost => value <= threshold,
            Self::AtLeast => value >= threshold,
            Self::Above => value > threshold,
        }
    }
}

/// A number that entered a comparison, as compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The tier that it speaks of.
    pub tier: u8,
    /// What was measured.
    pub signal: Signal,
    /// The number.
    pub value: u64,
    /// What it was held against.
    pub threshold: u64,
}

impl Fact {
    /// Says whether it speaks against the tier.
    pub const fn breached(&self) -> bool {
        self.signal.breached_when().holds(self.value, self.threshold)
    }
}

/// What was decided about a tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It answered.
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
    /// The tier that answered, or whose stream broke; none on a refusal or an error passed on.
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

/// What a record says when it is read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Derived {
    pub(crate) tier: Option<u8>,
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) reason: Reason,
}

impl Decision {
    /// Makes the decision again from facts, attempts and end alone, and says whether it is the one recorded.
    pub fn rederives(&self) -> bool {
        let evidence = Evidence { facts: &self.facts, attempts: &self.attempts, end: self.outcome.end };
        let derived = evidence.derive(&self.revision, self.route);
        derived.tier == self.outcome.tier && derived.candidates == self.candidates && derived.reason == self.reason
    }
}

/// What a decision is derived from.
pub(crate) struct Evidence<'a> {
    pub(crate) facts: &'a [Fact],
    pub(crate) attempts: &'a [AttemptRecord],
    pub(crate) end: End,
}

impl Evidence<'_> {
    /// Derives the verdict of every tier, the tier that answered, and the reason.
    pub(crate) fn derive(&self, revision: &Revision, route: RouteId) -> Derived {
        let tiers = &revision.routes[route.index()].tiers;
        let tier = (0..tiers.len() as u8).find(|&tier| self.answers(revision, tiers[tier as usize].path, tier));
        let candidates: Vec<_> =
            (0..tiers.len() as u8).map(|at| self.candidate(at, tier, tiers[at as usize].method)).collect();
        let reason = self.reason(tier, &candidates);
        Derived { tier, candidates, reason }
    }

    /// Says whether the tier gave what the client got.
    fn answers(&self, revision: &Revision, path: PathId, tier: u8) -> bool {
        let last = self.attempts.iter().rev().find(|attempt| attempt.tier == tier);
        match (self.end, last) {
            (End::Answered, Some(attempt)) => attempt.result.is_ok(),
            (End::Broken(_), Some(attempt)) => attempt.first_content.is_some() && !attempt.result.is_ok(),
            (End::Answered, None) => {
                let certain = revision.paths[path.index()].place == Where::Certain;
                let mut facts = self.facts.iter().filter(|fact| fact.tier == tier).peekable();
                certain && facts.peek().is_some() && facts.all(|fact| !fact.breached())
            }
            _ => false,
        }
    }

    fn candidate(&self, at: u8, answered: Option<u8>, method: Method) -> Candidate {
        if answered == Some(at) {
            return Candidate { tier: at, verdict: Verdict::Selected, reasons: [self.why_selected(at, method)].into() };
        }
        let mut reasons: Vec<Reason> = Vec::new();
        let failed = self.attempts.iter().filter(|attempt| attempt.tier == at).filter_map(|it| it.result.reason());
        let breached = self.facts.iter().filter(|fact| fact.tier == at && fact.breached());
        for reason in failed.chain(breached.map(|fact| fact.signal.reason())) {
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        if reasons.is_empty() {
            reasons.push(Reason::LowerPreference);
        }
        let about_request = reasons.iter().all(|reason| reason.about_request());
        let verdict = if about_request { Verdict::Skipped } else { Verdict::Rejected };
        Candidate { tier: at, verdict, reasons }
    }

    fn why_selected(&self, tier: u8, method: Method) -> Reason {
        let probe = self.attempts.iter().rev().find(|attempt| attempt.tier == tier).is_some_and(|it| it.probe);
        match (probe, tier, method) {
            (true, ..) => Reason::BreakerHalfOpenProbe,
            (_, 0, _) => Reason::PrimaryHealthy,
            (_, _, Method::Default) => Reason::LastResort,
            _ => Reason::NextEligibleTier,
        }
    }

    /// The reason of a degraded answer is that of the first tier rejected; of an end without an answer, the end's own.
    fn reason(&self, tier: Option<u8>, candidates: &[Candidate]) -> Reason {
        match self.end {
            End::Error(result) | End::Broken(result) => result.reason().unwrap_or(Reason::InternalError),
            End::Refused(Refusal::Exhausted) => Reason::AllTiersExhausted,
            End::Refused(Refusal::Deadline) => Reason::Timeout,
            End::Refused(Refusal::Degradation) => Reason::ClientMaxTier,
            End::Refused(Refusal::Overloaded) => Reason::CapacityExhausted,
            End::Refused(Refusal::Draining) => Reason::Draining,
            End::Refused(Refusal::ClientGone) => Reason::ClientGone,
            End::Answered => {
                let above = candidates.iter().take(usize::from(tier.unwrap_or(0)));
                let first = above.chain(candidates.get(usize::from(tier.unwrap_or(0)))).next();
                first.and_then(|candidate| candidate.reasons.first().copied()).unwrap_or(Reason::InternalError)
            }
        }
    }
}

/// What tripped a breaker, with its counts (F-060).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trip {
    /// The rule that fired, as `failures.md` numbers it.
    pub rule: &'static str,
    /// The result that was the last straw.
    pub result: ResultCode,
    /// Bad outcomes that the rule counted.
    pub bad: u32,
    /// All outcomes that the rule counted.
    pub of: u32,
}

/// A change of the tier at which a route starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// When, on the shell's clock.
    pub at: Nanos,
    /// The revision that it cites (G-001).
    pub revision: Arc<Revision>,
    /// Which route.
    pub route: RouteId,
    /// The tier before; the number of tiers when none was left.
    pub from: u8,
    /// The tier now.
    pub to: u8,
    /// The cause.
    pub reason: Reason,
    /// The path whose breaker moved.
    pub path: PathId,
    /// What tripped it, on the way down.
    pub trip: Option<Trip>,
    /// The episode that it begins, continues or ends.
    pub episode: u32,
}
