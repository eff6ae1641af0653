//! Facts: the numbers that entered a comparison, as they were compared.
//!
//! A record keeps them, so that its decision can be made again from nothing else (DEC-2). Which of them are asked is
//! `plan`'s; what a breach means for a tier is said here, once, for the machine and for the record.

use crate::reason::Reason;

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
    /// Nanoseconds until the gate of the capacity domain opens, at least 1 while its one lease is out.
    GateFor,
    /// The same of the gate of our credential.
    CredentialFor,
    /// Nanoseconds until a path on which a stream broke is asked for streams again, at least 1 while one is tried (F-077).
    StreamBroken,
    /// Nanoseconds until a route that fell too often may start at its upper tiers again (F-183).
    RouteHeld,
    /// What would be in flight at the replica with the most room, against what the class of the request may use.
    InFlight,
    /// The share of the memory for bodies that is in use, in permille, against what the class of the request may use of it for
    /// work elsewhere.
    Bodies,
    /// Readiness probes that were refused in a row, against those that take a replica out (F-113).
    Refusals,
    /// Replicas that are admitted, against the one that is needed.
    Replicas,
    /// Remote attempts so far, against the most there may be.
    Attempts,
    /// Connections reset and paths broken under this request, against the one that may be chance (F-035).
    Crashes,
    /// The tier's number, against the lowest that the client accepts.
    MaxTier,
    /// How likely answers of the tier are right at most, as it tells, in permille, against the least that the client accepts (F-168).
    MinConfidence,
    /// How sure a model was of an answer that was not accepted and may stand, in permille, against nothing: the surest stands, of
    /// several the first, where no model gives one that is accepted.
    Stands,
    /// The needed features that are missing, a bit each, against none.
    FeaturesMissing,
    /// Tokens needed, against the tier's window.
    Context,
    /// The window of a tier, against the one that was too small.
    LargerContext,
    /// Nanoseconds from the request's first wait for a tier to recover to the end of its last, against the most that it waits.
    Waited,
    /// Nanoseconds for which a stream was silent at first, against the clock that was learned for it (F-022).
    FirstToken,
    /// Tokens that a stream has said in ten seconds, against the least (F-029).
    TokensSaid,
    /// What a retry costs, against what the purse holds.
    RetryBudget,
    /// Nanoseconds above the reserve, against what a retry needs of them.
    RetryTime,
    /// The state of the path's breaker, against Closed: only then is it asked again.
    RetryBreaker,
    /// 1 where what was asked for, or sent of a stream that broke, cannot be said again, or gone on with (F-034, F-124, F-126).
    Unrepeatable,
    /// 1 where a tier writes nothing that a broken stream could be mended with: it is no model (F-123).
    NoModel,
    /// Requests that wait at the gate, against those that may (F-052).
    GateWaiters,
    /// Times of this size that are known, against those that a delay needs (F-091).
    HedgeSamples,
    /// Nanoseconds since the upstream pushed back, against how long no hedge is made then (F-094).
    HedgePushed,
    /// The same since a limiter lowered its limit.
    HedgeLowered,
    /// The state of the breaker, against Closed.
    HedgeBreaker,
    /// What is in flight, in permille of the limit.
    HedgeRoom,
    /// Attempts past their delay, in permille.
    HedgeLate,
    /// Hedges that were first, in permille.
    HedgeWins,
    /// What the hedge costs, against what the purses hold.
    HedgeCost,
    /// 1 where a `default` would stand in for a request that another tier could not do: it may not (F-009).
    DefaultBarred,
    /// 1 where a content refusal leaves only the `default`, and this is another tier (F-008).
    OnlyDefault,
    /// The share of imputed values in the row that decides, in permille, against what the tier takes (F-037).
    Imputed,
    /// Rows that are left for a tier above the one for which rows were set apart, against the one that it needs (OIP-35).
    RowsFit,
    /// Rows that were set apart from those that an answer is about, against none (OIP-35).
    RowsApart,
    /// Rows of an answer that are below what its tier accepts, against those that it bears (OIP-35).
    RowsLow,
    /// 1 where the state of the request's sequence is not at this tier (OIP-36).
    Sequence,
    /// The languages of the request that the tier does not understand, a bit each, against none (F-036).
    LanguagesMissing,
    /// The datatypes of its tensors that the tier does not take, a bit each, against none (F-036).
    DatatypesMissing,
    /// The regions that the tier would take it to and where it may not go, a bit each, against none (F-036).
    RegionsBarred,
    /// 1 where a request may not be asked of several paths at once: each of them would do what it does (F-034).
    Several,
    /// Members of an ensemble that may be asked, against the votes that it needs.
    Members,
    /// Votes that a row has, or may still come to have, where it has the fewest, against those that it needs.
    Votes,
    /// Rows in which the leader of a vote may still be passed, against none: then nobody else is waited for.
    VoteOpen,
    /// The leader's share of the votes in permille, where it is smallest, against the least.
    Agreement,
    /// Nanoseconds since an earlier answer was given, against those for which it is fresh, and which the client takes (F-143).
    CacheFresh,
    /// 1 where no earlier answer is held.
    CacheMissing,
    /// Nanoseconds since an earlier answer was given, against those for which it may stand in for a failure (F-143).
    CacheStale,
    /// The same, against those that the client takes.
    ClientMaxAge,
    /// How near the question of an earlier answer is, in permille, against the least (F-147).
    Similarity,
    /// Nanoseconds since that answer was given, against those for which it may stand in for a failure, and which the client takes.
    SimilarAge,
    /// How near it is, against the least, before any tier is asked.
    SimilarFresh,
    /// Nanoseconds since it was given, against those for which it is fresh, and which the client takes.
    SimilarFreshAge,
    /// Requests that wait for the answer to another one of the same, against those that may (F-145).
    FlightWaiters,
    /// Nanoseconds for which a request has waited for the answer to another one, against those that it may.
    FlightWaited,
    /// 1 where a tier has just failed another request of the same.
    FlightFailed,
    /// The share of rows like those of the reference that are as unlike it as the input, or more, in millionths, against the one
    /// that is borne; of several rows that of all together.
    AnomalyP,
    /// The share of features that did not come, in ten-thousandths, against the one that is borne.
    MissingRatio,
    /// Features of the wrong type, or that did not come though they have to, against none.
    InputContract,
    /// Features outside their range, against none.
    InputRange,
    /// Features with a value that the reference does not have, against none.
    InputUnseen,
    /// Vectors whose length is not like those of the reference, against none.
    InputNorm,
    /// Milliseconds since the oldest of the features was true, against the age that is borne.
    Staleness,
    /// 1 where the input is noise, against none.
    Noise,
    /// How often a tier failed inputs like this one, in ten-thousandths, against the share that is borne.
    FallbackRisk,
    /// How the inputs and outputs of the route stand against their reference: 0 stable, 1 warning, 2 drift.
    Drift,
    /// The lot of this request in permille, against the share that tiers get back after drift.
    DriftLot,
    /// As [`Self::Drift`], where all that has moved is what the route answers.
    OutputDrift,
    /// How many steps the route has gone back from the thresholds of its certificate, against how many there are: with more the tier is
    /// not asked.
    CertificateSteps,
    /// The share of texts like those of the reference that mean something as far from it as the input does, or farther, in millionths, against
    /// the one that is borne.
    DistanceP,
}

