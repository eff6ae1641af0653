//! `rules`: conditions over named inputs that an expert can read, computed in this process.

use std::{borrow::Cow, sync::Arc};

use evenkeel_core::{MILLISECOND, Nanos};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Kind, PathKind, Site, Target};
use crate::{
    check::Checks,
    compile::OutputTensor,
    outside::Outside,
    rules::{Answer, Row, RuleSet},
    schema::{
        contract::{self, Datatype, one_a_row},
        route::RouteProtocol,
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

/// Returns what an output becomes: what the route says of it, else one element a row of a type that has room for all
/// its values. A sum is kept within what both the route and the type allow.
fn output(set: &RuleSet, at: usize, contract: Option<&contract::OutputTensor>) -> OutputTensor {
    let values = set.values(at).map(|it| it.0);
    let datatype = contract.map_or_else(|| Datatype::of_all(values), |it| it.datatype);
    let bounds = datatype.range().map(|(least, most)| {
        let [min, max] = [contract.and_then(|it| it.min), contract.and_then(|it| it.max)];
        let bound = |it: Option<f64>, end: f64| it.map_or(end, |it| datatype.holds(it));
        (bound(min, least).max(least), bound(max, most).min(most))
    });
    OutputTensor {
        name: set.outputs()[at].clone(),
        datatype,
        shape: contract.map_or_else(one_a_row, |it| it.shape.clone()),
        min: bounds.map(|it| it.0),
        max: bounds.map(|it| it.1),
        // All its values are held against them when the file is read.
        categories: Vec::new(),
    }
}

impl PathKind for Block {
    fn check(&self, key: &Key, site: Site<'_>, checks: &mut Checks<'_>) {
        checks.serves(key, site.route, &[RouteProtocol::Oip]);
        if let Some(set) = checks.rules(&key.field("file"), &self.file) {
            checks.rules_fit(key, &set, site);
        }
    }

    fn ready(&self, site: Site<'_>, outside: &Outside) -> Kind {
        let set = outside.rules(&self.file);
        let output = |(at, name): (usize, &String)| output(&set, at, site.promised(name));
        let outputs = set.outputs().iter().enumerate().map(output).collect();
        Kind::Rules(Rules { set, outputs })
    }

    fn target(&self) -> Target<'_> {
        Target::Rules
    }

    fn file(&self) -> Option<(&'static str, Cow<'_, str>)> {
        Some(("file", self.file.as_str().into()))
    }

    fn row(&self, outside: &Outside) -> u64 {
        let set = outside.rules(&self.file);
        let widest = |output| set.values(output).map(|(value, _)| value.size()).max().unwrap_or(0);
        (0..set.outputs().len()).map(widest).sum()
    }

    fn need(&self) -> Nanos {
        20 * MILLISECOND
    }

    fn methods(&self) -> &'static [Method] {
        &[Method::Rules]
    }
}
