//! `rules`: conditions over named inputs that an expert can read, computed in this process.

use std::{borrow::Cow, sync::Arc};

use evenkeel_core::{MILLISECOND, Nanos};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Kind, PathKind, Target};
use crate::{
    check::Checks,
    compile::OutputTensor,
    outside::Outside,
    rules::{Answer, Row, RuleSet},
    schema::{
        contract::{self, Datatype, one_a_row},
        route::{Route, RouteProtocol},
        tier::Method,
        value::Value,
    },
    tree::Key,
};

/// Rules that an expert can read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Rules")]
pub(crate) struct Block {
    /// The rules file; a relative path starts from the configuration's folder.
    file: String,
}

/// Rules, with the tensors that their answers become.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// The rules.
    pub set: Arc<RuleSet>,
    /// The tensors, in the order of [`RuleSet::outputs`]; each has one element a row.
    pub outputs: Vec<OutputTensor>,
}

impl Rules {
    /// Answers a row; it always can. A sum that leaves the range of its output ends at the bound.
    pub fn answer<'a>(&'a self, row: &dyn Row) -> Answer<'a> {
        let mut answer = self.set.answer(row);
        if let Cow::Owned(values) = &mut answer.values {
            for (value, output) in values.iter_mut().zip(&self.outputs) {
                bound(value, output);
            }
        }
        answer
    }
}

/// Keeps a sum within the range of its output.
fn bound(value: &mut Value, output: &OutputTensor) {
    let (min, max) = (output.min.unwrap_or(f64::MIN), output.max.unwrap_or(f64::MAX));
    match value {
        Value::Int(it) if (*it as f64) < min => *it = min.ceil() as i64,
        Value::Int(it) if (*it as f64) > max => *it = max.floor() as i64,
        Value::Float(it) => *it = it.max(min).min(max),
        _ => {}
    }
}

/// Returns what an output becomes: what the route says of it, else one element a row of the type of its values.
fn output(name: &str, example: &Value, contract: Option<&contract::OutputTensor>) -> OutputTensor {
    let datatype = contract.map_or(Datatype::of(example), |it| it.datatype);
    let whole = datatype.whole().map(|(least, most)| (least as f64, most as f64));
    OutputTensor {
        name: name.into(),
        datatype,
        shape: contract.map_or_else(one_a_row, |it| it.shape.clone()),
        min: contract.and_then(|it| it.min).or(whole.map(|it| it.0)),
        max: contract.and_then(|it| it.max).or(whole.map(|it| it.1)),
    }
}

impl PathKind for Block {
    fn check(&self, key: &Key, route: &Route, checks: &mut Checks<'_>) {
        checks.serves(key, route, &[RouteProtocol::Oip]);
        if let Some(set) = checks.rules(&key.field("file"), &self.file) {
            checks.rules_fit(key, &set, route);
        }
    }

    fn ready(&self, route: &Route, outside: &Outside) -> Kind {
        let set = outside.rules(&self.file);
        let tensors = route.output.as_ref().map(|it| &it.tensors);
        let contract = |name: &String| tensors.and_then(|tensors| tensors.get(name));
        let output = |(name, example): (&String, &Value)| output(name, example, contract(name));
        let outputs = set.outputs().iter().zip(set.otherwise()).map(output).collect();
        Kind::Rules(Rules { set, outputs })
    }

    fn target(&self) -> Target<'_> {
        Target::Rules
    }

    fn file(&self) -> Option<&str> {
        Some(&self.file)
    }

    fn need(&self) -> Nanos {
        20 * MILLISECOND
    }

    fn method(&self, _: usize) -> Method {
        Method::Rules
    }
}
