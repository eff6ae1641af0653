//! Snapshot: the applied deployment with everything that it needs ready, swapped as a whole.
//!
//! # Invariants
//! - `SNAP-1`: what is applied is complete: its paths are built, its models are loaded, its upstreams have their clients, its
//!   certificate has its key (F-161). Where one of them cannot be, nothing is applied (TN-13).
//! - `SNAP-2`: a request keeps the snapshot that it was admitted under (rule 9).

use std::sync::Arc;

use evenkeel_config::{
    Accept, Calibration, Deployment, Dialect, Kind, LiveCalibration, MappedOutput, Part, PathSpec, Post, RouteSpec,
    Unfit, UpstreamProtocol, UpstreamSpec, kind::Embeddings,
};
use evenkeel_core::{PathId, Permille, RouteId, UpstreamId, Wants, Where};
use jiff::{SignedDuration, Timestamp};
use rustls::ServerConfig;

use crate::{
    cache::{Beside, Cache, Semantic, Shared},
    calibration::Scale,
    clock::Clock,
    drift::{self, Monitor},
    enrich::{Enrich, Plan},
    guard::Guard,
    path::{self, Embedder, Path, Site},
    tensor::{Contract, Known},
    tls,
    upstream::Upstream,
};

/// How long before its end a certificate is warned of: long enough for a renewal by hand, and shorter than what renews by itself
/// leaves.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// A deployment that is ready to answer.
pub(crate) struct Applied {
    pub(crate) deployment: Arc<Deployment>,
    /// By upstream id.
    pub(crate) upstreams: Vec<Arc<Upstream>>,
    /// By path id.
    pub(crate) paths: Vec<Arc<dyn Path>>,
    /// By path id: the scale that its scores are brought to, where it is another one.
    pub(crate) scales: Vec<Option<Scale>>,
    /// By route id: what its tensors must be, as far as that is known.
    pub(crate) contracts: Vec<Arc<Known>>,
    /// By route id: what brings the features that its clients leave out.
    pub(crate) enrichers: Vec<Option<Arc<Enrich>>>,
    /// By route id: what judges its inputs.
    pub(crate) guards: Vec<Option<Arc<Guard>>>,
    /// By route id: what compares its inputs and outputs with its reference.
    pub(crate) monitors: Vec<Option<Arc<Monitor>>>,
    /// By route id: what is kept of its answers.
    pub(crate) caches: Vec<Option<Arc<Cache>>>,
    /// What several gateways keep together.
    pub(crate) shared: Option<Arc<Shared>>,
    /// What the data plane encrypts with.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// Until when its certificate, and those who may have issued others, are of use.
    pub(crate) ends: Vec<(Part, Timestamp)>,
    /// By path id: since when it answers as it does. How it is reached may change, what it computes may not.
    pub(crate) since: Vec<Timestamp>,
    /// `sha256:` and twelve hex digits.
    pub(crate) name: String,
    pub(crate) at: Timestamp,
}

/// Tries to make every path ready that needs no server; says which of them cannot be.
pub fn prove(deployment: &Deployment) -> Vec<Unfit> {
    let (clock, contracts) = (Clock::start(), contracts(deployment, None));
    let local = |(path, _): &(&evenkeel_core::Path, _)| !matches!(path.place, Where::Remote(_));
    let paths = deployment.revision.paths.iter().zip(&deployment.paths);
    let built = paths.enumerate().filter(|(_, it)| local(it)).map(|(at, (path, spec))| {
        let (known, is_first) = known(deployment, &contracts, at);
        let (scale, post) = (Scale::of(spec), post(deployment, path));
        let scale = scale.as_ref();
        let site = Site { spec, path, upstream: None, others: &|_| None, known, scale, post, clock, is_first };
        let built = path::build(site);
        built.err().map(|message| Unfit { part: Part::Path(PathId(at as u16)), message })
    });
    let certificate = deployment.certificate.as_ref().map(|it| unfit(Part::Certificate, tls::server(it)).err());
    let issuers = deployment.upstreams.iter().enumerate();
    let issuers = issuers.map(|(at, it)| {
        let made = tls::client(it.issuers.as_ref());
        unfit(Part::Issuers(UpstreamId(at as u16)), made).err()
    });
    let shared = deployment.shared.as_ref().map(|it| unfit(Part::Shared, Shared::prove(it)).err());
    built.chain(certificate).chain(issuers).chain(shared).flatten().collect()
}

