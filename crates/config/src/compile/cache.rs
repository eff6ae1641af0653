//! What is kept of a route's answers, as the gateway does it and as the core judges their age.

use evenkeel_core::CachePolicy;

use crate::schema::{cache, route::Route, scalar::Duration};

/// What is kept of a route's answers, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Answers of every tier are kept, and not only those of the first.
    pub any_tier: bool,
    /// How old an answer may be to be of any use, in nanoseconds.
    pub keep: u64,
    /// The memory that it may take, in bytes.
    pub memory: u64,
    /// The largest answer that is kept, in bytes.
    pub max_entry: u64,
    /// Headers that tell whose a request is, besides its credential; lower case, sorted, each once.
    pub vary: Vec<String>,
    /// Names what the route takes and gives, and who answers: what was kept under another is not this route's (F-141).
    pub contract: [u8; 32],
    /// How many tiers the route has.
    pub tiers: u8,
}

/// Returns the names of headers in one way.
pub(super) fn vary(names: &[String]) -> Vec<String> {
    let mut names: Vec<_> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

pub(super) fn cache(it: &cache::Cache, tiers: usize, contract: [u8; 32]) -> Cache {
    Cache {
        any_tier: it.from == cache::From::Any,
        keep: it.stale_if_error.0.max(it.ttl.0 / 10 * 11),
        memory: it.memory.0,
        max_entry: it.max_entry.0,
        vary: vary(&it.vary),
        contract,
        tiers: u8::try_from(tiers).unwrap_or(u8::MAX),
    }
}

pub(super) fn policy(route: &Route) -> Option<CachePolicy> {
    let nanos = Duration::nanos;
    let policy = |it: &cache::Cache| CachePolicy {
        ttl: nanos(it.ttl),
        stale_if_error: nanos(it.stale_if_error),
        fresh: it.fresh,
        waiters: it.waiters,
        similar: None,
    };
    route.cache.as_ref().map(policy)
}
