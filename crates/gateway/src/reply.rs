//! Reply: what goes back to a client, with the headers that say who answered, why, and how (`interfaces.md`, section 3).

use bytes::Bytes;
use evenkeel_core::{Disclosure, Nanos, PathId, Rescue, Revision, SECOND};
use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::{
    ask::Ask,
    cache,
    enrich::Enriched,
    protocol::{front::Front, oip_grpc::status::Code, problem::Problem},
    rope::Rope,
    sure::Sure,
    tensor::Parameter,
};

/// What a client gets.
#[derive(Debug)]
pub(crate) enum Reply {
    /// All at once.
    Whole { status: u16, headers: HeaderMap, body: Rope },
    /// Event by event.
    Stream { headers: HeaderMap, events: mpsc::Receiver<Bytes> },
}

/// Says who answered a request, in headers and in the body.
pub(crate) struct Told<'a> {
    pub(crate) ask: &'a Ask,
    pub(crate) revision: &'a Revision,
    pub(crate) route: &'a str,
    pub(crate) disclosure: &'a Disclosure,
    /// Whose words are in a stream that broke, in order.
    pub(crate) parts: &'a [PathId],
    /// What the cache had to do with it, where its route has one.
    pub(crate) cache: Option<cache::Told>,
    /// How likely it is right, where that is known.
    pub(crate) sure: Option<Sure>,
}

/// How likely an answer is right.
#[derive(Serialize)]
struct Confidence {
    kind: &'static str,
    value: f64,
    n: u64,
    as_of: Timestamp,
}

/// The object `evenkeel` in a body: the header names without their prefix, typed.
#[derive(Serialize)]
struct Object<'a> {
    decision: &'a str,
    route: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    degraded: bool,
    reason: &'a str,
    attempts: u8,
    revision: &'a str,
    /// How near the question of an earlier answer to other words is, from 0 to 1, and how many seconds old that is (F-147).
    #[serde(skip_serializing_if = "Option::is_none")]
    similarity: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<Confidence>,
    /// What was imputed in its input (F-037).
    #[serde(skip_serializing_if = "Option::is_none")]
    imputed: Option<String>,
    /// What became of a stream that broke, and whose words are in it (F-130).
    #[serde(skip_serializing_if = "Option::is_none")]
    rescue: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<&'a str>,
}

