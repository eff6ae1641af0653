//! Compile: a checked file to what the core and the gateway run, named by its digest.
//!
//! # Invariants
//! - `COMP-1`: what comes out cannot be wrong: `check` has refused everything that could be.
//! - `COMP-2`: the digest is that of the canonical form (keys sorted, defaults written out, secrets as references), so
//!   files that mean the same have the same digest.

use std::{path::Path as Folder, sync::Arc};

use evenkeel_core::{self as core, PathId, RouteId, UpstreamId, Where};
use sha2::{Digest, Sha256};

use crate::{
    schema::{
        breaker::Breaker,
        file::File,
        path::Kind,
        route::{OnCapability, OnPolicy, Route, RouteProtocol},
        scalar::Ratio,
        server::Server,
        tier::{Feature, Method, Tier},
    },
    secret::Secret,
};

/// What one configuration runs: the core's view and the gateway's, index by index.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// What the core decides by.
    pub revision: Arc<core::Revision>,
    /// Addresses and limits of the process.
    pub server: Server,
    /// By [`UpstreamId`].
    pub upstreams: Vec<UpstreamSpec>,
    /// By [`PathId`].
    pub paths: Vec<PathSpec>,
    /// By [`RouteId`].
    pub routes: Vec<RouteSpec>,
}

impl Deployment {
    /// Returns the name of the revision as clients and records see it: `sha256:` and twelve hex digits.
    pub fn name(&self) -> String {
        let digest = &self.revision.digest[..6];
        digest.iter().fold("sha256:".to_owned(), |name, byte| format!("{name}{byte:02x}"))
    }
}

/// How to reach an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamSpec {
    /// The name.
    pub name: String,
    /// One per replica, without a slash at the end.
    pub urls: Vec<String>,
    /// The credential that it wants.
    pub api_key: Option<Secret>,
    /// How long a connection may take to be made, in nanoseconds.
    pub connect: u64,
    /// How long an idle connection is kept, in nanoseconds.
    pub idle: u64,
}

/// What a path calls, with what only the gateway needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathSpec {
    /// What it calls.
    pub kind: Kind,
    /// The largest answer, in bytes.
    pub max_answer: u64,
    /// How long the end of a stream may take after its `finish_reason`, in nanoseconds.
    pub finalise: u64,
}

/// What only the gateway needs to know of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSpec {
    /// The vector space of an embeddings route.
    pub space: Option<String>,
}

/// Compiles a file that was checked.
pub(crate) fn compile(file: &File, base: &Folder) -> Deployment {
    let upstreams: Vec<UpstreamSpec> = file.upstreams.iter().map(|(name, it)| upstream(name, it, base)).collect();
    let mut revision = core::Revision { digest: digest(file), ..core::Revision::default() };
    revision.upstreams =
        upstreams.iter().map(|it| core::Upstream { name: it.name.clone(), replicas: it.urls.clone() }).collect();
    let (mut paths, mut routes) = (Vec::new(), Vec::new());
    for (at, (name, it)) in file.routes.iter().enumerate() {
        let first = revision.paths.len();
        for tier in &it.tiers {
            let (_, kind) = tier.kinds.given().pop().expect("checked: exactly one kind");
            let place = match kind.rules().upstream() {
                Some(name) => {
                    let at = upstreams.iter().position(|it| it.name == name).expect("checked: the upstream is there");
                    Where::Remote(UpstreamId(at as u16))
                }
                None if kind.rules().is_certain() => Where::Certain,
                None => Where::Local,
            };
            revision.paths.push(path(tier, RouteId(at as u16), it, (&kind, place)));
            paths.push(PathSpec { kind, max_answer: tier.max_answer.0, finalise: tier.finalise().nanos() });
        }
        revision.routes.push(route(name, it, first));
        routes.push(RouteSpec { space: it.tiers.first().and_then(|tier| tier.space.clone()) });
    }
    Deployment { revision: Arc::new(revision), server: file.server.clone(), upstreams, paths, routes }
}

fn digest(file: &File) -> [u8; 32] {
    let canonical = serde_json::to_value(file).expect("a file that was read can be written");
    Sha256::digest(canonical.to_string().as_bytes()).into()
}

fn upstream(name: &str, it: &crate::schema::upstream::Upstream, base: &Folder) -> UpstreamSpec {
    let secret = |reference: &String| Secret::resolve(reference, base).expect("checked: the secret is there");
    UpstreamSpec {
        name: name.into(),
        urls: it.addresses().map(|url| url.trim_end_matches('/').to_owned()).collect(),
        api_key: it.api_key.as_ref().map(secret),
        connect: it.connect.nanos(),
        idle: it.idle.nanos(),
    }
}

