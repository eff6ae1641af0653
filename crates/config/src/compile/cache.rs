//! What is kept of a route's answers, as the gateway does it and as the core judges their age.

use evenkeel_core::{CachePolicy, Nanos, Permille, SimilarPolicy};

use crate::{
    schema::path::kind::Embeddings,
    schema::{
        cache,
        path::{PathKind, Target},
        route::Route,
        scalar::Duration,
    },
};

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
    /// Answers to other words; none where none is looked for.
    pub semantic: Option<Semantic>,
}

/// How answers to a question that was put in other words are found (F-147).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Semantic {
    /// Who says what a question means.
    pub embeddings: Embeddings,
    /// Questions that one is compared with, at most.
    pub entries: usize,
}

/// Returns the time that a path needs to commit: to look for an answer to other words takes as long as its embedder may.
pub(super) fn need(kind: &dyn PathKind, route: &Route) -> Nanos {
    let search =
        route.semantic().filter(|_| kind.target() == Target::Stored).map_or(0, |it| it.embeddings.timeout.nanos());
    kind.need().saturating_add(search)
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
        semantic: it.semantic.as_ref().map(semantic),
    }
}

fn semantic(it: &cache::Semantic) -> Semantic {
    let of = &it.embeddings;
    let embeddings = Embeddings { upstream: of.upstream.clone(), model: of.model.clone(), timeout: of.timeout.nanos() };
    Semantic { embeddings, entries: it.entries as usize }
}

pub(super) fn policy(route: &Route) -> Option<CachePolicy> {
    let nanos = Duration::nanos;
    let policy = |it: &cache::Cache| CachePolicy {
        ttl: nanos(it.ttl),
        stale_if_error: nanos(it.stale_if_error),
        fresh: it.fresh,
        waiters: it.waiters,
        similar: it
            .semantic
            .as_ref()
            .map(|it| SimilarPolicy { at_least: Permille::new(it.at_least.0), fresh: it.fresh }),
    };
    route.cache.as_ref().map(policy)
}
