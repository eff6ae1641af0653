//! Told: a server that said "not now" is left alone for as long as it said, and so is everything on its quota (F-051 to
//! F-053).

use evenkeel_core::{GateChange, GateKind, GateTurn, Nanos, ResultCode, Revision, SECOND, Start, Where};

use super::{Broken, watch::Running};

/// The longest time that a server is believed (F-050).
const CAP: Nanos = 300 * SECOND;

/// Until when nothing may start, by quota and by server.
#[derive(Debug)]
pub(super) struct Told {
    /// By path: its quota, and its upstream.
    of: Vec<(Option<usize>, Option<usize>)>,
    quotas: Vec<Nanos>,
    /// By upstream and replica.
    servers: Vec<Vec<Nanos>>,
}

impl Told {
    pub(super) fn new(revision: &Revision) -> Self {
        let mut names: Vec<&String> = revision.paths.iter().filter_map(|path| path.domain.as_ref()).collect();
        names.sort();
        names.dedup();
        let of = revision.paths.iter().map(|path| {
            let quota = path.domain.as_ref().and_then(|name| names.binary_search(&name).ok());
            match path.place {
                Where::Remote(upstream) => (quota, Some(upstream.index())),
                Where::Local | Where::Certain | Where::Stored | Where::Ensemble => (None, None),
            }
        });
        Self {
            of: of.collect(),
            quotas: vec![0; names.len()],
            servers: revision.upstreams.iter().map(|it| vec![0; it.replicas.len()]).collect(),
        }
    }

    /// Hears how an attempt ended.
    pub(super) fn ended(&mut self, now: Nanos, running: &Running, result: ResultCode, after: Option<Nanos>) {
        let Some(after) = after else { return };
        let (quota, upstream) = self.of[running.path.index()];
        let until = match (result, quota, upstream) {
            (ResultCode::RateLimited | ResultCode::QuotaExhausted, Some(quota), _) => &mut self.quotas[quota],
            (ResultCode::RateLimited | ResultCode::QuotaExhausted | ResultCode::PushBack, _, Some(upstream)) => {
                &mut self.servers[upstream][running.replica.index()]
            }
            _ => return,
        };
        *until = (*until).max(now + after.min(CAP));
    }

    /// Judges what is said of a gate: it is closed for no less than its server named, and lifted by an answer after that.
    pub(super) fn changed(&self, it: &GateChange) -> Result<(), Broken> {
        let (quota, upstream) = self.of[it.path.index()];
        let named = match it.gate {
            GateKind::Domain => quota.map(|quota| self.quotas[quota]),
            GateKind::Replica(replica) => upstream.map(|upstream| self.servers[upstream][replica.index()]),
            GateKind::Credential => upstream.map(|_| 0),
        };
        let fits = |named| match it.turn {
            GateTurn::Closed(until) => (named..=it.at + CAP).contains(&until) && !it.result.is_answer(),
            GateTurn::Lifted => named <= it.at && it.result.is_answer(),
        };
        if named.is_some_and(fits) {
            return Ok(());
        }
        Err((
            "F-051",
            None,
            format!("the gate of a {} is said to be {:?} by {}", it.gate.name(), it.turn, it.result.name()),
        ))
    }

    /// Judges a start.
    pub(super) fn started(&self, now: Nanos, start: &Start) -> Result<(), Broken> {
        let (quota, upstream) = self.of[start.path.index()];
        let quota = quota.map_or(0, |quota| self.quotas[quota]);
        let server = upstream.map_or(0, |upstream| self.servers[upstream][start.replica.index()]);
        match quota.max(server).checked_sub(now) {
            Some(early) if early > 0 => Err((
                "F-051",
                Some(start.request),
                format!("a server is asked {early} ns before the time that it named"),
            )),
            _ => Ok(()),
        }
    }
}
