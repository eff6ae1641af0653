//! What texts mean: the distance and its promise, its section, and who is asked about what.

use std::cell::RefCell;

use super::*;
use crate::anomaly::Standing;

const WIDTH: u32 = 24;

fn schema() -> Vec<Column> {
    let meaning = Meaning { of: "question".into(), model: "small".into() };
    vec![
        Column::new("amount", ColumnKind::Number, Role::Input),
        Column::new("question", ColumnKind::Text, Role::Input),
        Column::meaning("vector", WIDTH, meaning),
    ]
}

fn plan() -> Plan {
    Plan { seed: 3, false_alarms_per_million: 10_000, ..Plan::new("help", schema()) }
}

/// A direction by seed, about that of all.
fn vector(seed: u64) -> Vec<f32> {
    let part = |at: u64| (mix(mix(seed) ^ at) >> 40) as f32 / 16_777_216.0 - 0.5;
    (0..u64::from(WIDTH)).map(|at| part(at) + if at < 3 { 1.0 } else { 0.0 }).collect()
}

/// Another direction.
fn far() -> Vec<f32> {
    (0..WIDTH).map(|at| if at < 3 { -1.0 } else { 0.5 }).collect()
}

/// Rows that bring what their texts mean, or do not.
fn build(source: u8, numbers: std::ops::Range<u64>, brings: bool) -> Reference {
    let vectors: Vec<Vec<f32>> = numbers.clone().map(|it| vector(it + 1_000_000 * u64::from(source))).collect();
    let row = |(number, vector): (u64, &'static [f32])| SourceRow {
        number,
        at: None,
        values: vec![
            Value::Number((mix(number) >> 50) as f64),
            Value::Text("how"),
            if brings { Value::Vector(vector) } else { Value::Missing },
        ],
    };
    let rows: Vec<_> = numbers.zip(vectors.into_iter().map(|it| &*it.leak())).map(row).collect();
    Reference::build(&plan(), [source; 32], &rows).expect("sound")
}

#[test]
fn dist_1_of_texts_like_those_of_the_reference_no_more_than_the_rate_are_far() {
    let distance = build(1, 0..8_000, true).distance().expect("known");
    assert_eq!(distance.standing(0.01), Standing::Sound);
    let p: Vec<f64> = (0..20_000).map(|it| distance.of(&vector(9_000_000 + it)).expect("a vector").p.value()).collect();
    for rate in [0.01, 0.05, 0.2] {
        let alarms = p.iter().filter(|it| **it <= rate).count() as f64 / p.len() as f64;
        // Beta(l, n+1-l) of 2,000 calibrating rows, and the noise of 20,000: four standard deviations.
        let sd = (rate * (1.0 - rate) * (1.0 / 2_000.0 + 1.0 / 20_000.0)).sqrt();
        assert!((alarms - rate).abs() < 4.0 * sd, "{rate}: {alarms}");
    }
    let score = distance.of(&far()).expect("a vector");
    assert_eq!((score.p.rank, score.p.of), (1, 2_001), "none that calibrates is as far");
    assert!(distance.nearest(&score).is_some_and(|it| it.number < 8_000));
}

#[test]
fn dist_2_what_is_no_vector_like_those_of_the_reference_has_no_distance() {
    let distance = build(1, 0..100, true).distance().expect("known");
    let wanted = WIDTH;
    assert_eq!(distance.of(&[1.0; 8]), Err(Unlike::Width { found: 8, wanted }));
    assert_eq!(distance.of(&[]), Err(Unlike::Width { found: 0, wanted }));
    for bad in [0.0, f32::NAN, f32::INFINITY] {
        assert_eq!(distance.of(&[bad; WIDTH as usize]), Err(Unlike::Direction), "{bad}");
    }
    assert!(distance.of(&[1e30; WIDTH as usize]).is_ok(), "how long it is does not matter");
}

#[test]
fn what_a_text_means_is_told_apart_from_how_it_looks() {
    let reference = build(1, 0..2_000, true);
    let without = Plan { schema: schema()[..2].to_vec(), ..plan() };
    let row = |number| SourceRow {
        number,
        at: None,
        values: vec![Value::Number((mix(number) >> 50) as f64), Value::Text("how")],
    };
    let plain = Reference::build(&without, [1; 32], &(0..2_000).map(row).collect::<Vec<_>>()).expect("sound");
    assert_eq!(reference.row_score(), plain.row_score(), "the row score does not know of it");
    assert_eq!(reference.live().scalars().len(), plain.live().scalars().len());
    assert_eq!(plain.distance(), None);
    assert_eq!(build(1, 0..100, false).distance(), None, "of no row it is known");
}

#[test]
fn ref_1_its_section_comes_back_and_merges_with_or_without_a_sample() {
    let (one, other) = (build(1, 0..400, true), build(2, 0..300, true));
    for reference in [one.clone(), one.clone().without_sample()] {
        let read = Reference::decode(&reference.encode()).expect("sound");
        assert_eq!((&read, read.distance()), (&reference, one.distance()));
    }
    let both = merged(&one, &other);
    assert_eq!(both.encode(), merged(&other, &one).encode(), "REF-2");
    let rows = |it: &Reference| it.distance.as_ref().map(|it| it.calibration.scores().len());
    assert_eq!((rows(&one), rows(&other), rows(&both)), (Some(100), Some(75), Some(175)));
    let model = Meaning { of: "question".into(), model: "large".into() };
    let schema = [&schema()[..2], &[Column::meaning("vector", WIDTH, model)]].concat();
    let another = Plan { schema, ..plan() };
    let rows = [SourceRow { number: 0, at: None, values: vec![Value::Missing, Value::Text("how"), Value::Missing] }];
    let another = Reference::build(&another, [3; 32], &rows).expect("sound");
    assert_eq!(one.merge(&another), Err(Unmergeable::Plan("columns")), "what two models say cannot be compared");
}

