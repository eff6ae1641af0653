//! Tests of `canary`.

use super::{Outcome::Lost, *};

/// A canary with so many metrics, and its first fed with pairs of losses.
fn fed(metrics: usize, pairs: impl IntoIterator<Item = (f64, f64)>) -> Canary {
    let mut canary = Canary::new(Terms::default(), metrics).expect("sound");
    for (at, (new, old)) in (0..).zip(pairs) {
        canary.update(at, 0, Lost(new), Lost(old));
    }
    canary
}

#[test]
fn can_1_harm_in_one_metric_rolls_back_and_more_metrics_want_more_odds() {
    let rows = |metrics: usize| (1..).find(|n| fed(metrics, vec![(1.0, 0.0); *n]).verdict() != Verdict::Hold);
    let (one, ten) = (rows(1).expect("harm"), rows(10).expect("harm"));
    assert!(one < ten && ten < 30, "{one} {ten}");
    assert_eq!(fed(1, vec![(1.0, 0.0); one]).verdict(), Verdict::Harm { metric: 0 });
    let mut canary = fed(2, vec![(0.0, 0.0); 2_000]);
    (0..30).for_each(|at| canary.update(at, 1, Outcome::Missing, Lost(0.0)));
    assert_eq!(canary.verdict(), Verdict::Harm { metric: 1 });
    (0..9_000).for_each(|at| canary.update(at, 1, Lost(0.0), Lost(1.0)));
    assert_eq!(canary.verdict(), Verdict::Harm { metric: 1 }, "what was shown stays shown");
}

#[test]
fn can_2_an_early_advance_wants_every_metric_safe() {
    let mut canary = fed(2, vec![(0.0, 0.0); 1_000]);
    assert!(canary.odds(0).expect("a metric").safe >= 20.0);
    assert_eq!(canary.verdict(), Verdict::Hold, "of the second nothing is known");
    (0..1_000).for_each(|at| canary.update(at, 1, Lost(0.0), Lost(0.0)));
    assert_eq!(canary.verdict(), Verdict::Safe);
    // Worse by just less than the margin: not harmed, and safe only after very long.
    let slightly = fed(1, (0..5_000).map(|at| (f64::from(u8::from(at % 50 == 0)), 0.0)));
    assert_eq!(slightly.verdict(), Verdict::Hold);
}

#[test]
fn can_3_missing_is_lost_and_unlabelled_is_no_row() {
    assert_eq!([Outcome::Missing.loss(), Outcome::Unlabelled.loss(), Lost(f64::NAN).loss()], [Some(1.0), None, None]);
    assert_eq!([Lost(7.0).loss(), Lost(-1.0).loss()], [Some(1.0), Some(0.0)]);
    let mut canary = fed(1, []);
    canary.update(0, 0, Outcome::Unlabelled, Lost(0.0));
    canary.update(0, 0, Lost(0.0), Outcome::Unlabelled);
    canary.update(0, 9, Lost(0.0), Lost(0.0));
    let odds = canary.odds(0).expect("a metric");
    assert!(odds.rows == 0 && (odds.harm - 1.0).abs() < 1e-12 && (odds.safe - 1.0).abs() < 1e-12, "{odds:?}");
    assert_eq!((canary.odds(9), canary.still_needed(9)), (None, None));
}

#[test]
fn can_4_a_latency_counts_by_the_quantile_that_it_exceeds() {
    let of = |latency: f64| Outcome::slower_than(latency, 2.0).loss();
    assert_eq!(
        [of(1.0), of(2.0), of(2.1), of(1e9), of(f64::NAN)].map(|it| it.expect("a row")),
        [0.0, 0.0, 1.0, 1.0, 1.0]
    );
}

#[test]
fn rows_still_needed_are_about_right_and_none_where_nothing_leads_anywhere() {
    let needed = (1..).find(|n| fed(1, vec![(0.0, 0.0); *n]).verdict() == Verdict::Safe).expect("safe");
    let told = |rows: usize| {
        let more = fed(1, vec![(0.0, 0.0); rows]).still_needed(0).expect("it grows");
        rows + usize::try_from(more).expect("small")
    };
    // Evidence grows slowly at first, so that too many are told rather than too few, and better ones later.
    assert!((needed..2 * needed).contains(&told(needed / 4)), "told {}, needed {needed}", told(needed / 4));
    assert!((needed..needed * 5 / 4).contains(&told(needed * 3 / 4)), "told {}, needed {needed}", told(needed * 3 / 4));
    assert_eq!(fed(1, vec![(0.0, 0.0); 1_000]).still_needed(0), Some(0));
    assert_eq!(fed(1, []).still_needed(0), None);
    // At the margin itself neither side wins for long.
    assert!(
        fed(1, (0..1_000).map(|at| (f64::from(u8::from(at % 50 == 0)), 0.0)))
            .still_needed(0)
            .is_none_or(|it| it > 1_000)
    );
}

#[test]
fn the_signals_are_common_logarithms_in_thousandths() {
    let mut metric = Metric::new(0.02).expect("sound");
    assert_eq!(metric.quantise(), [Some(0), Some(0)]);
    metric.update(0, 1.0);
    let odds = metric.odds();
    // z = .98 / 1.02: E is the mean of 1 + λz; the other engine loses λ: the mean of 1 − λ.
    assert!(
        (odds.harm - (1.0 + 1.57 / 6.0 * 0.98 / 1.02)).abs() < 1e-12 && (odds.safe - (1.0 - 1.57 / 6.0)).abs() < 1e-12
    );
    assert_eq!(metric.quantise(), [Some(97), Some(-132)]);
}

#[test]
fn terms_that_promise_nothing_are_refused() {
    let terms = Terms::default();
    for terms in [
        Terms { alpha: 0.0, ..terms },
        Terms { beta: 1.0, ..terms },
        Terms { margin: -0.1, ..terms },
        Terms { margin: 1.0, ..terms },
        Terms { alpha: f64::NAN, ..terms },
        Terms { margin: f64::NAN, ..terms },
    ] {
        assert_eq!(Canary::new(terms, 1), None, "{terms:?}");
    }
    assert_eq!(Canary::new(terms, 0), None);
}