/// Declares the names of signals: one that has none does not compile, so all are in the list of all.
macro_rules! names {
    ($($signal:ident: $name:literal,)*) => {
        impl Signal {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$signal,)*];

            /// Returns the name that records use.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$signal => $name,)*
                }
            }
        }
    };
}

names! {
    TimeLeft: "time_left_ns",
    OpenFor: "breaker_open_ns",
    Leases: "breaker_leases",
    RampLot: "ramp_lot_permille",
    GateFor: "gate_closed_ns",
    CredentialFor: "credential_gate_closed_ns",
    StreamBroken: "stream_broken_ns",
    RouteHeld: "route_held_ns",
    InFlight: "in_flight",
    Bodies: "bodies_permille",
    Imputed: "imputed_permille",
    RowsFit: "rows_fit",
    RowsApart: "rows_apart",
    RowsLow: "rows_low",
    Sequence: "sequence_elsewhere",
    Several: "several_at_once",
    Members: "members",
    Votes: "votes",
    VoteOpen: "vote_open_rows",
    Agreement: "agreement_permille",
    CacheFresh: "cache_fresh_age_ns",
    CacheMissing: "cache_missing",
    CacheStale: "cache_stale_age_ns",
    ClientMaxAge: "client_max_age_ns",
    Similarity: "similarity_permille",
    SimilarAge: "similar_age_ns",
    SimilarFresh: "similar_fresh_permille",
    SimilarFreshAge: "similar_fresh_age_ns",
    FlightWaiters: "flight_waiters",
    FlightWaited: "flight_waited_ns",
    FlightFailed: "flight_failed",
    Refusals: "probes_refused",
    Replicas: "replicas_admitted",
    Attempts: "remote_attempts",
    Crashes: "crashes",
    MaxTier: "max_tier",
    MinConfidence: "min_confidence_permille",
    Stands: "stands_permille",
    FeaturesMissing: "features_missing",
    Context: "context_tokens",
    LargerContext: "context_larger_than",
    Waited: "waited_ns",
    FirstToken: "first_token_ns",
    TokensSaid: "tokens_in_10s",
    RetryBudget: "retry_cost_milli",
    RetryTime: "retry_time_left_ns",
    RetryBreaker: "retry_breaker",
    Unrepeatable: "unrepeatable",
    NoModel: "no_model",
    GateWaiters: "gate_waiters",
    HedgeSamples: "hedge_samples",
    HedgePushed: "hedge_pushed_back_ago_ns",
    HedgeLowered: "hedge_limit_lowered_ago_ns",
    HedgeBreaker: "hedge_breaker",
    HedgeRoom: "hedge_in_flight_permille",
    HedgeLate: "hedge_late_permille",
    HedgeWins: "hedge_won_permille",
    HedgeCost: "hedge_cost_milli",
    DefaultBarred: "default_barred",
    OnlyDefault: "only_default",
    LanguagesMissing: "languages_missing",
    DatatypesMissing: "datatypes_missing",
    RegionsBarred: "regions_barred",
    AnomalyP: "anomaly_p",
    MissingRatio: "missing_ratio",
    InputContract: "input_contract",
    InputRange: "input_range",
    InputUnseen: "input_unseen",
    InputNorm: "input_norm",
    Staleness: "staleness_ms",
    Noise: "noise",
    FallbackRisk: "fallback_risk",
    Drift: "drift",
    DriftLot: "drift_lot_permille",
    OutputDrift: "output_drift",
    CertificateSteps: "certificate_steps",
    DistanceP: "distance_p",
}

