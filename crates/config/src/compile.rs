//! Compile: a checked file to what the core and the gateway run, named by its digest.
//!
//! # Invariants
//! - `COMP-1`: what comes out cannot be wrong: `check` has refused everything that could be.
//! - `COMP-2`: files that mean the same have the same digest (`digest`).

mod audit;
pub(crate) mod batch;
mod cache;
mod calibration;
pub(crate) mod capability;
mod certificate;
mod contract;
pub(crate) mod digest;
mod drift;
mod enrich;
pub(crate) mod guards;
mod map;
mod only;
mod post;
pub(crate) mod quality;
mod shared;
mod store;
mod taught;
pub(crate) mod vote;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use evenkeel_core::{self as core, PathId, RouteId, UpstreamId};

pub use audit::{AuditLog, Repository};
pub use cache::{Cache, Semantic};
pub use calibration::{Calibration, LiveCalibration};
pub use certificate::Issued;
pub use contract::{Absent, Feature, FixedTensor, Input, InputTensor, Output, OutputTensor};
pub use drift::{Drift, DriftWatch};
pub use enrich::{Enrich, Fetched, JoinKey};
pub use guards::{Against, Asks, From, Guard, Guarding, MILLIONTHS, Watched};
pub use map::{MapSource, MappedOutput, Pick};
pub use only::{Alone, NotAlone};
pub use quality::Quality;
pub use shared::Store;
pub use store::DecisionStore;
pub(crate) use taught::Taught;
pub use vote::{Learnt, Voted, Weights};

use crate::{
    calibration::ConfidenceOf,
    confidence::{Accept, Confidence, Worth},
    outside::Outside,
    post::Post,
    schema::{
        accept::Otherwise,
        breaker::Breaker,
        commit::Commit,
        decisions::Kept,
        file::File,
        first_token::FirstToken,
        path::{Kind, Member, PathKind, Site, Target},
        post::OnError,
        probe::Asked,
        route::{OnCapability, OnPolicy, Rescue, Route, RouteProtocol, WhenExhausted},
        rows::Rows,
        scalar::{Duration, Limit, Ratio},
        server::Server,
        tier::{Feature as Capability, Hedge, Method, Tier},
        upstream::{Dialect, Upstream, UpstreamProtocol},
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
    /// What the data plane encrypts with.
    pub certificate: Option<Certificate>,
    /// The folder of what is kept on disk.
    pub data_dir: PathBuf,
    /// Where decisions are stored.
    pub store: DecisionStore,
    /// How much of requests is kept there; none where nothing is.
    pub decisions: Option<Kept>,
    /// The tamper-evident log that is written; none where none is.
    pub audit: Option<AuditLog>,
    /// The Redis in which gateways keep answers together.
    pub shared: Option<Store>,
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
        core::digest_name(&self.revision.digest)
    }
}

/// A certificate with its key, both as PEM (RFC 7468).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The server's own, then those of its issuers.
    pub chain: Secret,
    /// The private key.
    pub key: Secret,
}

/// How to reach an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamSpec {
    /// The name.
    pub name: String,
    /// What it speaks.
    pub protocol: UpstreamProtocol,
    /// The habits of an `oip` server.
    pub dialect: Dialect,
    /// One per replica, without a slash at the end.
    pub urls: Vec<String>,
    /// The credential that it wants.
    pub api_key: Option<Secret>,
    /// How long the resolution of a name may take, in nanoseconds.
    pub dns: u64,
    /// How long a connection may take to be made, in nanoseconds.
    pub connect: u64,
    /// How long the handshake of an encrypted connection may take, in nanoseconds.
    pub tls: u64,
    /// Those who may have issued its certificate, as PEM; without it the public issuers.
    pub issuers: Option<Secret>,
    /// How long an idle connection is kept, in nanoseconds.
    pub idle: u64,
}

