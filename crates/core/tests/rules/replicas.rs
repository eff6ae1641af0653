//! Which of several replicas is asked (`failures.md`, section 7).

use std::collections::BTreeSet;

use evenkeel_core::*;
use proptest::prelude::*;

use crate::world::{History, World, sample};

proptest! {
    // Each of these is a minute of work.
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn f_100_of_two_replicas_the_one_that_takes_less_time_is_asked(seed: u64) {
        let history = greyish(seed, 2, ReplicaId(1));
        let starts = history.outputs().filter_map(|(_, output)| match output {
            Output::Start(start) if start.path == PathId(0) => Some(usize::from(start.replica.0)),
            _ => None,
        });
        let mut asked = [0; 2];
        starts.for_each(|replica| asked[replica] += 1);
        let all = asked[0] + asked[1];
        prop_assert!(asked[1] * 100 < all * 42, "of two the slower one is asked {} of {} times", asked[1], all);
    }

    #[test]
    fn f_103_the_replica_that_is_worse_than_its_peers_is_left_alone_and_no_other(seed: u64) {
        // One that fails now and then is asked so seldom by F-100 that there is little to compare.
        let replica = ReplicaId((seed % 4) as u16);
        let history = greyish(seed, 4, replica);
        let mut found = BTreeSet::new();
        for (_, output) in history.outputs() {
            let Output::Breaker(it) = output else { continue };
            if it.turn.trip.is_some_and(|trip| trip.rule == "F-103") {
                found.insert((it.path, it.replica));
            }
        }
        prop_assert_eq!(found.into_iter().collect::<Vec<_>>(), vec![(PathId(0), Some(replica))]);
    }
}

/// A minute with several replicas of the primary, one of which is later than the others: nothing that its breaker would count.
fn greyish(seed: u64, replicas: usize, grey: ReplicaId) -> History {
    let mut revision = sample(seed);
    revision.upstreams[0].replicas = (0..replicas).map(|at| format!("http://{at}")).collect();
    for path in &mut revision.paths {
        let never = Rate { samples: 1, bad: Permille::ALL, window: SECOND };
        path.breaker = BreakerPolicy { consecutive: 1_000, low: [1_000; 2], fast: never, ..path.breaker.clone() };
        path.breaker.slow.bad = Permille::ALL;
        (path.limit, path.objective) = (LimitPolicy::Fixed(u64::MAX), Some(600 * SECOND));
    }
    let mut world = World::new(seed, revision);
    (world.churn, world.impatience, world.grey) = (false, false, Some((grey, 300 * MILLISECOND)));
    for _ in 0..2_000 {
        world.run_until(world.now + 30 * MILLISECOND);
        world.arrive_at(RouteId(0));
    }
    world.run_until(world.now + 20 * SECOND);
    world.history
}
