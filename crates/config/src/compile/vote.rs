//! What an ensemble votes on, compiled: for the core how many must vote, for the gateway how votes are read and weighed.

use evenkeel_core::{self as core, PathId};

use crate::{
    compile::permille,
    schema::{
        contract::OutputTensor,
        path::{Site, kind::Ensemble},
        route::{Route, RouteProtocol},
        tier::Tier,
        vote::{Rule, Vote},
    },
};

/// What is voted on.
#[derive(Clone, Debug, PartialEq)]
pub enum Voted {
    /// The value of an output in each row, equal or not.
    Label(String),
    /// The number of an output in each row, and how far from the median others agree: by as much, or by such a share of it.
    Number(String, f64, f64),
    /// The whole text of a chat.
    Text,
    /// One field of the JSON in it.
    Field(String),
    /// One of these letters.
    Choice(String),
}

/// What the vote of each member counts.
#[derive(Clone, Debug, PartialEq)]
pub enum Weights {
    /// The same for all.
    Equal,
    /// As written, in the order of the members.
    Given(Vec<f64>),
    /// As follows from each member's share of right answers.
    Accuracies(Vec<f64>),
}

impl Ensemble {
    /// Compiles the vote of a tier that was checked.
    pub(crate) fn new(site: Site<'_>) -> Self {
        let vote = site.tier.vote.clone().unwrap_or_default();
        let on = match (site.route.protocol, &vote.json_field, &vote.choice) {
            (RouteProtocol::Oip, ..) => {
                let (name, tensor) = voted_output(site.route, &vote).expect("checked: it is there");
                match is_number(&vote, tensor) {
                    true => Voted::Number(name.into(), vote.abs_tol, vote.rel_tol),
                    false => Voted::Label(name.into()),
                }
            }
            (_, Some(field), _) => Voted::Field(field.clone()),
            (_, _, Some(letters)) => Voted::Choice(letters.clone()),
            _ => Voted::Text,
        };
        let weights = match vote.rule {
            Rule::Majority | Rule::Median => Weights::Equal,
            Rule::Weighted if !vote.weights.is_empty() => Weights::Given(vote.weights),
            Rule::Weighted if !vote.accuracies.is_empty() => Weights::Accuracies(vote.accuracies),
            Rule::Weighted => Weights::Equal,
        };
        Self { on, weights, classes: vote.classes }
    }
}

/// Returns the output that is voted on: the one that is named, else the only one there is.
pub(crate) fn voted_output<'r>(route: &'r Route, vote: &Vote) -> Option<(&'r str, &'r OutputTensor)> {
    let tensors = &route.output.as_ref()?.tensors;
    let found = match &vote.output {
        Some(name) => tensors.get_key_value(name),
        None => tensors.first_key_value().filter(|_| tensors.len() == 1),
    };
    found.map(|(name, tensor)| (name.as_str(), tensor))
}

/// Says whether an output is voted on as a number: by a median, and not by whether values are equal.
pub(crate) fn is_number(vote: &Vote, tensor: &OutputTensor) -> bool {
    vote.rule == Rule::Median || tensor.datatype.is_float()
}

/// Returns what the core needs of an ensemble whose members have these paths; none of any other tier.
pub(super) fn ensemble(tier: &Tier, members: Vec<PathId>) -> Option<core::Ensemble> {
    let vote = tier.vote.clone().unwrap_or_default();
    let (quorum, agree) = (vote.quorum(members.len()), permille(vote.at_least));
    (!members.is_empty()).then_some(core::Ensemble { members, quorum, agree })
}

/// What several are never asked at once: a call of a tool is no text to compare, nor is sound, and there is one answer.
pub(super) fn votable(features: core::Features) -> core::Features {
    use core::Features;
    let never = Features::TOOLS.with(Features::TOOL_REQUIRED).with(Features::N).with(Features::AUDIO);
    features.missing_in(never)
}
