//! Failure classes: what each result of an attempt means for the path, the request and the next tier.
//!
//! This is data (`class_table: 1` of `failures.md`, section 1), the same for streams and non-streams, for every
//! protocol and every tier. What maps a wire event *to* a result is the shell's; what a result *means* is here.
//!
//! # Invariants
//! - `CLASS-1`: every result has exactly one row.
//! - `CLASS-2`: whether a result is evidence and whether it is tried again are independent columns (F-011).

mod status;

use crate::{decision::Role, reason::Reason};

/// The class of a result: who or what is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Verified complete, contract met.
    Ok,
    /// The request itself is at fault.
    Caller,
    /// The path is asked for more than it may give.
    Capacity,
    /// Our credential was refused.
    Credential,
    /// The path failed.
    Target,
    /// The path cannot do what the request needs.
    Capability,
    /// The path refuses the content.
    Policy,
    /// The answer does not meet the contract.
    Quality,
    /// Nobody wants the answer any more.
    Cancelled,
}

impl Class {
    /// Returns the word that records and metrics use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Caller => "caller",
            Self::Capacity => "capacity",
            Self::Credential => "credential",
            Self::Target => "target",
            Self::Capability => "capability",
            Self::Policy => "policy",
            Self::Quality => "quality",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What a result says about the health of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The path did its work.
    Success,
    /// Counts in the consecutive rule and in the ratios.
    Hard,
    /// Counts in the ratios only.
    Soft,
    /// Does not count.
    None,
}

/// Whether the same path may be asked again for the same request. What closes the gate of one replica alone may go to another
/// one in any case (F-051).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// No.
    No,
    /// Once, paid by the budget (F-040).
    Once,
    /// Once, after the time that the server named, where that is short (F-052).
    Told,
    /// At once and uncharged, on another replica or a fresh connection (F-043).
    Unsent,
    /// At once and uncharged, on another replica only (F-041).
    OtherReplica,
}

/// Whether the next tier may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Any tier.
    Yes,
    /// Only tiers that can do what this one could not; never a safe default (F-009).
    Capable,
    /// None: the outcome goes to the client.
    No,
}

/// What a result closes for everything that stands behind the same gate (F-051).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closes {
    /// Nothing.
    Nothing,
    /// The capacity domain, for as long as rates recover.
    Rate,
    /// The capacity domain, for as long as quotas do.
    Quota,
    /// The replica that pushed back.
    Replica,
    /// Our credential at this upstream.
    Credential,
}

macro_rules! results {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $class:ident, $evidence:ident, $again:ident, $next:ident, $closes:ident, $reason:ident;)*) => {
        /// The result of one attempt: the closed, append-only vocabulary of `failures.md`, section 1.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ResultCode { $($(#[$doc])* $variant,)* }

        impl ResultCode {
            /// Every result, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the class.
            pub const fn class(self) -> Class { match self { $(Self::$variant => Class::$class,)* } }

            /// Returns what it says about the path.
            pub const fn evidence(self) -> Evidence { match self { $(Self::$variant => Evidence::$evidence,)* } }

            /// Returns whether the same path may be asked again.
            pub const fn again(self) -> Again { match self { $(Self::$variant => Again::$again,)* } }

            /// Returns whether the next tier may be asked.
            pub const fn next(self) -> Next { match self { $(Self::$variant => Next::$next,)* } }

            /// Returns what the result closes for a while.
            pub const fn closes(self) -> Closes { match self { $(Self::$variant => Closes::$closes,)* } }

            /// Returns the name as records and metrics write it: `class.code`, without the class where it is `ok`.
            pub const fn name(self) -> &'static str { match self { $(Self::$variant => $name,)* } }

            /// Returns the reason that this result gives a decision; results of class `ok` have none of their own.
            pub const fn reason(self) -> Option<Reason> { results!(@reason self, $($variant $reason,)*) }
        }
    };
    (@reason $self:ident, $($variant:ident $reason:ident,)*) => {
        match $self { $(Self::$variant => results!(@one $reason),)* }
    };
    (@one None) => { None };
    (@one $reason:ident) => { Some(Reason::$reason) };
}

