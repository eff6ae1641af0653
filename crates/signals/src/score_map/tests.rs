//! Tests of score maps: shapes by number of pairs, order kept, means and rates met, merge laws.

use proptest::prelude::*;

use super::*;
use crate::calibrate::HALF_LIFE_NS;

/// Scores spread over (0, 1) without a random number: the fractional parts of multiples of the golden ratio.
fn spread(n: usize) -> impl Iterator<Item = f64> {
    (1..=n).map(|at| {
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let x = at as f64 * 0.618_033_988_749_895;
        x - x.floor()
    })
}

/// Pairs of a tier whose score s means s² on the primary's scale.
fn squared(n: usize) -> Vec<(f64, f64)> {
    spread(n).map(|it| (it, it * it)).collect()
}

#[test]
fn a_map_takes_shape_with_enough_pairs() {
    for (n, mean, rate) in [
        (0, Shape::Identity, Shape::Identity),
        (199, Shape::Identity, Shape::Identity),
        (200, Shape::Platt, Shape::Platt),
        (999, Shape::Platt, Shape::Platt),
        (1_000, Shape::Isotonic, Shape::Rate),
        (5_000, Shape::Isotonic, Shape::Rate),
    ] {
        let mut one_by_one = Learner::default();
        squared(n).iter().for_each(|it| one_by_one.learn(0, it.0, it.1));
        for learner in [Learner::taught(0, &squared(n)), one_by_one] {
            assert_eq!(learner.fit(0, Match::Mean).shape(), mean, "{n}");
            assert_eq!(learner.fit(0, Match::Rate).shape(), rate, "{n}");
            let old = learner.fit(HALF_LIFE_NS * 9, Match::Mean);
            assert_eq!(old.shape(), Shape::Identity, "{n} grew old");
        }
    }
}

#[test]
fn the_primary_s_scale_is_found() {
    let learner = Learner::taught(0, &squared(5_000));
    for to in [Match::Mean, Match::Rate] {
        let map = learner.fit(0, to);
        assert_eq!(map.scale(), Scale::Probability);
        for x in [0.1, 0.3, 0.5, 0.9] {
            assert!((map.apply(x).expect("a number") - x * x).abs() < 0.005, "{to:?} {x}");
        }
        assert_eq!(map.apply(f64::NAN), None);
        assert!(map.apply(-7.0).is_some_and(|it| (0.0..0.01).contains(&it)), "flat outside");
    }
}

#[test]
fn a_scale_that_is_no_probability_goes_on_outside_what_was_seen() {
    let prices: Vec<_> = spread(3_000).map(|it| (100.0 + 400.0 * it, 50.0 + 800.0 * it)).collect();
    let map = Learner::taught(0, &prices).fit(0, Match::Mean);
    assert_eq!((map.shape(), map.scale()), (Shape::Isotonic, Scale::Value));
    let at = |x: f64| map.apply(x).expect("a number");
    assert!((at(300.0) - 450.0).abs() < 5.0);
    assert!((at(600.0) - at(500.0) - 100.0).abs() < 2.0, "in parallel to the identity");
    let few = Learner::taught(0, &prices[..300]).fit(0, Match::Mean);
    assert!(few.shape() == Shape::Platt && (few.apply(600.0).expect("a number") - 1_050.0).abs() < 1e-6, "a line");
}

#[test]
fn rates_above_a_threshold_meet_although_the_tier_is_noisy() {
    // The tier knows little of the primary: means shrink to the middle, rates must not.
    let pairs: Vec<_> =
        spread(20_000).zip(spread(40_000).skip(20_011)).map(|(a, b)| (0.4 + 0.2 * a, 0.5 * a + 0.5 * b)).collect();
    let learner = Learner::taught(0, &pairs);
    let share = |of: &dyn Fn(&(f64, f64)) -> f64, above: f64| {
        #[expect(clippy::cast_precision_loss, reason = "twenty thousand")]
        let part = pairs.iter().filter(|it| of(it) > above).count() as f64 / pairs.len() as f64;
        part
    };
    let (mean, rate) = (learner.fit(0, Match::Mean), learner.fit(0, Match::Rate));
    for above in [0.3, 0.5, 0.7, 0.9] {
        let wanted = share(&|it| it.1, above);
        let found = share(&|it| rate.apply(it.0).expect("a number"), above);
        assert!((wanted - found).abs() < 0.02, "above {above}: {wanted} {found}");
    }
    let total = |of: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / 20_000.0;
    let off = total(&|it| mean.apply(it.0).expect("a number")) - total(&|it| it.1);
    assert!(off.abs() < 0.01, "{off}");
}

#[test]
fn pairs_that_are_no_numbers_teach_nothing() {
    let mut learner = Learner::default();
    learner.learn(0, f64::NAN, 0.5);
    learner.learn(0, 0.5, f64::INFINITY);
    assert_eq!((learner.n(0), learner.invalid()), (0.0, 2));
}

