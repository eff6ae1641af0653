//! `routes.NAME.post`: what is done to every answer, whichever tier gave it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A step of post-processing: exactly one of its keys.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PostStep")]
pub(crate) struct Step {
    /// Keeps the numbers of an output within bounds; NaN stays what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) clamp: Option<Clamp>,
    /// Rounds the numbers of an output to decimal places, ties to even.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) round: Option<Round>,
    /// Lets nothing pass but a list of labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) allow: Option<Allow>,
    /// Writes `[card]`, `[email]`, … in place of what identifies somebody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) redact: Option<Redact>,
    /// Removes characters that nobody sees, and markup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) strip: Option<Strip>,
    /// Cuts what is longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_length: Option<MaxLength>,
    /// Holds the answer against a JSON schema, and repairs what can be repaired without guessing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) json: Option<Json>,
}

/// Bounds of numbers.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Clamp {
    /// The output of an `oip` route.
    pub(crate) output: String,
    /// What is less becomes this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) min: Option<f64>,
    /// What is more becomes this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max: Option<f64>,
}

/// Decimal places of numbers.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Round {
    /// The output of an `oip` route: FP32 or FP64.
    pub(crate) output: String,
    /// How many decimal places are left.
    #[schemars(range(max = 15))]
    pub(crate) places: u8,
}

/// Labels that may be answered.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Allow {
    /// The output of an `oip` route; on a chat route it is the whole text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<String>,
    /// The labels. What differs by case, or by blanks, quotes or a full stop around it, becomes the label as it stands here.
    #[schemars(length(min = 1, max = 10_000))]
    pub(crate) labels: Vec<String>,
    /// The label that stands in for any other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) otherwise: Option<String>,
    /// What becomes of an answer that is none of the labels, where none stands in.
    #[serde(default)]
    pub(crate) on_error: OnError,
}

/// What becomes of an answer with which a step cannot do its work (F-010).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "OnStepError")]
pub(crate) enum OnError {
    /// It is not given, and the next tier is asked.
    #[default]
    NextTier,
    /// It goes on to the next step as it came, and the record says so.
    Pass,
}

/// What is not to be read.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Redact {
    /// The output of an `oip` route; on a chat route it is the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<String>,
    /// Built-in patterns: payment cards whose check digit (Luhn) is right, IBANs with the length of their country whose check
    /// digits (mod 97) are right, e-mail addresses, telephone numbers in the international form.
    #[serde(default = "personal")]
    pub(crate) patterns: Vec<Personal>,
    /// Patterns of your own: a name, which stands in for what is found, and a regular expression.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) own: BTreeMap<String, String>,
}

/// A built-in pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Personal {
    /// Numbers of payment cards.
    Card,
    /// International bank account numbers.
    Iban,
    /// E-mail addresses.
    Email,
    /// Telephone numbers that begin with `+`.
    Phone,
}

/// What is removed.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Strip {
    /// The output of an `oip` route; on a chat route it is the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<String>,
    /// Which characters.
    #[serde(default = "unwanted")]
    #[schemars(length(min = 1))]
    pub(crate) what: Vec<Unwanted>,
}

/// Characters that are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Unwanted {
    /// Control characters but for line ends and tabs, and characters that only turn or hide text.
    Control,
    /// Tags and comments of HTML; what stands between them stays.
    Markup,
}

/// The longest text.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MaxLength {
    /// The output of an `oip` route; on a chat route it is the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<String>,
    /// Characters that are left at most, the mark included; a text is cut between two words where there is such a place.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) characters: u32,
    /// What stands at the end of a text that was cut.
    #[serde(default = "mark")]
    pub(crate) mark: String,
}

/// A JSON schema.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Json {
    /// The output of an `oip` route; on a chat route it is the whole text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<String>,
    /// A file with a JSON schema, which names nothing outside of itself; a relative path starts from the configuration's folder.
    pub(crate) schema: String,
    /// Whether words and fences around the JSON, slips of its syntax, types that convert without loss, unknown fields and
    /// missing defaults are mended.
    #[serde(default = "repair")]
    pub(crate) repair: bool,
    /// What becomes of an answer that is not what the schema wants, and is not, or cannot be, mended.
    #[serde(default)]
    pub(crate) on_error: OnError,
}

impl Step {
    /// The names of all steps.
    pub(crate) const NAMES: [&'static str; 7] = ["clamp", "round", "allow", "redact", "strip", "max_length", "json"];

    /// Returns the names of the keys that are given, each with the output that it names.
    pub(crate) fn given(&self) -> Vec<(&'static str, Option<&str>)> {
        let [clamp, round, allow, redact, strip, max_length, json] = Self::NAMES;
        let given = [
            self.clamp.as_ref().map(|it| (clamp, Some(it.output.as_str()))),
            self.round.as_ref().map(|it| (round, Some(it.output.as_str()))),
            self.allow.as_ref().map(|it| (allow, it.output.as_deref())),
            self.redact.as_ref().map(|it| (redact, it.output.as_deref())),
            self.strip.as_ref().map(|it| (strip, it.output.as_deref())),
            self.max_length.as_ref().map(|it| (max_length, it.output.as_deref())),
            self.json.as_ref().map(|it| (json, it.output.as_deref())),
        ];
        given.into_iter().flatten().collect()
    }
}

fn personal() -> Vec<Personal> {
    vec![Personal::Card, Personal::Iban, Personal::Email]
}

fn unwanted() -> Vec<Unwanted> {
    vec![Unwanted::Control, Unwanted::Markup]
}

fn mark() -> String {
    "…".into()
}

fn repair() -> bool {
    true
}