impl Signal {
    /// Says whether it is asked only for another attempt on the same path.
    const fn is_about_again(self) -> bool {
        self.is_about_hedge()
            || matches!(self, Self::RetryBudget | Self::RetryTime | Self::RetryBreaker | Self::Unrepeatable)
    }

    /// Says whether it was measured on an attempt that ran, and so says nothing about whether the tier may be asked.
    pub const fn is_about_answer(self) -> bool {
        let vote = matches!(self, Self::Votes | Self::VoteOpen | Self::Agreement);
        let found = matches!(self, Self::Similarity | Self::SimilarAge);
        let said = matches!(self, Self::FirstToken | Self::TokensSaid | Self::Stands);
        vote || found || said || self.is_about_rows()
    }

    /// Says whether it was measured on the members of an ensemble together: where it speaks against the tier, it is the closest
    /// reason, whatever became of each of them.
    pub const fn is_about_vote(self) -> bool {
        matches!(self, Self::Members | Self::Votes | Self::Agreement)
    }

    /// Says whether a breach speaks against the tier that it names: not where it was asked for something else than whether that
    /// tier is asked, an attempt beside a slow one, or an earlier answer before any tier.
    pub const fn is_about_tier(self) -> bool {
        !self.is_about_hedge() && !matches!(self, Self::CacheFresh | Self::SimilarFresh | Self::SimilarFreshAge)
    }

