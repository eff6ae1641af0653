//! Entry: one answer that is kept: what was said, by which tier, and when (F-142, F-144).
//!
//! No header of anybody is in it, and nothing of the request: what a client is told besides the answer is told anew.

mod wire;

use std::time::Duration;

use bytes::Bytes;
use evenkeel_core::Nanos;
use jiff::{SignedDuration, Timestamp};

use crate::{
    sure::Sure,
    tensor::{InferAnswer, Output, Parameter, Parameters},
};

/// How far the clocks of two gateways may differ, or one be set back, before nobody can say how old an answer is.
const AHEAD: SignedDuration = SignedDuration::from_secs(5);

/// One answer that is kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// The tier that gave it.
    pub(crate) tier: u8,
    /// When.
    pub(crate) made: Timestamp,
    /// How likely it is right, as its client was told; none where that is not known.
    pub(crate) sure: Option<Sure>,
    pub(crate) said: Said,
}

/// What was said, in one form for every dialect.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said {
    /// A completion in one piece, or embeddings: the body, without an object of ours.
    Json(Bytes),
    /// Tensors.
    Infer(InferAnswer),
}

impl Entry {
    /// Returns how old it is; a clock that was set back makes nothing younger than new.
    pub(crate) fn age(&self, now: Timestamp) -> Duration {
        Duration::try_from(now.duration_since(self.made)).unwrap_or(Duration::ZERO)
    }

    /// Returns the same in nanoseconds.
    pub(crate) fn age_nanos(&self, now: Timestamp) -> Nanos {
        Nanos::try_from(self.age(now).as_nanos()).unwrap_or(Nanos::MAX)
    }

    /// Says whether it was given after now, by more than clocks differ: who gave it had another clock, or this one was set back. For
    /// as long as it would be new, whatever has happened since.
    pub(crate) fn is_ahead(&self, now: Timestamp) -> bool {
        self.made.duration_since(now) > AHEAD
    }

    /// Returns its bytes.
    pub(crate) fn size(&self) -> usize {
        self.said.size() + self.sure.as_ref().map_or(0, |it| 2 * it.rows.len())
    }
}

impl Said {
    /// Returns its bytes.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Json(body) => body.len(),
            Self::Infer(answer) => parameters(&answer.parameters) + answer.outputs.iter().map(output).sum::<usize>(),
        }
    }
}

fn output(it: &Output) -> usize {
    let tensor = &it.tensor;
    tensor.data().len() + tensor.name().len() + 8 * tensor.shape().len() + parameters(&it.parameters)
}

fn parameters(all: &Parameters) -> usize {
    let value = |it: &Parameter| match it {
        Parameter::String(text) => text.len() + 24,
        Parameter::Bool(_) | Parameter::Int(_) | Parameter::Uint(_) | Parameter::Float(_) => 24,
    };
    all.iter().map(|(name, it)| name.len() + value(it)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_never_less_than_nothing() {
        let at = |seconds| Timestamp::from_second(seconds).expect("a time");
        let entry = Entry { tier: 0, made: at(100), sure: None, said: Said::Json(Bytes::new()) };
        assert_eq!([90, 100, 107].map(|now| entry.age(at(now)).as_secs()), [0, 0, 7]);
        assert_eq!([90, 94, 95, 107].map(|now| entry.is_ahead(at(now))), [true, true, false, false]);
    }
}
