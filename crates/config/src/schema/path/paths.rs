//! `paths`: several paths that are asked at once, and a vote.
//!
//! A member is written like a tier of its own, without what makes no sense for one of several: a name and a method, a second
//! try, a hedge, the recovery of a stream.

use evenkeel_core::{Features, Nanos};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Kind, Kinds, PathKind, Site, Target, oip, onnx, openai, rules};
use crate::{
    calibration::VotesOf,
    check::Checks,
    compile::{Voted, Weights},
    confidence::Confidence,
    outside::Outside,
    schema::{
        accept::Accept,
        breaker::Breaker,
        contract::Datatype,
        first_token::FirstToken,
        map::MappedOutput,
        route::RouteProtocol,
        scalar::{Duration, Limit, Size},
        tier::{self, Feature, Hedge, Method, Tier},
    },
    tree::Key,
};

use std::collections::BTreeMap;

/// Why `calibrate_to` does not stand here, and what does.
const NO_SCALE: [&str; 2] = [
    "the scores of a tier are brought to a scale, and a member is none: no copies of requests teach what it says",
    "remove it; what an answer of each member is worth is learnt into the file of `vote.calibration`",
];

/// Several paths that are asked at once.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(rename = "Paths")]
pub(crate) struct Block(#[schemars(length(min = 2, max = 8))] Vec<Member>);

/// One of several paths, as a tier without a name.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(from = "Written", into = "Written")]
pub(crate) struct Member(pub(crate) Tier);

/// What is voted on, and what each vote counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Ensemble {
    /// What is voted on.
    pub on: Voted,
    /// What the vote of each member counts.
    pub weights: Weights,
    /// How many different answers there are.
    pub classes: u32,
    /// How sure a member is of a row; none where nobody asks.
    pub confidence: Option<Confidence>,
    /// What must be the same where its votes are learnt.
    pub of: VotesOf,
}

/// One of several paths that are asked at once. Exactly one kind of path stands in it; the other keys mean what they mean on a
/// tier.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Member", extend("x-misplaced" = json!({"calibrate_to": NO_SCALE})))]
struct Written {
    /// A model on an OpenAI-compatible server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    openai: Option<openai::Block>,
    /// A model on an Open Inference Protocol server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    oip: Option<oip::Block>,
    /// A model that is computed in this process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    onnx: Option<onnx::Block>,
    /// Rules that an expert can read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rules: Option<rules::Block>,
    /// Time to the first content of a stream, or `auto` (F-022).
    #[serde(default = "tier::first_token")]
    first_token: FirstToken,
    /// The longest silence after the first content (F-024).
    #[serde(default = "tier::stall")]
    stall: Duration,
    /// The longest attempt (F-025).
    #[serde(default = "tier::total")]
    total: Duration,
    /// How long the end of a stream may take after its `finish_reason` (F-005).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finalise: Option<Duration>,
    /// Tokens per second that a stream must say (F-029).
    #[serde(default = "tier::min_rate")]
    #[schemars(range(min = 0, max = 10_000))]
    min_rate: u16,
    /// The largest answer (F-121).
    #[serde(default = "tier::max_answer")]
    max_answer: Size,
    /// Work at once at each replica (F-080, F-081).
    #[serde(default)]
    limit: Limit,
    /// The quota that this model draws on, where that is not its upstream's (F-051).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    capacity_domain: Option<String>,
    /// Tokens that the model's window holds (F-036).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    context: Option<u64>,
    /// What the model can do beyond plain text (F-036); tools, audio and several choices are never asked of several at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    features: Option<Vec<Feature>>,
    /// The languages that the model understands; without it all (F-036).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    languages: Option<Vec<String>>,
    /// The datatypes of tensors that the model takes; without it all (F-036).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    datatypes: Option<Vec<Datatype>>,
    /// Every region in which its upstream may keep or compute what it is sent (F-036).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    residency: Option<Vec<String>>,
    /// How outputs of the route are made of those of this member.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    map: BTreeMap<String, MappedOutput>,
    /// How sure a model of an `oip` route must be of a row to vote on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accept: Option<Accept>,
    /// When this path is cut off and how it comes back.
    #[serde(default)]
    breaker: Breaker,
}

impl JsonSchema for Member {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        Written::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Written::json_schema(generator)
    }
}

impl From<Written> for Member {
    fn from(it: Written) -> Self {
        let Written { openai, oip, onnx, rules, .. } = it;
        Self(Tier {
            name: String::new(),
            method: None,
            first_token: it.first_token,
            stall: it.stall,
            total: it.total,
            finalise: it.finalise,
            min_rate: it.min_rate,
            retries: 0,
            max_answer: it.max_answer,
            limit: it.limit,
            hedge: Hedge::Off,
            capacity_domain: it.capacity_domain,
            context: it.context,
            features: it.features,
            languages: it.languages,
            datatypes: it.datatypes,
            residency: it.residency,
            space: None,
            prefill: false,
            effects: false,
            after_break: tier::after_break(),
            map: it.map,
            accept: it.accept,
            calibrate_to: None,
            vote: None,
            breaker: it.breaker,
            kinds: Kinds { openai, oip, onnx, rules, ..Kinds::default() },
        })
    }
}

impl From<Member> for Written {
    fn from(Member(it): Member) -> Self {
        let Kinds { openai, oip, onnx, rules, .. } = it.kinds;
        Self {
            openai,
            oip,
            onnx,
            rules,
            first_token: it.first_token,
            stall: it.stall,
            total: it.total,
            finalise: it.finalise,
            min_rate: it.min_rate,
            max_answer: it.max_answer,
            limit: it.limit,
            capacity_domain: it.capacity_domain,
            context: it.context,
            features: it.features,
            languages: it.languages,
            datatypes: it.datatypes,
            residency: it.residency,
            map: it.map,
            accept: it.accept,
            breaker: it.breaker,
        }
    }
}

impl Block {
    pub(super) fn members(&self) -> &[Member] {
        &self.0
    }

    pub(super) fn members_mut(&mut self) -> &mut [Member] {
        &mut self.0
    }
}

impl PathKind for Block {
    fn check(&self, key: &Key, site: Site<'_>, checks: &mut Checks<'_>) {
        checks.serves(key, site.route, &[RouteProtocol::Oip, RouteProtocol::OpenaiChat]);
    }

    fn ready(&self, site: Site<'_>, outside: &Outside) -> Kind {
        Kind::Ensemble(Ensemble::new(site, outside))
    }

    fn target(&self) -> Target<'_> {
        Target::Members
    }

    fn row(&self, outside: &Outside) -> u64 {
        let kinds = self.0.iter().flat_map(|it| it.0.kinds.given());
        kinds.map(|(_, kind)| kind.row(outside)).max().unwrap_or(0)
    }

    /// That of its members counts.
    fn need(&self) -> Nanos {
        0
    }

    fn features(&self) -> Features {
        Features::ALL
    }

    fn methods(&self) -> &'static [Method] {
        &[Method::Ensemble]
    }
}