    /// Says whether guards measure it, on the input of a request.
    pub const fn is_about_input(self) -> bool {
        use Signal::{
            AnomalyP, DistanceP, FallbackRisk, InputContract, InputNorm, InputRange, InputUnseen, MissingRatio, Noise,
            Staleness,
        };
        matches!(
            self,
            AnomalyP
                | DistanceP
                | MissingRatio
                | InputContract
                | InputRange
                | InputUnseen
                | InputNorm
                | Staleness
                | Noise
                | FallbackRisk
        )
    }

    /// Says whether it was measured on the rows of an answer.
    pub const fn is_about_rows(self) -> bool {
        matches!(self, Self::RowsApart | Self::RowsLow)
    }

    /// Says whether it was asked for an attempt beside a slow one: a breach is no reason against the tier.
    pub const fn is_about_hedge(self) -> bool {
        use Signal::{
            HedgeBreaker, HedgeCost, HedgeLate, HedgeLowered, HedgePushed, HedgeRoom, HedgeSamples, HedgeWins,
        };
        matches!(
            self,
            HedgeSamples | HedgePushed | HedgeLowered | HedgeBreaker | HedgeRoom | HedgeLate | HedgeWins | HedgeCost
        )
    }

    /// Returns the comparison that breaches.
    pub const fn breached_when(self) -> Comparison {
        match self {
            Self::TimeLeft | Self::Replicas | Self::RetryTime | Self::TokensSaid | Self::RowsFit => Comparison::Below,
            Self::Members | Self::Votes | Self::Agreement => Comparison::Below,
            Self::MinConfidence | Self::Stands => Comparison::Below,
            Self::Similarity | Self::SimilarFresh => Comparison::Below,
            Self::HedgeSamples | Self::HedgePushed | Self::HedgeLowered | Self::HedgeWins => Comparison::Below,
            Self::Leases | Self::RampLot | Self::Refusals | Self::Attempts | Self::GateWaiters => Comparison::AtLeast,
            Self::FirstToken | Self::FlightWaiters | Self::FlightWaited => Comparison::AtLeast,
            Self::FallbackRisk | Self::Drift | Self::DriftLot | Self::OutputDrift => Comparison::AtLeast,
            Self::LargerContext | Self::AnomalyP | Self::DistanceP => Comparison::AtMost,
            _ => Comparison::Above,
        }
    }

