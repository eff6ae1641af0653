//! Told: what a client is told of the cache, by `Cache-Status` and `Age` (F-143).
//!
//! # Source
//! RFC 9211: `hit`, `fwd`, `ttl`, `collapsed`; RFC 9111, section 5.1: `Age`.

use std::{sync::Arc, time::Duration};

use evenkeel_api as api;
use evenkeel_core::{CachePolicy, Reason, fresh_for};
use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;

use super::{Asked, Entry, Similar};

/// What a client is told of the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// The word of records: `fresh`, `stale`, `similar`, `shared`, `miss`, `refused`, `bypass`.
    pub(crate) status: &'static str,
    /// How old the answer is, where it is an earlier one.
    pub(crate) age: Option<Duration>,
    /// How near its question is, where that was put in other words, in thousandths.
    pub(crate) similarity_permille: Option<u16>,
    line: String,
}

impl Told {
    /// Says what the cache had to do with an answer that was given for a reason.
    pub(crate) fn of(
        policy: CachePolicy,
        asked: Option<&Asked>,
        held: Option<&Entry>,
        why: (Reason, Timestamp),
    ) -> Self {
        let (reason, now) = why;
        let Some(asked) = asked else { return Self::line("bypass", None, "fwd=bypass".into()) };
        let Some(entry) = held else { return Self::line("miss", None, "fwd=uri-miss".into()) };
        let age = entry.age(now);
        let ttl = || {
            let fresh = fresh_for(policy.ttl, asked.key.bits()) / 1_000_000_000;
            i128::from(fresh) - i128::from(age.as_secs())
        };
        match reason {
            Reason::CacheFreshHit => Self::line("fresh", Some(age), format!("hit; ttl={}", ttl())),
            Reason::CacheStaleHit => Self::line("stale", Some(age), format!("hit; ttl={}", ttl())),
            // It is there, and the client wants none as old.
            _ if asked.max_age.is_some_and(|most| age.as_nanos() >= u128::from(most)) => {
                Self::line("refused", None, "fwd=request".into())
            }
            _ => Self::line("miss", None, "fwd=stale".into()),
        }
    }

    /// Says that it is an answer to other words (F-147).
    pub(crate) fn near(policy: CachePolicy, asked: &Asked, (near, now): (&Similar, Timestamp)) -> Self {
        let age = near.entry.age(now);
        let fresh = fresh_for(policy.ttl, asked.key.bits()) / 1_000_000_000;
        let ttl = i128::from(fresh) - i128::from(age.as_secs());
        let told = Self::line("similar", Some(age), format!("hit; ttl={ttl}; detail=similar"));
        Self { similarity_permille: Some(near.similarity_permille), ..told }
    }

    /// Returns how near the question of the answer is, as clients are told: from 0 to 1.
    pub(crate) fn similarity(&self) -> Option<f64> {
        self.similarity_permille.map(|permille| f64::from(permille) / 1_000.0)
    }

    /// Says that it was asked for by another request of the same.
    pub(crate) fn shared(age: Option<Duration>) -> Self {
        Self::line("shared", age, "fwd=uri-miss; collapsed".into())
    }

    fn line(status: &'static str, age: Option<Duration>, rest: String) -> Self {
        Self { status, age, similarity_permille: None, line: format!("evenkeel; {rest}") }
    }

    /// Adds the headers.
    pub(crate) fn put(&self, headers: &mut HeaderMap) {
        if let Ok(line) = HeaderValue::from_str(&self.line) {
            headers.insert("cache-status", line);
        }
        if let Some(age) = self.age {
            headers.insert(header::AGE, HeaderValue::from(age.as_secs()));
        }
        if let Some(value) = self.similarity().and_then(|it| HeaderValue::from_str(&format!("{it:.3}")).ok()) {
            headers.insert("evenkeel-similarity", value);
        }
    }
}

/// What is noted of a request that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    /// As in [`Told`].
    pub(crate) status: &'static str,
    /// How old the answer was, where it was an earlier one.
    pub(crate) age: Option<Duration>,
    /// `stored`, or why its answer is not kept; none where there was nothing to keep.
    pub(crate) written: Option<&'static str>,
    /// How near the question of an answer to other words is, in thousandths, and the decision that it was first given by.
    pub(crate) similarity_permille: Option<u16>,
    pub(crate) first: Option<Arc<str>>,
    /// What came of looking for one.
    pub(crate) searched: Option<&'static str>,
}

impl Noted {
    /// Writes it for the record.
    pub(crate) fn render(&self) -> api::Cached {
        api::Cached {
            status: self.status.into(),
            age_ms: self.age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            written: self.written.map(Into::into),
            similarity_permille: self.similarity_permille,
            first: self.first.as_deref().map(Into::into),
            searched: self.searched.map(Into::into),
        }
    }
}