impl Told<'_> {
    /// Returns the headers, to be added to what the answer brought.
    pub(crate) fn headers(&self, mut headers: HeaderMap) -> HeaderMap {
        let object = self.object();
        let mut put = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        put("evenkeel-decision", object.decision);
        put("evenkeel-route", object.route);
        put("evenkeel-reason", object.reason);
        put("evenkeel-revision", object.revision);
        put("evenkeel-degraded", if object.degraded { "true" } else { "false" });
        put("evenkeel-attempts", &object.attempts.to_string());
        if let Some(Confidence { kind, value, n, .. }) = &object.confidence {
            put("evenkeel-confidence", &format!("{value:.3};kind={kind};n={n}"));
        }
        if let Some(imputed) = &object.imputed {
            put("evenkeel-imputed", imputed);
        }
        if let (Some(tier), Some(method), Some(path)) = (object.tier, object.method, object.path) {
            put("evenkeel-tier", &tier.to_string());
            put("evenkeel-method", method);
            put("evenkeel-path", path);
        }
        self.cache.iter().for_each(|cache| cache.put(&mut headers));
        headers
    }

    /// Returns the object for the body, as JSON.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string(&self.object()).expect("strings and numbers are JSON")
    }

    /// Returns the same as flat parameters of an inference.
    pub(crate) fn parameters(&self) -> Vec<(&'static str, Parameter)> {
        let object = self.object();
        let text = |value: &str| Parameter::String(value.into());
        let mut parameters = vec![
            ("evenkeel.decision", text(object.decision)),
            ("evenkeel.route", text(object.route)),
            ("evenkeel.degraded", Parameter::Bool(object.degraded)),
            ("evenkeel.reason", text(object.reason)),
            ("evenkeel.attempts", Parameter::Int(object.attempts.into())),
            ("evenkeel.revision", text(object.revision)),
        ];
        if let (Some(tier), Some(method), Some(path)) = (object.tier, object.method, object.path) {
            let answered = [("evenkeel.tier", Parameter::Int(tier.into())), ("evenkeel.method", text(method))];
            parameters.splice(2..2, answered.into_iter().chain([("evenkeel.path", text(path))]));
        }
        if let Some(Confidence { kind, value, n, as_of }) = object.confidence {
            parameters.push(("evenkeel.confidence", Parameter::Float(value)));
            parameters.push(("evenkeel.confidence_kind", text(kind)));
            parameters.push(("evenkeel.confidence_n", Parameter::Int(i64::try_from(n).unwrap_or(i64::MAX))));
            parameters.push(("evenkeel.confidence_as_of", Parameter::String(as_of.to_string())));
        }
        parameters.extend(self.row_confidences().map(|rows| ("evenkeel.row_confidences", Parameter::String(rows))));
        parameters.extend(object.imputed.map(|imputed| ("evenkeel.imputed", Parameter::String(imputed))));
        parameters
    }

    /// How likely each row is right, where there are several and that is known of all of them.
    fn row_confidences(&self) -> Option<String> {
        let sure = self.sure.as_ref().filter(|it| it.rows.len() > 1)?;
        Some(sure.rows.iter().map(|it| format!("{:.3}", part(*it))).collect::<Vec<_>>().join(","))
    }

    fn confidence(&self) -> Option<Confidence> {
        let sure = self.sure.as_ref()?;
        Some(Confidence { kind: sure.kind.name(), value: part(sure.least()), n: sure.n, as_of: sure.as_of })
    }

    fn object(&self) -> Object<'_> {
        let answered = self.disclosure.answered;
        let rescue = Some(self.disclosure.rescue).filter(|it| *it != Rescue::None);
        let name = |path: PathId| self.revision.paths[path.index()].name.as_str();
        let near = self.cache.as_ref().filter(|it| it.similarity_permille.is_some());
        Object {
            decision: &self.ask.decision,
            route: self.route,
            tier: answered.map(|(tier, ..)| tier),
            method: answered.map(|(_, method, _)| method.name()),
            path: answered.map(|(.., path)| name(path)),
            degraded: self.disclosure.degraded,
            reason: self.disclosure.reason.name(),
            attempts: self.disclosure.attempts,
            revision: &self.ask.revision,
            similarity: near.and_then(cache::Told::similarity),
            age: near.and_then(|it| it.age).map(|age| age.as_secs()),
            confidence: self.confidence(),
            imputed: self.ask.enriched().and_then(Enriched::text),
            rescue: rescue.map(Rescue::name),
            parts: self.parts.iter().filter(|_| rescue.is_some()).map(|path| name(*path)).collect(),
        }
    }
}

/// Writes thousandths as a part of 1.
fn part(permille: u16) -> f64 {
    f64::from(permille) / 1e3
}

/// Returns the headers of a JSON body.
pub(crate) fn json(mut headers: HeaderMap) -> HeaderMap {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
}

/// Returns the headers of an event stream.
pub(crate) fn events(mut headers: HeaderMap) -> HeaderMap {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    headers
}

/// Says how a call of gRPC ended; in a [`Reply`], that what stands in place of its body is a text.
pub(crate) const GRPC_STATUS: &str = "grpc-status";

/// What goes with a refusal.
#[derive(Debug, Default)]
pub(crate) struct Terms {
    pub(crate) headers: HeaderMap,
    /// Nanoseconds until it is worth to come again.
    pub(crate) retry_after: Option<Nanos>,
}

impl Terms {
    /// The request itself was lost, and may be sent again soon.
    pub(crate) fn soon() -> Self {
        Self { headers: HeaderMap::new(), retry_after: Some(SECOND) }
    }
}

/// Returns the reply to a request that is refused; SDKs retry some statuses on their own, which would only multiply
/// what was already tried here.
pub(crate) fn refused(front: Front, problem: Problem, message: &str, terms: Terms) -> Reply {
    let (mut headers, status) = (json(terms.headers), problem.status());
    hold_back(status, &mut headers);
    if front == Front::OipGrpc {
        headers.insert(GRPC_STATUS, HeaderValue::from(Code::of(problem).0));
    }
    if let Some(nanos) = terms.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(nanos.div_ceil(1_000_000_000).clamp(1, 300)));
    }
    Reply::Whole { status, headers, body: front.error_body(problem, message, None).into() }
}

/// Tells an SDK that it is not to repeat what was already tried here as often as it makes sense, and everybody when to
/// come back: each 429 and 503 of ours says so (F-056).
pub(crate) fn hold_back(status: u16, headers: &mut HeaderMap) {
    if matches!(status, 408 | 409 | 429 | 500..=599) {
        headers.insert("x-should-retry", HeaderValue::from_static("false"));
    }
    if matches!(status, 429 | 503) && !headers.contains_key(header::RETRY_AFTER) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(1));
    }
}
