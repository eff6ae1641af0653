//! Probes: what replicas say of themselves, ill or well, and however ill they are (UP-33 to UP-35).

use evenkeel_core::{Found, Input, MILLISECOND, Nanos, Probe, ProbeId, ReplicaId, ResultCode, UpstreamId};

use super::{What, World};
use crate::fault::Effect;

/// How long a replica takes to say that it is ready, or that it is not.
const SAID: Nanos = 2 * MILLISECOND;

/// A probe on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProbeRef {
    probe: ProbeId,
    upstream: UpstreamId,
    replica: ReplicaId,
}

impl World<'_> {
    /// Sends a probe, at a moment of those that the core leaves open.
    pub(super) fn ask_replica(&mut self, it: &Probe) {
        let delay = self.dice[3].below(it.within);
        let Probe { probe, upstream, replica, .. } = *it;
        self.probing += 1;
        self.queue.add(self.now + delay, What::Probe(ProbeRef { probe, upstream, replica }));
    }

    /// Lets a replica answer a probe.
    pub(super) fn probe(&mut self, it: ProbeRef) {
        let timeout = self.core.revision().upstreams[it.upstream.index()].probe.map_or(SAID, |policy| policy.timeout);
        let (now, dice) = (self.now, &mut self.dice[3]);
        let spells = self.spells.iter().filter(|spell| (spell.from..spell.until).contains(&now));
        let mut faults = spells.map(|spell| &self.scenario.faults[spell.fault]).filter(|fault| {
            let here = fault.upstream == it.upstream.index() && fault.replica.is_none_or(|at| at == it.replica.0);
            here && fault.probes
        });
        let effect = faults.find(|fault| dice.share(fault.share)).map(|fault| fault.effect);
        let (took, found) = said(effect, timeout);
        self.queue.add(now + took, What::Probed(it.probe, found));
    }

    /// Hears the end of a probe.
    pub(super) fn probed(&mut self, probe: ProbeId, found: Found) {
        self.probing -= 1;
        self.feed(Input::Probed { probe, found }, None);
    }
}

/// Returns what a fault makes of the answer, and when.
fn said(effect: Option<Effect>, timeout: Nanos) -> (Nanos, Found) {
    use ResultCode::{ConnectFailed, CredentialRejected, ModelMissing, Reset, Unsent};
    match effect {
        Some(Effect::Silence | Effect::Alive) => (timeout, Found::Busy),
        Some(Effect::Late { delay, .. }) if delay >= timeout => (timeout, Found::Busy),
        Some(Effect::End(finish)) => match finish.result {
            ConnectFailed | Reset | Unsent => (finish.took, Found::Refused),
            CredentialRejected | ModelMissing => (finish.took, Found::Unknown),
            _ => (finish.took, Found::Busy),
        },
        _ => (SAID, Found::Good),
    }
}
