//! F-166: how long a request waits where the ladder ends, over random histories of routes that end with a model.

use super::*;

/// The most that a request waits for recoveries in all, and how many of a route may at once.
const MOST: Nanos = 3 * SECOND;
const WAITERS: usize = 4;

/// Two routes without anything that always answers, and with little room; half of their deadline is less than 3 s, or more.
fn narrow(seed: u64) -> Revision {
    let mut revision = sample(seed);
    for route in &mut revision.routes {
        route.tiers.retain(|tier| matches!(revision.paths[tier.path.index()].place, Where::Remote(_)));
        route.deadline = [4, 12][seed as usize % 2] * SECOND;
    }
    revision.paths.iter_mut().for_each(|path| path.limit = LimitPolicy::Fixed(2 + seed % 3));
    revision
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn f_166_wait_1_wait_2_few_wait_for_a_recovery_and_none_for_longer_than_it_may(seed: u64) {
        let revision = narrow(seed);
        let mut world = World::new(seed, revision.clone());
        // Slower than anybody waits, or so quick that room comes and goes.
        world.least = [5 * SECOND, 100 * MILLISECOND][(seed >> 1) as usize % 2];
        for _ in 0..ARRIVALS {
            let gap = world.dice.below(120) * MILLISECOND;
            world.run_until(world.now + gap);
            world.weather();
            world.arrive();
            // Each route, each replica and each quota has so many places.
            prop_assert!(world.core.waiting() <= WAITERS * (2 + 3 + 1), "too many wait");
        }
        world.run_until(world.now + 700 * SECOND);
        prop_assert_eq!((world.core.open(), world.core.waiting()), (0, 0), "WAIT-1: a place is never given back");
        let mut waits = 0;
        let spent: BTreeMap<_, _> = world.history.admits().map(|(_, admit)| (admit.request, admit.spent)).collect();
        for decision in world.history.decisions() {
            let waited: Vec<_> = decision.facts.iter().filter(|fact| fact.signal == Signal::Waited).collect();
            let most = MOST.min(decision.deadline / 2);
            for fact in &waited {
                prop_assert!(fact.value <= fact.threshold && fact.threshold <= most, "WAIT-2: {:?}", decision);
            }
            prop_assert!(waited.len() <= 1 && decision.rederives(), "rule 10: {:?}", decision);
            for (what, forged) in forgeries(decision) {
                prop_assert!(!forged.rederives(), "a record with another {} passes: {:?}", what, forged);
            }
            // By the clock of the world, whatever the record says: nothing but a wait takes the time of a request that nobody
            // was asked for, once it is admitted.
            let idle = matches!(decision.outcome.end, End::Refused(Refusal::Exhausted | Refusal::Overloaded));
            if idle && decision.attempts.is_empty() {
                let may = waited.first().map_or(0, |fact| fact.threshold + LAG) + spent[&decision.request];
                prop_assert!(decision.outcome.latency <= may, "WAIT-2: {:?}", decision);
            }
            waits += waited.len();
        }
        prop_assert!(waits > 0, "nobody waited");
    }
}
