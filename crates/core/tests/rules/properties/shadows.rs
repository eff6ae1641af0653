//! Copies of requests in random histories (`failures.md`, section 11).

use std::collections::BTreeMap;

use evenkeel_core::*;
use proptest::prelude::*;

use crate::{
    history::Entry,
    sample::sample,
    world::{ARRIVALS, World},
};

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn f_150_f_151_a_copy_is_of_an_answered_request_below_its_tier_and_alone_at_its_path(seed: u64) {
        copies(seed)?;
    }
}

#[test]
fn f_150_there_are_worlds_with_copies_that_end_well_and_ill_and_are_stopped() {
    let counts = (0..20)
        .map(|seed| copies(seed).expect("it holds"))
        .fold([0; 3], |all, it| [all[0] + it[0], all[1] + it[1], all[2] + it[2]]);
    assert!(counts.iter().all(|count| *count > 3), "copies, of streams, and stopped: {counts:?}");
}

/// Plays a world in which all that may be copied is; returns how many copies there were, of streams, and stopped.
fn copies(seed: u64) -> Result<[usize; 3], TestCaseError> {
    let mut revision = sample(seed);
    for route in &mut revision.routes {
        route.shadow = ShadowPolicy { share: Permille::ALL, cost: Permille::ALL };
    }
    let mut world = World::new(seed, revision.clone());
    (world.sequences, world.churn) = (true, seed.is_multiple_of(2));
    for _ in 0..ARRIVALS {
        let (path, illness) = (world.dice.below(6) as u16, world.dice.below(1_000));
        world.illness.insert(path, if illness < 600 { 0 } else { illness });
        world.run_until(world.now + 50 * MILLISECOND);
        world.arrive_at(RouteId((seed % 2) as u16));
    }
    world.run_until(world.now + 700 * SECOND);
    prop_assert!(world.core.is_quiet(), "nothing is left behind");
    let (mut answered, mut running, mut counts) = (BTreeMap::new(), BTreeMap::new(), [0; 3]);
    let admits: BTreeMap<_, _> = world.history.admits().map(|(_, admit)| (admit.request, admit.clone())).collect();
    for (_, entry) in &world.history.entries {
        match entry {
            Entry::Output(Output::Answer { request, disclosure, .. }) => {
                answered.insert(*request, disclosure.answered.map(|it| it.0));
            }
            Entry::Output(Output::Shadow(copy)) => {
                let (admit, path) = (&admits[&copy.request], &revision.paths[copy.path.index()]);
                prop_assert!(answered[&copy.request].is_some_and(|tier| tier < copy.tier), "{:?}", copy);
                prop_assert!(admit.pure && admit.sequence.is_none() && !path.effects, "{:?}", admit);
                prop_assert!(admit.needs.missing_in(path.features).is_empty() && path.can.serves(admit.wants));
                prop_assert!(running.insert(copy.path, copy.attempt).is_none(), "one at a path: {:?}", copy);
                counts[0] += 1;
                counts[1] += usize::from(admit.operation.is_stream());
            }
            Entry::Output(Output::ShadowStop { attempt, .. }) => {
                running.retain(|_, it| it != attempt);
                counts[2] += 1;
            }
            Entry::Output(Output::Decision(decision)) => {
                prop_assert!(decision.rederives(), "rule 10: {:?}", decision);
                answered.remove(&decision.request);
            }
            Entry::Input(Input::Attempt { attempt, event: Event::Ended { .. } }) => {
                running.retain(|_, it| it != attempt)
            }
            _ => {}
        }
    }
    Ok(counts)
}
