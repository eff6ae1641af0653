//! Parameters of faults: the closed words they are told in, and their defaults.
//!
//! It is not their effect. Every word is `snake_case` on the wire; a default is the case that the catalogue's row means.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The shape of a long tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tail {
    /// The logarithm is normal.
    Lognormal,
    /// A power law.
    Pareto,
}

/// What an error status carries as its body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// The error shape of the protocol that was spoken.
    #[default]
    Json,
    /// A page as a proxy in front would send it.
    Html,
    /// Nothing.
    Empty,
}

/// Where a spent quota is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// Under 429.
    #[default]
    #[serde(rename = "status_429")]
    Status429,
    /// Under 400.
    #[serde(rename = "status_400")]
    Status400,
    /// Under 402.
    #[serde(rename = "status_402")]
    Status402,
    /// Under 403.
    #[serde(rename = "status_403")]
    Status403,
    /// Under 200: in the body, or as the first event of a stream.
    InBand,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// By RST.
    #[default]
    Rst,
    /// By FIN.
    Fin,
}

/// How an answer breaks off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutHow {
    /// By RST, after whole events.
    Rst,
    /// By FIN inside an event.
    #[default]
    Fin,
    /// By FIN between two events, without the end of the framing.
    FinBetweenEvents,
    /// Exactly between two events and with a clean end of the framing, so that only the missing finish reason shows it.
    BetweenEvents,
}

/// What keeps a stream alive without saying anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeepAlive {
    /// SSE comments.
    #[default]
    Comment,
    /// Deltas with nothing but a role.
    Role,
    /// Deltas with an empty text.
    EmptyDelta,
}

/// What follows `[DONE]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum After {
    /// A second `[DONE]`.
    #[default]
    Done,
    /// An event with content.
    Content,
}

/// The line ends of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineEnd {
    /// LF.
    #[default]
    Lf,
    /// CR LF.
    Crlf,
    /// CR.
    Cr,
    /// The three in turn, event by event.
    Mixed,
}

/// How chunked framing lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Broken {
    /// A chunk size that is no number.
    #[default]
    BadSize,
    /// A negative chunk size.
    Negative,
    /// A chunk size past 64 bits.
    Overflow,
    /// A chunk shorter than its size, then FIN.
    ShortChunk,
    /// All chunks, then FIN in place of the last one.
    MissingEnd,
}

/// Which part of the answer is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Empty {
    /// 200 and no body.
    #[default]
    Body,
    /// 204.
    #[serde(rename = "status_204")]
    NoContent,
    /// No choices.
    Choices,
    /// Choices whose text is empty, and a usage of 0 tokens.
    Text,
    /// No embeddings.
    Data,
    /// Embeddings without a number.
    Embedding,
    /// No outputs.
    Outputs,
}

/// A value that no JSON number can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NonFinite {
    /// The bare token `NaN`.
    #[default]
    Nan,
    /// The bare token `Infinity`.
    Infinity,
    /// The bare token `-Infinity`.
    NegativeInfinity,
    /// `null`, as kserve writes NaN.
    Null,
}

impl NonFinite {
    /// Returns the token that stands for it.
    pub(crate) fn token(self) -> &'static str {
        match self {
            NonFinite::Nan => "NaN",
            NonFinite::Infinity => "Infinity",
            NonFinite::NegativeInfinity => "-Infinity",
            NonFinite::Null => "null",
        }
    }
}

/// The value of a `Retry-After` header: whole seconds, or any text as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// Seconds.
    Seconds(u64),
    /// Text, sensible or not.
    Text(String),
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RetryAfter::Seconds(seconds) => seconds.fmt(f),
            RetryAfter::Text(text) => text.fmt(f),
        }
    }
}

impl Serialize for RetryAfter {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            RetryAfter::Seconds(seconds) => to.serialize_u64(*seconds),
            RetryAfter::Text(text) => to.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for RetryAfter {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl de::Visitor<'_> for Either {
            type Value = RetryAfter;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("whole seconds or a text")
            }
            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<RetryAfter, E> {
                Ok(RetryAfter::Seconds(seconds))
            }
            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<RetryAfter, E> {
                Ok(u64::try_from(seconds).map_or_else(|_| RetryAfter::Text(seconds.to_string()), RetryAfter::Seconds))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<RetryAfter, E> {
                Ok(RetryAfter::Text(text.to_owned()))
            }
        }
        from.deserialize_any(Either)
    }
}

pub(super) fn yes() -> bool {
    true
}
pub(super) fn one() -> u32 {
    1
}
pub(super) fn one_byte() -> u64 {
    1
}
pub(super) fn tenth() -> u64 {
    100
}
pub(super) fn minute() -> u64 {
    60_000
}
pub(super) fn found() -> u16 {
    302
}
pub(super) fn ten_mb() -> u64 {
    10 * 1024 * 1024
}
pub(super) fn spread() -> f64 {
    1.0
}
pub(super) fn million() -> f64 {
    1_000_000.0
}
pub(super) fn elsewhere() -> String {
    "http://127.0.0.1:9/elsewhere".to_owned()
}
pub(super) fn html() -> String {
    "text/html; charset=utf-8".to_owned()
}
pub(super) fn server_error() -> String {
    "server_error".to_owned()
}