    /// Returns the reason that a breach gives (`governance.md`, section 12, *From rule to verdict*).
    pub const fn reason(self) -> Reason {
        match self {
            Self::TimeLeft | Self::RetryTime => Reason::DeadlineInsufficient,
            Self::OpenFor | Self::Leases | Self::RetryBreaker => Reason::BreakerOpen,
            Self::RampLot => Reason::BreakerRamp,
            Self::GateFor | Self::GateWaiters => Reason::CapacityDomainLimited,
            Self::CredentialFor => Reason::CredentialRejected,
            Self::StreamBroken => Reason::StreamBrokenRecently,
            Self::RouteHeld => Reason::FlapLimitHold,
            // A limit falls on the server's word alone: what was lowered a moment ago is room of ours that is gone.
            Self::InFlight | Self::Bodies | Self::HedgeRoom | Self::HedgeLowered => Reason::CapacityExhausted,
            Self::HedgeSamples | Self::HedgeWins => Reason::SignalNoData,
            Self::HedgePushed => Reason::UpstreamBusy,
            Self::HedgeBreaker => Reason::BreakerOpen,
            Self::HedgeLate | Self::TokensSaid => Reason::LatencySpike,
            Self::FirstToken => Reason::TtftBreach,
            Self::HedgeCost => Reason::RetryBudgetEmpty,
            Self::Imputed | Self::RowsFit | Self::RowsApart => Reason::FeatureMissing,
            Self::RowsLow | Self::Stands => Reason::LowConfidence,
            Self::MinConfidence => Reason::ClientMinConfidence,
            Self::Refusals => Reason::HealthcheckFailed,
            Self::Replicas => Reason::NoEndpoints,
            Self::Attempts => Reason::AttemptsExhausted,
            Self::RetryBudget => Reason::RetryBudgetEmpty,
            Self::Waited => Reason::CooldownHold,
            Self::Crashes => Reason::SuspectRequest,
            Self::MaxTier => Reason::ClientMaxTier,
            Self::FeaturesMissing | Self::Context | Self::LargerContext | Self::DefaultBarred | Self::Unrepeatable => {
                Reason::CapabilityMissing
            }
            Self::LanguagesMissing | Self::DatatypesMissing => Reason::CapabilityMissing,
            Self::RegionsBarred => Reason::DataResidency,
            // What has begun elsewhere cannot be gone on with here.
            Self::Sequence | Self::Several => Reason::CapabilityMissing,
            Self::Members | Self::Votes | Self::VoteOpen => Reason::QuorumNotReached,
            Self::Agreement => Reason::DisagreementHigh,
            Self::OnlyDefault => Reason::SafetyBlock,
            Self::CacheFresh | Self::CacheMissing | Self::CacheStale => Reason::CacheMiss,
            Self::Similarity | Self::SimilarAge | Self::SimilarFresh | Self::SimilarFreshAge => Reason::CacheMiss,
            Self::ClientMaxAge => Reason::ClientMaxAge,
            Self::FlightWaiters => Reason::CapacityExhausted,
            Self::FlightWaited => Reason::DeadlineInsufficient,
            Self::FlightFailed => Reason::CooldownHold,
            // It lacks nothing that was asked for: a canned answer is no end of another one.
            Self::NoModel => Reason::LowerPreference,
            Self::AnomalyP | Self::Noise | Self::FallbackRisk => Reason::InputAnomaly,
            Self::MissingRatio | Self::Staleness => Reason::FeatureMissing,
            Self::InputContract => Reason::SchemaMismatch,
            Self::InputRange | Self::InputUnseen | Self::InputNorm | Self::DistanceP => Reason::OutOfDistribution,
            Self::Drift => Reason::InputDrift,
            Self::OutputDrift => Reason::PredictionDrift,
            Self::DriftLot => Reason::RecoveryRamp,
            Self::CertificateSteps => Reason::ConceptDrift,
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
    /// It was compared for another attempt on a tier that had been asked, and so says nothing about the first.
    pub again: bool,
    /// Of which member of the tier's ensemble it speaks, where of one alone: it bars nobody else.
    pub member: Option<u8>,
}

impl Fact {
    /// Notes a comparison.
    pub const fn new(tier: u8, signal: Signal, value: u64, threshold: u64) -> Self {
        Self { tier, signal, value, threshold, again: signal.is_about_again(), member: None }
    }

    /// The same, of a member of the tier's ensemble, where it is of one.
    pub(crate) const fn of(self, member: Option<u8>) -> Self {
        Self { member, ..self }
    }

    /// The same, compared for another attempt.
    pub(crate) const fn for_another(self) -> Self {
        Self { again: true, ..self }
    }

    /// Says whether it speaks against the tier as a whole, and not against one of several that it may ask.
    pub const fn bars(&self) -> bool {
        self.breached() && self.member.is_none()
    }

    /// Says whether it speaks against the tier.
    pub const fn breached(&self) -> bool {
        self.signal.breached_when().holds(self.value, self.threshold)
    }
}
