//! Probe: what replicas say of themselves when nobody else asks them (`failures.md`, section 8).
//!
//! It says when a replica is to be asked, and what the answers add up to. Real outcomes outrank every probe: while requests
//! succeed nobody is asked, and a success ends what probes have said. What follows for a path is its breaker's (`BRK-5`).
//!
//! # Invariants
//! - `PROBE-1`: a replica is out after three refusals in a row, and no longer after two answers in a row that are none, or a
//!   success of a real request (F-113).
//! - `PROBE-2`: at most one probe of a replica is on its way; one that is not answered is asked again in the end.
//!
//! # Why a busy replica may come back
//! Silence is not refusal (F-113). A replica that was restarted, and is too busy to say that it is ready, would else stay out
//! for as long as it is; half open, it is tried by one request at a time. One that turns our probes away would stay out for
//! ever. While it is not out such an answer is no word at all: it neither adds to a row of refusals nor ends it (F-114).

use alloc::{collections::BTreeMap, string::String, sync::Arc, vec::Vec};

use crate::{
    clock::{Nanos, SECOND},
    id::{ProbeId, ReplicaId, UpstreamId},
    output::{Output, Probe},
    path::Generation,
    revision::{ProbePolicy, Revision},
};

/// Refusals in a row that take a replica out (F-113).
pub(crate) const OUT_AFTER: u32 = 3;
/// Answers in a row that are no refusal, and bring it back (F-113).
const BACK_AFTER: u32 = 2;
/// For so long after a success nobody is asked (F-110).
const PAUSE: Nanos = 10 * SECOND;

/// What a probe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The replica says that it is ready.
    Good,
    /// It cannot be reached, or says that it is not ready.
    Refused,
    /// It did not answer in time: busy is not down.
    Busy,
    /// It does not tell us: our credential, or the place where we ask, is wrong (F-114).
    Unknown,
}

impl Found {
    /// Returns the word that metrics use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Refused => "refused",
            Self::Busy => "busy",
            Self::Unknown => "unknown",
        }
    }
}

/// How a replica stands by its probes, for status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Nobody has asked, or requests have answered since.
    Unasked,
    /// The last probe was good; that closes nothing (F-112).
    Ready,
    /// The last probe was refused.
    Refused,
    /// It is taken out.
    Out,
    /// The last probe was not answered in time.
    Busy,
    /// The last probe was turned away: neither healthy nor down.
    Misconfigured,
}

impl Readiness {
    /// Returns the word that status uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unasked => "unasked",
            Self::Ready => "ready",
            Self::Refused => "refused",
            Self::Out => "out",
            Self::Busy => "busy",
            Self::Misconfigured => "misconfigured",
        }
    }
}

/// What the choice of a path and of a replica needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The refusals in a row by which it is out.
    pub(crate) out: Option<u32>,
    /// It did not answer in time.
    pub(crate) busy: bool,
}

/// What is known of one replica.
#[derive(Debug)]
struct Watch {
    policy: Option<ProbePolicy>,
    due: Nanos,
    /// The probe that is on its way, and since when.
    running: Option<(ProbeId, Nanos)>,
    found: Option<Found>,
    refused: u32,
    /// Answers in a row that were no refusal.
    heard: u32,
    out: bool,
    succeeded: Option<Nanos>,
}

impl Watch {
    fn new(now: Nanos) -> Self {
        let (policy, running, found, succeeded) = (None, None, None, None);
        Self { policy, due: now, running, found, refused: 0, heard: 0, out: false, succeeded }
    }

    fn standing(&self) -> Standing {
        Standing { out: self.out.then_some(self.refused), busy: self.found == Some(Found::Busy) }
    }

    fn hear(&mut self, found: Found) {
        self.found = Some(found);
        if found == Found::Refused {
            (self.refused, self.heard) = (self.refused.saturating_add(1), 0);
            self.out |= self.refused >= OUT_AFTER;
            return;
        }
        if found == Found::Unknown && !self.out {
            return;
        }
        self.heard = self.heard.saturating_add(1);
        if self.out && self.heard < BACK_AFTER {
            return;
        }
        (self.refused, self.out) = (0, false);
    }

    fn forget(&mut self) {
        (self.found, self.refused, self.heard, self.out) = (None, 0, 0, false);
    }
}

/// The replicas of all upstreams, under numbers that outlive a revision.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    watches: BTreeMap<u32, Watch>,
    keys: BTreeMap<(String, String), u32>,
    made: u32,
    asked: u64,
    changed: bool,
}

