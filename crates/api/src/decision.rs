//! decision/v1: the record of one request as JSON (`interfaces.md`, section 4).

use evenkeel_core as core;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::cache::Cached;
pub use self::sureness::{LearntBy, Sureness};
pub use self::votes::{Confidence, Votes};
use crate::{Calibration, words};

mod cache;
mod guards;
mod posted;
mod sureness;
mod votes;

pub use self::guards::{Guard, Judged, Share};
pub use self::posted::{Posted, RuleRows};

/// The record of one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// `evenkeel.decision/v1`.
    pub schema: String,
    /// ULID.
    pub id: String,
    /// When the request was over.
    pub time: Timestamp,
    /// W3C trace context, where the client sent one.
    pub trace: Option<String>,
    /// The route.
    pub route: String,
    /// What its clients speak.
    pub protocol: String,
    /// What was asked: `chat`, `chat-stream`, `embeddings`, `infer`.
    pub operation: String,
    /// The revision that decided.
    pub revision: String,
    /// The core that decided.
    pub core_version: String,
    /// The route's phase at admission.
    pub phase: String,
    /// The episode of degradation that it fell into.
    pub episode: Option<String>,
    /// The deadline that held, in milliseconds.
    pub deadline_ms: u64,
    /// What was fetched and imputed before; absent where the route is not enriched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrichment: Option<Enrichment>,
    /// What the cache had to do with it; absent where the route has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<Cached>,
    /// Against what its input was judged; absent where the route asks nothing of its inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<Judged>,
    /// What guards found in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<Guard>,
    /// What was compared.
    pub inputs: Vec<Input>,
    /// Every tier with its verdict.
    pub candidates: Vec<Candidate>,
    /// Every attempt.
    pub attempts: Vec<Attempt>,
    /// What the votes of an ensemble are worth; absent where none were counted of which that was learnt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub votes: Option<Votes>,
    /// What the steps of `post` did to answers; absent where they changed nothing and let all pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub post: Vec<Posted>,
    /// What became of it.
    pub outcome: Outcome,
    /// The closest reason.
    pub reason: String,
    /// The decision in words, rendered from the codes.
    pub explanation: String,
}

/// What was fetched for a request, and imputed in its rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrichment {
    /// The feature server.
    pub upstream: String,
    /// How it answered: `ok`, the result of an attempt, `breaker_open` or `nothing_missing`.
    pub result: String,
    /// Microseconds that it took.
    pub duration_us: u64,
    /// What was imputed.
    pub imputed: Vec<Imputed>,
}

/// A feature that was imputed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imputed {
    /// Which.
    pub feature: String,
    /// What stands in: `last_known` or `default`.
    pub from: String,
    /// In how many rows.
    pub rows: u64,
    /// The greatest age of what stands in, in milliseconds; absent for a default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u64>,
}

/// A number that entered a comparison, as compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// What was measured.
    pub signal: String,
    /// The path that it speaks of.
    pub of: String,
    /// The number, a decimal string.
    pub value: String,
    /// How it was compared.
    pub op: String,
    /// What it was compared with.
    pub threshold: String,
    /// Whether it speaks against the path.
    pub breached: bool,
    /// The names of what the path lacks, and, for `regions_barred`, of the regions that it is in and the request may not go to;
    /// absent for other signals, and where nothing is lacking.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacks: Vec<String>,
    /// Whether it was compared for another attempt on a path that had been asked; absent where not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