fn protocol(it: RouteProtocol) -> core::Protocol {
    match it {
        RouteProtocol::OpenaiChat => core::Protocol::OpenaiChat,
        RouteProtocol::OpenaiEmbeddings => core::Protocol::OpenaiEmbeddings,
    }
}

/// The route's own deadline, else that of its protocol (F-021).
fn deadline(it: &Route) -> u64 {
    let by_protocol = match it.protocol {
        RouteProtocol::OpenaiChat => 30 * core::SECOND,
        RouteProtocol::OpenaiEmbeddings => 10 * core::SECOND,
    };
    it.deadline.map_or(by_protocol, |deadline| deadline.nanos())
}

fn route(name: &str, it: &Route, first: usize) -> core::Route {
    let tier = |(at, tier): (usize, &Tier)| core::Tier {
        name: tier.name.clone(),
        method: method(at, tier),
        path: PathId((first + at) as u16),
    };
    core::Route {
        name: name.into(),
        protocol: protocol(it.protocol),
        deadline: deadline(it),
        max_attempts: it.max_attempts,
        on_policy: match it.on_policy {
            OnPolicy::Error => core::OnPolicy::Error,
            OnPolicy::Default => core::OnPolicy::Default,
            OnPolicy::Next => core::OnPolicy::Next,
        },
        on_capability: match it.on_capability {
            OnCapability::Next => core::OnCapability::Next,
            OnCapability::Error => core::OnCapability::Error,
        },
        budget: core::BudgetPolicy {
            ratio: permille(it.retry_budget.ratio),
            floor: it.retry_budget.floor,
            per: it.retry_budget.per.nanos(),
        },
        tiers: it.tiers.iter().enumerate().map(tier).collect(),
    }
}

/// What the tier says, else what follows from its place and kind.
fn method(at: usize, tier: &Tier) -> core::Method {
    let certain = tier.kinds.given().first().is_some_and(|(_, kind)| kind.rules().is_certain());
    match tier.method {
        Some(Method::Primary) => core::Method::Primary,
        Some(Method::Distilled) => core::Method::Distilled,
        Some(Method::Default) => core::Method::Default,
        None if certain => core::Method::Default,
        None if at == 0 => core::Method::Primary,
        None => core::Method::Distilled,
    }
}

fn path(tier: &Tier, id: RouteId, route: &Route, kind: (&Kind, Where)) -> core::Path {
    let (kind, place) = kind;
    let features = |it: &Vec<Feature>| it.iter().fold(core::Features::NONE, |all, it| all.with(feature(*it)));
    core::Path {
        name: tier.name.clone(),
        route: id,
        place,
        clocks: core::Clocks {
            first_content: tier.first_token.nanos(),
            stall: tier.stall.nanos(),
            total: tier.total.nanos(),
        },
        need: kind.rules().need().min(deadline(route) / 4),
        retries: tier.retries,
        features: tier.features.as_ref().map_or(kind.rules().features(), features),
        context: tier.context,
        breaker: breaker(&tier.breaker),
    }
}

fn feature(it: Feature) -> core::Features {
    match it {
        Feature::Tools => core::Features::TOOLS.with(core::Features::TOOL_REQUIRED),
        Feature::Json => core::Features::JSON,
        Feature::Schema => core::Features::SCHEMA,
        Feature::Logprobs => core::Features::LOGPROBS,
        Feature::N => core::Features::N,
        Feature::Image => core::Features::IMAGE,
        Feature::Audio => core::Features::AUDIO,
        Feature::File => core::Features::FILE,
    }
}

fn breaker(it: &Breaker) -> core::BreakerPolicy {
    let rate = |(samples, bad, window): (u32, Ratio, crate::schema::scalar::Duration)| core::Rate {
        samples,
        bad: permille(bad),
        window: window.nanos(),
    };
    core::BreakerPolicy {
        consecutive: it.consecutive,
        fast: rate(it.fast),
        slow: rate(it.slow),
        low: [it.low.0, it.low.1],
        open: it.open.nanos(),
        open_max: it.open_max.nanos(),
        probes: it.probes,
        successes: it.successes,
        ramp: it.ramp.iter().map(|it| permille(*it)).collect(),
    }
}

fn permille(it: Ratio) -> core::Permille {
    core::Permille::new(it.0)
}