results! {
    /// Verified complete (F-004).
    Ok = "ok", Ok, Success, No, No, Nothing, None;
    /// Complete, but the stream's terminal marker never came.
    OkDoneMissing = "ok_done_missing", Ok, Success, No, No, Nothing, None;
    /// Complete, but one malformed event was left out (F-128).
    OkEventSkipped = "ok_event_skipped", Ok, Soft, No, No, Nothing, None;
    /// Complete, but it said less than a stream of its path must (F-029).
    OkSlow = "ok_slow", Ok, Soft, No, No, Nothing, None;
    /// Complete, and kept but for some rows, for which the next tier is asked (OIP-35).
    OkPart = "ok_part", Ok, Success, No, Yes, Nothing, None;
    /// The request is malformed or impossible.
    CallerInvalid = "caller.caller_invalid", Caller, None, No, No, Nothing, CallerError;
    /// The request is larger than we accept.
    CallerTooLarge = "caller.caller_too_large", Caller, None, No, No, Nothing, CallerError;
    /// The caller's own, passed-through credential was refused.
    CallerAuth = "caller.caller_auth", Caller, None, No, No, Nothing, CallerError;
    /// A server failed at a request unlike any that it has answered, while it answered others: the request is taken to be at
    /// fault, and not with certainty, so that the next tier may be asked.
    CallerSuspected = "caller.caller_suspected", Caller, None, No, Yes, Nothing, CallerError;
    /// Told to slow down.
    RateLimited = "capacity.rate_limited", Capacity, None, Told, Yes, Rate, Upstream429;
    /// A quota is spent.
    QuotaExhausted = "capacity.quota_exhausted", Capacity, None, No, Yes, Quota, CapacityDomainLimited;
    /// Overloaded, with a word on when to come back.
    PushBack = "capacity.push_back", Capacity, None, Told, Yes, Replica, UpstreamBusy;
    /// This process has no descriptor or memory left for another connection (F-106).
    OwnLimit = "capacity.own_limit", Capacity, None, No, Yes, Nothing, CapacityExhausted;
    /// 401 for our credential.
    CredentialRejected = "credential.credential_rejected", Credential, Hard, No, Yes, Credential, CredentialRejected;
    /// 403 for our credential.
    CredentialForbidden = "credential.credential_forbidden", Credential, Hard, No, Yes, Credential, CredentialRejected;
    /// The name did not resolve.
    DnsFailed = "target.dns_failed", Target, Hard, Once, Yes, Nothing, ConnectFailed;
    /// No connection.
    ConnectFailed = "target.connect_failed", Target, Hard, OtherReplica, Yes, Nothing, ConnectFailed;
    /// No TLS session.
    TlsFailed = "target.tls_failed", Target, Hard, No, Yes, Nothing, ConnectFailed;
    /// Proof that no work started: a reused connection was reset before an answer byte, or the stream was refused.
    Unsent = "target.unsent", Target, Hard, Unsent, Yes, Nothing, UpstreamReset;
    /// 500, 502, or 503 without push-back.
    Status5xx = "target.status_5xx", Target, Hard, Once, Yes, Nothing, Upstream5xx;
    /// Reset before the first content.
    Reset = "target.reset", Target, Hard, Once, Yes, Nothing, UpstreamReset;
    /// HTTP itself was broken.
    ProtocolError = "target.protocol_error", Target, Hard, Once, Yes, Nothing, UpstreamProtocol;
    /// No first content in time.
    FirstTokenTimeout = "target.first_token_timeout", Target, Hard, No, Yes, Nothing, TtftBreach;
    /// The total clock ran out.
    TotalTimeout = "target.total_timeout", Target, Hard, No, Yes, Nothing, Timeout;
    /// Signs of life and no content in time.
    KeepaliveOnly = "target.keepalive_only", Target, Hard, No, Yes, Nothing, TtftBreach;
    /// Cut before the end was verified.
    Truncated = "target.truncated", Target, Hard, No, Yes, Nothing, StreamTruncated;
    /// Silence after content.
    Stall = "target.stall", Target, Hard, No, Yes, Nothing, StreamStalled;
    /// An error event in the stream.
    ErrorInStream = "target.error_in_stream", Target, Hard, No, Yes, Nothing, ErrorUnder200;
    /// The body does not parse.
    DecodeFailed = "target.decode_failed", Target, Hard, No, Yes, Nothing, UpstreamProtocol;
    /// Another kind of content than the protocol speaks.
    WrongContentType = "target.wrong_content_type", Target, Hard, No, Yes, Nothing, UpstreamProtocol;
    /// More than the path may answer.
    AnswerTooLarge = "target.answer_too_large", Target, Hard, No, Yes, Nothing, UpstreamProtocol;
    /// A declared output is not there.
    OutputMissing = "target.output_missing", Target, Hard, No, Yes, Nothing, OutputInvalid;
    /// The path panicked.
    PathPanic = "target.path_panic", Target, Hard, No, Yes, Nothing, InternalError;
    /// An error body under 200, with no code we know.
    ErrorInBody = "target.error_in_body", Target, Hard, No, Yes, Nothing, ErrorUnder200;
    /// Success with nothing in it (F-006).
    EmptyAnswer = "target.empty_answer", Target, Soft, No, Yes, Nothing, EmptyAnswer;
    /// The model that we name is not there.
    ModelMissing = "target.model_missing", Target, Hard, No, Yes, Nothing, ModelMissing;
    /// It answers, but far later, or far less at a time, than it should (F-029, F-064).
    Slow = "target.slow", Target, Soft, No, Yes, Nothing, LatencySpike;
    /// More tokens than the path's window holds.
    ContextExceeded = "capability.context_exceeded", Capability, None, No, Capable, Nothing, CapabilityMissing;
    /// A parameter or feature that the path lacks.
    UnsupportedFeature = "capability.unsupported_feature", Capability, None, No, Capable, Nothing, CapabilityMissing;
    /// More bytes than the upstream takes.
    MessageTooLarge = "capability.message_too_large", Capability, None, No, Capable, Nothing, CapabilityMissing;
    /// An answer cannot be begun for the path, which is to go on with it (F-126).
    PrefillRejected = "capability.prefill_rejected", Capability, None, No, Capable, Nothing, CapabilityMissing;
    /// The provider refuses the content.
    ContentFiltered = "policy.content_filtered", Policy, None, No, No, Nothing, SafetyBlock;
    /// The answer has another schema than the contract.
    ContractSchema = "quality.contract_schema", Quality, Soft, No, Yes, Nothing, OutputInvalid;
    /// The answer has another shape than the contract.
    ContractShape = "quality.contract_shape", Quality, Soft, No, Yes, Nothing, OutputInvalid;
    /// The answer has another datatype than the contract.
    ContractDtype = "quality.contract_dtype", Quality, Soft, No, Yes, Nothing, OutputInvalid;
    /// The answer holds NaN or an infinity.
    ContractNonfinite = "quality.contract_nonfinite", Quality, Soft, No, Yes, Nothing, OutputInvalid;
    /// A value that the contract does not allow.
    ContractRange = "quality.contract_range", Quality, Soft, No, Yes, Nothing, OutputOutOfRange;
    /// Rows of it are below the confidence that its tier accepts, and more than it bears (OIP-35).
    LowConfidence = "quality.low_confidence", Quality, Success, No, Yes, Nothing, LowConfidence;
    /// The client went away.
    ClientGone = "cancelled.client_gone", Cancelled, None, No, No, Nothing, ClientGone;
    /// The client does not read.
    ClientSlow = "cancelled.client_slow", Cancelled, None, No, No, Nothing, ClientGone;
    /// This process stood still: the silence was its own (PR-09).
    LocalPause = "cancelled.local_pause", Cancelled, None, No, Yes, Nothing, InternalError;
    /// It says something else than what was sent of the stream that it was to mend (F-124).
    SpliceDiverged = "cancelled.splice_diverged", Cancelled, None, No, No, Nothing, StreamTruncated;
    /// The other of two attempts was first (F-095).
    HedgeLost = "cancelled.hedge_lost", Cancelled, None, No, No, Nothing, HedgeWon;
    /// This process stops.
    Drained = "cancelled.drained", Cancelled, None, No, No, Nothing, Draining;
    /// No document fits the question well enough to answer it.
    RetrievalBelowScore = "quality.retrieval_below_score", Quality, Success, No, Yes, Nothing, RetrievalBelowScore;
    /// It answered, and too few other members of its ensemble did.
    QuorumNotReached = "quality.quorum_not_reached", Quality, Success, No, Yes, Nothing, QuorumNotReached;
    /// It answered, and the members of its ensemble say too different things.
    Disagreement = "quality.disagreement", Quality, Success, No, Yes, Nothing, DisagreementHigh;
    /// The vote of its ensemble was over before it answered.
    VoteOver = "cancelled.vote_over", Cancelled, None, No, No, Nothing, QuorumNotReached;
    /// A step of its route does not let it pass: it says something that is not allowed, or cannot be looked at.
    GuardOutput = "quality.guard_output", Quality, Success, No, Yes, Nothing, OutputGuard;
    /// No earlier answer to other words is near enough, or could be looked for (F-147).
    CacheDissimilar = "quality.cache_dissimilar", Quality, Success, No, Yes, Nothing, CacheMiss;
}