#[test]
fn ref_3_a_section_that_holds_what_cannot_be_is_refused() {
    let bytes = build(1, 0..60, true).encode();
    let (_, at, length) = sections_of(&bytes).into_iter().find(|it| it.0 == *b"DIST").expect("there");
    for flipped in (at + 44..at + 44 + length).step_by(97) {
        let mut broken = bytes.clone();
        broken[flipped] ^= 0x7f;
        // Whatever it says now, nothing panics.
        if let Ok(read) = Reference::decode(&sealed_again(broken)) {
            let _ = read.distance().map(|it| it.of(&far()));
        }
    }
}

#[test]
fn mean_1_drawn_rows_alone_are_asked_about_a_few_at_once_and_as_if_they_had_brought_it() {
    let asked = RefCell::new(Vec::<usize>::new());
    let of = |text: &str| vector(text.parse().expect("a number"));
    let texts: Vec<String> = (0..20_050_u64).map(|it| it.to_string()).collect();
    let pass = |brings: bool| {
        let texts = &texts;
        move |each: &mut EachRow<'_>| {
            for (number, text) in (0..).zip(texts) {
                let vector = of(text);
                let meaning = if brings { Value::Vector(&vector) } else { Value::Missing };
                let question = if number == 7 { Value::Text("  ") } else { Value::Text(text) };
                let values = vec![Value::Number(1.0), question, if number == 7 { Value::Missing } else { meaning }];
                each(&SourceRow { number, at: None, values })?;
            }
            Ok::<(), Unbuildable>(())
        }
    };
    let mut ask = |texts: &[String]| {
        asked.borrow_mut().push(texts.len());
        Ok(texts.iter().map(|it| of(it)).collect())
    };
    let got = Reference::build_asking(&plan(), [1; 32], pass(false), Some(&mut ask)).expect("sound");
    let brought = Reference::build_in_passes(&plan(), [1; 32], pass(true)).expect("sound");
    assert_eq!(got.encode(), brought.encode());
    let asked = asked.into_inner();
    assert!(asked.iter().all(|it| *it <= 32), "{asked:?}");
    assert!(
        (19_999..=20_000).contains(&asked.iter().sum::<usize>()),
        "the blank one may be among those that are drawn"
    );
}

#[test]
fn mean_2_who_fails_is_asked_no_more_and_another_length_is_no_vector() {
    let row =
        |number| SourceRow { number, at: None, values: vec![Value::Number(1.0), Value::Text("how"), Value::Missing] };
    let rows: Vec<_> = (0..100).map(row).collect();
    let pass = |each: &mut EachRow<'_>| rows.iter().try_for_each(&mut *each);
    let mut asked = 0;
    let mut fails = |_: &[String]| {
        asked += 1;
        Err(Unbuildable::NoColumns)
    };
    let failed = Reference::build_asking(&plan(), [1; 32], pass, Some(&mut fails));
    assert_eq!((failed.err(), asked), (Some(Unbuildable::NoColumns), 1));
    let mut narrow = |texts: &[String]| Ok(vec![vec![1.0_f32; 5]; texts.len()]);
    let failed = Reference::build_asking(&plan(), [1; 32], pass, Some(&mut narrow));
    assert_eq!(failed.err(), Some(Unbuildable::Width { found: 5, wanted: WIDTH }));
    let mut few = |_: &[String]| Ok(vec![vector(1)]);
    let failed = Reference::build_asking(&plan(), [1; 32], pass, Some(&mut few));
    assert_eq!(failed.err(), Some(Unbuildable::Vectors { found: 1, wanted: 32 }));
}

#[test]
fn a_meaning_is_that_of_one_text_that_is_not_private() {
    let meaning = |of: &str| Meaning { of: of.into(), model: "small".into() };
    let text = Column::new("question", ColumnKind::Text, Role::Input);
    let private = Column { private: true, ..text.clone() };
    for schema in [
        vec![text.clone(), Column::meaning("v", 2, meaning("other"))],
        vec![private, Column::meaning("v", 2, meaning("question"))],
        vec![text.clone(), Column::meaning("v", 2, meaning("question")), Column::meaning("w", 2, meaning("question"))],
        vec![text.clone(), Column::new("v", ColumnKind::Vector(2), Role::Meaning)],
        vec![Column { meaning: Some(meaning("question")), ..text.clone() }],
        vec![text, Column { kind: ColumnKind::Number, ..Column::meaning("v", 2, meaning("question")) }],
    ] {
        let plan = Plan { schema: schema.clone(), ..plan() };
        let row = SourceRow { number: 0, at: None, values: vec![Value::Missing; schema.len()] };
        assert_eq!(Reference::build(&plan, [1; 32], &[row]).err(), Some(Unbuildable::Meaning), "{schema:?}");
    }
}
