//! How often a stream that breaks is mended (`failures.md`, section 9).

use std::collections::BTreeMap;

use evenkeel_core::*;
use proptest::prelude::*;

use crate::{sample::sample, world::World};

/// Requests of a world.
const STREAMS: usize = 500;

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn f_122_a_stream_is_spliced_once_and_gone_on_with_once(seed: u64) {
        mends(seed)?;
    }
}

#[test]
fn f_122_there_are_worlds_in_which_what_was_gone_on_with_breaks_too() {
    let broken: usize = (0..10).map(|seed| mends(seed).expect("each mended once")).sum();
    assert!(broken >= 10, "{broken} in ten worlds");
}

/// Plays a world in which most streams are cut, with a purse and replicas enough to mend them for ever, and returns how many
/// broke in their last mend. Each is first asked for anew, and after that at most gone on with (F-122).
fn mends(seed: u64) -> Result<usize, TestCaseError> {
    let mut revision = sample(seed);
    revision.upstreams[0].replicas = (0..4).map(|at| format!("http://{at}")).collect();
    revision.routes[0].budget.floor = 1_000_000_000;
    revision.routes[0].deadline = 30 * SECOND;
    // Whatever comes is asked of the first tier.
    revision.routes[0].guards.clear();
    for path in &mut revision.paths {
        path.prefill = matches!(path.place, Where::Remote(_));
        path.limit = LimitPolicy::Fixed(u64::MAX);
        path.breaker = BreakerPolicy { consecutive: u32::MAX, low: [u32::MAX; 2], ..path.breaker.clone() };
        (path.breaker.fast.samples, path.breaker.slow.samples) = (u32::MAX, u32::MAX);
    }
    let mut world = World::new(seed, revision);
    (world.churn, world.impatience, world.only) = (false, false, Some(ResultCode::Truncated));
    world.illness.extend([(0, 700), (1, 700)]);
    for _ in 0..STREAMS {
        // A replica that broke a stream is left alone for a while.
        world.run_until(world.now + SECOND);
        world.arrive_at(RouteId(0));
    }
    world.run_until(world.now + 60 * SECOND);
    let mut roles: BTreeMap<RequestId, Vec<Role>> = BTreeMap::new();
    for (_, output) in world.history.outputs() {
        if let Output::Start(start) = output
            && start.role != Role::Answer
        {
            roles.entry(start.request).or_default().push(start.role);
        }
    }
    let allowed: [&[Role]; 2] = [&[Role::Splice], &[Role::Splice, Role::Continue]];
    for (request, roles) in &roles {
        prop_assert!(allowed.contains(&roles.as_slice()), "{:?} was mended by {:?}", request, roles);
    }
    let broke = |decision: &&Decision| {
        let last = decision.attempts.last();
        last.is_some_and(|last| last.role == Role::Continue && last.result == ResultCode::Truncated)
    };
    Ok(world.history.decisions().filter(broke).count())
}
