//! Tests of the confidence sequences: the oracles of `signals.md` §4, coverage in small, and that both kinds agree.

use super::*;

fn of(yes: u64, no: u64) -> (f64, f64) {
    of_counts(yes, no, 0.05)
}

#[test]
fn counts_have_the_intervals_of_the_oracles() {
    for (yes, no, interval) in [
        (9, 1, (0.412, 1.0)),
        (90, 10, (0.767, 0.969)),
        (900, 100, (0.865, 0.93)),
        (9_000, 1_000, (0.89, 0.912)),
        (0, 100, (0.0, 0.065)),
        (100, 0, (0.935, 1.0)),
    ] {
        assert_eq!(of(yes, no), interval, "{yes} of {}", yes + no);
    }
    assert_eq!(of(0, 0), (0.0, 1.0));
    assert_eq!(of(900_000_000, 100_000_000), (0.898, 0.909), "as narrow as the least bet of 0.02 can tell apart");
}

#[test]
fn numbers_that_are_yes_and_no_have_the_interval_of_their_counts() {
    let mut means = Means::default();
    (0..1_000).for_each(|at| means.update(at, f64::from(u8::from(at % 10 != 0))));
    let (reading, (lo, hi)) = (means.read(0.05), of(900, 100));
    assert!((reading.lo - lo).abs() <= 0.005 && (reading.hi - hi).abs() <= 0.005, "{reading:?} {lo} {hi}");
    assert!(reading.lo <= lo && hi <= reading.hi, "coarser, so wider: {reading:?} {lo} {hi}");
    assert_eq!((reading.samples, reading.as_of, (reading.value * 1e9).round()), (1_000, 999, 9e8));
}

#[test]
fn nothing_poisons_a_sequence_and_much_narrows_it() {
    let mut means = Means::default();
    assert_eq!((means.read(0.05).lo, means.read(0.05).hi), (0.0, 1.0));
    [f64::NAN, f64::INFINITY].iter().for_each(|x| means.update(1, *x));
    assert_eq!((means.invalid(), means.read(0.05).samples), (2, 0));
    (0..200_000_u64).for_each(|at| means.update(at, f64::from(u8::from(at % 1_000 < 703)) * 0.5 + 0.25));
    let reading = means.read(0.05);
    assert!(reading.lo <= 0.6015 && 0.6015 <= reading.hi && reading.hi - reading.lo < 0.0101, "{reading:?}");
}

#[test]
fn halves_merge_to_the_whole() {
    let (mut one, mut other, mut whole) = (Means::default(), Means::default(), Means::default());
    for at in 0..400_u64 {
        let x = f64::from(u32::try_from(at * 37 % 101).expect("small")) / 100.0;
        whole.update(at, x);
        if at % 3 == 0 { one.update(at, x) } else { other.update(at, x) }
    }
    one.merge(&other).expect("alike");
    let (one, whole) = (one.read(0.05), whole.read(0.05));
    assert_eq!((one.lo, one.hi, one.samples, one.as_of), (whole.lo, whole.hi, whole.samples, whole.as_of));
}

#[test]
fn an_interval_covers_at_all_times_together() {
    let mut missed = 0;
    for seed in 0..400_u64 {
        let (mut yes, mut bits) = (0, seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let ever = (1..=500_u64).any(|n| {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            yes += u64::from(bits >> 33 < (1 << 31) / 10 * 3);
            // Looked at often, not always: it takes time.
            let looked = (n % 5 == 0).then(|| of_counts(yes, n - yes, 0.1));
            looked.is_some_and(|(lo, hi)| !(lo..=hi).contains(&0.3))
        });
        missed += u32::from(ever);
    }
    // 40 are allowed.
    assert!((1..=40).contains(&missed), "{missed} of 400 at a level of 0.1");
}
