//! A rules file: conditions over named inputs, and what is answered where they hold.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{contract::FeatureKind, value::Value};

/// A rules file.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Evenkeel rules")]
pub(crate) struct RulesFile {
    /// The inputs that conditions may name, with their types.
    pub(crate) inputs: BTreeMap<String, FeatureKind>,
    /// What happens where several rules hold.
    #[serde(default)]
    pub(crate) mode: Mode,
    /// Whether each row whose values are all there has a rule; `check` names one that has none. `otherwise` is then for rows that
    /// cannot be computed alone.
    #[serde(default)]
    pub(crate) complete: bool,
    /// The rules, in order.
    #[schemars(length(max = 1_000))]
    pub(crate) rules: Vec<Rule>,
    /// What is answered where no rule holds, or a condition cannot be computed; in mode `score`, where the sum starts.
    pub(crate) otherwise: BTreeMap<String, Value>,
    /// Rows with their answers, computed whenever the file is read.
    #[serde(default)]
    #[schemars(length(max = 10_000))]
    pub(crate) tests: Vec<Test>,
}

/// What happens where several rules hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// The first one answers.
    #[default]
    First,
    /// The answers of all that hold are added to `otherwise`, within the range of the route's output.
    Score,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// Its name, unique within the file.
    pub(crate) id: String,
    /// Its condition, in CEL.
    pub(crate) when: String,
    /// What it answers, by output.
    pub(crate) answer: BTreeMap<String, Value>,
    /// Who answers for it; for readers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<String>,
    /// Why it is there; for readers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
}

/// A row with its answer.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Test {
    /// The row: a value for each input.
    pub(crate) given: BTreeMap<String, Value>,
    /// What is to be answered, by output; outputs that are left out are not compared.
    #[serde(default)]
    pub(crate) expect: BTreeMap<String, Value>,
    /// The rule that is to answer; `otherwise` where none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<String>,
}
