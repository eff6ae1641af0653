//! Rules files, right and wrong.

use super::*;

const HOME_VALUE: &str = r#"
inputs: {median_income: float, avg_occupancy: float, region: category}
rules:
  - {id: high, when: "median_income >= 5.0", answer: {score: 0.9, action: approve}, owner: valuation, why: rich areas}
  - {id: middle, when: "median_income >= 3.5", answer: {score: 0.6, action: review}}
  - id: few-people
    when: median_income >= 2.5 && avg_occupancy < 2.3 && region in ['coast', 'city']
    answer: {score: 0.6, action: review}
otherwise: {score: 0.15, action: decline}
tests:
  - {given: {median_income: 6, avg_occupancy: 3.0, region: coast}, expect: {score: 0.9}}
  - {given: {median_income: 4.0, avg_occupancy: 3.0, region: coast}, rule: middle}
  - {given: {median_income: 2.6, avg_occupancy: 2.0, region: city}, expect: {score: 0.6, action: review}}
  - {given: {median_income: 1.0, avg_occupancy: 2.0, region: city}, expect: {score: 0.15, action: decline}}
"#;

fn read(text: &str) -> RuleSet {
    let (set, found) = RuleSet::read("home-value.rules", text);
    assert_eq!(found, []);
    set.expect("nothing is wrong with it")
}

fn codes(text: &str) -> Vec<(&'static str, usize, usize)> {
    let (_, found) = RuleSet::read("home-value.rules", text);
    for it in &found {
        assert!(!it.hint.is_empty() && it.file == "home-value.rules", "{it}");
    }
    found.iter().map(|it| (it.code, it.line, it.column)).collect()
}

/// Values in the order of the inputs, sorted by name.
struct Values(Vec<Option<Scalar<'static>>>);

impl Row for Values {
    fn value(&self, input: usize) -> Option<Scalar<'_>> {
        self.0[input]
    }
}

fn row(occupancy: f64, income: f64, region: Option<&'static str>) -> Values {
    Values(vec![Some(Scalar::Float(occupancy)), Some(Scalar::Float(income)), region.map(Scalar::Text)])
}

#[test]
fn the_first_rule_that_holds_answers() {
    let set = read(HOME_VALUE);
    let names: Vec<_> = set.inputs().iter().map(|it| it.0.as_str()).collect();
    assert_eq!(
        (names, set.outputs()),
        (vec!["avg_occupancy", "median_income", "region"], ["action", "score"].map(str::to_owned).as_slice())
    );
    for (row, rule, score) in [
        (row(3.0, 5.0, Some("coast")), Some("high"), 0.9),
        (row(3.0, 4.9, Some("coast")), Some("middle"), 0.6),
        (row(2.0, 2.5, Some("coast")), Some("few-people"), 0.6),
        (row(2.0, 2.5, Some("hills")), None, 0.15),
    ] {
        let answer = set.answer(&row);
        assert_eq!((answer.rule, answer.failed, &answer.values[1]), (rule, None, &Value::Float(score)));
    }
}

#[test]
fn rule_1_a_row_that_cannot_be_judged_is_answered_otherwise_and_says_so() {
    let set = read(HOME_VALUE);
    for (row, failed) in [(row(2.0, f64::NAN, Some("city")), "high"), (row(2.0, 3.0, None), "few-people")] {
        let answer = set.answer(&row);
        assert_eq!((answer.rule, answer.failed), (None, Some(failed)), "no later rule stands in");
        assert_eq!(answer.values, set.otherwise(), "RULE-1");
    }
    let not_needed = set.answer(&row(2.0, 6.0, None));
    assert_eq!((not_needed.rule, not_needed.failed), (Some("high"), None));
}

#[test]
fn in_mode_score_the_answers_of_all_rules_that_hold_add_up() {
    let set = read(
        "inputs: {age: int, vip: bool}\nmode: score\nrules:\n  - {id: old, when: age > 60, answer: {points: 3, \
         risk: 0.5}}\n  - {id: vip, when: vip, answer: {points: -1, risk: 0.25}}\notherwise: {points: 10, risk: 0.1}\n\
         tests:\n  - {given: {age: 70, vip: true}, expect: {points: 12, risk: 0.85}}\n  - {given: {age: 1, vip: \
         false}, expect: {points: 10, risk: 0.1}}\n",
    );
    let row = |age, vip| Values(vec![Some(Scalar::Int(age)), Some(Scalar::Bool(vip))]);
    let answer = set.answer(&row(70, true));
    assert_eq!((answer.rule, &answer.values[0]), (Some("old"), &Value::Int(12)));
    assert_eq!(set.answer(&row(7, false)).rule, None);
    let absent = set.answer(&Values(vec![Some(Scalar::Int(70)), None]));
    assert_eq!(
        (absent.failed, &absent.values[0]),
        (Some("vip"), &Value::Int(10)),
        "RULE-1: nothing of the sum is left"
    );
}

