//! Tests of `delayed`.

use super::*;

#[test]
fn the_arrival_of_labels_is_the_oracle_of_the_design() {
    let arrival = Arrival::of(vec![(1, true), (2, true), (3, true), (2, false)]);
    assert_eq!([0, 1, 2, 3, 9].map(|age| arrival.within(age)), [0.0, 0.25, 0.5, 1.0, 1.0]);
    assert_eq!(Arrival::of(vec![(5, false)]).within(9), 0.0, "none came yet");
}

#[test]
fn the_bounds_that_assume_nothing_are_the_oracle_of_the_design() {
    let mut delayed = Delayed::default();
    (0..100).for_each(|id| delayed.decided(0, id, 0));
    (0..60).for_each(|id| assert_eq!(delayed.label(1, id, id < 48), Joined::First));
    let said = delayed.read(10).expect("rows");
    assert_eq!((said.bounds, said.rows, said.labels), ((0.48, 0.88), 100, 60));
    let estimate = said.estimate.expect("labels");
    assert!((estimate.value - 0.8).abs() < 1e-12 && estimate.samples == 60 && estimate.as_of == 1);
    assert!(estimate.lo > 0.6 && estimate.hi < 0.95);
    assert_eq!(Delayed::default().read(10), None);
}

#[test]
fn the_last_label_wins_and_those_that_are_late_or_of_nobody_are_counted() {
    let mut delayed = Delayed::default();
    delayed.decided(5, 1, 0);
    delayed.decided(6, 1, 7);
    assert_eq!(delayed.label(8, 1, false), Joined::First);
    assert_eq!(delayed.label(9, 1, true), Joined::Again);
    assert_eq!(delayed.label(9, 2, true), Joined::Unknown);
    delayed.decided(5, 3, 0);
    assert_eq!(delayed.label(5 + MOST_DELAY_NS + 1, 3, false), Joined::Late);
    let said = delayed.read(20).expect("rows");
    assert_eq!((said.rows, said.labels, said.again, said.late, said.unknown), (2, 1, 1, 1, 1));
    assert_eq!(said.bounds, (0.5, 1.0));
    delayed.forget(6);
    assert_eq!(delayed.read(20), None, "both were decided at 5");
}

#[test]
fn young_rows_whose_labels_come_late_do_not_bend_the_number() {
    // Labels take 10. Of the old rows 70 of 100 are right; of the young, only those came whose labels were there at once: all wrong.
    let mut delayed = Delayed::default();
    for id in 0..1_000_u128 {
        delayed.decided(u64::try_from(id).expect("small") / 10, id, 0);
        if id / 10 + 10 <= 100 {
            delayed.label(u64::try_from(id).expect("small") / 10 + 10, id, id % 10 < 7);
        }
    }
    let said = delayed.read(100).expect("rows");
    assert!((said.estimate.expect("old rows").value - 0.7).abs() < 0.01);
    assert!(said.young > 80, "younger than a label takes: {}", said.young);
}

#[test]
fn a_label_of_a_rare_age_speaks_for_those_that_are_missing() {
    // Two strata that differ in how right and in how late they are: half of the slow ones' labels are there.
    let mut delayed = Delayed::default();
    for id in 0..400_u128 {
        let slow = id % 2 == 1;
        delayed.decided(0, id, u32::from(slow));
        if !slow || id % 4 == 1 {
            delayed.label(if slow { 5 } else { 1 }, id, !slow);
        }
    }
    let said = delayed.read(5).expect("rows");
    let estimate = said.estimate.expect("labels");
    assert_eq!(said.labels, 300);
    assert!((estimate.value - 0.5).abs() < 1e-9, "by labels alone it would be 2/3: {}", estimate.value);
}

#[test]
fn a_merge_in_either_order_is_the_same() {
    let part = |ids: std::ops::Range<u128>, right: bool| {
        let mut delayed = Delayed::default();
        ids.for_each(|id| {
            delayed.decided(u64::try_from(id).expect("small"), id, 0);
            delayed.label(100, id, right);
        });
        delayed
    };
    let (mut ab, mut ba) = (part(0..20, true), part(10..30, false));
    ab.merge(&part(10..30, false));
    ba.merge(&part(0..20, true));
    assert_eq!(ab, ba);
    assert_eq!(ab.read(200).expect("rows").rows, 30);
}
