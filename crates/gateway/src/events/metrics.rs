//! Metrics: counters and histograms from records, gauges from the state of the core when they are read.
//!
//! # Invariants
//! - `MET-1`: a label value comes from the configuration or from a closed vocabulary, never from a client (SE-08).

mod cache;
mod drift;
mod evidence;
mod features;
mod guards;
mod inputs;
mod post;
mod promises;
mod quality;
mod shadows;
mod work;

use std::collections::BTreeMap;

use evenkeel_core::{
    AttemptRecord, BreakerChange, BreakerState, BreakerTurn, Decision, End, Found, GateChange, GateTurn, MemberState,
    Method, Nanos, PathId, Phase, Reason, Refusal, ReplicaId, ResultCode, Revision, RouteId, RouteState, Transition,
};
use jiff::Timestamp;
use parking_lot::Mutex;
use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

pub(crate) use self::quality::Count;
use self::{
    cache::Caches, drift::Drifts, evidence::Kept, features::Features, guards::Guards, inputs::Inputs,
    promises::Promises, quality::Quality, shadows::Shadows, work::Work,
};
use super::episode::Episodes;
use crate::{
    cache::Noted,
    driver::{UnderWay, inputs::Standing},
    enrich::{Enriched, Plan},
    guard::Told,
    names,
    shadow::Shadowed,
};

