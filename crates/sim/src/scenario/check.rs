//! What must hold across the keys of a scenario, and what it compiles to.

use std::path::Path;

use evenkeel_config::{Deployment, Duration, Findings, Key};
use evenkeel_core::{Features, Nanos, Operation, Protocol, ResultCode, Revision, RouteId, RouteSignal, SECOND};

use super::{
    Drift, Expect, Scenario,
    schema::{self, Script, Tokens},
};
use crate::{
    fault::{Effect, Fault, FaultKind, Finish, On},
    server::Model,
    spread::Spread,
    workload::Load,
};

/// What surrounds a script.
pub(super) struct Around<'a> {
    pub(super) file: &'a str,
    pub(super) base: &'a Path,
    /// The configuration to run under, in place of the script's own.
    pub(super) deployment: Option<&'a Deployment>,
}

/// Compiles a script, and reports what is wrong with it.
pub(super) fn compile(script: Script, findings: &mut Findings<'_>, around: Around<'_>) -> Option<Scenario> {
    let key = Key::default();
    let own = findings.deployment(&key.field("config"), &script.config, around.base)?;
    let deployment = around.deployment.unwrap_or(&own);
    let revision = deployment.revision.clone();
    let mut check = Check { revision: &revision, findings };
    check.servers(&script);
    let servers = revision.upstreams.iter().map(|it| Model::new(script.servers.get(&it.name))).collect();
    let workload = (0..).zip(&script.workload).filter_map(|it| check.load(&script, it)).collect();
    let faults = script.faults.iter().enumerate().filter_map(|(at, it)| check.fault(at, it)).collect();
    let drifts = script.drifts.iter().enumerate().filter_map(|(at, it)| check.drift(at, it)).collect();
    let expect = &script.expect;
    Some(Scenario {
        name: Path::new(around.file).file_stem().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default(),
        file: around.file.into(),
        config: None,
        about: script.about.clone(),
        requests: script.requests,
        servers,
        local: Model::local(),
        workload,
        faults,
        drifts,
        reloads: script.reloads.map(|it| (it.at.nanos(), it.at.nanos() + it.length.nanos(), it.every.nanos())),
        expect: Expect {
            failed: expect.failed,
            broken: expect.broken,
            mended_permille: expect.mended.map(|it| u64::from(it.0)),
            failover: expect.failover.map(Duration::nanos),
            back: expect.back.map(Duration::nanos),
            transitions: expect.transitions,
            tried_in_fault: expect.tried_in_fault,
            found: expect.found.map(Duration::nanos),
            carried: expect.carried,
            refused_within: expect.refused_within.map(Duration::nanos),
            p999: expect.p999.map(Duration::nanos),
            attempts_permille: expect.attempts_permille,
            tier0_permille: expect.tier0.map(|it| u64::from(it.0)),
            restored_permille: u64::from(expect.restored.0),
            recover_within: expect.recover_within.nanos(),
        },
        revision,
    })
}

struct Check<'a, 'b> {
    revision: &'a Revision,
    findings: &'a mut Findings<'b>,
}

impl Check<'_, '_> {
    fn servers(&mut self, script: &Script) {
        for (name, server) in &script.servers {
            let key = Key::default().field("servers").field(name);
            if self.upstream(&key, name).is_some()
                && server.first_token.p99.is_some_and(|p| p < server.first_token.median)
            {
                let key = key.field("first_token").field("p99");
                self.findings.error("out-of-range", &key, "it is less than the median", "write a longer time");
            }
        }
    }

    /// Finds an upstream of the configuration.
    fn upstream(&mut self, key: &Key, name: &str) -> Option<usize> {
        let found = self.revision.upstreams.iter().position(|it| it.name == name);
        if found.is_none() {
            let known: Vec<&str> = self.revision.upstreams.iter().map(|it| it.name.as_str()).collect();
            let hint = format!("the configuration has {}", known.join(", "));
            self.findings.error("unknown-upstream", key, format!("there is no upstream `{name}`"), hint);
        }
        found
    }

    /// Finds a route of the configuration.
    fn route(&mut self, key: &Key, name: &str) -> Option<RouteId> {
        let found = self.revision.route(name);
        if found.is_none() {
            let known: Vec<&str> = self.revision.routes.iter().map(|it| it.name.as_str()).collect();
            let hint = format!("the configuration has {}", known.join(", "));
            self.findings.error("unknown-route", key, format!("there is no route `{name}`"), hint);
        }
        found
    }

    fn drift(&mut self, at: usize, it: &schema::Drift) -> Option<Drift> {
        let key = Key::default().field("drifts").index(at).field("route");
        let route = self.route(&key, &it.route)?;
        if self.revision.routes[route.index()].drift.is_none() {
            let message = format!("nothing follows: `{}` does nothing about drift", it.route);
            self.findings.error("misplaced-key", &key, message, "give the route a `drift`, or remove it");
        }
        Some(Drift {
            route,
            at: it.at.nanos(),
            length: it.length.nanos(),
            spread: it.spread.map_or(0, Duration::nanos),
            silent: it.then == schema::Then::Silent,
            of: match it.of {
                schema::Of::Inputs => RouteSignal::Drift,
                schema::Of::Outputs => RouteSignal::OutputDrift,
            },
        })
    }

