//! The row score: oracles of the page, invariants, and references that are no good.

use proptest::prelude::*;

use super::*;
use crate::row::{Kind, mix};

const SETTINGS: Settings = Settings { seed: 7, false_alarm_rate: Some(0.01) };

/// Numbers by seed, about normal.
fn normal(seed: u64) -> f64 {
    (0..12).map(|at| (mix(mix(seed) ^ at) >> 11) as f64 / 9_007_199_254_740_992.0).sum::<f64>() - 6.0
}

/// Rows of normal numbers, as many columns as asked for.
fn rows(count: u64, width: u64, source: u64) -> Vec<(RowId, Vec<Value<'static>>)> {
    let row = |number| {
        let values = (0..width).map(|at| Value::Number(normal(source * 1_000_003 + number * width + at)));
        (RowId { source, number }, values.collect())
    };
    (0..count).map(row).collect()
}

fn fit(features: &[(&str, Kind)], rows: &[(RowId, Vec<Value<'_>>)]) -> Result<RowScore, Unfit> {
    let rows: Vec<_> = rows.iter().map(|(id, values)| FitRow { id: *id, values }).collect();
    RowScore::fit(features, &rows, SETTINGS)
}

fn numbers(width: usize) -> Vec<(&'static str, Kind)> {
    ["a", "b", "c", "d", "e", "f", "g", "h"].iter().cycle().take(width).map(|it| (*it, Kind::Number)).collect()
}

#[test]
fn the_oracles_of_the_page() {
    let feature =
        |name: &str| Feature { name: name.into(), rows: 2, missing: 0, form: Form::Number { mean: 0.0, sd: 1.0 } };
    let encoder = Encoder::of(vec![feature("x"), feature("y")]).expect("two");
    let kept = Kept { ids: vec![RowId::default(); 2], columns: vec![0.0, 0.0, 3.0, 4.0] };
    let calibration = Calibration::of(vec![5.0, 2.0, 1.0, 2.0]).expect("numbers");
    let score = RowScore::of(encoder, kept, calibration, 0, 2).expect("two rows");
    let found = score.score(&[Value::Number(1.0), Value::Number(1.0)]).expect("numbers");
    assert_eq!((found.s, found.p, found.nearest), (2.0, PValue { rank: 4, of: 5 }, 0));
    assert_eq!([score.calibration.p(2.0).value(), score.calibration.p(6.0).value()], [0.8, 0.2]);
    assert_eq!(PValue { rank: 1, of: 3 }.millionths(), 333_334, "rounded up");
}

#[test]
fn anom_2_the_same_rows_give_the_same_bits_in_any_order() {
    let mut all = rows(500, 3, 1);
    let forwards = fit(&numbers(3), &all).expect("rows");
    all.reverse();
    all.swap(3, 77);
    assert_eq!(fit(&numbers(3), &all).expect("rows"), forwards);
    let digest = forwards.calibration.scores().iter().chain(&forwards.kept.columns);
    let digest = digest.fold(0, |digest, it| mix(digest ^ u64::from(it.to_bits())));
    assert_eq!(digest, GOLDEN, "golden: the digest that every machine finds");
}

const GOLDEN: u64 = 13_889_891_638_119_894_910;

#[test]
fn anom_1_no_row_has_two_parts() {
    let all = rows(500, 3, 1);
    let score = fit(&numbers(3), &all).expect("rows");
    assert_eq!((score.kept.ids.len(), score.calibration.scores().len()), (256, 125));
    assert!(score.calibration.scores().iter().all(|it| *it > 0.0), "a kept row would be at no distance from itself");
    assert_eq!(score.encoder.features()[0].rows, 375, "means are those of rows that do not calibrate");
}

#[test]
fn anom_3_false_alarms_stay_below_the_rate_on_rows_like_those_of_the_reference() {
    let score = fit(&numbers(5), &rows(4_000, 5, 1)).expect("rows");
    let p: Vec<_> = rows(20_000, 5, 2).iter().map(|it| score.score(&it.1).expect("numbers").p).collect();
    for rate in [0.01, 0.05, 0.2] {
        let alarms = p.iter().filter(|it| it.value() <= rate).count() as f64 / p.len() as f64;
        // Beta(l, n+1-l), and the noise of 20,000 rows: four standard deviations.
        let sd = (rate * (1.0 - rate) * (1.0 / 1_000.0 + 1.0 / 20_000.0)).sqrt();
        assert!((alarms - rate).abs() < 4.0 * sd, "{rate}: {alarms}");
    }
    let far = score.score(&[Value::Number(9.0); 5]).expect("numbers");
    assert_eq!((far.p.rank, together(&mut [far.p])), (1, Some(far.p)));
}

#[test]
fn anom_3_requests_of_twenty_usual_rows_are_called_anomalous_no_more_often_than_single_rows() {
    let (references, rate) = (20, 0.2);
    let alarms: Vec<f64> = (0..references)
        .map(|seed| {
            let score = fit(&numbers(5), &rows(4_000, 5, 2 * seed + 10)).expect("rows");
            let rows = rows(2_000, 5, 2 * seed + 11);
            let p: Vec<_> = rows.iter().map(|it| score.score(&it.1).expect("numbers").p).collect();
            let requests = p.chunks_exact(20).map(|it| together(&mut it.to_vec()).expect("rows"));
            requests.filter(|it| it.value() <= rate).count() as f64 / 100.0
        })
        .collect();
    let mean = alarms.iter().sum::<f64>() / alarms.len() as f64;
    let error = (alarms.iter().map(|it| (it - mean) * (it - mean)).sum::<f64>() / 19.0 / 20.0).sqrt();
    assert!(mean > rate / 2.0 && mean < rate + 3.0 * error, "{mean} ± {error}");
}

#[test]
fn anom_3_many_strange_rows_are_rare_together_and_one_among_many_has_to_be_rarer() {
    let of =
        |ranks: &[u32]| together(&mut ranks.iter().map(|rank| PValue { rank: *rank, of: 1_000 }).collect::<Vec<_>>());
    let with = |strange: usize, usual: usize| of(&[vec![1; strange], vec![500; usual]].concat()).expect("rows").rank;
    for (strange, usual, rank) in
        [(1, 0, 1), (1, 9, 10), (1, 999, 500), (10, 0, 1), (1_000, 0, 1), (10, 90, 10), (3, 4, 3)]
    {
        assert_eq!(with(strange, usual), rank, "{strange} of {}", strange + usual);
    }
    assert_eq!((of(&[]), of(&[30, 20, 10])), (None, of(&[30])), "three that are a little rare");
}

#[test]
fn names_and_gaps_stand_as_far_as_they_are_rare() {
    let row = |at: u64| {
        let name = if at.is_multiple_of(10) { "rare" } else { "usual" };
        let number = if at.is_multiple_of(20) { Value::Missing } else { Value::Number(1.0) };
        (RowId { source: 1, number: at }, vec![Value::Category(name), number])
    };
    let score = fit(&[("name", Kind::Category), ("number", Kind::Number)], &(0..400).map(row).collect::<Vec<_>>());
    let score = score.expect("rows");
    assert_eq!(score.encoder.columns(), 4, "two names, a number, its gap");
    let s = |values: [Value<'_>; 2]| score.score(&values).expect("valid").s;
    let usual = Value::Category("usual");
    assert_eq!(s([usual, Value::Number(1.0)]), 0.0, "a constant column is no distance");
    // 300 fitted rows; neither an unseen name nor a gap where there was none is like any of them.
    assert!(s([Value::Category("new"), Value::Number(1.0)]) > 290.0);
    assert!(s([usual, Value::Missing]) > 5.0 && s([usual, Value::Missing]) < 60.0, "usual rows are never without");
    let far = score.explain(&[Value::Category("new"), Value::Number(4.0)]).expect("valid");
    assert_eq!(far.shares.iter().map(|it| it.0).collect::<Vec<_>>(), [0, 1], "the name, then the number");
    assert!((far.shares.iter().map(|it| it.1).sum::<f64>() - 1.0).abs() < 1e-12);
}

#[test]
fn many_columns_are_compared_as_64_and_explained_as_they_are() {
    let score = fit(&numbers(200), &rows(1_200, 200, 1)).expect("rows");
    let mut strange = rows(1, 200, 2).remove(0).1;
    strange[150] = Value::Number(60.0);
    let (usual, found) = (score.score(&rows(1, 200, 2)[0].1), score.score(&strange));
    assert!(usual.expect("numbers").p.rank > 3 && found.expect("numbers").p.rank == 1);
    assert_eq!(score.explain(&strange).expect("numbers").shares[0].0, 150);
}

#[test]
fn the_rate_of_one_reference_is_told_by_the_law_that_it_has() {
    let of = |n: usize| Calibration::of(vec![1.0; n]).expect("sound");
    // Quantiles of Beta(l, n + 1 − l) at .95, by bisection of the binomial law in another program.
    for (n, rate, most) in [
        (2_000, 0.01, 0.013_908_654),
        (10_000, 0.001, 0.001_569_995),
        (2_000, 0.001, 0.002_369_713),
        (708, 0.01, 0.016_657_594),
        (99, 0.05, 0.090_073_558),
    ] {
        let found = of(n).rate_at_most(rate);
        assert!((found - most).abs() < 1e-8, "{n} {rate}: {found}");
    }
    assert_eq!([of(98).rate_at_most(0.01), of(0).rate_at_most(0.5), of(10).rate_at_most(f64::NAN)], [0.0; 3]);
}

#[test]
fn bad_references_get_a_verdict_or_a_refusal() {
    assert_eq!(fit(&[], &[]), Err(Unfit::NoFeatures));
    assert_eq!(fit(&numbers(1), &[]), Err(Unfit::NoRows));
    let nan = [(RowId::default(), vec![Value::Number(f64::NAN)])];
    assert_eq!(fit(&numbers(1), &nan), Err(Unfit::NoRows), "ANOM-4");
    let one = fit(&numbers(1), &rows(1, 1, 1)).expect("one row");
    assert_eq!(one.standing(0.01), Standing::GuardsOnly { rows: 1 });
    assert_eq!(one.score(&[Value::Number(5.0)]).expect("a number").p.value(), 1.0, "nothing is anomalous");
    let some = fit(&numbers(2), &rows(1_000, 2, 1)).expect("rows");
    assert_eq!(some.standing(0.001), Standing::Refused { needed: 1_000 });
    assert!(matches!(some.standing(0.01), Standing::Thin { expected } if (expected - 2.51).abs() < 1e-9));
    assert_eq!(some.standing(0.05), Standing::Sound);
    assert_eq!(some.standing(f64::NAN), Standing::Refused { needed: 0 });
    let many =
        vec![Feature { name: "a".into(), rows: 1, missing: 1, form: Form::Number { mean: 0.0, sd: 1.0 } }; 40_000];
    assert_eq!(Encoder::of(many), Err(Unfit::TooManyColumns { columns: 80_000, limit: 65_536 }));
}

#[test]
fn names_by_the_thousand_have_254_columns_and_one_for_the_rest() {
    let ids: Vec<String> = (0..1_500).map(|it| format!("id {}", it % 1_000)).collect();
    let row = |(at, id)| (RowId { source: 1, number: at as u64 }, vec![Value::Category(id)]);
    let all: Vec<_> = ids.iter().map(String::as_str).enumerate().map(row).collect();
    let score = fit(&[("id", Kind::Category)], &all).expect("rows");
    assert_eq!(score.encoder.columns(), 255);
    assert!(score.score(&[Value::Category("id 5000")]).expect("a name").s < 300.0, "one of the rest, not unseen");
}

proptest! {
    #[test]
    fn anom_4_numbers_of_any_size_have_a_score_and_what_is_none_has_not(
        a in any::<f64>(), b in any::<f64>(), values in prop::collection::vec((any::<f64>(), any::<f64>()), 1..30),
    ) {
        let row = |(at, it): (usize, &(f64, f64))| {
            (RowId { source: 1, number: at as u64 }, vec![Value::Number(it.0), Value::Number(it.1)])
        };
        let all: Vec<_> = values.iter().enumerate().map(row).collect();
        if let Ok(score) = fit(&numbers(2), &all) {
            let found = score.score(&[Value::Number(a), Value::Number(b)]);
            prop_assert_eq!(found.is_ok(), a.is_finite() && b.is_finite());
            if let Ok(found) = found {
                prop_assert!(found.s.is_finite() && found.s >= 0.0 && found.p.rank >= 1 && found.p.rank <= found.p.of);
                let why = score.explain(&[Value::Number(a), Value::Number(b)]).expect("valid");
                prop_assert!(why.shares.iter().all(|it| it.1 > 0.0 && it.1 <= 1.000_001));
            }
        }
    }
}
