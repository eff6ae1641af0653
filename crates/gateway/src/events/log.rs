//! The log lines of a decision, of a transition and of a change of a breaker: one each, structured, without a word of any payload.
//!
//! There is a line for every request, so it is written by hand and handed to a thread that writes many at once; a
//! subscriber that formats field by field costs a tenth of a request. What may be logged at all is still the
//! subscriber's to say.
//!
//! # Invariants
//! - `LOG-1`: a slow reader of the log delays nobody: beyond 8,192 lines that wait, lines are dropped, and counted.
//! - `LOG-2`: lines that wait when the log is dropped are written first; for a reader that does not read, within a second.

mod certificate;
mod drift;
mod proposal;
mod shadow;

use std::{
    io::Write,
    sync::mpsc::{Receiver, SyncSender, channel, sync_channel},
    thread,
    time::Duration,
};

use evenkeel_api::Transition;
use evenkeel_core::{BreakerChange, BreakerTurn, End, GateChange, GateKind, GateTurn, Method, Severity, digest_name};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;

pub(crate) use self::{
    certificate::certificate_void,
    drift::{drift_alarm, drift_over},
};
pub(super) use self::{proposal::proposal, shadow::shadow};
use super::Record;
use crate::enrich::{Enriched, Plan};

/// Lines that wait to be written.
const WAITING: usize = 8_192;
/// How long lines are gathered before they are written.
const GATHER: Duration = Duration::from_millis(10);
/// How long the end of the process waits for the last lines.
const LAST: Duration = Duration::from_secs(1);

/// Where the lines of decisions go.
#[derive(Debug)]
pub(super) struct Log {
    /// There until the log is dropped.
    lines: Option<SyncSender<Vec<u8>>>,
    /// Closed when the last line is written.
    written: Mutex<Receiver<()>>,
}

/// The line of a decision.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    timestamp: Timestamp,
    level: &'a str,
    target: &'a str,
    message: &'a str,
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
    status: u16,
    broken: bool,
    latency_us: u64,
    attempts: Vec<[&'a str; 2]>,
    /// As the client reads it.
    #[serde(skip_serializing_if = "Option::is_none")]
    imputed: Option<String>,
}

impl Log {
    /// Starts the thread that writes; it ends with the log.
    pub(super) fn start(to: impl Write + Send + 'static) -> Self {
        let (sender, lines) = sync_channel(WAITING);
        let (writes, written) = channel();
        let work = move || {
            write(&lines, to);
            drop(writes);
        };
        thread::Builder::new().name("log".into()).spawn(work).expect("a thread can be started");
        Self { lines: Some(sender), written: Mutex::new(written) }
    }

    /// Hands on the line of a decision; says whether there was room for it.
    pub(super) fn decision(&self, record: &Record) -> bool {
        if !tracing::enabled!(target: "evenkeel::decision", tracing::Level::INFO) {
            return true;
        }
        let mut line = serde_json::to_vec(&line(record)).expect("names and numbers are JSON");
        line.push(b'\n');
        self.hand_on(line)
    }

    fn hand_on(&self, line: Vec<u8>) -> bool {
        self.lines.as_ref().is_some_and(|lines| lines.try_send(line).is_ok())
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.lines = None;
        let _ = self.written.get_mut().recv_timeout(LAST);
    }
}

pub(super) fn line(record: &Record) -> Line<'_> {
    let decision = &record.decision;
    let route = &decision.revision.routes[decision.route.index()];
    let tier = decision.outcome.tier.map(|tier| &route.tiers[usize::from(tier)]);
    let name = |path: evenkeel_core::PathId| decision.revision.paths[path.index()].name.as_str();
    Line {
        timestamp: record.at,
        level: "INFO",
        target: "evenkeel::decision",
        message: "decided",
        decision: &record.id,
        route: &route.name,
        tier: decision.outcome.tier,
        method: decision.method().map(Method::name),
        path: tier.map(|tier| tier.name.as_str()),
        degraded: decision.outcome.tier.is_some_and(|tier| tier > 0),
        reason: decision.reason.name(),
        status: decision.outcome.status,
        broken: matches!(decision.outcome.end, End::Broken(_)),
        latency_us: decision.outcome.latency / 1_000,
        attempts: decision.attempts.iter().map(|it| [name(it.path), it.result.name()]).collect(),
        imputed: record.enriched.as_ref().and_then(Enriched::text),
    }
}

