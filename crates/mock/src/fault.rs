//! Fault: one way in which the mock breaks, as data, in the words of the fault catalogue.
//!
//! It is not the breaking itself: `refusal`, `content`, `stream` and `reply` carry it out, each at its own layer, and
//! `table` decides which request meets which fault.
//!
//! # Invariants
//! - `FAULT-1`: the list is closed. An unknown name, parameter or type is refused with the names that are known.
//! - `FAULT-2`: a fault that has nothing to break in an answer does not match that request (`concerns`); the next fault
//!   of the list is tried instead, so the log never names a fault that did nothing.
//! - `FAULT-3`: everything a fault does follows from its parameters, the seed and the number of the request.
//!
//! # Source
//! `fault-catalogue.md`, rows UP, ST and TN.

pub(crate) mod content;
mod parameter;
mod parse;
pub(crate) mod refusal;
mod rule;
pub(crate) mod stream;
mod table;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use parameter::{After, Body, Broken, CutHow, Empty, How, KeepAlive, LineEnd, NonFinite, RetryAfter, Tail, Told};
pub(crate) use parse::parse_faults_json;
pub use parse::{FaultsError, parse_faults_yaml};
pub use rule::{On, Rule};
pub(crate) use table::{Closing, Facts, Table};

use crate::protocol::Work;

/// One way to break; the catalogue's row stands with each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "a parameter is named with its unit, and its variant says what it does")]
pub enum Fault {
    /// The answer starts late by a fixed time (UP-16, UP-18).
    Latency { ms: u64 },
    /// The answer starts late by a time drawn from a long-tailed distribution.
    LatencyLongTailed {
        shape: Tail,
        median_ms: u64,
        /// Standard deviation of the logarithm (lognormal), or the exponent alpha (Pareto).
        #[serde(default = "parameter::spread")]
        spread: f64,
        #[serde(default = "parameter::minute")]
        max_ms: u64,
    },
    /// In the first `for_ms` of each `every_ms` answers start late.
    LatencySpike { ms: u64, every_ms: u64, for_ms: u64 },

    /// Any status, with an error body of the protocol, HTML or nothing (UP-06, UP-07, UP-09).
    Status {
        status: u16,
        #[serde(default)]
        body: Body,
        #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
        kind: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<RetryAfter>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        /// `Retry-After` as a date so many seconds from now; negative is a date in the past.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_date_s: Option<i64>,
    },
    /// 429 of a rate limit (UP-01 – UP-03).
    RateLimited {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<RetryAfter>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        /// `Retry-After` as a date so many seconds from now; negative is a date in the past.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_date_s: Option<i64>,
    },
    /// Spent quota, told under a status or in band (UP-05).
    QuotaExhausted {
        #[serde(default)]
        told: Told,
    },
    /// 401 for the credential (UP-21).
    CredentialRejected {},
    /// 403 for the credential (UP-21).
    CredentialForbidden {},
    /// 404: the model is not there (UP-23).
    ModelMissing {},
    /// 400 `context_length_exceeded` (UP-24).
    ContextLengthExceeded {},
    /// 400 of the content policy (UP-25).
    ContentFilter {},
    /// 400 for a parameter that the model lacks (UP-26).
    UnsupportedFeature {},
    /// 400 for a request that ends in a message of the assistant, and for no other (ST-05).
    PrefillRejected {},
    /// 3xx to another address (UP-09, SE-03).
    Redirect {
        #[serde(default = "parameter::found")]
        status: u16,
        #[serde(default = "parameter::elsewhere")]
        location: String,
    },

    /// The listening socket is closed, connections are reset; for a time, or until the faults change (UP-13).
    Refuse {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
    },
    /// As `refuse`, but attempts to connect hang: the system drops them, as a dead machine would (UP-14).
    SynSwallowed {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
    },
    /// The connection ends before the head of the answer, by RST or FIN (UP-10).
    Reset {
        #[serde(default)]
        how: How,
    },
    /// As `reset`, but only for a request on a connection that was used before (UP-11).
    ResetReused {
        #[serde(default)]
        how: How,
    },
    /// The request is read and never answered; with `for_ms` the connection closes after that time (UP-15).
    Silence {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
    },
    /// The head comes at once, the body never (UP-17).
    HeadersThenSilence {},
    /// The head comes at once, the first token (or the body) late; `role: false` makes the role wait as well (UP-16).
    SlowFirstToken {
        ms: u64,
        #[serde(default = "parameter::yes")]
        role: bool,
    },
    /// The head, then keep-alives and nothing else (UP-17).
    KeepaliveOnly {
        #[serde(default)]
        kind: KeepAlive,
        #[serde(default = "parameter::tenth")]
        every_ms: u64,
    },
    /// A pause before every token (ST-16).
    SlowTokens { every_ms: u64 },
    /// Reasoning before the content (ST-18).
    Reasoning {
        tokens: u32,
        #[serde(default)]
        every_ms: u64,
    },