/// What a path calls, with what only the gateway needs to know.
#[derive(Clone, Debug, PartialEq)]
pub struct PathSpec {
    /// What it calls.
    pub kind: Kind,
    /// The largest answer, in bytes.
    pub max_answer: u64,
    /// How long the end of a stream may take after its `finish_reason`, in nanoseconds.
    pub finalise: u64,
    /// How outputs of its route are made of what it answers, sorted by name; the others are taken as they are.
    pub map: Vec<MappedOutput>,
    /// How sure it must be of each row of its answer; none where nobody asks.
    pub accept: Option<Accept>,
    /// Which model it is, in the words of files of what was learnt of it.
    pub model: String,
    /// What must be the same where that confidence is learnt; none where nobody asks.
    pub confidence_of: Option<ConfidenceOf>,
    /// How its scores are brought to the scale of the first tier; none where they stay as they are.
    pub calibration: Option<Arc<Calibration>>,
    /// The same, where how is learnt while serving.
    pub live_calibration: Option<LiveCalibration>,
}

/// What only the gateway needs to know of a route.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteSpec {
    /// What an `oip` route takes, where it says so.
    pub input: Option<Input>,
    /// What is fetched where a client leaves it out.
    pub enrich: Option<Enrich>,
    /// What is asked of its inputs before they are answered.
    pub guarding: Option<Arc<Guarding>>,
    /// Rows of one request, at most; none where the first dimension of an input can mean anything.
    pub max_batch: Option<u64>,
    /// What an `oip` route gives, where it says so.
    pub output: Option<Output>,
    /// What is kept of its answers.
    pub cache: Option<Cache>,
    /// The versions that an `oip` route has, at least one; the first is meant where none is named.
    pub versions: Vec<String>,
    /// How far a number of a shadow may be from the one that the client got, in permille (F-150).
    pub tolerance: u16,
    /// What requests want that say nothing (F-036).
    pub wants: core::Wants,
    /// What is done to every answer.
    pub post: Arc<Post>,
    /// How its inputs and outputs are compared with its reference.
    pub drift: Option<Drift>,
    /// The header by which requests of one session are told, in lower case.
    pub session_key: Option<String>,
    /// What counts as right where the truth comes later.
    pub quality: Arc<Quality>,
    /// What is promised of its thresholds; none where nothing is.
    pub certificate: Option<Arc<Issued>>,
}

/// Compiles a file that was checked, with what it names outside.
pub(crate) fn compile(mut file: File, outside: &Outside) -> Deployment {
    write_out(&mut file, outside);
    let upstreams: Vec<UpstreamSpec> = file.upstreams.iter().map(|(name, it)| upstream(name, it, outside)).collect();
    let canonical = digest::canonical(&file, outside);
    let mut revision = core::Revision { digest: digest::of(&canonical), ..core::Revision::default() };
    revision.names = capability::names(&file);
    revision.upstreams = file.upstreams.iter().zip(&upstreams).map(|((_, it), spec)| core_upstream(it, spec)).collect();
    let id = |name: &str| {
        let at = upstreams.iter().position(|it| it.name == name).expect("checked: the upstream is there");
        UpstreamId(at as u16)
    };
    let (mut paths, mut routes) = (Vec::new(), Vec::new());
    for (at, (name, it)) in file.routes.iter().enumerate() {
        let mut add = |tier: &Tier| {
            let (_, kind) = tier.kinds.given().pop().expect("checked: exactly one kind");
            let place = kind.target().place(id);
            let mut path = path(tier, RouteId(at as u16), it, (kind, place));
            path.domain = domain(tier, kind, &file.upstreams);
            path.sure = sure(tier, outside);
            path.can = capability::can(&revision.names, (tier, it), kind);
            revision.paths.push(path);
            paths.push(path_spec(kind, (name, Site { route: it, tier }), outside));
            PathId(paths.len() as u16 - 1)
        };
        let tiers = it.tiers.iter().map(|tier| {
            let path = add(tier);
            let members = tier.kinds.members().iter().map(|member| add(&member.0)).collect::<Vec<_>>();
            let (name, method) = (tier.name.clone(), method(tier.method.expect("written out")));
            core::Tier { name, method, path, ensemble: vote::ensemble(tier, members) }
        });
        let tiers: Vec<_> = tiers.collect();
        for member in tiers.iter().flat_map(|it| &it.ensemble).flat_map(|it| &it.members) {
            let features = &mut revision.paths[member.index()].features;
            *features = vote::votable(*features);
        }
        let (guarding, guards) = guards::guarding(it, outside);
        let issued = certificate::issued(it, outside);
        let certificate = issued.as_ref().and_then(Issued::policy);
        revision.routes.push(core::Route { guards, certificate, ..route(name, it, tiers) });
        routes.push(RouteSpec {
            input: it.input.as_ref().map(contract::input),
            enrich: it.enrich.as_ref().map(|enrich| enrich::enrich(enrich, it.input.as_ref(), id)),
            guarding,
            max_batch: it.max_batch,
            output: it.output.as_ref().map(contract::output),
            cache: it
                .cache
                .as_ref()
                .map(|cache| cache::cache(cache, it.tiers.len(), digest::contract(&canonical, name))),
            versions: it.versions.clone(),
            tolerance: it.shadow.tolerance.0,
            wants: capability::wants(&revision.names, it),
            post: post::post(&it.post, outside),
            certificate: issued.map(Arc::new),
            quality: quality::quality(it).into(),
            drift: it.drift.as_ref().map(drift::drift),
            session_key: it.session_key.clone(),
        });
    }
    let certificate = file.server.tls.as_ref();
    let certificate =
        certificate.map(|it| Certificate { chain: outside.pem(&it.certificate), key: outside.pem(&it.key) });
    let shared = file.shared.as_ref().and_then(|it| shared::shared(it, outside));
    let (data_dir, decisions) = (outside.place(&file.server.data_dir), file.decisions.kept());
    let (store, audit) = (store::store(&file.store, outside), audit::audit(&file.audit, outside));
    let (revision, server) = (Arc::new(revision), file.server);
    Deployment { revision, server, certificate, data_dir, decisions, store, audit, shared, upstreams, paths, routes }
}