fn write(lines: &Receiver<Vec<u8>>, mut to: impl Write) {
    while let Ok(mut text) = lines.recv() {
        // Others are on their way: to wake up for each of them would cost more than to write them.
        thread::sleep(GATHER);
        for line in lines.try_iter() {
            text.extend_from_slice(&line);
        }
        // A log that cannot be written has no place where that could be said.
        let _ = to.write_all(&text);
    }
}

/// Writes the line of a transition, as loud as its reason matters to somebody on call.
pub(super) fn transition(it: &Transition, severity: Severity) {
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                target: "evenkeel::transition",
                route = it.route,
                from = it.from,
                to = it.to,
                reason = it.reason,
                path = it.path,
                rule = it.trip.as_ref().map_or(it.rule.as_str(), |trip| trip.rule.as_str()),
                result = it.trip.as_ref().and_then(|trip| trip.result.as_deref()),
                bad = it.trip.as_ref().map(|trip| trip.bad),
                of = it.trip.as_ref().map(|trip| trip.of),
                episode = it.episode,
                "the route starts at another tier",
            )
        };
    }
    match severity {
        Severity::Info => line!(info),
        Severity::Warning => line!(warn),
        Severity::Critical => line!(error),
    }
}

/// Writes the line of a change of a breaker, as loud as its reason matters to somebody on call (F-060).
pub(super) fn breaker(it: &BreakerChange) {
    let BreakerChange { revision, turn, .. } = it;
    let path = &revision.paths[it.path.index()];
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                target: "evenkeel::breaker",
                route = revision.routes[path.route.index()].name,
                path = path.name,
                operation = it.operation.name(),
                replica = it.replica.map(|replica| replica.0),
                from = turn.from.name(),
                to = turn.to.name(),
                reason = turn.reason().name(),
                rule = turn.rule(),
                result = turn.trip.and_then(|trip| trip.result).map(|result| result.name()),
                bad = turn.trip.map(|trip| trip.bad),
                of = turn.trip.map(|trip| trip.of),
                revision = digest_name(&revision.digest),
                "a breaker has changed",
            )
        };
    }
    match turn.reason().severity() {
        Severity::Info => line!(info),
        Severity::Warning => line!(warn),
        Severity::Critical => line!(error),
    }
}

/// Writes the line of a change of the breaker of a feature server (F-037).
pub(super) fn feature_server(plan: &Plan, turn: &BreakerTurn) {
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                target: "evenkeel::breaker",
                route = plan.route,
                upstream = plan.server,
                from = turn.from.name(),
                to = turn.to.name(),
                reason = turn.reason().name(),
                rule = turn.rule(),
                result = turn.trip.and_then(|trip| trip.result).map(|result| result.name()),
                bad = turn.trip.map(|trip| trip.bad),
                of = turn.trip.map(|trip| trip.of),
                "the breaker of a feature server has changed",
            )
        };
    }
    match turn.reason().severity() {
        Severity::Info => line!(info),
        Severity::Warning => line!(warn),
        Severity::Critical => line!(error),
    }
}

/// Writes the line of a gate that has closed or was lifted (F-051). A quota that is used up or a credential that is refused is
/// for its owner to mend: nothing here does.
pub(super) fn gate(it: &GateChange) {
    let GateChange { revision, gate, result, .. } = it;
    let path = &revision.paths[it.path.index()];
    let replica = match gate {
        GateKind::Replica(replica) => Some(replica.0),
        GateKind::Domain | GateKind::Credential => None,
    };
    macro_rules! line {
        ($level:ident, $for_ms:expr, $text:literal) => {
            tracing::$level!(
                target: "evenkeel::gate",
                route = revision.routes[path.route.index()].name,
                path = path.name,
                gate = gate.name(),
                domain = path.domain.as_deref().filter(|_| *gate == GateKind::Domain),
                replica,
                result = result.name(),
                for_ms = $for_ms,
                revision = digest_name(&revision.digest),
                $text,
            )
        };
    }
    match it.turn {
        GateTurn::Closed(until) => {
            let for_ms = Some(until.saturating_sub(it.at) / 1_000_000);
            line!(warn, for_ms, "a gate has closed: what stands behind it is not asked meanwhile");
        }
        GateTurn::Lifted => line!(info, None::<u64>, "a gate was lifted"),
    }
}

#[cfg(test)]
mod tests;