/// A tier with its verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its number.
    pub tier: u8,
    /// The kind of answer.
    pub method: String,
    /// The path.
    pub path: String,
    /// `selected`, `rejected` or `skipped`.
    pub verdict: String,
    /// Why, the closest first.
    pub reasons: Vec<String>,
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// What was called.
    pub path: String,
    /// Which replica of it.
    pub replica: u16,
    /// Microseconds from admission to its start.
    pub start_us: u64,
    /// Microseconds from its start to its end.
    pub duration_us: u64,
    /// Microseconds from its start to its first content, for a stream that had one.
    pub first_content_us: Option<u64>,
    /// How it ended: `class.code`.
    pub result: String,
    /// The status that the upstream sent.
    pub status: Option<u16>,
    /// Whether it was a leased probe.
    pub probe: bool,
    /// What it was for: `answer`, or to mend a stream that broke: `splice`, `continue`.
    #[serde(default = "answer")]
    pub role: String,
    /// Whether any of what it said had gone to the client before its end.
    #[serde(default)]
    pub sent: bool,
    /// What became of its rows; absent where its route does not judge rows by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<Rows>,
    /// What it cost in tokens; absent where nothing was heard of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The documents that a retrieval path found, the best first: those it answered with, or was not confident enough of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<Document>,
    /// By which map its scores were brought to the scale of the first tier; absent where they were not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// The file of the model that computed it; absent where none did in this process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Model>,
    /// How sure its model was; absent where nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Sureness>,
    /// How it voted; absent where it is no member of an ensemble, or had no vote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vote: Option<Vote>,
    /// How the call ended of whoever says what a question means: where it is not `ok`, documents were found by their words alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedder: Option<String>,
    /// By which rules a `rules` path has answered how many rows, those with the most rows first, 64 at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleRows>,
}

/// The file of a model that is computed in the gateway's process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// SHA-256 of its content, in hexadecimal digits.
    pub sha256: String,
    /// SHA-256 of the key that signed it, as a SubjectPublicKeyInfo, in hexadecimal digits; absent where no signature is asked
    /// for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
}

/// How a member of an ensemble voted: what it said is nowhere in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// What its vote counts, in millionths; where each answer has a weight of its own, their mean over the rows.
    pub weight_millionths: i64,
    /// Rows on which it voted.
    pub rows: u64,
    /// Rows in which it said what was answered; of numbers, something near enough.
    pub agreed: u64,
    /// The place of what it said among the different answers to the only row, the winner's being 0; absent for numbers, and for
    /// several rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<u32>,
}

/// A document that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Its id.
    pub id: String,
    /// How well it fits, in thousandths, as it was compared with `min_score`.
    pub confidence_permille: u16,
    /// What the window of the model that was to read it has left of it: `cut` (its beginning) or `left_out`; absent where it was not too
    /// long for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
}

/// The rows that an attempt was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// How many.
    pub asked: u64,
    /// Of how many its answer was kept: the client has them where the request was answered, and nothing where it was not.
    pub kept: u64,
}

/// What an attempt cost, in tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Of the prompt.
    pub prompt_tokens: u64,
    /// Of what it said, whether it was sent or not.
    pub completion_tokens: u64,
    /// The upstream has not told it: it is estimated from the bytes.
    pub estimated: bool,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The tier that answered.
    pub tier: Option<u8>,
    /// The kind of answer.
    pub method: Option<String>,
    /// The path that answered.
    pub path: Option<String>,
    /// Whether another tier than 0 answered.
    pub degraded: bool,
    /// `answered`, `error`, `broken` or `refused`.
    pub end: String,
    /// What became of a stream that broke after its client had begun to get it: `none`, `spliced`, `continued`, `truncated`.
    #[serde(default = "none")]
    pub rescue: String,
    /// How likely the answer is right, as its client was told; absent where it was told nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    /// The HTTP status.
    pub status: u16,
    /// Microseconds from admission to the end.
    pub latency_us: u64,
}

impl Decision {
    /// The name of its form.
    pub const SCHEMA: &str = "evenkeel.decision/v1";

    /// Writes a record of the core in names.
    pub fn render(it: &core::Decision, id: &str, time: Timestamp, trace: Option<String>) -> Self {
        let route = &it.revision.routes[it.route.index()];
        let outcome = outcome(it, route);
        Self {
            schema: Self::SCHEMA.into(),
            id: id.into(),
            time,
            trace,
            route: route.name.clone(),
            protocol: route.protocol.name().into(),
            operation: it.operation.name().into(),
            revision: core::digest_name(&it.revision.digest),
            core_version: env!("CARGO_PKG_VERSION").into(),
            phase: it.phase.name().into(),
            episode: it.episode.map(words::episode),
            deadline_ms: it.deadline / core::MILLISECOND,
            enrichment: None,
            cache: None,
            judged: None,
            guards: Vec::new(),
            inputs: it.facts.iter().map(|fact| input(fact, route, &it.revision)).collect(),
            candidates: it.candidates.iter().map(|it| candidate(it, route)).collect(),
            attempts: it.attempts.iter().map(|attempt| self::attempt(attempt, &it.revision)).collect(),
            votes: None,
            post: Vec::new(),
            explanation: explanation(&outcome, why(it)),
            outcome,
            reason: it.reason.name().into(),
        }
    }
}