/// Compiles what the gateway needs of a path.
fn path_spec(kind: &dyn PathKind, (route, site): (&str, Site<'_>), outside: &Outside) -> PathSpec {
    let tier = site.tier;
    PathSpec {
        kind: kind.ready(site, outside),
        max_answer: tier.max_answer.0,
        finalise: tier.finalise().nanos(),
        map: map::map(site),
        accept: accept(site, outside),
        confidence_of: confidence_of(tier, outside),
        model: vote::model(tier, outside),
        calibration: calibration::calibration(site, outside),
        live_calibration: calibration::live(route, tier),
    }
}

/// Writes the defaults out that depend on other keys, and in one way what can be written in several.
fn write_out(file: &mut File, outside: &Outside) {
    for upstream in file.upstreams.values_mut() {
        let urls: Vec<_> = upstream.addresses().map(|url| url.trim_end_matches('/').to_owned()).collect();
        (upstream.url, upstream.urls) = match <[String; 1]>::try_from(urls) {
            Ok([one]) => (Some(one), Vec::new()),
            Err(several) => (None, several),
        };
    }
    file.shared = file.shared.take().and_then(shared::write_out);
    for route in file.routes.values_mut() {
        route.deadline = Some(route.deadline());
        if let Some(cache) = &mut route.cache {
            cache.vary = cache::vary(&cache.vary);
        }
        route.quality.vary = cache::vary(&route.quality.vary);
        route.session_key.iter_mut().for_each(|it| it.make_ascii_lowercase());
        contract::write_out(route, outside);
        if route.input.as_ref().is_some_and(|it| it.reference.is_some()) {
            let encoder = route.encoder().is_some();
            route.guards.write_out(encoder);
        }
        route.max_batch = batch::most(route, outside);
        route.residency.iter_mut().for_each(capability::sort);
        route.post.iter_mut().for_each(post::write_out);
        for (at, tier) in route.tiers.iter_mut().enumerate() {
            let by_kind = tier.kinds.given().first().map(|(_, kind)| kind.method(at));
            tier.method = tier.method.or(by_kind);
            write_out_tier(tier);
            let name = tier.name.clone();
            for (at, Member(member)) in tier.kinds.members_mut().iter_mut().enumerate() {
                member.name = format!("{name}/{at}");
                // Of the rows that it is not sure of it says nothing; without any it does not vote.
                member.accept.iter_mut().for_each(|it| it.rows = Rows::All);
                write_out_tier(member);
            }
        }
    }
}

fn write_out_tier(tier: &mut Tier) {
    capability::write_out(tier);
    tier.finalise = Some(tier.finalise());
    for (name, mapped) in &mut tier.map {
        mapped.from = mapped.source(name).map(str::to_owned);
    }
    if let Some(features) = &mut tier.features {
        features.sort_unstable();
        features.dedup();
    }
}

fn upstream(name: &str, it: &Upstream, outside: &Outside) -> UpstreamSpec {
    UpstreamSpec {
        name: name.into(),
        protocol: it.protocol,
        dialect: it.dialect,
        urls: it.addresses().cloned().collect(),
        api_key: it.api_key.as_ref().map(|reference| outside.secret(reference)),
        dns: it.dns.nanos(),
        connect: it.connect.nanos(),
        tls: it.tls.nanos(),
        issuers: it.ca.as_ref().map(|file| outside.pem(file)),
        idle: it.idle.nanos(),
    }
}

fn core_upstream(it: &Upstream, spec: &UpstreamSpec) -> core::Upstream {
    let probe = |it: Asked| core::ProbePolicy { every: it.every.nanos(), timeout: it.timeout.nanos() };
    core::Upstream {
        name: spec.name.clone(),
        replicas: spec.urls.clone(),
        min_available: it.min_available,
        // Its breaker is beside the core, and nobody waits for it: there is nothing that a probe could spare.
        probe: it.probe.asked().filter(|_| it.protocol != UpstreamProtocol::Feast).map(probe),
    }
}

fn protocol(it: RouteProtocol) -> core::Protocol {
    match it {
        RouteProtocol::OpenaiChat => core::Protocol::OpenaiChat,
        RouteProtocol::OpenaiEmbeddings => core::Protocol::OpenaiEmbeddings,
        RouteProtocol::Oip => core::Protocol::Oip,
    }
}

fn route(name: &str, it: &Route, tiers: Vec<core::Tier>) -> core::Route {
    core::Route {
        name: name.into(),
        protocol: protocol(it.protocol),
        deadline: it.deadline().nanos(),
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
        when_exhausted: match it.when_exhausted {
            WhenExhausted::Wait => core::WhenExhausted::Wait,
            WhenExhausted::Refuse => core::WhenExhausted::Refuse,
        },
        rescue: it.rescue == Rescue::Splice,
        imputed: enrich::imputed(it),
        cache: cache::policy(it),
        guards: Vec::new(),
        drift: drift::policy(it),
        certificate: None,
        commit: match it.commit {
            Commit::FirstContent => core::CommitPoint::FirstContent,
            Commit::NChars(characters) => core::CommitPoint::Chars(characters),
            Commit::Full => core::CommitPoint::Full,
        },
        priority: it.priority.in_core(),
        budget: core::BudgetPolicy {
            ratio: permille(it.retry_budget.ratio),
            floor: it.retry_budget.floor,
            per: it.retry_budget.per.nanos(),
        },
        shadow: core::ShadowPolicy { share: permille(it.shadow.share), cost: permille(it.shadow.max_cost) },
        rehearsal: it.rehearsal.nanos(),
        tiers,
    }
}

fn method(it: Method) -> core::Method {
    match it {
        Method::Primary => core::Method::Primary,
        Method::Distilled => core::Method::Distilled,
        Method::Ensemble => core::Method::Ensemble,
        Method::Retrieval => core::Method::Retrieval,
        Method::Cache => core::Method::Cache,
        Method::Rules => core::Method::Rules,
        Method::Default => core::Method::Default,
    }
}

fn path(tier: &Tier, id: RouteId, route: &Route, kind: (&dyn PathKind, core::Where)) -> core::Path {
    let (kind, place) = kind;
    let features = |it: &Vec<Capability>| it.iter().fold(core::Features::NONE, |all, it| all.with(feature(*it)));
    core::Path {
        name: tier.name.clone(),
        route: id,
        place,
        domain: None,
        model: kind.model().unwrap_or_default().into(),
        hedge: tier.hedge == Hedge::Auto,
        limit: match tier.limit {
            Limit::Auto => core::LimitPolicy::Auto,
            Limit::Fixed(limit) => core::LimitPolicy::Fixed(limit),
        },
        clocks: core::Clocks {
            first_content: match tier.first_token {
                FirstToken::Auto => core::FirstClock::Auto,
                FirstToken::Fixed(clock) => core::FirstClock::Fixed(clock.nanos()),
            },
            stall: tier.stall.nanos(),
            total: tier.total.nanos(),
        },
        min_rate: tier.min_rate,
        objective: route.slo.latency.p95.map(Duration::nanos),
        need: cache::need(kind, route).min(route.deadline().nanos() / 4),
        retries: tier.retries,
        features: tier.features.as_ref().map_or(kind.features(), features),
        can: core::Can::default(),
        context: tier.context,
        added: kind.added(),
        effects: tier.effects,
        prefill: tier.prefill,
        after_break: tier.after_break.nanos(),
        accept: tier.accept.as_ref().map(|it| it.rows.in_core()),
        stands: tier.accept.as_ref().is_some_and(|it| it.otherwise == Otherwise::Best),
        sure: core::Permille::new(0),
        breaker: breaker(&tier.breaker),
    }
}

/// Returns the quota that a tier draws on: the declared one, else that of its model where it stands on one replica (F-051).
fn domain(tier: &Tier, kind: &dyn PathKind, upstreams: &BTreeMap<String, Upstream>) -> Option<String> {
    let Target::Upstream(name) = kind.target() else { return None };
    let upstream = &upstreams[name];
    let declared = tier.capacity_domain.as_ref().or(upstream.capacity_domain.as_ref()).cloned();
    let alone = upstream.addresses().count() == 1;
    // A blank sets it apart from declared names, which have none (`check`).
    declared.or_else(|| alone.then(|| format!("{name} {}", kind.model().unwrap_or_default())))
}

/// Returns how sure a tier must be of its answer.
fn accept(Site { route, tier }: Site<'_>, outside: &Outside) -> Option<Accept> {
    let it = tier.accept.as_ref()?;
    let confidence = match route.protocol {
        RouteProtocol::Oip => Confidence::read(&it.confidence, &route.output.as_ref()?.tensors),
        RouteProtocol::OpenaiChat | RouteProtocol::OpenaiEmbeddings => Confidence::over_logprobs(&it.confidence),
    };
    let worth = |file: &String| Worth { sha256: outside.file(file).sha256, learnt: outside.confidence(file) };
    Some(Accept {
        confidence: confidence.expect("checked: it is a number"),
        at_least: it.at_least,
        rows: it.rows.in_core(),
        passes: it.on_error == OnError::Pass,
        label: it.label.clone().filter(|_| it.calibration.is_some()),
        worth: it.calibration.as_ref().map(|file| Arc::new(worth(file))),
    })
}

/// Returns how likely it is at most that an answer of a tier is right, as clients are told; 0 where nothing is told of that.
fn sure(tier: &Tier, outside: &Outside) -> core::Permille {
    let by_confidence = tier.accept.as_ref().and_then(|it| it.calibration.as_ref());
    let by_confidence = by_confidence.map(|file| core::Permille::new(outside.confidence(file).range().1));
    // What the votes of several come to at most is not known before they are counted.
    let by_votes = tier.vote.as_ref().filter(|it| it.calibration.is_some()).map(|_| core::Permille::ALL);
    by_confidence.or(by_votes).unwrap_or(core::Permille::new(0))
}

/// Returns what must be the same where the confidence of a tier is learnt and where it is asked.
pub(crate) fn confidence_of(tier: &Tier, outside: &Outside) -> Option<ConfidenceOf> {
    let it = tier.accept.as_ref()?;
    let (confidence, label) = (it.confidence.clone(), it.label.clone());
    Some(ConfidenceOf { tier: tier.name.clone(), model: vote::model(tier, outside), confidence, label })
}

fn feature(it: Capability) -> core::Features {
    match it {
        Capability::Tools => core::Features::TOOLS.with(core::Features::TOOL_REQUIRED),
        Capability::Json => core::Features::JSON,
        Capability::Schema => core::Features::SCHEMA,
        Capability::Logprobs => core::Features::LOGPROBS,
        Capability::N => core::Features::N,
        Capability::Image => core::Features::IMAGE,
        Capability::Audio => core::Features::AUDIO,
        Capability::File => core::Features::FILE,
    }
}

fn breaker(it: &Breaker) -> core::BreakerPolicy {
    let rate = |(samples, bad, window): (u32, Ratio, Duration)| core::Rate {
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
        flap_max: it.flap_max.nanos(),
        probes: it.probes,
        successes: it.successes,
        ramp: it.ramp.iter().map(|it| permille(*it)).collect(),
    }
}

fn permille(it: Ratio) -> core::Permille {
    core::Permille::new(it.0)
}