    fn load(&mut self, script: &Script, (at, it): (usize, &schema::Load)) -> Option<Load> {
        let key = Key::default().field("workload").index(at);
        let route = self.route(&key.field("route"), &it.route)?;
        let (plain, stream) = match self.revision.routes[route.index()].protocol {
            Protocol::OpenaiChat => (Operation::Chat, Operation::ChatStream),
            Protocol::OpenaiEmbeddings => (Operation::Embeddings, Operation::Embeddings),
            Protocol::Oip => (Operation::Infer, Operation::Infer),
        };
        let chats = [
            ("streams", "streams", it.streams.0),
            ("tools", "has tools", it.tools.0),
            ("json", "asks for JSON", it.json.0),
        ];
        for (name, does, _) in chats.into_iter().filter(|(.., share)| plain == stream && *share > 0) {
            let protocol = self.revision.routes[route.index()].protocol.name();
            let message = format!("nothing {does} on an `{protocol}` route");
            self.findings.error("misplaced-key", &key.field(name), message, "remove it");
        }
        self.misplaced(&key, it, route);
        let endless = script.workload.iter().any(|it| it.length.is_none());
        if at == 0 && !endless {
            let hint = "leave `for` out of one entry, so that it goes on once all is well again";
            self.findings.error("ends-too-soon", &key.field("for"), "nobody calls when the faults are over", hint);
        }
        let from = it.from.map_or(0, Duration::nanos);
        Some(Load {
            route,
            operations: [plain, stream],
            gap: gap(it),
            together: if it.arrivals == schema::Arrivals::Bursts { it.burst } else { 1 },
            from,
            until: it.length.map(|length| from + length.nanos()),
            streams: it.streams.0,
            prompt: tokens(&it.prompt),
            needs: [(Features::TOOLS, it.tools.0), (Features::JSON, it.json.0)],
            rows: (it.rows, it.imputed.0),
            unlike: it.unlike.0,
            questions: it.questions,
            effects: it.effects.0,
            patience: it.patience.map(Duration::nanos),
            impatient: it.impatient.0,
            retries: it.retries,
            pause: it.pause.map_or(0, Duration::nanos),
            heeds: it.heeds_retry_after,
            deadline: it.deadline.map(Duration::nanos),
            max_tier: it.max_tier,
        })
    }

    /// Reports what says nothing on the route that a load asks.
    fn misplaced(&mut self, key: &Key, it: &schema::Load, route: RouteId) {
        let of = &self.revision.routes[route.index()];
        let judges = of.tiers.iter().any(|tier| self.revision.paths[tier.path.index()].accept.is_some());
        let rows = [
            ("rows", it.rows > 0, judges || of.imputed.split, "`accept`, or `rows: split` under `enrich`"),
            ("imputed", it.imputed.0 > 0, of.imputed.split, "`rows: split` under `enrich`"),
        ];
        if it.unlike.0 > 0 && of.guards.is_empty() {
            let message = format!("`{}` has no `guards`, so that nobody looks", of.name);
            self.findings.error(
                "misplaced-key",
                &key.field("unlike"),
                message,
                "remove it, or give the route `guards`",
            );
        }
        if it.questions > 0 && of.cache.is_none() {
            let message = format!("`{}` has no `cache`, so that it makes no difference who asks the same", of.name);
            self.findings.error(
                "misplaced-key",
                &key.field("questions"),
                message,
                "remove it, or give the route a `cache`",
            );
        }
        for (name, .., wants) in rows.into_iter().filter(|(_, given, judged, _)| *given && !judged) {
            let message = format!("`{}` does not judge rows by that", of.name);
            self.findings.error(
                "misplaced-key",
                &key.field(name),
                message,
                format!("remove it, or give the route {wants}"),
            );
        }
    }

    fn fault(&mut self, at: usize, it: &schema::Fault) -> Option<Fault> {
        let key = Key::default().field("faults").index(at);
        let upstream = self.upstream(&key.field("upstream"), &it.upstream);
        let replicas = upstream.map_or(u16::MAX, |at| self.revision.upstreams[at].replicas.len() as u16);
        if let Some(replica) = it.replica.filter(|replica| *replica >= replicas) {
            let message = format!("there is no replica {replica}: it has {replicas}");
            self.findings.error("out-of-range", &key.field("replica"), message, "replicas count from 0");
        }
        if (it.times > 1) != it.every.is_some() {
            let hint = "write both to repeat a fault, or none";
            self.findings.error("one-without-other", &key.field("every"), "`times` and `every` go together", hint);
        }
        self.parameters(&key, it);
        Some(Fault {
            at: it.at.nanos(),
            length: it.length.nanos(),
            spread: it.spread.map_or(0, Duration::nanos),
            times: it.times,
            every: it.every.map_or(0, Duration::nanos),
            upstream: upstream?,
            replica: it.replica,
            share: it.share.0,
            effect: effect(it),
            kills: it.fault == FaultKind::Refuse,
            work: it.on != On::Probes,
            // Where nobody listens, probes are refused as well.
            probes: it.on != On::Work || it.fault == FaultKind::Refuse,
        })
    }

