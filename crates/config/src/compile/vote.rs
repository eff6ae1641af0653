//! What an ensemble votes on, compiled: for the core how many must vote, for the gateway how votes are read and weighed.

use std::sync::Arc;

use evenkeel_core::{self as core, PathId};
use evenkeel_signals::votes::Bounds;
use sha2::{Digest, Sha256};

use crate::{
    calibration::{LearntVotes, VotesOf},
    compile::permille,
    confidence::Confidence,
    outside::Outside,
    schema::{
        contract::OutputTensor,
        path::{Member, PathKind, Site, Target, kind::Ensemble},
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
    /// These fields of the JSON in it, together: equal are numbers as near as that, and else what is the same.
    Fields(Vec<String>, f64, f64),
    /// One of these letters.
    Choice(String),
}

impl Voted {
    /// Says whether answers are the same or not, so that it can be learnt what each is worth.
    pub fn is_exact(&self) -> bool {
        match self {
            Self::Label(_) | Self::Field(_) | Self::Choice(_) => true,
            Self::Fields(_, absolute, relative) => *absolute == 0.0 && *relative == 0.0,
            Self::Number(..) | Self::Text => false,
        }
    }
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
    /// As was learnt of each answer.
    Learnt(Arc<Learnt>),
}

/// What was learnt of votes, and the name under which records have it.
#[derive(Clone, Debug, PartialEq)]
pub struct Learnt {
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// What stands in it.
    pub votes: Arc<LearntVotes>,
    /// The least and the most that a vote of each member can weigh.
    pub bounds: Vec<Bounds>,
}

impl Ensemble {
    /// Compiles the vote of a tier that was checked.
    pub(crate) fn new(site: Site<'_>, outside: &Outside) -> Self {
        let vote = site.tier.vote.clone().unwrap_or_default();
        let on = voted(site.route, &vote).expect("checked: it is there");
        let learnt = vote.calibration.as_ref().map(|file| learnt(file, outside));
        let outputs = site.route.output.as_ref().map(|it| &it.tensors);
        let confidence = vote.confidence.as_ref().zip(outputs);
        let confidence = confidence.map(|(it, outputs)| Confidence::read(it, outputs).expect("checked: it is one"));
        let (of, classes) = (votes_of(site, &vote, outside), learnt.as_ref().map(|it| it.votes.learnt.classes()));
        let weights = match vote.rule {
            Rule::Weighted if learnt.is_some() => learnt.map_or(Weights::Equal, |it| Weights::Learnt(Arc::new(it))),
            Rule::Majority | Rule::Median => Weights::Equal,
            Rule::Weighted if !vote.weights.is_empty() => Weights::Given(vote.weights),
            Rule::Weighted if !vote.accuracies.is_empty() => Weights::Accuracies(vote.accuracies),
            Rule::Weighted => Weights::Equal,
        };
        Self { on, weights, classes: classes.unwrap_or(vote.classes), confidence, of }
    }
}

/// Returns what is voted on; none where the route has no such output.
pub(crate) fn voted(route: &Route, vote: &Vote) -> Option<Voted> {
    Some(match (route.protocol, &vote.json_field, &vote.choice) {
        (RouteProtocol::Oip, ..) => {
            let (name, tensor) = voted_output(route, vote)?;
            match is_number(vote, tensor) {
                true => Voted::Number(name.into(), vote.abs_tol, vote.rel_tol),
                false => Voted::Label(name.into()),
            }
        }
        _ if !vote.json_fields.is_empty() => Voted::Fields(vote.json_fields.clone(), vote.abs_tol, vote.rel_tol),
        (_, Some(field), _) => Voted::Field(field.clone()),
        (_, _, Some(letters)) => Voted::Choice(letters.clone()),
        _ => Voted::Text,
    })
}

fn learnt(file: &str, outside: &Outside) -> Learnt {
    let votes = outside.votes(file);
    let bounds = (0..votes.learnt.members()).map(|it| votes.learnt.bounds(0, it)).collect();
    Learnt { sha256: outside.file(file).sha256, votes, bounds }
}

/// Returns what must be the same where votes are learnt and where they are taken.
pub(crate) fn votes_of(Site { route, tier }: Site<'_>, vote: &Vote, outside: &Outside) -> VotesOf {
    let on = match voted(route, vote) {
        Some(Voted::Label(name)) => {
            let datatype = route.output.as_ref().and_then(|it| it.tensors.get(&name)).map(|it| it.datatype.name());
            format!("the output `{name}` ({})", datatype.unwrap_or_default())
        }
        Some(Voted::Field(name)) => format!("the field `{name}`"),
        Some(Voted::Fields(names, ..)) => format!("the fields `{}`", names.join("`, `")),
        Some(Voted::Choice(letters)) => format!("a letter of `{letters}`"),
        Some(Voted::Number(..) | Voted::Text) | None => String::new(),
    };
    let member = |(at, Member(it)): (usize, &Member)| (format!("{}/{at}", tier.name), model(it, outside));
    VotesOf {
        tier: tier.name.clone(),
        on,
        confidence: vote.confidence.clone(),
        members: tier.kinds.members().iter().enumerate().map(member).collect(),
    }
}

/// Returns which model a member is: its kind, and the model at its upstream, or the content of its file; and by which `map` its answer
/// becomes one of the route.
pub(crate) fn model(member: &Tier, outside: &Outside) -> String {
    let of = |(kind, path): (&'static str, &dyn PathKind)| {
        let upstream = if let Target::Upstream(name) = path.target() { Some(name.to_owned()) } else { None };
        let file = path.file().and_then(|(_, file)| outside.checksum(&file)).map(|it| format!("sha256:{it}"));
        let map = serde_json::to_vec(&member.map).expect("it was read from such a text");
        let map = (!member.map.is_empty()).then(|| format!("map:{}", core::digest_name(&Sha256::digest(map).into())));
        let parts = [upstream, path.model().map(str::to_owned), path.version().map(str::to_owned), file, map];
        parts.into_iter().flatten().fold(kind.to_owned(), |text, it| format!("{text} {it}"))
    };
    member.kinds.given().into_iter().map(of).next().unwrap_or_default()
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