fn input(fact: &core::Fact, route: &core::Route, revision: &core::Revision) -> Input {
    let lacks = core::lacks(revision, fact.signal, fact.value).unwrap_or_default();
    Input {
        signal: words::signal(fact.signal).into(),
        of: match fact.member {
            None => route.tiers[usize::from(fact.tier)].name.clone(),
            Some(member) => format!("{}/{member}", route.tiers[usize::from(fact.tier)].name),
        },
        value: words::number(fact.value),
        op: fact.signal.breached_when().sign().into(),
        threshold: words::number(fact.threshold),
        breached: fact.breached(),
        lacks: lacks.into_iter().map(str::to_owned).collect(),
        again: fact.again,
    }
}

fn candidate(it: &core::Candidate, route: &core::Route) -> Candidate {
    let tier = &route.tiers[usize::from(it.tier)];
    Candidate {
        tier: it.tier,
        method: tier.method.name().into(),
        path: tier.name.clone(),
        verdict: it.verdict.name().into(),
        reasons: it.reasons.iter().map(|reason| reason.name().into()).collect(),
    }
}

fn attempt(it: &core::AttemptRecord, revision: &core::Revision) -> Attempt {
    Attempt {
        path: revision.paths[it.path.index()].name.clone(),
        replica: it.replica.0,
        start_us: words::micros(it.start),
        duration_us: words::micros(it.duration),
        first_content_us: it.first_content.map(words::micros),
        result: it.result.name().into(),
        status: it.status,
        probe: it.probe,
        role: it.role.name().into(),
        sent: it.sent,
        rows: it.rows.map(|it| Rows { asked: it.asked, kept: it.kept }),
        usage: None,
        documents: Vec::new(),
        calibration: None,
        model: None,
        confidence: None,
        vote: None,
        embedder: None,
        rules: Vec::new(),
    }
}

fn outcome(it: &core::Decision, route: &core::Route) -> Outcome {
    let tier = it.outcome.tier.map(|tier| &route.tiers[usize::from(tier)]);
    Outcome {
        tier: it.outcome.tier,
        method: it.method().map(|method| method.name().into()),
        path: tier.map(|tier| tier.name.clone()),
        degraded: it.outcome.tier.is_some_and(|tier| tier > 0),
        end: words::end(it.outcome.end).into(),
        rescue: it.rescue().name().into(),
        confidence: None,
        status: it.outcome.status,
        latency_us: words::micros(it.outcome.latency),
    }
}

/// What attempts of earlier records were for.
fn answer() -> String {
    core::Role::Answer.name().into()
}

/// What became of streams of earlier records, as far as they say.
fn none() -> String {
    core::Rescue::None.name().into()
}

/// Says why it ended so.
fn why(it: &core::Decision) -> &'static str {
    let unfit = || it.attempts.iter().any(|it| it.result.class() == core::Class::Quality);
    match it.reason {
        core::Reason::AllTiersExhausted if unfit() => {
            "what was answered could not be given, and nothing else could answer"
        }
        reason => reason.words(),
    }
}

fn explanation(outcome: &Outcome, why: &str) -> String {
    let who = match (outcome.end.as_str(), outcome.tier, &outcome.method, &outcome.path) {
        ("answered", Some(tier), Some(method), Some(path)) => format!("Answered by tier {tier} ({method}, {path})"),
        ("broken", Some(tier), Some(method), Some(path)) => {
            format!("Broke off while tier {tier} ({method}, {path}) answered")
        }
        ("error", ..) => "Ended with the model's own error".into(),
        _ => "Refused".into(),
    };
    let mended = match outcome.rescue.as_str() {
        "spliced" => "; it said again what had been sent of a stream that broke, and went on",
        "continued" => "; it went on with what had been sent of a stream that broke",
        _ => "",
    };
    format!("{who}{mended}: {why}.")
}

#[cfg(test)]
mod tests;