type Labels = Vec<(&'static str, String)>;
type Counters = Family<Labels, Counter>;
type Gauges = Family<Labels, Gauge>;
type Histograms = Family<Labels, Histogram, fn() -> Histogram>;

/// Upper bounds of durations, in seconds: from a local path to the slowest model.
const SECONDS: [f64; 16] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Upper bounds of episodes, in seconds: from a breaker's shortest walk back to a day.
const LONG_SECONDS: [f64; 9] = [10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 43_200.0, 86_400.0];

/// All metrics of the data plane.
pub(crate) struct Metrics {
    registry: Mutex<Registry>,
    requests: Counters,
    request_duration: Histograms,
    attempts: Counters,
    attempt_duration: Histograms,
    decisions: Counters,
    transitions: Counters,
    episode_duration: Histograms,
    cancels_ignored: Counters,
    probes: Counters,
    refused: Counters,
    lost: Counter,
    lines_dropped: Counter,
    apply_failures: Counter,
    route_tier: Gauges,
    route_phase: Gauges,
    breaker_state: Gauges,
    breaker_changes: Counters,
    gate_closed: Gauges,
    gate_changes: Counters,
    features: Features,
    guards: Guards,
    shadows: Shadows,
    caches: Caches,
    drifts: Drifts,
    work: Work,
    inputs: Inputs,
    post_changes: Counters,
    quality: Quality,
    promises: Promises,
    kept: Kept,
    revision_info: Gauges,
    last_apply: Gauge,
    certificate_expiry: Gauges,
    series: Mutex<Series>,
    episodes: Mutex<Episodes>,
}

/// The series that records have used under the revision in force: to look one up by its labels again for each request
/// would write the labels again for each request.
#[derive(Default)]
struct Series {
    outcomes: BTreeMap<OutcomeKey, OutcomeSeries>,
    attempts: BTreeMap<(u64, PathId, ResultCode), AttemptSeries>,
}

/// Everything that the labels of an outcome are made of.
type OutcomeKey = (u64, RouteId, Option<u8>, u16, Reason, &'static str);

struct OutcomeSeries {
    requests: Counter,
    duration: Histogram,
    decisions: Counter,
}

struct AttemptSeries {
    attempts: Counter,
    duration: Histogram,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let metrics = Self {
            registry: Mutex::default(),
            requests: Counters::default(),
            request_duration: durations(),
            attempts: Counters::default(),
            attempt_duration: durations(),
            decisions: Counters::default(),
            transitions: Counters::default(),
            episode_duration: Histograms::new_with_constructor(|| Histogram::new(LONG_SECONDS)),
            cancels_ignored: Counters::default(),
            probes: Counters::default(),
            refused: Counters::default(),
            lost: Counter::default(),
            lines_dropped: Counter::default(),
            apply_failures: Counter::default(),
            route_tier: Gauges::default(),
            route_phase: Gauges::default(),
            breaker_state: Gauges::default(),
            breaker_changes: Counters::default(),
            gate_closed: Gauges::default(),
            gate_changes: Counters::default(),
            features: Features::default(),
            guards: Guards::default(),
            shadows: Shadows::default(),
            caches: Caches::default(),
            drifts: Drifts::default(),
            work: Work::default(),
            inputs: Inputs::default(),
            post_changes: Counters::default(),
            quality: Quality::default(),
            promises: Promises::default(),
            kept: Kept::default(),
            revision_info: Gauges::default(),
            last_apply: Gauge::default(),
            certificate_expiry: Gauges::default(),
            series: Mutex::default(),
            episodes: Mutex::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&self) {
        let mut registry = self.registry.lock();
        let it = &mut *registry;
        it.register(names::REQUESTS, "Requests by who answered", self.requests.clone());
        it.register(names::REQUEST_DURATION, "Time from admission to the end", self.request_duration.clone());
        it.register(names::ATTEMPTS, "Attempts by result", self.attempts.clone());
        it.register(names::ATTEMPT_DURATION, "Time of an attempt", self.attempt_duration.clone());
        it.register(names::DECISIONS, "Decisions by reason", self.decisions.clone());
        it.register(names::TRANSITIONS, "Changes of the tier at which a route starts", self.transitions.clone());
        it.register(names::EPISODE_DURATION, "Time from leaving tier 0 to the return", self.episode_duration.clone());
        let changes = self.post_changes.clone();
        it.register(names::POST_CHANGES, "What the steps of `post` changed in answers", changes);
        let ignored = self.cancels_ignored.clone();
        it.register(
            names::CANCELS_IGNORED,
            "Cancelled attempts whose call this process had not closed after 30 s; what upstreams do then is not seen",
            ignored,
        );
        it.register(names::PROBES, "Readiness probes by what they found", self.probes.clone());
        it.register(names::REFUSED, "Requests refused before admission, by kind", self.refused.clone());
        it.register(names::LOST, "Requests whose decision was lost", self.lost.clone());
        it.register(names::LINES_DROPPED, "Log lines that found no room", self.lines_dropped.clone());
        it.register(names::APPLY_FAILURES, "Configurations that were refused", self.apply_failures.clone());
        it.register(names::ROUTE_TIER, "Tier at which a route starts", self.route_tier.clone());
        it.register(names::ROUTE_PHASE, "1 for the phase a route is in", self.route_phase.clone());
        it.register(names::BREAKER_STATE, "1 for the state a breaker is in", self.breaker_state.clone());
        let changes = self.breaker_changes.clone();
        it.register(names::BREAKER_CHANGES, "Changes of breakers, of paths and of their replicas", changes);
        it.register(names::GATE_CLOSED, "1 where a gate keeps requests from a path", self.gate_closed.clone());
        let changes = self.gate_changes.clone();
        it.register(names::GATE_CHANGES, "Gates that closed, or were lifted by an answer", changes);
        self.features.register(it);
        self.guards.register(it);
        self.quality.register(it);
        self.promises.register(it);
        self.kept.register(it);
        self.shadows.register(it);
        self.caches.register(it);
        self.drifts.register(it);
        self.work.register(it);
        self.inputs.register(it);
        it.register(names::REVISION_INFO, "1 for the revision in force", self.revision_info.clone());
        it.register(names::LAST_APPLY, "When a configuration was last applied", self.last_apply.clone());
        let expiry = self.certificate_expiry.clone();
        it.register(
            names::CERTIFICATE_EXPIRY,
            "When a certificate, or the last of those who issue it, expires",
            expiry,
        );
        let build = Gauges::default();
        let version = || env!("CARGO_PKG_VERSION").to_owned();
        // One version for the whole workspace.
        build.get_or_create(&vec![("version", version()), ("core_version", version())]).set(1);
        it.register(names::BUILD_INFO, "What runs here", build);
    }

    pub(super) fn decision(&self, decision: &Decision) {
        self.work.over(decision);
        let mut series = self.series.lock();
        let it = series.outcomes.entry(outcome_key(decision)).or_insert_with(|| self.outcome(decision));
        it.requests.inc();
        it.duration.observe(seconds(decision.outcome.latency));
        it.decisions.inc();
        for attempt in &decision.attempts {
            let key = (digest(&decision.revision), attempt.path, attempt.result);
            let it = series.attempts.entry(key).or_insert_with(|| self.attempt(decision, attempt));
            it.duration.observe(seconds(attempt.duration));
            it.attempts.inc();
        }
    }

    fn outcome(&self, decision: &Decision) -> OutcomeSeries {
        let route = &decision.revision.routes[decision.route.index()];
        let tier = decision.outcome.tier.map(|tier| (tier, &route.tiers[usize::from(tier)]));
        let number = tier.map_or("none".into(), |(tier, _)| tier.to_string());
        let requests = vec![
            ("route", route.name.clone()),
            ("tier", number.clone()),
            ("method", decision.method().map_or("none", Method::name).into()),
            ("degraded", tier.is_some_and(|(tier, _)| tier > 0).to_string()),
            ("code", decision.outcome.status.to_string()),
        ];
        let decisions = vec![
            ("route", route.name.clone()),
            ("reason", decision.reason.name().into()),
            ("verdict", verdict(decision.outcome.end).into()),
        ];
        let duration = vec![("route", route.name.clone()), ("tier", number)];
        OutcomeSeries {
            requests: self.requests.get_or_create_owned(&requests),
            duration: self.request_duration.get_or_create_owned(&duration),
            decisions: self.decisions.get_or_create_owned(&decisions),
        }
    }

    fn attempt(&self, decision: &Decision, attempt: &AttemptRecord) -> AttemptSeries {
        let route = &decision.revision.routes[decision.route.index()].name;
        let path = &decision.revision.paths[attempt.path.index()].name;
        let mut labels = vec![("route", route.clone()), ("path", path.clone())];
        let duration = self.attempt_duration.get_or_create_owned(&labels);
        labels.push(("result", attempt.result.name().into()));
        AttemptSeries { attempts: self.attempts.get_or_create_owned(&labels), duration }
    }

    /// Counts how a request that is over found the cache, and what was kept of it.
    pub(super) fn cached(&self, decision: &Decision, noted: &Noted) {
        self.caches.noted(decision, noted);
    }

    /// Notes how often each thing has come of the store that several gateways share.
    pub(crate) fn shared_cache(&self, counts: impl Iterator<Item = (&'static str, u64)>) {
        self.caches.shared(counts);
    }

    /// Notes how often each thing has come of looking for answers to other words, by route.
    pub(crate) fn semantic_cache(&self, counts: impl Iterator<Item = (String, &'static str, u64)>) {
        self.caches.semantic(counts);
    }

    /// Notes what the answers take that are kept, and how many requests wait for that of another one, by route.
    pub(crate) fn caches(&self, routes: impl Iterator<Item = (String, [u64; 2])>) {
        self.caches.stand(routes);
    }

    /// Notes how routes stand with drift.
    pub(crate) fn drifts(&self, routes: impl Iterator<Item = (String, crate::drift::Standing)>) {
        self.drifts.stand(routes);
    }

    /// Notes when what encrypts expires: of what, and of which upstream.
    pub(crate) fn certificates<'a>(&self, ends: impl Iterator<Item = (&'static str, &'a str, Timestamp)>) {
        self.certificate_expiry.clear();
        for (of, upstream, end) in ends {
            let labels = vec![("of", of.into()), ("upstream", upstream.into())];
            self.certificate_expiry.get_or_create(&labels).set(end.as_second());
        }
    }

    /// Notes what is under way, and who waits.
    pub(crate) fn under_way(&self, now: &UnderWay) {
        self.work.stand(now);
    }

    /// Notes how the log of inputs stands, where one is kept.
    pub(crate) fn inputs(&self, log: Option<Standing>) {
        self.inputs.stand(log);
    }

    /// Counts what was fetched and imputed for a request that is over.
    pub(super) fn enriched(&self, decision: &Decision, enriched: &Enriched) {
        self.features.enriched(decision, enriched);
    }

    /// Counts what guards found in the input of a request that is over.
    pub(super) fn judged(&self, decision: &Decision, told: &Told) {
        self.guards.judged(decision, told);
    }

    pub(super) fn feature_server(&self, plan: &Plan, turn: &BreakerTurn) {
        self.features.turned(plan, turn);
    }

    /// Notes how the breakers of feature servers stand now.
    pub(crate) fn feature_servers<'a>(&self, servers: impl Iterator<Item = (&'a Plan, BreakerState)>) {
        self.features.stand(servers);
    }

    pub(super) fn shadow(&self, it: &Shadowed) {
        self.shadows.over(it);
    }

    pub(super) fn transition(&self, it: &Transition) {
        let route = || ("route", it.revision.routes[it.route.index()].name.clone());
        let labels = vec![
            route(),
            ("from", it.from.to_string()),
            ("to", it.to.to_string()),
            ("reason", it.reason.name().into()),
            ("trigger", "breaker".into()),
        ];
        self.transitions.get_or_create(&labels).inc();
        if let Some((cause, length)) = self.episodes.lock().transition(it) {
            let labels = vec![route(), ("reason", cause.name().into())];
            self.episode_duration.get_or_create(&labels).observe(seconds(length));
        }
    }

    pub(super) fn breaker(&self, it: &BreakerChange) {
        let path = &it.revision.paths[it.path.index()];
        let labels = vec![
            ("route", it.revision.routes[path.route.index()].name.clone()),
            ("path", path.name.clone()),
            ("operation", it.operation.name().into()),
            ("replica", it.replica.map_or("none".into(), |replica| replica.0.to_string())),
            ("to", it.turn.to.name().into()),
            ("reason", it.turn.reason().name().into()),
        ];
        self.breaker_changes.get_or_create(&labels).inc();
    }

    pub(super) fn gate(&self, it: &GateChange) {
        let path = &it.revision.paths[it.path.index()];
        let to = match it.turn {
            GateTurn::Closed(_) => "closed",
            GateTurn::Lifted => "lifted",
        };
        let labels = vec![
            ("route", it.revision.routes[path.route.index()].name.clone()),
            ("path", path.name.clone()),
            ("gate", it.gate.name().into()),
            ("to", to.into()),
            ("result", it.result.name().into()),
        ];
        self.gate_changes.get_or_create(&labels).inc();
    }

    pub(super) fn cancel_ignored(&self, revision: &Revision, path: PathId) {
        let path = &revision.paths[path.index()];
        let route = revision.routes[path.route.index()].name.clone();
        self.cancels_ignored.get_or_create(&vec![("route", route), ("path", path.name.clone())]).inc();
    }

    /// Counts what a probe of a replica found.
    pub(crate) fn probed(&self, upstream: &str, replica: ReplicaId, found: Found) {
        let labels =
            [("upstream", upstream.into()), ("replica", replica.0.to_string()), ("found", found.name().into())];
        self.probes.get_or_create(&labels.into()).inc();
    }

    pub(super) fn refused(&self, kind: &'static str) {
        self.refused.get_or_create(&vec![("kind", kind.into())]).inc();
    }

    pub(super) fn lost(&self) {
        self.lost.inc();
    }

    pub(super) fn line_dropped(&self) {
        self.lines_dropped.inc();
    }

    pub(crate) fn apply_failed(&self) {
        self.apply_failures.inc();
    }

    pub(super) fn applied(&self, revision: &Revision, name: &str, at: Timestamp) {
        *self.series.lock() = Series::default();
        self.guards.applied();
        self.episodes.lock().applied(revision);
        self.revision_info.clear();
        self.revision_info.get_or_create(&vec![("revision", name.into())]).set(1);
        self.last_apply.set(at.as_second());
    }

    /// Writes everything in the text format of Prometheus, gauges as they stand now.
    pub(crate) fn text(&self, now: Nanos, (revision, routes): (&Revision, &[RouteState])) -> String {
        let registry = self.registry.lock();
        self.shadows.stand(now, revision, routes);
        for gauges in [&self.route_tier, &self.route_phase, &self.breaker_state, &self.gate_closed] {
            gauges.clear();
        }
        for (route, state) in revision.routes.iter().zip(routes) {
            let name = || ("route", route.name.clone());
            self.route_tier.get_or_create(&vec![name()]).set(i64::from(state.tier));
            for phase in Phase::ALL {
                let labels = vec![name(), ("phase", phase.name().into())];
                self.route_phase.get_or_create(&labels).set(i64::from(phase == state.phase));
            }
            for (tier, now) in route.tiers.iter().zip(&state.tiers) {
                let path = || ("path", tier.name.clone());
                self.gate_closed.get_or_create(&vec![name(), path()]).set(i64::from(now.gate.is_some()));
                let member = |it: &MemberState| {
                    let path = revision.paths[it.path.index()].name.clone();
                    it.operations.iter().map(|of| (path.clone(), *of)).collect::<Vec<_>>()
                };
                let own = now.operations.iter().map(|of| (tier.name.clone(), *of));
                let operations = own.chain(now.members.iter().flat_map(member));
                for ((path, (operation, is)), breaker) in
                    operations.flat_map(|of| BreakerState::ALL.map(|it| (of.clone(), it)))
                {
                    let (path, operation) = (("path", path), ("operation", operation.name().into()));
                    let labels = vec![name(), path, operation, ("state", breaker.name().into())];
                    self.breaker_state.get_or_create(&labels).set(i64::from(breaker == is));
                }
            }
        }
        let mut text = String::new();
        // Writing to a string cannot fail; a half-written page would still be read as far as it goes.
        let _ = encode(&mut text, &registry);
        text
    }
}

fn outcome_key(decision: &Decision) -> OutcomeKey {
    let outcome = &decision.outcome;
    (digest(&decision.revision), decision.route, outcome.tier, outcome.status, decision.reason, verdict(outcome.end))
}

/// A request that was admitted before a reload ends under its own revision.
fn digest(revision: &Revision) -> u64 {
    u64::from_le_bytes(revision.digest[..8].try_into().expect("eight of 32 bytes"))
}

fn durations() -> Histograms {
    Histograms::new_with_constructor(|| Histogram::new(SECONDS))
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

fn verdict(end: End) -> &'static str {
    match end {
        End::Answered => "answered",
        End::Error(_) => "error",
        End::Broken(_) => "broken",
        End::Refused(Refusal::ClientGone) => "cancelled",
        End::Refused(_) => "refused",
    }
}