/// Warns of certificates that are of no use any more, or will not be for much longer.
pub fn expiring(deployment: &Deployment, now: Timestamp) -> Vec<Unfit> {
    let soon = ends(deployment).into_iter().filter(|(_, end)| end.duration_since(now) < SOON);
    let told = soon.map(|(part, end)| {
        let what = match part {
            Part::Issuers(_) | Part::Shared => "the last of its issuers",
            Part::Path(_) | Part::Certificate | Part::Store => "its certificate",
        };
        let left = end.duration_since(now).as_hours();
        let message = match end <= now {
            true => format!("{what} has expired, at {end}"),
            false => format!("{what} expires at {end}, in {} days and {} hours", left / 24, left % 24),
        };
        Unfit { part, message }
    });
    told.collect()
}

/// Returns until when each part is of use that encrypts.
fn ends(deployment: &Deployment) -> Vec<(Part, Timestamp)> {
    let own = deployment.certificate.as_ref().and_then(|it| Some((Part::Certificate, tls::shown_until(it)?)));
    let issuers = deployment
        .upstreams
        .iter()
        .zip(0..)
        .filter_map(|(it, at)| Some((Part::Issuers(UpstreamId(at)), tls::believed_until(it.issuers.as_ref()?)?)));
    let shared = deployment.shared.as_ref().and_then(|it| it.issuers.as_ref());
    let shared = shared.and_then(|it| Some((Part::Shared, tls::believed_until(it)?)));
    own.into_iter().chain(issuers).chain(shared).collect()
}

/// Names the part that cannot be made ready.
fn unfit<T>(part: Part, made: Result<T, String>) -> Result<T, Unfit> {
    made.map_err(|message| Unfit { part, message })
}

impl Applied {
    /// Makes a deployment ready; an upstream that stays what it was keeps its connections (CF-02).
    ///
    /// # Errors
    /// The parts that cannot be made ready: certificates and the shared store, else paths, all of them.
    pub(crate) fn new(
        clock: Clock,
        deployment: Arc<Deployment>,
        before: Option<&Self>,
    ) -> Result<Arc<Self>, Vec<Unfit>> {
        let kept = |spec: &UpstreamSpec| {
            let of = before?.deployment.upstreams.iter().zip(&before?.upstreams);
            of.into_iter().find(|(it, _)| *it == spec).map(|(_, upstream)| upstream.clone())
        };
        let (mut paths, mut scales, mut bad) = (Vec::new(), Vec::new(), Vec::new());
        let mut upstreams: Vec<Arc<Upstream>> = Vec::new();
        for (at, spec) in deployment.upstreams.iter().enumerate() {
            let new = || unfit(Part::Issuers(UpstreamId(at as u16)), Upstream::new(spec));
            match kept(spec).map_or_else(new, Ok) {
                Ok(upstream) => upstreams.push(upstream),
                Err(unfit) => bad.push(unfit),
            }
        }
        let tls = deployment.certificate.as_ref().map(|it| unfit(Part::Certificate, tls::server(it))).transpose();
        let tls = tls.map_err(|unfit| bad.push(unfit)).unwrap_or_default();
        let shared = unfit(Part::Shared, shared(&deployment, clock, before)).map_err(|unfit| bad.push(unfit));
        let shared = shared.unwrap_or_default();
        if !bad.is_empty() {
            return Err(bad);
        }
        let contracts = contracts(&deployment, before);
        for (at, (path, spec)) in deployment.revision.paths.iter().zip(&deployment.paths).enumerate() {
            let upstream = match path.place {
                Where::Remote(upstream) => Some(&upstreams[upstream.index()]),
                Where::Local | Where::Certain | Where::Stored | Where::Ensemble => None,
            };
            let (known, is_first) = known(&deployment, &contracts, at);
            let others = |name: &str| {
                let at = deployment.upstreams.iter().position(|it| it.name == name)?;
                Some(upstreams[at].clone())
            };
            let (at_scale, post) = (scale(&deployment, at, before), post(&deployment, path));
            let scale = at_scale.as_ref();
            let site = Site { spec, path, upstream, others: &others, known, scale, post, clock, is_first };
            match path::build(site) {
                Ok(path) => paths.push(path),
                Err(message) => bad.push(Unfit { part: Part::Path(PathId(at as u16)), message }),
            }
            scales.push(at_scale);
        }
        if !bad.is_empty() {
            return Err(bad);
        }
        let (name, at) = (deployment.name(), Timestamp::now());
        let enrichers = enrichers(&deployment, (&contracts, &upstreams), before);
        let monitors = drift::monitors(&deployment, before.map_or(&[], |it| &it.monitors));
        let guards = guards(&deployment, (&monitors, &upstreams, clock), before);
        let caches = caches(&deployment, (&upstreams, clock, shared.as_ref()), before);
        Ok(Arc::new(Self {
            upstreams,
            paths,
            scales,
            contracts,
            enrichers,
            guards,
            monitors,
            caches,
            shared,
            tls,
            ends: ends(&deployment),
            since: (0..deployment.paths.len()).map(|it| since(&deployment, it, before).unwrap_or(at)).collect(),
            name,
            at,
            deployment,
        }))
    }
}

