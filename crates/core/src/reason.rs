//! Reason codes: the closed, append-only vocabulary that decisions speak (`governance.md`, section 12).
//!
//! Numbers are stable: a code keeps its number for ever, new ones are appended to their group.

/// How much a reason matters to somebody on call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing to do.
    Info,
    /// Somebody should look.
    Warning,
    /// Somebody must look now.
    Critical,
}

macro_rules! reasons {
    ($($variant:ident = $number:literal, $name:literal, $severity:ident, $words:literal;)*) => {
        /// Why a tier answered, or why it did not.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $(#[doc = $words] $variant = $number,)* }

        impl Reason {
            /// Every reason, in the order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the code as records, headers and metrics write it.
            pub const fn name(self) -> &'static str { match self { $(Self::$variant => $name,)* } }

            /// Returns the words for people.
            pub const fn words(self) -> &'static str { match self { $(Self::$variant => $words,)* } }

            /// Returns how much it matters.
            pub const fn severity(self) -> Severity { match self { $(Self::$variant => Severity::$severity,)* } }
        }
    };
}

reasons! {
    PrimaryHealthy = 100, "PRIMARY_HEALTHY", Info, "nothing against tier 0";
    NextEligibleTier = 101, "NEXT_ELIGIBLE_TIER", Info, "first in order with nothing against it";
    LowerPreference = 102, "LOWER_PREFERENCE", Info, "an earlier one answered";
    LastResort = 103, "LAST_RESORT", Info, "the tier that cannot fail";
    CacheFreshHit = 104, "CACHE_FRESH_HIT", Info, "a fresh entry answered";
    CacheStaleHit = 105, "CACHE_STALE_HIT", Info, "an older entry, within its limit";
    CacheSemanticHit = 106, "CACHE_SEMANTIC_HIT", Info, "an earlier answer to a question in other words";
    BreakerOpen = 200, "BREAKER_OPEN", Warning, "path cut off";
    BreakerHalfOpenProbe = 201, "BREAKER_HALF_OPEN_PROBE", Info, "this request is the probe";
    BreakerRamp = 202, "BREAKER_RAMP", Info, "only part of the traffic goes there yet";
    ConnectFailed = 203, "CONNECT_FAILED", Warning, "no connection";
    Upstream5xx = 204, "UPSTREAM_5XX", Warning, "server error";
    Upstream429 = 205, "UPSTREAM_429", Warning, "told to slow down";
    UpstreamProtocol = 206, "UPSTREAM_PROTOCOL", Warning, "answer not decodable";
    ErrorUnder200 = 207, "ERROR_UNDER_200", Warning, "an error body under success";
    EmptyAnswer = 208, "EMPTY_ANSWER", Warning, "nothing in it";
    StreamTruncated = 209, "STREAM_TRUNCATED", Warning, "ended without its end mark";
    CredentialRejected = 210, "CREDENTIAL_REJECTED", Warning, "401 or 403";
    HealthcheckFailed = 211, "HEALTHCHECK_FAILED", Warning, "probe says no";
    NoEndpoints = 212, "NO_ENDPOINTS", Warning, "no replica left";
    CapacityExhausted = 213, "CAPACITY_EXHAUSTED", Warning, "own limiter full";
    CapacityDomainLimited = 214, "CAPACITY_DOMAIN_LIMITED", Warning, "shared quota spent";
    UpstreamReset = 215, "UPSTREAM_RESET", Warning, "connection reset before an answer";
    ModelMissing = 216, "MODEL_MISSING", Warning, "the model we name is not there";
    SuspectRequest = 217, "SUSPECT_REQUEST", Warning, "this request broke model after model";
    StreamBrokenRecently = 218, "STREAM_BROKEN_RECENTLY", Warning, "a stream broke here a moment ago";
    UpstreamBusy = 219, "UPSTREAM_BUSY", Warning, "overloaded, and said so";
    LatencyP99Breach = 300, "LATENCY_P99_BREACH", Warning, "tail over its limit";
    LatencySpike = 301, "LATENCY_SPIKE", Warning, "sudden change";
    TtftBreach = 302, "TTFT_BREACH", Warning, "first content too late";
    DeadlineInsufficient = 303, "DEADLINE_INSUFFICIENT", Warning, "not enough time left for it";
    Timeout = 304, "TIMEOUT", Warning, "total clock ran out";
    StreamStalled = 305, "STREAM_STALLED", Warning, "gap between chunks";
    HedgeWon = 306, "HEDGE_WON", Warning, "the other of two calls was first";
    LatencySloBreach = 307, "LATENCY_SLO_BREACH", Warning, "slower than the SLO allows";
    OutputInvalid = 400, "OUTPUT_INVALID", Warning, "contract broken";
    OutputOutOfRange = 401, "OUTPUT_OUT_OF_RANGE", Warning, "value not possible";
    LowConfidence = 402, "LOW_CONFIDENCE", Warning, "below `accept`";
    DisagreementHigh = 403, "DISAGREEMENT_HIGH", Warning, "paths differ too much";
    QuorumNotReached = 404, "QUORUM_NOT_REACHED", Warning, "too few votes";
    RetrievalBelowScore = 405, "RETRIEVAL_BELOW_SCORE", Warning, "no document fits";
    CacheMiss = 406, "CACHE_MISS", Warning, "nothing usable stored";
    CanaryRegression = 407, "CANARY_REGRESSION", Warning, "rollout found harm";
    SafetyBlock = 408, "SAFETY_BLOCK", Warning, "content filter";
    OutputGuard = 409, "OUTPUT_GUARD", Warning, "an output guard said no";
    InputDrift = 500, "INPUT_DRIFT", Warning, "inputs moved";
    PredictionDrift = 501, "PREDICTION_DRIFT", Warning, "outputs moved";
    ConceptDrift = 502, "CONCEPT_DRIFT", Warning, "labels say the relation moved";
    InputAnomaly = 503, "INPUT_ANOMALY", Warning, "this request is unlike the rest";
    FeatureMissing = 504, "FEATURE_MISSING", Warning, "too many absent";
    SchemaMismatch = 505, "SCHEMA_MISMATCH", Warning, "wrong shape or type";
    OutOfDistribution = 506, "OUT_OF_DISTRIBUTION", Warning, "outside the reference";
    SegmentNotAllowed = 600, "SEGMENT_NOT_ALLOWED", Info, "tier not for this segment";
    DataResidency = 601, "DATA_RESIDENCY", Info, "wrong region";
    CapabilityMissing = 602, "CAPABILITY_MISSING", Info, "context, tools or parameter";
    ClientMaxTier = 603, "CLIENT_MAX_TIER", Info, "the client refused it";
    ClientMinConfidence = 604, "CLIENT_MIN_CONFIDENCE", Info, "the client refused it";
    ClientMaxAge = 605, "CLIENT_MAX_AGE", Info, "the client refused it";
    CostCap = 606, "COST_CAP", Info, "money limit";
    Quota = 607, "QUOTA", Info, "caller's quota";
    QualificationStale = 608, "QUALIFICATION_STALE", Info, "review too old";
    MaxExposure = 609, "MAX_EXPOSURE", Info, "served its allowed share";
    RetryBudgetEmpty = 610, "RETRY_BUDGET_EMPTY", Info, "the purse of retries does not pay for it";
    AttemptsExhausted = 611, "ATTEMPTS_EXHAUSTED", Info, "as many calls as the route allows";
    OverridePinTier = 700, "OVERRIDE_PIN_TIER", Info, "an operator's order";
    OverrideExcluded = 701, "OVERRIDE_EXCLUDED", Info, "an operator's order";
    OverrideForceDefault = 702, "OVERRIDE_FORCE_DEFAULT", Info, "an operator's order";
    TransitionsFrozen = 703, "TRANSITIONS_FROZEN", Info, "no switching now";
    DrillFault = 704, "DRILL_FAULT", Info, "planned fault";
    RolloutCanary = 705, "ROLLOUT_CANARY", Info, "the new revision decided";
    RuleMatched = 706, "RULE_MATCHED", Info, "a rule without a closer code";
    ExternalAlert = 707, "EXTERNAL_ALERT", Info, "a bound alert";
    CooldownHold = 708, "COOLDOWN_HOLD", Info, "too soon after the last";
    FlapLimitHold = 709, "FLAP_LIMIT_HOLD", Info, "too many switches";
    RecoveryRamp = 710, "RECOVERY_RAMP", Info, "on the way back";
    SignalStale = 800, "SIGNAL_STALE", Warning, "number too old";
    SignalNoData = 801, "SIGNAL_NO_DATA", Warning, "too few samples";
    ConfigStale = 802, "CONFIG_STALE", Warning, "on the last good revision";
    AllTiersExhausted = 803, "ALL_TIERS_EXHAUSTED", Critical, "nothing could answer";
    Draining = 804, "DRAINING", Info, "this replica stops";
    ClientGone = 805, "CLIENT_GONE", Info, "caller left or does not read";
    InternalError = 806, "INTERNAL_ERROR", Critical, "our fault";
    CallerError = 807, "CALLER_ERROR", Info, "the request itself is at fault";
    CheckFailed = 808, "CHECK_FAILED", Warning, "a guard, validator or expression could not run";
}

impl Reason {
    /// Returns the stable number.
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// Says whether the reason lies in the request, not in the path: such a tier was skipped, not rejected.
    pub const fn about_request(self) -> bool {
        matches!(
            self,
            Self::LowerPreference
                | Self::DeadlineInsufficient
                | Self::CapabilityMissing
                | Self::DataResidency
                | Self::ClientMaxTier
                | Self::ClientMinConfidence
                | Self::RetryBudgetEmpty
                | Self::AttemptsExhausted
                | Self::FeatureMissing
                | Self::InputAnomaly
                | Self::SchemaMismatch
                | Self::OutOfDistribution
                | Self::SuspectRequest
                | Self::CacheMiss
                | Self::ClientMaxAge
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ascend_within_their_groups_and_names_are_unique() {
        for pair in Reason::ALL.windows(2) {
            assert!(pair[0].number() < pair[1].number(), "{} before {}", pair[0].name(), pair[1].name());
        }
        assert_eq!(Reason::PrimaryHealthy.number(), 100);
        assert_eq!(Reason::BreakerOpen.number(), 200);
        assert_eq!(Reason::SignalStale.number(), 800);
    }
}
