//! When a request asks a path again, and when it does not (`failures.md`, sections 2 and 3).

use std::collections::BTreeMap;

use evenkeel_core::*;
use proptest::prelude::*;

use crate::{
    history::History,
    sample::sample,
    world::{ARRIVALS, World},
};

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn f_035_what_broke_two_models_is_left_to_a_tier_that_is_none(seed: u64) {
        suspects(seed)?;
    }

    #[test]
    fn f_043_at_most_two_tries_are_free(seed: u64) {
        let mut world = World::new(seed, sample(seed));
        world.only = Some(ResultCode::Unsent);
        for _ in 0..ARRIVALS {
            world.illness.insert(0, 800);
            world.run_until(world.now + 50 * MILLISECOND);
            world.arrive_at(RouteId(0));
        }
        world.run_until(world.now + 60 * SECOND);
        for decision in world.history.decisions() {
            let free = |pair: &&[AttemptRecord]| {
                let again = pair[1].tier == pair[0].tier && pair[1].start >= pair[0].start + pair[0].duration;
                let nothing_done = matches!(pair[0].result.again_at(pair[0].status), Again::Unsent | Again::OtherReplica);
                again && pair[1].role == Role::Answer && nothing_done
            };
            prop_assert!(decision.attempts.windows(2).filter(free).count() <= 2, "{:?}", decision);
        }
    }

    #[test]
    fn f_051_a_request_turns_from_a_throttled_replica_to_another_once(seed: u64) {
        turns(seed)?;
    }

    #[test]
    fn f_026_a_path_that_was_silent_is_not_asked_again(seed: u64) {
        let history = World::play(seed, ARRIVALS);
        keeps_from_the_silent(&history)?;
        // A server may say early that it ran out of time, by 504: then there is time for another try.
        let mut world = World::new(seed, sample(seed));
        world.only = Some(ResultCode::TotalTimeout);
        for _ in 0..ARRIVALS {
            world.illness.insert(0, 300);
            world.run_until(world.now + 200 * MILLISECOND);
            world.arrive_at(RouteId(0));
        }
        world.run_until(world.now + 60 * SECOND);
        keeps_from_the_silent(&world.history)?;
    }

    #[test]
    fn f_034_what_changes_something_is_asked_of_a_path_once(seed: u64) {
        let history = World::play(seed, ARRIVALS);
        let pure: BTreeMap<RequestId, bool> = history.admits().map(|(_, admit)| (admit.request, admit.pure)).collect();
        for decision in history.decisions().filter(|it| !pure[&it.request]) {
            prop_assert!(decision.attempts.iter().all(|it| it.role == Role::Answer), "{:?}", decision);
            let again = decision.attempts.windows(2).filter(|pair| pair[0].path == pair[1].path);
            for pair in again {
                prop_assert!(pair[0].result.left_nothing(), "{:?}", decision);
            }
        }
    }
}

/// Judges that no request asks a path again that was silent (F-026).
fn keeps_from_the_silent(history: &History) -> Result<(), TestCaseError> {
    let silent = [ResultCode::FirstTokenTimeout, ResultCode::TotalTimeout, ResultCode::KeepaliveOnly];
    for decision in history.decisions() {
        for was in decision.attempts.iter().filter(|it| silent.contains(&it.result)) {
            let after = |it: &AttemptRecord| it.tier == was.tier && it.start >= was.start + was.duration;
            prop_assert!(!decision.attempts.iter().any(|it| it.attempt != was.attempt && after(it)), "{:?}", decision);
        }
    }
    Ok(())
}

/// Plays a world of resets, and returns how often a request was found to be at fault (F-035); none may break a third model.
fn suspects(seed: u64) -> Result<usize, TestCaseError> {
    let mut world = World::new(seed, sample(seed));
    (world.only, world.churn) = (Some(ResultCode::Reset), false);
    for round in 0..ARRIVALS {
        // In between they get well, so that breakers do not keep everybody away.
        let ill = if round % 10 < 4 { 900 } else { 0 };
        world.illness.extend([(0, ill), (1, ill)]);
        world.run_until(world.now + 400 * MILLISECOND);
        world.arrive_at(RouteId(0));
    }
    world.run_until(world.now + 60 * SECOND);
    let accepts = |admit: &Admit| admit.max_tier.is_none_or(|most| most >= 2);
    let accepts: BTreeMap<_, _> = world.history.admits().map(|(_, it)| (it.request, accepts(it))).collect();
    let mut left = 0;
    for decision in world.history.decisions().filter(|it| accepts[&it.request]) {
        let broke = |it: &&AttemptRecord| it.result == ResultCode::Reset;
        for (at, it) in decision.attempts.iter().enumerate().filter(|(_, it)| it.role == Role::Answer) {
            let broken = decision.attempts[..at].iter().filter(broke).count();
            prop_assert!(broken < 2, "{:?} after {} resets: {:?}", it.attempt, broken, decision);
        }
        left += usize::from(decision.facts.iter().any(|fact| fact.signal == Signal::Crashes && fact.breached()));
    }
    Ok(left)
}

#[test]
fn f_035_there_are_worlds_in_which_somebody_is_suspected() {
    let suspected = (0..20).filter(|seed| suspects(*seed).is_ok_and(|left| left > 0)).count();
    assert!(suspected >= 10, "in {suspected} of twenty");
}

/// Plays a world of three replicas, of which some say "not now", and returns how many requests went on at another at once (F-051):
/// each but once, and none where all draw on one quota.
fn turns(seed: u64) -> Result<usize, TestCaseError> {
    let mut revision = sample(seed);
    revision.upstreams[0].replicas.push("http://a-third".into());
    revision.routes[0].budget.floor = 1_000;
    let shared = revision.paths[0].domain.is_some();
    let mut world = World::new(seed, revision);
    (world.only, world.churn) = (Some(ResultCode::RateLimited), false);
    world.illness.insert(0, 500);
    for _ in 0..ARRIVALS {
        world.run_until(world.now + 2 * SECOND);
        world.arrive_at(RouteId(0));
    }
    world.run_until(world.now + 60 * SECOND);
    let mut all = 0;
    for decision in world.history.decisions() {
        let at_once = |pair: &&[AttemptRecord]| {
            let told = pair[0].result == ResultCode::RateLimited && pair[1].tier == pair[0].tier;
            told && pair[1].start == pair[0].start + pair[0].duration
        };
        let turns: Vec<_> = decision.attempts.windows(2).filter(at_once).collect();
        prop_assert!(turns.len() <= usize::from(!shared), "{:?}", decision);
        prop_assert!(turns.iter().all(|pair| pair[0].replica != pair[1].replica), "{:?}", decision);
        all += turns.len();
    }
    Ok(all)
}

#[test]
fn f_051_there_are_worlds_in_which_somebody_turns_to_another_replica() {
    let turned: Vec<_> = (0..10).map(|seed| turns(2 * seed).expect("each but once")).collect();
    assert!(turned.iter().all(|it| *it >= 10), "{turned:?}");
}
