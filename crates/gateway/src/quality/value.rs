//! Value: what an answer says of a row, and what its label says, in a form that can be compared and that gives no text away.

use evenkeel_config::{Computed, Quality};

/// What is said of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    Number(f64),
    Flag(bool),
    /// 64 bits of the digest of a text.
    Text(u64),
}

impl Value {
    /// Returns what a text is compared by.
    pub(crate) fn of_text(text: &str) -> Self {
        let digest = blake3::hash(text.as_bytes());
        Self::Text(u64::from_le_bytes(*digest.as_bytes().first_chunk().expect("32 bytes are more than eight")))
    }

    /// Says whether it is as a label says; none where the two are of unlike types.
    pub(crate) fn is_as(self, label: Self, spec: &Quality) -> Option<bool> {
        let one = |flag: bool| f64::from(u8::from(flag));
        match (self, label) {
            (Self::Number(said), Self::Number(label)) => Some(spec.is_near(said, label)),
            (Self::Number(said), Self::Flag(label)) => Some(said == one(label)),
            (Self::Flag(said), Self::Number(label)) if label == 0.0 || label == 1.0 => Some(one(said) == label),
            (Self::Flag(said), Self::Flag(label)) => Some(said == label),
            (Self::Text(said), Self::Text(label)) => Some(said == label),
            _ => None,
        }
    }

    /// Names what a label must be to be compared with it.
    pub(crate) const fn wanted(self) -> &'static str {
        match self {
            Self::Number(_) => "a number",
            Self::Flag(_) => "true or false",
            Self::Text(_) => "a text",
        }
    }
}

impl From<Computed> for Value {
    fn from(it: Computed) -> Self {
        match it {
            Computed::Number(it) => Self::Number(it),
            Computed::Flag(it) => Self::Flag(it),
            Computed::Text(it) => Self::of_text(&it),
        }
    }
}
