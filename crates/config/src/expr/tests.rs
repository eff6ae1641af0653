//! Conditions, right and wrong, by table.

use super::*;

const INPUTS: [(&str, Type); 5] = [
    ("age", Type::Int),
    ("country", Type::Text),
    ("income", Type::Float),
    ("occupancy", Type::Float),
    ("vip", Type::Bool),
];

fn inputs() -> Vec<(String, Type)> {
    INPUTS.map(|(name, of)| (name.to_owned(), of)).into()
}

/// Values in the order of [`INPUTS`].
struct Values([Option<Scalar<'static>>; 5]);

impl Row for Values {
    fn value(&self, input: usize) -> Option<Scalar<'_>> {
        self.0[input]
    }
}

const ROW: Values = Values([
    Some(Scalar::Int(40)),
    Some(Scalar::Text("de")),
    Some(Scalar::Float(5.5)),
    Some(Scalar::Float(2.0)),
    Some(Scalar::Bool(false)),
]);

fn holds(source: &str, row: &Values) -> Result<bool, String> {
    let inputs = inputs();
    let expr = Expr::compile(source, &inputs).unwrap_or_else(|problems| panic!("{source}: {problems:?}"));
    expr.holds(&inputs, row).map_err(|it| it.to_string())
}

#[test]
fn conditions_are_computed_as_they_read() {
    for (source, expected) in [
        ("income >= 5.0", true),
        ("income >= 5", true),
        ("income < 5", false),
        ("age > 39.5 && age < 41", true),
        ("age == 40.0", true),
        ("income == 5.5 && age != 41", true),
        ("income >= 3.5 || vip", true),
        ("!vip", true),
        ("country in ['fr', 'de']", true),
        ("age in [39, 41]", false),
        ("income in [5.5]", true),
        ("income - occupancy * 2.0 > 1.4", true),
        ("-age == -40", true),
        ("age % 7 == 5 && age / 2 == 20", true),
        ("double(age) / 3.0 > 13.3", true),
        ("int(income) == 5", true),
        ("country.startsWith('d') && country.endsWith('e') && country.contains('de')", true),
        ("size(country) == 2", true),
        ("max(income, occupancy) == 5.5 && min(income, occupancy) == 2.0", true),
        ("max(age, 41) == 41 && min(age, 41) == 40 && abs(39 - age) == 1", true),
        ("abs(occupancy - income) == 3.5", true),
        ("vip ? income > 1.0 : income > 6.0", false),
        ("country > 'da'", true),
        ("vip == false", true),
        ("true", true),
        ("country == \"dé\"", false),
    ] {
        assert_eq!(holds(source, &ROW), Ok(expected), "{source}");
    }
}

#[test]
fn what_cannot_be_computed_is_an_error_and_no_panic() {
    let mut row = ROW;
    row.0[2] = Some(Scalar::Float(f64::NAN));
    row.0[0] = Some(Scalar::Int(i64::MAX));
    row.0[1] = None;
    for (source, why) in [
        ("income > 5.0", "a comparison with NaN"),
        ("max(income, 9.0) > 5.0", "a comparison with NaN"),
        ("min(9.0, income) > 5.0", "a comparison with NaN"),
        ("abs(-age - 1) > 0", "a number that is too large"),
        ("age + 1 > 0", "a number that is too large"),
        ("age * 2 > 0", "a number that is too large"),
        ("-(-age - 1) > 0", "a number that is too large"),
        ("1 / (age - age) > 0", "a division by zero"),
        ("1 % (age - age) > 0", "a division by zero"),
        ("country == 'de'", "`country` is absent"),
    ] {
        assert_eq!(holds(source, &row), Err(why.to_owned()), "{source}");
    }
    row.0[3] = Some(Scalar::Int(2));
    assert_eq!(holds("occupancy * 1.5 == 3.0", &row), Ok(true), "whole numbers stand for numbers");
    for (given, expected) in [(40.0, Ok(true)), (40.5, Err("`age` is absent".to_owned()))] {
        let row = Values([Some(Scalar::Float(given)), None, None, None, None]);
        assert_eq!(holds("age % 7 == 5", &row), expected, "{given}");
    }
    assert_eq!(holds("income == income", &row), Ok(false), "NaN is not even itself");
    assert_eq!(holds("vip && country == 'de'", &row), Ok(false), "what is not needed is not asked for");
    assert!(holds("int(income) > 0", &row).is_err());
}

#[test]
fn mistakes_have_a_position_and_a_hint() {
    for (source, at, message) in [
        ("", 0, "the expression is empty"),
        ("income >", 8, "not CEL"),
        ("'é' > > 5", 6, "not CEL"),
        ("vip &&\n 'é' > > 5", 14, "not CEL"),
        ("incom > 5.0", 0, "there is no input `incom`"),
        ("vip && incom > 5.0", 7, "there is no input `incom`"),
        ("'é' == country && agee > 5", 18, "there is no input `agee`"),
        ("income + 1 > 2.0", 7, "`+` does not go with a number with a fraction and a whole number"),
        ("income", 0, "the whole is a number with a fraction, not true or false"),
        ("country > 5", 8, "`>` does not go with a text and a whole number"),
        ("vip > true", 4, "`>` does not go with true or false and true or false"),
        ("country == 5", 8, "`==` does not go with"),
        ("vip && age", 4, "`&&` does not go with true or false and a whole number"),
        ("!age", 0, "`!` does not go with a whole number"),
        ("country in ['de', 5]", 18, "a text is never a whole number"),
        ("country in country", 11, "`in` needs a list"),
        ("country in []", 8, "the list is empty"),
        ("country.matches('.*')", 15, "there is no function `matches`"),
        ("size(age) > 1", 4, "`size` takes a text, not a whole number"),
        (
            "max(age, income) > 1.0",
            3,
            "`max` takes a number with a fraction and a number with a fraction, or a whole number and a whole",
        ),
        ("max(income) > 1.0", 3, "`max` takes"),
        ("abs(vip) > 1", 3, "`abs` takes a number with a fraction, or a whole number, not true or false"),
        ("income % 2.0 > 1.0", 7, "`%` does not go with"),
        ("[1, 2].all(x, x > 1)", 10, "fields, maps, lists and macros"),
        ("has(country.x)", 3, "fields, maps, lists and macros"),
        ("country.x == 'a'", 7, "fields, maps, lists and macros"),
        ("country[0] == 'a'", 7, "nothing here has parts"),
        ("age == null", 7, "no input has this type"),
        ("age == 5u", 7, "no input has this type"),
        ("age > 99999999999999999999", 6, "not CEL"),
        ("income > 1e999", 9, "not CEL: invalid double literal"),
    ] {
        let problems = Expr::compile(source, &inputs()).expect_err(source);
        let first = &problems[0];
        assert!(first.message.starts_with(message) && !first.hint.is_empty(), "{source}: {problems:?}");
        assert_eq!(first.at, at, "{source}: {problems:?}");
    }
    let several = Expr::compile("agee > 1 && incom > 2", &inputs()).expect_err("two names");
    assert_eq!(several.iter().map(|it| it.at).collect::<Vec<_>>(), [0, 12]);
    assert_eq!(several[0].hint, "did you mean `age`?");
}

#[test]
fn se_11_an_expression_that_costs_too_much_is_refused_when_read() {
    let deep = format!("{}vip{}", "(".repeat(100_000), ")".repeat(100_000));
    for source in [
        deep.clone(),
        deep[..4_000].into(),
        "(".repeat(40),
        "vip ? ".repeat(60) + "vip" + &" : vip".repeat(60),
        vec!["vip"; 600].join(" && "),
        format!("age in [{}]", vec!["1"; 2_000].join(",")),
        "a.".repeat(3_000) + "b",
        "a.".repeat(400) + "b",
        "1 - ".repeat(500) + "1 > 0",
        "1 - ".repeat(100) + "1 > 0",
    ] {
        let problems = Expr::compile(&source, &inputs()).expect_err("too large");
        assert!(!problems.is_empty());
    }
}

#[test]
fn what_can_only_hold_where_another_holds_is_found() {
    let read = |source: &str| Expr::compile(source, &inputs()).expect(source);
    for (narrow, wide, expected) in [
        ("income>=5.0", "income >= 5.0", true),
        ("income >= 5.0 && vip", "income >= 5.0", true),
        ("vip && income >= 5.0 && age > 3", "income >= 5.0 && vip", true),
        ("income >= 5.0", "income >= 5.0 && vip", false),
        ("income >= 5.0", "income >= 5", false),
        ("income >= 5.0 || vip", "income >= 5.0", false),
    ] {
        assert_eq!(read(narrow).implies(&read(wide)), expected, "{narrow} / {wide}");
    }
    assert_eq!(read("1 > 2").constant(), Some(false));
    assert_eq!(read("true || vip").constant(), None, "it names an input");
    assert_eq!(read("vip").constant(), None);
}