#[test]
fn rule_2_a_test_that_fails_is_an_error_with_its_line() {
    let wrong = HOME_VALUE.replace("expect: {score: 0.9}", "expect: {score: 0.8}");
    let (set, found) = RuleSet::read("r", &wrong);
    assert!(set.is_none());
    assert_eq!((found[0].code, found[0].line, found[0].key.as_str()), ("failed-test", 11, "tests[0].expect.score"));
    assert_eq!(found[0].message, "the answer is 0.9, by rule `high`; 0.8 is expected");
    for (given, code) in [
        ("{median_incom: 6}", "unknown-input"),
        ("{median_income: rich}", "wrong-type"),
        ("{region: 5}", "wrong-type"),
        ("{avg_occupancy: 2.0}", "failed-test"),
    ] {
        let text = HOME_VALUE.replace("{median_income: 6, avg_occupancy: 3.0, region: coast}", given);
        assert_eq!(codes(&text)[0].0, code, "{given}");
    }
    assert_eq!(codes(&HOME_VALUE.replace("expect: {score: 0.9}", "expect: {scor: 0.9}"))[0].0, "unknown-output");
}

#[test]
fn an_input_of_no_type_is_one_mistake_and_not_one_more_for_each_condition_on_it() {
    let text = r#"inputs: {age: number, income: float}
rules:
  - {id: a, when: "age == 'old'", answer: {score: 1}}
  - {id: b, when: "income > 'x'", answer: {score: 1}}
otherwise: {score: 0}
"#;
    let found = codes(text);
    let places: Vec<_> = found.iter().map(|it| (it.0, it.1)).collect();
    assert_eq!(places, [("unknown-word", 1), ("bad-expression", 4)], "{found:?}");
}

#[test]
fn every_mistake_of_a_rules_file_is_reported_with_its_place() {
    let text = r#"inputs: {income: float, age: int, 2nd: float, in: int}
mode: best
rules:
  - {id: a, when: "incom > 5.0", answer: {score: 1}}
  - {id: a, when: "income > ", answer: {score: 1}}
  - {id: b, when: income > 1.0 && age, answer: {scor: 1}}
  - {id: "", when: true, answer: {score: yes}, whyy: x}
  - {id: c, answer: {score: 1}}
otherwise: {score: 0.5}
tests: [{given: {income: 5}}]
"#;
    assert_eq!(
        codes(text),
        [
            ("bad-name", 1, 35),
            ("bad-name", 1, 47),
            ("unknown-word", 2, 7),
            ("bad-expression", 4, 20),
            ("duplicate-name", 5, 6),
            ("bad-expression", 5, 29),
            ("bad-expression", 6, 32),
            ("outputs-differ", 6, 40),
            ("outputs-differ", 6, 49),
            ("bad-name", 7, 6),
            ("outputs-differ", 7, 35),
            ("unknown-key", 7, 48),
            ("missing-key", 8, 5),
        ]
    );
    for (text, code) in [
        ("", "unreadable"),
        ("inputs: {}\nrules: []\notherwise: {}\n", "empty"),
        ("inputs: {a: float}\nrules: []\n", "missing-key"),
        ("inputs: {a: text}\nrules: []\notherwise: {x: 1}\n", "unknown-word"),
        ("inputs: {a: float}\nmode: score\nrules: []\notherwise: {x: low}\n", "not-a-number"),
        (
            "inputs: {a: float}\nmode: score\nrules: [{id: r, when: a > 1.0, answer: {x: low}}]\notherwise: {x: 1}\n",
            "outputs-differ",
        ),
    ] {
        assert_eq!(codes(text)[0].0, code, "{text}");
    }
}

#[test]
fn cf_07_rules_that_can_never_answer_are_warned_of() {
    let with = |rules: &str| format!("inputs: {{a: float, b: bool}}\nrules:\n{rules}otherwise: {{x: 0}}\n");
    let rule = |id: &str, when: &str| format!("  - {{id: {id}, when: \"{when}\", answer: {{x: 1}}}}\n");
    for (above, below, lines) in [
        ("a > 1.0", "a>1.0", vec![4]),
        ("a > 1.0", "b && a > 1.0", vec![4]),
        ("true", "b", vec![4]),
        ("1 > 2", "b", vec![3]),
        ("a > 1.0 && b", "a > 1.0", vec![]),
        ("a > 1.0", "a > 2.0", vec![4]),
        ("a > 2.0", "a > 1.0", vec![]),
        ("a >= 1.0", "!(a < 1.0)", vec![4]),
        ("a >= 1.0", "a > 1.0 || b", vec![]),
        ("a > 0.0 && a < 0.0", "b", vec![3]),
        ("b", "b ? a > 1.0 : false", vec![4]),
        ("double(size('x')) > a", "double(size('x')) > a", vec![4]),
        ("double(size('x')) > a", "a > 5.0", vec![]),
    ] {
        let text = with(&(rule("one", above) + &rule("two", below)));
        let (set, found) = RuleSet::read("r", &text);
        assert!(set.is_some(), "a warning stops nothing");
        assert!(found.iter().all(|it| it.code == "never-fires"));
        assert_eq!(found.iter().map(|it| it.line).collect::<Vec<_>>(), lines, "{above} / {below}");
    }
    let three = |id: &str| {
        let text = format!(
            "inputs: {{n: int, c: category}}\nrules:\n{}{}{}otherwise: {{x: 0}}\n",
            rule("one", "n < 3"),
            rule("two", "n > 2 && c in ['a', 'b']"),
            rule("three", id)
        );
        codes(&text)
    };
    assert_eq!(three("c == 'a'"), [("never-fires", 5, 17)], "between 2 and 3 there is no whole number");
    assert_eq!(three("c == 'c'"), []);
    assert_eq!(three("n != 3"), []);
    let adding = with(&(rule("one", "b") + &rule("two", "b"))).replace("rules:", "mode: score\nrules:");
    assert_eq!(codes(&adding), [], "both add up");
}

