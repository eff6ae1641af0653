//! Answers from what was kept: fresh ones before any tier, older ones as a tier (F-142, F-143), and those to other words (F-147).

use super::*;
use crate::{CachePolicy, Fact, Lookup, Near, Permille, Redundancy, SimilarPolicy, Stored};

/// The same ladder with a tier that answers from the cache, above the default.
pub(super) fn caching(fresh: bool) -> Revision {
    let mut revision = revision(1);
    let policy = CachePolicy { ttl: 300 * SECOND, stale_if_error: 3_600 * SECOND, fresh, waiters: 3, similar: None };
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
        let stored = Some(Stored { age: age * SECOND, tier });
        admit.cache = Lookup { key: Some(100), stored, ..Lookup::default() };
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
fn f_153_a_cache_that_has_given_nothing_yet_does_not_count_as_redundancy() {
    for fresh in [true, false] {
        let mut kit = Kit::new(caching(fresh));
        let counts = |kit: &Kit| kit.core.route_state(kit.now, RouteId(0)).tiers[2].redundancy;
        assert_eq!(counts(&kit), Redundancy::Unproven, "PROOF-1");
        ask(&mut kit, (1, 0), |_| ());
        if !fresh {
            kit.end(R::ConnectFailed, 0);
            kit.end(R::ConnectFailed, 0);
        }
        assert_eq!((kit.source(), counts(&kit)), (Source::Stored(if fresh { 0 } else { 2 }), Redundancy::Counts));
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

/// The same, with answers to other words.
fn seeking(fresh: bool) -> Revision {
    let mut revision = caching(true);
    let similar = Some(SimilarPolicy { at_least: Permille::new(950), fresh });
    revision.routes[0].cache = revision.routes[0].cache.map(|policy| CachePolicy { similar, ..policy });
    revision
}

fn near(similarity: u16, age: u64) -> Near {
    Near { similarity: Permille::new(similarity), stored: Stored { age: age * SECOND, tier: 0 } }
}

/// Admits a request that something like it was asked before, and lets the models above fail.
fn seek(kit: &mut Kit, change: impl FnOnce(&mut Lookup)) {
    kit.admit_as(Operation::Chat, |admit| {
        admit.cache = Lookup { key: Some(100), others: true, ..Lookup::default() };
        change(&mut admit.cache);
    });
    kit.end(R::Truncated, 200);
    kit.end(R::Truncated, 200);
}

fn finds(kit: &mut Kit, near: Near) {
    kit.event(Event::Similar(near));
    kit.end(R::Ok, 200);
}

#[test]
fn f_147_with_every_model_gone_an_answer_to_other_words_stands_in_where_it_is_near_and_young_enough() {
    for (similarity, age, max_age, given) in [
        (950, 3_600, None, true),
        (1_000, 0, None, true),
        (949, 0, None, false),
        (950, 3_601, None, false),
        (990, 61, Some(60), false),
        (990, 60, Some(60), true),
    ] {
        let mut kit = Kit::new(seeking(false));
        seek(&mut kit, |lookup| lookup.max_age = max_age.map(|seconds: u64| seconds * SECOND));
        assert_eq!(kit.starts(), [(0, 0), (1, 0), (2, 0)], "it looks once the models have failed");
        finds(&mut kit, near(similarity, age));
        let decision = kit.decision();
        let compared = decision.facts.iter().filter(|it| matches!(it.signal, Signal::Similarity | Signal::SimilarAge));
        let compared: Vec<_> = compared.map(|it| (it.value, it.threshold)).collect();
        let most = max_age.unwrap_or(3_600);
        assert_eq!(compared, [(similarity.into(), 950), (age * SECOND, most * SECOND)]);
        if given {
            assert_eq!(told(&kit), (Some((2, Method::Cache)), true, Reason::CacheSemanticHit));
            assert_eq!(kit.source(), Source::Stored(2));
            assert_eq!(decision.candidates[2].reasons, [Reason::CacheSemanticHit]);
        } else {
            assert_eq!(told(&kit), (Some((3, Method::Default)), true, Reason::StreamTruncated));
            assert_eq!(decision.candidates[2].reasons, [Reason::CacheMiss], "{similarity} {age}");
            assert_eq!(decision.attempts[2].result, R::CacheDissimilar);
        }
        let forged = |change: &dyn Fn(&mut Fact)| {
            let mut forged = decision.clone();
            forged.facts.iter_mut().filter(|it| it.signal == Signal::Similarity).for_each(change);
            forged.rederives()
        };
        assert!(!forged(&|it| it.value = if given { 0 } else { 1_000 }) || age > most, "replay compares again");
    }
}

#[test]
fn f_147_what_is_held_of_the_same_words_goes_first_and_nobody_looks_for_what_cannot_be_there() {
    type Case = (&'static str, fn(&mut Lookup), Option<Reason>);
    let cases: [Case; 5] = [
        (
            "one to the same words",
            |it| it.stored = Some(Stored { age: 3_600 * SECOND, tier: 0 }),
            Some(Reason::CacheStaleHit),
        ),
        ("one to the same words that is too old", |it| it.stored = Some(Stored { age: 3_601 * SECOND, tier: 0 }), None),
        ("nothing was asked in other words", |it| it.others = false, Some(Reason::StreamTruncated)),
        ("the client takes no earlier answer", |it| it.max_age = Some(0), Some(Reason::StreamTruncated)),
        ("it is looked for", |_| (), None),
    ];
    for (what, change, ends) in cases {
        let mut kit = Kit::new(seeking(false));
        seek(&mut kit, change);
        match ends {
            Some(reason) => assert_eq!((kit.starts().len(), told(&kit).2), (2, reason), "{what}"),
            None => {
                assert_eq!(kit.starts().len(), 3, "{what}");
                kit.end(R::CacheDissimilar, 200);
                assert_eq!(kit.decision().candidates[2].reasons, [Reason::CacheMiss], "{what}: found nothing");
            }
        }
    }
    let mut kit = Kit::new(caching(true));
    seek(&mut kit, |_| ());
    assert_eq!(kit.starts().len(), 2, "the route looks for none");
}

#[test]
fn f_147_a_search_that_says_nothing_of_what_it_found_has_found_nothing() {
    let mut kit = Kit::new(seeking(false));
    seek(&mut kit, |_| ());
    kit.end(R::Ok, 200);
    assert_eq!(kit.decision().attempts[2].result, R::CacheDissimilar);
    assert_eq!(told(&kit), (Some((3, Method::Default)), true, Reason::StreamTruncated));
}

#[test]
fn f_147_a_near_answer_comes_before_any_tier_only_where_the_route_says_so() {
    for (fresh, similarity, age, max_age, given) in [
        (true, 950, 300, None, true),
        (true, 949, 1, None, false),
        (true, 990, 301, None, false),
        (true, 990, 1, Some(0), false),
        (false, 1_000, 1, None, false),
    ] {
        let mut kit = Kit::new(seeking(fresh));
        kit.admit_as(Operation::Chat, |admit| {
            let near = Some(near(similarity, age));
            admit.cache = Lookup { key: Some(100), others: true, near, max_age, ..Lookup::default() };
        });
        if given {
            assert_eq!((kit.starts().len(), kit.source()), (0, Source::Stored(0)));
            assert_eq!(told(&kit), (Some((0, Method::Cache)), false, Reason::CacheSemanticHit), "CACHE-2");
        } else {
            kit.end(R::Ok, 200);
            assert_eq!(told(&kit), (Some((0, Method::Primary)), false, Reason::PrimaryHealthy));
        }
    }
}