impl Probes {
    /// Finds or makes the watch of every replica of a revision, and forgets the others; returns them by upstream.
    pub(crate) fn apply(&mut self, now: Nanos, revision: &Revision) -> Vec<Vec<u32>> {
        let before = core::mem::take(&mut self.keys);
        let mut watches = Vec::new();
        for upstream in &revision.upstreams {
            let mut numbers = Vec::new();
            for address in &upstream.replicas {
                let key = (upstream.name.clone(), address.clone());
                let number = before.get(&key).copied().unwrap_or_else(|| {
                    self.made += 1;
                    self.made
                });
                let watch = self.watches.entry(number).or_insert_with(|| Watch::new(now));
                if watch.policy != upstream.probe {
                    let every = upstream.probe.map_or(0, |it| it.every);
                    (watch.policy, watch.due, watch.running) = (upstream.probe, now.saturating_add(every), None);
                }
                if watch.policy.is_none() {
                    watch.forget();
                }
                self.keys.insert(key, number);
                numbers.push(number);
            }
            watches.push(numbers);
        }
        self.watches.retain(|number, _| watches.iter().flatten().any(|it| it == number));
        self.changed = true;
        watches
    }

    /// Numbers on from where others were: what is still said of their probes is not heard as if it were of ours.
    pub(crate) fn number_from(&mut self, asked: u64) {
        self.asked = asked;
    }

    /// Returns how many were asked for.
    pub(crate) fn asked(&self) -> u64 {
        self.asked
    }

    /// Returns when the next replica is to be asked.
    pub(crate) fn next(&self) -> Option<Nanos> {
        self.watches.values().filter(|watch| watch.policy.is_some()).map(|watch| watch.due).min()
    }

    /// Returns the probes whose time has come.
    pub(crate) fn due(&mut self, now: Nanos, generation: &Generation) -> Vec<Output> {
        let mut outputs = Vec::new();
        for (upstream, numbers) in (0..).map(UpstreamId).zip(&generation.watches) {
            for (replica, number) in (0..).map(ReplicaId).zip(numbers) {
                let Some(watch) = self.watches.get_mut(number).filter(|watch| watch.due <= now) else { continue };
                let Some(ProbePolicy { every, timeout }) = watch.policy else { continue };
                let rested = watch.succeeded.map(|at| at.saturating_add(PAUSE)).filter(|at| *at > now);
                if let Some(rested) = rested {
                    watch.due = rested;
                    continue;
                }
                let within = every / 5;
                let probe = ProbeId(self.asked);
                self.asked += 1;
                watch.running = Some((probe, now));
                // Should no answer come at all: a shell that lost it is asked again.
                watch.due = now.saturating_add(within).saturating_add(timeout.saturating_mul(2)).saturating_add(every);
                let revision = Arc::clone(&generation.revision);
                outputs.push(Output::Probe(Probe { probe, revision, upstream, replica, within }));
            }
        }
        outputs
    }

    /// Hears what a probe found; nothing, where requests have answered since it was asked for (F-110).
    pub(crate) fn heard(&mut self, now: Nanos, probe: ProbeId, found: Found) {
        let asked = |watch: &&mut Watch| watch.running.is_some_and(|(it, _)| it == probe);
        let Some(watch) = self.watches.values_mut().find(asked) else { return };
        let Some((_, since)) = watch.running.take() else { return };
        if let Some(ProbePolicy { every, .. }) = watch.policy {
            watch.due = now.saturating_add(every - every / 10);
        }
        if watch.succeeded.is_some_and(|at| at >= since) {
            return;
        }
        let before = watch.standing();
        watch.hear(found);
        self.changed |= before != watch.standing();
    }

    /// Hears that a request succeeded at a replica: that outranks what probes have said (F-110, F-116).
    pub(crate) fn succeed(&mut self, now: Nanos, number: u32) {
        let Some(watch) = self.watches.get_mut(&number) else { return };
        watch.succeeded = Some(now);
        if matches!(watch.found, Some(Found::Refused | Found::Busy)) || watch.out {
            let before = watch.standing();
            watch.forget();
            self.changed |= before != watch.standing();
        }
    }

    /// Says, once, whether some replica stands otherwise than before.
    pub(crate) fn take_changed(&mut self) -> bool {
        core::mem::take(&mut self.changed)
    }

    /// Says whether some replica is out.
    pub(crate) fn any_out(&self) -> bool {
        self.watches.values().any(|watch| watch.out)
    }

    /// Returns how a replica stands.
    pub(crate) fn standing(&self, number: u32) -> Standing {
        self.watches[&number].standing()
    }

    /// Returns how a replica stands, for status.
    pub(crate) fn readiness(&self, number: u32) -> Readiness {
        let watch = &self.watches[&number];
        match watch.found {
            _ if watch.out => Readiness::Out,
            None => Readiness::Unasked,
            Some(Found::Good) => Readiness::Ready,
            Some(Found::Refused) => Readiness::Refused,
            Some(Found::Busy) => Readiness::Busy,
            Some(Found::Unknown) => Readiness::Misconfigured,
        }
    }
}