impl Applied {
    /// Says whether the question of a request may go to whoever says what questions of its route mean: where that is stands with the
    /// tier of kind `cache` (F-036, F-147).
    pub(crate) fn may_be_embedded(&self, route: RouteId, wants: Wants) -> bool {
        let revision = &self.deployment.revision;
        let paths = revision.routes[route.index()].tiers.iter().map(|tier| &revision.paths[tier.path.index()]);
        let can = paths.into_iter().find(|path| path.place == Where::Stored).map(|path| path.can).unwrap_or_default();
        can.serves(Wants { regions: wants.regions, ..Wants::default() })
    }
}

/// Returns what several gateways keep together; one at the same address stays, with its connection.
fn shared(deployment: &Deployment, clock: Clock, before: Option<&Applied>) -> Result<Option<Arc<Shared>>, String> {
    let keeps = deployment.routes.iter().any(|route| route.cache.is_some());
    let Some(store) = deployment.shared.as_ref().filter(|_| keeps) else { return Ok(None) };
    let kept = before.and_then(|it| it.shared.clone()).filter(|it| it.store == *store);
    kept.map_or_else(|| Shared::start(store, clock), Ok).map(Some)
}

/// Returns what brings the features that clients of each route leave out; one that serves the same stays.
fn enrichers(
    deployment: &Deployment,
    (contracts, upstreams): (&[Arc<Known>], &[Arc<Upstream>]),
    before: Option<&Applied>,
) -> Vec<Option<Arc<Enrich>>> {
    let enricher = |route: usize| {
        let columns = &contracts[route].declared().inputs.first()?.values;
        let plan = Plan::of(deployment, route, columns)?;
        let upstream = &upstreams[deployment.routes[route].enrich.as_ref()?.upstream.index()];
        let kept = before.into_iter().flat_map(|it| &it.enrichers).flatten().find(|it| it.serves(&plan, upstream));
        Some(kept.cloned().unwrap_or_else(|| Arc::new(Enrich::new(plan, upstream.clone()))))
    };
    (0..deployment.routes.len()).map(enricher).collect()
}

/// Route by route what compares its inputs with its reference.
type Monitors = [Option<Arc<Monitor>>];

