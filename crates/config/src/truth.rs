//! Truth: what of an answer is compared with its label, when that comes.
//!
//! It does not know tensors: whoever has them hands it one row at a time, as for a confidence.
//!
//! Accepted: an output of one value a row, or an expression over outputs: `outputs.score >= 0.5`, `outputs.label`,
//! `outputs.p[1] > 0.8 ? 'fraud' : 'fine'`. Rejected by `check`: an output that the route does not promise, or of several values.

use std::collections::BTreeMap;

use crate::{
    confidence,
    expr::{Computed, Expr, Inputs, Problem, Root, Row, Take, Taken, Type},
    schema::contract::{Datatype, OutputTensor},
};

/// What of an answer is compared with its label.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    expr: Option<Expr>,
    /// By the name that stands for each, sorted.
    types: Vec<(String, Type)>,
    taken: Vec<Taken>,
    /// An output of FP32, or of fewer digits, is in it: a label of more digits is the same number.
    single: bool,
}

impl Truth {
    /// Reads an output by its name.
    ///
    /// # Errors
    /// What is wrong with it, and a hint.
    pub(crate) fn output(name: &str, outputs: &BTreeMap<String, OutputTensor>) -> Result<Self, (String, String)> {
        let taken = Taken { root: Root::Outputs, output: name.into(), take: Take::Only };
        let found = confidence::of(&taken, outputs)?;
        let single = is_single(&taken, outputs);
        Ok(Self { expr: None, types: vec![(taken.name(), found)], taken: vec![taken], single })
    }

    /// Reads an expression over these outputs.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn label(source: &str, outputs: &BTreeMap<String, OutputTensor>) -> Result<Self, Vec<Problem>> {
        let (expr, taken) = Expr::of_outputs(source, |taken| confidence::of(taken, outputs))?;
        if taken.is_empty() {
            let (message, hint) =
                ("it names no output, so it says the same of every answer", "for example `outputs.score >= 0.5`");
            return Err(vec![Problem { at: 0, message: message.into(), hint: hint.into() }]);
        }
        let single = taken.iter().any(|(it, _)| is_single(it, outputs));
        let types = taken.iter().map(|(taken, found)| (taken.name(), *found)).collect();
        Ok(Self { expr: Some(expr), types, taken: taken.into_iter().map(|(taken, _)| taken).collect(), single })
    }

    /// Returns what it takes of which outputs, in the positions that [`Row::value`] is asked for.
    pub fn taken(&self) -> &[Taken] {
        &self.taken
    }

    /// Returns what is said of a row; none where that cannot be computed.
    pub fn of(&self, row: &dyn Row) -> Option<Computed> {
        match &self.expr {
            Some(expr) => expr.value(&self.types as &Inputs, row).ok(),
            None => row.value(0).map(Computed::from),
        }
    }

    /// Returns a label as the outputs could say it: over FP32 it has no more digits than that.
    pub fn as_said(&self, label: f64) -> f64 {
        if self.single { f64::from(label as f32) } else { label }
    }
}

fn is_single(taken: &Taken, outputs: &BTreeMap<String, OutputTensor>) -> bool {
    let datatype = outputs.get(&taken.output).map(|it| it.datatype);
    matches!(datatype, Some(Datatype::Fp16 | Datatype::Bf16 | Datatype::Fp32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::Scalar;

    fn outputs() -> BTreeMap<String, OutputTensor> {
        let json = r#"{"score": {"datatype": "FP32", "shape": [-1]}, "label": {"datatype": "BYTES", "shape": [-1]},
            "p": {"datatype": "FP64", "shape": [-1, 2]}}"#;
        serde_json::from_str(json).expect("outputs")
    }

    struct One<'a>(Vec<Option<Scalar<'a>>>);

    impl Row for One<'_> {
        fn value(&self, input: usize) -> Option<Scalar<'_>> {
            self.0[input]
        }
    }

    #[test]
    fn what_is_compared_is_an_output_or_an_expression_of_any_type() {
        let outputs = outputs();
        let label = |source: &str| Truth::label(source, &outputs).expect("sound");
        let score = One(vec![Some(Scalar::Float(0.7))]);
        assert_eq!(label("outputs.score >= 0.5").of(&score), Some(Computed::Flag(true)));
        assert_eq!(label("outputs.score * 2.0").of(&score), Some(Computed::Number(1.4)));
        let worded = label("outputs.score >= 0.8 ? 'fraud' : 'fine'");
        assert_eq!(worded.of(&score), Some(Computed::Text("fine".into())));
        assert_eq!(worded.of(&One(vec![None])), None, "what is not there says nothing");
        let named = Truth::output("label", &outputs).expect("sound");
        assert_eq!(named.of(&One(vec![Some(Scalar::Text("a"))])), Some(Computed::Text("a".into())));
        assert_eq!(named.taken()[0].output, "label");
        let single = Truth::output("score", &outputs).expect("sound");
        assert_eq!((single.as_said(0.1), label("outputs.p[0]").as_said(0.1)), (f64::from(0.1_f32), 0.1));
    }

    #[test]
    fn what_cannot_be_compared_is_refused_with_a_hint() {
        let outputs = outputs();
        assert!(Truth::output("lable", &outputs).expect_err("unknown").1.contains("outputs.label"));
        assert!(Truth::output("p", &outputs).expect_err("two a row").0.contains("several values"));
        assert!(Truth::label("outputs.nothing > 1.0", &outputs).is_err());
        assert!(Truth::label("1.0 > 0.5", &outputs).is_err(), "it names no output");
        assert!(Truth::label("outputs.score >", &outputs).is_err());
    }
}
