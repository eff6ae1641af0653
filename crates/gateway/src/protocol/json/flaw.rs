//! Flaw: what is wrong with a JSON text, and where.

use thiserror::Error;

/// Where a text stops being what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{what} at byte {at}")]
pub(crate) struct Flaw {
    /// What is wrong.
    pub(crate) what: What,
    /// The offset.
    pub(crate) at: usize,
}

/// What can be wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum What {
    /// Not UTF-8.
    #[error("invalid UTF-8")]
    Utf8,
    /// It begins with a byte order mark.
    #[error("a byte order mark")]
    ByteOrderMark,
    /// It ends too early.
    #[error("unexpected end")]
    End,
    /// Something else was due.
    #[error("expected {0}")]
    Expected(&'static str),
    /// A control character within a string.
    #[error("a control character in a string")]
    Control,
    /// An escape that does not exist.
    #[error("an invalid escape")]
    Escape,
    /// Half of a surrogate pair.
    #[error("a lone surrogate")]
    Surrogate,
    /// A number that is none.
    #[error("an invalid number")]
    Number,
    /// Deeper than the limit.
    #[error("nested deeper than {0}")]
    Depth(u8),
}