impl ResultCode {
    /// Says whether it ends what else runs for the same answer: nobody at the same model would say more (F-095).
    pub const fn decides(self) -> bool {
        self.is_ok() || matches!(self, Self::LowConfidence) || !matches!(self.next(), Next::Yes)
    }

    /// Says whether the path did its work: it answered whole, whatever is thought of what it says.
    pub const fn is_answer(self) -> bool {
        self.is_ok() || matches!(self.evidence(), Evidence::Success)
    }

    /// Says whether the answer counts as given.
    pub const fn is_ok(self) -> bool {
        matches!(self.class(), Class::Ok)
    }

    /// Returns the name without its class, for a status line.
    pub fn code(self) -> &'static str {
        self.name().rsplit('.').next().expect("a split has at least one part")
    }

    /// Says whether it ends a stream that could have gone on: a cut, a silence, an error in it (F-122, F-133). One that ran
    /// out of its time or its limits did not break, nor did one that nobody wants any more.
    pub const fn is_break(self) -> bool {
        let limits = matches!(self, Self::TotalTimeout | Self::AnswerTooLarge);
        matches!(self.class(), Class::Target | Class::Capacity | Class::Credential) && !limits
    }

    /// Says whether the outcome cannot be the request's fault, so that each attempt counts on its own (F-065).
    pub const fn blameless(self, status: Option<u16>) -> bool {
        match self {
            Self::DnsFailed | Self::ConnectFailed | Self::TlsFailed => true,
            Self::Status5xx => matches!(status, Some(502 | 503)),
            _ => false,
        }
    }

    /// Says whether nothing came in time: the same wait a second time would end in the same silence (F-026).
    pub const fn is_silence(self) -> bool {
        matches!(self, Self::FirstTokenTimeout | Self::TotalTimeout | Self::KeepaliveOnly)
    }

    /// Says whether it is certain that nothing of the request has left (F-034).
    pub const fn left_nothing(self) -> bool {
        matches!(self, Self::DnsFailed | Self::ConnectFailed | Self::TlsFailed)
    }

    /// Reads the result as an attempt of this role must: what is refused about a request to go on with an answer is the
    /// beginning that was added to it (F-126).
    pub const fn in_role(self, role: Role) -> Self {
        match (role, self) {
            (Role::Continue, Self::CallerInvalid | Self::CallerTooLarge | Self::UnsupportedFeature) => {
                Self::PrefillRejected
            }
            (_, other) => other,
        }
    }

    /// Reads the result as tier `tier` must: a 4xx of the caller's making is the caller's at tier 0 only, below it the
    /// tier lacks what the request needs (F-002).
    pub const fn at_tier(self, tier: u8) -> Self {
        match self {
            Self::CallerInvalid | Self::CallerAuth if tier > 0 => Self::UnsupportedFeature,
            Self::CallerTooLarge if tier > 0 => Self::MessageTooLarge,
            other => other,
        }
    }
}

#[cfg(test)]
mod tests;