/// Returns what judges the inputs of each route. What was learnt of fallbacks stays while neither the first tier nor what inputs are
/// held against changes; how the route stands with drift, while the same monitor watches it.
fn guards(
    deployment: &Deployment,
    (monitors, upstreams, clock): (&Monitors, &[Arc<Upstream>], Clock),
    before: Option<&Applied>,
) -> Vec<Option<Arc<Guard>>> {
    let embedder = |it: &Embeddings| {
        let at = deployment.upstreams.iter().position(|of| of.name == it.upstream)?;
        Some(Embedder::new(it, upstreams[at].clone(), clock))
    };
    let guard = |(at, spec): (usize, &RouteSpec)| {
        let mut guard = Guard::new(spec, spec.drift.is_some(), embedder)?;
        let name = &deployment.revision.routes[at].name;
        let old = before.and_then(|it| Some((it, it.deployment.revision.route(name)?.index())));
        if let Some((before, old)) = old
            && let Some(judged) = &before.guards[old]
        {
            if first_tier(&before.deployment, old) == first_tier(deployment, at) {
                guard.inherit(judged);
            }
            if monitors[at].as_ref().zip(before.monitors[old].as_ref()).is_some_and(|(new, old)| Arc::ptr_eq(new, old))
            {
                guard.goes_on(judged);
            }
        }
        Some(Arc::new(guard))
    };
    deployment.routes.iter().enumerate().map(guard).collect()
}

/// Returns what keeps the answers of each route; what was kept under the same name stays.
fn caches(
    deployment: &Deployment,
    (upstreams, clock, shared): (&[Arc<Upstream>], Clock, Option<&Arc<Shared>>),
    before: Option<&Applied>,
) -> Vec<Option<Arc<Cache>>> {
    let old = |name: &str| before?.caches[before?.deployment.revision.route(name)?.index()].as_deref();
    let cache = |(spec, route): (&RouteSpec, &evenkeel_core::Route)| {
        let (spec, old) = (spec.cache.clone()?, old(&route.name));
        let semantic = spec.semantic.clone().and_then(|semantic| {
            let at = deployment.upstreams.iter().position(|it| it.name == semantic.embeddings.upstream)?;
            let before = old.and_then(|it| it.semantic.as_ref());
            Some(Semantic::start(semantic, upstreams[at].clone(), clock, before))
        });
        Some(Arc::new(Cache::new(spec, Beside { shared: shared.cloned(), semantic }, old)))
    };
    deployment.routes.iter().zip(&deployment.revision.routes).map(cache).collect()
}

/// Returns what requests of each route must be. What was learned of a model stays known while nothing that names it changes.
fn contracts(deployment: &Deployment, before: Option<&Applied>) -> Vec<Arc<Known>> {
    let old = |at: usize| {
        let old = before?.deployment.revision.route(&deployment.revision.routes[at].name)?.index();
        let same = first(&before?.deployment, old) == first(deployment, at);
        Some(&before?.contracts[old]).filter(|_| same)
    };
    let contract = |(at, spec)| {
        let known = Known::new(Contract::declared(spec), Contract::asked(spec));
        old(at).into_iter().for_each(|old| known.inherit(old));
        known
    };
    deployment.routes.iter().enumerate().map(contract).collect()
}

/// Returns the scale of a path. What was learnt of it stays while neither it nor the first tier of its route changes: of an
/// ensemble no member, nor how they vote.
fn scale(deployment: &Deployment, at: usize, before: Option<&Applied>) -> Option<Scale> {
    let new = Scale::of(&deployment.paths[at]);
    let old = || {
        let (before, route) = (before?, deployment.revision.paths[at].route.index());
        let name = &deployment.revision.routes[route].name;
        let old = before.deployment.revision.route(name)?.index();
        let same = first_tier(&before.deployment, old) == first_tier(deployment, route);
        let is_it = |it: &usize| before.deployment.revision.paths[*it].route.index() == old;
        let model = model(deployment, at);
        let path = (0..before.scales.len()).filter(is_it).find(|it| self::model(&before.deployment, *it) == model)?;
        before.scales[path].clone().filter(|_| same)
    };
    if matches!(new, Some(Scale::Live(_))) { old().or(new) } else { new }
}

