//! Which rows are accepted, and which expressions are.

use super::*;
use crate::expr::Scalar;

fn outputs() -> BTreeMap<String, OutputTensor> {
    let tensor = |datatype, shape: &[i64]| OutputTensor {
        datatype,
        shape: shape.into(),
        min: None,
        max: None,
        categories: vec![],
    };
    [
        ("score", tensor(Datatype::Fp32, &[-1])),
        ("exact", tensor(Datatype::Fp64, &[-1, 1])),
        ("half", tensor(Datatype::Fp16, &[-1])),
        ("votes", tensor(Datatype::Int64, &[-1])),
        ("p", tensor(Datatype::Fp32, &[-1, 3])),
        ("sure", tensor(Datatype::Bool, &[-1])),
        ("action", tensor(Datatype::Bytes, &[-1])),
        ("two-words", tensor(Datatype::Fp64, &[-1])),
        ("all", tensor(Datatype::Fp32, &[3])),
    ]
    .map(|(name, tensor)| (name.to_owned(), tensor))
    .into()
}

fn accept(source: &str, at_least: f64) -> Accept {
    let confidence = Confidence::read(source, &outputs()).unwrap_or_else(|problems| panic!("{source}: {problems:?}"));
    Accept { confidence, at_least, rows: RowRule::Any, passes: false, label: None, worth: None }
}

/// Values by position.
struct Given<'a>(&'a [Option<Scalar<'a>>]);

impl Row for Given<'_> {
    fn value(&self, input: usize) -> Option<Scalar<'_>> {
        self.0[input]
    }
}

#[test]
fn oip_35_a_row_is_accepted_from_its_threshold_on_and_what_is_no_number_is_not() {
    use Scalar::{Float, Int};
    let single = f64::from(0.7_f32);
    let either = "outputs.score > 0.5 ? outputs.score : 1.0 - outputs.score";
    for (source, at_least, value, accepted) in [
        ("outputs.score", 0.7, Some(Float(0.8)), true),
        ("outputs.score", 0.7, Some(Float(single)), true),
        ("outputs.score", 0.7, Some(Float(0.699)), false),
        ("outputs.score", 0.7, Some(Float(f64::NAN)), false),
        ("outputs.score", 0.7, Some(Float(f64::INFINITY)), true),
        ("outputs.score", 0.7, None, false),
        ("outputs.exact", 0.7, Some(Float(0.7)), true),
        ("outputs.exact", 0.7, Some(Float(single)), false),
        ("outputs['two-words']", -1.0, Some(Float(-1.0)), true),
        ("outputs.half", 0.5, Some(Float(0.5)), true),
        ("outputs.votes", 3.0, Some(Int(3)), true),
        ("outputs.votes", 3.5, Some(Int(3)), false),
        ("6 / outputs.votes", 2.0, Some(Int(0)), false),
        (either, 0.7, Some(Float(f64::from(0.3_f32))), true),
        (either, 0.7, Some(Float(0.4)), false),
        (either, 0.7, Some(Float(f64::NAN)), false),
        ("outputs.sure ? 1.0 : 0.0", 0.5, Some(Scalar::Bool(true)), true),
        ("outputs.action == 'review' ? 0.0 : 1.0", 0.5, Some(Scalar::Text("review")), false),
        ("max(outputs.p)", 0.5, Some(Float(0.5)), true),
        ("outputs.p[2]", 0.5, Some(Float(0.4)), false),
        ("max(outputs.score, 1.0 - outputs.score)", 0.7, Some(Float(0.25)), true),
        ("max(outputs.score, 1.0 - outputs.score)", 0.7, Some(Float(0.4)), false),
        ("max(outputs.score, 0.9)", 0.7, Some(Float(f64::NAN)), false),
        ("min(outputs.score, 0.5)", 0.5, Some(Float(0.9)), true),
        ("abs(outputs.score - 0.5)", 0.25, Some(Float(0.2)), true),
        ("abs(outputs.score - 0.5)", 0.25, Some(Float(0.4)), false),
        ("max(outputs.votes, 3)", 3.0, Some(Int(1)), true),
        ("min(abs(outputs.votes), 3)", 3.0, Some(Int(-4)), true),
        ("abs(outputs.votes)", 3.0, Some(Int(i64::MIN)), false),
    ] {
        assert_eq!(
            accept(source, at_least).look_at(&Given(&[value]), None).accepted,
            accepted,
            "{source} of {value:?}"
        );
    }
}

#[test]
fn oip_35_an_expression_says_what_it_takes_once_each() {
    let it = accept("max(outputs.p) - min(outputs.p) + outputs.p[1] + outputs.score * max(outputs.p)", 0.0).confidence;
    let mut taken: Vec<_> = it.taken().iter().map(|it| (it.output.as_str(), it.take)).collect();
    taken.sort_unstable();
    assert_eq!(taken, [("p", Take::At(1)), ("p", Take::Max), ("p", Take::Min), ("score", Take::Only)]);
    let values = [Scalar::Float(0.5); 4].map(Some);
    assert!(
        accept("max(outputs.p) - min(outputs.p) + outputs.p[1] + outputs.score * max(outputs.p)", 0.75)
            .look_at(&Given(&values), None)
            .accepted
    );
}

#[test]
fn oip_35_what_is_no_number_over_the_outputs_is_refused_where_it_stands() {
    for (source, at, words) in [
        ("outputs.scor", 0, "no output `scor`"),
        ("1.0 + outputs.p", 6, "several values a row"),
        ("outputs.p[3]", 0, "has no place 3"),
        ("outputs.p[-1]", 0, "several values a row"),
        ("outputs.all", 0, "has not one value a row"),
        ("max(outputs.action)", 0, "no order of size"),
        ("outputs.score > 0.5", 0, "is true or false, not a number"),
        ("outputs.action", 0, "is a text, not a number"),
        ("score", 0, "there is no input `score`"),
        ("outputs", 0, "there is no input `outputs`"),
        ("outputs.score + 1", 0, "does not go with"),
        ("max(outputs.score, 1)", 0, "`max` takes a number with a fraction and a number with a fraction, or"),
        ("max(outputs.score, outputs.exact, 1.0)", 0, "`max` takes"),
        ("max(outputs.score > 0.5)", 0, "`max` takes"),
        ("abs(outputs.action)", 0, "`abs` takes"),
        ("average(outputs.score, 1.0)", 0, "there is no function `average`"),
        ("outputs.score +", 0, "not CEL"),
        ("", 0, "empty"),
        ("0.5", 0, "names no output"),
        ("outputs.score.x", 0, "have no place here"),
    ] {
        let problems = Confidence::read(source, &outputs()).expect_err(source);
        assert!(problems.iter().any(|it| it.message.contains(words)), "{source}: {problems:?}");
        if at > 0 {
            assert_eq!(problems[0].at, at, "{source}");
        }
    }
}