    /// Reports parameters that a fault has not, and those that it lacks.
    fn parameters(&mut self, key: &Key, it: &schema::Fault) {
        use FaultKind as F;
        let may: &[&str] = match it.fault {
            F::Latency => &["delay", "factor"],
            F::SlowFirstToken => &["delay"],
            F::Status => &["status", "retry_after"],
            F::RateLimited | F::QuotaExhausted => &["retry_after"],
            F::Cut | F::Stall | F::ErrorEvent => &["after_tokens"],
            F::SlowTokens => &["pause"],
            _ => &[],
        };
        for parameter in ["status", "retry_after", "after_tokens", "delay", "pause", "factor"] {
            let key = key.field(parameter);
            if self.findings.is_written(&key) && !may.contains(&parameter) {
                let message = format!("this fault has no `{parameter}`");
                let hint = if may.is_empty() { "remove it".into() } else { format!("it has {}", may.join(", ")) };
                self.findings.error("misplaced-key", &key, message, hint);
            }
        }
        let lacks = match it.fault {
            F::Latency => it.delay.is_none() && it.factor.is_none(),
            F::SlowFirstToken => it.delay.is_none(),
            F::SlowTokens => it.pause.is_none(),
            F::Status => it.status.is_none(),
            _ => false,
        };
        if lacks {
            let key = key.field(may[0]);
            let message = format!("this fault needs `{}`", may[0]);
            self.findings.error("missing-key", &key, message, "add it");
        }
    }
}

/// Returns the time between arrivals, or between bursts.
fn gap(it: &schema::Load) -> Spread {
    let together = if it.arrivals == schema::Arrivals::Bursts { it.burst } else { 1 };
    let mean = (SECOND as f64 * f64::from(together) / it.rate) as Nanos;
    match it.arrivals {
        schema::Arrivals::Poisson => Spread::exponential(mean),
        schema::Arrivals::Constant | schema::Arrivals::Bursts => Spread::fixed(mean),
    }
}

fn tokens(it: &Tokens) -> Spread {
    it.p99.map_or_else(|| Spread::fixed(it.median), |p99| Spread::long_tailed(it.median, p99))
}

fn effect(it: &schema::Fault) -> Effect {
    use ResultCode as R;
    let after = it.retry_after.map(Duration::nanos);
    let tokens = it.after_tokens.unwrap_or(0);
    let error = |result, status| Effect::End(Finish { after, ..Finish::error(result, status) });
    match it.fault {
        FaultKind::Refuse => Effect::End(Finish::unconnected(R::ConnectFailed)),
        FaultKind::Reset => Effect::End(Finish::unconnected(R::Reset)),
        FaultKind::ResetReused => Effect::End(Finish::unconnected(R::Unsent)),
        FaultKind::Silence => Effect::Silence,
        FaultKind::KeepaliveOnly => Effect::Alive,
        FaultKind::Latency | FaultKind::SlowFirstToken => {
            Effect::Late { delay: it.delay.map_or(0, Duration::nanos), factor: it.factor.unwrap_or(1) }
        }
        FaultKind::Status => error(R::of_status(it.status.unwrap_or(500), after.is_some()), it.status.unwrap_or(500)),
        FaultKind::RateLimited => error(R::RateLimited, 429),
        FaultKind::QuotaExhausted => error(R::QuotaExhausted, 402),
        FaultKind::CredentialRejected => error(R::CredentialRejected, 401),
        FaultKind::ModelMissing => error(R::ModelMissing, 404),
        FaultKind::ContextLengthExceeded => error(R::ContextExceeded, 400),
        FaultKind::ContentFilter => error(R::ContentFiltered, 400),
        FaultKind::UnsupportedFeature => error(R::UnsupportedFeature, 400),
        FaultKind::CallerInvalid => error(R::CallerInvalid, 400),
        FaultKind::Cut => Effect::Cut { tokens, finish: Finish::error(R::Truncated, 200) },
        FaultKind::Stall => Effect::Stall { tokens },
        FaultKind::ErrorEvent => Effect::Cut { tokens, finish: Finish::error(R::ErrorInStream, 200) },
        FaultKind::SlowTokens => Effect::Slow { every: it.pause.map_or(0, Duration::nanos) },
        FaultKind::EmptyAnswer => error(R::EmptyAnswer, 200),
        FaultKind::Any => Effect::Any,
    }
}