#[test]
fn a_map_that_tells_no_score_from_another_says_so() {
    let pairs = |n: usize, of: fn(f64) -> f64| spread(n).map(|it| (it, of(it))).collect::<Vec<_>>();
    for n in [300, 3_000] {
        for to in [Match::Mean, Match::Rate] {
            assert!(
                Learner::taught(0, &pairs(n, |_| 0.5)).fit(0, to).is_flat(),
                "{n} {to:?}: a primary that never moves"
            );
            assert!(!Learner::taught(0, &squared(n)).fit(0, to).is_flat(), "{n} {to:?}");
        }
        assert!(Learner::taught(0, &pairs(n, |it| 1.0 - it)).fit(0, Match::Mean).is_flat(), "{n}: turned round");
    }
    assert!(!ScoreMap::identity(Scale::Value).is_flat());
}

#[test]
fn what_could_reorder_scores_is_no_map() {
    let of = |shape, knots: &[(f64, f64)]| ScoreMap::of(shape, Scale::Probability, knots.to_vec()).is_some();
    assert!(of(Shape::Isotonic, &[(0.1, 0.2), (0.5, 0.2)]));
    assert!(!of(Shape::Isotonic, &[(0.1, 0.2), (0.5, 0.1)]));
    assert!(!of(Shape::Isotonic, &[(0.5, 0.1), (0.5, 0.2)]));
    assert!(!of(Shape::Rate, &[(0.1, 1.2)]), "no probability");
    assert!(!of(Shape::Rate, &[]) && !of(Shape::Platt, &[]) && !of(Shape::Identity, &[(0.0, 0.0)]));
    assert!(
        of(Shape::Platt, &[(-3.0, 0.0)]) && !of(Shape::Platt, &[(0.0, -1.0)]) && !of(Shape::Platt, &[(f64::NAN, 1.0)])
    );
}

#[test]
fn classes_are_mapped_each_and_sum_to_one_again() {
    let map = Learner::taught(0, &squared(5_000)).fit(0, Match::Mean);
    let maps = [map.clone(), map];
    let mapped = apply_classes(&maps, &[0.9, 0.3]).expect("numbers");
    assert!((mapped[0] - 0.9).abs() < 0.01 && (mapped.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{mapped:?}");
    assert_eq!(apply_classes(&maps, &[0.9, f64::NAN]), None);
    assert_eq!(apply_classes(&maps, &[0.9]), None);
}

#[test]
fn the_same_bits_on_every_machine() {
    let mut digest = 0xcbf2_9ce4_8422_2325_u64;
    for (n, to) in [(5_000, Match::Mean), (5_000, Match::Rate), (500, Match::Mean)] {
        let map = Learner::taught(HALF_LIFE_NS / 3, &squared(n)).fit(HALF_LIFE_NS / 2, to);
        for x in spread(500) {
            let bits = map.apply(x).expect("a number").to_bits();
            digest = bits
                .to_le_bytes()
                .iter()
                .fold(digest, |it, byte| (it ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
        }
    }
    assert_eq!(digest, 1_515_498_176_547_126_328, "golden: the digest that every machine finds");
}

prop_compose! {
    /// Pairs on a coarse grid, so that ties are many, over three weeks.
    fn pairs(n: usize)(of in prop::collection::vec((0_u8..40, 0_u8..40, 0_u64..21), n)) -> Vec<(u64, f64, f64)> {
        of.into_iter().map(|(a, b, day)| (day * 86_400_000_000_000, f64::from(a) / 64.0, f64::from(a + b) / 128.0)).collect()
    }
}

/// Learns pairs one by one.
fn learnt(of: &[(u64, f64, f64)]) -> Learner {
    let mut learner = Learner::default();
    of.iter().for_each(|it| learner.learn(it.0, it.1, it.2));
    learner
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn no_map_reorders_two_scores(of in pairs(1_100), few in pairs(250), a in 0.0..1.0_f64, b in 0.0..1.0_f64) {
        let now = HALF_LIFE_NS * 3;
        for (learner, to) in [(learnt(&of), Match::Mean), (learnt(&of), Match::Rate), (learnt(&few), Match::Mean)] {
            let map = learner.fit(now, to);
            let (low, high) = (map.apply(a.min(b)), map.apply(a.max(b)));
            prop_assert!(low <= high);
            prop_assert_eq!(ScoreMap::of(map.shape(), map.scale(), map.knots().to_vec()), Some(map));
        }
    }

    #[test]
    fn order_does_not_matter_and_merges_are_lawful(of in pairs(1_000), more in pairs(300), turn in 0_usize..1_000) {
        let mut other = of.clone();
        other.rotate_left(turn);
        let (a, b) = (learnt(&of), learnt(&other));
        prop_assert_eq!(&a, &b, "the first thousand, in any order");
        // Those after it, on one grid: merged, in either order, or counted.
        let apart = |part: &[(u64, f64, f64)]| {
            let mut learner = a.clone();
            part.iter().for_each(|it| learner.learn(it.0, it.1, it.2));
            learner
        };
        let mut back = more.clone();
        back.reverse();
        prop_assert_eq!(apart(&more), apart(&back), "later ones, in any order");
        let (mut x, mut y) = (learnt(&more), learnt(&of));
        x.merge(&a).expect("one of them has no cells");
        y.merge(&learnt(&more)).expect("one of them has no cells");
        prop_assert_eq!(&x, &y, "merged in either order");
        prop_assert_eq!(&x, &apart(&more), "a merge of parts is the whole");
        let (mut two, mut again) = (apart(&more), apart(&[]));
        again.merge(&apart(&more)).expect("one grid");
        two.merge(&apart(&[])).expect("one grid");
        prop_assert_eq!(two, again, "a merge commutes");
    }
}