    /// The answer breaks off: `rst`, `fin` inside an event, or `between_events` with a clean end (ST-01, ST-06, ST-11).
    Cut {
        after_tokens: u32,
        #[serde(default)]
        how: CutHow,
    },
    /// Silence in mid-answer; with `for_ms` the connection closes after that time (ST-02).
    Stall {
        after_tokens: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
    },
    /// One event, the one of token `at_token`, is no JSON, the rest is fine; a plain body is no JSON (ST-03).
    GarbledEvent {
        #[serde(default = "parameter::one")]
        at_token: u32,
    },
    /// An error event after k tokens, then the end; `role: false` makes it the very first event (ST-07, ST-08).
    ErrorEvent {
        #[serde(default)]
        after_tokens: u32,
        #[serde(default = "parameter::yes")]
        role: bool,
        #[serde(rename = "type", default = "parameter::server_error")]
        kind: String,
        #[serde(default = "parameter::server_error")]
        code: String,
    },
    /// No `[DONE]`: a clean end without it, with `hold` a connection that stays open, with `reset` one that is reset (ST-04).
    DoneMissing {
        #[serde(default)]
        hold: bool,
        #[serde(default)]
        reset: bool,
    },
    /// No choice has a finish reason; all else is there (F-004).
    FinishMissing {},
    /// Another finish reason, such as `length` or `content_filter` (ST-19).
    FinishReason { reason: String },
    /// No usage, although it was asked for (ST-15).
    UsageMissing {},
    /// Usage that cannot be (ST-15).
    UsageAbsurd {},
    /// So many events without a word between the finish reason and what follows it (F-125); with `error` an error event, and
    /// nothing else, follows them (F-004).
    AfterFinish {
        #[serde(default)]
        events: u32,
        #[serde(default)]
        error: bool,
    },
    /// Something follows `[DONE]` (ST-14).
    AfterDone {
        #[serde(default)]
        what: After,
    },
    /// Output without end, past any `max_tokens` (ST-17).
    Endless {
        #[serde(default)]
        every_ms: u64,
    },
    /// One event is a line of so many bytes (ST-13).
    HugeLine {
        #[serde(default = "parameter::ten_mb")]
        bytes: u64,
        #[serde(default = "parameter::one")]
        at_token: u32,
    },
    /// Valid events in hostile pieces: writes of `bytes`, other line ends, comments between (ST-12).
    SplitEvents {
        #[serde(default = "parameter::one_byte")]
        bytes: u64,
        #[serde(default)]
        line_end: LineEnd,
        #[serde(default)]
        comments: bool,
    },
    /// The whole answer in writes of `bytes`, with a pause after each; `close_after_ms` delays the FIN (UP-30).
    SlowDrip {
        bytes: u64,
        every_ms: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        close_after_ms: Option<u64>,
    },
    /// Chunked framing that lies (UP-09, HP-03 seen from the upstream's side).
    BrokenChunked {
        #[serde(default)]
        how: Broken,
    },

    /// An error object under 200 (UP-27).
    ErrorInBody {
        #[serde(rename = "type", default = "parameter::server_error")]
        kind: String,
        #[serde(default = "parameter::server_error")]
        code: String,
    },
    /// 200 or 204 without an answer in it (UP-27, UP-28).
    EmptyAnswer {
        #[serde(default)]
        what: Empty,
    },
    /// Another content type under 200; HTML unless `own_body` (UP-09).
    WrongContentType {
        #[serde(default = "parameter::html")]
        content_type: String,
        #[serde(default)]
        own_body: bool,
    },
    /// Another model's name in the answer (UP-29).
    WrongModel { name: String },
    /// Each token has this log-probability, where they were asked for; without it there are none.
    Logprobs {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        each: Option<f64>,
    },
    /// So many bytes of extra headers (SE-10).
    HugeHeaders { bytes: u64 },
    /// Goes on working after the client left, token by token, and holds the connection (UP-32).
    IgnoreCancel {
        #[serde(default = "parameter::tenth")]
        every_ms: u64,
    },

    /// Embeddings of another width.
    EmbeddingWidth { width: u32 },
    /// A value of an output row is not a finite number (TN-08).
    OutputNonfinite {
        #[serde(default)]
        form: NonFinite,
        #[serde(default)]
        row: u32,
    },
    /// An output in another shape than its data (TN-07).
    OutputWrongShape {},
    /// An output in another datatype than declared (TN-07).
    OutputWrongDtype {},
    /// A declared output is not there (TN-07).
    OutputMissing {},
    /// Numbers far outside the range (TN-09).
    OutputOutOfRange {
        #[serde(default = "parameter::million")]
        value: f64,
    },
}

impl Fault {
    /// Says how the fault closes the model port, if it does.
    pub(crate) fn closing(&self) -> Option<Closing> {
        let closing = |for_ms: &Option<u64>, swallow| Closing { wait: for_ms.map(Duration::from_millis), swallow };
        match self {
            Fault::Refuse { for_ms } => Some(closing(for_ms, false)),
            Fault::SynSwallowed { for_ms } => Some(closing(for_ms, true)),
            _ => None,
        }
    }

    /// Says whether the fault has something to break in an answer to this work.
    pub(crate) fn concerns(&self, work: Work) -> bool {
        use Fault::*;
        let (chat, stream) = (matches!(work, Work::Chat { .. }), work == Work::Chat { stream: true });
        match self {
            Refuse { .. } | SynSwallowed { .. } => false,
            SlowTokens { .. } | ErrorEvent { .. } | DoneMissing { .. } | AfterDone { .. } => stream,
            HugeLine { .. } | SplitEvents { .. } | AfterFinish { .. } => stream,
            PrefillRejected {} | Logprobs { .. } => chat,
            KeepaliveOnly { .. } | Reasoning { .. } | FinishMissing {} | FinishReason { .. } | Endless { .. } => chat,
            UsageMissing {} | UsageAbsurd {} | WrongModel { .. } => chat || work == Work::Embeddings,
            EmbeddingWidth { .. } => work == Work::Embeddings,
            OutputNonfinite { .. } | OutputWrongShape {} | OutputWrongDtype {} => work == Work::Infer,
            OutputMissing {} | OutputOutOfRange { .. } => work == Work::Infer,
            EmptyAnswer { what } => match what {
                Empty::Body | Empty::NoContent => true,
                Empty::Choices | Empty::Text => chat,
                Empty::Data | Empty::Embedding => work == Work::Embeddings,
                Empty::Outputs => work == Work::Infer,
            },
            _ => true,
        }
    }
}