/// Returns since when a tier answers as it does, where it did before; of an ensemble that is when its members and its vote became what
/// they are.
fn since(deployment: &Deployment, path: usize, before: Option<&Applied>) -> Option<Timestamp> {
    let before = before?;
    let of = |deployment: &Deployment, path: usize| {
        let path = &deployment.revision.paths[path];
        (deployment.revision.routes[path.route.index()].name.clone(), path.name.clone())
    };
    let named = of(deployment, path);
    let old = (0..before.since.len()).find(|it| of(&before.deployment, *it) == named)?;
    let votes = |deployment: &Deployment, path: usize| {
        let route = deployment.revision.paths[path].route.index();
        let tiers = &deployment.revision.routes[route].tiers;
        tiers.iter().position(|it| it.path.index() == path).map(|tier| (route, tier))
    };
    let same = match (votes(&before.deployment, old), votes(deployment, path)) {
        (Some((old_route, old_tier)), Some((route, tier))) => {
            tier_of(&before.deployment, old_route, old_tier) == tier_of(deployment, route, tier)
        }
        _ => model(&before.deployment, old) == model(deployment, path),
    };
    before.since.get(old).copied().filter(|_| same)
}

/// What says what a path answers: what it computes, whose servers do, and what is made of that. How the servers are reached, and how
/// long and how large an answer may be, says nothing of it.
#[derive(PartialEq)]
struct Model<'d> {
    kind: &'d Kind,
    map: &'d [MappedOutput],
    accept: Option<&'d Accept>,
    calibration: (Option<&'d Arc<Calibration>>, Option<&'d LiveCalibration>),
    servers: Option<(UpstreamProtocol, Dialect, &'d [String])>,
}

fn model(deployment: &Deployment, path: usize) -> Model<'_> {
    let PathSpec {
        kind,
        map,
        accept,
        calibration,
        live_calibration,
        max_answer: _,
        finalise: _,
        confidence_of: _,
        model: _,
    } = &deployment.paths[path];
    let servers = match deployment.revision.paths[path].place {
        Where::Remote(upstream) => Some(servers(&deployment.upstreams[upstream.index()])),
        Where::Local | Where::Certain | Where::Stored | Where::Ensemble => None,
    };
    let calibration = (calibration.as_ref(), live_calibration.as_ref());
    Model { kind, map, accept: accept.as_ref(), calibration, servers }
}

fn servers(upstream: &UpstreamSpec) -> (UpstreamProtocol, Dialect, &[String]) {
    let UpstreamSpec { protocol, dialect, urls, .. } = upstream;
    (*protocol, *dialect, urls)
}

/// Returns what says what a route takes: its first path, and the server of that.
fn first(deployment: &Deployment, route: usize) -> Model<'_> {
    model(deployment, first_path(deployment, route))
}

/// Returns what says what the scores of a route's first tier mean: the models that it asks, in their order, and what their
/// votes must come to.
fn first_tier(deployment: &Deployment, route: usize) -> (Vec<Model<'_>>, Option<(u8, Permille)>) {
    tier_of(deployment, route, 0)
}

/// Returns the same of any tier.
fn tier_of(deployment: &Deployment, route: usize, tier: usize) -> (Vec<Model<'_>>, Option<(u8, Permille)>) {
    let tier = &deployment.revision.routes[route].tiers[tier];
    let members = tier.ensemble.iter().flat_map(|it| &it.members);
    let models = std::iter::once(&tier.path).chain(members).map(|path| model(deployment, path.index()));
    (models.collect(), tier.ensemble.as_ref().map(|it| (it.quorum, it.agree)))
}

/// Returns what the route of a path does to every answer.
fn post<'d>(deployment: &'d Deployment, path: &evenkeel_core::Path) -> &'d Arc<Post> {
    &deployment.routes[path.route.index()].post
}

/// Returns what is known of a path's route, and whether the path is the first of that.
fn known<'k>(deployment: &Deployment, contracts: &'k [Arc<Known>], path: usize) -> (&'k Arc<Known>, bool) {
    let route = deployment.revision.paths[path].route.index();
    (&contracts[route], first_path(deployment, route) == path)
}

/// Returns the path that says what a route is about: that of tier 0, or of its first member.
fn first_path(deployment: &Deployment, route: usize) -> usize {
    let tier = &deployment.revision.routes[route].tiers[0];
    let member = tier.ensemble.as_ref().and_then(|it| it.members.first());
    member.unwrap_or(&tier.path).index()
}

#[cfg(test)]
mod tests {
    use evenkeel_config::load_text;

    use super::*;

