//! `routes.NAME.tiers[].vote`: how the answers of several paths become one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scalar::Ratio;

/// How the answers of several paths become one. Each row of an `oip` answer is voted on by itself.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Vote {
    /// What the votes come to.
    pub(crate) rule: Rule,
    /// Votes that each row must have; where fewer can be had, the tier fails at once. By default more than half of the members.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 8))]
    pub(crate) quorum: Option<u8>,
    /// The output that is voted on, one value a row: labels win whole, of numbers the weighted median is taken; the other
    /// outputs of a row come from the member that is followed. May be left out where the route has one output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<String>,
    /// The field that is voted on, where the models of a chat answer in JSON; by default the whole text is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) json_field: Option<String>,
    /// The fields that are voted on together, where the models of a chat answer in JSON: two agree where they agree in each of them,
    /// a number within `abs_tol` or `rel_tol`. Who leaves one out has no vote.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub(crate) json_fields: Vec<String>,
    /// The letters of which the models of a chat choose one, such as `ABCD`; by default the whole text is voted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) choice: Option<String>,
    /// What the vote of each member counts, in the order of `paths`: log-odds of being right, ln(p(K−1)/(1−p)) for a share p of
    /// right answers among K classes. By default all count the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub(crate) weights: Vec<f64>,
    /// The share of right answers of each member, measured on labelled rows, from which its weight is computed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub(crate) accuracies: Vec<f64>,
    /// A file that `evenkeel calibrate` writes, from rows of which it is known what is right: with it every answer has a weight of its
    /// own, by who says it, what it says and how sure it is, and the share of the votes becomes a confidence. It is for labels, for
    /// letters, and for fields that are equal or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) calibration: Option<String>,
    /// How sure a member is of a row, for `calibration`: a CEL expression that is a number, over the outputs of the route, as
    /// `accept.confidence` is. Where it cannot be computed, it is not known how sure the member is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) confidence: Option<String>,
    /// How many different answers there are; `calibration` says it, where there is one.
    #[schemars(range(min = 2, max = 1_000_000))]
    pub(crate) classes: u32,
    /// How far a number may be from the median and still agree with it; of a field, from another number.
    pub(crate) abs_tol: f64,
    /// The same, as a share of the median; of a field, of the larger of the two numbers. The larger of both distances counts.
    pub(crate) rel_tol: f64,
    /// The share of the votes that the answer must have in each row; with a `calibration`, how likely it must be right. With less the
    /// tier fails as `disagreement`. Where this is not 0, every member is waited for.
    pub(crate) at_least: Ratio,
}

/// What the votes come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Rule {
    /// The answer with the greatest sum of weights; of numbers the weighted median.
    #[default]
    Weighted,
    /// The answer of most members. It can lose to the best of them by far.
    Majority,
    /// Of numbers the median, each member counting the same.
    Median,
}

impl Default for Vote {
    fn default() -> Self {
        Self {
            rule: Rule::default(),
            quorum: None,
            output: None,
            json_field: None,
            json_fields: Vec::new(),
            choice: None,
            weights: Vec::new(),
            accuracies: Vec::new(),
            calibration: None,
            confidence: None,
            classes: 2,
            abs_tol: 0.0,
            rel_tol: 0.0,
            at_least: Ratio(0),
        }
    }
}

impl Vote {
    /// Returns the votes that each row must have: as written, else more than half of the members.
    pub(crate) fn quorum(&self, members: usize) -> u8 {
        self.quorum.unwrap_or((members / 2 + 1) as u8)
    }
}
