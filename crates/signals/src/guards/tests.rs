//! Each guard for itself, all of them together, and what they must not say.

use super::*;

fn rules() -> Guards {
    let number = Rule { required: true, range: Some([0.0, 10.0]), ..Rule::new(Kind::Number) };
    let names = Some(Names::Listed(vec!["de".to_owned(), "fr".to_owned()]));
    let country = Rule { names, ..Rule::new(Kind::Category) };
    let vector = Rule { range: Some([0.9, 1.1]), max_age_ms: Some(1_000), ..Rule::new(Kind::Vector(2)) };
    Guards { rules: vec![number, country, vector], missing_ratio: 0.4 }
}

const SOUND: [Value<'static>; 3] = [Value::Number(1.0), Value::Category("de"), Value::Vector(&[0.6, 0.8])];

fn check(row: &[Given<'_>]) -> Vec<(Code, Option<usize>)> {
    rules().check(row).breaches.iter().map(|it| (it.code, it.feature)).collect()
}

fn with(feature: usize, value: Value<'_>) -> Vec<(Code, Option<usize>)> {
    let mut row = SOUND.map(Given::of);
    row[feature] = Given::of(value);
    check(&row)
}

#[test]
fn each_guard_says_what_it_is_for() {
    assert_eq!(check(&SOUND.map(Given::of)), []);
    for (feature, value, code) in [
        (0, Value::Category("1"), Some(Code::Type)),
        (0, Value::Number(f64::NAN), Some(Code::Type)),
        (0, Value::Number(f64::INFINITY), Some(Code::Type)),
        (0, Value::Invalid, Some(Code::Type)),
        (0, Value::Missing, Some(Code::MissingRequired)),
        (0, Value::Number(10.0), None),
        (0, Value::Number(-0.1), Some(Code::Range)),
        (0, Value::Number(10.1), Some(Code::Range)),
        (1, Value::Missing, None),
        (1, Value::Category("xx"), Some(Code::UnseenCategory)),
        (1, Value::Number(1.0), Some(Code::Type)),
        (2, Value::Vector(&[3.0, 4.0]), Some(Code::Norm)),
        (2, Value::Vector(&[0.0, 0.0]), Some(Code::Norm)),
        (2, Value::Vector(&[1.0]), Some(Code::Type)),
        (2, Value::Vector(&[f32::NAN, 1.0]), Some(Code::Type)),
    ] {
        assert_eq!(
            with(feature, value),
            code.map(|it| (it, Some(feature))).into_iter().collect::<Vec<_>>(),
            "{value:?}"
        );
    }
}

#[test]
fn guard_2_all_that_is_wrong_is_said_in_the_order_of_the_page() {
    let old = Given { value: Value::Vector(&[9.0, 9.0]), usable: false, age_ms: Some(5_000) };
    let row = [Given::of(Value::Missing), Given::of(Value::Missing), old, Given::of(Value::Number(1.0))];
    let found = rules().check(&row);
    let codes: Vec<_> = found.breaches.iter().map(|it| it.code).collect();
    assert_eq!(
        codes,
        [Code::Type, Code::MissingRequired, Code::MissingRatio, Code::Norm, Code::Status, Code::Stale],
        "one feature too many, one missing, two of three missing, and an old vector"
    );
    assert_eq!(found.codes(), ["missing_ratio", "missing_required", "norm", "stale", "status", "type"]);
    assert_eq!((found.staleness_ms, found.missing_ratio), (Some(5_000), 2.0 / 3.0));
    assert_eq!(rules().check(&row), found);
}

#[test]
fn guard_3_a_wrong_type_is_asked_nothing_else() {
    let wrong = Given { value: Value::Invalid, usable: false, age_ms: Some(5_000) };
    let row = [Given::of(SOUND[0]), Given::of(SOUND[1]), wrong];
    assert_eq!(check(&row), [(Code::Type, Some(2))]);
}

#[test]
fn guard_1_a_breach_has_no_place_for_a_value() {
    let secret = rules().check(&[Given::of(Value::Number(1.0)), Given::of(Value::Category("secret name"))]);
    assert!(!format!("{secret:?} {:?}", secret.codes()).contains("secret"));
    assert!(!secret.breaches.is_empty());
}

#[test]
fn a_row_that_is_empty_or_short_is_missing_what_it_lacks() {
    assert_eq!(check(&[]), [(Code::MissingRequired, Some(0)), (Code::MissingRatio, None)]);
    let nothing = Guards { rules: Vec::new(), missing_ratio: 0.2 };
    assert_eq!(nothing.check(&[]), Verdict::default());
}

#[test]
fn a_name_that_the_reference_saw_once_is_not_unseen() {
    let seen = |name| Categories::of(&[name], Some(Vec::new())).expect("one name");
    let rule = Rule { names: Some(Names::Seen(vec![seen("de"), seen("at")])), ..Rule::new(Kind::Category) };
    let guards = Guards { rules: vec![rule], missing_ratio: 0.0 };
    let codes = |name| guards.check(&[Given::of(Value::Category(name))]).codes();
    assert_eq!((codes("de"), codes("at"), codes("fr")), (vec![], vec![], vec!["unseen_category"]), "in any season");
    let cells = Categories::of(&["de"], None).expect("one name");
    let many = Rule { names: Some(Names::Seen(vec![cells])), ..Rule::new(Kind::Category) };
    let guards = Guards { rules: vec![many], missing_ratio: 0.0 };
    assert!(guards.check(&[Given::of(Value::Category("fr"))]).breaches.is_empty(), "of too many not all are known");
}

#[test]
fn a_range_is_three_quartile_distances_beyond_the_thousandths() {
    assert_eq!(range(-3.0, [-1.0, 1.0], 4.0), [-9.0, 10.0]);
    assert_eq!(range(1.0, [1.0, 1.0], 1.0), [1.0, 1.0], "a constant column allows nothing else");
}
