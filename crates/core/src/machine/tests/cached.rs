//! Answers from what was kept: fresh ones before any tier, older ones as a tier (F-142, F-143).

use super::*;
use crate::{CachePolicy, Lookup, Stored};

/// The same ladder with a tier that answers from the cache, above the default.
pub(super) fn caching(fresh: bool) -> Revision {
    let mut revision = revision(1);
    let policy = CachePolicy { ttl: 300 * SECOND, stale_if_error: 3_600 * SECOND, fresh, waiters: 3 };
    revision.routes[0].cache = Some(policy);
    let path =
        Path { name: "earlier".into(), place: Where::Stored, need: 50 * MILLISECOND, ..revision.paths[2].clone() };
    revision.paths.push(path);
    revision.routes[0]
        .tiers
        .insert(2, Tier { name: "earlier".into(), method: Method::Cache, path: PathId(3), ensemble: None });
    revision
}

/// Admits a request of which an answer of a tier is held, so many seconds old. The key is in the middle of its spread.
fn ask(kit: &mut Kit, (age, tier): (u64, u8), change: impl FnOnce(&mut Admit)) {
    kit.admit_as(Operation::Chat, |admit| {
        admit.cache = Lookup { key: Some(100), stored: Some(Stored { age: age * SECOND, tier }), max_age: None };
        change(admit);
    });
}

fn told(kit: &Kit) -> (Option<(u8, Method)>, bool, Reason) {
    let last = kit.out.iter().rev().find_map(|output| match output {
        Output::Answer { disclosure, .. } => Some(disclosure.clone()),
        _ => None,
    });
    let disclosure = last.expect("it was answered");
    (disclosure.answered.map(|it| (it.0, it.1)), disclosure.degraded, disclosure.reason)
}

#[test]
fn f_142_a_fresh_answer_is_given_before_any_tier_and_told_as_that_of_its_tier() {
    for (tier, degraded) in [(0, false), (1, true)] {
        let mut kit = Kit::new(caching(true));
        ask(&mut kit, (300, tier), |_| ());
        assert_eq!((kit.starts(), kit.source()), (vec![], Source::Stored(tier)));
        assert_eq!(told(&kit), (Some((tier, Method::Cache)), degraded, Reason::CacheFreshHit));
        let decision = kit.decision();
        assert_eq!((decision.outcome.tier, decision.reason), (Some(tier), Reason::CacheFreshHit));
        assert_eq!(decision.method(), Some(Method::Cache));
        let candidate = &decision.candidates[usize::from(tier)];
        assert_eq!((candidate.verdict, candidate.reasons[0]), (Verdict::Selected, Reason::CacheFreshHit));
        assert_eq!(kit.core.next_timeout(), None, "nothing is left behind");
    }
}

#[test]
fn f_143_what_is_not_fresh_or_not_wanted_is_asked_of_the_tiers() {
    type Case = (&'static str, bool, u64, fn(&mut Admit));
    let cases: [Case; 6] = [
        ("older than its ttl", true, 301, |_| ()),
        ("the route gives no fresh answers", false, 1, |_| ()),
        ("older than the client takes", true, 61, |admit| admit.cache.max_age = Some(60 * SECOND)),
        ("the client takes none", true, 0, |admit| admit.cache.max_age = Some(0)),
        ("of a tier that the client refuses", true, 1, |admit| {
            admit.cache.stored = Some(Stored { age: SECOND, tier: 1 });
            admit.max_tier = Some(0);
        }),
        ("nothing is held", true, 0, |admit| admit.cache.stored = None),
    ];
    for (what, fresh, age, change) in cases {
        let mut kit = Kit::new(caching(fresh));
        ask(&mut kit, (age, 0), change);
        kit.end(R::Ok, 200);
        assert_eq!(told(&kit), (Some((0, Method::Primary)), false, Reason::PrimaryHealthy), "{what}");
        assert_eq!(kit.decision().candidates[0].reasons, [Reason::PrimaryHealthy], "{what}");
    }
}

#[test]
fn da_10_f_143_an_older_answer_stands_in_for_a_failure_within_its_limit_and_says_so() {
    for (age, wants, tier, reasons) in [
        (3_600, None, 2, vec![Reason::CacheStaleHit]),
        (3_600, Some(3_600), 2, vec![Reason::CacheStaleHit]),
        (3_601, None, 3, vec![Reason::CacheMiss]),
        (3_600, Some(3_599), 3, vec![Reason::ClientMaxAge]),
        (0, Some(0), 3, vec![Reason::ClientMaxAge]),
    ] {
        let mut kit = Kit::new(caching(true));
        let wants = wants.map(|seconds: u64| seconds * SECOND);
        ask(&mut kit, (age, 0), |admit| admit.cache.max_age = wants);
        kit.end(R::Status5xx, 503);
        kit.until(kit.now + SECOND);
        kit.end(R::Status5xx, 503);
        kit.end(R::Truncated, 200);
        let decision = kit.decision();
        assert_eq!((decision.outcome.tier, &decision.candidates[2].reasons), (Some(tier), &reasons), "{age} {wants:?}");
        match tier {
            2 => assert_eq!(told(&kit), (Some((2, Method::Cache)), true, Reason::CacheStaleHit)),
            _ => {
                assert_eq!(decision.candidates[2].verdict, Verdict::Skipped);
                assert_eq!(told(&kit), (Some((3, Method::Default)), true, Reason::Upstream5xx));
            }
        }
    }
}

#[test]
fn f_143_who_has_nothing_kept_waits_and_is_refused_as_if_there_were_no_cache() {
    let mut revision = caching(true);
    revision.routes[0].tiers.truncate(3);
    let mut kit = Kit::new(revision);
    kit.admit(Operation::Chat);
    kit.end(R::Truncated, 200);
    kit.end(R::Truncated, 200);
    kit.until(kit.now + 20 * SECOND);
    assert_eq!(kit.refusals(), [Refusal::Exhausted]);
    assert_eq!(kit.decision().candidates[2].reasons, [Reason::CacheMiss]);
}

#[test]
fn f_034_what_belongs_to_a_route_without_a_cache_is_asked_of_its_tiers() {
    let mut kit = Kit::new(revision(1));
    ask(&mut kit, (1, 0), |_| ());
    kit.end(R::Ok, 200);
    assert_eq!(kit.decision().reason, Reason::PrimaryHealthy);
}
