//! Rules: a rules file that was read, checked and tried, and the answers that it gives.
//!
//! It does not know tensors: a path hands it one row at a time and takes values back.
//!
//! # Invariants
//! - `RULE-1`: every row has an answer with every output. Where a condition cannot be computed (a value is absent, NaN has
//!   no order, a number overflows), `otherwise` is answered, and the answer says so: no later rule may stand in for a
//!   rule of which nobody knows whether it holds.
//! - `RULE-2`: a file whose own tests fail is not used.

mod cells;
mod check;
mod reach;

use std::borrow::Cow;

use crate::{
    describe::rules_schema,
    diagnostic::{Diagnostic, Severity},
    expr::{Expr, Inputs, Type},
    report::Report,
    schema::{
        contract::FeatureKind,
        rules::{Mode, RulesFile},
        value::Value,
    },
    shape::{Shape, Shaped},
    tree,
};

pub use crate::expr::{Row, Scalar};

/// A rules file that was read, checked and tried.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleSet {
    inputs: Vec<(String, FeatureKind)>,
    types: Vec<(String, Type)>,
    mode: Mode,
    rules: Vec<Rule>,
    outputs: Vec<String>,
    otherwise: Vec<Value>,
}

/// A rule, its answer in the order of the outputs.
#[derive(Clone, Debug, PartialEq)]
struct Rule {
    id: String,
    when: Expr,
    answer: Vec<Value>,
}

/// What is answered for a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<'a> {
    /// The rule that held, the first of them where several add up; none where `otherwise` is answered as it is.
    pub rule: Option<&'a str>,
    /// The rule whose condition could not be computed, so that `otherwise` is answered.
    pub failed: Option<&'a str>,
    /// The values, in the order of [`RuleSet::outputs`].
    pub values: Cow<'a, [Value]>,
}

impl RuleSet {
    /// Reads a file: what it says, if all is right with it, and everything that is not.
    pub(crate) fn read(name: &str, text: &str) -> (Option<Self>, Vec<Diagnostic>) {
        let tree = match tree::parse(text) {
            Ok(tree) => tree,
            Err(unreadable) => {
                return (None, vec![unreadable.diagnostic(name, "a rules file has `inputs`, `rules` and `otherwise`")]);
            }
        };
        let schema = rules_schema();
        let Shaped { value, found, doubts } = Shape::check(name, schema, &tree);
        let file: RulesFile = serde_json::from_value(value).expect("SHAPE-1");
        let mut report = Report::new(name, &tree, doubts, found);
        let set = check::compile(&file, &mut report);
        let found = report.finish();
        let broken = found.iter().any(|it| it.severity == Severity::Error);
        (set.filter(|_| !broken), found)
    }

    /// Returns the inputs with their types, sorted by name: the positions that [`Row::value`] is asked for.
    pub fn inputs(&self) -> &[(String, FeatureKind)] {
        &self.inputs
    }

    /// Returns the names of the outputs, sorted: the positions of an answer's values.
    pub fn outputs(&self) -> &[String] {
        &self.outputs
    }

    #[cfg(test)]
    pub(crate) fn otherwise(&self) -> &[Value] {
        &self.otherwise
    }

    /// Returns all values of an output, and whether each is a whole answer, not a part of a sum.
    pub fn values(&self, output: usize) -> impl Iterator<Item = (&Value, bool)> + Clone {
        let answers = self.rules.iter().map(move |rule| (&rule.answer[output], self.mode == Mode::First));
        answers.chain([(&self.otherwise[output], true)])
    }

    /// Returns the positions of the rules that answer a row: the first that holds, or all that add up.
    pub(crate) fn holding(&self, row: &dyn Row) -> Vec<usize> {
        let mut holding = Vec::new();
        for (at, rule) in self.rules.iter().enumerate() {
            match rule.when.holds(&self.types as &Inputs, row) {
                Ok(false) => {}
                Ok(true) if self.mode == Mode::First => return vec![at],
                Ok(true) => holding.push(at),
                Err(_) => return Vec::new(),
            }
        }
        holding
    }

    /// Answers a row; it always can.
    pub(crate) fn answer(&self, row: &dyn Row) -> Answer<'_> {
        let otherwise = Cow::Borrowed(self.otherwise.as_slice());
        let mut answer = Answer { rule: None, failed: None, values: otherwise.clone() };
        for rule in &self.rules {
            match rule.when.holds(&self.types as &Inputs, row) {
                Ok(false) => continue,
                Ok(true) if self.mode == Mode::First => {
                    return Answer { rule: Some(&rule.id), failed: None, values: Cow::Borrowed(&rule.answer) };
                }
                Ok(true) => {
                    answer.rule = answer.rule.or(Some(&rule.id));
                    answer.values.to_mut().iter_mut().zip(&rule.answer).for_each(|(sum, value)| add(sum, value));
                }
                Err(_) => return Answer { rule: None, failed: Some(&rule.id), values: otherwise },
            }
        }
        answer
    }
}

/// Adds to a sum; whole numbers stay whole, and stop at the ends of their range.
fn add(sum: &mut Value, value: &Value) {
    *sum = match (&*sum, value) {
        (Value::Int(a), Value::Int(b)) => Value::Int(a.saturating_add(*b)),
        (a, b) => Value::Float(a.number().unwrap_or(0.0) + b.number().unwrap_or(0.0)),
    };
}

#[cfg(test)]
mod tests;
