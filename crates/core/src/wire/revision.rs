//! Revisions as bytes.

use super::{choices, fields};
use crate::{
    cache::{CachePolicy, SimilarPolicy},
    capability::{Can, Names},
    certificate::StepPolicy,
    drift::{DriftMode, DriftPolicy},
    ensemble::Ensemble,
    guard::Guard,
    priority::Priority,
    revision::{
        Added, BreakerPolicy, BudgetPolicy, Clocks, CommitPoint, FirstClock, ImputedPolicy, LimitPolicy, Method,
        OnCapability, OnPolicy, Path, ProbePolicy, Protocol, Rate, Revision, Route, Tier, Upstream, WhenExhausted,
        Where,
    },
    rows::RowRule,
    shadow::ShadowPolicy,
};

fields! {
    Revision { digest, routes, paths, upstreams, names }
    Route {
        name, protocol, deadline, max_attempts, on_policy, on_capability, budget, when_exhausted, commit, priority, rescue, imputed,
        shadow, rehearsal, cache, guards, drift, certificate, tiers,
    }
    Tier { name, method, path, ensemble }
    Path {
        name, route, place, domain, model, limit, hedge, clocks, min_rate, objective, need, retries, features, can, context, added,
        effects, prefill, after_break, accept, stands, sure, breaker,
    }
    Upstream { name, replicas, min_available, probe }
    Names { languages, regions }
    Ensemble { members, quorum, agree }
    CachePolicy { ttl, stale_if_error, fresh, waiters, similar }
    SimilarPolicy { at_least, fresh }
    Guard { signal, threshold, start_at }
    DriftPolicy { start_at, mode, ramp, every }
    StepPolicy { last, thresholds }
    ShadowPolicy { share, cost }
    ImputedPolicy { most, start_at, split }
    BudgetPolicy { ratio, floor, per }
    BreakerPolicy { consecutive, fast, slow, low, open, open_max, flap_max, probes, successes, ramp }
    Rate { samples, bad, window }
    Clocks { first_content, stall, total }
    Added { least, most }
    Can { languages, datatypes, regions }
    ProbePolicy { every, timeout }
}

choices! {
    Protocol { 0 = OpenaiChat, 1 = OpenaiEmbeddings, 2 = Oip }
    OnPolicy { 0 = Error, 1 = Default, 2 = Next }
    OnCapability { 0 = Next, 1 = Error }
    WhenExhausted { 0 = Wait, 1 = Refuse }
    CommitPoint { 0 = FirstContent, 1 = Chars(characters), 2 = Full }
    Priority { 0 = Critical, 1 = Default, 2 = Sheddable }
    Method { 0 = Primary, 1 = Distilled, 2 = Ensemble, 3 = Retrieval, 4 = Cache, 5 = Rules, 6 = Default }
    Where { 0 = Remote(upstream), 1 = Local, 2 = Certain, 3 = Ensemble, 4 = Stored }
    LimitPolicy { 0 = Auto, 1 = Fixed(limit) }
    FirstClock { 0 = Auto, 1 = Fixed(nanos) }
    RowRule { 0 = Any, 1 = All, 2 = Share(share), 3 = Split }
    DriftMode { 0 = Observe, 1 = Recommend, 2 = Enforce }
}
