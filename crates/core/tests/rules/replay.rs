//! Rule 12: the same inputs give the same outputs, in debug and in release, twice in a row.

use evenkeel_core::*;

use crate::{history::History, sample::sample, world::World};

/// Inputs in the sequence that is hashed.
const INPUTS: usize = 100_000;

fn sequence() -> History {
    let mut world = World::new(42, sample(42));
    while world.history.inputs().count() < INPUTS {
        for _ in 0..1_000 {
            let gap = world.dice.below(40) * MILLISECOND;
            world.run_until(world.now + gap);
            world.weather();
            world.arrive();
        }
    }
    world.history
}

#[test]
fn rule_12_a_hundred_thousand_inputs_give_the_same_log_twice() {
    let (once, twice) = (sequence(), sequence());
    assert!(once.inputs().count() >= INPUTS);
    assert_eq!(once.hash, twice.hash);
    assert_eq!(once.hash.value(), SEMANTICS, "the log is {:#018x}", once.hash.value());
}

#[test]
fn rule_12_feeding_the_logged_inputs_again_gives_the_logged_outputs() {
    let history = World::play(7, 300);
    let mut core = Core::new(0, std::sync::Arc::new(sample(7)));
    let mut hash = LogHash::default();
    for (at, input) in history.inputs() {
        core.handle(at, input.clone());
        while let Some(output) = core.poll() {
            output.feed(&mut hash);
        }
    }
    assert_eq!(hash, history.hash);
}
