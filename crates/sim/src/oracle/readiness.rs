//! Readiness: what probes may do to a path, and what not (F-112, F-113).

use std::collections::BTreeMap;

use evenkeel_core::{BreakerState, Found, Probe, ProbeId, UpstreamId};

/// Refusals in a row that take a replica out, and answers in a row that bring it back (F-113).
const OUT_AND_BACK: (u32, u32) = (3, 2);

/// What probes have said of all replicas.
#[derive(Debug, Default)]
pub(super) struct Readiness {
    asked: BTreeMap<ProbeId, (UpstreamId, u16)>,
    /// Refusals, and answers that were none, in a row.
    rows: BTreeMap<(UpstreamId, u16), (u32, u32)>,
    /// Whose probe has come in with this input.
    said: Option<(UpstreamId, u16)>,
}

impl Readiness {
    /// Notes a probe that is wanted.
    pub(super) fn asked(&mut self, it: &Probe) {
        self.asked.insert(it.probe, (it.upstream, it.replica.0));
    }

    /// Notes what a probe found.
    pub(super) fn probed(&mut self, probe: ProbeId, found: Found) {
        let Some(of) = self.asked.remove(&probe) else { return };
        let (refused, heard) = self.rows.entry(of).or_default();
        (*refused, *heard) = match found {
            Found::Refused => (*refused + 1, 0),
            // It ends no row of refusals that has taken nobody out (F-114).
            Found::Unknown if *refused < OUT_AND_BACK.0 && *heard == 0 => (*refused, *heard),
            Found::Good | Found::Busy | Found::Unknown => (0, *heard + 1),
        };
        self.said = Some(of);
    }

    /// Forgets whose probe came in: the input is over.
    pub(super) fn over(&mut self) {
        self.said = None;
    }

    /// Judges a change of the breaker of a path with one replica, if it came with a probe of that; says what is wrong with it,
    /// and whether readiness has taken the path out. None where no probe of it came in.
    pub(super) fn judge(
        &self,
        upstream: Option<UpstreamId>,
        turn: (BreakerState, BreakerState),
    ) -> Option<Result<bool, (&'static str, String)>> {
        use BreakerState::{Closed, HalfOpen, Open, Ramp};
        let of = self.said.filter(|(at, _)| Some(*at) == upstream)?;
        let (refused, heard) = self.rows.get(&of).copied().unwrap_or_default();
        let (out, back) = OUT_AND_BACK;
        Some(match turn {
            (Closed | Ramp, Open) if refused >= out => Ok(true),
            (Closed | Ramp, Open) => Err(("F-113", format!("is taken out by {refused} refusals in a row"))),
            (Open, HalfOpen) if heard >= back => Ok(false),
            (Open, HalfOpen) => Err(("F-113", format!("is back by {heard} probes in a row"))),
            (before, after) => Err(("F-112", format!("goes from {} to {} by a probe", before.name(), after.name()))),
        })
    }
}