#[test]
fn a_gap_is_named_by_a_row_where_the_file_says_that_there_is_none() {
    let found = |rules: &str| {
        let text = format!(
            "inputs: {{a: float, n: int, b: bool, c: category}}\ncomplete: true\nrules:\n{rules}otherwise: {{x: 0}}\n"
        );
        let (_, found) = RuleSet::read("r", &text);
        found.into_iter().map(|it| (it.severity, it.message, it.line)).collect::<Vec<_>>()
    };
    let rule = |at: usize, when: &str| format!("  - {{id: r{at}, when: \"{when}\", answer: {{x: 1}}}}\n");
    let gap = |row: &str| vec![(Severity::Error, format!("no rule holds for {{{row}}}"), 2)];
    let rules = |whens: &[&str]| whens.iter().enumerate().map(|(at, when)| rule(at, when)).collect::<String>();
    assert_eq!(found(&rules(&["a > 1.0", "a < 1.0"])), gap("a: 1.0"));
    assert_eq!(found(&rules(&["a > 1.0", "a <= 1.0"])), []);
    assert_eq!(found(&rules(&["n < 2", "n > 2"])), gap("n: 2"));
    assert_eq!(found(&rules(&["n < 3", "n > 2"])), []);
    assert_eq!(found(&rules(&["c in ['de', 'fr']", "c == 'it' && b"])), gap("b: true, c: \"other\""));
    assert_eq!(found(&rules(&["b", "!b && a >= -2.5"])), gap("a: -3.5, b: false"));
    assert_eq!(found(&rules(&["b", "true"])), []);
    let unsure = found(&rules(&["c.startsWith('d')"]));
    assert_eq!((unsure.len(), unsure[0].0), (1, Severity::Warning), "{unsure:?}");
    assert_eq!(found(&rules(&["c.startsWith('d')", "!c.startsWith('d')"])), []);
}

#[test]
fn a_test_may_expect_a_rule_and_each_rule_wants_a_test() {
    let with = |tests: &str| {
        codes(&format!(
            "inputs: {{a: float}}\nrules:\n  - {{id: high, when: a > 2.0, answer: {{x: 1}}}}\n  - {{id: low, when: a > 1.0, answer: {{x: 1}}}}\n\
             otherwise: {{x: 0}}\ntests:\n{tests}"
        ))
    };
    let all = "  - {given: {a: 3}, rule: high}\n  - {given: {a: 2}, rule: low}\n";
    assert_eq!(with(all), []);
    assert_eq!(with("  - {given: {a: 3}, rule: high}\n"), [("untested", 4, 6)]);
    assert_eq!(with(&all.replace("a: 2}, rule: low", "a: 1}, rule: otherwise")), [("untested", 4, 6)]);
    assert_eq!(with(&all.replace("a: 2}, rule: low", "a: 1}, rule: low")), [("failed-test", 8, 21)]);
    assert_eq!(with(&all.replace("rule: low", "rule: lo")), [("unknown-rule", 8, 21)]);
    assert_eq!(with(&all.replace(", rule: low", "")), [("missing-key", 8, 5)]);
}

#[test]
fn cell_2_a_search_that_takes_too_long_claims_nothing() {
    let inputs: String = (0..12).map(|at| format!("i{at}: int, ")).collect();
    let whens: String = (0..12).map(|at| format!("i{at} == 1 || i{at} == 3 || i{at} == 5 || ")).collect();
    let below: String = (0..12).map(|at| format!("i{at} != 2 || i{at} != 4 || ")).collect();
    let rule = |id: &str, when: &str| format!("  - {{id: {id}, when: \"({when}false)\", answer: {{x: 1}}}}\n");
    let text = format!(
        "inputs: {{{inputs}z: int}}\nrules:\n{}{}otherwise: {{x: 0}}\n",
        rule("one", &whens),
        rule("two", &below)
    );
    assert!(RuleSet::read("r", &text).0.is_some(), "in bounded time");
}