    fn deployment(more: &str) -> Arc<Deployment> {
        let text = format!(
            "version: 1\nupstreams:\n  a: {{protocol: openai, url: \"http://127.0.0.1:1/v1\"{more}}}\n  b: {{protocol: openai, \
             url: \"http://127.0.0.1:2/v1\"}}\nroutes:\n  chat:\n    protocol: openai-chat\n    tiers:\n      - {{name: one, \
             openai: {{upstream: a, model: m}}}}\n      - {{name: two, openai: {{upstream: b, model: m}}}}\n"
        );
        load_text("evenkeel.yaml", &text, std::path::Path::new(".")).deployment.expect("it compiles")
    }

    const SCORES: &str = r#"
version: 1
upstreams:
  a: {protocol: oip, url: "http://127.0.0.1:1"}
  b: {protocol: oip, url: "http://127.0.0.1:2"}
  c: {protocol: oip, url: "http://127.0.0.1:3"}
routes:
  score:
    protocol: oip
    deadline: 1s
    input: {features: {x: {type: float}}}
    output: {tensors: {y: {datatype: FP32}}}
    tiers:
      - name: panel
        vote: {quorum: 1, weights: [1, 2], abs_tol: 0.1}
        paths:
          - {oip: {upstream: a, model: large}}
          - {oip: {upstream: b, model: other}}
      - {name: small, oip: {upstream: c, model: little}, calibrate_to: {path: panel}}
"#;

    #[tokio::test]
    async fn what_was_learnt_of_a_scale_is_forgotten_when_what_it_was_learnt_from_changes() {
        let ready = |text: &str, before: Option<&Applied>| {
            let loaded = load_text("evenkeel.yaml", text, std::path::Path::new("."));
            let deployment = loaded.deployment.unwrap_or_else(|| panic!("{text}: {:#?}", loaded.diagnostics));
            Applied::new(Clock::start(), deployment, before).expect("ready")
        };
        let live = |applied: &Applied| match applied.scales.last() {
            Some(Some(Scale::Live(live))) => live.clone(),
            other => panic!("{other:?}"),
        };
        let before = ready(SCORES, None);
        for (from, to, kept) in [
            ("deadline: 1s", "deadline: 2s", true),
            ("large", "larger", false),
            ("other", "another", false),
            ("url: \"http://127.0.0.1:2\"", "url: \"http://127.0.0.1:4\"", false),
            ("weights: [1, 2]", "weights: [2, 1]", false),
            ("quorum: 1", "quorum: 2", false),
            ("abs_tol: 0.1", "abs_tol: 0.2", false),
            ("abs_tol: 0.1", "abs_tol: 0.1, at_least: 0.6", false),
            ("little", "less", false),
            ("url: \"http://127.0.0.1:3\"", "url: \"http://127.0.0.1:5\"", false),
            ("url: \"http://127.0.0.1:3\"", "dialect: plain, url: \"http://127.0.0.1:3\"", false),
            ("url: \"http://127.0.0.1:3\"", "idle: 7s, connect: 200ms, url: \"http://127.0.0.1:3\"", true),
            ("url: \"http://127.0.0.1:1\"", "dns: 200ms, tls: 2s, url: \"http://127.0.0.1:1\"", true),
            ("url: \"http://127.0.0.1:2\"", "api_key: another, url: \"http://127.0.0.1:2\"", true),
            ("model: little}", "model: little}, max_answer: 1MiB, total: 900ms", true),
            ("model: little}", "model: little}, map: {y: {default: 0.5}}", false),
        ] {
            let after = ready(&SCORES.replace(from, to), Some(&before));
            assert_eq!(Arc::ptr_eq(&live(&before), &live(&after)), kept, "{from} -> {to}");
        }
    }

    #[test]
    fn cf_02_an_upstream_that_stays_what_it_was_keeps_its_connections() {
        let before = Applied::new(Clock::start(), deployment(""), None).expect("ready");
        let after = Applied::new(Clock::start(), deployment(", idle: 2s"), Some(&before)).expect("ready");
        let same: Vec<_> = before.upstreams.iter().zip(&after.upstreams).map(|(a, b)| Arc::ptr_eq(a, b)).collect();
        assert_eq!(same, [false, true]);
    }
}
